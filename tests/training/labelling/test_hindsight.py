"""Guesses about unchecked cases: sharper than the vector, blind to the case's own verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features.definitions import FEATURES, N_FEATURES
from features.request_rows import Call
from training.cases import CaseSet
from training.growing import HeadParameters, Part
from training.heads import fit_head, predict_probability
from training.labelling.hindsight import (
    MIN_PER_CLASS,
    _see_later,
    estimate_sensitivity,
    look_back,
)
from training.labels import Labels

QUICK = HeadParameters(max_trees=60, n_folds=2)
SEEN = 5
"""A column that weakly tells abuse."""


def _make_world(
    n: int, seed: int, checked_share: float = 0.1
) -> tuple[CaseSet, Labels, np.ndarray]:
    """Return cases of customers who always or never abuse, few of them checked."""
    random = np.random.default_rng(seed)
    group = random.integers(0, n // 4, n)
    is_abuser = random.random(n // 4) < 0.2
    truth = is_abuser[group]
    rows = random.normal(size=(n, N_FEATURES)).astype(np.float32)
    rows[:, SEEN] += truth
    context = (truth[:, None] * 1.5 + random.normal(size=(n, 1))).astype(np.float32)
    is_checked = random.random(n) < checked_share
    nothing = pa.array([""] * n)
    cases = CaseSet(
        Call.RETURN, rows, np.sort(random.integers(0, 10**13, n)), nothing, nothing, nothing,
        group, np.zeros(n, np.bool_), np.zeros(n, np.int64),
    )  # fmt: skip
    everybody = np.ones(n, np.bool_)
    labels = Labels(
        np.where(is_checked, truth, 0.0).astype(np.float64),
        everybody, is_checked, everybody, context,
        np.zeros(n, np.int64), np.full(n, np.nan), np.zeros(n, np.bool_),
    )  # fmt: skip
    return cases, labels, truth


def _rank(truth: np.ndarray, score: np.ndarray) -> float:
    order = np.argsort(score)
    ranks = np.empty(len(score))
    ranks[order] = np.arange(len(score))
    n_positive = truth.sum()
    excess = ranks[truth].sum() - n_positive * (n_positive - 1) / 2
    return float(excess / (n_positive * (~truth).sum()))


def test_guesses_rank_unchecked_cases_and_stand_for_their_share() -> None:
    cases, labels, truth = _make_world(6_000, 1)
    everybody = np.ones(len(cases), np.bool_)
    found = look_back(cases, labels, labels.is_observed.astype(float), everybody, 1)
    assert found is not None
    unknown = ~labels.is_observed
    assert _rank(truth[unknown], found.guess[unknown]) > 0.9
    assert found.guess[unknown].mean() == pytest.approx(truth[unknown].mean(), rel=0.1)
    assert (found.guess[~unknown] == labels.value[~unknown]).all()


def test_a_head_taught_by_guesses_ranks_better_than_by_checks_alone() -> None:
    cases, labels, _ = _make_world(4_000, 2)
    later, _, truth = _make_world(6_000, 3)
    weight = labels.is_observed.astype(np.float64)
    found = look_back(cases, labels, weight, np.ones(len(cases), np.bool_), 1)
    assert found is not None
    checked = Part(cases.rows, labels.value, weight, cases.group, np.ones(len(cases)))
    taught = replace(checked, lesson=found.guess, lesson_weight=np.ones(len(cases)))
    alone, helped = (
        _rank(
            truth,
            predict_probability(fit_head(p, QUICK, 1, gives_hint=False), later.rows),
        )
        for p in (checked, taught)
    )
    assert helped > alone + 0.01


def test_a_verdict_is_not_seen_by_its_own_case_but_by_the_customers_others() -> None:
    cases, labels, _ = _make_world(400, 4, checked_share=0.5)
    checked = np.flatnonzero(labels.is_observed)
    case = next(c for c in checked if (cases.group == cases.group[c]).sum() > 2)
    flipped = labels.value.copy()
    flipped[case] = 1.0 - flipped[case]
    everybody = np.ones(len(cases), np.bool_)
    before = _see_later(cases, labels, everybody)
    after = _see_later(cases, replace(labels, value=flipped), everybody)
    is_other = (cases.group == cases.group[case]) & (np.arange(len(cases)) != case)
    np.testing.assert_array_equal(before[case], after[case])
    assert (np.nan_to_num(before[is_other]) != np.nan_to_num(after[is_other])).any(axis=1).all()
    np.testing.assert_array_equal(
        before[cases.group != cases.group[case]], after[cases.group != cases.group[case]]
    )


def test_the_last_vector_comes_without_what_verdicts_made() -> None:
    cases, labels, _ = _make_world(50, 5)
    made = [f.name for f in FEATURES if "label_set" in f.events]
    assert made
    seen = _see_later(cases, labels, np.ones(50, np.bool_))
    n_own = labels.context.shape[1] * 2 + 5
    assert seen.shape[1] == n_own + N_FEATURES - len(made)


def test_honesty_is_one_less_the_customers_worst_case() -> None:
    cases, labels, truth = _make_world(6_000, 6)
    found = look_back(
        cases, labels, labels.is_observed.astype(float), np.ones(len(cases), np.bool_), 1
    )
    assert found is not None
    assert found.honesty[truth].mean() < 0.25
    assert found.honesty[~truth].mean() > 0.8
    confirmed = np.isin(cases.group, cases.group[labels.value > 0.0])
    assert (found.honesty[confirmed] == 0.0).all()
    for group in np.unique(cases.group)[:50]:
        assert np.ptp(found.honesty[cases.group == group]) == 0.0


def test_what_a_check_will_say_is_expected_without_a_look_at_what_it_said() -> None:
    cases, labels, truth = _make_world(6_000, 8)
    everybody = np.ones(len(cases), np.bool_)
    found = look_back(cases, labels, labels.is_observed.astype(float), everybody, 1)
    assert found is not None
    unknown = ~labels.is_observed
    np.testing.assert_array_equal(found.expected[unknown], found.guess[unknown])
    # Of checked cases, too, it is a guess, and a good one on average.
    checked = labels.is_observed
    assert not np.isin(found.expected[checked], [0.0, 1.0]).any()
    assert found.expected[checked].mean() == pytest.approx(truth[checked].mean(), rel=0.15)


def test_too_few_checked_cases_teach_no_teacher() -> None:
    cases, labels, _ = _make_world(300, 7, checked_share=0.05)
    assert labels.value.sum() < MIN_PER_CLASS
    everybody = np.ones(len(cases), np.bool_)
    assert look_back(cases, labels, labels.is_observed.astype(float), everybody, 1) is None


@pytest.mark.parametrize("sensitivity", [0.6, 0.8, 1.0])
def test_what_checks_overlook_shows_in_the_surest_cases(sensitivity: float) -> None:
    random = np.random.default_rng(8)
    truth = random.random(8_000) < 0.2
    guess = np.clip(random.normal(np.where(truth, 0.8, 0.2), 0.15), 0.0, 1.0)
    value = (truth & (random.random(8_000) < sensitivity)).astype(np.float64)
    assert estimate_sensitivity(guess, value) == pytest.approx(sensitivity, abs=0.06)


def test_a_chargeback_that_nobody_checked_is_no_guess() -> None:
    cases, labels, _ = _make_world(800, 3, checked_share=0.4)
    is_charged = ~labels.is_observed & (np.arange(800) % 7 == 0)
    labels = replace(
        labels, value=np.where(is_charged, 1.0, labels.value), is_positive_only=is_charged
    )
    weight = labels.is_observed.astype(np.float64)
    seen = look_back(cases, labels, weight, np.ones(800, np.bool_), 1)
    assert seen is not None
    assert (seen.guess[is_charged] == 1.0).all()
    assert (seen.honesty[is_charged] == 0.0).all()
