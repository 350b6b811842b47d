"""How well scores rank: weighted areas under curves with honest bounds.

A case counts with its weight (see `training.labelling.weights`). Bounds come from
resampling whole customers: the cases of one customer are not independent, and a
few customers may hold many of the positives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluation.resampling import Draws, Estimate, Floats, Ints, Resampling, to_estimate


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
    group: Ints


class Ranking:
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
        """Return the average precision under other weights; see the function of that name."""
        positive, total = self._accumulate(weight)
        if positive[-1] <= 0.0:
            return float("nan")
        step = np.diff(positive, prepend=0.0)
        precision = np.divide(positive, total, out=np.zeros_like(total), where=total > 0.0)
        return float((step * precision).sum() / positive[-1])

    def compute_roc_auc(self, weight: Floats) -> float:
        """Return the ROC-AUC under other weights; see the function of that name."""
        positive, total = self._accumulate(weight)
        negative = total - positive
        if positive[-1] <= 0.0 or negative[-1] <= 0.0:
            return float("nan")
        # Trapezoids: half of each step's positives stand before its negatives.
        below = positive - 0.5 * np.diff(positive, prepend=0.0)
        return float((np.diff(negative, prepend=0.0) * below).sum() / positive[-1] / negative[-1])

    def trace_pr_curve(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return recall and precision at every distinct score, from the highest down."""
        positive, total = self._accumulate(weight)
        return positive / positive[-1], positive / total


def compute_pr_auc(cases: ScoredCases) -> float:
    """Return the average precision (step-wise, no interpolation). NaN without positives.

    >>> y, s = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    >>> compute_pr_auc(ScoredCases(y, s, np.ones(4), np.arange(4)))
    0.8333
    """
    return Ranking(cases).compute_pr_auc(cases.weight)


def compute_roc_auc(cases: ScoredCases) -> float:
    """Return the probability that a positive ranks above a negative; ties count half.

    >>> y, s = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    >>> compute_roc_auc(ScoredCases(y, s, np.ones(4), np.arange(4)))
    0.75
    """
    return Ranking(cases).compute_roc_auc(cases.weight)


def trace_pr_curve(cases: ScoredCases) -> tuple[Floats, Floats]:
    """Return recall and precision at every distinct score, from the highest down."""
    return Ranking(cases).trace_pr_curve(cases.weight)


def compute_prevalence(cases: ScoredCases) -> float:
    """Return the weighted share of positives."""
    return float(np.average(cases.label, weights=cases.weight))


def bootstrap_ranking(cases: ScoredCases, n_resamples: int, seed: int) -> tuple[Estimate, Estimate]:
    """Return PR-AUC and ROC-AUC with bounds from resampling customers."""
    ranking = Ranking(cases)
    draws = np.array(
        [
            (ranking.compute_pr_auc(weight), ranking.compute_roc_auc(weight))
            for weight in Draws(cases.group, Resampling(n_resamples, seed)).iterate(cases.weight)
        ]
    ).reshape(-1, 2)
    values = (ranking.compute_pr_auc(cases.weight), ranking.compute_roc_auc(cases.weight))
    pr_auc, roc_auc = (to_estimate(v, draws[:, i]) for i, v in enumerate(values))
    return pr_auc, roc_auc


def bootstrap_pr_auc_difference(
    cases: ScoredCases, other_score: Floats, n_resamples: int, seed: int
) -> Estimate:
    """Return PR-AUC of `cases.score` minus that of `other_score` on the same cases.

    Paired: each resample draws the same customers for both.
    """
    one = Ranking(cases)
    other = Ranking(ScoredCases(cases.label, other_score, cases.weight, cases.group))
    draws = np.array(
        [
            one.compute_pr_auc(weight) - other.compute_pr_auc(weight)
            for weight in Draws(cases.group, Resampling(n_resamples, seed)).iterate(cases.weight)
        ]
    )
    value = one.compute_pr_auc(cases.weight) - other.compute_pr_auc(cases.weight)
    return to_estimate(value, draws)
