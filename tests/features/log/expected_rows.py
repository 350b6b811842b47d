"""The rules of `features.log.columns`, for one event at a time, spelt out without tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.embedding import EMBEDDERS
from features.entities import N_ENTITIES, Entity
from features.fold_rows import FAN_OUT, FOLD_ROW_DTYPE, FOLDED_KINDS, FoldFlag, FoldKind
from features.keys import (
    compute_batch_key,
    compute_entity_key,
    compute_event_key,
    compute_link,
    compute_member,
)
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag
from hemostat.v1 import common_pb2, event_pb2

_SECOND_US = 1_000_000
_ID_FIELDS = {
    Entity.SKU: "sku",
    Entity.STYLE: "style",
    Entity.SUPPLIER: "supplier",
    Entity.BATCH: "batch",
    Entity.REGION: "region",
    Entity.STORE: "store_id",
    Entity.DEVICE: "device_hash",
    Entity.ADDRESS: "address_hash",
    Entity.PAYMENT_TOKEN: "payment_token_hash",
}
_OWN = (Entity.CUSTOMER, Entity.ACTIVITY, Entity.DEVICE, Entity.ADDRESS, Entity.PAYMENT_TOKEN)
_PRODUCT = (Entity.SKU, Entity.STYLE, Entity.SUPPLIER, Entity.BATCH)
_REASONS = {"service_message": "message", "review_posted": "review"}

Named = dict[Entity, bytes]


def read_us(message: Any, name: str) -> int:
    """Return a time in microseconds; absent is 0."""
    if not message.HasField(name):
        return 0
    moment = getattr(message, name)
    return int(moment.seconds * _SECOND_US + moment.nanos // 1_000)


def _find_key(event: event_pb2.Event, message: Any, entity: Entity) -> bytes | None:
    if entity in (Entity.CUSTOMER, Entity.ACTIVITY):
        name = event.customer_id
    else:
        name = getattr(message, _ID_FIELDS[entity], "")
    if not name:
        return None
    if entity is Entity.BATCH:
        return compute_batch_key(event.tenant, message.supplier, name)
    return compute_entity_key(event.tenant, entity, name)


def _compute_member(event: event_pb2.Event) -> int:
    key = _find_key(event, event, Entity.CUSTOMER)
    return compute_member(key) if key else 0


def is_variant(order: event_pb2.OrderPlaced, number: int) -> bool:
    """Return whether a line's style stands in another line, too."""
    style = order.lines[number].style
    return bool(style) and sum(line.style == style for line in order.lines) > 1


def _sum(order: event_pb2.OrderPlaced, field: str) -> int:
    return sum(line.quantity * getattr(line, field) for line in order.lines)


def expect_fold_rows(event: event_pb2.Event) -> list[tuple[bytes, Any, bytes]]:
    """Return (key, row, embedding) of each fold row of an event; `embedding` is -1 or 0."""
    kind = str(event.WhichOneof("kind"))
    if kind not in FOLDED_KINDS:
        return []
    payload = getattr(event, kind)
    row = np.zeros((), FOLD_ROW_DTYPE)
    row["event_time_us"] = read_us(event, "event_time")
    row["ingest_time_us"] = read_us(event, "ingest_time")
    row["event_key"] = compute_event_key(event.tenant, event.event_id)
    row["member"], row["channel"], row["embedding"] = _compute_member(event), event.channel, -1
    line_row = row.copy()
    embedding = _fill_event(row, event, kind, payload)
    row["kind"] = FOLDED_KINDS[kind]
    rows = _fan(event, payload, row, embedding)
    if kind == "order_placed":
        for number, line in enumerate(payload.lines):
            _fill_line(line_row, event, number)
            rows += _fan(event, line, line_row, b"")
    return rows


