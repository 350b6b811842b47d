"""All figures of one head on cases that taught it nothing, with bounds, and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from training.evaluation.calibration_figures import (
    CalibrationLine,
    compute_error_floor,
    fit_calibration_line,
)
from training.evaluation.money import CostMatrix, compute_money
from training.evaluation.operating_points import (
    FALSE_ALARM_TARGETS,
    OperatingPoint,
    find_threshold,
    judge_threshold,
)
from training.evaluation.ranking import Ranking, ScoredCases, compute_prevalence
from training.evaluation.resampling import (
    Draws,
    Estimate,
    Floats,
    Ints,
    Resampling,
    to_estimate,
)
from training.evaluation.sorted_cases import FIGURES, SortedCases

Flags = npt.NDArray[np.bool_]
Metric = Callable[["Judged", Floats], float]
"""A figure of cases under other weights, shape `(n,)`; NaN where there is nothing to say."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Cases with outcome and probability; arrays of shape `(n,)`.

    Attributes:
        label: 0 or 1.
        score: Probabilities.
        weight: How many cases each stands for; 0: its outcome is unknown, and it counts among
            the false alarms alone.
        honesty: Probability that the case is an honest customer's, 0 to 1: whose alarms count
            as false.
        cluster: Customer or ring; drawn together.
        value_minor: What the case is about, minor units.
        world: Number of the case's world; None: one world.
        slices: Parts to look at on their own.
        seen: Probability that the label will say 1, where labels err: what calibration is judged
            by; None: the score.
        is_alarm: Which cases the hint flags, where strata have thresholds of their own; None: those
            at or above the one threshold.
        honest_weight: How many honest customers' cases each stands for, where that is known
            of cases without outcome, too; None: `weight * honesty`.
    """

    label: Floats
    score: Floats
    weight: Floats
    honesty: Floats
    cluster: Ints
    value_minor: Floats
    world: Ints | None = None
    slices: Mapping[str, Flags] = field(default_factory=dict)
    honest_weight: Floats | None = None
    is_alarm: Flags | None = None
    seen: Floats | None = None

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

    def to_seen_cases(self) -> ScoredCases:
        """Return the cases with the probabilities that their labels will say 1."""
        return replace(self, score=self.score if self.seen is None else self.seen).to_cases()

    def take(self, flags: Flags | Ints) -> Judged:
        """Return a part of the cases, by flags or places, without slices."""
        return Judged(
            self.label[flags], self.score[flags], self.weight[flags], self.honesty[flags],
            self.cluster[flags], self.value_minor[flags],
            None if self.world is None else self.world[flags],
            honest_weight=None if self.honest_weight is None else self.honest_weight[flags],
            is_alarm=None if self.is_alarm is None else self.is_alarm[flags],
            seen=None if self.seen is None else self.seen[flags],
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
        slope: The slope, with bounds (resamples are fitted on 512 groups of scores).
        top_ratio: Outcomes over predictions in the riskiest 1 %.
        total_ratio: Outcomes over predictions in all cases.
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
    slope: Estimate
    top_ratio: Estimate
    total_ratio: Estimate
    brier: float
    brier_skill: Estimate
    slices: Mapping[str, HeadFigures] = field(default_factory=dict)


def evaluate_head(
    judged: Judged, threshold: float | None, costs: CostMatrix, resampling: Resampling
) -> HeadFigures:
    """Return all figures of a head and of its slices; all of them take the same resamples.

    Args:
        judged: Cases that taught it nothing.
        threshold: Of the hint, chosen on earlier cases; None: no hint.
        costs: For the money.
        resampling: Of customers or rings, inside worlds.
    """
    n = len(judged.label)
    parts = {"": np.arange(n), **{k: np.flatnonzero(f) for k, f in judged.slices.items()}}
    cases = {name: sort_cases(judged, threshold, costs, places) for name, places in parts.items()}
    resampled: dict[str, list[Floats]] = {name: [] for name in parts}
    draws = Draws(judged.cluster, resampling, judged.world)
    for times in draws.iterate(np.ones(n)):
        for name, places in parts.items():
            resampled[name].append(cases[name].compute(times[places]))
    found = {
        name: _collect(judged, places, threshold, cases[name].compute(), np.array(resampled[name]))
        for name, places in parts.items()
    }
    whole = found.pop("")
    return replace(whole, slices=found)


def sort_cases(
    judged: Judged, threshold: float | None, costs: CostMatrix, places: Ints | None = None
) -> SortedCases:
    """Return cases in the form that gives every figure of a resample at once.

    Args:
        judged: The cases.
        threshold: Of the hint; None: no hint.
        costs: For the money.
        places: Which cases; None: all.
    """
    chosen = np.arange(len(judged.label)) if places is None else places
    score = judged.score[chosen]
    honest = judged.weight * judged.honesty
    if judged.honest_weight is not None:
        honest = judged.honest_weight
    is_alarm = None if threshold is None else score >= threshold
    if threshold is not None and judged.is_alarm is not None:
        is_alarm = judged.is_alarm[chosen]
    return SortedCases(
        judged.label[chosen], score, judged.weight[chosen], honest[chosen],
        judged.value_minor[chosen], is_alarm, costs,
        None if judged.seen is None else judged.seen[chosen],
    )  # fmt: skip


def _collect(
    judged: Judged, places: Ints, threshold: float | None, values: Floats, resampled: Floats
) -> HeadFigures:
    """Return the figures of a part from its values, shape `(k,)`, and draws, `(n_draws, k)`."""
    part = judged.take(places)
    table = resampled.reshape(-1, len(FIGURES))
    estimate = {
        name: to_estimate(float(values[place]), table[:, place])
        for place, name in enumerate(FIGURES)
    }
    cases = part.to_seen_cases()
    line = fit_calibration_line(cases)
    hint = None
    if threshold is not None:
        shares = (estimate[name].value for name in ("false_alarm_share", "recall", "precision"))
        hint = OperatingPoint(float("nan"), threshold, *shares)
    of_hint = {} if threshold is None else estimate
    return HeadFigures(
        n=len(cases.label),
        n_positive=int(cases.label.sum()),
        n_clusters=len(np.unique(cases.group)),
        prevalence=compute_prevalence(cases),
        pr_auc=estimate["pr_auc"],
        roc_auc=estimate["roc_auc"],
        recall_at={target: estimate[f"recall_at_{target}"] for target in FALSE_ALARM_TARGETS},
        hint=hint,
        recall=of_hint.get("recall"),
        false_alarm_share=of_hint.get("false_alarm_share"),
        money=of_hint.get("money"),
        calibration_error=estimate["calibration_error"],
        error_floor=compute_error_floor(cases),
        line=line,
        slope=replace(estimate["slope"], value=line.slope),
        top_ratio=estimate["top_ratio"],
        total_ratio=estimate["total_ratio"],
        brier=estimate["brier"].value,
        brier_skill=estimate["brier_skill"],
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

    Raises:
        ValueError: The cases have honest weights of their own.
    """
    if judged.honest_weight is not None:
        raise ValueError("paired figures count honest cases by `weight * honesty`")
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
