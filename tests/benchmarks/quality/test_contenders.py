"""What contenders are told of a return, and that they learn what can be learned from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from benchmarks.quality.contenders import Task
from benchmarks.quality.contenders.logistic import Logistic
from benchmarks.quality.contenders.returnguard import (
    ReturnGuard,
    Settings,
    choose_settings,
    list_calls,
    score_calls,
)
from benchmarks.quality.contenders.rules import Rules
from benchmarks.quality.history import ReturnFacts
from features.definitions import FEATURES
from training.growing import Part

N = 900


def make_returns() -> ReturnFacts:
    """Return made-up returns; every tenth is of a customer confirmed three times before."""
    random = np.random.default_rng(3)
    is_known_abuser = np.arange(N) % 10 == 0
    n_orders = random.integers(3, 12, N)
    return ReturnFacts(
        customer=np.arange(N) // 2,
        n_orders=n_orders,
        n_returns=np.where(is_known_abuser, n_orders, 1),
        n_returns_90d=np.where(is_known_abuser, 5, 0),
        n_confirmed=np.where(is_known_abuser, 3, 0),
        returned_minor=random.uniform(1_000.0, 9_000.0, N),
        n_changed_mind=np.zeros(N, np.int64),
        value_minor=random.uniform(1_000.0, 90_000.0, N),
        held_days=np.full(N, 5.0),
        since_order_days=np.where(np.arange(N) % 7 == 0, np.nan, 9.0),
        has_receipt=np.arange(N) % 7 != 0,
        is_gift_card=np.zeros(N, np.bool_),
        reason=np.array(["REASON_CODE_CHANGED_MIND", "REASON_CODE_NOT_DELIVERED"])[
            np.arange(N) % 2
        ],
        is_guest=np.arange(N) % 50 == 1,
        time_us=np.full(N, 1_700_000_000_000_000),
    )


def make_task() -> Task:
    """Return a task over `make_returns`: two thirds to learn from, the rest to score."""
    facts = make_returns()
    is_train = np.arange(N) < 600
    rows = np.random.default_rng(4).normal(size=(N, len(FEATURES))).astype(np.float32)
    rows = np.where(rows > 2.5, np.nan, rows)
    label = (np.arange(600) % 10 == 0).astype(np.float64)
    train = Part(rows[:600], label, np.ones(600), np.arange(600), 1.0 - label)
    return Task(train, rows[600:], facts, is_train, ~is_train)


def test_contenders_rank_known_abusers_first_and_set_a_threshold_before_the_cut() -> None:
    task = make_task()
    is_abuse = np.arange(600, N) % 10 == 0
    for contender in (ReturnGuard(), Rules(), Logistic()):
        scored = contender.run(task)
        assert scored.score.shape == (300,), contender.name
        assert scored.score[is_abuse].mean() > scored.score[~is_abuse].mean(), contender.name
        assert (scored.score[~is_abuse] >= scored.threshold).mean() < 0.05, contender.name
        again = contender.run(task)
        assert np.array_equal(scored.score, again.score), contender.name


def test_labels_after_the_cut_reach_no_contender() -> None:
    task = make_task()
    hidden = replace(task.facts, n_confirmed=np.where(task.is_test, 0, task.facts.n_confirmed))
    assert Rules().run(task).threshold == Rules().run(replace(task, facts=hidden)).threshold


def test_the_package_gets_dates_reasons_and_the_profile_as_they_are() -> None:
    facts = make_returns()
    tenure = np.array([400.0, np.nan, 3.0], np.float32)
    chosen = np.isin(np.arange(N), [0, 1, 2])
    calls = list_calls(facts, chosen, tenure)
    request, profile = calls[2]
    assert request.days_since_purchase == 9
    assert request.return_date == datetime.fromtimestamp(1_700_000_000, UTC)
    assert request.reason.value == "changed_mind"
    assert request.metadata["claimed_empty_box"] is False
    assert "account_created_at" in request.metadata
    assert profile is not None
    assert profile.total_orders == facts.n_orders[2]
    no_receipt, abuser = calls[0]
    assert no_receipt.days_since_purchase == 0
    assert abuser is not None
    assert abuser.flagged_count == 3
    guest_request, guest = calls[1]
    assert guest is None
    assert guest_request.metadata == {"claimed_empty_box": True}


def test_settings_are_kept_only_if_they_rank_better() -> None:
    facts = make_returns()
    tenure = np.full(N, np.nan, np.float32)
    calls = list_calls(facts, np.ones(N, np.bool_), tenure)
    nothing = choose_settings(calls, np.ones(N), np.ones(N))
    assert nothing == Settings()
    assert set(np.round(score_calls(calls, Settings()), 4)) != {0.0}
