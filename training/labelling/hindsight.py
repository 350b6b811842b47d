"""What unchecked cases most likely were, judged with what became known after them.

Four of five returns are never checked, and a head that learns from the others alone
learns slowly. But much becomes known of every case later: how the goods came back, what
checks of the customer's other cases found, how the customer went on. A second learner,
the *teacher*, sees the vector and all of that; what it says of the unchecked cases is
taught to the head, which sees the vector alone (learning with privileged information:
Vapnik and Vashist 2009; distillation: Lopez-Paz et al. 2016).

Nothing later than the model's birth is used, no case is judged by a teacher that saw its
customer, and a case's own verdict is never among its inputs. Guesses grow trees and set
thresholds. Figures come from checked cases only; in calibration the checked cases correct
whatever the teacher expects (`training.calibrating`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from features.definitions import FEATURES
from training.calibration import compute_probability, fit_platt
from training.cases import CaseSet
from training.facts import Flags, Ints
from training.labels import Labels

Rows = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

MIN_PER_CLASS = 20
"""Fewer checked cases of either kind teach no teacher."""
_SUREST = 0.25
"""The surest cases: as many as this share of the confirmed ones."""
_LEAST_SENSITIVITY = 0.5
_N_FOLDS = 4
_N_TREES = 120
_PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 5.0,
    "nthread": 1,
}
_US_PER_DAY = 86_400_000_000.0
_OF_HISTORY = np.flatnonzero(["label_set" not in feature.events for feature in FEATURES])
"""Columns that tell of no verdict: the customer's last vector would hold the case's own."""


@dataclass(frozen=True, eq=False)
class Hindsight:
    """How cases look afterwards; arrays of `n` entries.

    Attributes:
        guess: Probability of a positive; 0 or 1 where the outcome is known.
        expected: Probability that a check confirms the case, by a teacher that saw neither its
            verdict nor its customer; the outcome where nobody had to look.
        honesty: Probability that the customer of the case does not abuse at all.
        sensitivity: Share of abuse that a check finds, as far as it shows.
    """

    guess: Floats
    expected: Floats
    honesty: Floats
    sensitivity: float


def look_back(
    cases: CaseSet, known: Labels, weight: Floats, is_part: Flags, seed: int
) -> Hindsight | None:
    """Return how the cases of a part look afterwards; None if too few were checked.

    Args:
        cases: Cases of a call that had happened by the time of looking, shape `(n,)`.
        known: What is known of them by then, mature or not.
        weight: Of checked cases, how many each stands for; 0 elsewhere. Only they teach.
        is_part: The cases to judge.
        seed: Seed of folds and trees.
    """
    is_open = is_part & known.is_selective & known.is_candidate
    is_taught = is_open & known.is_observed & (weight > 0.0)
    n_positive = int(known.value[is_taught].sum())
    if min(n_positive, int(is_taught.sum()) - n_positive) < MIN_PER_CLASS:
        return None
    inputs = np.concatenate([cases.rows, _see_later(cases, known, is_part)], axis=1)
    is_known = known.is_observed | known.is_positive_only
    guess = np.where(is_known, known.value, 0.0)
    found = _cross_fit(inputs, known.value, weight, cases.group, is_open, is_taught, seed)
    is_unknown = is_open & ~is_known
    guess[is_unknown] = found[is_unknown]
    sensitivity = estimate_sensitivity(found[is_taught], known.value[is_taught])
    is_abuse = np.where(is_unknown, np.minimum(found / sensitivity, 1.0), guess)
    expected = np.where(is_open, found, guess)
    return Hindsight(guess, expected, _find_honest(is_abuse, cases, is_part), sensitivity)


def _see_later(cases: CaseSet, known: Labels, is_part: Flags) -> Rows:
    """Return what is known after each case, shape `(n, k)`, without its own verdict."""
    is_checked = known.is_observed & known.is_selective
    confirmed = _count_others(cases.group, is_checked & (known.value == 1.0))
    cleared = _count_others(cases.group, is_checked & (known.value == 0.0))
    with np.errstate(invalid="ignore"):
        share = confirmed / (confirmed + cleared)
    outcome = np.nan_to_num(known.context)
    others = [_sum_others(cases.group, outcome[:, column]) for column in range(outcome.shape[1])]
    last = _find_last(cases, is_part)
    columns = np.column_stack(
        [
            confirmed,
            cleared,
            share,
            _count_others(cases.group, np.ones(len(cases), np.bool_)),
            *others,
            (cases.time_us[last] - cases.time_us) / _US_PER_DAY,
        ]
    ).astype(np.float32)
    return np.concatenate([known.context, columns, cases.rows[last][:, _OF_HISTORY]], axis=1)


def _count_others(group: Ints, is_counted: Flags) -> Floats:
    return _sum_others(group, is_counted.astype(np.float64))


def _sum_others(group: Ints, values: npt.NDArray[np.floating]) -> Floats:
    """Return the sum over the customer's other cases, shape `(n,)`."""
    total = np.bincount(group, values, minlength=int(group.max(initial=0)) + 1)
    return np.asarray(total[group] - values, np.float64)


