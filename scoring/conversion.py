"""Requests to cases: the same rows that `features.log.columns` makes of their events.

A parity test holds the two equal on simulated and real events, so that training
has seen exactly what serving sees.
"""

from __future__ import annotations

import xxhash

from features.embedding import EMBEDDERS, embed_text, embedder_at
from features.entities import Entity
from features.keys import CaseNames, compute_case_names, compute_member
from features.request_rows import Call, RequestFlag
from hemostat.v1 import common_pb2, event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.cases import Case
from scoring.outcome_labels import pack_names
from scoring.row_packing import NO_EMBEDDING, RowValues, pack_row
from scoring.validation import to_us

_INT32_MAX = 2**31 - 1
_EMBEDDER_IDS = {embedder.name: embedder.id for embedder in EMBEDDERS}
_HAS_RECEIPT = int(RequestFlag.HAS_RECEIPT)
_HAS_ORDER = int(RequestFlag.HAS_ORDER)
_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)
_IS_PHOTO_CHECKED = int(RequestFlag.IS_PHOTO_CHECKED)
_IS_VIDEO_PASSED = int(RequestFlag.IS_VIDEO_PASSED)
_IS_TAG_KNOWN = int(RequestFlag.IS_TAG_KNOWN)
_IS_TAG_ON = int(RequestFlag.IS_TAG_ON)
_IS_GIFT_CARD = int(RequestFlag.IS_GIFT_CARD)


def to_case(request: pb.ScoreRequest, *, with_lines: bool, received_s: float, now_us: int) -> Case:
    """Return the case of a validated request.

    Args:
        request: Has passed `validation.validate_request`.
        with_lines: Whether an order also gets one row per line.
        received_s: When it was decoded, by the monotonic clock.
        now_us: The time of the features, microseconds UTC; says which embedder is in force.
    """
    kind = request.WhichOneof("case")
    told: event_pb2.OrderPlaced | event_pb2.CancelRequested | event_pb2.ReturnRequested
    cost_minor: int | None
    line_ids: tuple[str, ...] = ()
    if kind == "order":
        call, order = Call.ORDER, request.order
        told = order
        dearest = _find_dearest(order)
        row, cost_minor = _convert_order(order, dearest)
        ids = _name_order(request.customer_id, order, dearest)
        if with_lines:
            line_ids = tuple(line.line_id for line in order.lines)
            ids = [*ids, *_name_lines(ids, order)]
    elif kind == "cancellation":
        call, cancellation = Call.CANCELLATION, request.cancellation
        told = cancellation
        row = _convert_cancellation(cancellation, now_us)
        cost_minor = _compute_item_cost(cancellation)
        ids = _name_item(request.customer_id, cancellation, cancellation.region)
    else:
        call, returned = Call.RETURN, request.return_request
        told = returned
        row = _convert_return(returned, now_us)
        cost_minor = _compute_item_cost(returned)
        ids = _name_item(request.customer_id, returned, "")
    names = compute_case_names(request.tenant, request.event_id, ids)
    row = row._replace(
        case_key=names.event_key if request.event_id else 0,
        channel=request.channel,
        order_channel=request.channel if kind == "order" else row.order_channel,
        member=compute_member(names.entity_keys[Entity.CUSTOMER]) if request.customer_id else 0,
        style_link=names.style_links[0],
    )
    packed_lines = _pack_lines(row, request.order, names) if line_ids else ()
    return Case(
        tenant=request.tenant,
        request_id=request.request_id,
        request_hash=xxhash.xxh3_128_digest(request.SerializeToString(deterministic=True)),
        call=call,
        entity_keys=tuple(
            [key if name else None for name, key in zip(ids, names.entity_keys, strict=True)]
        ),
        packed_rows=b"".join((pack_row(row), *packed_lines)),
        line_ids=line_ids,
        value_minor=row.value_minor,
        cost_minor=cost_minor,
        received_s=received_s,
        attributes=told.attributes,
        customer_attributes=told.customer_attributes,
        event_id=request.event_id,
        names=pack_names(ids, request.channel) if request.event_id else b"",
    )


def _find_dearest(order: event_pb2.OrderPlaced) -> event_pb2.OrderLine:
    """Return the line of the greatest quantity * unit price, the first of equals."""
    return max(order.lines, key=lambda line: line.quantity * line.unit_price_minor)


def _name_order(
    customer_id: str, order: event_pb2.OrderPlaced, line: event_pb2.OrderLine
) -> list[str]:
    """Return the ids that an order names, one per entity; its product is that of `line`."""
    return [
        customer_id,
        customer_id,
        line.sku,
        line.style,
        line.supplier,
        line.batch,
        order.region,
        order.store_id,
        order.device_hash,
        order.address_hash,
        order.payment_token_hash,
    ]


def _name_lines(ids: list[str], order: event_pb2.OrderPlaced) -> list[str]:
    """Return the ids that each line names, line by line: its own product, else its order's."""
    before, after = ids[: Entity.SKU], ids[Entity.REGION :]
    names: list[str] = []
    for line in order.lines:
        names += (*before, line.sku, line.style, line.supplier, line.batch, *after)
    return names


def _name_item(
    customer_id: str, item: event_pb2.CancelRequested | event_pb2.ReturnRequested, region: str
) -> list[str]:
    """Return the ids that a cancellation or a return names, one per entity."""
    return [
        customer_id,
        customer_id,
        item.sku,
        item.style,
        item.supplier,
        item.batch,
        region,
        item.store_id,
        item.device_hash,
        item.address_hash,
        item.payment_token_hash,
    ]


