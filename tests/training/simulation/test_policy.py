"""What the shop decides and by what chance, and how customers take a VERIFY."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from training.simulation import SimulationConfig, simulate
from training.simulation.policy import Action, CaseView, DefaultPolicy, Offer
from training.simulation.randomness import KeyedRandom

Run = Any


def test_every_return_is_decided_and_the_propensity_is_the_frequency(default_run: Run) -> None:
    decisions = default_run.decisions
    returns = {e.event_id for e in default_run.of_kind("return_requested")}
    assert {row.case_event_id for row in decisions} == returns
    share = [row.propensity if row.ask_verify else 1.0 - row.propensity for row in decisions]
    off = sum(row.ask_verify for row in decisions) - sum(share)
    assert abs(off) <= 3.0 * sum(p * (1.0 - p) for p in share) ** 0.5
    audits = sum(row.is_randomised for row in decisions) / len(decisions)
    assert audits == pytest.approx(default_run.config.labels.audit_share, abs=0.012)


def test_what_is_verified_gets_a_check_and_a_label(default_run: Run) -> None:
    checked = {row.case_event_id: row.is_checked for row in default_run.truths}
    for row in default_run.decisions:
        assert bool(row.check) == row.ask_verify
        assert (row.seen_by_customer_us > row.time_us) == row.ask_verify
        if row.ask_verify:
            assert checked[row.case_event_id]


class _Verify:
    """The default shop, but every return is verified, or none."""

    def __init__(self, config: SimulationConfig, *, verifies: bool) -> None:
        self._default = DefaultPolicy(config)
        self._verifies = verifies

    def decide_return(self, case: CaseView, draws: KeyedRandom) -> Action:
        return Action(self._verifies, "video" if self._verifies else "", 1.0, is_randomised=False)

    def choose_offer(self, case: CaseView, draws: KeyedRandom) -> Offer | None:
        return self._default.choose_offer(case, draws)


@pytest.fixture(scope="module")
def worlds(run_world: Callable[..., Run], default_run: Run) -> dict[bool, Run]:
    """The same small world where every return is verified, and where none is."""
    found = {}
    for verifies in (True, False):
        collected = type(default_run)(
            SimulationConfig(n_customers=500, days=400, seed=4, abuser_scale=4.0)
        )
        policy = _Verify(collected.config, verifies=verifies)
        collected.summary = simulate(collected.config, collected, collected, policy=policy)
        found[verifies] = collected
    return found


def test_verifying_makes_abusers_careful_and_drives_some_away(worlds: dict[bool, Run]) -> None:
    abuse = {
        verifies: run.summary.cases["order"].n_abuse / run.summary.cases["order"].n_cases
        for verifies, run in worlds.items()
    }
    assert abuse[True] < 0.9 * abuse[False]
    n_orders = {verifies: run.summary.cases["order"].n_cases for verifies, run in worlds.items()}
    assert n_orders[True] < n_orders[False]


def test_a_decision_changes_nothing_before_the_customer_learns_of_it(
    worlds: dict[bool, Run],
) -> None:
    """Orders and returns of a customer are equal in both worlds until the first VERIFY."""
    learned: dict[str, int] = {}
    person = {row.case_event_id: row.person for row in worlds[True].truths}
    for row in worlds[True].decisions:
        who = person[row.case_event_id]
        learned[who] = min(row.seen_by_customer_us, learned.get(who, row.seen_by_customer_us))
    orders: list[dict[str, int]] = []
    for run in worlds.values():
        who_of = {row.case_event_id: row.person for row in run.truths}
        orders.append(
            {
                e.event_id: e.event_time
                for e in run.of_kind("order_placed")
                if e.event_time < learned.get(who_of[e.event_id], run.config.end_us)
            }
        )
    verified, free = orders
    # Shelves connect customers: what one no longer buys, another may find; so not quite all.
    common = verified.keys() & free.keys()
    assert len(common) > 0.97 * max(len(verified), len(free))


def test_offers_on_returns_are_few_and_never_on_verified_ones(default_run: Run) -> None:
    verified = {row.case_event_id for row in default_run.decisions if row.ask_verify}
    returns = {e.event_id for e in default_run.of_kind("return_requested")}
    offered = {e.offer_made.case_event_id for e in default_run.of_kind("offer_made")} & returns
    assert offered
    assert not offered & verified
    assert 0.03 < len(offered) / len(returns) < 0.10


def test_causes_show_in_the_log_and_pairs_do_more_than_their_parts(
    run_world: Callable[..., Run], default_run: Run
) -> None:
    """Who left the checkout page and waits for an answer cancels far more often."""
    rows = [row for row in default_run.truths if row.call == "cancellation"]
    pairs = Counter(row.cause_nodes for row in rows if len(row.cause_nodes) == 2)
    assert len(pairs) >= 4
    asked = {e.service_message.order_id: e.event_time
             for e in default_run.of_kind("service_message")}  # fmt: skip
    replied = {e.service_replied.order_id: e.service_replied.waited_s
               for e in default_run.of_kind("service_replied")}  # fmt: skip
    delayed = {e.delivery_delayed.order_id for e in default_run.of_kind("delivery_delayed")}
    clicked = {e.cancel_requested.order_id for e in default_run.of_kind("cancel_requested")}
    counts: dict[tuple[bool, bool], list[int]] = defaultdict(lambda: [0, 0])
    for event in default_run.of_kind("order_placed"):
        if event.channel == "CHANNEL_STORE":
            continue
        order_id = event.order_placed.order_id
        waits = order_id in asked and replied.get(order_id, 10**6) > 600
        tally = counts[order_id in delayed, waits]
        tally[0] += 1
        tally[1] += order_id in clicked
    rate = {key: n_clicked / n for key, (n, n_clicked) in counts.items()}
    assert all(n > 80 for n, _ in counts.values())
    # More than the two nodes would add if they did not meet.
    assert rate[True, True] - rate[False, False] > (
        rate[True, False] - rate[False, False] + rate[False, True] - rate[False, False]
    )
