"""Taking the case's own event out of what a record says.

A view is a handful of numbers: which places of the rings are the case itself,
and the window sums without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.definition import WINDOWS
from features.fold_rows import FoldFlag
from features.plan import PLAN_WINDOWS
from features.record import (
    COUNTERS,
    LIFETIME_COUNTERS,
    N_CANCEL_REQUESTS,
    N_DAILY,
    N_ORDERS,
    N_RETURNS,
    N_WEEKLY,
)

N_SUM_ROWS = len(WINDOWS) + 1
N_SUM_COLUMNS = len(LIFETIME_COUNTERS)
LIFETIME_ROW = len(WINDOWS)

_N_WINDOWS = len(WINDOWS)
_N_COUNTERS = len(COUNTERS)
_ORDER_COUNT = LIFETIME_COUNTERS.index("order_count")
_ORDER_LINE_COUNT = LIFETIME_COUNTERS.index("order_line_count")
_ORDER_VALUE = LIFETIME_COUNTERS.index("order_value")
_RETURN_COUNT = LIFETIME_COUNTERS.index("return_count")
_RETURN_VALUE = LIFETIME_COUNTERS.index("return_value")
_CANCEL_REQUEST_COUNT = LIFETIME_COUNTERS.index("cancel_request_count")
_NO_RECEIPT_RETURN_COUNT = LIFETIME_COUNTERS.index("no_receipt_return_count")
_GIFT_CARD_REFUND_COUNT = LIFETIME_COUNTERS.index("gift_card_refund_count")
_HOLD_COUNT = LIFETIME_COUNTERS.index("hold_count")
_HOLD_SUM_S = LIFETIME_COUNTERS.index("hold_sum_s")

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_GIFT_CARD = int(FoldFlag.IS_GIFT_CARD)


@inlined
def find_key(keys: npt.NDArray[np.uint64], size: int, key: np.uint64) -> int:
    """Return the place of an event key in a ring, or -1."""
    if key == np.uint64(0):
        return -1
    for place in range(size):
        if keys[place] == key:
            return place
    return -1


@inlined
def _subtract_windowed(
    sums: npt.NDArray[np.int64], now_us: int, time_us: int, counter: int, amount: int
) -> None:
    """Take one event's amount out of every window that counts it, and out of life."""
    sums[LIFETIME_ROW, counter] -= amount
    for w in range(_N_WINDOWS):
        length_us, hop_us = PLAN_WINDOWS[w, 0], PLAN_WINDOWS[w, 1]
        if time_us // hop_us >= (now_us - length_us) // hop_us:
            sums[w, counter] -= amount


@inlined
def _sum_tiles(
    tiles: npt.NDArray[np.int64], head: int, size: int, first: int, sums: npt.NDArray[np.int64]
) -> None:
    """Add the buckets from `first` to the newest into `sums`, one per counter."""
    for bucket in range(max(first, head - size), head):
        for counter in range(_N_COUNTERS):
            sums[counter] += tiles[bucket % size, counter]


@inlined
def compute_sums(record: Any, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    """Fill `sums`, shape `(N_SUM_ROWS, N_SUM_COLUMNS)`, from the tiles as of `now_us`."""
    sums[:, :] = 0
    for w in range(_N_WINDOWS):
        first = (now_us - PLAN_WINDOWS[w, 0]) // PLAN_WINDOWS[w, 1]
        if PLAN_WINDOWS[w, 2]:
            _sum_tiles(record["daily"], record["daily_head"], N_DAILY, first, sums[w])
        else:
            _sum_tiles(record["weekly"], record["weekly_head"], N_WEEKLY, first, sums[w])
    for counter in range(N_SUM_COLUMNS):
        sums[LIFETIME_ROW, counter] = record["lifetime"][counter]


@inlined
def subtract_own_order(record: Any, place: int, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    """Take the order at `place` of the ring out of the sums."""
    time_us = record["order_us"][place]
    _subtract_windowed(sums, now_us, time_us, _ORDER_COUNT, 1)
    _subtract_windowed(sums, now_us, time_us, _ORDER_LINE_COUNT, record["order_line_count"][place])
    _subtract_windowed(sums, now_us, time_us, _ORDER_VALUE, record["order_value"][place])


@inlined
def subtract_own_return(record: Any, place: int, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    """Take the return at `place` of the ring out of the sums."""
    time_us, flags = record["return_us"][place], record["return_flags"][place]
    _subtract_windowed(sums, now_us, time_us, _RETURN_COUNT, 1)
    _subtract_windowed(sums, now_us, time_us, _RETURN_VALUE, record["return_value"][place])
    if flags & _IS_NO_RECEIPT:
        sums[LIFETIME_ROW, _NO_RECEIPT_RETURN_COUNT] -= 1
    if flags & _IS_GIFT_CARD:
        sums[LIFETIME_ROW, _GIFT_CARD_REFUND_COUNT] -= 1
    if flags & _HAS_HOLD:
        sums[LIFETIME_ROW, _HOLD_COUNT] -= 1
        sums[LIFETIME_ROW, _HOLD_SUM_S] -= record["return_hold_s"][place]


@inlined
def subtract_own_case(
    record: Any, key: np.uint64, now_us: int, sums: npt.NDArray[np.int64]
) -> tuple[int, int, int]:
    """Take the case out of the sums; return its places as order, return and cancel request."""
    order = find_key(record["order_key"], N_ORDERS, key)
    if order >= 0:
        subtract_own_order(record, order, now_us, sums)
    returned = find_key(record["return_key"], N_RETURNS, key)
    if returned >= 0:
        subtract_own_return(record, returned, now_us, sums)
    cancel = find_key(record["cancel_request_key"], N_CANCEL_REQUESTS, key)
    if cancel >= 0:
        sums[LIFETIME_ROW, _CANCEL_REQUEST_COUNT] -= 1
    return order, returned, cancel
