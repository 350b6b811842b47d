"""The curves of a head as SVG: ranking, operating points, reliability, money, scores."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from training.evaluation.curves import HeadCurves
from training.evaluation.figures import HeadFigures
from training.head_evaluation import HeadEvaluation
from training.report.svg import Axis, Plot, make_ticks, to_percents
from training.report.words import (
    AXES,
    HINT,
    NEGATIVE,
    PLOTS,
    POSITIVE,
    PREVALENCE,
    THRESHOLD,
)

_MINOR_PER_MAJOR: Final = 100.0
_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_PROBABILITIES: Final = (1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
_ROOTS: Final = (0.0, 0.002, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def plot_precision(figures: HeadFigures, curves: HeadCurves) -> str:
    """Draw precision over recall, with the prevalence and the bundle's threshold."""
    plot = Plot(
        Axis(0.0, 1.0, to_percents(_SHARES), AXES["recall"]),
        Axis(0.0, 1.0, to_percents(_SHARES), AXES["precision"]),
    )
    curve = curves.precision
    plot.draw_band(curve.x, curve.low, curve.high, "one")
    plot.draw_horizontal(figures.prevalence)
    plot.draw_line(curve.x, curve.y, "one")
    y = plot.place_y(figures.prevalence)
    # Where few cases are flagged the curve is high above: there is room for words.
    plot.write(plot.place_x(0.015), y + (14 if figures.prevalence > 0.15 else -5), PREVALENCE)
    hint = figures.hint
    if hint is not None and math.isfinite(hint.precision) and math.isfinite(hint.recall):
        plot.draw_point(plot.place_x(hint.recall), plot.place_y(hint.precision), "dot", 5.0)
    return plot.to_svg(PLOTS["precision"][0])


def plot_roc(curves: HeadCurves) -> str:
    """Draw the ROC curve."""
    plot = Plot(
        Axis(0.0, 1.0, to_percents(_SHARES), AXES["negatives"]),
        Axis(0.0, 1.0, to_percents(_SHARES), AXES["recall_short"]),
    )
    curve = curves.roc
    plot.draw_band(curve.x, curve.low, curve.high, "one")
    ends = np.array([0.0, 1.0])
    plot.draw_line(ends, ends, "ref")
    plot.draw_line(curve.x, curve.y, "one")
    return plot.to_svg(PLOTS["roc"][0])


def plot_alarms(figures: HeadFigures, curves: HeadCurves) -> str:
    """Draw recall over the share of honest cases flagged."""
    curve = curves.alarms
    plot = Plot(
        Axis(curve.x[0], curve.x[-1], to_percents((0.001, 0.005, 0.01, 0.05, 0.1, 0.3)),
             AXES["alarms"], math.log),
        Axis(0.0, 1.0, to_percents(_SHARES), AXES["recall_short"]),
    )  # fmt: skip
    plot.draw_band(curve.x, curve.low, curve.high, "one")
    plot.draw_line(curve.x, curve.y, "one")
    for target, recall in figures.recall_at.items():
        if not math.isfinite(recall.value):
            continue
        at = plot.place_x(target)
        if math.isfinite(recall.low):
            ends = (plot.place_y(recall.low), plot.place_y(recall.high))
            plot.draw_segment((at, ends[0]), (at, ends[1]), "bar one")
        plot.draw_point(at, plot.place_y(recall.value), "point one", 3.5)
    hint = figures.hint
    if hint is not None and math.isfinite(hint.false_alarm_share) and math.isfinite(hint.recall):
        x = plot.place_x(hint.false_alarm_share)
        plot.draw_point(x, plot.place_y(hint.recall), "dot", 5.0)
    return plot.to_svg(PLOTS["alarms"][0])


