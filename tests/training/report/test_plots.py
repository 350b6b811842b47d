"""Plots of odd cases are drawn, too: nothing found, everything found, few cases, no money."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pytest

from training.evaluation.curves import trace_curves
from training.evaluation.drivers import Driver
from training.evaluation.figures import Judged, evaluate_head
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import Floats, Resampling
from training.head_evaluation import HeadEvaluation, LabelCoverage
from training.report.language import same
from training.report.plots import plot_head
from training.report.row_plots import plot_coverage, plot_drivers, plot_ratios, plot_slices
from training.report.svg import Axis, Plot, make_ticks

FEW = Resampling(20)
Score = Callable[[Floats, np.random.Generator], Floats]

SCORES: dict[str, Score] = {
    "usual": lambda y, random: np.clip(0.3 * y + random.beta(1, 6, len(y)), 0.0, 1.0),
    "all alike": lambda y, _: np.full(len(y), 0.2),
    "perfect": lambda y, _: np.where(y > 0, 0.9, 0.1),
    "certain": lambda y, _: y.copy(),
    "tiny": lambda y, random: 1e-5 * random.random(len(y)),
    "wrong way round": lambda y, random: np.clip(0.8 - 0.5 * y + 0.1 * random.random(len(y)), 0, 1),
}


def _judge(score: Score, n: int) -> Judged:
    random = np.random.default_rng(3)
    label = (np.arange(n) % 7 == 0).astype(np.float64)
    return Judged(
        label=label,
        score=score(label, random).astype(np.float64),
        weight=random.uniform(0.5, 3.0, n),
        honesty=1.0 - label,
        cluster=np.arange(n) // 2,
        value_minor=random.lognormal(8.0, 1.0, n),
        slices={"place: elsewhere": np.arange(n) % 3 > 0, "nobody knows": np.arange(n) < n // 4},
    )


def _look_at(svg: str) -> None:
    """Every number of the drawing is one, and inside it; every text says something."""
    root = ET.fromstring(svg)
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    assert not re.search(
        r"nan|inf|None", svg.split('aria-label="', maxsplit=1)[0] + svg.split('">', 1)[1]
    )
    for path in root.iter("path"):
        numbers = [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", path.attrib["d"])]
        assert len(numbers) >= 4
        assert all(-0.1 <= x <= width + 0.1 for x in numbers[::2])
        assert all(-0.1 <= y <= height + 0.1 for y in numbers[1::2])
    for text in root.iter("text"):
        assert text.text


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("n", [14, 400])
@pytest.mark.parametrize("threshold", [None, 0.15, 0.999])
def test_any_scores_can_be_drawn(name: str, n: int, threshold: float | None) -> None:
    judged = _judge(SCORES[name], n)
    figures = evaluate_head(judged, threshold, CostMatrix(), FEW)
    curves = trace_curves(judged, CostMatrix(), FEW)
    head = HeadEvaluation(
        "abuse__return", "tenant", threshold, 0, 1, LabelCoverage(n, n, n / 2), figures, curves, ()
    )
    plots = plot_head(head, figures, curves)
    assert ("money" in plots) == (threshold is not None)
    for svg in plots.values():
        _look_at(svg)
    for found in (plot_slices(figures), plot_ratios(figures)):
        if found is not None:
            _look_at(found)


def test_rows_are_drawn_with_their_names() -> None:
    drivers = tuple(
        Driver(f"feature_{n}", 1.0 / (n + 1), direction)
        for n, direction in enumerate((0.9, -0.9, float("nan"), 0.1))
    )
    svg = plot_drivers(drivers)
    _look_at(svg)
    assert all(one.feature in svg for one in drivers)
    assert [svg.count(f'class="{look}"') for look in ("up", "down", "flat")] == [2, 2, 3]
    coverage = plot_coverage(LabelCoverage(1_234, 56, 7.8))
    _look_at(coverage)
    assert ">1,234<" in coverage
    assert ">8<" in coverage


def test_slices_with_few_positives_are_not_drawn() -> None:
    judged = _judge(SCORES["usual"], 100)
    figures = evaluate_head(judged, None, CostMatrix(), FEW)
    svg = plot_slices(figures)
    assert figures.slices["nobody knows"].n_positive < 5
    assert svg is not None
    assert "nobody knows" not in svg
    assert "place: elsewhere" in svg


def test_a_place_that_is_no_number_is_refused() -> None:
    axis = Axis(0.0, 1.0, make_ticks(0.0, 1.0), same("x"))
    with pytest.raises(ValueError, match="finite"):
        Plot(axis, axis).draw_point(float("nan"), 0.0, "dot")
