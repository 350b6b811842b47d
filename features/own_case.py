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
from features.plan import N_SUM_COLUMNS, PLAN_WINDOWS
from features.record import (
    COUNTERS,
    LIFETIME_COUNTERS,
    N_CANCEL_REQUESTS,
    N_DAILY,
    N_ORDERS,
    N_RETURNS,
    N_WEEKLY,
)

LIFETIME_ROW = len(WINDOWS)

_N_WINDOWS = len(WINDOWS)
# `compute_sums` walks each ring once for its narrow and its wide window.
assert [bool(w[2]) for w in PLAN_WINDOWS] == [True, True, False, False]
assert PLAN_WINDOWS[0, 0] < PLAN_WINDOWS[1, 0]
assert PLAN_WINDOWS[2, 0] < PLAN_WINDOWS[3, 0]
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
        if time_us // PLAN_WINDOWS[w, 1] >= _find_first_bucket(now_us, w):
            sums[w, counter] -= amount


@inlined
def _sum_tiles(
    tiles: npt.NDArray[np.int64],
    head: int,
    size: int,
    first_narrow: int,
    first_wide: int,
    narrow: npt.NDArray[np.int64],
    wide: npt.NDArray[np.int64],
) -> None:
    """Sum a ring's buckets from `first_wide` on, noting the sum from `first_narrow` on its way.

    Walks from the newest bucket back: the narrow window is a part of the wide one.
    """
    bucket = head - 1
    slot = bucket % size
    while bucket >= first_narrow and bucket >= head - size:
        for counter in range(_N_COUNTERS):
            narrow[counter] += tiles[slot, counter]
        bucket -= 1
        slot = slot - 1 if slot > 0 else size - 1
    for counter in range(_N_COUNTERS):
        wide[counter] = narrow[counter]
    while bucket >= first_wide and bucket >= head - size:
        for counter in range(_N_COUNTERS):
            wide[counter] += tiles[slot, counter]
        bucket -= 1
        slot = slot - 1 if slot > 0 else size - 1


@inlined
def compute_sums(record: Any, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    """Fill `sums`, shape `(N_SUM_ROWS, N_SUM_COLUMNS)`, from the tiles as of `now_us`."""
    for w in range(_N_WINDOWS):
        for counter in range(_N_COUNTERS):
            sums[w, counter] = 0
    day, week = record["daily_head"], record["weekly_head"]
    d0, d1 = _find_first_bucket(now_us, 0), _find_first_bucket(now_us, 1)
    w0, w1 = _find_first_bucket(now_us, 2), _find_first_bucket(now_us, 3)
    _sum_tiles(record["daily"], day, N_DAILY, d0, d1, sums[0], sums[1])
    _sum_tiles(record["weekly"], week, N_WEEKLY, w0, w1, sums[2], sums[3])
    for counter in range(N_SUM_COLUMNS):
        sums[LIFETIME_ROW, counter] = record["lifetime"][counter]


@inlined
def _find_first_bucket(now_us: int, window: int) -> int:
    """Return the first absolute bucket of a window at a time: floor(T - W, hop) / hop."""
    return int((now_us - PLAN_WINDOWS[window, 0]) // PLAN_WINDOWS[window, 1])


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
    time_us, flags = record["return_us"][place], record["return_code"][place]
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
