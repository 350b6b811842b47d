"""Events to fold rows: what changes a customer's record, as flat integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.fold_rows import FOLD_ROW_DTYPE, FOLDED_KINDS, FoldFlag, FoldKind
from features.keys import N_SHARDS
from features.log.arrow_access import (
    KindColumn,
    find_envelope_enum,
    read_enum,
    read_ints,
    read_is_empty,
    read_kind_index,
    to_batch,
)
from features.log.order_lines import read_order_lines
from features.log.partitioning import CUSTOMER, compute_entity_keys, compute_event_keys
from features.log.schema import EVENT_KINDS
from hemostat.v1 import common_pb2, event_pb2

_SECOND_US = 1_000_000
_DAY_S = 86_400
_FOLD_KIND = np.zeros(len(EVENT_KINDS) + 1, np.uint8)  # The last entry: no kind.
for _name, _kind in FOLDED_KINDS.items():
    _FOLD_KIND[EVENT_KINDS.index(_name)] = _kind


@dataclass(frozen=True, slots=True)
class FoldColumns:
    """Fold rows with what the stream needs to route them.

    Attributes:
        rows: Shape `(n,)` of `FOLD_ROW_DTYPE`, in the order of the source.
        entity_keys: Shape `(n, 16)`, uint8: the customer's key.
        shards: Shape `(n,)`, int64: the shard that owns the key.
        source_index: Shape `(n,)`, int64: each row's index in the source.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    shards: npt.NDArray[np.int64]
    source_index: npt.NDArray[np.int64]


def to_fold_rows(source: pa.Table | pa.RecordBatch) -> FoldColumns:
    """Return the fold rows of validated events.

    Events of other kinds and events without customer make no row. The rules are
    those of `features.fold_rows`; see `columns` for them in one place.

    Args:
        source: Rows of the event schema; struct columns of kinds that are not
            folded may be missing.
    """
    batch = to_batch(source)
    kind = _FOLD_KIND[read_kind_index(batch)]
    everything = np.arange(batch.num_rows)
    is_folded = (kind > 0) & ~read_is_empty(batch.column("customer_id"), everything)
    chosen = np.flatnonzero(is_folded)
    taken = pa.array(chosen)
    tenants = batch.column("tenant").take(taken)
    rows = np.zeros(len(chosen), FOLD_ROW_DTYPE)
    rows["event_time_us"] = read_ints(batch.column("event_time"), chosen)
    rows["ingest_time_us"] = read_ints(batch.column("ingest_time"), chosen)
    rows["event_key"] = compute_event_keys(tenants, batch.column("event_id").take(taken))
    rows["kind"] = kind[chosen]
    rows["channel"] = read_enum(batch.column("channel"), chosen, find_envelope_enum("channel"))
    for name, number in FOLDED_KINDS.items():
        positions = np.flatnonzero(rows["kind"] == number)
        if len(positions):
            part = rows[positions]
            _FILLERS[number](part, KindColumn(batch, name, chosen[positions]))
            rows[positions] = part
    keys = compute_entity_keys(tenants, CUSTOMER, batch.column("customer_id").take(taken))
    return FoldColumns(
        rows=rows,
        entity_keys=keys,
        shards=(keys[:, 0] & (N_SHARDS - 1)).astype(np.int64),
        source_index=chosen,
    )


def _fill_order_placed(rows: npt.NDArray[Any], events: KindColumn) -> None:
    lines = read_order_lines(events)
    rows["value_minor"] = lines.order_values_minor
    rows["line_count"] = lines.counts


def _fill_value(rows: npt.NDArray[Any], events: KindColumn) -> None:
    rows["value_minor"] = events.ints("quantity") * events.ints("unit_price_minor")


def _fill_reason(rows: npt.NDArray[Any], events: KindColumn) -> None:
    rows["reason_code"] = events.enum("reason.code")
    rows["embedding"] = events.embeddings("reason.embedding")
    _set_flag(rows, FoldFlag.HAS_EMBEDDING, rows["embedding"].any(axis=1))


def _fill_cancel_requested(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _fill_value(rows, events)
    _fill_reason(rows, events)


def _fill_order_cancelled(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _fill_value(rows, events)
    _fill_reason(rows, events)
    is_customer = events.enum("initiator") == event_pb2.CANCEL_INITIATOR_CUSTOMER
    _set_flag(rows, FoldFlag.IS_BY_CUSTOMER, is_customer)


def _fill_order_kept(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _set_flag(rows, FoldFlag.IS_OFFER_TAKEN, events.bools("is_offer_taken"))


def _fill_return_requested(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _fill_value(rows, events)
    _fill_reason(rows, events)
    _fill_hold(rows, events)
    order_channel = events.enum("order_channel")
    is_known = (order_channel != 0) & (rows["channel"] != 0)
    _set_flag(rows, FoldFlag.IS_CROSS_CHANNEL, is_known & (order_channel != rows["channel"]))
    is_without = ~events.bools("has_receipt") & events.is_empty("order_id")
    _set_flag(rows, FoldFlag.IS_NO_RECEIPT, is_without)
    _set_flag(
        rows, FoldFlag.IS_GIFT_CARD, events.enum("refund_tender") == common_pb2.TENDER_GIFT_CARD
    )


def _fill_hold(rows: npt.NDArray[Any], events: KindColumn) -> None:
    """Set how long the item was held, in whole seconds."""
    delivered_us, ordered_us = events.ints("delivery_time"), events.ints("order_time")
    since_us = np.where(delivered_us != 0, delivered_us, ordered_us)
    has_hold = since_us != 0
    hold_s = np.maximum((rows["event_time_us"] - since_us) // _SECOND_US, 0)
    rows["hold_s"] = np.where(has_hold, hold_s, 0)
    window_s = events.ints("return_window_days") * _DAY_S
    is_late = has_hold & (window_s > 0) & (5 * rows["hold_s"] >= 4 * window_s)
    _set_flag(rows, FoldFlag.HAS_HOLD, has_hold)
    _set_flag(rows, FoldFlag.IS_LATE_IN_WINDOW, is_late)


def _fill_label_set(rows: npt.NDArray[Any], events: KindColumn) -> None:
    label = events.enum("label")
    is_abuse = (label == event_pb2.LABEL_KIND_ABUSE_CONFIRMED) | (
        label == event_pb2.LABEL_KIND_CHARGEBACK
    )
    _set_flag(rows, FoldFlag.IS_ABUSE_CONFIRMED, is_abuse)
    _set_flag(rows, FoldFlag.IS_REVERSAL, events.bools("is_reversal"))


def _set_flag(
    rows: npt.NDArray[Any], flag: FoldFlag, where: npt.NDArray[np.bool_] | np.bool_
) -> None:
    rows["flags"] |= np.where(where, np.uint16(flag), np.uint16(0))


_FILLERS = {
    FoldKind.ORDER_PLACED: _fill_order_placed,
    FoldKind.CANCEL_REQUESTED: _fill_cancel_requested,
    FoldKind.ORDER_CANCELLED: _fill_order_cancelled,
    FoldKind.ORDER_KEPT: _fill_order_kept,
    FoldKind.RETURN_REQUESTED: _fill_return_requested,
    FoldKind.LABEL_SET: _fill_label_set,
}
