"""Plots with one row per thing: slices with bounds, features, what the figures rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from training.evaluation.drivers import Driver
from training.evaluation.figures import HeadFigures
from training.evaluation.resampling import Estimate
from training.head_evaluation import LabelCoverage
from training.report.language import Words, same
from training.report.svg import Axis, Plot, make_ticks
from training.report.words import (
    ALL_CASES,
    AXES,
    COVERAGE,
    LOWERS,
    MIXED,
    PLOTS,
    RAISES,
    SLICE_NAMES,
)

MIN_POSITIVES: Final = 5
"""Slices with fewer are not drawn."""
_ROW: Final = 22.0
_AROUND: Final = 54.0
_NAMES: Final = 256.0
_LONG_NAME: Final = 36
_RATIOS: Final = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
_SURE_DIRECTION: Final = 0.3

Row = tuple[Words, Estimate]


def plot_slices(figures: HeadFigures) -> str | None:
    """Draw the ROC-AUC of each slice with its bounds; None: no slice has enough cases."""
    rows = _collect(figures, {name: one.roc_auc for name, one in figures.slices.items()})
    if not rows:
        return None
    rows = [(ALL_CASES, figures.roc_auc), *rows]
    low = min(0.5, *(one.low for _, one in rows))
    axis = Axis(low, 1.0, make_ticks(low, 1.0, 4), AXES["roc_auc"])
    return _draw_forest(axis, rows, figures.roc_auc.value, PLOTS["slices"][0])


def plot_ratios(figures: HeadFigures) -> str | None:
    """Draw outcomes over expectations of each slice; None: no slice has enough cases."""
    rows = _collect(figures, {name: one.total_ratio for name, one in figures.slices.items()})
    if not rows:
        return None
    rows = [(ALL_CASES, figures.total_ratio), *rows]
    ticks = [(value, f"{value:g}") for value in _RATIOS]
    axis = Axis(_RATIOS[0], _RATIOS[-1], ticks, AXES["ratio"], math.log)
    return _draw_forest(axis, rows, 1.0, PLOTS["ratios"][0])


def plot_drivers(drivers: Sequence[Driver]) -> str:
    """Draw the features that move scores most, coloured by their direction."""
    top = drivers[0].strength * 1.04
    plot = Plot(
        Axis(0.0, top, make_ticks(0.0, top, 4), AXES["strength"]),
        None,
        height=_AROUND + 18.0 * len(drivers) + 16.0,
        left=_NAMES,
        top=26.0,
    )
    plot.draw_legend([("up", RAISES, 130.0), ("down", LOWERS, 130.0), ("flat", MIXED, 0.0)])
    for row, one in enumerate(drivers):
        y = plot.place_row(row, len(drivers))
        width = plot.place_x(one.strength) - plot.place_x(0.0)
        plot.draw_bar(plot.place_x(0.0), y - 5.5, width, 11.0, _choose_look(one.direction))
        # The longest names would begin left of the drawing.
        is_long = len(one.feature) > _LONG_NAME
        squeezed = f' textLength="{_NAMES - 10.0:g}" lengthAdjust="spacingAndGlyphs"'
        plot.write(
            _NAMES - 6.0, y + 4, same(one.feature), "t end name", squeezed if is_long else ""
        )
    return plot.to_svg(PLOTS["drivers"][0])


def plot_coverage(coverage: LabelCoverage) -> str:
    """Draw how many cases matured, how many are known, and what these are worth."""
    counts = (float(coverage.n_cases), float(coverage.n_known), coverage.n_effective)
    top = max(counts) * 1.02
    plot = Plot(
        Axis(0.0, top, make_ticks(0.0, top, 4), AXES["cases"]), None, height=150.0, left=120.0
    )
    for row, (words, count) in enumerate(zip(COVERAGE, counts, strict=True)):
        y = plot.place_row(row, len(counts))
        end = plot.place_x(count)
        plot.draw_bar(plot.place_x(0.0), y - 8, end - plot.place_x(0.0), 16.0, "heap one")
        plot.write(114.0, y + 4, words, "t end")
        is_long = end > 330.0
        plot.write(end + (-5 if is_long else 5), y + 4, same(f"{count:,.0f}"),
                   "t end inside" if is_long else "t")  # fmt: skip
    return plot.to_svg(PLOTS["coverage"][0])


def _collect(figures: HeadFigures, estimates: Mapping[str, Estimate]) -> list[Row]:
    """Return the slices that can be drawn."""
    return [
        (SLICE_NAMES.get(name, same(name)), one)
        for name, one in estimates.items()
        if figures.slices[name].n_positive >= MIN_POSITIVES
        and all(math.isfinite(value) for value in (one.value, one.low, one.high))
    ]


def _draw_forest(axis: Axis, rows: Sequence[Row], line: float, title: Words) -> str:
    plot = Plot(axis, None, height=_AROUND + _ROW * len(rows), left=168.0)
    plot.draw_vertical(line, "ref")
    for row, (words, one) in enumerate(rows):
        y = plot.place_row(row, len(rows))
        look = "all" if row == 0 else "one"
        plot.draw_segment((plot.place_x(one.low), y), (plot.place_x(one.high), y), f"bar {look}")
        plot.draw_point(plot.place_x(one.value), y, f"point {look}")
        plot.write(162.0, y + 4, words, "t end")
    return plot.to_svg(title)


def _choose_look(direction: float) -> str:
    """Return how a bar looks; a direction that is not told is neither."""
    if direction > _SURE_DIRECTION:
        return "up"
    return "down" if direction < -_SURE_DIRECTION else "flat"
