"""The ONNX graph of a sequence network, alone or on top of a head's trees.

Inputs: `kind` int64 [N, L], `scalars` float32 [N, L, 3], `features` float32 [N, F]. Output:
one float32 [N] of probabilities. What the boosted trees add comes out of the same
ensemble node as in the bundle's graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from features.model_bundle.trees import TreeArrays
from training.onnx_export import INPUT, IR_VERSION, ML_OPSET, OPSET, build_ensemble
from training.sequence.columns import ColumnScaling
from training.sequence.fitting import FittedNetwork
from training.sequence.networks import GRU
from training.sequence.tokens import N_SCALARS

OUTPUT = "probability"
_EPSILON = 1e-5


@dataclass
class _Graph:
    """Nodes and constants as they are added; every method returns the name of its output."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: npt.NDArray[np.generic]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name


def build_sequence_model(
    fitted: FittedNetwork,
    *,
    n_features: int,
    trees: TreeArrays | None = None,
    scaling: ColumnScaling | None = None,
) -> bytes:
    """Return the serialized graph.

    Args:
        fitted: The network.
        n_features: F.
        trees: What it adds to; None: it stands alone.
        scaling: How it reads columns of the vector; None: it reads none.
    """
    graph = _Graph()
    size = fitted.size
    token = graph.add("Gather", graph.constant(fitted.weights["kind"]), "kind")
    token = graph.add("Concat", token, "scalars", axis=2)
    add_network = _add_gru if fitted.network is GRU else _add_transformer
    state = add_network(graph, fitted, token)
    if scaling is not None:
        state = graph.add("Concat", state, _add_columns(graph, fitted, scaling), axis=1)
    total = graph.add("MatMul", state, graph.constant(fitted.weights["out"]))
    total = graph.add("Add", total, graph.constant(fitted.weights["out_bias"]))
    total = graph.add("Reshape", total, graph.ints(-1))
    if trees is not None:
        graph.nodes.append(build_ensemble(trees, "trees"))
        total = graph.add("Add", total, graph.add("Reshape", "trees", graph.ints(-1)))
    graph.nodes.append(helper.make_node("Sigmoid", [total], [OUTPUT]))
    inputs = [
        helper.make_tensor_value_info("kind", TensorProto.INT64, ["N", size.length]),
        helper.make_tensor_value_info("scalars", TensorProto.FLOAT, ["N", size.length, N_SCALARS]),
    ]
    if trees is not None or scaling is not None:
        inputs.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", n_features]))
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N"])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "hemostat-sequence", inputs, outputs, graph.constants),
        opset_imports=[
            helper.make_opsetid("", OPSET),
            helper.make_opsetid("ai.onnx.ml", ML_OPSET),
        ],
        ir_version=IR_VERSION,
        producer_name="hemostat",
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _add_gru(graph: _Graph, fitted: FittedNetwork, token: str) -> str:
    """Return the last state, [N, width]; ONNX orders gates as we do: update, reset, new."""
    weights = fitted.weights
    bias = np.concatenate([weights["input_bias"], weights["hidden_bias"]])[None]
    steps = graph.add("Transpose", token, perm=[1, 0, 2])
    name = f"n{len(graph.nodes)}"
    inputs = [
        steps,
        graph.constant(weights["input"].T[None]),
        graph.constant(weights["hidden"].T[None]),
        graph.constant(bias),
    ]
    graph.nodes.append(
        helper.make_node(
            "GRU", inputs, ["", name], hidden_size=fitted.size.width, linear_before_reset=1
        )
    )
    return graph.add("Squeeze", name, graph.ints(0))


def _add_transformer(graph: _Graph, fitted: FittedNetwork, token: str) -> str:
    """Return the last token's state, [N, width]."""
    weights, size = fitted.weights, fitted.size
    each = size.width // size.n_heads
    x = graph.add("MatMul", token, graph.constant(weights["input"]))
    x = graph.add("Add", x, graph.constant(weights["place"]))
    for layer in range(size.n_layers):
        seen = _add_norm(graph, x, weights[f"norm_a{layer}"])
        parts = graph.add("MatMul", seen, graph.constant(weights[f"mix{layer}"]))
        parts = graph.add("Reshape", parts, graph.ints(0, 0, 3, size.n_heads, each))
        query, key, value = (
            graph.add("Gather", parts, graph.constant(np.array(k)), axis=2) for k in range(3)
        )
        query, value = (graph.add("Transpose", one, perm=[0, 2, 1, 3]) for one in (query, value))
        key = graph.add("Transpose", key, perm=[0, 2, 3, 1])
        logits = graph.add("MatMul", query, key)
        logits = graph.add("Mul", logits, graph.constant(np.array([each**-0.5], np.float32)))
        mixed = graph.add("MatMul", graph.add("Softmax", logits, axis=-1), value)
        mixed = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
        mixed = graph.add("Reshape", mixed, graph.ints(0, 0, size.width))
        mixed = graph.add("MatMul", mixed, graph.constant(weights[f"join{layer}"]))
        x = graph.add("Add", x, mixed)
        seen = _add_norm(graph, x, weights[f"norm_b{layer}"])
        wide = graph.add("MatMul", seen, graph.constant(weights[f"wide{layer}"]))
        wide = graph.add("Add", wide, graph.constant(weights[f"wide_bias{layer}"]))
        narrow = graph.constant(weights[f"narrow{layer}"])
        x = graph.add("Add", x, graph.add("MatMul", graph.add("Relu", wide), narrow))
    last = graph.constant(np.array(size.length - 1))
    return graph.add("Gather", x, last, axis=1)


def _add_norm(graph: _Graph, x: str, gain: npt.NDArray[np.float32]) -> str:
    return graph.add("LayerNormalization", x, graph.constant(gain), axis=-1, epsilon=_EPSILON)


def _add_columns(graph: _Graph, fitted: FittedNetwork, scaling: ColumnScaling) -> str:
    """Return what the network makes of the vector's columns, [N, width]."""
    x = graph.add("Gather", INPUT, graph.constant(scaling.place), axis=1)
    one = graph.constant(np.ones(1, np.float32))
    grown = graph.add("Log", graph.add("Add", graph.add("Abs", x), one))
    grown = graph.add("Mul", grown, graph.add("Sign", x))
    centred = graph.add("Sub", grown, graph.constant(scaling.mean))
    scaled = graph.add("Div", centred, graph.constant(scaling.spread))
    limit = scaling.limit
    low, high = (graph.constant(np.array(sign * limit, np.float32)) for sign in (-1.0, 1.0))
    clipped = graph.add("Clip", scaled, low, high)
    known = graph.add(
        "Where", graph.add("IsNaN", x), graph.constant(np.zeros(1, np.float32)), clipped
    )
    seen = graph.add("MatMul", known, graph.constant(fitted.weights["columns"]))
    return graph.add("Relu", graph.add("Add", seen, graph.constant(fitted.weights["columns_bias"])))
