"""How good probabilities are: weighted ranking and calibration figures with honest bounds.

A case counts with its weight (see `training.propensity`). Bounds come from
resampling whole customers: the cases of one customer are not independent, and a
few customers may hold many of the positives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_CALIBRATION_BINS = 10
BOUNDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ScoredCases:
    """Cases with outcome and score, all arrays of shape `(n,)`.

    Attributes:
        label: 0 or 1.
        score: Any score, higher is riskier; a probability where calibration is asked for.
        weight: How many cases each stands for, > 0.
        group: Number of the customer, from 0; a guest's case is a group of its own.
    """

    label: Floats
    score: Floats
    weight: Floats
    group: npt.NDArray[np.int64]


class _Ranking:
    """Cases in descending order of score, ready to be weighted again and again."""

    def __init__(self, cases: ScoredCases) -> None:
        self._order = np.argsort(-cases.score, kind="stable")
        score = cases.score[self._order]
        # Equal scores are one step of the curve: their order must not matter.
        self._ends = np.flatnonzero(np.append(score[1:] != score[:-1], True))
        self._label = cases.label[self._order]

    def _accumulate(self, weight: Floats) -> tuple[Floats, Floats]:
        weight = weight[self._order]
        positive = np.cumsum(weight * self._label)[self._ends]
        return positive, np.cumsum(weight)[self._ends]

    def compute_pr_auc(self, weight: Floats) -> float:
        positive, total = self._accumulate(weight)
        if positive[-1] <= 0.0:
            return float("nan")
        step = np.diff(positive, prepend=0.0)
        precision = np.divide(positive, total, out=np.zeros_like(total), where=total > 0.0)
        return float((step * precision).sum() / positive[-1])

    def compute_roc_auc(self, weight: Floats) -> float:
        positive, total = self._accumulate(weight)
        negative = total - positive
        if positive[-1] <= 0.0 or negative[-1] <= 0.0:
            return float("nan")
        # Trapezoids: half of each step's positives stand before its negatives.
        below = positive - 0.5 * np.diff(positive, prepend=0.0)
        return float((np.diff(negative, prepend=0.0) * below).sum() / positive[-1] / negative[-1])

    def trace_pr_curve(self, weight: Floats) -> tuple[Floats, Floats]:
        positive, total = self._accumulate(weight)
        return positive / positive[-1], positive / total


def compute_pr_auc(cases: ScoredCases) -> float:
    """Return the average precision (step-wise, no interpolation). NaN without positives.

    >>> y, s = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    >>> compute_pr_auc(ScoredCases(y, s, np.ones(4), np.arange(4)))
    0.8333
    """
    return _Ranking(cases).compute_pr_auc(cases.weight)


def compute_roc_auc(cases: ScoredCases) -> float:
    """Return the probability that a positive ranks above a negative; ties count half.

    >>> y, s = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    >>> compute_roc_auc(ScoredCases(y, s, np.ones(4), np.arange(4)))
    0.75
    """
    return _Ranking(cases).compute_roc_auc(cases.weight)


def trace_pr_curve(cases: ScoredCases) -> tuple[Floats, Floats]:
    """Return recall and precision at every distinct score, from the highest down."""
    return _Ranking(cases).trace_pr_curve(cases.weight)


def compute_prevalence(cases: ScoredCases) -> float:
    """Return the weighted share of positives."""
    return float(np.average(cases.label, weights=cases.weight))


def compute_brier(cases: ScoredCases) -> float:
    """Return the weighted mean squared error of the probability."""
    return float(np.average((cases.score - cases.label) ** 2, weights=cases.weight))


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Predicted against observed per bin; arrays of shape `(n_bins,)`, ascending."""

    predicted: Floats
    observed: Floats
    weight: Floats


def compute_reliability(cases: ScoredCases, n_bins: int = N_CALIBRATION_BINS) -> ReliabilityBins:
    """Return mean prediction and observed share in bins of equal weight by prediction."""
    order = np.argsort(cases.score, kind="stable")
    weight, score, label = (a[order] for a in (cases.weight, cases.score, cases.label))
    place = np.cumsum(weight) - 0.5 * weight
    bins = np.minimum((place / weight.sum() * n_bins).astype(np.int64), n_bins - 1)
    total = np.bincount(bins, weight, n_bins)
    is_used = total > 0.0
    total = total[is_used]
    predicted = np.bincount(bins, weight * score, n_bins)[is_used] / total
    observed = np.bincount(bins, weight * label, n_bins)[is_used] / total
    return ReliabilityBins(predicted, observed, total.astype(np.float64))


def compute_calibration_error(cases: ScoredCases) -> float:
    """Return the expected calibration error: the bins' mean |predicted - observed|."""
    bins = compute_reliability(cases)
    return float(np.average(np.abs(bins.predicted - bins.observed), weights=bins.weight))


def bootstrap_ranking(cases: ScoredCases, n_resamples: int, seed: int) -> tuple[Estimate, Estimate]:
    """Return PR-AUC and ROC-AUC with bounds from resampling customers."""
    ranking = _Ranking(cases)
    draws = np.array(
        [
            (ranking.compute_pr_auc(weight), ranking.compute_roc_auc(weight))
            for weight in _resample_weights(cases, n_resamples, seed)
        ]
    ).reshape(-1, 2)
    values = (ranking.compute_pr_auc(cases.weight), ranking.compute_roc_auc(cases.weight))
    pr_auc, roc_auc = (_to_estimate(v, draws[:, i]) for i, v in enumerate(values))
    return pr_auc, roc_auc


def bootstrap_pr_auc_difference(
    cases: ScoredCases, other_score: Floats, n_resamples: int, seed: int
) -> Estimate:
    """Return PR-AUC of `cases.score` minus that of `other_score` on the same cases.

    Paired: each resample draws the same customers for both.
    """
    one = _Ranking(cases)
    other = _Ranking(ScoredCases(cases.label, other_score, cases.weight, cases.group))
    draws = np.array(
        [
            one.compute_pr_auc(weight) - other.compute_pr_auc(weight)
            for weight in _resample_weights(cases, n_resamples, seed)
        ]
    )
    value = one.compute_pr_auc(cases.weight) - other.compute_pr_auc(cases.weight)
    return _to_estimate(value, draws)


def _resample_weights(cases: ScoredCases, n_resamples: int, seed: int) -> Iterator[Floats]:
    random = np.random.default_rng(seed)
    n_groups = int(cases.group.max()) + 1
    share = np.full(n_groups, 1.0 / n_groups)
    for _ in range(n_resamples):
        yield cases.weight * random.multinomial(n_groups, share)[cases.group]


def _to_estimate(value: float, draws: Floats) -> Estimate:
    known = draws[~np.isnan(draws)]
    if len(known) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, BOUNDS)
    return Estimate(value, float(low), float(high))
