"""Cancel clicks: drivers, offers with their propensity, potential outcomes, competing ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from training.simulation.agent import Agent
from training.simulation.cancelling import Click, Offer, choose_offer, decide_outcome
from training.simulation.config import OfferSettings, SimulationConfig
from training.simulation.ordering import plan_order
from training.simulation.patterns import Driver, Gesture
from training.simulation.population import draw_profile
from training.simulation.randomness import KeyedRandom
from training.simulation.world import World

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
        assert 0.0 < event.offer_made.propensity <= 0.5
        assert event.offer_made.cost_minor > 0
        weights[event.offer_made.gesture] += 1.0 / event.offer_made.propensity
    # Each gesture, weighted by 1 / propensity, stands for all clicks.
    for gesture in Gesture:
        assert weights[gesture.value] / len(clicks) == pytest.approx(1.0, abs=0.25)


def test_an_offer_may_keep_a_customer_but_never_drives_one_away() -> None:
    config = SimulationConfig(n_customers=50)
    world = World(config)
    for index in range(50):
        agent = Agent(draw_profile(config, index), config.seed, config.start_us)
        draws = agent.draws.narrow("s0")
        order = plan_order(world, agent, draws, config.start_us)
        for driver in Driver:
            click = Click(order.time_us + 1, driver, "REASON_CODE_OTHER", "ORDER_STAGE_PAID", 0)
            plain = decide_outcome(agent, draws, order, click, None)
            assert plain.leaves == plain.leaves_without_offer
            for gesture in Gesture:
                outcome = decide_outcome(agent, draws, order, click, Offer(gesture, 100, 0.1))
                assert outcome.leaves_without_offer == plain.leaves
                assert plain.leaves or not outcome.leaves
                assert outcome.leaves == (plain.leaves and gesture not in plain.kept_by)


def test_the_share_without_an_offer_is_as_set(default_run: Run) -> None:
    order, click = None, Click(1, Driver.IMPULSE, "REASON_CODE_IMPULSE", "ORDER_STAGE_PAID", 0)
    draws = KeyedRandom(7, "c0")
    settings = OfferSettings(no_offer_share=1.0)
    assert choose_offer(draws, settings, order, click) is None  # type: ignore[arg-type]


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
