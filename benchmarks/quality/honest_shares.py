"""Whom the hints of one contender hit that never abuses, and what its probabilities mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.quality.judging import find_alarms, number_clusters
from benchmarks.quality.shops import JudgedWorld
from training.evaluation.calibration_figures import (
    CalibrationLine,
    compute_brier_skill,
    compute_calibration_error,
    compute_error_floor,
    compute_observed_to_expected,
    fit_calibration_line,
)
from training.evaluation.ranking import ScoredCases
from training.evaluation.resampling import Draws, Estimate, Resampling
from training.evaluation.ring_detection import detect_rings

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

MIN_CASES = 50
"""Look-alikes with fewer cases over all worlds are left out: one alarm would be two percent."""


@dataclass(frozen=True, slots=True)
class KindShare:
    """Of good customers' later returns of one kind, how many are flagged."""

    kind: str
    n_cases: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class EverFlagged:
    """Of good customers with any case in the year after the cut, how many are ever flagged.

    Attributes:
        n_persons: Such customers.
        share: Of them flagged at least once, at a return or an order.
        by_returns: Of them flagged at a return.
        by_orders: Of them flagged at an order.
    """

    n_persons: int
    share: float
    by_returns: float
    by_orders: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probabilities against outcomes, the later cases of all worlds together.

    Attributes:
        n_cases: Cases.
        error: Expected calibration error, 15 bins of equal weight.
        error_floor: What perfect probabilities would show against outcomes.
        line: Slope and intercept.
        top_ratio: Observed over expected in the riskiest 1 %.
        skill: Brier skill.
        mean_probability: What was said on the whole.
        prevalence: What was.
    """

    n_cases: int
    error: Estimate
    error_floor: float
    line: CalibrationLine
    top_ratio: Estimate
    skill: Estimate
    mean_probability: float
    prevalence: float


@dataclass(frozen=True, slots=True)
class RingTimes:
    """How long rings that act after the cut go unseen.

    Attributes:
        n_rings: Rings with abuse after the cut.
        found_share: Of them raised an alarm.
        days_median: From a ring's first such case to its first alarm, of those found.
        cases_before_median: Abusive cases before it, of all rings.
    """

    n_rings: int
    found_share: float
    days_median: float
    cases_before_median: float


def compute_kind_shares(
    worlds: Sequence[JudgedWorld], contender: str, resampling: Resampling
) -> list[KindShare]:
    """Return the share of each kind of honest case that is flagged, the greatest first."""
    is_good = np.concatenate([world.truth.is_good for world in worlds])
    kind = np.concatenate([world.truth.kind for world in worlds])[is_good]
    alarm = _join_alarms(worlds, contender)[is_good].astype(np.float64)
    cluster, number = _join_clusters([number_clusters(world.truth) for world in worlds])
    draws = Draws(cluster[is_good], resampling, number[is_good])
    found = []
    for name in np.unique(kind):
        member = (kind == name).astype(np.float64)
        if member.sum() < MIN_CASES:
            continue

        def compute(weight: Floats, member: Floats = member) -> float:
            total = float(weight @ member)
            return float((weight * member) @ alarm) / total if total > 0.0 else float("nan")

        share = draws.estimate(np.ones(len(alarm)), compute)
        found.append(KindShare(str(name), int(member.sum()), share))
    return sorted(found, key=lambda one: -one.share.value)


def compute_ever_flagged(worlds: Sequence[JudgedWorld], contender: str) -> EverFlagged:
    """Return how many good customers a contender's hints, with hemostat's on orders, ever hit."""
    counts = np.array([_count_ever(world, find_alarms(world.scored[contender]))
                       for world in worlds]).sum(axis=0)  # fmt: skip
    n_persons = int(counts[0])
    either, by_returns, by_orders = (float(count) / max(n_persons, 1) for count in counts[1:])
    return EverFlagged(n_persons, either, by_returns, by_orders)


def _count_ever(world: JudgedWorld, is_alarm: Flags) -> list[int]:
    size = 1 + int(max(world.truth.person.max(), world.order_truth.person.max()))
    is_active, at_return, at_order = (np.zeros(size, np.bool_) for _ in range(3))
    for truth, alarm, is_hit in (
        (world.truth, is_alarm, at_return),
        (world.order_truth, world.is_order_alarm, at_order),
    ):
        is_active[truth.person[truth.is_good]] = True
        is_hit[truth.person[truth.is_good & alarm]] = True
    either = at_return | at_order
    return [int(flags.sum()) for flags in (is_active, either, at_return, at_order)]


def compute_true_calibration(
    worlds: Sequence[JudgedWorld], contender: str, resampling: Resampling
) -> Calibration:
    """Return what a contender's probabilities mean, against the truth of all later returns."""
    cluster, number = _join_clusters([number_clusters(world.truth) for world in worlds])
    label = np.concatenate([world.truth.is_abuse for world in worlds]).astype(np.float64)
    score = np.concatenate([world.scored[contender].score for world in worlds])
    return _calibrate(ScoredCases(label, score, np.ones(len(label)), cluster), number, resampling)


