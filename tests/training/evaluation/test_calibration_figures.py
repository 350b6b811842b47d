"""Calibration figures equal references, and find the faults that are planted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.evaluation.calibration_figures import (
    compute_brier_skill,
    compute_calibration_error,
    compute_error_floor,
    compute_observed_to_expected,
    fit_calibration_line,
)
from training.evaluation.ranking import ScoredCases
from training.evaluation.resampling import Floats


def _make(score: Floats, true: Floats, seed: int = 1, weight: Floats | None = None) -> ScoredCases:
    random = np.random.default_rng(seed)
    n = len(score)
    label = (random.random(n) < true).astype(np.float64)
    return ScoredCases(label, score, np.ones(n) if weight is None else weight, np.arange(n))


def _draw_true(n: int, seed: int = 5) -> Floats:
    return np.random.default_rng(seed).beta(1.0, 7.0, n)


@pytest.mark.parametrize("seed", range(3))
def test_the_line_equals_logistic_regression_on_the_logit(seed: int) -> None:
    true = _draw_true(3_000, seed)
    weight = np.random.default_rng(seed).uniform(0.5, 4.0, len(true))
    cases = _make(true**1.3, true, seed, weight)
    logit = np.log(cases.score) - np.log1p(-cases.score)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000)
    reference.fit(logit[:, None], cases.label, sample_weight=cases.weight)
    line = fit_calibration_line(cases)
    assert line.slope == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert line.intercept == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_true_probabilities_lie_on_the_line_and_extreme_ones_below_it() -> None:
    true = _draw_true(200_000)
    honest = fit_calibration_line(_make(true, true))
    assert honest.slope == pytest.approx(1.0, abs=0.03)
    assert honest.intercept == pytest.approx(0.0, abs=0.06)
    logit = np.log(true) - np.log1p(-true)
    boastful = 1.0 / (1.0 + np.exp(-2.0 * logit))
    assert fit_calibration_line(_make(boastful, true)).slope == pytest.approx(0.5, abs=0.02)


def test_there_is_no_line_through_one_class_or_one_prediction() -> None:
    flat = ScoredCases(np.array([0.0, 1.0, 0.0]), np.full(3, 0.3), np.ones(3), np.arange(3))
    alike = ScoredCases(np.zeros(3), np.array([0.1, 0.2, 0.3]), np.ones(3), np.arange(3))
    divided = ScoredCases(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.7, 0.9]),
                          np.ones(4), np.arange(4))  # fmt: skip
    for cases in (flat, alike, divided):
        assert np.isnan(fit_calibration_line(cases).slope)


@pytest.mark.parametrize("n", [400, 5_000])
def test_the_floor_is_what_true_probabilities_show(n: int) -> None:
    true = _draw_true(n)
    weight = np.random.default_rng(0).uniform(1.0, 3.0, n)
    shown = [compute_calibration_error(_make(true, true, seed, weight)) for seed in range(60)]
    floor = compute_error_floor(_make(true, true, 0, weight))
    assert floor == pytest.approx(float(np.mean(shown)), rel=0.12)


def test_the_top_is_told_apart_from_the_rest() -> None:
    true = _draw_true(100_000)
    cases = _make(true, true)
    assert compute_observed_to_expected(cases) == pytest.approx(1.0, abs=0.1)
    is_top = true >= np.quantile(true, 0.99)
    timid = np.where(is_top, true / 2.0, true)
    ranked = ScoredCases(cases.label[is_top], timid[is_top], cases.weight[is_top],
                         cases.group[is_top])  # fmt: skip
    assert compute_observed_to_expected(ranked, 1.0) == pytest.approx(2.0, abs=0.2)


def test_equal_predictions_at_the_edge_do_not_depend_on_their_order() -> None:
    label = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    score = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1])
    found = []
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 4, 0, 5, 1, 3]):
        cases = ScoredCases(label[order], score[order], np.ones(6), np.arange(6))
        found.append(compute_observed_to_expected(cases, 0.5))
    # One of 0.9 and two of the four at 0.5, of which one in four ended so.
    assert found == pytest.approx([1.5 / 1.9] * 3)


def test_a_constant_has_no_skill_and_the_truth_has_all() -> None:
    label = np.array([1.0, 0.0, 0.0, 1.0])
    ones, groups = np.ones(4), np.arange(4)
    assert compute_brier_skill(ScoredCases(label, np.full(4, 0.5), ones, groups)) == 0.0
    assert compute_brier_skill(ScoredCases(label, label, ones, groups)) == 1.0
    assert np.isnan(compute_brier_skill(ScoredCases(np.zeros(4), label, ones, groups)))
