"""Weights that let the cases whose outcome was seen stand for those where it was not.

Who is checked is no accident: odd-looking returns are. Learned on checked cases
alone, every probability is too high for the rest. Each seen case therefore counts
as many times as cases like it were there: the inverse of its chance of being seen
(Horvitz and Thompson 1952). The chance is estimated from the vector and from
facts after the case (such as the inspection), cross-fitted by customer, and held
above a floor, since one case may not stand for hundreds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from training.facts import Flags, Ints
from training.labels import Labels

MIN_PROPENSITY = 0.04
"""Greatest weight 25. Below the share of random checks of a shop that checks at all."""
_N_TREES = 60
_PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "min_child_weight": 10.0,
    "nthread": 1,
}


def compute_weights(
    rows: npt.NDArray[np.float32], labels: Labels, groups: Ints, is_part: Flags, seed: int
) -> npt.NDArray[np.float64]:
    """Return each case's weight: 0 if its outcome is not used, 1 if it stands for itself.

    Args:
        rows: Shape `(n, F)`: the vectors.
        labels: Outcomes.
        groups: Number of each case's customer.
        is_part: Cases of the part of the split; only they are looked at.
        seed: Seed of the estimate.
    """
    weights = (labels.is_observed & is_part).astype(np.float64)
    chosen = np.flatnonzero(labels.is_candidate & labels.is_selective & is_part)
    is_seen = labels.is_observed[chosen]
    if len(chosen) == 0 or is_seen.all() or not is_seen.any():
        return weights
    inputs = np.concatenate([rows[chosen], labels.context[chosen]], axis=1)
    chance = _estimate_chance(inputs, is_seen, groups[chosen], seed)
    weights[chosen] = np.where(is_seen, 1.0 / np.maximum(chance, MIN_PROPENSITY), 0.0)
    return weights


def _estimate_chance(
    inputs: npt.NDArray[np.float32], is_seen: Flags, groups: Ints, seed: int
) -> npt.NDArray[np.float64]:
    """Return P(seen) of each case by a model that saw no case of its customer."""
    # Consecutive numbers go to customers in order of appearance; shuffled, folds mix times.
    fold = np.random.default_rng(seed).integers(0, 2, int(groups.max()) + 1)[groups]
    chance = np.full(len(inputs), is_seen.mean())
    for held_out in (0, 1):
        is_fit, is_out = fold != held_out, fold == held_out
        if not is_out.any() or len(np.unique(is_seen[is_fit])) < 2:
            continue
        matrix = xgb.QuantileDMatrix(inputs[is_fit], is_seen[is_fit], nthread=1)
        booster = xgb.train({**_PARAMETERS, "seed": seed}, matrix, _N_TREES)
        chance[is_out] = booster.inplace_predict(inputs[is_out])
    return chance
