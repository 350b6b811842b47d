"""The diff of a what-if: what it must accept, and what it must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from training.simulation.catalogue import Catalogue
from training.simulation.closure import Cell, Change, Reason
from training.simulation.config import (
    US_PER_DAY,
    CarrierDelay,
    CustomerOverride,
    PolicyChange,
    PriceOverride,
    StockSettings,
)
from training.simulation.diff import DiffReport, compare_logs, from_struct
from training.simulation.population import draw_profile

Run = Any
FROM_DAY = 60
SMALL = {"n_customers": 400, "days": 150, "seed": 5}
AMPLE = StockSettings()
SCARCE = StockSettings(cover=0.3)


@pytest.fixture(scope="module", params=[AMPLE, SCARCE], ids=["ample", "scarce"])
def usual(request: pytest.FixtureRequest, run_world: Callable[..., Run]) -> Run:
    return run_world(**SMALL, stock=request.param)


def _vary(run_world: Callable[..., Run], usual: Run, **changes: Any) -> Run:
    return run_world(**SMALL, stock=usual.config.stock, **changes)


def _compare(usual: Run, other: Run, cell: Cell, name: str, day: int = FROM_DAY) -> DiffReport:
    change = Change(cell, name, usual.config.start_us + day * US_PER_DAY)
    return compare_logs(
        lambda: map(from_struct, usual.events), lambda: map(from_struct, other.events), change
    )


def _find_best_seller(run: Run) -> str:
    from_us = run.config.start_us + FROM_DAY * US_PER_DAY
    sold = Counter(
        line.sku
        for event in run.of_kind("order_placed")
        if event.event_time >= from_us
        for line in event.order_placed.lines
    )
    return str(sold.most_common(1)[0][0])


def test_one_skus_price_changes_nothing_before_its_day_and_only_what_follows_from_that_sku(
    run_world: Callable[..., Run], usual: Run, print_result: Callable[[str], None]
) -> None:
    sku = _find_best_seller(usual)
    override = PriceOverride(sku=sku, from_day=FROM_DAY, factor=0.8)
    report = _compare(usual, _vary(run_world, usual, price_overrides=(override,)), Cell.SKU, sku)
    print_result(
        f"price of {sku} down 20 % from day {FROM_DAY}, cover {usual.config.stock.cover:g}: "
        f"{report.n_common:,} events equal, {len(report.differences):,} differ, "
        f"{report.n_early} before the day, {report.n_unexplained} unexplained; "
        f"{report.count_by_reason()}"
    )
    assert report.n_early == 0
    assert report.n_unexplained == 0
    assert report.is_clean
    assert len(report.differences) > 5
    touched = {d.entity for d in report.differences}
    assert len(touched) < 0.2 * SMALL["n_customers"]  # Most of the shop never notices.


def test_a_styles_price_reaches_others_only_through_the_shelf(
    run_world: Callable[..., Run], usual: Run
) -> None:
    style_id = Catalogue(usual.config).find_style(4, FROM_DAY).style_id
    override = PriceOverride(style=4, from_day=FROM_DAY, factor=0.7)
    report = _compare(
        usual, _vary(run_world, usual, price_overrides=(override,)), Cell.STYLE, style_id
    )
    assert report.is_clean
    assert report.count_by_reason()["changed"] > 0
    # Households pay with a shared card: the one thing that ties visits without a name.
    households = [d for d in report.differences if d.reason is Reason.HOUSEHOLD]
    assert all(d.entity.startswith(("order", "return")) for d in households)


def test_a_slower_carrier_a_new_policy_and_another_customer_are_explained(
    run_world: Callable[..., Run], usual: Run
) -> None:
    delay = CarrierDelay(carrier="zto", from_day=FROM_DAY, delay_days=4.0)
    slow = _vary(run_world, usual, carrier_delays=(delay,))
    assert _compare(usual, slow, Cell.CARRIER, "zto").is_clean
    terms = PolicyChange(from_day=FROM_DAY, return_window_days=14, no_offer_share=0.9)
    strict = _vary(run_world, usual, policy_changes=(terms,))
    assert _compare(usual, strict, Cell.POLICY, "").is_clean
    override = CustomerOverride(customer=2, parameter="orders_per_year", value=60.0)
    eager = _vary(run_world, usual, customer_overrides=(override,))
    customer_id = draw_profile(usual.config, 2).customer_id
    assert _compare(usual, eager, Cell.CUSTOMER, customer_id, 0).is_clean


def test_what_something_else_caused_stays_unexplained(
    run_world: Callable[..., Run], usual: Run
) -> None:
    style_id = Catalogue(usual.config).find_style(4, FROM_DAY).style_id
    secret = CustomerOverride(customer=3, parameter="orders_per_year", value=60.0)
    price = PriceOverride(style=4, from_day=FROM_DAY, factor=0.8)
    both = _vary(run_world, usual, price_overrides=(price,), customer_overrides=(secret,))
    report = _compare(usual, both, Cell.STYLE, style_id)
    assert report.n_early > 0
    assert report.n_unexplained > 0
    assert not report.is_clean


def test_a_price_cut_told_with_a_later_day_is_caught(
    run_world: Callable[..., Run], usual: Run
) -> None:
    sku = _find_best_seller(usual)
    early = PriceOverride(sku=sku, from_day=FROM_DAY - 20, factor=0.7)
    report = _compare(usual, _vary(run_world, usual, price_overrides=(early,)), Cell.SKU, sku)
    assert report.n_early > 0
    assert not report.is_clean


def test_another_seed_shares_nothing(run_world: Callable[..., Run], usual: Run) -> None:
    other = run_world(**(SMALL | {"seed": 6, "n_customers": 60}))
    report = _compare(usual, other, Cell.POLICY, "")
    assert report.n_common == 0
    assert report.n_early > 0


def test_equal_logs_do_not_differ(usual: Run) -> None:
    report = _compare(usual, usual, Cell.SKU, "any")
    assert report.differences == ()
    assert report.n_common == report.n_first == report.n_second == len(usual.events)
    assert report.is_clean
