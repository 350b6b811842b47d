"""Weights let the cases that were looked at stand for those that were not."""

from __future__ import annotations

import numpy as np
import pytest

from features.definitions import N_FEATURES
from training.labels import Labels
from training.propensity import MIN_PROPENSITY, compute_weights


def _draw(n: int, *, by_context: bool) -> tuple[np.ndarray, Labels, np.ndarray]:
    """Cases whose looks decide both the outcome and the chance of a check."""
    random = np.random.default_rng(5)
    looks = random.random(n) < 0.2
    rows = np.full((n, N_FEATURES), np.nan, np.float32)
    if not by_context:
        rows[:, 3] = looks
    value = (random.random(n) < np.where(looks, 0.6, 0.05)).astype(np.float64)
    is_seen = random.random(n) < np.where(looks, 0.8, 0.1)
    labels = Labels(
        value=value,
        is_candidate=np.ones(n, np.bool_),
        is_observed=is_seen,
        is_selective=np.ones(n, np.bool_),
        context=looks[:, None].astype(np.float32) if by_context else np.zeros((n, 0), np.float32),
    )
    return rows, labels, random.integers(0, n // 3, n)


@pytest.mark.parametrize("by_context", [False, True])
def test_weighted_outcomes_hold_for_all_cases(by_context: bool) -> None:
    rows, labels, groups = _draw(12_000, by_context=by_context)
    everybody = np.ones(12_000, np.bool_)
    weight = compute_weights(rows, labels, groups, everybody, 1)
    assert (weight[~labels.is_observed] == 0.0).all()
    assert weight.sum() == pytest.approx(12_000, rel=0.05)
    seen = labels.is_observed
    assert labels.value[seen].mean() > 1.8 * labels.value.mean()
    share = np.average(labels.value[seen], weights=weight[seen])
    assert share == pytest.approx(labels.value.mean(), rel=0.08)
    assert weight.max() <= 1.0 / MIN_PROPENSITY


def test_cases_seen_whatever_they_are_stand_for_themselves() -> None:
    rows, labels, groups = _draw(600, by_context=False)
    plain = Labels(
        labels.value, labels.is_candidate, labels.is_observed, np.zeros(600, np.bool_),
        labels.context,
    )  # fmt: skip
    weight = compute_weights(rows, plain, groups, np.ones(600, np.bool_), 1)
    np.testing.assert_array_equal(weight, labels.is_observed.astype(np.float64))


def test_only_cases_of_the_part_are_looked_at() -> None:
    rows, labels, groups = _draw(2_000, by_context=False)
    is_part = np.arange(2_000) < 1_000
    weight = compute_weights(rows, labels, groups, is_part, 1)
    assert (weight[1_000:] == 0.0).all()
    rows[1_000:] = 7.0
    np.testing.assert_array_equal(weight, compute_weights(rows, labels, groups, is_part, 1))
