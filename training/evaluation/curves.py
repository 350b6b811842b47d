"""The curves of a head with their bands, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from training.evaluation.calibration_figures import N_CALIBRATION_BINS
from training.evaluation.figures import Judged, sort_cases
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import BOUNDS, Draws, Floats, Ints, Resampling
from training.evaluation.sorted_cases import SortedCases

_N_RECALLS: Final = 101
_N_THRESHOLDS: Final = 121
_N_ALARM_SHARES: Final = 81
_LEAST_ALARM_SHARE: Final = 1e-3
_GREATEST_ALARM_SHARE: Final = 0.3
_N_SCORE_BINS: Final = 36
_Z95: Final = 1.959964


@dataclass(frozen=True, eq=False)
class Curve:
    """A line with its 95 % band; arrays of shape `(n,)`, x ascending.

    A point without value, or whose band cannot be told, is NaN.
    """

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """How scores of both outcomes spread.

    Attributes:
        edges: Of the bins, log-odds, shape `(n + 1,)`.
        positive: Share of the positives in each bin, shape `(n,)`.
        negative: Share of the negatives.
    """

    edges: Floats
    positive: Floats
    negative: Floats


@dataclass(frozen=True, eq=False)
class HeadCurves:
    """What a report draws of a head.

    Attributes:
        precision: Over recall.
        roc: Share of positives at or above a score, over that of negatives.
        alarms: Recall over the share of honest cases that raise an alarm.
        money: Saved per 1,000 cases (minor units), over the threshold.
        reliability: Observed share over mean prediction, in 15 bins of equal weight.
        scores: How scores of both outcomes spread.
    """

    precision: Curve
    roc: Curve
    alarms: Curve
    money: Curve
    reliability: Curve
    scores: ScoreHistogram


def trace_curves(judged: Judged, costs: CostMatrix, resampling: Resampling) -> HeadCurves:
    """Return a head's curves; equal seeds give the draws of `evaluate_head`.

    Args:
        judged: Cases that taught it nothing, of both outcomes.
        costs: For the money.
        resampling: Of customers or rings, inside worlds.

    Raises:
        ValueError: All cases end alike.
    """
    if len(np.unique(judged.label)) < 2:
        raise ValueError("curves need cases of both outcomes")
    cases = sort_cases(judged, None, costs)
    grids = {
        "precision": np.linspace(0.0, 1.0, _N_RECALLS),
        "roc": np.linspace(0.0, 1.0, _N_RECALLS) ** 2,
        "alarms": np.geomspace(_LEAST_ALARM_SHARE, _GREATEST_ALARM_SHARE, _N_ALARM_SHARES),
        "money": np.linspace(0.0, float(judged.score.max()), _N_THRESHOLDS),
    }
    bins = _cut_bins(judged)
    draws = Draws(judged.cluster, resampling, judged.world)
    found = [
        _trace(cases, judged, bins, grids, times)
        for times in draws.iterate(np.ones(len(judged.label)))
    ]
    whole = _trace(cases, judged, bins, grids, None)
    lines = {
        name: Curve(grid, whole[name], *_bound([one[name] for one in found], len(grid)))
        for name, grid in grids.items()
    }
    observed = whole["reliability"]
    low, high = _bound([one["reliability"] for one in found], len(observed))
    predicted, size = _describe_bins(judged, bins)
    least, most = _bound_share(observed, size)
    return HeadCurves(
        **lines,
        reliability=Curve(predicted, observed, np.fmin(low, least), np.fmax(high, most)),
        scores=_count_scores(judged),
    )


def _trace(
    cases: SortedCases, judged: Judged, bins: Ints, grids: dict[str, Floats],
    times: Floats | None,
) -> dict[str, Floats]:  # fmt: skip
    """Return each curve on its grid, of all cases or of a resample."""
    total, positive, honest, saved = cases.trace(times)
    weight = judged.weight if times is None else judged.weight * times
    n_bins = int(bins.max()) + 1
    observed: Floats = np.bincount(bins, weight * judged.label, n_bins).astype(np.float64)
    size: Floats = np.bincount(bins, weight, n_bins).astype(np.float64)
    nothing = {name: np.full(len(grid), np.nan) for name, grid in grids.items()}
    if not (positive[-1] > 0.0 and honest[-1] > 0.0 and total[-1] > positive[-1]):
        return {**nothing, "reliability": _divide(observed, size)}
    negative = total - positive
    recall = positive / positive[-1]
    at = np.searchsorted(recall, np.maximum(grids["precision"], recall[recall > 0.0][0]) - 1e-12)
    last = np.searchsorted(honest, grids["alarms"] * honest[-1] * (1.0 + 1e-12), "right") - 1
    score = cases.score[cases.ends]
    above = np.searchsorted(-score, -grids["money"], "right") - 1
    return {
        "precision": (positive / np.maximum(total, 1e-300))[at],
        "roc": np.interp(
            grids["roc"],
            np.concatenate([[0.0], negative / negative[-1]]),
            np.concatenate([[0.0], recall]),
        ),
        "alarms": np.where(last >= 0, recall[last], 0.0),
        "money": np.where(above >= 0, saved[above], 0.0) / total[-1] * 1_000.0,
        "reliability": _divide(observed, size),
    }


def _cut_bins(judged: Judged) -> Ints:
    """Return the bin of each case, as `compute_reliability` cuts them; no bin without weight."""
    order = np.argsort(judged.score, kind="stable")
    weight = judged.weight[order]
    place = (np.cumsum(weight) - 0.5 * weight) / weight.sum() * N_CALIBRATION_BINS
    bins = np.zeros(len(order), np.int64)
    bins[order] = np.minimum(place.astype(np.int64), N_CALIBRATION_BINS - 1)
    used = np.unique(bins[judged.weight > 0.0])
    # Cases without weight may stand beyond the last bin: wherever they go, they count nothing.
    return np.minimum(np.searchsorted(used, bins), len(used) - 1).astype(np.int64)


def _describe_bins(judged: Judged, bins: Ints) -> tuple[Floats, Floats]:
    """Return mean prediction and effective number of cases (Kish) of each bin."""
    n = int(bins.max()) + 1
    total = np.bincount(bins, judged.weight, n)
    squares = np.bincount(bins, judged.weight**2, n)
    return np.bincount(bins, judged.weight * judged.score, n) / total, total**2 / squares


def _bound_share(share: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Return Wilson's 95 % bounds: a bin without outcomes resamples to nothing but zeros."""
    middle = (share + _Z95**2 / (2.0 * size)) / (1.0 + _Z95**2 / size)
    reach = (
        _Z95
        * np.sqrt(share * (1.0 - share) / size + _Z95**2 / (4.0 * size**2))
        / (1.0 + _Z95**2 / size)
    )
    return np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0)


def _count_scores(judged: Judged) -> ScoreHistogram:
    p = np.clip(judged.score, 1e-6, 1.0 - 1e-6)
    margin = np.log(p) - np.log1p(-p)
    edges = np.linspace(margin.min() - 1e-6, margin.max() + 1e-6, _N_SCORE_BINS + 1)
    counts = [
        np.histogram(margin, edges, weights=judged.weight * part)[0]
        for part in (judged.label, 1.0 - judged.label)
    ]
    positive, negative = (count / count.sum() for count in counts)
    return ScoreHistogram(edges, positive, negative)


def _bound(draws: list[Floats], n: int) -> tuple[Floats, Floats]:
    """Return the quantiles of resampled curves at each point; NaN where none is known."""
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if not draws:
        return low, high
    table = np.array(draws)
    is_known = ~np.isnan(table).all(axis=0)
    low[is_known], high[is_known] = np.nanquantile(table[:, is_known], BOUNDS, axis=0)
    return low, high


def _divide(part: Floats, whole: Floats) -> Floats:
    found: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0.0)
    return found
