"""How orders, their lines, cancel clicks and cancellations change a history."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.fold_rows import FoldFlag
from features.folds.history_tiles import open_history_tiles
from features.folds.rings import find_last, find_place, make_room
from features.folds.tiles import add_windowed
from features.records.history import (
    N_CANCEL_REQUESTS,
    N_CANCELS,
    N_CHANNELS,
    N_LINES,
    N_LINES_PER_ORDER,
    N_ORDERS,
    HistoryCounter,
)

_ORDER_COUNT = int(HistoryCounter.ORDER_COUNT)
_ORDER_LINE_COUNT = int(HistoryCounter.ORDER_LINE_COUNT)
_ORDER_VALUE = int(HistoryCounter.ORDER_VALUE)
_CANCEL_COUNT = int(HistoryCounter.CANCEL_COUNT)
_CANCEL_VALUE = int(HistoryCounter.CANCEL_VALUE)
_MULTI_VARIANT_LINE_COUNT = int(HistoryCounter.MULTI_VARIANT_LINE_COUNT)
_CANCEL_REQUEST_COUNT = int(HistoryCounter.CANCEL_REQUEST_COUNT)
_DISCOUNT_VALUE = int(HistoryCounter.DISCOUNT_VALUE)

_IS_BY_CUSTOMER = int(FoldFlag.IS_BY_CUSTOMER)
_IS_MULTI_VARIANT = int(FoldFlag.IS_MULTI_VARIANT)


@welded
def _fold_first_order(record: Any, time_us: int, key: np.uint64) -> None:
    """Keep the two least (time, key) of all orders, least first."""
    times, keys = record["first_order_us"], record["first_order_key"]
    for place in range(2):
        is_before = times[place] > time_us or (times[place] == time_us and keys[place] > key)
        if keys[place] == np.uint64(0) or is_before:
            if place == 0:
                times[1], keys[1] = times[0], keys[0]
            times[place], keys[place] = time_us, key
            return


@welded
def fold_order(record: Any, row: Any) -> None:
    """Fold an `ORDER_PLACED` row: counters, the first and the newest orders."""
    time_us, key = row["event_time_us"], row["event_key"]
    tiles = open_history_tiles(record, time_us)
    add_windowed(record, tiles, _ORDER_COUNT, 1)
    add_windowed(record, tiles, _ORDER_LINE_COUNT, np.int64(row["line_count"]))
    add_windowed(record, tiles, _ORDER_VALUE, row["value_minor"])
    add_windowed(record, tiles, _MULTI_VARIANT_LINE_COUNT, np.int64(row["multi_variant_count"]))
    record["lifetime"][_DISCOUNT_VALUE] += row["amount"]
    record["order_channel_count"][np.int64(row["channel"]) % N_CHANNELS] += 1
    _fold_first_order(record, time_us, key)
    place = find_place(record["order_us"], record["order_key"], time_us, key)
    if place == N_ORDERS:
        return
    last = find_last(record["order_key"], place)
    make_room(record["order_us"], place, last)
    make_room(record["order_key"], place, last)
    make_room(record["order_value"], place, last)
    make_room(record["order_line_count"], place, last)
    make_room(record["order_multi_variant_count"], place, last)
    make_room(record["order_discount"], place, last)
    make_room(record["order_channel"], place, last)
    record["order_us"][place] = time_us
    record["order_key"][place] = key
    record["order_value"][place] = row["value_minor"]
    record["order_line_count"][place] = row["line_count"]
    record["order_multi_variant_count"][place] = row["multi_variant_count"]
    record["order_discount"][place] = row["amount"]
    record["order_channel"][place] = row["channel"]


@welded
def _find_line_place(record: Any, time_us: int, key: np.uint64, number: np.int64) -> int:
    """Return where a line belongs in its ring, by (time, key, number); its size if nowhere."""
    times, keys, numbers = record["line_us"], record["line_key"], record["line_number"]
    for place in range(N_LINES):
        if keys[place] == np.uint64(0) or times[place] < time_us:
            return place
        if times[place] == time_us:
            is_same = keys[place] == key
            if keys[place] < key or (is_same and numbers[place] < number):
                return place
    return N_LINES


@welded
def fold_order_line(record: Any, row: Any) -> None:
    """Fold an `ORDER_LINE` row: the newest lines (their counts come with the order)."""
    time_us, key, number = row["event_time_us"], row["event_key"], np.int64(row["line_count"])
    if number >= N_LINES_PER_ORDER:
        return
    place = _find_line_place(record, time_us, key, number)
    if place == N_LINES:
        return
    last = find_last(record["line_key"], place)
    make_room(record["line_us"], place, last)
    make_room(record["line_key"], place, last)
    make_room(record["line_number"], place, last)
    make_room(record["line_order"], place, last)
    make_room(record["line_style"], place, last)
    make_room(record["line_is_multi_variant"], place, last)
    record["line_us"][place] = time_us
    record["line_key"][place] = key
    record["line_number"][place] = number
    record["line_order"][place] = row["order_link"]
    record["line_style"][place] = row["style_link"]
    is_multi_variant = np.int64(row["flags"]) & _IS_MULTI_VARIANT
    record["line_is_multi_variant"][place] = 1 if is_multi_variant else 0


@welded
def fold_cancel_request(record: Any, row: Any) -> None:
    """Fold a `CANCEL_REQUESTED` row: the count and the newest clicks."""
    time_us, key = row["event_time_us"], row["event_key"]
    record["lifetime"][_CANCEL_REQUEST_COUNT] += 1
    place = find_place(record["cancel_request_us"], record["cancel_request_key"], time_us, key)
    if place == N_CANCEL_REQUESTS:
        return
    make_room(record["cancel_request_us"], place)
    make_room(record["cancel_request_key"], place)
    record["cancel_request_us"][place] = time_us
    record["cancel_request_key"][place] = key


@welded
def fold_cancel(record: Any, row: Any) -> None:
    """Fold an `ORDER_CANCELLED` row: counters, and the newest ones by the customer."""
    time_us, key = row["event_time_us"], row["event_key"]
    tiles = open_history_tiles(record, time_us)
    add_windowed(record, tiles, _CANCEL_VALUE, row["value_minor"])
    if np.int64(row["flags"]) & _IS_BY_CUSTOMER == 0:
        return
    add_windowed(record, tiles, _CANCEL_COUNT, 1)
    place = find_place(record["cancel_us"], record["cancel_key"], time_us, key)
    if place == N_CANCELS:
        return
    make_room(record["cancel_us"], place)
    make_room(record["cancel_key"], place)
    make_room(record["cancel_reason"], place)
    make_room(record["cancel_stage"], place)
    record["cancel_us"][place] = time_us
    record["cancel_key"][place] = key
    record["cancel_reason"][place] = row["reason_code"]
    record["cancel_stage"][place] = row["stage"]