def _fan(
    event: event_pb2.Event, message: Any, row: Any, embedding: bytes
) -> list[tuple[bytes, Any, bytes]]:
    rows = []
    for entity in FAN_OUT[FoldKind(int(row["kind"]))]:
        key = _find_key(event, message, entity)
        if key is None or (entity in _OWN and not event.customer_id):
            continue
        own = row.copy()
        own["entity"] = entity
        rows.append((key, own, embedding))
    return rows


def _fill_line(row: Any, event: event_pb2.Event, number: int) -> None:
    order = event.order_placed
    line = order.lines[number]
    row["kind"], row["line_count"] = FoldKind.ORDER_LINE, number
    row["value_minor"] = line.quantity * line.unit_price_minor
    row["order_link"] = compute_link(event.tenant, order.order_id)
    row["style_link"] = compute_link(event.tenant, line.style)
    row["flags"] = (
        FoldFlag.IS_MULTI_VARIANT * is_variant(order, number)
        | FoldFlag.IS_OCCASION * line.is_occasion_wear
        | FoldFlag.IS_HIGH_RESALE * line.is_high_resale
    )


_AMOUNTS = {
    "service_replied": "waited_s",
    "delivery_delayed": "delay_s",
    "checkout_abandoned": "cart_age_s",
    "return_received": "weight_g",
    "review_posted": "rating",
}
_VALUES = {
    "refund_issued": "amount_minor",
    "price_changed": "unit_price_minor",
    "competitor_price_seen": "unit_price_minor",
    "offer_made": "cost_minor",
    "offer_closed": "cost_minor",
}


def _fill_event(row: Any, event: event_pb2.Event, kind: str, payload: Any) -> bytes:
    """Set what the payload says; return the embedding, empty if there is none."""
    if kind == "order_placed":
        row["value_minor"] = max(0, _sum(payload, "unit_price_minor") - payload.discount_minor)
        row["amount"] = payload.discount_minor + _sum(payload, "unit_discount_minor")
        row["line_count"] = len(payload.lines)
        row["multi_variant_count"] = sum(is_variant(payload, n) for n in range(len(payload.lines)))
    elif kind in ("cancel_requested", "order_cancelled", "return_requested"):
        row["value_minor"] = payload.quantity * payload.unit_price_minor
    elif kind in _VALUES:
        row["value_minor"] = getattr(payload, _VALUES[kind])
    if kind in _AMOUNTS:
        row["amount"] = getattr(payload, _AMOUNTS[kind])
    if kind in ("cancel_requested", "order_cancelled"):
        row["stage"] = payload.stage
    if kind in ("return_requested", "return_received", "return_inspected"):
        row["return_link"] = compute_link(event.tenant, payload.return_id)
    if kind in ("return_requested", "size_chart_viewed"):
        row["style_link"] = compute_link(event.tenant, payload.style)
    if kind == "return_inspected":
        row["condition"] = payload.condition
    flags = _find_flags(kind, payload)
    if kind == "return_requested":
        row["order_link"] = compute_link(event.tenant, payload.order_id)
        row["store_link"] = compute_link(event.tenant, payload.store_id)
        row["weight_g"] = payload.evidence.weight_g
        flags |= _fill_return(row, event)
    reason_flags, embedding = _fill_reason(row, payload, _REASONS.get(kind, "reason"))
    row["flags"] = flags | reason_flags
    return embedding


