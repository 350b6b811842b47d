"""A what-if changes only what it causes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from features.errors import ConfigError
from training.simulation import SimulationConfig
from training.simulation.catalogue import Catalogue
from training.simulation.config import US_PER_DAY, CustomerOverride, PriceOverride, StockSettings
from training.simulation.population import draw_profile

SMALL = {"n_customers": 200, "days": 240, "seed": 5}
FROM_DAY = 60
UNLIMITED = StockSettings(is_limited=False)
"""Nothing sells out, so nobody meets anybody else at the shelf."""


def _encode(events: list[Any]) -> set[bytes]:
    return {msgspec.json.encode(event) for event in events}


@pytest.mark.parametrize(
    ("parameter", "value"), [("orders_per_year", 60.0), ("wear", 0.9), ("impatience", 0.9)]
)
def test_one_customers_parameter_changes_nobody_elses_events(
    run_world: Callable[..., Any], parameter: str, value: float
) -> None:
    override = CustomerOverride(customer=2, parameter=parameter, value=value)
    before = run_world(**SMALL, stock=UNLIMITED)
    after = run_world(**SMALL, stock=UNLIMITED, customer_overrides=(override,))
    customer_id = draw_profile(before.config, 2).customer_id
    changed = _encode(before.events) ^ _encode(after.events)
    owners = {msgspec.json.decode(event)["customer_id"] for event in changed}
    # Without a member card the customer's store visits carry no id.
    assert owners <= {customer_id, ""}
    if parameter == "orders_per_year":
        assert customer_id in owners


def test_a_price_cut_changes_nothing_before_its_day_and_only_buyers_after(
    run_world: Callable[..., Any],
) -> None:
    place = 7
    override = PriceOverride(style=place, from_day=FROM_DAY, factor=0.8)
    before = run_world(**SMALL)
    after = run_world(**SMALL, price_overrides=(override,))
    from_us = before.config.start_us + FROM_DAY * US_PER_DAY
    style_id = Catalogue(before.config).styles[place].style_id
    changed = [
        msgspec.json.decode(event) for event in _encode(before.events) ^ _encode(after.events)
    ]
    assert changed
    assert min(event["ingest_time"] for event in changed) >= from_us
    assert {event["customer_id"] for event in changed if event["customer_id"]} <= {
        event.customer_id
        for run in (before, after)
        for event in run.of_kind("order_placed")
        if any(line.style == style_id for line in event.order_placed.lines)
    }
    anonymous = [event for event in changed if not event["customer_id"]]
    assert all(style_id in str(event) for event in anonymous if "price_changed" in event)


@pytest.mark.parametrize("start", [date.min, date.max])
def test_a_world_before_or_after_all_shops_is_refused(start: date) -> None:
    with pytest.raises(ValidationError, match="start"):
        SimulationConfig(start=start)


def test_an_override_of_an_unknown_parameter_is_refused() -> None:
    override = CustomerOverride(customer=0, parameter="patience", value=1.0)
    with pytest.raises(ConfigError, match="impatience"):
        draw_profile(SimulationConfig(customer_overrides=(override,)), 0)
