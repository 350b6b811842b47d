"""The merged ONNX graph of all heads, and the gate that it must pass.

Per head: `TreeEnsembleRegressor` (ai.onnx.ml 3; version 5's `TreeEnsemble` runs
no faster in ONNX Runtime) -> the calibration's bend, where it has one -> `Reshape` to
[N] -> `Sigmoid`. The calibration's line and winsorising stand in the trees already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from features.errors import HemostatError
from features.model_bundle.runtime import ort
from features.model_bundle.trees import LEAF, TreeArrays

INPUT = "features"
PARITY_TOLERANCE = 1e-5
IR_VERSION = 10
OPSET, ML_OPSET = 21, 3

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parity:
    """How a head's graph compares with XGBoost.

    Attributes:
        head: Name of the head.
        n_rows: Rows compared.
        max_difference: Largest difference of the probability.
        n_changed_hints: Rows on the other side of the threshold.
    """

    head: str
    n_rows: int
    max_difference: float
    n_changed_hints: int


def build_model(heads: Mapping[str, TreeArrays], n_features: int) -> bytes:
    """Return the serialized graph: `features` float32 [N, F] to one float32 [N] per head.

    Args:
        heads: Per output name, trees as `booster_trees.compile_trees` returns them.
        n_features: F.
    """
    nodes, constants = [], [numpy_helper.from_array(np.array([-1], np.int64), "row")]
    for name, trees in heads.items():
        nodes.append(build_ensemble(trees, f"{name}/sum"))
        bend, numbers = build_bend(trees, f"{name}/sum", f"{name}/bent")
        nodes += bend
        constants += numbers
        last = f"{name}/bent" if bend else f"{name}/sum"
        nodes.append(helper.make_node("Reshape", [last, "row"], [f"{name}/log_odds"]))
        nodes.append(helper.make_node("Sigmoid", [f"{name}/log_odds"], [name]))
    graph = helper.make_graph(
        nodes,
        "hemostat",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", n_features])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in heads],
        constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[
            helper.make_opsetid("", OPSET),
            helper.make_opsetid("ai.onnx.ml", ML_OPSET),
        ],
        ir_version=IR_VERSION,
        producer_name="hemostat",
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def build_ensemble(trees: TreeArrays, output: str) -> onnx.NodeProto:
    """Return the node that sums a head's leaves; a missing value takes its default side."""
    tree_ids = np.repeat(np.arange(trees.n_trees), np.diff(trees.tree_start))
    start = trees.tree_start[tree_ids]
    is_leaf = trees.feature == LEAF
    place = np.arange(trees.n_nodes) - start
    return helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        [output],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=trees.base.tolist(),
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=place.tolist(),
        nodes_featureids=np.where(is_leaf, 0, trees.feature).tolist(),
        nodes_values=trees.threshold.tolist(),
        nodes_hitrates=np.ones(trees.n_nodes).tolist(),
        # XGBoost goes left if x < threshold, not at equality.
        nodes_modes=np.where(is_leaf, "LEAF", "BRANCH_LT").tolist(),
        nodes_truenodeids=np.where(is_leaf, 0, trees.left - start).tolist(),
        nodes_falsenodeids=np.where(is_leaf, 0, trees.right - start).tolist(),
        nodes_missing_value_tracks_true=trees.is_default_left.tolist(),
        target_treeids=tree_ids[is_leaf].tolist(),
        target_nodeids=place[is_leaf].tolist(),
        target_ids=np.zeros(int(is_leaf.sum()), np.int64).tolist(),
        target_weights=trees.value[is_leaf].tolist(),
    )


def build_bend(
    trees: TreeArrays, source: str, output: str
) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """Return the nodes and constants that bend [N, 1] sums of leaves; none without knots.

    A piecewise linear function is a line and a hinge for each change of its slope:
    `x + shift + relu(x - at) @ steps`, of slope 1 before the first knot and behind the last.
    """
    if len(trees.knot_at) == 0:
        return [], []
    at, to = trees.knot_at.astype(np.float64), trees.knot_to.astype(np.float64)
    slopes = np.concatenate([[1.0], np.diff(to) / np.diff(at), [1.0]])
    names = {
        part: f"{output}/{part}" for part in ("at", "steps", "shift", "over", "hinges", "turn")
    }
    nodes = [
        helper.make_node("Sub", [source, names["at"]], [names["over"]]),
        helper.make_node("Relu", [names["over"]], [names["hinges"]]),
        helper.make_node("MatMul", [names["hinges"], names["steps"]], [names["turn"]]),
        helper.make_node("Add", [names["turn"], names["shift"]], [f"{output}/turned"]),
        helper.make_node("Add", [f"{output}/turned", source], [output]),
    ]
    constants = [
        numpy_helper.from_array(at.astype(np.float32)[None, :], names["at"]),
        numpy_helper.from_array(np.diff(slopes).astype(np.float32)[:, None], names["steps"]),
        numpy_helper.from_array(np.array([[to[0] - at[0]]], np.float32), names["shift"]),
    ]
    return nodes, constants


def open_session(model: bytes) -> ort.InferenceSession:
    """Return a session as serving opens it: one thread, no spinning, CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_model(
    session: ort.InferenceSession, rows: Rows, heads: Sequence[str] | None = None
) -> dict[str, Rows]:
    """Return probabilities, shape `(n,)`, of the heads named, or of all."""
    names = [output.name for output in session.get_outputs()] if heads is None else list(heads)
    return dict(zip(names, session.run(names, {INPUT: rows}), strict=True))


def compare(
    head: str,
    found: Rows,
    expected: npt.NDArray[np.float64],
    thresholds: npt.NDArray[np.float64] | None,
) -> Parity:
    """Return how the graph's probabilities compare with XGBoost's.

    Args:
        head: Name of the head.
        found: The graph's, shape `(n,)`.
        expected: XGBoost's margin on winsorised rows, calibrated in double precision.
        thresholds: The hint's, of each row; None: the head gives no hint.
    """
    difference = np.abs(found.astype(np.float64) - expected)
    n_changed = 0
    if thresholds is not None:
        n_changed = int(((found >= thresholds) != (expected >= thresholds)).sum())
    return Parity(head, len(found), float(difference.max(initial=0.0)), n_changed)


def require_parity(parity: Parity) -> None:
    """Refuse a graph that does not answer as XGBoost does.

    Raises:
        HemostatError: A difference above `PARITY_TOLERANCE`, NaN, or a changed hint.
    """
    if parity.max_difference <= PARITY_TOLERANCE and parity.n_changed_hints == 0:
        return
    raise HemostatError(
        "the ONNX graph does not equal XGBoost; nothing was written",
        field=parity.head,
        value=f"difference {parity.max_difference:.2e}, {parity.n_changed_hints} changed hints",
        expectation=f"at most {PARITY_TOLERANCE:.0e} and 0 changed hints on the test split",
        fix="report this with the versions of xgboost and onnxruntime; the old bundle stays in use",
    )
