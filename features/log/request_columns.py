"""Case events to request rows: what a score request for them would have said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.log.arrow_access import (
    KindColumn,
    find_envelope_enum,
    read_enum,
    read_ints,
    read_is_empty,
    read_kind_index,
    to_batch,
)
from features.log.order_lines import OrderLines, read_order_lines
from features.log.partitioning import CUSTOMER, compute_entity_keys, compute_event_keys
from features.log.schema import EVENT_KINDS
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag
from hemostat.v1 import common_pb2

CASE_KINDS: dict[str, Call] = {
    "order_placed": Call.ORDER,
    "cancel_requested": Call.CANCELLATION,
    "return_requested": Call.RETURN,
}
"""Kinds that tell a case, and the call that scores it."""

_CALL = np.zeros(len(EVENT_KINDS) + 1, np.uint8)  # The last entry: no kind.
for _name, _call in CASE_KINDS.items():
    _CALL[EVENT_KINDS.index(_name)] = _call

_INT32_MAX = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class RequestColumns:
    """Cases as request rows, in the order of the source.

    Attributes:
        rows: Shape `(n,)` of `REQUEST_ROW_DTYPE`.
        entity_keys: Shape `(n, 16)`, uint8: the customer's key; of no use for guests.
        is_guest: Shape `(n,)`, bool: the case has no customer.
        source_index: Shape `(n,)`, int64: each case's index in the source.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    is_guest: npt.NDArray[np.bool_]
    source_index: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LineColumns:
    """Order lines as request rows, orders in the order of the source.

    Attributes:
        rows: Shape `(m,)` of `REQUEST_ROW_DTYPE`, call `ORDER_LINE`.
        entity_keys: Shape `(m, 16)`, uint8: the customer's key; of no use for guests.
        is_guest: Shape `(m,)`, bool: the order has no customer.
        source_index: Shape `(m,)`, int64: the order's index in the source.
        line_index: Shape `(m,)`, int64: the line's index in its order.
        line_ids: The lines' ids.
        skus: The lines' SKUs.
        styles: The lines' styles.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    is_guest: npt.NDArray[np.bool_]
    source_index: npt.NDArray[np.int64]
    line_index: npt.NDArray[np.int64]
    line_ids: list[str]
    skus: list[str]
    styles: list[str]


def to_request_rows(source: pa.Table | pa.RecordBatch) -> RequestColumns:
    """Return one request row per case event; other events make none.

    Args:
        source: Validated rows of the event schema; struct columns of kinds that
            tell no case may be missing.
    """
    batch = to_batch(source)
    call = _CALL[read_kind_index(batch)]
    chosen = np.flatnonzero(call)
    rows, keys, is_guest = _fill_envelope(batch, chosen)
    rows["call"] = call[chosen]
    for name, number in CASE_KINDS.items():
        positions = np.flatnonzero(rows["call"] == number)
        if len(positions):
            part = rows[positions]
            _FILLERS[number](part, KindColumn(batch, name, chosen[positions]))
            rows[positions] = part
    return RequestColumns(rows, keys, is_guest, chosen)


def to_line_rows(source: pa.Table | pa.RecordBatch) -> LineColumns:
    """Return one request row per line of every `order_placed` event.

    Args:
        source: Validated rows of the event schema; other kinds may be missing.
    """
    batch = to_batch(source)
    chosen = np.flatnonzero(_CALL[read_kind_index(batch)] == Call.ORDER)
    orders, keys, is_guest = _fill_envelope(batch, chosen)
    events = KindColumn(batch, "order_placed", chosen)
    lines = read_order_lines(events)
    _fill_order(orders, events, lines)
    rows = orders[lines.owners]
    rows["call"] = Call.ORDER_LINE
    rows["quantity"] = lines.quantities
    rows["unit_price_minor"] = lines.unit_prices_minor
    rows["value_minor"] = lines.quantities * lines.unit_prices_minor
    return LineColumns(
        rows=rows,
        entity_keys=keys[lines.owners],
        is_guest=is_guest[lines.owners],
        source_index=chosen[lines.owners],
        line_index=np.arange(len(rows)) - lines.offsets[lines.owners],
        line_ids=lines.lines.field("line_id").to_pylist(),
        skus=lines.lines.field("sku").to_pylist(),
        styles=lines.lines.field("style").to_pylist(),
    )


def _fill_envelope(
    batch: pa.RecordBatch, chosen: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return rows with time, key and channel set, the entity keys, and who is a guest."""
    taken = pa.array(chosen)
    tenants = batch.column("tenant").take(taken)
    rows = np.zeros(len(chosen), REQUEST_ROW_DTYPE)
    rows["time_us"] = read_ints(batch.column("event_time"), chosen)
    rows["case_key"] = compute_event_keys(tenants, batch.column("event_id").take(taken))
    rows["channel"] = read_enum(batch.column("channel"), chosen, find_envelope_enum("channel"))
    keys = compute_entity_keys(tenants, CUSTOMER, batch.column("customer_id").take(taken))
    return rows, keys, read_is_empty(batch.column("customer_id"), chosen)


