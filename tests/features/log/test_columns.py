from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.embedding import DIM, embed_text
from features.fold_rows import FOLD_ROW_DTYPE, FOLDED_KINDS, FoldFlag, FoldKind
from features.keys import compute_entity_key, compute_event_key, compute_shard
from features.log import structs
from features.log.columns import to_fold_rows, to_line_rows, to_request_rows
from features.log.jsonl import EventDecoder
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag
from hemostat.v1 import common_pb2, event_pb2
from tests.features.log.event_strategies import LAW, set_time, to_line

_T0 = 1_772_366_400_000_000
_DAY_US = 86_400_000_000
_CHANNELS = (
    common_pb2.CHANNEL_UNSPECIFIED, common_pb2.CHANNEL_WEB, common_pb2.CHANNEL_STORE,
)  # fmt: skip
_TENDERS = (common_pb2.TENDER_UNSPECIFIED, common_pb2.TENDER_CARD, common_pb2.TENDER_GIFT_CARD)
_OFFSETS_US = st.integers(-100 * _DAY_US, 100 * _DAY_US)
_EMBEDDINGS = st.sampled_from([b"", bytes(DIM), b"short", embed_text("too small").tobytes()])


def _set_after_order(draw: st.DrawFn, payload: Any) -> None:
    payload.quantity = draw(st.integers(1, 5))
    payload.unit_price_minor = draw(st.integers(0, 10**6))
    payload.return_window_days = draw(st.sampled_from([0, 14, 30]))
    payload.order_channel = draw(st.sampled_from(_CHANNELS))
    for name in ("order_time", "delivery_time"):
        if draw(st.booleans()):
            set_time(getattr(payload, name), _T0 + draw(_OFFSETS_US))
    if draw(st.booleans()):
        payload.reason.code = draw(st.sampled_from([0, 4, 9]))
        payload.reason.embedding = draw(_EMBEDDINGS)


def _set_order(draw: st.DrawFn, order: event_pb2.OrderPlaced) -> None:
    for i in range(draw(st.integers(0, 4))):
        order.lines.add(
            line_id=f"l{i}", sku=f"s{i}", style=draw(st.sampled_from(["", "a", "b"])),
            quantity=draw(st.integers(1, 5)), unit_price_minor=draw(st.integers(0, 10**6)),
            unit_discount_minor=draw(st.integers(0, 10**4)),
        )  # fmt: skip
    order.discount_minor = draw(st.integers(0, 10**6))
    order.gift_card_minor = draw(st.sampled_from([0, 500]))
    order.tender = draw(st.sampled_from(_TENDERS))
    order.return_window_days = draw(st.sampled_from([0, 30]))
    if draw(st.booleans()):
        set_time(order.promised_delivery_time, _T0 + draw(_OFFSETS_US))


@st.composite
def _events(draw: st.DrawFn) -> event_pb2.Event:
    event = event_pb2.Event(
        event_id=draw(st.sampled_from(["e1", "e2", "e3"])),
        tenant=draw(st.sampled_from(["demo", "other"])),
        customer_id=draw(st.sampled_from(["", "c1", "c2"])),
        channel=draw(st.sampled_from(_CHANNELS)),
    )
    set_time(event.event_time, _T0 + draw(st.integers(-(10**9), 10**9)))
    set_time(event.ingest_time, _T0 + draw(st.integers(0, 10**9)))
    kind = draw(st.sampled_from([*FOLDED_KINDS, "product_viewed"]))
    payload = getattr(event, kind)
    payload.SetInParent()
    if kind == "order_placed":
        _set_order(draw, payload)
    elif kind in ("cancel_requested", "order_cancelled", "return_requested"):
        _set_after_order(draw, payload)
    if kind == "cancel_requested":
        payload.stage = draw(st.integers(0, 5))
        payload.delay_s = draw(st.integers(0, 10**5))
    elif kind == "order_cancelled":
        payload.initiator = draw(st.integers(0, 3))
    elif kind == "return_requested":
        payload.order_id = draw(st.sampled_from(["", "o1"]))
        payload.has_receipt = draw(st.booleans())
        payload.refund_tender = draw(st.sampled_from(_TENDERS))
        if draw(st.booleans()):
            payload.evidence.is_photo_checked = draw(st.booleans())
            payload.evidence.is_video_passed = draw(st.booleans())
            if draw(st.booleans()):
                payload.evidence.is_tag_on = draw(st.booleans())
    elif kind == "order_kept":
        payload.is_offer_taken = draw(st.booleans())
    elif kind == "label_set":
        payload.label = draw(st.integers(0, 4))
        payload.is_reversal = draw(st.booleans())
    return event


