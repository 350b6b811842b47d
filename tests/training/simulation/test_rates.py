"""The default world's rates lie in the bands that docs/SIMULATION.md states."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

Run = Any
SEEDS = (7, 1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest, run_world: Callable[..., Run], default_run: Run) -> Run:
    return default_run if request.param == 7 else run_world(seed=request.param)


def _share_by_initiator(run: Run) -> dict[str, float]:
    n_orders = len(run.of_kind("order_placed"))
    ends = Counter(e.order_cancelled.initiator for e in run.of_kind("order_cancelled"))
    return {name.removeprefix("CANCEL_INITIATOR_"): n / n_orders for name, n in ends.items()}


def test_rates_lie_in_the_stated_bands(world: Run, print_result: Callable[[str], None]) -> None:
    orders = {e.order_placed.order_id: e for e in world.of_kind("order_placed")}
    returned = {e.return_requested.order_id for e in world.of_kind("return_requested")} - {""}
    returns = [row for row in world.truths if row.call == "return"]
    return_share = len(returned & set(orders)) / len(orders)
    abuse_share = sum(row.is_abuse for row in returns) / len(returns)
    ends = _share_by_initiator(world)
    print_result(
        f"simulated world, seed {world.config.seed}: {len(world.events):,} events; of orders "
        f"{return_share:.1%} returned, {ends['CUSTOMER']:.1%} cancelled by the customer, "
        f"{ends['RETAILER']:.1%} by the retailer, {ends['PAYMENT_LAPSE']:.1%} lapsed; "
        f"{abuse_share:.1%} of returns are abuse"
    )
    assert 0.15 <= return_share <= 0.21
    assert 0.09 <= abuse_share <= 0.16
    assert 0.06 <= ends["CUSTOMER"] <= 0.10
    assert 0.003 <= ends["RETAILER"] <= 0.02
    assert 0.01 <= ends["PAYMENT_LAPSE"] <= 0.05


def test_fashion_comes_back_more_often_than_the_rest(default_run: Run) -> None:
    sold: Counter[str] = Counter()
    came_back: Counter[str] = Counter()
    for event in default_run.of_kind("order_placed"):
        sold.update(line.category for line in event.order_placed.lines)
    for event in default_run.of_kind("return_requested"):
        if event.return_requested.order_id:
            came_back[event.return_requested.category] += 1
    rate = {category: came_back[category] / n for category, n in sold.items()}
    assert min(rate["women/dresses/occasion"], rate["women/dresses/day"], rate["shoes"]) > 0.12
    assert max(rate["beauty"], rate["electronics/small"], rate["home"]) < 0.12


def test_customers_shop_on_several_channels_and_return_across_them(default_run: Run) -> None:
    channels = defaultdict(set)
    for event in default_run.of_kind("order_placed"):
        channels[event.customer_id].add(event.channel)
    del channels[""]
    several = sum(len(used) > 1 for used in channels.values()) / len(channels)
    returns = [e for e in default_run.of_kind("return_requested") if e.return_requested.order_id]
    crossed = sum(e.channel != e.return_requested.order_channel for e in returns) / len(returns)
    assert several > 0.5
    assert 0.08 < crossed < 0.4


def test_most_reasons_are_the_default_of_the_drop_down(default_run: Run) -> None:
    honest = {r.case_event_id for r in default_run.truths if r.call == "return" and not r.is_abuse}
    texts = [
        e.return_requested.reason.text
        for e in default_run.of_kind("return_requested")
        if e.event_id in honest
    ]
    written = Counter(text for text in texts if text)
    assert 0.08 < sum(text is None for text in texts) / len(texts) < 0.25
    defaults = sum(n for _, n in written.most_common(30))
    assert defaults / len(texts) > 0.5
    assert len(written) > 500  # The others vary.


def test_further_wordings_appear_late_only(default_run: Run) -> None:
    later_us = default_run.config.start_us + int(
        0.7 * (default_run.config.end_us - default_run.config.start_us)
    )
    phrase = "没心动"
    times = [
        e.event_time
        for e in default_run.of_kind("return_requested")
        if phrase in (e.return_requested.reason.text or "")
    ]
    assert times
    assert min(times) >= later_us
