"""The fold: one event brings its customer's record up to date.

Rules that make any order of the same events give the same bytes: tiles keep the
newest absolute buckets and older events change lifetime totals only; rings keep
the greatest (time, key) in descending order; the first orders are the least two.
The caller has dropped events seen before. Nothing is read but the record and
the row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import array_of, compiled, inlined, int64_1d, void
from features.embedding import DIM
from features.fold_rows import FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.record import (
    COUNTERS,
    DAILY_HOP_US,
    LIFETIME_COUNTERS,
    N_CANCEL_REQUESTS,
    N_CHANNELS,
    N_DAILY,
    N_ORDERS,
    N_RETURNS,
    N_RETURNS_READ,
    N_WEEKLY,
    RECORD_DTYPE,
    WEEKLY_HOP_US,
)

_ORDER_COUNT = COUNTERS.index("order_count")
_ORDER_LINE_COUNT = COUNTERS.index("order_line_count")
_ORDER_VALUE = COUNTERS.index("order_value")
_RETURN_COUNT = COUNTERS.index("return_count")
_RETURN_VALUE = COUNTERS.index("return_value")
_CANCEL_COUNT = COUNTERS.index("cancel_count")
_CANCEL_VALUE = COUNTERS.index("cancel_value")
_N_COUNTERS = len(COUNTERS)
_CANCEL_REQUEST_COUNT = LIFETIME_COUNTERS.index("cancel_request_count")
_ORDER_KEPT_COUNT = LIFETIME_COUNTERS.index("order_kept_count")
_OFFER_TAKEN_COUNT = LIFETIME_COUNTERS.index("offer_taken_count")
_NO_RECEIPT_RETURN_COUNT = LIFETIME_COUNTERS.index("no_receipt_return_count")
_GIFT_CARD_REFUND_COUNT = LIFETIME_COUNTERS.index("gift_card_refund_count")
_ABUSE_CONFIRMED_COUNT = LIFETIME_COUNTERS.index("abuse_confirmed_count")
_HOLD_COUNT = LIFETIME_COUNTERS.index("hold_count")
_HOLD_SUM_S = LIFETIME_COUNTERS.index("hold_sum_s")

_ORDER_PLACED = int(FoldKind.ORDER_PLACED)
_CANCEL_REQUESTED = int(FoldKind.CANCEL_REQUESTED)
_ORDER_CANCELLED = int(FoldKind.ORDER_CANCELLED)
_ORDER_KEPT = int(FoldKind.ORDER_KEPT)
_RETURN_REQUESTED = int(FoldKind.RETURN_REQUESTED)
_LABEL_SET = int(FoldKind.LABEL_SET)

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_GIFT_CARD = int(FoldFlag.IS_GIFT_CARD)
_IS_BY_CUSTOMER = int(FoldFlag.IS_BY_CUSTOMER)
_IS_OFFER_TAKEN = int(FoldFlag.IS_OFFER_TAKEN)
_IS_ABUSE_CONFIRMED = int(FoldFlag.IS_ABUSE_CONFIRMED)
_IS_REVERSAL = int(FoldFlag.IS_REVERSAL)


@inlined
def _open_bucket(tiles: npt.NDArray[np.int64], head: int, bucket: int, size: int) -> int:
    """Clear the tiles that a newer bucket overtakes; return the new head (bucket + 1)."""
    if bucket < head:
        return head
    for b in range(max(head, bucket - size + 1), bucket + 1):
        for counter in range(_N_COUNTERS):
            tiles[b % size, counter] = 0
    return bucket + 1


@inlined
def _add_windowed(record: Any, time_us: int, counter: int, amount: int) -> None:
    """Add to one counter: for life, and in both tile rings if the bucket is still kept."""
    record["lifetime"][counter] += amount
    day = time_us // DAILY_HOP_US
    head = _open_bucket(record["daily"], record["daily_head"], day, N_DAILY)
    record["daily_head"] = head
    if day >= head - N_DAILY:
        record["daily"][day % N_DAILY, counter] += amount
    week = time_us // WEEKLY_HOP_US
    head = _open_bucket(record["weekly"], record["weekly_head"], week, N_WEEKLY)
    record["weekly_head"] = head
    if week >= head - N_WEEKLY:
        record["weekly"][week % N_WEEKLY, counter] += amount


@inlined
def _find_place(
    times: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    size: int,
    time_us: int,
    key: np.uint64,
) -> int:
    """Return where (time, key) stands in a ring in descending order; `size`: nowhere."""
    for place in range(size):
        if (
            keys[place] == np.uint64(0)
            or times[place] < time_us
            or (times[place] == time_us and keys[place] < key)
        ):
            return place
    return size


@inlined
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


@inlined
def _fold_order(record: Any, row: Any) -> None:
    time_us, key, channel = row["event_time_us"], row["event_key"], int(row["channel"])
    _add_windowed(record, time_us, _ORDER_COUNT, 1)
    _add_windowed(record, time_us, _ORDER_LINE_COUNT, int(row["line_count"]))
    _add_windowed(record, time_us, _ORDER_VALUE, row["value_minor"])
    record["order_channel_count"][channel % N_CHANNELS] += 1
    _fold_first_order(record, time_us, key)
    place = _find_place(record["order_us"], record["order_key"], N_ORDERS, time_us, key)
    if place == N_ORDERS:
        return
    for i in range(N_ORDERS - 1, place, -1):
        record["order_us"][i] = record["order_us"][i - 1]
        record["order_key"][i] = record["order_key"][i - 1]
        record["order_value"][i] = record["order_value"][i - 1]
        record["order_line_count"][i] = record["order_line_count"][i - 1]
        record["order_channel"][i] = record["order_channel"][i - 1]
    record["order_us"][place] = time_us
    record["order_key"][place] = key
    record["order_value"][place] = row["value_minor"]
    record["order_line_count"][place] = row["line_count"]
    record["order_channel"][place] = channel


@inlined
def _fold_return_totals(record: Any, row: Any) -> None:
    flags = int(row["flags"])
    _add_windowed(record, row["event_time_us"], _RETURN_COUNT, 1)
    _add_windowed(record, row["event_time_us"], _RETURN_VALUE, row["value_minor"])
    record["return_channel_count"][int(row["channel"]) % N_CHANNELS] += 1
    if flags & _IS_NO_RECEIPT:
        record["lifetime"][_NO_RECEIPT_RETURN_COUNT] += 1
    if flags & _IS_GIFT_CARD:
        record["lifetime"][_GIFT_CARD_REFUND_COUNT] += 1
    if flags & _HAS_HOLD:
        record["lifetime"][_HOLD_COUNT] += 1
        record["lifetime"][_HOLD_SUM_S] += row["hold_s"]


@inlined
def _insert_embedding(record: Any, row: Any, place: int) -> None:
    """Keep the embedding in step with the ring, as far as features read it."""
    for i in range(N_RETURNS_READ - 1, place, -1):
        for k in range(DIM):
            record["return_embedding"][i, k] = record["return_embedding"][i - 1, k]
    if place < N_RETURNS_READ:
        for k in range(DIM):
            record["return_embedding"][place, k] = row["embedding"][k]


@inlined
def _fold_return(record: Any, row: Any) -> None:
    time_us, key = row["event_time_us"], row["event_key"]
    _fold_return_totals(record, row)
    place = _find_place(record["return_us"], record["return_key"], N_RETURNS, time_us, key)
    if place == N_RETURNS:
        return
    for i in range(N_RETURNS - 1, place, -1):
        record["return_us"][i] = record["return_us"][i - 1]
        record["return_key"][i] = record["return_key"][i - 1]
        record["return_value"][i] = record["return_value"][i - 1]
        record["return_hold_s"][i] = record["return_hold_s"][i - 1]
        record["return_code"][i] = record["return_code"][i - 1]
    record["return_us"][place] = time_us
    record["return_key"][place] = key
    record["return_value"][place] = row["value_minor"]
    record["return_hold_s"][place] = row["hold_s"]
    record["return_code"][place] = (
        int(row["flags"]) | int(row["reason_code"]) << 16 | int(row["channel"]) << 24
    )
    _insert_embedding(record, row, place)


@inlined
def _fold_cancel_request(record: Any, row: Any) -> None:
    time_us, key = row["event_time_us"], row["event_key"]
    record["lifetime"][_CANCEL_REQUEST_COUNT] += 1
    times, keys = record["cancel_request_us"], record["cancel_request_key"]
    place = _find_place(times, keys, N_CANCEL_REQUESTS, time_us, key)
    if place == N_CANCEL_REQUESTS:
        return
    for i in range(N_CANCEL_REQUESTS - 1, place, -1):
        times[i], keys[i] = times[i - 1], keys[i - 1]
    times[place], keys[place] = time_us, key


@inlined
def fold_row(record: Any, row: Any) -> None:
    """Fold one row; every row counts as an event, not every row moves a counter."""
    kind, flags = int(row["kind"]), int(row["flags"])
    record["event_count"] += 1
    record["last_event_us"] = max(record["last_event_us"], row["event_time_us"])
    if kind == _ORDER_PLACED:
        _fold_order(record, row)
    elif kind == _RETURN_REQUESTED:
        _fold_return(record, row)
    elif kind == _CANCEL_REQUESTED:
        _fold_cancel_request(record, row)
    elif kind == _ORDER_CANCELLED:
        _add_windowed(record, row["event_time_us"], _CANCEL_VALUE, row["value_minor"])
        if flags & _IS_BY_CUSTOMER:
            _add_windowed(record, row["event_time_us"], _CANCEL_COUNT, 1)
    elif kind == _ORDER_KEPT:
        record["lifetime"][_ORDER_KEPT_COUNT] += 1
        if flags & _IS_OFFER_TAKEN:
            record["lifetime"][_OFFER_TAKEN_COUNT] += 1
    elif kind == _LABEL_SET and flags & _IS_ABUSE_CONFIRMED:
        record["lifetime"][_ABUSE_CONFIRMED_COUNT] += -1 if flags & _IS_REVERSAL else 1


@compiled(void(array_of(RECORD_DTYPE), int64_1d, array_of(FOLD_ROW_DTYPE)))
def fold_rows(
    records: npt.NDArray[Any], record_index: npt.NDArray[np.int64], rows: npt.NDArray[Any]
) -> None:
    """Fold events into records, in place.

    Args:
        records: Shape `(n_records,)` of `RECORD_DTYPE`.
        record_index: Shape `(n_rows,)`: whose record each row changes.
        rows: Shape `(n_rows,)` of `FOLD_ROW_DTYPE`, each event once. Event times
            are at or after 1970-01-01.
    """
    for i in range(rows.shape[0]):
        fold_row(records[record_index[i]], rows[i])
