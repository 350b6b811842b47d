"""XGBoost's trees as the bundle's flat arrays, calibration and winsorising compiled in.

Pitfalls that this module exists for: XGBoost 3 writes `base_score` as a list in
probability space; a booster that stopped early must be cut to its best iteration
before it comes here; a leaf keeps its value in `split_conditions`; and a split
that only parts missing values from all others has a threshold above every value
of training, also above a winsorising cap.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import xgboost as xgb

from features.model_bundle.manifest import Calibration
from features.model_bundle.trees import LEAF, TreeArrays


class _Tree(msgspec.Struct):
    left_children: list[int]
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    default_left: list[int]
    split_type: list[int]


class _Forest(msgspec.Struct):
    trees: list[_Tree]


class _GradientBooster(msgspec.Struct):
    model: _Forest
    name: str


class _LearnerParameters(msgspec.Struct):
    base_score: str


class _Objective(msgspec.Struct):
    name: str


class _Learner(msgspec.Struct):
    gradient_booster: _GradientBooster
    learner_model_param: _LearnerParameters
    objective: _Objective


class _Model(msgspec.Struct):
    learner: _Learner


def from_booster(booster: xgb.Booster, baseline: npt.NDArray[np.float32]) -> TreeArrays:
    """Return a booster's trees; leaves and base are raw margins (log-odds).

    Args:
        booster: `binary:logistic`, `gbtree`, numeric splits only, already cut to the
            iterations to keep.
        baseline: Shape `(F,)`, carried along.

    Raises:
        ValueError: It is another kind of booster.
    """
    learner = msgspec.json.decode(booster.save_raw("json"), type=_Model).learner
    kind = (learner.objective.name, learner.gradient_booster.name)
    if kind != ("binary:logistic", "gbtree"):
        raise ValueError(f"{kind}: only binary:logistic gbtree boosters can be exported")
    trees = learner.gradient_booster.model.trees
    if not trees or any(any(tree.split_type) for tree in trees):
        raise ValueError("a booster needs at least one tree, and numeric splits only")
    sizes = np.array([len(tree.left_children) for tree in trees])
    tree_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    shift = np.repeat(tree_start[:-1], sizes)
    left = _concatenate(trees, "left_children", np.int32)
    is_leaf = left < 0
    condition = _concatenate(trees, "split_conditions", np.float32)
    return TreeArrays(
        tree_start=tree_start,
        feature=np.where(is_leaf, LEAF, _concatenate(trees, "split_indices", np.int32)),
        threshold=np.where(is_leaf, np.float32(0), condition),
        left=np.where(is_leaf, LEAF, left + shift).astype(np.int32),
        right=np.where(
            is_leaf, LEAF, _concatenate(trees, "right_children", np.int32) + shift
        ).astype(np.int32),
        is_default_left=np.where(
            is_leaf, np.uint8(0), _concatenate(trees, "default_left", np.uint8)
        ),
        value=np.where(is_leaf, condition, np.float32(0)),
        base=np.array([_compute_base_margin(learner.learner_model_param.base_score)], np.float32),
        baseline=baseline.astype(np.float32),
    )


def compile_trees(
    trees: TreeArrays, calibration: Calibration, caps: npt.NDArray[np.float32]
) -> TreeArrays:
    """Return trees whose sum is the calibrated log-odds of raw, not yet winsorised rows.

    `slope * margin + intercept` is linear in the leaves; a bend stands behind their sum.
    `min(x, cap) < t` is `x < t` for `t <= cap` and true for greater `t`, so such a
    threshold becomes +inf and no caller has to winsorise.

    Args:
        trees: Raw margins, learned on winsorised rows.
        calibration: Slope, intercept and bend.
        caps: Shape `(F,)`, +inf where a feature is not winsorised.
    """
    is_inner = trees.feature != LEAF
    cap = caps[np.where(is_inner, trees.feature, 0)]
    is_above = is_inner & (trees.threshold > cap)
    slope = np.float64(calibration.slope)
    return TreeArrays(
        tree_start=trees.tree_start,
        feature=trees.feature,
        threshold=np.where(is_above, np.float32(np.inf), trees.threshold),
        left=trees.left,
        right=trees.right,
        is_default_left=trees.is_default_left,
        value=(trees.value * slope).astype(np.float32),
        base=(trees.base * slope + calibration.intercept).astype(np.float32),
        baseline=trees.baseline,
        knot_at=np.array(calibration.knot_at, np.float32),
        knot_to=np.array(calibration.knot_to, np.float32),
    )


def _concatenate(trees: list[_Tree], name: str, dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate([np.array(getattr(tree, name), dtype) for tree in trees])


def _compute_base_margin(base_score: str) -> float:
    """Return the log-odds of a saved `base_score`, `[1.434E-1]` (3.x) or `1.434E-1`.

    >>> _compute_base_margin("[5E-1]")
    0.0
    """
    values = [float(part) for part in base_score.strip("[]").split(",")]
    if len(values) != 1 or not 0.0 < values[0] < 1.0:
        raise ValueError(f"base_score {base_score}: one probability expected")
    share = np.float64(np.float32(values[0]))
    return float(np.log(share / (1.0 - share)))
