"""The shop side: prices move demand, shelves empty, styles come and go, carriers and desks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from features.errors import ConfigError
from training.simulation import SimulationConfig
from training.simulation.carriers import CARRIERS, LANES
from training.simulation.catalogue import Catalogue
from training.simulation.config import (
    US_PER_DAY,
    CarrierDelay,
    PolicyChange,
    PriceOverride,
    StockSettings,
)
from training.simulation.logistics import REGIONS
from training.simulation.world import World

Run = Any
SMALL = {"n_customers": 600, "days": 150, "seed": 5}
FROM_DAY = 60
PLACE = 4


def _count_units(run: Run, style_id: str, from_day: int = FROM_DAY) -> int:
    from_us = run.config.start_us + from_day * US_PER_DAY
    return sum(
        line.quantity
        for event in run.of_kind("order_placed")
        if event.event_time >= from_us
        for line in event.order_placed.lines
        if line.style == style_id
    )


@pytest.fixture(scope="module")
def usual(run_world: Callable[..., Run]) -> Run:
    return run_world(**SMALL)


def test_a_lower_price_sells_more_of_that_style_and_a_higher_one_less(
    run_world: Callable[..., Run], usual: Run, print_result: Callable[[str], None]
) -> None:
    style = Catalogue(usual.config).find_style(PLACE, FROM_DAY)
    sold = {}
    for factor in (0.6, 1.0, 1.6):
        override = PriceOverride(style=PLACE, from_day=FROM_DAY, factor=factor)
        run = run_world(**SMALL, price_overrides=(override,))
        sold[factor] = _count_units(run, style.style_id)
        assert _count_units(run, style.style_id, 0) - sold[factor] == (
            _count_units(usual, style.style_id, 0) - _count_units(usual, style.style_id)
        )
    print_result(f"units sold at price factors 0.6, 1, 1.6: {sold}")
    assert sold[0.6] > 1.3 * sold[1.0]
    assert sold[1.6] < 0.7 * sold[1.0]


def test_appeal_falls_with_the_price_and_most_for_the_price_sensitive() -> None:
    day = 40
    overrides = tuple(
        PriceOverride(style=place, from_day=0, factor=1.25) for place in range(0, 60, 2)
    )
    before = World(SimulationConfig(days=60))
    after = World(SimulationConfig(days=60, price_overrides=overrides))
    n_compared = 0
    for place in range(60):
        style = before.catalogue.find_style(place, day)
        lost, is_sure = [], False
        for sensitivity in (0.1, 0.7):
            old = before.prices.compute_appeal(style, day, "", sensitivity)
            new = after.prices.compute_appeal(style, day, "", sensitivity)
            lost.append(1.0 - new / old)
            is_sure |= old == 1.0
        if place % 2 == 1:
            assert lost == [0.0, 0.0]
        elif not is_sure:  # What is cleared far below its list price is taken anyway.
            assert 0.0 < lost[0] < lost[1]
            n_compared += 1
    assert n_compared > 20


def test_the_price_of_one_sku_leaves_its_sisters_alone() -> None:
    config = SimulationConfig(days=60)
    style = Catalogue(config).find_style(PLACE, 30)
    skus = [style.make_sku(size, colour) for size in "SML" for colour in style.colours]
    override = PriceOverride(sku=skus[1], from_day=30, factor=0.5)
    before = World(config).prices
    after = World(config.model_copy(update={"price_overrides": (override,)})).prices
    changed = [sku for sku in skus if before.quote(style, 30, sku) != after.quote(style, 30, sku)]
    assert changed == [skus[1]]
    assert before.quote(style, 29, skus[1]) == after.quote(style, 29, skus[1])
    told = {(c.day, c.sku) for c in after.iterate_changes()}
    assert told - {(c.day, c.sku) for c in before.iterate_changes()} == {(30, skus[1])}


def test_a_price_of_a_sku_that_nobody_sells_is_refused() -> None:
    override = PriceOverride(sku="st00000000-M-red", from_day=3, factor=0.9)
    with pytest.raises(ConfigError, match="SKU"):
        World(SimulationConfig(price_overrides=(override,)))


def test_styles_come_and_go_and_none_is_sold_outside_its_life(default_run: Run) -> None:
    config = default_run.config
    catalogue = Catalogue(config)
    lives = {style.style_id: (style.launch_day, style.end_day) for style in catalogue.styles}
    assert sum(launch > 0 for launch, _ in lives.values()) > 20
    for event in default_run.of_kind("order_placed"):
        day = (event.event_time - config.start_us) // US_PER_DAY
        for line in event.order_placed.lines:
            launch, end = lives[line.style]
            # A cart may be ordered some days after its style has left the shelf.
            assert launch <= day < end + 40
    for style in catalogue.styles:
        if 0 < style.end_day < config.days:
            following = catalogue.find_style(style.shelf, style.end_day)
            assert following.launch_day == style.end_day
            assert following.category is style.category
            assert following.style_id != style.style_id


def test_a_longer_horizon_keeps_the_styles_of_a_shorter_one() -> None:
    short, long = (Catalogue(SimulationConfig(days=days)) for days in (100, 900))
    for place in range(180):
        for day in range(0, 100, 7):
            a, b = short.find_style(place, day), long.find_style(place, day)
            assert (a.style_id, a.end_day) == (b.style_id, b.end_day)
            assert [f for d, f in zip(a.price_days, a.price_factors, strict=False) if d < 100] == [
                f for d, f in zip(b.price_days, b.price_factors, strict=False) if d < 100
            ]


def test_scarce_shelves_run_short_more_often(run_world: Callable[..., Run], usual: Run) -> None:
    scarce = run_world(**SMALL, stock=StockSettings(cover=0.35))
    n_usual, n_scarce = (len(run.of_kind("stock_short")) for run in (usual, scarce))
    assert n_scarce > 1.5 * n_usual > 0
    placed = {e.order_placed.order_id: e.order_placed for e in scarce.of_kind("order_placed")}
    for event in scarce.of_kind("stock_short"):
        order = placed.get(event.stock_short.order_id)
        assert order is None or event.stock_short.sku in {line.sku for line in order.lines}


def test_units_on_hand_fall_by_sales_of_the_days_before_and_come_back() -> None:
    world = World(SimulationConfig(days=200))
    style = next(s for s in world.catalogue.styles if s.end_day > 1_000)
    item = style, "M" if style.category.is_sized else "", style.colours[0]
    base = world.stock.count_on_hand(*item, 10)
    world.stock.take(*item, 2, 10)
    assert world.stock.count_on_hand(*item, 10) == base
    assert world.stock.count_on_hand(*item, 11) == base - 2
    world.stock.put_back(*item, 1, 10, 12)
    assert world.stock.count_on_hand(*item, 13) == base - 1
    assert world.stock.count_on_hand(*item, 60) == base


def test_every_region_has_several_carriers_and_the_dear_ones_are_quicker(default_run: Run) -> None:
    assert len(LANES) == len(REGIONS)
    used: dict[str, Counter[str]] = {region.name: Counter() for region in REGIONS}
    shipped = {}
    for event in default_run.of_kind("order_shipped"):
        used[event.order_shipped.region][event.order_shipped.carrier] += 1
        shipped[event.order_shipped.order_id] = event
    assert all(len(names) >= 2 for names in used.values())
    days: dict[str, list[float]] = {carrier.name: [] for carrier in CARRIERS}
    for event in default_run.of_kind("order_delivered"):
        start = shipped.get(event.order_delivered.order_id)
        if start is not None and start.order_shipped.region == "south":
            took = (event.event_time - start.event_time) / US_PER_DAY
            days[start.order_shipped.carrier].append(took)
    means = {name: sum(took) / len(took) for name, took in days.items() if took}
    assert means["sf"] < means["zto"] < means["yto"]


def test_a_slower_carrier_delays_its_own_parcels_only_and_fills_the_desks(
    run_world: Callable[..., Run], usual: Run
) -> None:
    delay = CarrierDelay(carrier="zto", from_day=FROM_DAY, delay_days=5.0)
    slow = run_world(**SMALL, carrier_delays=(delay,))
    from_us = slow.config.start_us + FROM_DAY * US_PER_DAY
    carrier = {
        e.order_shipped.order_id: e.order_shipped.carrier for e in slow.of_kind("order_shipped")
    }
    before = {e.order_delivered.order_id: e.event_time for e in usual.of_kind("order_delivered")}
    n_later = 0
    for event in slow.of_kind("order_delivered"):
        order_id = event.order_delivered.order_id
        if order_id in before and before[order_id] != event.event_time:
            assert carrier[order_id] == "zto"
            assert before[order_id] >= from_us
            n_later += 1
    assert n_later > 20
    central = [region.name for region in REGIONS].index("central")
    desks = [World(run.config).service for run in (usual, slow)]
    waits = [desk.compute_wait_factor(central, FROM_DAY + 10) for desk in desks]
    assert waits[1] > waits[0]
    assert desks[0].compute_wait_factor(central, FROM_DAY) == (
        desks[1].compute_wait_factor(central, FROM_DAY)
    )


def test_an_unknown_carrier_is_refused() -> None:
    delay = CarrierDelay(carrier="snail", from_day=3, delay_days=1.0)
    with pytest.raises(ConfigError, match="carrier"):
        World(SimulationConfig(carrier_delays=(delay,)))


def test_new_terms_hold_for_orders_and_clicks_from_their_day_on(
    run_world: Callable[..., Run],
) -> None:
    change = PolicyChange(from_day=FROM_DAY, return_window_days=14, no_offer_share=1.0)
    run = run_world(**SMALL, policy_changes=(change,))
    from_us = run.config.start_us + FROM_DAY * US_PER_DAY
    for event in run.of_kind("order_placed"):
        assert event.order_placed.return_window_days == (14 if event.event_time >= from_us else 30)
    clicks = {event.event_id for event in run.of_kind("cancel_requested")}
    offers = run.of_kind("offer_made")
    made = [e.event_time for e in offers if e.offer_made.case_event_id in clicks]
    assert made
    assert max(made) < from_us + US_PER_DAY
    for event in run.of_kind("return_requested"):
        request = event.return_requested
        if request.order_id and request.order_time >= from_us:
            assert request.return_window_days == 14
