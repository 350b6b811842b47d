"""Margins to probabilities, and the threshold that spares good customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import (
    LookErrors,
    choose_threshold,
    compute_probability,
    fit_platt,
)


def test_platt_finds_the_distortion_of_margins() -> None:
    random = np.random.default_rng(1)
    true_margin = random.normal(-2.0, 1.5, 100_000)
    label = (random.random(100_000) < 1 / (1 + np.exp(-true_margin))).astype(np.float64)
    found = fit_platt((true_margin - 0.7) / 2.0, label, np.ones(100_000))
    assert found.slope == pytest.approx(2.0, rel=0.03)
    assert found.intercept == pytest.approx(0.7, abs=0.05)


def test_weights_anchor_the_mean_probability() -> None:
    random = np.random.default_rng(2)
    margin = random.normal(0.0, 1.0, 20_000)
    label = (random.random(20_000) < 0.3).astype(np.float64)
    weight = np.where(label > 0, 1.0, 7.0)
    score = compute_probability(margin, fit_platt(margin, label, weight))
    wanted = np.average(label, weights=weight)
    assert np.average(score, weights=weight) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("sign", [-1.0, 0.0])
def test_margins_without_use_give_the_prevalence(sign: float) -> None:
    random = np.random.default_rng(3)
    label = (random.random(5_000) < 0.1).astype(np.float64)
    margin = sign * (label + random.normal(0.0, 0.5, 5_000))
    found = fit_platt(margin, label, np.ones(5_000))
    assert found.slope > 0.0
    assert compute_probability(margin, found) == pytest.approx(label.mean(), abs=0.01)


def test_few_positives_do_not_make_it_certain() -> None:
    margin = np.concatenate([np.full(20, 1.0), np.full(20, -1.0)])
    label = (margin > 0).astype(np.float64)
    score = compute_probability(margin, fit_platt(margin, label, np.ones(40)))
    assert 0.9 < score.max() < 0.97


@given(
    scores=st.lists(st.integers(0, 999), min_size=1, max_size=200),
    target=st.floats(0.0, 0.5),
)
def test_no_more_good_cases_are_flagged_than_allowed(scores: list[int], target: float) -> None:
    score = np.array(scores) / 1_000
    threshold = choose_threshold(score, target)
    assert (score >= threshold).mean() <= target
    # Midway between scores: rounding of another runtime changes no hint.
    assert np.abs(score - threshold).min() > 1e-6 or threshold > score.max()


@given(
    cases=st.lists(st.tuples(st.integers(0, 999), st.floats(0.0, 1.0)), min_size=1, max_size=200),
    target=st.floats(0.0, 0.5),
)
def test_doubtful_honesty_counts_by_its_share(
    cases: list[tuple[int, float]], target: float
) -> None:
    score, honesty = (np.array(column) for column in zip(*cases, strict=True))
    score = score / 1_000
    threshold = choose_threshold(score, target, honesty)
    assert honesty[score >= threshold].sum() <= target * honesty.sum() * (1 + 1e-9)
    certain = honesty == 1.0
    if certain.all():
        assert threshold == choose_threshold(score, target)


def test_probabilities_are_of_the_case_where_labels_err() -> None:
    random = np.random.default_rng(9)
    n = 200_000
    margin = random.normal(-1.5, 1.2, n)
    truth = random.random(n) < 1.0 / (1.0 + np.exp(-(1.4 * margin - 0.6)))
    looked_at = random.random(n) < 0.7  # The others' labels are right.
    missed = np.where(looked_at, 0.2, 0.0)
    blamed = np.where(looked_at, 0.02, 0.0)
    label = np.where(truth, random.random(n) >= missed, random.random(n) < blamed).astype(float)
    errors = LookErrors(missed, blamed)
    found = fit_platt(margin, label, np.ones(n), errors)
    assert found.slope == pytest.approx(1.4, abs=0.05)
    assert found.intercept == pytest.approx(-0.6, abs=0.05)
    score = compute_probability(margin, found)
    assert score.mean() == pytest.approx(truth.mean(), rel=0.02)
    assert errors.find_seen(score).mean() == pytest.approx(label.mean(), rel=0.01)
    naive = compute_probability(margin, fit_platt(margin, label, np.ones(n)))
    assert naive.mean() < 0.96 * truth.mean()
