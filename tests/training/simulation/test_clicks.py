"""Cancel clicks: drivers, offers with their propensity, potential outcomes, competing ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from training.simulation.cancelling import Temper, decide_outcome
from training.simulation.config import OfferSettings, SimulationConfig
from training.simulation.drivers import LEAVE_LOGIT
from training.simulation.gestures import (
    ANNOYED_SHARE,
    COUPON_LARGE,
    COUPON_SMALL,
    Arm,
    find_click_power,
    list_arms,
)
from training.simulation.patterns import Driver, Gesture
from training.simulation.policy import CaseView, DefaultPolicy
from training.simulation.randomness import KeyedRandom

Run = Any


@pytest.fixture(scope="module")
def clicks(default_run: Run) -> dict[str, Any]:
    return {e.event_id: e for e in default_run.of_kind("cancel_requested")}


def test_all_drivers_occur_and_a_share_would_stay_anyway(default_run: Run) -> None:
    rows = [row for row in default_run.truths if row.call == "cancellation"]
    drivers = Counter(row.driver for row in rows)
    assert set(drivers) == {driver.value for driver in Driver}
    assert max(drivers.values()) / len(rows) < 0.65
    leaving = sum(bool(row.would_leave_without_offer) for row in rows) / len(rows)
    assert 0.5 < leaving < 0.85


def test_without_an_offer_the_truth_happens(default_run: Run) -> None:
    offered = {e.offer_made.case_event_id for e in default_run.of_kind("offer_made")}
    left = {e.order_cancelled.cancel_id for e in default_run.of_kind("order_cancelled")} - {None}
    kept = {e.order_kept.cancel_id for e in default_run.of_kind("order_kept")}
    truth = {row.case_event_id: row for row in default_run.truths}
    n_checked = 0
    for event in default_run.of_kind("cancel_requested"):
        cancel_id = event.cancel_requested.cancel_id
        if event.event_id in offered or cancel_id not in left | kept:
            continue
        assert truth[event.event_id].would_leave_without_offer == (cancel_id in left)
        n_checked += 1
    assert n_checked > 500


def test_half_of_the_clicks_get_no_offer_whatever_they_are(
    default_run: Run, clicks: dict[str, Any]
) -> None:
    offered = {e.offer_made.case_event_id for e in default_run.of_kind("offer_made")}
    by_group = {
        "dear": [e for e in clicks.values() if e.cancel_requested.unit_price_minor > 40_000],
        "cheap": [e for e in clicks.values() if e.cancel_requested.unit_price_minor <= 40_000],
    }
    for group in by_group.values():
        share = sum(e.event_id in offered for e in group) / len(group)
        assert share == pytest.approx(0.5, abs=0.06)


def test_the_logged_propensity_is_the_frequency_of_the_choice(
    default_run: Run, clicks: dict[str, Any]
) -> None:
    weights: Counter[str] = Counter()
    for event in default_run.of_kind("offer_made"):
        if event.offer_made.case_event_id not in clicks:
            continue
        assert 0.0 < event.offer_made.propensity <= 0.5
        assert event.offer_made.cost_minor > 0
        weights[event.offer_made.gesture] += 1.0 / event.offer_made.propensity
    # Each gesture, weighted by 1 / propensity, stands for all clicks (a coupon twice: two levels).
    for gesture, n_levels in ((Gesture.COUPON, 2), (Gesture.PRICE_PROTECTION, 1),
                              (Gesture.SHIPPING_UPGRADE, 1), (Gesture.POINTS, 1)):  # fmt: skip
        share = weights[gesture.value] / len(clicks)
        assert share == pytest.approx(n_levels, rel=0.3)


CLICK_ARMS = list_arms("cancellation", is_sized=True, is_short=True)


@pytest.mark.parametrize("driver", list(Driver))
def test_only_the_annoyed_are_driven_away_and_an_offer_without_power_changes_nothing(
    driver: Driver,
) -> None:
    base = LEAVE_LOGIT[driver]
    for step in range(100):
        calm = Temper((step + 0.5) / 100, is_annoyed=False, grabs=True)
        plain = decide_outcome(calm, base, driver, None)
        for arm in CLICK_ARMS:
            outcome = decide_outcome(calm, base, driver, arm)
            assert plain.leaves or not outcome.leaves
            if find_click_power(arm, driver) == 0.0:
                assert outcome.leaves == plain.leaves
            annoyed = decide_outcome(calm._replace(is_annoyed=True), base, driver, arm)
            assert annoyed.leaves or not outcome.leaves
        small = decide_outcome(calm, base, driver, COUPON_SMALL)
        assert small.leaves or not decide_outcome(calm, base, driver, COUPON_LARGE).leaves


@pytest.mark.parametrize("arm", [None, *CLICK_ARMS])
def test_probabilities_of_leaving_and_taking_are_the_frequencies(arm: Arm | None) -> None:
    n, driver = 4_000, Driver.PROMISE_SLIPPED
    ends = []
    for step in range(n):
        draws = KeyedRandom(3, f"case{step}")
        temper = Temper(
            draws.uniform("u"), draws.is_hit("a", ANNOYED_SHARE), draws.is_hit("t", 0.85)
        )
        ends.append(decide_outcome(temper, 0.4, driver, arm))
    for hits, p in (
        (sum(end.leaves for end in ends), ends[0].p_leaves),
        (sum(end.takes_offer for end in ends), ends[0].p_takes),
    ):
        assert abs(hits - n * p) <= 3.0 * (n * p * (1.0 - p)) ** 0.5


def test_the_share_without_an_offer_is_as_set() -> None:
    config = SimulationConfig(offers=OfferSettings(no_offer_share=1.0))
    view = CaseView(
        call="cancellation", time_us=config.start_us, customer_id="c", value_minor=10_000,
        cost_minor=6_000, code="REASON_CODE_IMPULSE", stage="ORDER_STAGE_PAID",
        is_order_found=True, has_receipt=True, n_returns_90d=0, n_clicks=0, is_tag_on=None,
        region=0, delay_s=0, is_sized=True, is_short=False,
    )  # fmt: skip
    for step in range(50):
        assert DefaultPolicy(config).choose_offer(view, KeyedRandom(7, f"c{step}")) is None


def test_fishers_are_kept_far_more_often_than_honest_customers(default_run: Run) -> None:
    rows = [row for row in default_run.truths if row.call == "cancellation"]
    leave = {
        is_abuse: [bool(r.would_leave_without_offer) for r in rows if r.is_abuse == is_abuse]
        for is_abuse in (True, False)
    }
    assert sum(leave[True]) / len(leave[True]) < 0.2
    assert sum(leave[False]) / len(leave[False]) > 0.5


def test_other_ends_compete_with_the_click(run_world: Callable[..., Run], default_run: Run) -> None:
    ends = default_run.of_kind("order_cancelled")
    by_initiator = Counter(e.order_cancelled.initiator for e in ends)
    assert set(by_initiator) == {
        "CANCEL_INITIATOR_CUSTOMER",
        "CANCEL_INITIATOR_RETAILER",
        "CANCEL_INITIATOR_PAYMENT_LAPSE",
    }
    for event in ends:
        is_by_customer = event.order_cancelled.initiator == "CANCEL_INITIATOR_CUSTOMER"
        assert is_by_customer == bool(event.order_cancelled.cancel_id)
