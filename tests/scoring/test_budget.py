"""What may be spent: caps that are never exceeded, zero where nothing should be spent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.definitions import FEATURE_NAMES, N_FEATURES
from hemostat.v1 import scoring_pb2 as pb
from scoring.budget import Tier, TierName, compute_budget, compute_margin, compute_tier
from scoring.policy import load_policy

POLICY = load_policy()
ORDINARY = Tier("ordinary", 50.0)


def test_the_margin_is_value_less_cost() -> None:
    margin = compute_margin(10_000, 6_500, POLICY)
    assert (margin.amount_minor, margin.source) == (3_500, pb.MARGIN_SOURCE_UNIT_COST)


def test_a_case_sold_below_cost_has_no_margin() -> None:
    assert compute_margin(10_000, 12_000, POLICY).amount_minor == 0


@pytest.mark.parametrize(("value", "margin"), [(10_000, 3_000), (9_999, 2_999), (3, 0), (0, 0)])
def test_without_costs_the_default_margin_applies_rounded_down(value: int, margin: int) -> None:
    found = compute_margin(value, None, POLICY)
    assert (found.amount_minor, found.source) == (margin, pb.MARGIN_SOURCE_POLICY_DEFAULT)


def test_half_the_margin_may_be_spent_rounded_down() -> None:
    budget = compute_budget(3_001, ORDINARY, POLICY, is_abuse_flagged=False, p_cancel=None)
    assert (budget.amount_minor, budget.limit) == (1_500, pb.BUDGET_LIMIT_MARGIN_CAP)


@pytest.mark.parametrize(("tier", "cap"), [("high", 50_000), ("ordinary", 20_000), ("new", 10_000)])
def test_the_tier_caps_what_the_margin_would_allow(tier: TierName, cap: int) -> None:
    budget = compute_budget(10**9, Tier(tier, None), POLICY, is_abuse_flagged=False, p_cancel=0.5)
    assert (budget.amount_minor, budget.limit) == (cap, pb.BUDGET_LIMIT_TIER_CAP)


def test_flagged_abuse_gets_nothing_even_if_the_customer_would_leave() -> None:
    budget = compute_budget(10**6, ORDINARY, POLICY, is_abuse_flagged=True, p_cancel=0.9)
    assert (budget.amount_minor, budget.limit) == (0, pb.BUDGET_LIMIT_FLAGGED_ABUSE)


@pytest.mark.parametrize(("p_cancel", "amount"), [(0.0999, 0), (0.10, 500), (None, 500)])
def test_nothing_is_spent_on_whom_is_known_to_stay(p_cancel: float | None, amount: int) -> None:
    budget = compute_budget(1_000, ORDINARY, POLICY, is_abuse_flagged=False, p_cancel=p_cancel)
    assert budget.amount_minor == amount
    assert (budget.limit == pb.BUDGET_LIMIT_WOULD_STAY) == (amount == 0)


@given(st.integers(0, 10**17), st.sampled_from(["high", "ordinary", "new"]))
def test_no_cap_is_exceeded_by_even_a_fraction(value: int, tier: TierName) -> None:
    margin = compute_margin(value, None, POLICY)
    assert 0 <= margin.amount_minor <= value * Fraction(3, 10)
    budget = compute_budget(
        margin.amount_minor, Tier(tier, None), POLICY, is_abuse_flagged=False, p_cancel=None
    )
    assert 0 <= budget.amount_minor <= margin.amount_minor * Fraction(1, 2)
    assert budget.amount_minor <= getattr(POLICY.rules.budget.tier_caps_minor, tier)


def _vector(recency_days: float, orders: float, net_minor: float) -> np.ndarray:
    vector = np.full(N_FEATURES, np.nan, np.float32)
    vector[FEATURE_NAMES.index("order_recency_lifetime_days")] = recency_days
    vector[FEATURE_NAMES.index("order_count_365d")] = orders
    vector[FEATURE_NAMES.index("net_value_365d_minor")] = net_minor
    return vector


def test_the_tier_follows_from_the_rfm_score() -> None:
    best = compute_tier(pb.CUSTOMER_STATE_KNOWN, _vector(1, 20, 1e6), POLICY)
    assert best == Tier("high", 100.0)
    plain = compute_tier(pb.CUSTOMER_STATE_KNOWN, _vector(100, 2, 20_000), POLICY)
    assert plain.name == "ordinary"
    assert plain.rfm_score == 0.3 * 35 + 0.3 * 40 + 0.4 * 25


@pytest.mark.parametrize(
    "state",
    [pb.CUSTOMER_STATE_NEW, pb.CUSTOMER_STATE_GUEST, pb.CUSTOMER_STATE_UNAVAILABLE],
)
def test_who_is_not_known_has_the_lowest_tier_and_no_score(state: pb.CustomerState) -> None:
    assert compute_tier(state, _vector(1, 20, 1e6), POLICY) == Tier("new", None)
