"""The facts of a customer's activity, as of a request's time.

No case is ever part of it (orders, cancel clicks and returns go to the history),
so nothing has to be taken out.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import DAY_US, LIFETIME, WINDOWS, Window
from features.folds.tile_sums import assert_room_behind_tiles, sum_tiles
from features.folds.tiles import find_first_bucket
from features.records.activity import (
    ACTIVITY_DTYPE,
    LIFETIME_COUNTERS,
    N_SENTIMENTS,
    N_SIZE_CHARTS,
    SENTIMENT_OFFSET,
    WINDOWED_COUNTERS,
)


class ActivityFact(IntEnum):
    """The facts that are no plain sums, by their place in the slice."""

    OFFER_CLOSED_COUNT = 0
    """Offers accepted, refused or run out."""
    SENTIMENT_LAST = 1
    SENTIMENT_MEAN = 2
    REQUEST_SIZE_CHART_VIEW_COUNT = 3
    """Of the newest size charts those of the request's style in the last 7 days."""
    CART_AGE_LAST_HOURS = 4
    RECENCY_DAYS = 5


TILED_WINDOWS = WINDOWS[:4]
"""The windows that the record's tiles reach: hourly 1h and 24h, daily 7d and 30d."""

assert_room_behind_tiles(ACTIVITY_DTYPE, ("hourly", "daily"))

REQUEST_SIZE_CHART_AGE_US = 7 * DAY_US

_N_WINDOWED = len(WINDOWED_COUNTERS)
_N_LIFETIME = len(LIFETIME_COUNTERS)
_SUMS = len(ActivityFact)
_LIFETIME_SUMS = _SUMS + len(TILED_WINDOWS) * _N_WINDOWED
N_ACTIVITY_FACTS = _LIFETIME_SUMS + _N_LIFETIME

_OFFER_CLOSED_COUNT = int(ActivityFact.OFFER_CLOSED_COUNT)
_SENTIMENT_LAST = int(ActivityFact.SENTIMENT_LAST)
_SENTIMENT_MEAN = int(ActivityFact.SENTIMENT_MEAN)
_REQUEST_SIZE_CHART_VIEW_COUNT = int(ActivityFact.REQUEST_SIZE_CHART_VIEW_COUNT)
_CART_AGE_LAST_HOURS = int(ActivityFact.CART_AGE_LAST_HOURS)
_RECENCY_DAYS = int(ActivityFact.RECENCY_DAYS)
_OFFER_ACCEPTED_COUNT = LIFETIME_COUNTERS.index("offer_accepted_count")
_OFFER_REFUSED_COUNT = LIFETIME_COUNTERS.index("offer_refused_count")
_OFFER_EXPIRED_COUNT = LIFETIME_COUNTERS.index("offer_expired_count")


def find_sum_fact(counter: str, window: Window) -> int:
    """Return the place of a counter's sum over a window in the slice."""
    if window == LIFETIME:
        return _LIFETIME_SUMS + LIFETIME_COUNTERS.index(counter)
    place = TILED_WINDOWS.index(window) * _N_WINDOWED
    return _SUMS + place + WINDOWED_COUNTERS.index(counter)


@welded
def _fill_sums(
    record: Any,
    now_us: int,
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    hour, day = record["hourly_head"], record["daily_head"]
    h0, h1 = find_first_bucket(now_us, 0), find_first_bucket(now_us, 1)
    d0, d1 = find_first_bucket(now_us, 2), find_first_bucket(now_us, 3)
    sum_tiles(record["hourly"], hour, record["hourly_filled"], h0, h1, sums[0], sums[1])
    sum_tiles(record["daily"], day, record["daily_filled"], d0, d1, sums[2], sums[3])
    for window in range(4):
        first = place + _SUMS + window * _N_WINDOWED
        for counter in range(_N_WINDOWED):
            facts[first + counter] = float(sums[window, counter])
    for counter in range(_N_LIFETIME):
        facts[place + _LIFETIME_SUMS + counter] = float(record["lifetime"][counter])


@welded
def _compute_sentiment_mean(record: Any) -> float:
    total = n = 0
    for i in range(N_SENTIMENTS):
        if record["sentiment_key"][i] == np.uint64(0):
            break
        total += record["sentiment"][i] - SENTIMENT_OFFSET
        n += 1
    return float(total) / float(n) if n else np.nan


@welded
def _count_size_charts(record: Any, style: np.uint64, first_us: int) -> int:
    n = 0
    for i in range(N_SIZE_CHARTS):
        if record["size_chart_key"][i] == np.uint64(0) or record["size_chart_us"][i] < first_us:
            break
        if record["size_chart_style"][i] == style:
            n += 1
    return n


@welded
def fill_activity_facts(
    record: Any,
    request: Any,
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    """Write the slice of an element of `ACTIVITY_DTYPE`.

    Args:
        record: All zeros if the customer has no activity yet.
        request: An element of `REQUEST_ROW_DTYPE`.
        sums: Scratch of at least `len(WINDOWS)` rows.
        facts: Filled from `place` on, `N_ACTIVITY_FACTS` places.
        place: Where the slice begins.
    """
    now_us = request["time_us"]
    _fill_sums(record, now_us, sums, facts, place)
    lifetime = record["lifetime"]
    facts[place + _OFFER_CLOSED_COUNT] = float(
        lifetime[_OFFER_ACCEPTED_COUNT]
        + lifetime[_OFFER_REFUSED_COUNT]
        + lifetime[_OFFER_EXPIRED_COUNT]
    )
    has_sentiment = record["sentiment_key"][0] != np.uint64(0)
    newest = float(record["sentiment"][0] - SENTIMENT_OFFSET)
    facts[place + _SENTIMENT_LAST] = newest if has_sentiment else np.nan
    facts[place + _SENTIMENT_MEAN] = _compute_sentiment_mean(record)
    style, first_us = request["style_link"], now_us - REQUEST_SIZE_CHART_AGE_US
    views = np.nan
    if style != np.uint64(0):
        views = float(_count_size_charts(record, style, first_us))
    facts[place + _REQUEST_SIZE_CHART_VIEW_COUNT] = views
    has_abandoned = record["abandoned_key"] != np.uint64(0)
    cart_age = float(record["abandoned_cart_age_s"]) / 3_600.0
    facts[place + _CART_AGE_LAST_HOURS] = cart_age if has_abandoned else np.nan
    recency = float(max(0, now_us - record["last_event_us"])) / DAY_US
    facts[place + _RECENCY_DAYS] = recency if record["last_event_us"] else np.nan
