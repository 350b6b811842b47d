"""All figures of one head on cases that taught it nothing, with bounds, and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from training.evaluation.calibration_figures import (
    CalibrationLine,
    compute_brier,
    compute_brier_skill,
    compute_calibration_error,
    compute_error_floor,
    compute_observed_to_expected,
    fit_calibration_line,
)
from training.evaluation.money import CostMatrix, compute_money
from training.evaluation.operating_points import (
    FALSE_ALARM_TARGETS,
    OperatingPoint,
    find_threshold,
    judge_threshold,
)
from training.evaluation.ranking import Ranking, ScoredCases
from training.evaluation.resampling import Draws, Estimate, Floats, Ints, Resampling

Flags = npt.NDArray[np.bool_]
Metric = Callable[["Judged", Floats], float]
"""A figure of cases under other weights, shape `(n,)`; NaN where there is nothing to say."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Cases with outcome and probability; arrays of shape `(n,)`.

    Attributes:
        label: 0 or 1.
        score: Probabilities.
        weight: How many cases each stands for, > 0.
        honesty: Probability that the case is an honest customer's, 0 to 1: whose alarms count
            as false.
        cluster: Customer or ring; drawn together.
        value_minor: What the case is about, minor units.
        world: Number of the case's world; None: one world.
        slices: Parts to look at on their own.
    """

    label: Floats
    score: Floats
    weight: Floats
    honesty: Floats
    cluster: Ints
    value_minor: Floats
    world: Ints | None = None
    slices: Mapping[str, Flags] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would give figures without meaning.

        Raises:
            ValueError: Shapes differ, there are no cases, or a score or label is not finite.
        """
        n = len(self.label)
        arrays = (self.score, self.weight, self.honesty, self.cluster, self.value_minor)
        if n == 0 or any(len(array) != n for array in arrays):
            raise ValueError("judged cases need arrays of one length, above 0")
        if not (np.isfinite(self.score).all() and np.isin(self.label, (0.0, 1.0)).all()):
            raise ValueError("judged cases need finite scores, and labels of 0 or 1")

    def to_cases(self, weight: Floats | None = None) -> ScoredCases:
        """Return the form that ranking and calibration take, under other weights."""
        chosen = self.weight if weight is None else weight
        is_in = chosen > 0.0
        return ScoredCases(self.label[is_in], self.score[is_in], chosen[is_in], self.cluster[is_in])

    def take(self, flags: Flags) -> Judged:
        """Return a part of the cases, without slices."""
        return Judged(
            self.label[flags], self.score[flags], self.weight[flags], self.honesty[flags],
            self.cluster[flags], self.value_minor[flags],
            None if self.world is None else self.world[flags],
        )  # fmt: skip


@dataclass(frozen=True)
class HeadFigures:
    """What a head is worth on cases that taught it nothing.

    Attributes:
        n: Cases.
        n_positive: Positives among them.
        n_clusters: Customers or rings.
        prevalence: Weighted share of positives.
        pr_auc: Average precision.
        roc_auc: Probability that a positive ranks above a negative.
        recall_at: Recall at shares of false alarms, thresholds set on these cases.
        hint: What the threshold given does; None: there is none.
        recall: Its recall, with bounds.
        false_alarm_share: Its false alarms, with bounds.
        money: Saved per 1,000 cases against approving all, minor units.
        calibration_error: Expected calibration error, 15 bins of equal weight.
        error_floor: What perfect probabilities would show.
        line: Intercept and slope.
        top_ratio: Outcomes over predictions in the riskiest 1 %.
        brier: Mean squared error.
        brier_skill: Against the prevalence.
        slices: The same of parts, without parts of their own.
    """

    n: int
    n_positive: int
    n_clusters: int
    prevalence: float
    pr_auc: Estimate
    roc_auc: Estimate
    recall_at: Mapping[float, Estimate]
    hint: OperatingPoint | None
    recall: Estimate | None
    false_alarm_share: Estimate | None
    money: Estimate | None
    calibration_error: Estimate
    error_floor: float
    line: CalibrationLine
    top_ratio: Estimate
    brier: float
    brier_skill: Estimate
    slices: Mapping[str, HeadFigures] = field(default_factory=dict)