def _convert_order(
    order: event_pb2.OrderPlaced, dearest: event_pb2.OrderLine
) -> tuple[RowValues, int | None]:
    """Return an order's row, but for names and channel, and its cost; None: a line has none."""
    gross_minor = units = price_max_minor = unit_discounts_minor = cost_minor = 0
    is_cost_known = True
    styles: dict[str, int] = {}
    for line in order.lines:
        quantity, price_minor, style = line.quantity, line.unit_price_minor, line.style
        units += quantity
        gross_minor += quantity * price_minor
        price_max_minor = max(price_max_minor, price_minor)
        unit_discounts_minor += quantity * line.unit_discount_minor
        cost_minor += quantity * line.unit_cost_minor
        is_cost_known = is_cost_known and line.HasField("unit_cost_minor")
        styles[style] = styles.get(style, 0) + 1
    value_minor = max(0, gross_minor - order.discount_minor)
    is_gift_card = order.gift_card_minor > 0 or order.tender == common_pb2.TENDER_GIFT_CARD
    row = RowValues(
        promised_delivery_us=to_us(order.promised_delivery_time),
        value_minor=value_minor,
        unit_price_minor=price_max_minor,
        order_value_minor=value_minor,
        discount_minor=order.discount_minor + unit_discounts_minor,
        gift_card_minor=order.gift_card_minor,
        quantity=min(units, _INT32_MAX),
        line_count=len(order.lines),
        multi_variant_line_count=sum(n for style, n in styles.items() if style and n > 1),
        return_window_days=order.return_window_days,
        flags=_HAS_ORDER | (_IS_GIFT_CARD if is_gift_card else 0),
        call=Call.ORDER,
        tender=order.tender,
        product_price_minor=dearest.unit_price_minor,
    )
    return row, cost_minor if is_cost_known else None


def _pack_lines(
    row: RowValues, order: event_pb2.OrderPlaced, names: CaseNames
) -> tuple[bytes, ...]:
    """Return a packed row per line: the order's facts with the line's own."""
    return tuple(
        pack_row(
            row._replace(
                call=Call.ORDER_LINE,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                value_minor=line.quantity * line.unit_price_minor,
                product_price_minor=line.unit_price_minor,
                style_link=link,
            )
        )
        for line, link in zip(order.lines, names.style_links[1:], strict=True)
    )


def _convert_cancellation(cancellation: event_pb2.CancelRequested, now_us: int) -> RowValues:
    embedding, embedder = _compute_embedding(cancellation.reason, now_us)
    return RowValues(
        order_time_us=to_us(cancellation.order_time),
        delivery_time_us=to_us(cancellation.delivery_time),
        value_minor=cancellation.quantity * cancellation.unit_price_minor,
        unit_price_minor=cancellation.unit_price_minor,
        product_price_minor=cancellation.unit_price_minor,
        delay_s=cancellation.delay_s,
        quantity=cancellation.quantity,
        return_window_days=cancellation.return_window_days,
        flags=_HAS_ORDER | (_HAS_EMBEDDING if embedder else 0),
        call=Call.CANCELLATION,
        order_channel=cancellation.order_channel,
        reason_code=cancellation.reason.code,
        stage=cancellation.stage,
        embedding=embedding,
        embedder=embedder,
    )


def _convert_return(returned: event_pb2.ReturnRequested, now_us: int) -> RowValues:
    embedding, embedder = _compute_embedding(returned.reason, now_us)
    evidence = returned.evidence
    flags = (
        (_HAS_RECEIPT if returned.has_receipt else 0)
        | (_HAS_ORDER if returned.order_id else 0)
        | (_HAS_EMBEDDING if embedder else 0)
        | (_IS_PHOTO_CHECKED if evidence.is_photo_checked else 0)
        | (_IS_VIDEO_PASSED if evidence.is_video_passed else 0)
        | (_IS_TAG_KNOWN if evidence.HasField("is_tag_on") else 0)
        | (_IS_TAG_ON if evidence.is_tag_on else 0)
        | (_IS_GIFT_CARD if returned.refund_tender == common_pb2.TENDER_GIFT_CARD else 0)
    )
    return RowValues(
        order_time_us=to_us(returned.order_time),
        delivery_time_us=to_us(returned.delivery_time),
        value_minor=returned.quantity * returned.unit_price_minor,
        unit_price_minor=returned.unit_price_minor,
        product_price_minor=returned.unit_price_minor,
        quantity=returned.quantity,
        return_window_days=returned.return_window_days,
        flags=flags,
        call=Call.RETURN,
        order_channel=returned.order_channel,
        reason_code=returned.reason.code,
        tender=returned.refund_tender,
        embedding=embedding,
        embedder=embedder,
    )


def _compute_item_cost(
    item: event_pb2.CancelRequested | event_pb2.ReturnRequested,
) -> int | None:
    return item.quantity * item.unit_cost_minor if item.HasField("unit_cost_minor") else None


def _compute_embedding(reason: common_pb2.Reason, now_us: int) -> tuple[bytes, int]:
    """Return the embedding of a reason and its embedder's id, 0 if there is none."""
    if reason.text:
        embedder = embedder_at(now_us)
        embedding, number = embed_text(reason.text, embedder).tobytes(), embedder.id
    else:
        embedding, number = reason.embedding, _EMBEDDER_IDS.get(reason.embedder, 0)
    return (embedding, number) if any(embedding) else (NO_EMBEDDING, 0)