def _find_flags(kind: str, payload: Any) -> int:
    """Return the flags of the kinds that are not returns."""
    bits: dict[FoldFlag, bool] = {}
    if kind == "refund_issued":
        bits = {
            FoldFlag.IS_GIFT_CARD: payload.tender == common_pb2.TENDER_GIFT_CARD,
            FoldFlag.HAS_RETURN: bool(payload.return_id),
        }
    elif kind == "return_inspected":
        bits = {
            FoldFlag.IS_WRONG_ITEM: payload.is_wrong_item,
            FoldFlag.IS_EMPTY_BOX: payload.is_empty_box,
        }
    elif kind == "order_cancelled":
        bits = {FoldFlag.IS_BY_CUSTOMER: payload.initiator == 1}
    elif kind == "order_kept":
        bits = {FoldFlag.IS_OFFER_TAKEN: payload.is_offer_taken}
    elif kind == "label_set":
        bits = {
            FoldFlag.IS_ABUSE_CONFIRMED: payload.label in (1, 3),
            FoldFlag.IS_ABUSE_CLEARED: payload.label == 2,
            FoldFlag.IS_CHARGEBACK: payload.label == 3,
            FoldFlag.IS_APPEAL_UPHELD: payload.label == 4,
            FoldFlag.IS_REVERSAL: payload.is_reversal,
        }
    elif kind == "offer_closed":
        bits = {
            FoldFlag.IS_OFFER_ACCEPTED: payload.result == 1,
            FoldFlag.IS_OFFER_REFUSED: payload.result == 2,
            FoldFlag.IS_OFFER_EXPIRED: payload.result == 3,
        }
    return sum(int(flag) for flag, is_set in bits.items() if is_set)


def _fill_reason(row: Any, payload: Any, name: str) -> tuple[int, bytes]:
    """Set what a reason says; return its flags and its embedding."""
    if name not in payload.DESCRIPTOR.fields_by_name:
        return 0, b""
    reason, flags = getattr(payload, name), 0
    row["reason_code"] = reason.code
    if reason.HasField("sentiment"):
        row["sentiment"] = reason.sentiment
        flags |= int(FoldFlag.HAS_SENTIMENT)
    if not any(reason.embedding):
        return flags, b""
    row["embedder"] = EMBEDDERS[0].id
    return flags | int(FoldFlag.HAS_EMBEDDING), reason.embedding