def _find_last(cases: CaseSet, is_part: Flags) -> Ints:
    """Return each case's customer's last case of the part, its own place if there is none."""
    order = np.flatnonzero(is_part)
    order = order[np.argsort(cases.time_us[order], kind="stable")]
    last = np.full(int(cases.group.max(initial=0)) + 1, -1)
    last[cases.group[order]] = order  # Of equal places the last assignment holds.
    found = last[cases.group]
    return np.where(found >= 0, found, np.arange(len(cases)))


def _cross_fit(
    inputs: Rows, value: Floats, weight: Floats, group: Ints,
    is_open: Flags, is_taught: Flags, seed: int,
) -> Floats:  # fmt: skip
    """Return calibrated probabilities by teachers blind to the case's customer; 0 elsewhere."""
    fold = np.random.default_rng(seed).integers(0, _N_FOLDS, int(group.max()) + 1)[group]
    margin = np.zeros(len(value))
    for held_out in range(_N_FOLDS):
        is_out = is_open & (fold == held_out)
        is_fit = is_taught & (fold != held_out)
        if not is_out.any() or len(np.unique(value[is_fit])) < 2:
            continue
        # As for the heads: full weights would make trees of noise.
        root = np.sqrt(weight[is_fit])
        matrix = xgb.QuantileDMatrix(
            inputs[is_fit], value[is_fit], weight=root / root.mean(), nthread=1
        )
        booster = xgb.train({**_PARAMETERS, "seed": seed}, matrix, _N_TREES)
        margin[is_out] = booster.inplace_predict(inputs[is_out], predict_type="margin")
    calibration = fit_platt(margin[is_taught], value[is_taught], weight[is_taught])
    return np.where(is_open, compute_probability(margin, calibration), 0.0)


def estimate_sensitivity(guess: Floats, value: Floats) -> float:
    """Return the share of abuse that checks find: of the surest cases, how many were confirmed.

    Checks overlook some abuse, so even of cases that cannot be anything else not all are
    confirmed (the plateau of Elkan and Noto 2008). Too low where the surest are not all abuse.

    Args:
        guess: What teachers blind to the cases say of checked ones, shape `(n,)`.
        value: What the checks said, 0 or 1, at least `MIN_PER_CLASS` of them 1.
    """
    n_surest = max(MIN_PER_CLASS, int(_SUREST * value.sum()))
    surest = np.argsort(-guess, kind="stable")[:n_surest]
    return float(np.clip(value[surest].mean(), _LEAST_SENSITIVITY, 1.0))


def _find_honest(guess: Floats, cases: CaseSet, is_part: Flags) -> Floats:
    """Return the probability that nothing of a customer is abuse: by the worst case.

    The cases of one customer are far from independent, so their product would call
    everybody with a long history an abuser.
    """
    worst = np.zeros(int(cases.group.max(initial=0)) + 1)
    np.maximum.at(worst, cases.group[is_part], guess[is_part])
    return np.asarray(1.0 - worst[cases.group], np.float64)
