"""A curve mends what a line cannot, and never changes a rank."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.calibration import compute_probability, fit_platt
from training.calibration_curve import MIN_SLOPE, fit_curve

Floats = npt.NDArray[np.float64]


def _draw(n: int, seed: int) -> tuple[Floats, Floats]:
    """Return margins that are right above 3 and twice too bold below."""
    random = np.random.default_rng(seed)
    margin = np.where(random.random(n) < 0.2, 6.0, random.normal(0.0, 2.0, n))
    log_odds = np.where(margin > 3.0, margin, 0.5 * margin)
    return margin, (random.random(n) < 1.0 / (1.0 + np.exp(-log_odds))).astype(np.float64)


def _compute_error(score: Floats, label: Floats) -> float:
    parts = np.array_split(np.argsort(score, kind="stable"), 15)
    return float(sum(abs(score[p].mean() - label[p].mean()) * len(p) for p in parts) / len(score))


def test_certain_cases_and_bold_ones_are_both_right() -> None:
    margin, label = _draw(20_000, 1)
    later, truth = _draw(20_000, 2)
    ones = np.ones(len(margin))
    by_curve = fit_curve(margin, label, ones).compute_probability(later)
    by_line = compute_probability(later, fit_platt(margin, label, ones))
    assert _compute_error(by_curve, truth) < 0.016
    assert _compute_error(by_line, truth) > 0.02


@given(
    n=st.integers(2, 60),
    n_values=st.integers(1, 60),
    seed=st.integers(0, 10_000),
    n_knots=st.integers(2, 9),
)
@settings(max_examples=60, deadline=None)
def test_it_rises_strictly_for_any_cases(n: int, n_values: int, seed: int, n_knots: int) -> None:
    random = np.random.default_rng(seed)
    margin = random.integers(0, n_values, n) / 7.0
    label = (random.random(n) < 0.4).astype(np.float64)
    curve = fit_curve(margin.astype(np.float64), label, random.random(n) + 0.1, n_knots=n_knots)
    assert len(curve.margin) <= n_knots
    assert (np.diff(curve.margin) > 0.0).all()
    slopes = np.diff(curve.log_odds) / np.diff(curve.margin)
    assert (slopes >= MIN_SLOPE * 0.999).all()
    grid = np.linspace(-9.0, 17.0, 200)
    assert (np.diff(curve.compute_probability(grid)) > 0.0).all()


def test_a_case_that_stands_for_three_counts_as_three() -> None:
    margin, label = _draw(300, 3)
    weight: Floats = 1.0 + 2.0 * (np.arange(300) % 2).astype(np.float64)
    repeated = np.repeat(np.arange(300), weight.astype(int))
    one = fit_curve(margin, label, weight, effective_n=300.0)
    other = fit_curve(margin[repeated], label[repeated], np.ones(len(repeated)), effective_n=300.0)
    assert one.margin == pytest.approx(other.margin)
    assert one.log_odds == pytest.approx(other.log_odds)