def compute_told_calibration(
    worlds: Sequence[JudgedWorld], contender: str, resampling: Resampling
) -> Calibration:
    """Return the same against what checks told, each checked return weighted."""
    cluster, number = _join_clusters([number_clusters(world.truth) for world in worlds])
    label = np.concatenate([world.told_label for world in worlds])
    weight = np.concatenate([world.told_weight for world in worlds])
    score = np.concatenate([world.scored[contender].score for world in worlds])
    is_in = weight > 0.0
    cases = ScoredCases(label[is_in], score[is_in], weight[is_in], cluster[is_in])
    return _calibrate(cases, number[is_in], resampling)


def compute_click_calibration(worlds: Sequence[JudgedWorld], resampling: Resampling) -> Calibration:
    """Return the same of P(leaves if nothing is offered), against its true probability.

    Probabilities instead of outcomes: no coins are thrown, and a perfect model shows 0.
    """
    cluster, number = _join_clusters([world.clicks.group for world in worlds])
    label = np.concatenate([world.clicks.p_leaves for world in worlds])
    score = np.concatenate([world.clicks.score for world in worlds])
    return _calibrate(ScoredCases(label, score, np.ones(len(label)), cluster), number, resampling)


def _calibrate(cases: ScoredCases, number: Ints, resampling: Resampling) -> Calibration:
    """Return the figures of cases whose worlds have numbers, shape `(n,)`."""
    draws = Draws(cases.group, resampling, number)

    def estimate(compute: Callable[[ScoredCases], float]) -> Estimate:
        def of_weights(weight: Floats) -> float:
            is_in = weight > 0.0
            return compute(
                ScoredCases(
                    cases.label[is_in], cases.score[is_in], weight[is_in], cases.group[is_in]
                )
            )

        return draws.estimate(cases.weight, of_weights)

    return Calibration(
        n_cases=len(cases.label),
        error=estimate(compute_calibration_error),
        error_floor=compute_error_floor(cases),
        line=fit_calibration_line(cases),
        top_ratio=estimate(compute_observed_to_expected),
        skill=estimate(compute_brier_skill),
        mean_probability=float(np.average(cases.score, weights=cases.weight)),
        prevalence=float(np.average(cases.label, weights=cases.weight)),
    )


def compute_ring_times(worlds: Sequence[JudgedWorld], contender: str) -> RingTimes | None:
    """Return how long rings go unseen; None if no ring acts after the cut."""
    found = [
        ring
        for world in worlds
        for ring in detect_rings(
            world.truth.ring[world.truth.is_abuse],
            world.truth.time_us[world.truth.is_abuse],
            find_alarms(world.scored[contender])[world.truth.is_abuse],
            world.value_minor[world.truth.is_abuse],
        )
    ]
    seen = [ring.days for ring in found if ring.is_found]
    if not seen:
        return None
    return RingTimes(
        n_rings=len(found),
        found_share=len(seen) / len(found),
        days_median=float(np.median(seen)),
        cases_before_median=float(np.median([ring.n_before for ring in found])),
    )


def _join_alarms(worlds: Sequence[JudgedWorld], contender: str) -> Flags:
    return np.concatenate([find_alarms(world.scored[contender]) for world in worlds])


def _join_clusters(own: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Return what is drawn together over all worlds, and each case's world; shape `(n,)`."""
    clusters, numbers, start = [], [], 0
    for place, cluster in enumerate(own):
        clusters.append(cluster + start)
        numbers.append(np.full(len(cluster), place, np.int64))
        start += int(cluster.max(initial=-1)) + 1
    return np.concatenate(clusters), np.concatenate(numbers)
