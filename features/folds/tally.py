"""The fold of the tally record: one event counts for a product, a region or a store."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import DAY_US, HOUR_US, WEEK_US
from features.entities import N_ENTITIES, Entity
from features.fold_rows import FoldFlag, FoldKind
from features.folds.rings import find_last, make_room
from features.folds.tiles import add_windowed, clear_passed, find_bucket, open_tile
from features.records.tally import COUNTERS, N_PRICES, PRODUCT_COUNTERS, PRODUCTS, STORE_COUNTERS
from hemostat.v1 import common_pb2, event_pb2

_PRODUCT_KINDS: dict[FoldKind, str] = {
    FoldKind.ORDER_LINE: "order_line_count",
    FoldKind.ORDER_CANCELLED: "cancel_count",
    FoldKind.RETURN_REQUESTED: "return_count",
    FoldKind.RETURN_INSPECTED: "inspected_count",
}
_KIND_COUNTERS: dict[Entity, dict[FoldKind, str]] = {
    **dict.fromkeys(PRODUCTS, _PRODUCT_KINDS),
    Entity.REGION: {
        FoldKind.ORDER_PLACED: "order_count",
        FoldKind.ORDER_CANCELLED: "cancel_count",
        FoldKind.ORDER_SHIPPED: "shipped_count",
        FoldKind.ORDER_DELIVERED: "delivered_count",
        FoldKind.DELIVERY_DELAYED: "delayed_count",
        FoldKind.PARCEL_LOST: "lost_count",
    },
    Entity.STORE: {
        FoldKind.ORDER_PLACED: "order_count",
        FoldKind.ORDER_CANCELLED: "cancel_count",
        FoldKind.RETURN_REQUESTED: "return_count",
        FoldKind.LABEL_SET: "abuse_count",
    },
}
_REASON_COUNTERS: dict[int, str] = {
    common_pb2.REASON_CODE_SIZE_TOO_SMALL: "size_small_count",
    common_pb2.REASON_CODE_SIZE_TOO_LARGE: "size_large_count",
    common_pb2.REASON_CODE_QUALITY_DEFECT: "defect_count",
    common_pb2.REASON_CODE_DAMAGED_IN_TRANSIT: "defect_count",
    common_pb2.REASON_CODE_NOT_AS_DESCRIBED: "mismatch_count",
    common_pb2.REASON_CODE_WRONG_ITEM: "mismatch_count",
}


def _compile_kinds() -> npt.NDArray[np.int64]:
    """Return the counter that a kind moves, by entity and kind; -1: none."""
    counters = np.full((N_ENTITIES, 256), -1, np.int64)
    for entity, kinds in _KIND_COUNTERS.items():
        for kind, counter in kinds.items():
            counters[entity, kind] = COUNTERS[entity].index(counter)
    return counters


def _compile_reasons() -> npt.NDArray[np.int64]:
    """Return the product counter that a return's reason moves beside the returns; -1: none."""
    counters = np.full(256, -1, np.int64)
    for code, counter in _REASON_COUNTERS.items():
        counters[code] = PRODUCT_COUNTERS.index(counter)
    return counters


_COUNTERS = _compile_kinds()
_COUNTERS_BY_REASON = _compile_reasons()
_BAD_CONDITION_COUNT = PRODUCT_COUNTERS.index("bad_condition_count")
_NO_RECEIPT_RETURN_COUNT = STORE_COUNTERS.index("no_receipt_return_count")
_GIFT_CARD_REFUND_COUNT = STORE_COUNTERS.index("gift_card_refund_count")
_BAD_CONDITION = int(event_pb2.CONDITION_C)

_STORE = int(Entity.STORE)
_ORDER_CANCELLED = int(FoldKind.ORDER_CANCELLED)
_RETURN_REQUESTED = int(FoldKind.RETURN_REQUESTED)
_RETURN_INSPECTED = int(FoldKind.RETURN_INSPECTED)
_LABEL_SET = int(FoldKind.LABEL_SET)
_REVIEW_POSTED = int(FoldKind.REVIEW_POSTED)
_DELIVERY_DELAYED = int(FoldKind.DELIVERY_DELAYED)
_PRICE_CHANGED = int(FoldKind.PRICE_CHANGED)
_COMPETITOR_PRICE_SEEN = int(FoldKind.COMPETITOR_PRICE_SEEN)

_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_GIFT_CARD = int(FoldFlag.IS_GIFT_CARD)
_IS_BY_CUSTOMER = int(FoldFlag.IS_BY_CUSTOMER)
_IS_ABUSE_CONFIRMED = int(FoldFlag.IS_ABUSE_CONFIRMED)
_IS_REVERSAL = int(FoldFlag.IS_REVERSAL)


