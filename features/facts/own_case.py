"""Taking the case's own event out of what a history says.

A view is a handful of numbers: which places of the rings are the case itself,
and the window sums without it. It holds as long as the event is among the
customer's 8 newest orders, 8 newest cancel requests or 64 newest returns: a call
belongs to its moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import DAY_US, HOUR_US, WEEK_US, WINDOWS
from features.facts.history_layout import LIFETIME_ROW
from features.fold_rows import FoldFlag
from features.folds.rings import find_key
from features.folds.tile_sums import assert_room_behind_tiles, sum_tiles
from features.folds.tiles import find_first_bucket
from features.records.history import HISTORY_DTYPE, N_LIFETIME_COUNTERS, HistoryCounter

_N_WINDOWS = len(WINDOWS)
_HOPS_US = np.array([window.hop_us for window in WINDOWS])
# `fill_sums` walks each ring of tiles once for its narrow and its wide window.
assert _HOPS_US.tolist() == [HOUR_US, HOUR_US, DAY_US, DAY_US, WEEK_US, WEEK_US]
assert_room_behind_tiles(HISTORY_DTYPE, ("hourly", "daily", "weekly"))
assert sorted(WINDOWS, key=lambda window: window.length_us) == list(WINDOWS)

_ORDER_COUNT = int(HistoryCounter.ORDER_COUNT)
_ORDER_LINE_COUNT = int(HistoryCounter.ORDER_LINE_COUNT)
_ORDER_VALUE = int(HistoryCounter.ORDER_VALUE)
_RETURN_COUNT = int(HistoryCounter.RETURN_COUNT)
_RETURN_VALUE = int(HistoryCounter.RETURN_VALUE)
_NO_RECEIPT_RETURN_COUNT = int(HistoryCounter.NO_RECEIPT_RETURN_COUNT)
_GIFT_CARD_REFUND_COUNT = int(HistoryCounter.GIFT_CARD_REFUND_COUNT)
_MULTI_VARIANT_LINE_COUNT = int(HistoryCounter.MULTI_VARIANT_LINE_COUNT)
_CANCEL_REQUEST_COUNT = int(HistoryCounter.CANCEL_REQUEST_COUNT)
_HOLD_COUNT = int(HistoryCounter.HOLD_COUNT)
_HOLD_SUM_S = int(HistoryCounter.HOLD_SUM_S)
_DISCOUNT_VALUE = int(HistoryCounter.DISCOUNT_VALUE)

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_GIFT_CARD = int(FoldFlag.IS_GIFT_CARD)


@welded
def fill_sums(record: Any, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    """Fill `sums`, one row per window and one for life, from the tiles as of `now_us`."""
    hours, days, weeks = record["hourly_head"], record["daily_head"], record["weekly_head"]
    first = find_first_bucket(now_us, 0), find_first_bucket(now_us, 1)
    filled = record["hourly_filled"]
    sum_tiles(record["hourly"], hours, filled, first[0], first[1], sums[0], sums[1])
    first = find_first_bucket(now_us, 2), find_first_bucket(now_us, 3)
    filled = record["daily_filled"]
    sum_tiles(record["daily"], days, filled, first[0], first[1], sums[2], sums[3])
    first = find_first_bucket(now_us, 4), find_first_bucket(now_us, 5)
    filled = record["weekly_filled"]
    sum_tiles(record["weekly"], weeks, filled, first[0], first[1], sums[4], sums[5])
    for counter in range(N_LIFETIME_COUNTERS):
        sums[LIFETIME_ROW, counter] = record["lifetime"][counter]


@welded
def _find_first_window(now_us: int, time_us: int) -> int:
    """Return the shortest window that holds an event; all longer ones hold it, too."""
    for w in range(_N_WINDOWS):
        if time_us // _HOPS_US[w] >= find_first_bucket(now_us, w):
            return w
    return _N_WINDOWS


@welded
def _subtract(sums: npt.NDArray[np.int64], window: int, counter: int, amount: int) -> None:
    """Take an amount out of a counter for life and from its first window on."""
    for w in range(window, _N_WINDOWS + 1):
        sums[w, counter] -= amount


@welded
def _subtract_order(record: Any, place: int, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    window = _find_first_window(now_us, record["order_us"][place])
    _subtract(sums, window, _ORDER_COUNT, 1)
    _subtract(sums, window, _ORDER_LINE_COUNT, record["order_line_count"][place])
    _subtract(sums, window, _ORDER_VALUE, record["order_value"][place])
    _subtract(sums, window, _MULTI_VARIANT_LINE_COUNT, record["order_multi_variant_count"][place])
    sums[LIFETIME_ROW, _DISCOUNT_VALUE] -= record["order_discount"][place]


@welded
def _subtract_return(record: Any, place: int, now_us: int, sums: npt.NDArray[np.int64]) -> None:
    window, flags = (
        _find_first_window(now_us, record["return_us"][place]),
        record["return_flags"][place],
    )
    _subtract(sums, window, _RETURN_COUNT, 1)
    _subtract(sums, window, _RETURN_VALUE, record["return_value"][place])
    if flags & _IS_NO_RECEIPT:
        _subtract(sums, window, _NO_RECEIPT_RETURN_COUNT, 1)
    if flags & _IS_GIFT_CARD:
        _subtract(sums, window, _GIFT_CARD_REFUND_COUNT, 1)
    if flags & _HAS_HOLD:
        sums[LIFETIME_ROW, _HOLD_COUNT] -= 1
        sums[LIFETIME_ROW, _HOLD_SUM_S] -= record["return_hold_s"][place]


@welded
def find_own_case(record: Any, key: np.uint64) -> tuple[int, int, int]:
    """Return the case's places in the rings of orders, returns and cancel requests, or -1."""
    return (
        find_key(record["order_key"], key),
        find_key(record["return_key"], key),
        find_key(record["cancel_request_key"], key),
    )


@welded
def subtract_own_case(
    record: Any, own: tuple[int, int, int], now_us: int, sums: npt.NDArray[np.int64]
) -> None:
    """Take the case at the places `own` out of the sums."""
    if own[0] >= 0:
        _subtract_order(record, own[0], now_us, sums)
    if own[1] >= 0:
        _subtract_return(record, own[1], now_us, sums)
    if own[2] >= 0:
        sums[LIFETIME_ROW, _CANCEL_REQUEST_COUNT] -= 1
