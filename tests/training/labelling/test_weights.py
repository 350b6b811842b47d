"""Weights let the cases that were looked at stand for those that were not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from features.definitions import N_FEATURES
from training.labelling.weights import MIN_PROPENSITY, compute_weights, find_chances
from training.labels import Labels

Floats = npt.NDArray[np.float64]


def _label(value: Floats, is_seen: npt.NDArray[np.bool_], context: npt.NDArray[np.float32],
           propensity: Floats | None = None) -> Labels:  # fmt: skip
    n = len(value)
    return Labels(
        value=value,
        is_candidate=np.ones(n, np.bool_),
        is_observed=is_seen,
        is_selective=np.ones(n, np.bool_),
        context=context,
        origin=np.zeros(n, np.int64),
        propensity=np.full(n, np.nan) if propensity is None else propensity,
        is_positive_only=np.zeros(n, np.bool_),
    )


def _draw(n: int, *, by_context: bool) -> tuple[npt.NDArray[np.float32], Labels, np.ndarray]:
    """Cases whose looks decide both the outcome and the chance of a check."""
    random = np.random.default_rng(5)
    looks = random.random(n) < 0.2
    rows = np.full((n, N_FEATURES), np.nan, np.float32)
    if not by_context:
        rows[:, 3] = looks
    value = (random.random(n) < np.where(looks, 0.6, 0.05)).astype(np.float64)
    is_seen = random.random(n) < np.where(looks, 0.8, 0.1)
    context = looks[:, None].astype(np.float32) if by_context else np.zeros((n, 0), np.float32)
    return rows, _label(value, is_seen, context), random.integers(0, n // 3, n)


@pytest.mark.parametrize("by_context", [False, True])
def test_weighted_outcomes_hold_for_all_cases(by_context: bool) -> None:
    rows, labels, groups = _draw(12_000, by_context=by_context)
    everybody = np.ones(12_000, np.bool_)
    weight = compute_weights(rows, labels, groups, everybody, 1).anchor
    assert (weight[~labels.is_observed] == 0.0).all()
    assert weight.sum() == pytest.approx(12_000, rel=0.05)
    seen = labels.is_observed
    assert labels.value[seen].mean() > 1.8 * labels.value.mean()
    share = np.average(labels.value[seen], weights=weight[seen])
    assert share == pytest.approx(labels.value.mean(), rel=0.08)
    assert weight.max() <= 1.0 / MIN_PROPENSITY


def test_cases_seen_whatever_they_are_stand_for_themselves() -> None:
    rows, labels, groups = _draw(600, by_context=False)
    plain = replace(labels, is_selective=np.zeros(600, np.bool_))
    weights = compute_weights(rows, plain, groups, np.ones(600, np.bool_), 1)
    np.testing.assert_array_equal(weights.anchor, labels.is_observed.astype(np.float64))
    np.testing.assert_array_equal(weights.tree, weights.anchor)
    assert weights.effective_n == pytest.approx(labels.is_observed.sum())


def test_only_cases_of_the_part_are_looked_at() -> None:
    rows, labels, groups = _draw(2_000, by_context=False)
    is_part = np.arange(2_000) < 1_000
    weight = compute_weights(rows, labels, groups, is_part, 1).anchor
    assert (weight[1_000:] == 0.0).all()
    rows[1_000:] = 7.0
    again = compute_weights(rows, labels, groups, is_part, 1).anchor
    np.testing.assert_array_equal(weight, again)


def test_a_told_chance_is_taken_as_told_even_where_nothing_explains_it() -> None:
    rows, labels, groups = _draw(3_000, by_context=False)
    told = np.where(labels.is_observed, np.random.default_rng(1).uniform(0.01, 1.0, 3_000), np.nan)
    told[0] = 0.01
    labels = replace(labels, propensity=told)
    weights = compute_weights(rows, labels, groups, np.ones(3_000, np.bool_), 1)
    seen = labels.is_observed
    np.testing.assert_allclose(weights.anchor[seen], 1.0 / told[seen])
    np.testing.assert_allclose(weights.tree, np.sqrt(weights.anchor))


def test_a_case_known_by_a_chargeback_alone_grows_trees_and_anchors_nothing() -> None:
    rows, labels, groups = _draw(600, by_context=False)
    is_charged = ~labels.is_observed & (np.arange(600) % 9 == 0)
    labels = replace(labels, is_positive_only=is_charged)
    is_part = np.arange(600) < 500
    weights = compute_weights(rows, labels, groups, is_part, 1)
    assert (weights.anchor[is_charged] == 0.0).all()
    assert (weights.tree[is_charged & is_part] > 0.0).all()
    assert (weights.tree[500:] == 0.0).all()


@pytest.mark.parametrize("are_clerks_silent", [False, True])
def test_weighted_shares_hold_within_two_standard_errors_on_ten_seeds(
    are_clerks_silent: bool,
) -> None:
    # A lot that tells its 6 %, and clerks that look at what they see, who tell it or do not.
    n, misses = 6_000, []
    for seed in range(10):
        random = np.random.default_rng(seed)
        looks = random.random(n) < 0.3
        is_abuse = random.random(n) < np.where(looks, 0.4, 0.05)
        by_clerk = np.where(looks, 0.5, 0.04)
        is_drawn, is_referred = random.random(n) < 0.06, random.random(n) < by_clerk
        lot = np.full(n, 0.06)
        if are_clerks_silent:
            told = np.where(is_drawn, lot, np.nan)
        else:
            told = np.where(is_drawn | is_referred, 1.0 - (1.0 - lot) * (1.0 - by_clerk), np.nan)
        is_seen = is_drawn | is_referred
        chance = find_chances(looks[:, None].astype(np.float32), is_seen, told, np.arange(n), seed)
        weight = np.where(is_seen, 1.0 / chance, 0.0)
        share = np.average(is_abuse, weights=weight)
        error = np.sqrt((weight**2 * (is_abuse - share) ** 2).sum()) / weight.sum()
        misses.append((share - is_abuse.mean()) / error)
        assert np.average(is_abuse[is_seen]) > is_abuse.mean() + 4.0 * error
    # Nine of ten inside two standard errors, and no common bias.
    assert sum(abs(miss) < 2.0 for miss in misses) >= 9
    assert abs(np.mean(misses)) < 0.75