@welded
def _open_hour(record: Any, time_us: int) -> np.int64:
    """Make the hour of an event known; return its tile, or -1 if it is kept no more."""
    hour = find_bucket(time_us, HOUR_US)
    head, filled = record["hourly_head"], record["hourly_filled"]
    if hour >= head:
        clear_passed(record["hourly_extra"], head, filled, hour)
    head, filled, tile = open_tile(record["hourly"], head, filled, hour)
    record["hourly_head"], record["hourly_filled"] = head, filled
    return tile


@welded
def _open_tiles(record: Any, time_us: int) -> tuple[np.int64, np.int64, np.int64]:
    """Make the tiles ready for an event; return its hourly, daily and weekly row, -1: too old."""
    head, filled = record["daily_head"], record["daily_filled"]
    head, filled, day = open_tile(record["daily"], head, filled, find_bucket(time_us, DAY_US))
    record["daily_head"], record["daily_filled"] = head, filled
    head, filled = record["weekly_head"], record["weekly_filled"]
    head, filled, week = open_tile(record["weekly"], head, filled, find_bucket(time_us, WEEK_US))
    record["weekly_head"], record["weekly_filled"] = head, filled
    return _open_hour(record, time_us), day, week


@welded
def _add_extra(record: Any, time_us: int, amount: int) -> None:
    """Add one value to the entity's mean."""
    record["lifetime_extra"][0] += amount
    record["lifetime_extra"][1] += 1
    tile = _open_hour(record, time_us)
    if tile >= 0:
        record["hourly_extra"][tile, 0] += amount
        record["hourly_extra"][tile, 1] += 1


@welded
def _keep_price(
    times: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    prices: npt.NDArray[np.int64],
    row: Any,
) -> None:
    """Keep the newest price, by (time, key), of each of the newest hours."""
    time_us, key = row["event_time_us"], row["event_key"]
    hour = time_us // HOUR_US
    place = 0
    while place < N_PRICES and keys[place] != np.uint64(0) and times[place] // HOUR_US > hour:
        place += 1
    if place == N_PRICES:
        return
    if keys[place] == np.uint64(0) or times[place] // HOUR_US < hour:
        last = find_last(keys, place)
        make_room(times, place, last)
        make_room(keys, place, last)
        make_room(prices, place, last)
    elif times[place] > time_us or (times[place] == time_us and keys[place] > key):
        return
    times[place], keys[place], prices[place] = time_us, key, row["value_minor"]


@welded
def _count_details(record: Any, tiles: tuple[np.int64, np.int64, np.int64], row: Any) -> None:
    """Count what a return or an inspection says beside that it happened."""
    kind, flags = int(row["kind"]), int(row["flags"])
    if kind == _RETURN_INSPECTED:
        if int(row["condition"]) >= _BAD_CONDITION:
            add_windowed(record, tiles, _BAD_CONDITION_COUNT, 1)
    elif int(row["entity"]) == _STORE:
        if flags & _IS_NO_RECEIPT:
            add_windowed(record, tiles, _NO_RECEIPT_RETURN_COUNT, 1)
        if flags & _IS_GIFT_CARD:
            add_windowed(record, tiles, _GIFT_CARD_REFUND_COUNT, 1)
    else:
        counter = _COUNTERS_BY_REASON[int(row["reason_code"])]
        if counter >= 0:
            add_windowed(record, tiles, counter, 1)


@welded
def _is_counted(kind: int, flags: int) -> bool:
    """Return whether a row says what its counter counts: the customer's doing, confirmed abuse."""
    if kind == _ORDER_CANCELLED:
        return flags & _IS_BY_CUSTOMER != 0
    return kind != _LABEL_SET or flags & _IS_ABUSE_CONFIRMED != 0


@welded
def fold_tally(record: Any, row: Any) -> None:
    """Fold one row into an element of `TALLY_DTYPE`; each event once, in any order."""
    kind, flags, time_us = int(row["kind"]), int(row["flags"]), row["event_time_us"]
    counter = _COUNTERS[int(row["entity"]), kind]
    if counter >= 0 and _is_counted(kind, flags):
        is_taken_back = kind == _LABEL_SET and flags & _IS_REVERSAL
        tiles = _open_tiles(record, time_us)
        add_windowed(record, tiles, counter, -1 if is_taken_back else 1)
        if kind in (_RETURN_REQUESTED, _RETURN_INSPECTED):
            _count_details(record, tiles, row)
    if (kind in (_REVIEW_POSTED, _DELIVERY_DELAYED)) and row["amount"] > 0:
        _add_extra(record, time_us, row["amount"])
    if kind == _PRICE_CHANGED:
        _keep_price(record["price_us"], record["price_key"], record["price_minor"], row)
    elif kind == _COMPETITOR_PRICE_SEEN:
        _keep_price(
            record["competitor_us"], record["competitor_key"], record["competitor_minor"], row
        )