def plot_reliability(curves: HeadCurves) -> str:
    """Draw seen shares over predicted ones, with bars; root scale, since most are small."""
    curve = curves.reliability
    known = [one[np.isfinite(one)] for one in (curve.x, curve.y, curve.high)]
    edge = min(1.0, 1.05 * max(float(one.max(initial=0.01)) for one in known))
    ticks = [tick for tick in _ROOTS if tick <= edge]
    # Too near to each other to be read: of the small ones every other is left out.
    chosen = [tick for n, tick in enumerate(ticks) if (len(ticks) - 1 - n) % 2 == 0 or tick == 0.0]
    axes = [Axis(0.0, edge, to_percents(chosen), AXES[name], math.sqrt)
            for name in ("predicted", "seen")]  # fmt: skip
    plot = Plot(axes[0], axes[1])
    ends = np.array([0.0, edge])
    plot.draw_line(ends, ends, "ref")
    for x, y, low, high in zip(curve.x, curve.y, curve.low, curve.high, strict=True):
        if not math.isfinite(y):
            continue
        at = plot.place_x(float(x))
        if math.isfinite(low) and math.isfinite(high):
            span = (plot.place_y(float(low)), plot.place_y(float(high)))
            plot.draw_segment((at, span[0]), (at, span[1]), "bar one")
        plot.draw_point(at, plot.place_y(float(y)), "point one", 3.5)
    return plot.to_svg(PLOTS["reliability"][0])


def plot_money(threshold: float, curves: HeadCurves) -> str:
    """Draw what a threshold saves, in units of 100 minor ones."""
    curve = curves.money
    y, low, high = (one / _MINOR_PER_MAJOR for one in (curve.y, curve.low, curve.high))
    top = max(float(np.nanmax(one, initial=0.0)) for one in (y, low, high))
    # To flag nearly everybody costs so much that the rest could not be seen.
    bottom = max(min(float(y.min()), 0.0), -1.2 * max(top, 1.0))
    top = top * 1.05 + 1e-9
    edge = max(float(curve.x[-1]), 1e-6)
    plot = Plot(
        Axis(0.0, edge, to_percents([tick for tick, _ in make_ticks(0.0, edge)]),
             AXES["threshold"]),
        Axis(bottom, top, make_ticks(bottom, top), AXES["money"]),
    )  # fmt: skip
    plot.draw_band(curve.x, low, high, "two")
    plot.draw_horizontal(0.0)
    plot.draw_line(curve.x, y, "two")
    if threshold <= edge:
        plot.draw_vertical(threshold, "mark", THRESHOLD)
    return plot.to_svg(PLOTS["money"][0])


def plot_scores(threshold: float | None, curves: HeadCurves) -> str:
    """Draw how the scores of both outcomes spread, over log-odds."""
    scores = curves.scores
    low, high = float(scores.edges[0]), float(scores.edges[-1])
    ticks = [(_to_margin(p), f"{100 * p:g}%") for p in _PROBABILITIES]
    inside = [tick for tick in ticks if low <= tick[0] <= high]
    top = 1.05 * max(float(scores.positive.max()), float(scores.negative.max()))
    marks = to_percents([tick for tick, _ in make_ticks(0.0, top)])
    plot = Plot(
        Axis(low, high, inside, AXES["score"]), Axis(0.0, top, marks, AXES["share"]), top=26.0
    )
    plot.draw_legend([("heap one", NEGATIVE, 80.0), ("heap two", POSITIVE, 80.0)])
    for shares, look in ((scores.negative, "heap one"), (scores.positive, "heap two")):
        for place, share in enumerate(shares.tolist()):
            if share > 0.0:
                x, end = (plot.place_x(float(scores.edges[place + n])) for n in (0, 1))
                y = plot.place_y(share)
                plot.draw_bar(x, y, end - x - 0.5, plot.place_y(0.0) - y, look)
    if threshold is not None and low <= _to_margin(threshold) <= high:
        plot.draw_vertical(_to_margin(threshold), "mark", HINT)
    return plot.to_svg(PLOTS["scores"][0])


def _to_margin(p: float) -> float:
    held = min(max(p, 1e-6), 1.0 - 1e-6)
    return math.log(held) - math.log1p(-held)


def plot_head(one: HeadEvaluation, figures: HeadFigures, curves: HeadCurves) -> dict[str, str]:
    """Return the curves of a head by name, in the order of the page."""
    found = {
        "precision": plot_precision(figures, curves),
        "roc": plot_roc(curves),
        "alarms": plot_alarms(figures, curves),
        "reliability": plot_reliability(curves),
    }
    if one.threshold is not None:
        found["money"] = plot_money(one.threshold, curves)
    found["scores"] = plot_scores(one.threshold, curves)
    return found
