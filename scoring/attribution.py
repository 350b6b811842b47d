"""Why a head says what it says: exact Shapley values against one baseline row.

Interventional TreeSHAP with a single reference (Lundberg et al. 2020, "From local
explanations to global understanding with explainable AI for trees"; the
one-pass form of Laberge and Pequignot 2022, "Understanding interventional
TreeSHAP"). A coalition S takes its features from the case and all others from
the baseline; the values add up to `log_odds(case) - log_odds(baseline)`.

One depth-first walk per tree. A node that both rows leave by the same side is
passed. Where they part, a feature that was met above keeps its side; a new one
opens both: on the case's side it has joined S, on the baseline's side it has
been shut out. A leaf reached with s features joined and r shut out is worth
`value * (s-1)! r! / (s+r)!` to each joined one and `-value * s! (r-1)! / (s+r)!`
to each shut out one; both sums travel up, so a feature is credited where it parted.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled, float64_1d, float64_2d, int8_1d, uint8_1d
from features.definitions import N_FEATURES
from features.model_bundle import TreeArrays

_IS_OPEN, _IS_JOINED, _IS_SHUT_OUT = 0, 1, 2

_int32_1d = numba.types.Array(numba.int32, 1, "C")
_float32_1d = numba.types.Array(numba.float32, 1, "C")
_pair = numba.types.UniTuple(numba.float64, 2)


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
        numba.int32,
        _int32_1d,
        _float32_1d,
        _int32_1d,
        _int32_1d,
        uint8_1d,
        _float32_1d,
        _float32_1d,
        _float32_1d,
        int8_1d,
        numba.int64,
        numba.int64,
        float64_2d,
        float64_1d,
    )
)
def _walk(
    node: int,
    feature: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    left: npt.NDArray[np.int32],
    right: npt.NDArray[np.int32],
    is_default_left: npt.NDArray[np.uint8],
    value: npt.NDArray[np.float32],
    case: npt.NDArray[np.float32],
    baseline: npt.NDArray[np.float32],
    sides: npt.NDArray[np.int8],
    n_joined: int,
    n_shut_out: int,
    weights: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> tuple[float, float]:
    """Return what the leaves below `node` are worth to each joined and shut out feature."""
    while True:
        column = feature[node]
        if column < 0:
            worth = np.float64(value[node])
            return (
                worth * weights[n_joined, n_shut_out],
                worth * weights[n_shut_out, n_joined],
            )
        x, b = case[column], baseline[column]
        is_case_left = is_default_left[node] != 0 if np.isnan(x) else x < threshold[node]
        is_baseline_left = is_default_left[node] != 0 if np.isnan(b) else b < threshold[node]
        case_child = left[node] if is_case_left else right[node]
        baseline_child = left[node] if is_baseline_left else right[node]
        side = sides[column]
        if case_child == baseline_child or side == _IS_JOINED:
            node = case_child
        elif side == _IS_SHUT_OUT:
            node = baseline_child
        else:
            break
    sides[column] = _IS_JOINED
    joined = _walk(
        case_child, feature, threshold, left, right, is_default_left, value, case, baseline,
        sides, n_joined + 1, n_shut_out, weights, out,
    )  # fmt: skip
    sides[column] = _IS_SHUT_OUT
    shut_out = _walk(
        baseline_child, feature, threshold, left, right, is_default_left, value, case, baseline,
        sides, n_joined, n_shut_out + 1, weights, out,
    )  # fmt: skip
    sides[column] = _IS_OPEN
    out[column] += joined[0] - shut_out[1]
    return joined[0] + shut_out[0], joined[1] + shut_out[1]


@compiled(
    numba.void(
        _int32_1d,
        _int32_1d,
        _float32_1d,
        _int32_1d,
        _int32_1d,
        uint8_1d,
        _float32_1d,
        _float32_1d,
        _float32_1d,
        int8_1d,
        float64_2d,
        float64_1d,
    )
)
def _walk_all(
    tree_start: npt.NDArray[np.int32],
    feature: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    left: npt.NDArray[np.int32],
    right: npt.NDArray[np.int32],
    is_default_left: npt.NDArray[np.uint8],
    value: npt.NDArray[np.float32],
    case: npt.NDArray[np.float32],
    baseline: npt.NDArray[np.float32],
    sides: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    for tree in range(tree_start.shape[0] - 1):
        _walk(
            tree_start[tree], feature, threshold, left, right, is_default_left, value, case,
            baseline, sides, 0, 0, weights, out,
        )  # fmt: skip


def compute_attributions(
    trees: TreeArrays, case: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return each feature's share in the log-odds of a case against the baseline.

    Args:
        trees: A head's trees and baseline.
        case: Shape `(F,)`, float32, NaN for missing.

    Returns:
        Shape `(F,)`. They add up to `log_odds(case) - log_odds(baseline)`; a
        feature on which no tree tells the two apart has exactly 0.
    """
    out = np.zeros(len(case))
    _walk_all(
        trees.tree_start,
        trees.feature,
        trees.threshold,
        trees.left,
        trees.right,
        trees.is_default_left,
        trees.value,
        case,
        trees.baseline,
        np.zeros(len(case), np.int8),
        _WEIGHTS,
        out,
    )
    return out
