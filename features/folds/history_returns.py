"""How returns, what becomes of them, refunds and labels change a history."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.embedding import DIM
from features.fold_rows import FoldFlag, FoldKind
from features.folds.history_tiles import open_history_tiles
from features.folds.rings import find_last, find_place, make_room
from features.folds.tiles import add_windowed
from features.records.history import (
    N_CHANNELS,
    N_PROCESSINGS,
    N_RETURNS,
    N_RETURNS_KEPT,
    HistoryCounter,
)

_USED_CONDITION = 3  # CONDITION_C; D is worse.

_RETURN_COUNT = int(HistoryCounter.RETURN_COUNT)
_RETURN_VALUE = int(HistoryCounter.RETURN_VALUE)
_NO_RECEIPT_RETURN_COUNT = int(HistoryCounter.NO_RECEIPT_RETURN_COUNT)
_GIFT_CARD_REFUND_COUNT = int(HistoryCounter.GIFT_CARD_REFUND_COUNT)
_HOLD_COUNT = int(HistoryCounter.HOLD_COUNT)
_HOLD_SUM_S = int(HistoryCounter.HOLD_SUM_S)
_REFUND_COUNT = int(HistoryCounter.REFUND_COUNT)
_REFUND_VALUE = int(HistoryCounter.REFUND_VALUE)
_REFUND_GIFT_CARD_VALUE = int(HistoryCounter.REFUND_GIFT_CARD_VALUE)
_REFUND_WITHOUT_RETURN_COUNT = int(HistoryCounter.REFUND_WITHOUT_RETURN_COUNT)
_INSPECTED_COUNT = int(HistoryCounter.INSPECTED_COUNT)
_USED_CONDITION_COUNT = int(HistoryCounter.USED_CONDITION_COUNT)
_WRONG_ITEM_COUNT = int(HistoryCounter.WRONG_ITEM_COUNT)
_EMPTY_BOX_COUNT = int(HistoryCounter.EMPTY_BOX_COUNT)
_ABUSE_CONFIRMED_COUNT = int(HistoryCounter.ABUSE_CONFIRMED_COUNT)
_CHARGEBACK_COUNT = int(HistoryCounter.CHARGEBACK_COUNT)
_ABUSE_CLEARED_COUNT = int(HistoryCounter.ABUSE_CLEARED_COUNT)
_APPEAL_UPHELD_COUNT = int(HistoryCounter.APPEAL_UPHELD_COUNT)

_RETURN_INSPECTED = int(FoldKind.RETURN_INSPECTED)

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_GIFT_CARD = int(FoldFlag.IS_GIFT_CARD)
_IS_ABUSE_CONFIRMED = int(FoldFlag.IS_ABUSE_CONFIRMED)
_IS_REVERSAL = int(FoldFlag.IS_REVERSAL)
_IS_WRONG_ITEM = int(FoldFlag.IS_WRONG_ITEM)
_IS_EMPTY_BOX = int(FoldFlag.IS_EMPTY_BOX)
_IS_ABUSE_CLEARED = int(FoldFlag.IS_ABUSE_CLEARED)
_IS_CHARGEBACK = int(FoldFlag.IS_CHARGEBACK)
_IS_APPEAL_UPHELD = int(FoldFlag.IS_APPEAL_UPHELD)
_HAS_RETURN = int(FoldFlag.HAS_RETURN)


@welded
def _fold_return_totals(record: Any, row: Any) -> None:
    flags = np.int64(row["flags"])
    tiles = open_history_tiles(record, row["event_time_us"])
    add_windowed(record, tiles, _RETURN_COUNT, 1)
    add_windowed(record, tiles, _RETURN_VALUE, row["value_minor"])
    if flags & _IS_NO_RECEIPT:
        add_windowed(record, tiles, _NO_RECEIPT_RETURN_COUNT, 1)
    if flags & _IS_GIFT_CARD:
        add_windowed(record, tiles, _GIFT_CARD_REFUND_COUNT, 1)
    record["return_channel_count"][np.int64(row["channel"]) % N_CHANNELS] += 1
    if flags & _HAS_HOLD:
        record["lifetime"][_HOLD_COUNT] += 1
        record["lifetime"][_HOLD_SUM_S] += row["amount"]


@welded
def _keep_return_details(
    record: Any, row: Any, place: int, last: int, embeddings: npt.NDArray[np.int8]
) -> None:
    """Keep what features read of the newest returns in step with the ring."""
    last = min(last, N_RETURNS_KEPT - 1)
    make_room(record["return_reason"], place, last)
    make_room(record["return_link"], place, last)
    make_room(record["return_order"], place, last)
    make_room(record["return_style"], place, last)
    make_room(record["return_store"], place, last)
    make_room(record["return_weight_g"], place, last)
    make_room(record["return_embedder"], place, last)
    kept = record["return_embedding"]
    for i in range(last, place, -1):
        for k in range(DIM):
            kept[i, k] = kept[i - 1, k]
    record["return_reason"][place] = row["reason_code"]
    record["return_link"][place] = row["return_link"]
    record["return_order"][place] = row["order_link"]
    record["return_style"][place] = row["style_link"]
    record["return_store"][place] = row["store_link"]
    record["return_weight_g"][place] = row["weight_g"]
    record["return_embedder"][place] = row["embedder"]
    source = np.int64(row["embedding"])
    for k in range(DIM):
        kept[place, k] = embeddings[source, k] if source >= 0 else 0


@welded
def fold_return(record: Any, row: Any, embeddings: npt.NDArray[np.int8]) -> None:
    """Fold a `RETURN_REQUESTED` row: counters and the newest returns."""
    time_us, key = row["event_time_us"], row["event_key"]
    _fold_return_totals(record, row)
    place = find_place(record["return_us"], record["return_key"], time_us, key)
    if place == N_RETURNS:
        return
    last = find_last(record["return_key"], place)
    make_room(record["return_us"], place, last)
    make_room(record["return_key"], place, last)
    make_room(record["return_value"], place, last)
    make_room(record["return_hold_s"], place, last)
    make_room(record["return_flags"], place, last)
    make_room(record["return_channel"], place, last)
    record["return_us"][place] = time_us
    record["return_key"][place] = key
    record["return_value"][place] = row["value_minor"]
    record["return_hold_s"][place] = row["amount"]
    record["return_flags"][place] = row["flags"]
    record["return_channel"][place] = row["channel"]
    if place < N_RETURNS_KEPT:
        _keep_return_details(record, row, place, last, embeddings)


@welded
def fold_processing(record: Any, row: Any) -> None:
    """Fold a `RETURN_RECEIVED` or `RETURN_INSPECTED` row."""
    time_us, key, lifetime = row["event_time_us"], row["event_key"], record["lifetime"]
    is_inspected, flags = np.int64(row["kind"]) == _RETURN_INSPECTED, np.int64(row["flags"])
    if is_inspected:
        lifetime[_INSPECTED_COUNT] += 1
        lifetime[_USED_CONDITION_COUNT] += np.int64(row["condition"] >= _USED_CONDITION)
        lifetime[_WRONG_ITEM_COUNT] += 1 if flags & _IS_WRONG_ITEM else 0
        lifetime[_EMPTY_BOX_COUNT] += 1 if flags & _IS_EMPTY_BOX else 0
    place = find_place(record["processing_us"], record["processing_key"], time_us, key)
    if place == N_PROCESSINGS:
        return
    last = find_last(record["processing_key"], place)
    make_room(record["processing_us"], place, last)
    make_room(record["processing_key"], place, last)
    make_room(record["processing_return"], place, last)
    make_room(record["processing_condition"], place, last)
    make_room(record["processing_weight_g"], place, last)
    record["processing_us"][place] = time_us
    record["processing_key"][place] = key
    record["processing_return"][place] = row["return_link"]
    record["processing_condition"][place] = row["condition"] if is_inspected else 0
    record["processing_weight_g"][place] = 0 if is_inspected else row["amount"]


@welded
def fold_refund(record: Any, row: Any) -> None:
    """Fold a `REFUND_ISSUED` row."""
    lifetime, flags = record["lifetime"], np.int64(row["flags"])
    lifetime[_REFUND_COUNT] += 1
    lifetime[_REFUND_VALUE] += row["value_minor"]
    if flags & _IS_GIFT_CARD:
        lifetime[_REFUND_GIFT_CARD_VALUE] += row["value_minor"]
    if flags & _HAS_RETURN == 0:
        lifetime[_REFUND_WITHOUT_RETURN_COUNT] += 1


@welded
def fold_label(record: Any, row: Any) -> None:
    """Fold a `LABEL_SET` row; what is taken back counts down."""
    lifetime, flags = record["lifetime"], np.int64(row["flags"])
    step = -1 if flags & _IS_REVERSAL else 1
    lifetime[_ABUSE_CONFIRMED_COUNT] += step if flags & _IS_ABUSE_CONFIRMED else 0
    lifetime[_CHARGEBACK_COUNT] += step if flags & _IS_CHARGEBACK else 0
    lifetime[_ABUSE_CLEARED_COUNT] += step if flags & _IS_ABUSE_CLEARED else 0
    lifetime[_APPEAL_UPHELD_COUNT] += step if flags & _IS_APPEAL_UPHELD else 0