def _to_batch(events: list[event_pb2.Event]) -> pa.RecordBatch:
    return EventDecoder().decode_lines([to_line(event) for event in events]).batch


def _us(message: Any, name: str) -> int:
    if not message.HasField(name):
        return 0
    time = getattr(message, name)
    return int(time.seconds * 1_000_000 + time.nanos // 1_000)


def _set_reason(row: Any, payload: Any, flag: int) -> None:
    row["reason_code"] = payload.reason.code
    if len(payload.reason.embedding) == DIM:
        row["embedding"] = np.frombuffer(payload.reason.embedding, np.int8)
        row["flags"] |= flag * any(payload.reason.embedding)


def _value(order: event_pb2.OrderPlaced) -> int:
    gross = sum(line.quantity * line.unit_price_minor for line in order.lines)
    return max(0, gross - order.discount_minor)


def _expect_fold_row(event: event_pb2.Event) -> Any:
    """The rules of `columns`, for one event, spelt out."""
    kind = str(event.WhichOneof("kind"))
    payload = getattr(event, kind)
    row = np.zeros((), FOLD_ROW_DTYPE)
    row["event_time_us"], row["ingest_time_us"] = (
        _us(event, "event_time"),
        _us(event, "ingest_time"),
    )
    row["event_key"] = compute_event_key(event.tenant, event.event_id)
    row["kind"], row["channel"] = FOLDED_KINDS[kind], event.channel
    flags = 0
    if kind == "order_placed":
        row["value_minor"], row["line_count"] = _value(payload), len(payload.lines)
    elif kind in ("cancel_requested", "order_cancelled", "return_requested"):
        row["value_minor"] = payload.quantity * payload.unit_price_minor
        _set_reason(row, payload, FoldFlag.HAS_EMBEDDING)
    if kind == "return_requested":
        since_us = _us(payload, "delivery_time") or _us(payload, "order_time")
        if since_us:
            hold_s = max(0, (_us(event, "event_time") - since_us) // 1_000_000)
            row["hold_s"] = hold_s
            flags |= FoldFlag.HAS_HOLD
            window_s = payload.return_window_days * 86_400
            flags |= FoldFlag.IS_LATE_IN_WINDOW * (window_s > 0 and 5 * hold_s >= 4 * window_s)
        is_cross = (
            event.channel and payload.order_channel and event.channel != payload.order_channel
        )
        flags |= FoldFlag.IS_CROSS_CHANNEL * bool(is_cross)
        flags |= FoldFlag.IS_NO_RECEIPT * (not payload.has_receipt and not payload.order_id)
        flags |= FoldFlag.IS_GIFT_CARD * (payload.refund_tender == common_pb2.TENDER_GIFT_CARD)
    elif kind == "order_cancelled":
        flags |= FoldFlag.IS_BY_CUSTOMER * (payload.initiator == 1)
    elif kind == "order_kept":
        flags |= FoldFlag.IS_OFFER_TAKEN * payload.is_offer_taken
    elif kind == "label_set":
        flags |= FoldFlag.IS_ABUSE_CONFIRMED * (payload.label in (1, 3))
        flags |= FoldFlag.IS_REVERSAL * payload.is_reversal
    row["flags"] |= flags
    return row


def _expect_order(row: Any, event: event_pb2.Event) -> None:
    order = event.order_placed
    styles = [line.style for line in order.lines]
    row["order_time_us"], row["order_channel"] = row["time_us"], row["channel"]
    row["promised_delivery_us"] = _us(order, "promised_delivery_time")
    row["value_minor"] = row["order_value_minor"] = _value(order)
    row["unit_price_minor"] = max([line.unit_price_minor for line in order.lines], default=0)
    row["discount_minor"] = order.discount_minor + sum(
        line.quantity * line.unit_discount_minor for line in order.lines
    )
    row["gift_card_minor"] = order.gift_card_minor
    row["quantity"] = sum(line.quantity for line in order.lines)
    row["line_count"] = len(styles)
    row["multi_variant_line_count"] = sum(styles.count(style) > 1 for style in styles if style)
    row["return_window_days"], row["tender"] = order.return_window_days, order.tender
    is_gift_card = order.gift_card_minor > 0 or order.tender == common_pb2.TENDER_GIFT_CARD
    row["flags"] |= int(RequestFlag.HAS_ORDER) | int(RequestFlag.IS_GIFT_CARD) * is_gift_card


def _expect_after_order(row: Any, payload: Any) -> None:
    row["order_time_us"], row["delivery_time_us"] = (
        _us(payload, "order_time"),
        _us(payload, "delivery_time"),
    )
    row["quantity"], row["unit_price_minor"] = payload.quantity, payload.unit_price_minor
    row["value_minor"] = payload.quantity * payload.unit_price_minor
    row["return_window_days"] = payload.return_window_days
    row["order_channel"] = payload.order_channel
    _set_reason(row, payload, RequestFlag.HAS_EMBEDDING)


def _expect_return_flags(returned: event_pb2.ReturnRequested) -> int:
    evidence = returned.evidence
    bits = {
        RequestFlag.HAS_RECEIPT: returned.has_receipt,
        RequestFlag.HAS_ORDER: bool(returned.order_id),
        RequestFlag.IS_PHOTO_CHECKED: evidence.is_photo_checked,
        RequestFlag.IS_VIDEO_PASSED: evidence.is_video_passed,
        RequestFlag.IS_TAG_KNOWN: evidence.HasField("is_tag_on"),
        RequestFlag.IS_TAG_ON: evidence.is_tag_on,
        RequestFlag.IS_GIFT_CARD: returned.refund_tender == common_pb2.TENDER_GIFT_CARD,
    }
    return sum(int(flag) for flag, is_set in bits.items() if is_set)


def _expect_request_row(event: event_pb2.Event) -> Any:
    row = np.zeros((), REQUEST_ROW_DTYPE)
    row["time_us"] = _us(event, "event_time")
    row["case_key"] = compute_event_key(event.tenant, event.event_id)
    row["channel"] = event.channel
    kind = event.WhichOneof("kind")
    if kind == "order_placed":
        row["call"] = Call.ORDER
        _expect_order(row, event)
    elif kind == "cancel_requested":
        row["call"] = Call.CANCELLATION
        _expect_after_order(row, event.cancel_requested)
        row["delay_s"], row["stage"] = event.cancel_requested.delay_s, event.cancel_requested.stage
        row["flags"] |= int(RequestFlag.HAS_ORDER)
    else:
        row["call"] = Call.RETURN
        _expect_after_order(row, event.return_requested)
        row["tender"] = event.return_requested.refund_tender
        row["flags"] |= _expect_return_flags(event.return_requested)
    return row


def _plain(row: Any) -> dict[str, Any]:
    """Return a row field by field, so that a difference is shown by name."""
    return {name: row[name].tolist() for name in row.dtype.names}


_CASES = ("order_placed", "cancel_requested", "return_requested")


@LAW
@given(st.lists(_events(), max_size=6))
def test_fold_rows_equal_the_rules_spelt_out(events: list[event_pb2.Event]) -> None:
    columns = to_fold_rows(_to_batch(events))
    chosen = [
        i for i, e in enumerate(events) if e.customer_id and e.WhichOneof("kind") in FOLDED_KINDS
    ]
    assert columns.source_index.tolist() == chosen
    keys = [compute_entity_key(events[i].tenant, "customer", events[i].customer_id) for i in chosen]
    assert [key.tobytes() for key in columns.entity_keys] == keys
    assert columns.shards.tolist() == [compute_shard(key) for key in keys]
    assert [_plain(r) for r in columns.rows] == [
        _plain(_expect_fold_row(events[i])) for i in chosen
    ]


@LAW
@given(st.lists(_events(), max_size=6))
def test_request_rows_equal_the_rules_spelt_out(events: list[event_pb2.Event]) -> None:
    columns = to_request_rows(_to_batch(events))
    chosen = [i for i, event in enumerate(events) if event.WhichOneof("kind") in _CASES]
    assert columns.source_index.tolist() == chosen
    expected = [_plain(_expect_request_row(events[i])) for i in chosen]
    assert [_plain(row) for row in columns.rows] == expected
    assert columns.is_guest.tolist() == [not events[i].customer_id for i in chosen]
    for i, key in zip(chosen, columns.entity_keys, strict=True):
        assert key.tobytes() == compute_entity_key(
            events[i].tenant, "customer", events[i].customer_id
        )


@LAW
@given(st.lists(_events(), max_size=6))
def test_line_rows_are_their_orders_rows_with_their_own_amounts(
    events: list[event_pb2.Event],
) -> None:
    columns = to_line_rows(_to_batch(events))
    expected = []
    for i, event in enumerate(events):
        for j, line in enumerate(event.order_placed.lines):
            row = _expect_request_row(event)
            row["call"], row["quantity"] = Call.ORDER_LINE, line.quantity
            row["unit_price_minor"] = line.unit_price_minor
            row["value_minor"] = line.quantity * line.unit_price_minor
            expected.append((i, j, line.line_id, line.sku, line.style, _plain(row)))
    places = (columns.source_index.tolist(), columns.line_index.tolist())
    names = (columns.line_ids, columns.skus, columns.styles)
    assert list(zip(*places, *names, map(_plain, columns.rows), strict=True)) == expected


@LAW
@given(st.lists(_events(), min_size=2, max_size=6), st.integers(1, 5))
def test_a_slice_of_a_batch_gives_the_rows_of_a_slice(
    events: list[event_pb2.Event], start: int
) -> None:
    batch = _to_batch(events)
    sliced, rebuilt = batch.slice(start), _to_batch(events[start:])
    for convert in (to_fold_rows, to_request_rows, to_line_rows):
        assert convert(sliced).rows.tobytes() == convert(rebuilt).rows.tobytes()


def test_rows_are_the_same_from_files_with_only_the_folded_columns_read(tmp_path: Path) -> None:
    cancelled = structs.OrderCancelled(quantity=2, unit_price_minor=50, initiator=1)
    order = structs.OrderPlaced(lines=[structs.OrderLine(quantity=3, unit_price_minor=100)])
    events = [
        structs.Event(event_id="e1", tenant="demo", event_time=1, customer_id="c1",
                      order_placed=order),
        structs.Event(event_id="e2", tenant="demo", event_time=2, customer_id="c1",
                      product_viewed=structs.ProductViewed()),
        structs.Event(event_id="e3", tenant="demo", event_time=3, customer_id="c1",
                      order_cancelled=cancelled),
    ]  # fmt: skip
    with EventLogWriter(tmp_path / "log", n_partitions=1) as writer:
        writer.append_structs(events)
    log = EventLog(tmp_path / "log")
    ((_, batch),) = log.read_batches(0, kinds=FOLDED_KINDS)
    columns = to_fold_rows(batch)
    assert columns.source_index.tolist() == [0, 2]
    assert columns.rows["kind"].tolist() == [FoldKind.ORDER_PLACED, FoldKind.ORDER_CANCELLED]
    assert columns.rows["value_minor"].tolist() == [300, 100]
    assert to_fold_rows(log.read_table()).rows.tobytes() == columns.rows.tobytes()