def evaluate_head(
    judged: Judged, threshold: float | None, costs: CostMatrix, resampling: Resampling
) -> HeadFigures:
    """Return all figures of a head; every one of them takes the same resamples.

    Args:
        judged: Cases that taught it nothing.
        threshold: Of the hint, chosen on earlier cases; None: no hint.
        costs: For the money.
        resampling: Of customers or rings, inside worlds.
    """
    draws = Draws(judged.cluster, resampling, judged.world)

    def estimate(metric: Metric) -> Estimate:
        return draws.estimate(judged.weight, lambda weight: metric(judged, weight))

    hint = recall = false_alarm_share = money = None
    if threshold is not None:
        hint = _judge(judged, judged.weight, threshold)
        recall = estimate(lambda one, weight: _judge(one, weight, threshold).recall)
        false_alarm_share = estimate(
            lambda one, weight: _judge(one, weight, threshold).false_alarm_share
        )
        money = estimate(make_money_metric(threshold, costs))
    cases = judged.to_cases()
    return HeadFigures(
        n=len(judged.label),
        n_positive=int(judged.label.sum()),
        n_clusters=len(np.unique(judged.cluster)),
        prevalence=float(np.average(judged.label, weights=judged.weight)),
        pr_auc=_estimate_ranking(judged, draws, Ranking.compute_pr_auc),
        roc_auc=_estimate_ranking(judged, draws, Ranking.compute_roc_auc),
        recall_at={target: estimate(make_recall_metric(target)) for target in FALSE_ALARM_TARGETS},
        hint=hint,
        recall=recall,
        false_alarm_share=false_alarm_share,
        money=money,
        calibration_error=estimate(_of_cases(compute_calibration_error)),
        error_floor=compute_error_floor(cases),
        line=fit_calibration_line(cases),
        top_ratio=estimate(_of_cases(compute_observed_to_expected)),
        brier=compute_brier(cases),
        brier_skill=estimate(_of_cases(compute_brier_skill)),
        slices={
            name: evaluate_head(judged.take(flags), threshold, costs, resampling)
            for name, flags in judged.slices.items()
        },
    )


def compare_paired(
    judged: Judged, other_score: Floats, metric: Metric, resampling: Resampling
) -> Estimate:
    """Return a figure of the scores less that of other scores of the same cases.

    Paired: each resample draws the same customers for both.

    Args:
        judged: Cases and scores.
        other_score: Another contender's, shape `(n,)`.
        metric: E.g. `compute_pr_auc_of`, `make_recall_metric(0.005)`.
        resampling: Of customers or rings, inside worlds.
    """
    other = replace(judged, score=other_score, slices={})
    draws = Draws(judged.cluster, resampling, judged.world)
    return draws.estimate(
        judged.weight, lambda weight: metric(judged, weight) - metric(other, weight)
    )


def compute_pr_auc_of(judged: Judged, weight: Floats) -> float:
    """Return the average precision under other weights."""
    return Ranking(judged.to_cases(judged.weight)).compute_pr_auc(weight)


def make_recall_metric(target: float) -> Metric:
    """Return the recall at a share of false alarms, the threshold set anew in each resample."""

    def compute(judged: Judged, weight: Floats) -> float:
        honest = weight * judged.honesty
        if not (honest.sum() > 0.0 and (weight * judged.label).sum() > 0.0):
            return float("nan")
        threshold = find_threshold(judged.score, honest, target)
        return _judge(judged, weight, threshold).recall

    return compute


def make_money_metric(threshold: float, costs: CostMatrix) -> Metric:
    """Return the money saved per 1,000 cases by a threshold, minor units."""

    def compute(judged: Judged, weight: Floats) -> float:
        is_alarm = judged.score >= threshold
        return compute_money(is_alarm, judged.label, weight, judged.value_minor, costs)

    return compute


def _judge(judged: Judged, weight: Floats, threshold: float) -> OperatingPoint:
    return judge_threshold(judged.score, judged.label, weight, weight * judged.honesty, threshold)


def _of_cases(compute: Callable[[ScoredCases], float]) -> Metric:
    def found(judged: Judged, weight: Floats) -> float:
        cases = judged.to_cases(weight)
        return compute(cases) if len(cases.label) else float("nan")

    return found


def _estimate_ranking(
    judged: Judged, draws: Draws, compute: Callable[[Ranking, Floats], float]
) -> Estimate:
    """Return a ranking figure with bounds; the cases are sorted once."""
    ranking = Ranking(judged.to_cases())
    return draws.estimate(judged.weight, lambda weight: compute(ranking, weight))
