"""Two small sequence networks in NumPy, differentiated by autograd: a GRU and a Transformer.

Both read the same tokens and end in one number per case, added to an offset: 0 for a
network on its own, the boosted trees' margin for one that may only add to the trees.

The GRU follows Cho et al. 2014 with the reset gate behind the matrix product (as ONNX's
`linear_before_reset`); the Transformer is an encoder with normalisation in front (Xiong
et al. 2020), read at the last token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
import numpy.typing as npt

from training.sequence.tokens import N_KINDS, N_SCALARS, TokenSet

Weights = dict[str, npt.NDArray[np.float32]]
"""Parameters of a network by name, float32."""
_NORM_EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """How large a network is.

    Attributes:
        length: Tokens it reads, L.
        kind_width: Numbers that stand for a kind.
        width: Hidden state (GRU) or model width (Transformer), a multiple of `n_heads`.
        n_heads: Attention heads.
        n_layers: Transformer layers.
        n_inputs: Columns of the vector that it sees beside the tokens; 0: none.
    """

    length: int = 32
    kind_width: int = 8
    width: int = 32
    n_heads: int = 4
    n_layers: int = 2
    n_inputs: int = 0

    @property
    def token_width(self) -> int:
        """Numbers of an embedded token."""
        return self.kind_width + N_SCALARS


@dataclass(frozen=True)
class Network:
    """A kind of network.

    Attributes:
        name: `gru` or `transformer`.
        initialise: (size, generator) -> weights.
        forward: (weights, size, kind, scalars, columns) -> shape `(n,)`.
    """

    name: str
    initialise: Callable[[NetworkSize, np.random.Generator], Weights]
    forward: Callable[[Mapping[str, Any], NetworkSize, TokenSet, Any], Any]


def _draw(random: np.random.Generator, n_in: int, n_out: int) -> npt.NDArray[np.float32]:
    """Return a matrix by Glorot and Bengio 2010."""
    spread = np.sqrt(2.0 / (n_in + n_out))
    return np.asarray(random.normal(size=(n_in, n_out)) * spread, np.float32)


def _zeros(*shape: int) -> npt.NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def _initialise_ends(size: NetworkSize, random: np.random.Generator) -> Weights:
    return {
        "kind": (0.1 * random.normal(size=(N_KINDS, size.kind_width))).astype(np.float32),
        "columns": _draw(random, size.n_inputs, size.width) if size.n_inputs else _zeros(0, 0),
        "columns_bias": _zeros(size.width),
        "out": _zeros(size.width * (2 if size.n_inputs else 1), 1),
        "out_bias": _zeros(1),
    }


def _embed(weights: Mapping[str, Any], tokens: TokenSet) -> Any:
    """Return embedded tokens, shape `(n, L, token_width)`."""
    # A product with one-hot rows: its gradient is one product, too, not a scatter.
    one_hot = np.eye(N_KINDS, dtype=np.float32)[tokens.kind]
    return anp.concatenate([one_hot @ weights["kind"], tokens.scalars], axis=2)


def _read_out(weights: Mapping[str, Any], size: NetworkSize, state: Any, columns: Any) -> Any:
    if size.n_inputs:
        seen = anp.maximum(columns @ weights["columns"] + weights["columns_bias"], 0.0)
        state = anp.concatenate([state, seen], axis=1)
    return (state @ weights["out"] + weights["out_bias"])[:, 0]


def _sigmoid(x: Any) -> Any:
    return 0.5 * (anp.tanh(0.5 * x) + 1.0)


def _initialise_gru(size: NetworkSize, random: np.random.Generator) -> Weights:
    hidden = [np.linalg.qr(random.normal(size=(size.width, size.width)))[0] for _ in range(3)]
    return {
        **_initialise_ends(size, random),
        "input": _draw(random, size.token_width, 3 * size.width),
        "input_bias": _zeros(3 * size.width),
        "hidden": np.concatenate(hidden, axis=1).astype(np.float32),
        "hidden_bias": _zeros(3 * size.width),
    }


def _run_gru(weights: Mapping[str, Any], size: NetworkSize, tokens: TokenSet, columns: Any) -> Any:
    width = size.width
    given = _embed(weights, tokens) @ weights["input"] + weights["input_bias"]
    state = np.zeros((len(tokens), width), np.float32)
    for step in range(size.length):
        update, reset, fresh = (given[:, step, k * width : (k + 1) * width] for k in range(3))
        held = state @ weights["hidden"] + weights["hidden_bias"]
        z = _sigmoid(update + held[:, :width])
        r = _sigmoid(reset + held[:, width : 2 * width])
        new = anp.tanh(fresh + r * held[:, 2 * width :])
        state = (1.0 - z) * new + z * state
    return _read_out(weights, size, state, columns)


def _initialise_transformer(size: NetworkSize, random: np.random.Generator) -> Weights:
    width = size.width
    weights = {
        **_initialise_ends(size, random),
        "input": _draw(random, size.token_width, width),
        "place": (0.1 * random.normal(size=(size.length, width))).astype(np.float32),
    }
    for layer in range(size.n_layers):
        weights |= {
            f"mix{layer}": _draw(random, width, 3 * width),
            f"join{layer}": _draw(random, width, width),
            f"wide{layer}": _draw(random, width, 2 * width),
            f"wide_bias{layer}": _zeros(2 * width),
            f"narrow{layer}": _draw(random, 2 * width, width),
            f"norm_a{layer}": np.ones(width, np.float32),
            f"norm_b{layer}": np.ones(width, np.float32),
        }
    return weights


def _normalise(x: Any, gain: Any) -> Any:
    centred = x - anp.mean(x, axis=-1, keepdims=True)
    variance = anp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / anp.sqrt(variance + _NORM_EPSILON) * gain


def _attend(x: Any, mix: Any, join: Any, size: NetworkSize) -> Any:
    n, each = len(x), size.width // size.n_heads
    parts = anp.reshape(x @ mix, (n, size.length, 3, size.n_heads, each))
    query, key, value = (anp.transpose(parts[:, :, k], (0, 2, 1, 3)) for k in range(3))
    logits = (query @ anp.transpose(key, (0, 1, 3, 2))) * np.float32(each**-0.5)
    raised = anp.exp(logits - anp.max(logits, axis=-1, keepdims=True))
    attention = raised / anp.sum(raised, axis=-1, keepdims=True)
    seen = anp.transpose(attention @ value, (0, 2, 1, 3))
    return anp.reshape(seen, (n, size.length, size.width)) @ join


def _run_transformer(
    weights: Mapping[str, Any], size: NetworkSize, tokens: TokenSet, columns: Any
) -> Any:
    x = _embed(weights, tokens) @ weights["input"] + weights["place"]
    for layer in range(size.n_layers):
        seen = _normalise(x, weights[f"norm_a{layer}"])
        x = x + _attend(seen, weights[f"mix{layer}"], weights[f"join{layer}"], size)
        seen = _normalise(x, weights[f"norm_b{layer}"])
        raised = seen @ weights[f"wide{layer}"] + weights[f"wide_bias{layer}"]
        x = x + anp.maximum(raised, 0.0) @ weights[f"narrow{layer}"]
    return _read_out(weights, size, x[:, -1], columns)


GRU = Network("gru", _initialise_gru, _run_gru)
TRANSFORMER = Network("transformer", _initialise_transformer, _run_transformer)