def _fill_order_case(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _fill_order(rows, events, read_order_lines(events))


def _fill_order(rows: npt.NDArray[Any], events: KindColumn, lines: OrderLines) -> None:
    values = lines.order_values_minor
    rows["call"] = Call.ORDER
    rows["order_time_us"] = rows["time_us"]
    rows["order_channel"] = rows["channel"]
    rows["promised_delivery_us"] = events.ints("promised_delivery_time")
    rows["value_minor"] = values
    rows["order_value_minor"] = values
    rows["unit_price_minor"] = lines.dearest_minor
    rows["discount_minor"] = lines.discounts_minor
    rows["gift_card_minor"] = events.ints("gift_card_minor")
    rows["quantity"] = np.minimum(lines.sum_lines(lines.quantities), _INT32_MAX)
    rows["line_count"] = lines.counts
    rows["multi_variant_line_count"] = lines.multi_variant_counts
    rows["return_window_days"] = events.ints("return_window_days")
    rows["tender"] = events.enum("tender")
    _set_flag(rows, RequestFlag.HAS_ORDER, True)
    is_gift_card = (rows["gift_card_minor"] > 0) | (rows["tender"] == common_pb2.TENDER_GIFT_CARD)
    _set_flag(rows, RequestFlag.IS_GIFT_CARD, is_gift_card)


def _fill_after_order(rows: npt.NDArray[Any], events: KindColumn) -> None:
    """Set what cancellations and returns share."""
    rows["order_time_us"] = events.ints("order_time")
    rows["delivery_time_us"] = events.ints("delivery_time")
    rows["quantity"] = events.ints("quantity")
    rows["unit_price_minor"] = events.ints("unit_price_minor")
    rows["value_minor"] = events.ints("quantity") * events.ints("unit_price_minor")
    rows["return_window_days"] = events.ints("return_window_days")
    rows["order_channel"] = events.enum("order_channel")
    rows["reason_code"] = events.enum("reason.code")
    rows["embedding"] = events.embeddings("reason.embedding")
    _set_flag(rows, RequestFlag.HAS_EMBEDDING, rows["embedding"].any(axis=1))


def _fill_cancellation(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _fill_after_order(rows, events)
    rows["delay_s"] = events.ints("delay_s")
    rows["stage"] = events.enum("stage")
    _set_flag(rows, RequestFlag.HAS_ORDER, True)


def _fill_return(rows: npt.NDArray[Any], events: KindColumn) -> None:
    _fill_after_order(rows, events)
    rows["tender"] = events.enum("refund_tender")
    _set_flag(rows, RequestFlag.HAS_RECEIPT, events.bools("has_receipt"))
    _set_flag(rows, RequestFlag.HAS_ORDER, ~events.is_empty("order_id"))
    _set_flag(rows, RequestFlag.IS_PHOTO_CHECKED, events.bools("evidence.is_photo_checked"))
    _set_flag(rows, RequestFlag.IS_VIDEO_PASSED, events.bools("evidence.is_video_passed"))
    _set_flag(rows, RequestFlag.IS_TAG_KNOWN, events.is_present("evidence.is_tag_on"))
    _set_flag(rows, RequestFlag.IS_TAG_ON, events.bools("evidence.is_tag_on"))
    is_gift_card = rows["tender"] == common_pb2.TENDER_GIFT_CARD
    _set_flag(rows, RequestFlag.IS_GIFT_CARD, is_gift_card)


def _set_flag(
    rows: npt.NDArray[Any], flag: RequestFlag, where: npt.NDArray[np.bool_] | np.bool_ | bool
) -> None:
    rows["flags"] |= np.where(where, np.uint16(flag), np.uint16(0))


_FILLERS = {
    Call.ORDER: _fill_order_case,
    Call.CANCELLATION: _fill_cancellation,
    Call.RETURN: _fill_return,
}
