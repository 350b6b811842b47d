"""Weights that let the cases whose outcome was seen stand for those where it was not.

Who is checked is no accident: odd-looking returns are. Learned on checked cases
alone, every probability is too high for the rest. Each seen case therefore counts
as many times as cases like it were there: the inverse of its chance of being seen
(Horvitz and Thompson 1952). Where the shop told the chance, that is it; what it
did not tell is estimated from the vector and from facts after the case (such as
the inspection), cross-fitted by customer, and held above a floor, since one case
may not stand for hundreds on a guess.

Two sets of weights come of it. *Anchor*: what calibration and figures count by; it
makes sums hold for all cases. *Tree*: what trees are grown with, the root of the
anchor, since full weights make trees of noise (`docs/QUALITY.md`); cases known by a
chargeback alone grow trees, too, and anchor nothing: no honest case could ever have
become known in that way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from training.facts import Flags, Ints
from training.labels import Labels

Floats = npt.NDArray[np.float64]

MIN_PROPENSITY = 0.04
"""Floor of an estimated chance: at most 25 cases rest on one by a guess."""
MIN_TOLD_PROPENSITY = 0.002
"""Floor of a chance that was told: a lot of 1 % is honest about its hundred cases."""
POSITIVE_ONLY_WEIGHT = 1.0
"""Tree weight of a case known by a chargeback alone: it stands for itself."""
_N_TREES = 60
_PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "min_child_weight": 10.0,
    "nthread": 1,
}


@dataclass(frozen=True, eq=False)
class Weights:
    """How much each of `n` cases counts.

    Attributes:
        tree: In growing trees; 0: not at all. Shape `(n,)`.
        anchor: In calibration and figures; 0: its outcome is not used. Shape `(n,)`.
        effective_n: Equally weighted cases that would tell as much as the anchors, by
            Kish 1965: the square of the sum over the sum of squares.
    """

    tree: Floats
    anchor: Floats
    effective_n: float

    def select(self, is_wanted: Flags) -> Weights:
        """Return the weights of some of the cases, in the same order."""
        anchor = self.anchor[is_wanted]
        return Weights(self.tree[is_wanted], anchor, compute_effective_n(anchor))


def compute_weights(
    rows: npt.NDArray[np.float32], labels: Labels, groups: Ints, is_part: Flags, seed: int
) -> Weights:
    """Return how much each case counts; an anchor of 1 stands for itself.

    Args:
        rows: Shape `(n, F)`: the vectors.
        labels: Outcomes.
        groups: Number of each case's customer.
        is_part: Cases of the part of the split; only they are looked at.
        seed: Seed of the estimate.
    """
    anchor = (labels.is_observed & is_part).astype(np.float64)
    chosen = np.flatnonzero(labels.is_candidate & labels.is_selective & is_part)
    is_seen = labels.is_observed[chosen]
    if not is_seen.all() and is_seen.any():
        inputs = np.concatenate([rows[chosen], labels.context[chosen]], axis=1)
        chance = find_chances(inputs, is_seen, labels.propensity[chosen], groups[chosen], seed)
        anchor[chosen] = np.where(is_seen, 1.0 / chance, 0.0)
    tree = np.sqrt(anchor)
    tree[labels.is_positive_only & labels.is_candidate & is_part] = POSITIVE_ONLY_WEIGHT
    return Weights(tree, anchor, compute_effective_n(anchor))


def find_chances(
    inputs: npt.NDArray[np.float32], is_seen: Flags, told: Floats, groups: Ints, seed: int
) -> Floats:
    """Return each case's chance of being seen in any way; of no meaning where it was not.

    A told chance covers all looks that tell theirs. Looks that tell none come beside
    it, and their chance is estimated on the cases that no telling look took. A case
    seen by such a look alone has its whole chance estimated.

    Args:
        inputs: Shape `(n, k)`: what the choice may have depended on.
        is_seen: The outcome is known, shape `(n,)`.
        told: Chance told with what was seen, NaN: none. Shape `(n,)`.
        groups: Number of each case's customer, shape `(n,)`.
        seed: Seed of the estimate.
    """
    is_told = is_seen & ~np.isnan(told)
    is_untold = is_seen & ~is_told
    chance = np.where(is_told, np.maximum(told, MIN_TOLD_PROPENSITY), 1.0)
    if not is_untold.any():
        return chance
    everybody = np.ones(len(inputs), np.bool_)
    estimated = _estimate_chance(inputs, is_seen, everybody, groups, seed)
    chance[is_untold] = np.maximum(estimated, MIN_PROPENSITY)[is_untold]
    if is_told.any():
        beside = _estimate_chance(inputs, is_untold, ~is_told, groups, seed)
        chance[is_told] = combine_chances(chance, beside)[is_told]
    return chance


def combine_chances(*chances: Floats) -> Floats:
    """Return the chance of being seen by at least one of several looks taken independently.

    >>> combine_chances(np.array([0.5, 0.06]), np.array([0.5, 0.01])).round(4).tolist()
    [0.75, 0.0694]
    """
    missed = np.ones_like(chances[0])
    for chance in chances:
        missed = missed * (1.0 - chance)
    return np.asarray(1.0 - missed, np.float64)


def compute_effective_n(weight: Floats) -> float:
    """Return how many equally weighted cases would tell as much (Kish 1965).

    >>> compute_effective_n(np.array([1.0, 1.0, 0.0])), compute_effective_n(np.array([3.0, 1.0]))
    (2.0, 1.6)
    """
    squares = float((weight**2).sum())
    return float(weight.sum() ** 2 / squares) if squares > 0.0 else 0.0


def _estimate_chance(
    inputs: npt.NDArray[np.float32], is_hit: Flags, is_asked: Flags, groups: Ints, seed: int
) -> Floats:
    """Return P(hit) of each case by a model of the asked cases that saw none of its customer."""
    # Consecutive numbers go to customers in order of appearance; shuffled, folds mix times.
    fold = np.random.default_rng(seed).integers(0, 2, int(groups.max()) + 1)[groups]
    chance = np.full(len(inputs), is_hit[is_asked].mean())
    for held_out in (0, 1):
        is_fit, is_out = is_asked & (fold != held_out), fold == held_out
        if not is_out.any() or len(np.unique(is_hit[is_fit])) < 2:
            continue
        matrix = xgb.QuantileDMatrix(inputs[is_fit], is_hit[is_fit], nthread=1)
        booster = xgb.train({**_PARAMETERS, "seed": seed}, matrix, _N_TREES)
        chance[is_out] = booster.inplace_predict(inputs[is_out])
    return chance