def _fill_return(row: Any, event: event_pb2.Event) -> int:
    returned = event.return_requested
    evidence, flags = returned.evidence, 0
    since_us = read_us(returned, "delivery_time") or read_us(returned, "order_time")
    if since_us:
        hold_s = max(0, (read_us(event, "event_time") - since_us) // _SECOND_US)
        row["amount"] = hold_s
        window_s = returned.return_window_days * 86_400
        flags |= FoldFlag.HAS_HOLD
        flags |= FoldFlag.IS_LATE_IN_WINDOW * (window_s > 0 and 5 * hold_s >= 4 * window_s)
    channels = {event.channel, returned.order_channel}
    bits = {
        FoldFlag.IS_CROSS_CHANNEL: 0 not in channels and len(channels) == 2,
        FoldFlag.IS_NO_RECEIPT: not returned.has_receipt and not returned.order_id,
        FoldFlag.IS_GIFT_CARD: returned.refund_tender == common_pb2.TENDER_GIFT_CARD,
        FoldFlag.IS_OCCASION: returned.is_occasion_wear,
        FoldFlag.IS_HIGH_RESALE: returned.is_high_resale,
        FoldFlag.IS_PHOTO_CHECKED: evidence.is_photo_checked,
        FoldFlag.IS_VIDEO_PASSED: evidence.is_video_passed,
        FoldFlag.IS_TAG_KNOWN: evidence.HasField("is_tag_on"),
        FoldFlag.IS_TAG_ON: evidence.is_tag_on,
        FoldFlag.IS_CLAIM_AFTER_DELIVERY: returned.reason.code == 8
        and returned.HasField("delivery_time"),
    }
    return flags | sum(int(flag) for flag, is_set in bits.items() if is_set)


def expect_request_row(event: event_pb2.Event) -> tuple[Any, Named]:
    """Return the row of a case and the keys of the entities that it names."""
    row = np.zeros((), REQUEST_ROW_DTYPE)
    row["time_us"] = read_us(event, "event_time")
    row["case_key"] = compute_event_key(event.tenant, event.event_id)
    row["channel"], row["member"] = event.channel, _compute_member(event)
    kind = str(event.WhichOneof("kind"))
    payload = getattr(event, kind)
    product = payload
    if kind == "order_placed":
        product = _expect_order(row, event)
    else:
        _expect_after_order(row, payload, event.tenant)
        row["call"] = Call.CANCELLATION if kind == "cancel_requested" else Call.RETURN
    if kind == "cancel_requested":
        row["delay_s"], row["stage"] = payload.delay_s, payload.stage
        row["flags"] |= int(RequestFlag.HAS_ORDER)
    elif kind == "return_requested":
        row["tender"] = payload.refund_tender
        row["flags"] |= _expect_return_flags(payload)
    return row, _name(event, payload, product)


def expect_line_row(event: event_pb2.Event, number: int) -> tuple[Any, Named]:
    """Return the row of an order's line and the keys of the entities that it names."""
    row, _ = expect_request_row(event)
    line = event.order_placed.lines[number]
    row["call"], row["quantity"] = Call.ORDER_LINE, line.quantity
    row["unit_price_minor"] = row["product_price_minor"] = line.unit_price_minor
    row["value_minor"] = line.quantity * line.unit_price_minor
    row["style_link"] = compute_link(event.tenant, line.style)
    return row, _name(event, event.order_placed, line)


def _name(event: event_pb2.Event, payload: Any, product: Any) -> Named:
    keys = {
        entity: _find_key(event, product if entity in _PRODUCT else payload, entity)
        for entity in Entity
    }
    assert len(keys) == N_ENTITIES
    return {entity: key for entity, key in keys.items() if key is not None}


def _expect_order(row: Any, event: event_pb2.Event) -> event_pb2.OrderLine:
    """Set an order's own facts; return its dearest line (one that says nothing if it has none)."""
    order = event.order_placed
    row["call"] = Call.ORDER
    row["order_time_us"], row["order_channel"] = row["time_us"], row["channel"]
    row["promised_delivery_us"] = read_us(order, "promised_delivery_time")
    row["value_minor"] = max(0, _sum(order, "unit_price_minor") - order.discount_minor)
    row["order_value_minor"] = row["value_minor"]
    row["unit_price_minor"] = max([line.unit_price_minor for line in order.lines], default=0)
    row["discount_minor"] = order.discount_minor + _sum(order, "unit_discount_minor")
    row["gift_card_minor"] = order.gift_card_minor
    row["quantity"] = sum(line.quantity for line in order.lines)
    row["line_count"] = len(order.lines)
    variants = [is_variant(order, n) for n in range(len(order.lines))]
    row["multi_variant_line_count"] = sum(variants)
    row["return_window_days"], row["tender"] = order.return_window_days, order.tender
    is_gift_card = order.gift_card_minor > 0 or order.tender == common_pb2.TENDER_GIFT_CARD
    row["flags"] |= int(RequestFlag.HAS_ORDER) | int(RequestFlag.IS_GIFT_CARD) * is_gift_card
    values = [line.quantity * line.unit_price_minor for line in order.lines]
    dearest = order.lines[values.index(max(values))] if values else event_pb2.OrderLine()
    row["product_price_minor"] = dearest.unit_price_minor
    row["style_link"] = compute_link(event.tenant, dearest.style)
    return dearest


def _expect_after_order(row: Any, payload: Any, tenant: str) -> None:
    row["order_time_us"] = read_us(payload, "order_time")
    row["delivery_time_us"] = read_us(payload, "delivery_time")
    row["quantity"], row["unit_price_minor"] = payload.quantity, payload.unit_price_minor
    row["product_price_minor"] = payload.unit_price_minor
    row["value_minor"] = payload.quantity * payload.unit_price_minor
    row["return_window_days"] = payload.return_window_days
    row["order_channel"] = payload.order_channel
    row["style_link"] = compute_link(tenant, payload.style)
    row["reason_code"] = payload.reason.code
    if any(payload.reason.embedding):
        row["embedding"] = np.frombuffer(payload.reason.embedding, np.int8)
        row["embedder"] = EMBEDDERS[0].id
        row["flags"] |= int(RequestFlag.HAS_EMBEDDING)


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
