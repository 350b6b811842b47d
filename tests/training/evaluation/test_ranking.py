"""Metrics equal scikit-learn's, and their bounds resample customers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from training.evaluation.calibration_figures import (
    compute_brier,
    compute_calibration_error,
    compute_reliability,
)
from training.evaluation.ranking import (
    ScoredCases,
    bootstrap_pr_auc_difference,
    bootstrap_ranking,
    compute_pr_auc,
    compute_prevalence,
    compute_roc_auc,
)


def _draw(n: int, seed: int, n_groups: int = 50) -> ScoredCases:
    random = np.random.default_rng(seed)
    score = np.round(random.random(n), 2)  # Ties.
    label = (random.random(n) < score * 0.4).astype(np.float64)
    return ScoredCases(label, score, random.uniform(0.5, 20.0, n), random.integers(0, n_groups, n))


@pytest.mark.parametrize("seed", range(5))
def test_weighted_figures_equal_scikit_learn(seed: int) -> None:
    cases = _draw(400, seed)
    y, s, w = cases.label, cases.score, cases.weight
    assert compute_pr_auc(cases) == pytest.approx(average_precision_score(y, s, sample_weight=w))
    assert compute_roc_auc(cases) == pytest.approx(roc_auc_score(y, s, sample_weight=w))
    assert compute_brier(cases) == pytest.approx(brier_score_loss(y, s, sample_weight=w))


def test_a_weight_counts_as_that_many_cases() -> None:
    label, score = np.array([1.0, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.4, 0.4, 0.1])
    weight = np.array([1.0, 3, 2, 1, 4])
    times = weight.astype(int)
    one = ScoredCases(label, score, weight, np.arange(5))
    n = int(times.sum())
    many = ScoredCases(np.repeat(label, times), np.repeat(score, times), np.ones(n), np.arange(n))
    for compute in (compute_pr_auc, compute_roc_auc, compute_prevalence, compute_brier):
        assert compute(one) == pytest.approx(compute(many))


def test_calibrated_scores_have_a_small_error_and_shifted_ones_theirs() -> None:
    random = np.random.default_rng(0)
    score = random.beta(1, 9, 200_000)
    label = (random.random(len(score)) < score).astype(np.float64)
    ones = np.ones(len(score))
    cases = ScoredCases(label, score, ones, np.arange(len(score)))
    assert compute_calibration_error(cases) < 0.004
    shifted = ScoredCases(label, score + 0.05, ones, np.arange(len(score)))
    assert compute_calibration_error(shifted) == pytest.approx(0.05, abs=0.004)


def test_reliability_bins_hold_equal_weight() -> None:
    cases = _draw(5_000, 1)
    bins = compute_reliability(cases)
    assert len(bins.weight) == 15
    assert bins.weight.sum() == pytest.approx(cases.weight.sum())
    assert bins.weight.max() < 1.1 * bins.weight.min()


def test_bounds_are_wider_when_customers_hold_many_cases() -> None:
    many = _draw(2_000, 3, n_groups=2_000)
    alone = ScoredCases(many.label, many.score, many.weight, np.arange(2_000))
    # The same cases told ten times by ten times the rows are no more evidence.
    copies = ScoredCases(
        np.tile(alone.label, 10),
        np.tile(alone.score, 10),
        np.tile(alone.weight, 10),
        np.tile(alone.group, 10),
    )
    one, _ = bootstrap_ranking(alone, 200, 0)
    ten, _ = bootstrap_ranking(copies, 200, 0)
    naive, _ = bootstrap_ranking(
        ScoredCases(copies.label, copies.score, copies.weight, np.arange(20_000)), 200, 0
    )
    assert ten.value == pytest.approx(one.value)
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.05)
    assert naive.high - naive.low < 0.6 * (one.high - one.low)


def test_the_difference_is_paired() -> None:
    cases = _draw(1_000, 4)
    same = bootstrap_pr_auc_difference(cases, cases.score.copy(), 50, 0)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    noise = np.random.default_rng(0).random(1_000)
    better = bootstrap_pr_auc_difference(cases, noise, 200, 0)
    assert better.low > 0.0


def test_without_positives_ranking_is_not_defined() -> None:
    none = ScoredCases(np.zeros(4), np.arange(4) / 4, np.ones(4), np.arange(4))
    assert np.isnan(compute_pr_auc(none))
    assert np.isnan(compute_roc_auc(none))
