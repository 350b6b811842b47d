"""What each offer would have changed: laws of the potential outcomes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from training.simulation.config import US_PER_DAY
from training.simulation.oracle import choose_offers
from training.simulation.truth import (
    DECISION_SCHEMA,
    DECISIONS_FILE,
    NO_GESTURE,
    OFFER_SCHEMA,
    OFFERS_FILE,
    OfferTruth,
)

Run = Any
Cases = dict[str, list[OfferTruth]]


@pytest.fixture(scope="module")
def cases(default_run: Run) -> dict[str, Cases]:
    """Rows by call and case."""
    found: dict[str, Cases] = defaultdict(lambda: defaultdict(list))
    for row in default_run.offers:
        found[row.call][row.case_event_id].append(row)
    return found


def _find_factual(rows: Iterable[OfferTruth]) -> OfferTruth:
    (factual,) = [row for row in rows if row.is_factual]
    return factual


def test_every_click_and_return_has_one_row_per_offer_and_one_of_them_happened(
    default_run: Run, cases: dict[str, Cases]
) -> None:
    for call in ("cancellation", "return"):
        ids = {row.case_event_id for row in default_run.truths if row.call == call}
        assert set(cases[call]) == ids
    assert {"order", "cancellation", "return"} == set(cases)
    for of_call in cases.values():
        for rows in of_call.values():
            arms = [(row.gesture, row.level) for row in rows]
            assert len(set(arms)) == len(arms)
            assert arms[0] == (NO_GESTURE, 0)
            assert rows[0].cost_minor == 0
            assert not rows[0].takes
            assert sum(row.is_factual for row in rows) == 1
            assert len({row.weight for row in rows}) == 1


def test_the_factual_row_of_a_click_is_what_the_log_says(
    default_run: Run, cases: dict[str, Cases]
) -> None:
    offers = {e.offer_made.case_event_id: e.offer_made for e in default_run.of_kind("offer_made")}
    taken = {
        e.offer_closed.offer_id
        for e in default_run.of_kind("offer_closed")
        if e.offer_closed.result == "OFFER_RESULT_ACCEPTED"
    }
    left = {e.order_cancelled.cancel_id for e in default_run.of_kind("order_cancelled")} - {""}
    kept = {e.order_kept.cancel_id for e in default_run.of_kind("order_kept")}
    n_compared = 0
    for event in default_run.of_kind("cancel_requested"):
        factual = _find_factual(cases["cancellation"][event.event_id])
        cancel_id = event.cancel_requested.cancel_id
        if cancel_id in left | kept:
            assert factual.keeps == (cancel_id in kept)
            n_compared += 1
        offer = offers.get(event.event_id)
        if offer is not None:
            assert (factual.gesture, factual.cost_minor) == (offer.gesture, offer.cost_minor)
            if offer.offer_id in taken:
                assert factual.takes
        elif event.ingest_time < default_run.config.end_us - 2 * US_PER_DAY:
            late = event.event_id not in offers
            assert factual.gesture == NO_GESTURE or late
    assert n_compared > 1_000


def test_the_factual_row_of_an_order_is_what_the_log_says(
    default_run: Run, cases: dict[str, Cases]
) -> None:
    end_us = default_run.config.end_us - 60 * US_PER_DAY
    left = {
        e.order_cancelled.order_id
        for e in default_run.of_kind("order_cancelled")
        if e.order_cancelled.initiator == "CANCEL_INITIATOR_CUSTOMER"
    }
    delivered = {
        e.order_delivered.order_id: e.event_time for e in default_run.of_kind("order_delivered")
    }
    returned: dict[str, int] = {}
    for e in default_run.of_kind("return_requested"):
        order_id = e.return_requested.order_id
        returned[order_id] = min(e.event_time, returned.get(order_id, e.event_time))
    n_returned = 0
    for event in default_run.of_kind("order_placed"):
        order_id = event.order_placed.order_id
        rows = cases["order"].get(event.event_id)
        if not rows or event.event_time > end_us:
            continue
        factual = _find_factual(rows)
        assert factual.gesture == NO_GESTURE
        assert factual.keeps == (order_id not in left)
        if order_id in returned and order_id in delivered:
            is_soon = returned[order_id] - delivered[order_id] <= 60 * US_PER_DAY
            assert factual.returned_60d == is_soon
            n_returned += is_soon
    assert n_returned > 50


def test_a_return_that_is_kept_leaves_no_goods_and_what_comes_back_is_received(
    default_run: Run, cases: dict[str, Cases]
) -> None:
    received = {e.return_received.return_id for e in default_run.of_kind("return_received")}
    exchanged = {e.item_exchanged.return_id for e in default_run.of_kind("item_exchanged")}
    n_kept = 0
    for event in default_run.of_kind("return_requested"):
        return_id = event.return_requested.return_id
        factual = _find_factual(cases["return"][event.event_id])
        if factual.takes and factual.gesture != "exchange":
            assert return_id not in received | exchanged
            n_kept += 1
        if return_id in exchanged:
            assert factual.keeps
    assert n_kept > 20


def test_who_buys_again_in_truth_is_seen_again_in_the_log(
    default_run: Run, cases: dict[str, Cases]
) -> None:
    """The truth foresees the next visit; only what still happens may keep a customer away."""
    visits = defaultdict(list)
    for event in default_run.of_kind("order_placed"):
        visits[event.customer_id].append(event.event_time)
    seen = []
    for event in default_run.of_kind("cancel_requested"):
        if event.event_time > default_run.config.end_us - 150 * US_PER_DAY:
            continue
        if _find_factual(cases["cancellation"][event.event_id]).repurchase_90d:
            until_us = event.event_time + 100 * US_PER_DAY
            mine = visits[event.customer_id]
            seen.append(any(event.event_time < time_us <= until_us for time_us in mine))
    assert len(seen) > 500
    assert sum(seen) / len(seen) > 0.93


@pytest.mark.parametrize("call", ["order", "cancellation", "return"])
def test_realised_outcomes_are_as_frequent_as_their_probabilities(
    cases: dict[str, Cases], call: str
) -> None:
    sums: dict[tuple[str, int, float], list[float]] = defaultdict(lambda: [0.0] * 4)
    for rows in cases[call].values():
        for row in rows:
            told = sums[row.gesture, row.level, row.weight]
            told[0] += row.keeps - row.p_keeps
            told[1] += row.p_keeps * (1.0 - row.p_keeps)
            told[2] += row.takes - row.p_takes
            told[3] += row.p_takes * (1.0 - row.p_takes)
    for off, variance, off_takes, variance_takes in sums.values():
        assert abs(off) <= 3.0 * variance**0.5 + 1e-9
        assert abs(off_takes) <= 3.0 * variance_takes**0.5 + 1e-9


def test_values_are_as_expected_in_the_mean(cases: dict[str, Cases]) -> None:
    for of_call in cases.values():
        gaps = [
            row.net_value_minor - row.expected_value_minor
            for rows in of_call.values()
            for row in rows[:1]
        ]
        mean = sum(gaps) / len(gaps)
        spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
        assert abs(mean) <= 3.5 * spread / len(gaps) ** 0.5


def test_offers_move_a_part_only_and_annoy_few(cases: dict[str, Cases]) -> None:
    mix: Counter[str] = Counter()
    for rows in cases["cancellation"].values():
        plain, *offered = rows
        if plain.keeps:
            mix["stays" if all(row.keeps for row in offered) else "worsened"] += 1
        else:
            mix["kept by some offer" if any(row.keeps for row in offered) else "lost"] += 1
    share = {name: n / sum(mix.values()) for name, n in mix.items()}
    assert 0.30 <= share["stays"] <= 0.50
    assert 0.20 <= share["lost"] <= 0.40
    assert 0.02 <= share["worsened"] <= 0.06
    assert share["kept by some offer"] >= 0.20


def test_an_oracle_spends_a_budget_better_than_a_rule(cases: dict[str, Cases]) -> None:
    rows = [row for of_case in cases["cancellation"].values() for row in of_case]
    free = choose_offers(rows)
    assert all(row.expected_value_minor >= plain.expected_value_minor
               for row, plain in zip(free.rows, free.plain, strict=True))  # fmt: skip
    budget_minor = free.expected_cost_minor / 4.0
    tight = choose_offers(rows, budget_minor)
    assert tight.expected_cost_minor <= budget_minor
    assert 0.0 < tight.gain_minor < free.gain_minor
    # Money is spent where it brings most: a quarter of it brings more than a quarter.
    assert tight.gain_minor > 0.3 * free.gain_minor
    coupon = [row for row in rows if (row.gesture, row.level) == ("coupon", 1)]
    plain = [row for row in rows if row.gesture == NO_GESTURE]
    blanket = sum(row.expected_value_minor for row in coupon) - sum(
        row.expected_value_minor for row in plain
    )
    assert free.gain_minor > 0.0
    assert free.gain_minor > blanket


def test_the_tables_are_written_beside_the_cases(default_log: Path, default_run: Run) -> None:
    offers = pq.read_table(default_log / OFFERS_FILE)
    decisions = pq.read_table(default_log / DECISIONS_FILE)
    assert offers.schema.equals(OFFER_SCHEMA)
    assert decisions.schema.equals(DECISION_SCHEMA)
    assert [tuple(row.values()) for row in offers.slice(0, 50).to_pylist()] == [
        tuple(row) for row in default_run.offers[:50]
    ]
    assert len(offers) == len(default_run.offers)
    assert len(decisions) == len(default_run.decisions)


def test_orders_not_at_risk_are_sampled_and_stand_for_all(
    run_world: Callable[..., Run], default_run: Run, cases: dict[str, Cases]
) -> None:
    ended = {
        e.order_cancelled.order_id
        for e in default_run.of_kind("order_cancelled")
        if e.order_cancelled.initiator != "CANCEL_INITIATOR_CUSTOMER"
    }
    n_orders = sum(
        e.channel != "CHANNEL_STORE" and e.order_placed.order_id not in ended
        for e in default_run.of_kind("order_placed")
    )
    weights = sum(rows[0].weight for rows in cases["order"].values())
    assert weights == pytest.approx(n_orders, rel=0.15)
