"""Cases sorted once, so that every figure under other weights is a few running sums.

A resample changes weights and nothing else: the order by score, the blocks of equal
scores, what an alarm on a case saves. All figures of one resample come from the same
running sums; the functions of `ranking`, `operating_points`, `money` and
`calibration_figures` say what each figure is, and tests hold both equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from training.evaluation.calibration_figures import N_CALIBRATION_BINS, TOP_SHARE
from training.evaluation.money import CostMatrix, compute_costs
from training.evaluation.operating_points import FALSE_ALARM_TARGETS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FIGURES: Final = (
    "pr_auc", "roc_auc", *(f"recall_at_{target}" for target in FALSE_ALARM_TARGETS), "recall",
    "false_alarm_share", "precision", "money", "calibration_error", "slope", "intercept",
    "top_ratio", "total_ratio", "brier", "brier_skill",
)  # fmt: skip
"""Names of what `SortedCases.compute` returns, in order."""

_N_GROUPS: Final = 512
"""Groups of neighbouring scores on which the slope is fitted anew in each resample."""
_LINE_STEPS: Final = 6
_NAN: Final = float("nan")


class SortedCases:
    """Cases from the highest score down; see `training.evaluation.figures.Judged`.

    Args:
        label: 0 or 1, shape `(n,)`.
        score: Probabilities, shape `(n,)`.
        weight: How many cases each stands for, shape `(n,)`.
        honest_weight: How many honest cases each stands for, shape `(n,)`.
        value_minor: What the case is about, minor units, shape `(n,)`.
        is_alarm: Which cases raise an alarm, shape `(n,)`; None: there is no hint.
        costs: For the money.
        seen: Probabilities that the labels say 1, where labels err, shape `(n,)`; None: the
            scores. Calibration is judged by them.
    """

    def __init__(
        self, label: Floats, score: Floats, weight: Floats, honest_weight: Floats,
        value_minor: Floats, is_alarm: Flags | None, costs: CostMatrix,
        seen: Floats | None = None,
    ) -> None:  # fmt: skip
        # Reversed, so that equal scores stand as an ascending stable sort has them.
        self.order: Ints = np.argsort(score, kind="stable")[::-1]
        self.score = score[self.order]
        self.ends = np.flatnonzero(np.append(self.score[1:] != self.score[:-1], True))
        self._weight = weight[self.order]
        self._label = label[self.order]
        self._honest = honest_weight[self.order]
        self._seen = self.score if seen is None else seen[self.order]
        p = np.clip(self._seen, 1e-9, 1.0 - 1e-9)
        self._margin = np.log(p) - np.log1p(-p)
        self._squares = (self._seen - self._label) ** 2
        everywhere = np.ones(len(label), np.bool_)
        value = value_minor[self.order]
        self._gain: Floats = compute_costs(~everywhere, self._label, value, costs) - compute_costs(
            everywhere, self._label, value, costs
        )
        self._alarm = None if is_alarm is None else is_alarm[self.order].astype(np.float64)
        starts = np.unique(np.linspace(0, len(label), _N_GROUPS, endpoint=False).astype(np.int64))
        self._group_starts = starts
        sizes = np.add.reduceat(self._weight, starts)
        self._group_margin = np.divide(
            np.add.reduceat(self._weight * self._margin, starts),
            sizes, out=self._margin[starts].copy(), where=sizes > 0.0,
        )  # fmt: skip

    def compute(self, times: Floats | None = None) -> Floats:
        """Return every figure of `FIGURES`, shape `(len(FIGURES),)`; NaN: nothing to say.

        Args:
            times: How often a resample drew each case, in the order given to the
                constructor, shape `(n,)`; None: each once.
        """
        weight, honest = self._draw(times)
        total = float(weight.sum())
        if not total > 0.0:
            return np.full(len(FIGURES), _NAN)
        positive_weight = weight * self._label
        above = np.cumsum(weight)
        positive_above = np.cumsum(positive_weight)
        honest_above = np.cumsum(honest)
        expected_above = np.cumsum(weight * self._seen)
        ends = self.ends
        found = [
            *_measure_ranking(positive_above[ends], above[ends]),
            *_measure_recalls(positive_above[ends], honest_above[ends]),
            *self._measure_alarms(weight, positive_weight, honest, total),
            _measure_calibration(above, positive_above, expected_above, weight),
            *self._fit_line(weight, positive_weight),
            _measure_top(above[ends], positive_above[ends], expected_above[ends]),
            _divide(positive_above[-1], expected_above[-1]),
        ]
        brier = _dot(weight, self._squares) / total
        prevalence = positive_above[-1] / total
        found += [brier, 1.0 - _divide(brier, prevalence * (1.0 - prevalence))]
        return np.array(found)

    def trace(self, times: Floats | None = None) -> tuple[Floats, Floats, Floats, Floats]:
        """Return sums over all cases at or above each distinct score, the highest first.

        Returns:
            Weight, weight of positives, weight of honest cases, and money that alarms on
            them save (minor units), each of shape `(len(ends),)`.
        """
        weight, honest = self._draw(times)
        return (
            np.cumsum(weight)[self.ends],
            np.cumsum(weight * self._label)[self.ends],
            np.cumsum(honest)[self.ends],
            np.cumsum(weight * self._gain)[self.ends],
        )

    def _draw(self, times: Floats | None) -> tuple[Floats, Floats]:
        """Return weights, and weights of honest cases, of all cases or of a resample."""
        if times is None:
            return self._weight, self._honest
        drawn = times[self.order]
        return self._weight * drawn, self._honest * drawn

    def _measure_alarms(
        self, weight: Floats, positive_weight: Floats, honest: Floats, total: float
    ) -> list[float]:
        """Return recall, false alarms, precision and money of the hint."""
        if self._alarm is None:
            return [_NAN] * 4
        raised = weight * self._alarm
        caught = _dot(positive_weight, self._alarm)
        return [
            _divide(caught, float(positive_weight.sum())),
            _divide(_dot(honest, self._alarm), float(honest.sum())),
            _divide(caught, float(raised.sum())),
            _dot(raised, self._gain) / total * 1_000.0,
        ]

    def _fit_line(self, weight: Floats, positive_weight: Floats) -> list[float]:
        """Return slope and intercept, fitted on groups of neighbouring scores."""
        size = np.add.reduceat(weight, self._group_starts)
        positive = np.add.reduceat(positive_weight, self._group_starts)
        share = float(positive.sum() / size.sum())
        x = self._group_margin
        if not 0.0 < share < 1.0 or not np.ptp(x[size > 0.0]) > 0.0:
            return [_NAN, _NAN]
        # From slope 1: probabilities that mean what they say are there already.
        slope, intercept = 1.0, 0.0
        for _ in range(_LINE_STEPS):
            fitted = 1.0 / (1.0 + np.exp(-np.clip(slope * x + intercept, -500.0, 500.0)))
            curvature = size * fitted * (1.0 - fitted)
            mass = float(curvature.sum())
            if not mass > 0.0:
                return [_NAN, _NAN]
            residual = positive - size * fitted
            middle = _dot(curvature, x) / mass
            spread = _dot(curvature, (x - middle) ** 2)
            if not spread > 0.0:
                return [_NAN, _NAN]
            step = _dot(residual, x - middle) / spread
            slope += step
            intercept += float(residual.sum()) / mass - step * middle
        is_wild = not (abs(slope) < 1e3 and abs(step) < 1e-2 * max(abs(slope), 1.0))
        return [_NAN, _NAN] if is_wild else [slope, intercept]


def _measure_ranking(positive: Floats, total: Floats) -> Sequence[float]:
    """Return average precision and ROC-AUC of sums at or above each distinct score."""
    n_positive = float(positive[-1])
    if not n_positive > 0.0:
        return _NAN, _NAN
    step = np.diff(positive, prepend=0.0)
    precision = np.divide(positive, total, out=np.zeros_like(total), where=total > 0.0)
    pr_auc = _dot(step, precision) / n_positive
    negative = total - positive
    n_negative = float(negative[-1])
    if not n_negative > 0.0:
        return pr_auc, _NAN
    below = positive - 0.5 * step
    return pr_auc, _dot(np.diff(negative, prepend=0.0), below) / n_positive / n_negative


def _measure_recalls(positive: Floats, honest: Floats) -> list[float]:
    """Return the recall at each target of false alarms, thresholds set on these cases."""
    if not (honest[-1] > 0.0 and positive[-1] > 0.0):
        return [_NAN] * len(FALSE_ALARM_TARGETS)
    limits = np.array(FALSE_ALARM_TARGETS) * honest[-1] * (1.0 + 1e-12)
    last = np.searchsorted(honest, limits, side="right") - 1
    caught = np.where(last >= 0, positive[last], 0.0) / positive[-1]
    return [float(one) for one in caught]


def _measure_calibration(
    above: Floats, positive: Floats, expected: Floats, weight: Floats
) -> float:
    """Return the expected calibration error over bins of equal weight."""
    total = float(above[-1])
    middle = above - 0.5 * weight
    # Bins are counted from the lowest score; what lies on an edge belongs to the upper one.
    edges = total * (1.0 - np.arange(1, N_CALIBRATION_BINS)[::-1] / N_CALIBRATION_BINS)
    cuts = np.searchsorted(middle, edges * (1.0 + 1e-12), side="right")
    places = np.concatenate([[0], cuts, [len(above)]])
    gaps = _sum_between(positive - expected, places)
    return float(np.abs(gaps).sum()) / total


def _sum_between(running: Floats, places: Ints) -> Floats:
    """Return the sums between places of a running sum."""
    at: Floats = np.where(places > 0, running[np.maximum(places, 1) - 1], 0.0)
    return np.diff(at)


def _measure_top(above: Floats, positive: Floats, expected: Floats) -> float:
    """Return outcomes over predictions in the cases with the highest predictions."""
    limit = TOP_SHARE * float(above[-1])
    block = int(np.searchsorted(above, limit, side="left"))
    before = above[block - 1] if block else 0.0
    part = (limit - before) / max(float(above[block] - before), 1e-300)
    found = []
    for running in (positive, expected):
        start = float(running[block - 1]) if block else 0.0
        found.append(start + part * (float(running[block]) - start))
    return _divide(*found)


def _dot(one: Floats, other: Floats) -> float:
    """Return the sum of products, on this thread: BLAS starts others, which spin and wait."""
    return float(np.einsum("i,i->", one, other))


def _divide(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole > 0.0 else _NAN
