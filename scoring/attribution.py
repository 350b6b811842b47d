"""Why a head says what it says: exact Shapley values against one baseline row.

Interventional TreeSHAP with a single reference (Lundberg et al. 2020, "From local
explanations to global understanding with explainable AI for trees"; the
one-pass form of Laberge and Pequignot 2022, "Understanding interventional
TreeSHAP"). A coalition S takes its features from the case and all others from
the baseline; the values add up to `log_odds(case) - log_odds(baseline)`. Where the
calibration bends, the sums of the leaves are what is shared out, and all values are scaled
alike so that they add up to the difference behind the bend.

One depth-first walk per tree. A node that both rows leave by the same side is
passed. Where they part, a feature that was met above keeps its side; a new one
opens both: on the case's side it has joined S, on the baseline's side it has
been shut out. A leaf reached with s features joined and r shut out is worth
`value * (s-1)! r! / (s+r)!` to each joined one and `-value * s! (r-1)! / (s+r)!`
to each shut out one; both sums travel up, so a feature is credited where it parted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import array_of, compiled, float64_1d, float64_2d, int8_1d
from features.definitions import N_FEATURES
from features.model_bundle import TreeArrays, bend

_IS_OPEN, _IS_JOINED, _IS_SHUT_OUT = 0, 1, 2
_CLOSE = 1e-6

# One node in 16 bytes: the walk is bound by memory.
NODE_DTYPE = np.dtype(
    [
        ("threshold", "<f4"),  # a leaf's value
        ("feature", "<i2"),  # -1: a leaf
        ("is_default_left", "u1"),
        ("is_baseline_left", "u1"),  # where the baseline goes
        ("left", "<i4"),
        ("right", "<i4"),
    ]
)

_nodes = array_of(NODE_DTYPE)
_int32_1d = numba.types.Array(numba.int32, 1, "C")
_float32_1d = numba.types.Array(numba.float32, 1, "C")
_pair = numba.types.UniTuple(numba.float64, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """A head's trees and baseline, arranged for the walk. Make it with `make_explainer`.

    Attributes:
        nodes: Shape `(n_nodes,)` of `NODE_DTYPE`.
        roots: Shape `(n_trees,)`, int32.
        baseline: Shape `(F,)`, float32, NaN for missing.
        base: The sum of the leaves begins with it.
        knot_at: Knots of the calibration's bend, shape `(k,)`, float32.
        knot_to: What stands for them.
    """

    nodes: npt.NDArray[Any]
    roots: npt.NDArray[np.int32]
    baseline: npt.NDArray[np.float32]
    base: float
    knot_at: npt.NDArray[np.float32]
    knot_to: npt.NDArray[np.float32]

    def compute_attributions(self, case: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return each feature's share in the log-odds of a case against the baseline.

        Args:
            case: Shape `(F,)`, float32, NaN for missing.

        Returns:
            Shape `(F,)`. They add up to `log_odds(case) - log_odds(baseline)`; a
            feature on which no tree tells the two apart has exactly 0.
        """
        out, sums = np.zeros(len(case)), np.zeros(2)
        sides = np.zeros(len(case), np.int8)
        _walk_all(self.nodes, self.roots, case, sides, _WEIGHTS, out, sums)
        if len(self.knot_at):
            out *= self._find_scale(sums + self.base)
        return out

    def _find_scale(self, sums: npt.NDArray[np.float64]) -> float:
        """Return what the bend makes of a unit of log-odds between two sums of leaves."""
        apart = sums[0] - sums[1]
        if abs(apart) < _CLOSE:  # Equal sums of unlike rows: as steep as the bend is there.
            sums, apart = np.array([sums[0] + _CLOSE, sums[0] - _CLOSE]), 2.0 * _CLOSE
        bent = bend(sums, self.knot_at, self.knot_to)
        return float((bent[0] - bent[1]) / apart)


def make_explainer(trees: TreeArrays) -> Explainer:
    """Return the explainer of a head."""
    is_leaf = trees.feature < 0
    nodes = np.zeros(trees.n_nodes, NODE_DTYPE)
    nodes["threshold"] = np.where(is_leaf, trees.value, trees.threshold)
    nodes["feature"] = trees.feature
    nodes["is_default_left"] = trees.is_default_left
    nodes["left"] = trees.left
    nodes["right"] = trees.right
    usual = trees.baseline[np.where(is_leaf, 0, trees.feature)]
    nodes["is_baseline_left"] = np.where(
        np.isnan(usual), trees.is_default_left, usual < trees.threshold
    )
    return Explainer(
        nodes,
        trees.tree_start[:-1].copy(),
        trees.baseline,
        float(trees.base[0]),
        trees.knot_at,
        trees.knot_to,
    )


def compile_weights(size: int) -> npt.NDArray[np.float64]:
    """Return `w[s, r] = (s-1)! r! / (s+r)!`, shape `(size, size)`; `w[0]` is 0.

    >>> float(6 * compile_weights(3)[2, 1])
    1.0
    """
    weights = np.zeros((size, size))
    for s in range(1, size):
        for r in range(size):
            weights[s, r] = 1.0 / (s * math.comb(s + r, s))
    return weights


# A path can part on every feature once.
_WEIGHTS = compile_weights(N_FEATURES + 1)


@compiled(
    _pair(
        _nodes,
        numba.int32,
        _float32_1d,
        int8_1d,
        numba.int64,
        numba.int64,
        float64_2d,
        float64_1d,
        float64_1d,
    )
)
def _walk(
    nodes: npt.NDArray[Any],
    place: int,
    case: npt.NDArray[np.float32],
    sides: npt.NDArray[np.int8],
    n_joined: int,
    n_shut_out: int,
    weights: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> tuple[float, float]:
    """Return what the leaves below a node are worth to each joined and shut out feature.

    The leaves that the case itself and the baseline itself reach are added to `sums`.
    """
    while True:
        node = nodes[place]
        column = node["feature"]
        if column < 0:
            worth = np.float64(node["threshold"])
            if n_shut_out == 0:
                sums[0] += worth
            if n_joined == 0:
                sums[1] += worth
            return worth * weights[n_joined, n_shut_out], worth * weights[n_shut_out, n_joined]
        value = case[column]
        is_default_left = node["is_default_left"] != 0
        is_case_left = is_default_left if np.isnan(value) else value < node["threshold"]
        is_baseline_left = node["is_baseline_left"] != 0
        case_child = node["left"] if is_case_left else node["right"]
        baseline_child = node["left"] if is_baseline_left else node["right"]
        side = sides[column]
        if is_case_left == is_baseline_left or side == _IS_JOINED:
            place = case_child
        elif side == _IS_SHUT_OUT:
            place = baseline_child
        else:
            break
    sides[column] = _IS_JOINED
    joined = _walk(nodes, case_child, case, sides, n_joined + 1, n_shut_out, weights, out, sums)
    sides[column] = _IS_SHUT_OUT
    shut_out = _walk(
        nodes, baseline_child, case, sides, n_joined, n_shut_out + 1, weights, out, sums
    )
    sides[column] = _IS_OPEN
    out[column] += joined[0] - shut_out[1]
    return joined[0] + shut_out[0], joined[1] + shut_out[1]


@compiled(numba.void(_nodes, _int32_1d, _float32_1d, int8_1d, float64_2d, float64_1d, float64_1d))
def _walk_all(
    nodes: npt.NDArray[Any],
    roots: npt.NDArray[np.int32],
    case: npt.NDArray[np.float32],
    sides: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    for tree in range(roots.shape[0]):
        _walk(nodes, roots[tree], case, sides, 0, 0, weights, out, sums)
