"""The facts of a product, a region or a store, as of a request's time: closed hours only.

What happened in the hour of the request is left out of every window, of life and
of the prices. So the case's own event never counts, whether it was published
before or after the call, and thousands of requests of one hour see one value.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import HOUR_US, LIFETIME, N_HOURLY, WINDOWS, Window
from features.entities import Entity
from features.folds.tile_sums import assert_room_behind_tiles, sum_tiles
from features.folds.tiles import find_first_bucket
from features.records.tally import (
    COUNTERS,
    EXTRAS,
    N_COUNTERS,
    N_PRICES,
    PRODUCT_COUNTERS,
    TALLY_DTYPE,
)


class TallyFact(IntEnum):
    """The facts that are no plain sums of counters, by their place in the slice."""

    EXTRA_SUM = 0
    """The sum of the entity's mean (stars; seconds of delay)."""
    EXTRA_COUNT = 1
    EXTRA_SUM_HOURS = 2
    """The sum if it is in seconds, in hours."""
    SIZE_BIAS_COUNT = 3
    """Products: returns as too large minus as too small, 365d."""
    PRICE_CHANGE = 4
    """SKU: newest own price / the request's price of one unit - 1."""
    COMPETITOR_PRICE = 5
    """SKU: newest competitor's price / the request's price of one unit - 1."""


TILED_WINDOWS = WINDOWS[1:]
"""24h by the hour, 7d and 30d by the day, 90d and 365d by the week."""

assert_room_behind_tiles(TALLY_DTYPE, ("hourly", "daily", "weekly"))

_N_WINDOWS = len(TILED_WINDOWS)
_SUMS = len(TallyFact)
_LIFETIME_SUMS = _SUMS + _N_WINDOWS * N_COUNTERS
N_TALLY_FACTS = _LIFETIME_SUMS + N_COUNTERS

_EXTRA_SUM = int(TallyFact.EXTRA_SUM)
_EXTRA_COUNT = int(TallyFact.EXTRA_COUNT)
_EXTRA_SUM_HOURS = int(TallyFact.EXTRA_SUM_HOURS)
_SIZE_BIAS_COUNT = int(TallyFact.SIZE_BIAS_COUNT)
_PRICE_CHANGE = int(TallyFact.PRICE_CHANGE)
_COMPETITOR_PRICE = int(TallyFact.COMPETITOR_PRICE)
_SIZE_SMALL_COUNT = PRODUCT_COUNTERS.index("size_small_count")
_SIZE_LARGE_COUNT = PRODUCT_COUNTERS.index("size_large_count")
_YEAR = _N_WINDOWS - 1
_SKU = int(Entity.SKU)


def find_sum_fact(entity: Entity, counter: str, window: Window) -> int:
    """Return the place of a counter's sum over a window in the slice of an entity's role."""
    row = _N_WINDOWS if window == LIFETIME else TILED_WINDOWS.index(window)
    return _SUMS + row * N_COUNTERS + COUNTERS[entity].index(counter)


def find_extra_fact(entity: Entity, extra: str) -> int:
    """Return the place of the sum or the count of an entity's mean."""
    return (_EXTRA_SUM, _EXTRA_COUNT)[EXTRAS[entity].index(extra)]


@welded
def fill_tally_sums(
    record: Any,
    now_us: int,
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    """Write what the tiles say of closed hours; needs the request's time only."""
    hour, day, week = record["hourly_head"], record["daily_head"], record["weekly_head"]
    now_hour = now_us // HOUR_US
    h1 = find_first_bucket(now_us, 1)
    d0, d1 = find_first_bucket(now_us, 2), find_first_bucket(now_us, 3)
    w0, w1 = find_first_bucket(now_us, 4), find_first_bucket(now_us, 5)
    still_open = sums[_N_WINDOWS]
    hours, days, weeks = record["hourly_filled"], record["daily_filled"], record["weekly_filled"]
    sum_tiles(record["hourly"], hour, hours, now_hour, h1, still_open, sums[0])
    sum_tiles(record["daily"], day, days, d0, d1, sums[1], sums[2])
    sum_tiles(record["weekly"], week, weeks, w0, w1, sums[3], sums[4])
    for window in range(_N_WINDOWS):
        first = place + _SUMS + window * N_COUNTERS
        for counter in range(N_COUNTERS):
            facts[first + counter] = float(sums[window, counter] - still_open[counter])
    for counter in range(N_COUNTERS):
        closed = record["lifetime"][counter] - still_open[counter]
        facts[place + _LIFETIME_SUMS + counter] = float(closed)
    year = place + _SUMS + _YEAR * N_COUNTERS
    bias = facts[year + _SIZE_LARGE_COUNT] - facts[year + _SIZE_SMALL_COUNT]
    facts[place + _SIZE_BIAS_COUNT] = bias
    _fill_extras(record, now_hour, facts, place)


@welded
def _fill_extras(record: Any, now_hour: int, facts: npt.NDArray[np.float64], place: int) -> None:
    total, n = record["lifetime_extra"][0], record["lifetime_extra"][1]
    head = record["hourly_head"]
    for bucket in range(max(now_hour, head - N_HOURLY), head):
        total -= record["hourly_extra"][bucket % N_HOURLY, 0]
        n -= record["hourly_extra"][bucket % N_HOURLY, 1]
    facts[place + _EXTRA_SUM] = float(total)
    facts[place + _EXTRA_COUNT] = float(n)
    facts[place + _EXTRA_SUM_HOURS] = float(total) / 3_600.0


@welded
def _compute_price_ratio(
    times: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    prices: npt.NDArray[np.int64],
    request: Any,
) -> float:
    """Return newest price / the request's - 1; NaN without a price in a closed hour."""
    asked = request["product_price_minor"]
    open_us = request["time_us"] // HOUR_US * HOUR_US
    for i in range(N_PRICES):
        if keys[i] != np.uint64(0) and times[i] < open_us:
            return float(prices[i]) / float(asked) - 1.0 if asked > 0 else np.nan
    return np.nan


@welded
def fill_tally_prices(
    record: Any, request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Write a SKU's newest prices against the request's."""
    facts[place + _PRICE_CHANGE] = _compute_price_ratio(
        record["price_us"], record["price_key"], record["price_minor"], request
    )
    facts[place + _COMPETITOR_PRICE] = _compute_price_ratio(
        record["competitor_us"], record["competitor_key"], record["competitor_minor"], request
    )


@welded
def fill_tally_facts(
    record: Any,
    entity: int,
    request: Any,
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    """Write the slice of an element of `TALLY_DTYPE`.

    Args:
        record: All zeros if nothing is known of the entity yet.
        entity: Number of the `Entity`.
        request: An element of `REQUEST_ROW_DTYPE`.
        sums: Scratch of at least `len(WINDOWS)` rows.
        facts: Filled from `place` on, `N_TALLY_FACTS` places.
        place: Where the slice begins.
    """
    fill_tally_sums(record, request["time_us"], sums, facts, place)
    if entity == _SKU:
        fill_tally_prices(record, request, facts, place)
    else:
        facts[place + _PRICE_CHANGE] = np.nan
        facts[place + _COMPETITOR_PRICE] = np.nan
