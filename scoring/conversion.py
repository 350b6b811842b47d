"""Requests to cases: the same rows that `features.log.columns` makes of their events.

A parity test holds the two equal on simulated and real events, so that training
has seen exactly what serving sees.
"""

from __future__ import annotations

import xxhash

from features.embedding import embed_text
from features.keys import compute_entity_key, compute_event_key
from features.request_rows import Call, RequestFlag
from hemostat.v1 import common_pb2, event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.cases import Case
from scoring.row_packing import NO_EMBEDDING, RowValues, pack_row
from scoring.validation import to_us

CUSTOMER = "customer"

_INT32_MAX = 2**31 - 1
_HAS_RECEIPT = int(RequestFlag.HAS_RECEIPT)
_HAS_ORDER = int(RequestFlag.HAS_ORDER)
_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)
_IS_PHOTO_CHECKED = int(RequestFlag.IS_PHOTO_CHECKED)
_IS_VIDEO_PASSED = int(RequestFlag.IS_VIDEO_PASSED)
_IS_TAG_KNOWN = int(RequestFlag.IS_TAG_KNOWN)
_IS_TAG_ON = int(RequestFlag.IS_TAG_ON)
_IS_GIFT_CARD = int(RequestFlag.IS_GIFT_CARD)


def to_case(request: pb.ScoreRequest, *, with_lines: bool, received_s: float) -> Case:
    """Return the case of a validated request.

    Args:
        request: Has passed `validation.validate_request`.
        with_lines: Whether an order also gets one row per line.
        received_s: When it was decoded, by the monotonic clock.
    """
    kind = request.WhichOneof("case")
    event_id = request.event_id
    case_key = compute_event_key(request.tenant, event_id) if event_id else 0
    packed_lines: tuple[bytes, ...] = ()
    line_ids: tuple[str, ...] = ()
    cost_minor: int | None
    if kind == "order":
        call, order = Call.ORDER, request.order
        row, cost_minor = _convert_order(order, case_key, request.channel)
        if with_lines:
            packed_lines = _pack_lines(row, order)
            line_ids = tuple(line.line_id for line in order.lines)
    elif kind == "cancellation":
        call, cancellation = Call.CANCELLATION, request.cancellation
        row = _convert_cancellation(cancellation, case_key, request.channel)
        cost_minor = _compute_item_cost(cancellation)
    else:
        call, returned = Call.RETURN, request.return_request
        row = _convert_return(returned, case_key, request.channel)
        cost_minor = _compute_item_cost(returned)
    return Case(
        tenant=request.tenant,
        request_id=request.request_id,
        request_hash=xxhash.xxh3_128_digest(request.SerializeToString(deterministic=True)),
        call=call,
        customer_key=compute_entity_key(request.tenant, CUSTOMER, request.customer_id)
        if request.customer_id
        else None,
        packed_rows=b"".join((pack_row(row), *packed_lines)),
        line_ids=line_ids,
        value_minor=row.value_minor,
        cost_minor=cost_minor,
        received_s=received_s,
    )


def _convert_order(
    order: event_pb2.OrderPlaced, case_key: int, channel: int
) -> tuple[RowValues, int | None]:
    """Return an order's row and its cost; None: a line has none."""
    gross_minor = units = dearest_minor = unit_discounts_minor = cost_minor = 0
    is_cost_known = True
    styles: dict[str, int] = {}
    for line in order.lines:
        quantity, price_minor, style = line.quantity, line.unit_price_minor, line.style
        units += quantity
        gross_minor += quantity * price_minor
        dearest_minor = max(dearest_minor, price_minor)
        unit_discounts_minor += quantity * line.unit_discount_minor
        cost_minor += quantity * line.unit_cost_minor
        is_cost_known = is_cost_known and line.HasField("unit_cost_minor")
        styles[style] = styles.get(style, 0) + 1
    value_minor = max(0, gross_minor - order.discount_minor)
    is_gift_card = order.gift_card_minor > 0 or order.tender == common_pb2.TENDER_GIFT_CARD
    row = RowValues(
        case_key=case_key,
        promised_delivery_us=to_us(order.promised_delivery_time),
        value_minor=value_minor,
        unit_price_minor=dearest_minor,
        order_value_minor=value_minor,
        discount_minor=order.discount_minor + unit_discounts_minor,
        gift_card_minor=order.gift_card_minor,
        quantity=min(units, _INT32_MAX),
        line_count=len(order.lines),
        multi_variant_line_count=sum(n for style, n in styles.items() if style and n > 1),
        return_window_days=order.return_window_days,
        flags=_HAS_ORDER | (_IS_GIFT_CARD if is_gift_card else 0),
        call=Call.ORDER,
        channel=channel,
        order_channel=channel,
        tender=order.tender,
    )
    return row, cost_minor if is_cost_known else None


def _pack_lines(row: RowValues, order: event_pb2.OrderPlaced) -> tuple[bytes, ...]:
    """Return a packed row per line: the order's facts with the line's own."""
    return tuple(
        pack_row(
            row._replace(
                call=Call.ORDER_LINE,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                value_minor=line.quantity * line.unit_price_minor,
            )
        )
        for line in order.lines
    )


def _convert_cancellation(
    cancellation: event_pb2.CancelRequested, case_key: int, channel: int
) -> RowValues:
    embedding = _compute_embedding(cancellation.reason)
    return RowValues(
        case_key=case_key,
        order_time_us=to_us(cancellation.order_time),
        delivery_time_us=to_us(cancellation.delivery_time),
        value_minor=cancellation.quantity * cancellation.unit_price_minor,
        unit_price_minor=cancellation.unit_price_minor,
        delay_s=cancellation.delay_s,
        quantity=cancellation.quantity,
        return_window_days=cancellation.return_window_days,
        flags=_HAS_ORDER | (_HAS_EMBEDDING if embedding is not NO_EMBEDDING else 0),
        call=Call.CANCELLATION,
        channel=channel,
        order_channel=cancellation.order_channel,
        reason_code=cancellation.reason.code,
        stage=cancellation.stage,
        embedding=embedding,
    )


def _convert_return(returned: event_pb2.ReturnRequested, case_key: int, channel: int) -> RowValues:
    embedding = _compute_embedding(returned.reason)
    evidence = returned.evidence
    flags = (
        (_HAS_RECEIPT if returned.has_receipt else 0)
        | (_HAS_ORDER if returned.order_id else 0)
        | (_HAS_EMBEDDING if embedding is not NO_EMBEDDING else 0)
        | (_IS_PHOTO_CHECKED if evidence.is_photo_checked else 0)
        | (_IS_VIDEO_PASSED if evidence.is_video_passed else 0)
        | (_IS_TAG_KNOWN if evidence.HasField("is_tag_on") else 0)
        | (_IS_TAG_ON if evidence.is_tag_on else 0)
        | (_IS_GIFT_CARD if returned.refund_tender == common_pb2.TENDER_GIFT_CARD else 0)
    )
    return RowValues(
        case_key=case_key,
        order_time_us=to_us(returned.order_time),
        delivery_time_us=to_us(returned.delivery_time),
        value_minor=returned.quantity * returned.unit_price_minor,
        unit_price_minor=returned.unit_price_minor,
        quantity=returned.quantity,
        return_window_days=returned.return_window_days,
        flags=flags,
        call=Call.RETURN,
        channel=channel,
        order_channel=returned.order_channel,
        reason_code=returned.reason.code,
        tender=returned.refund_tender,
        embedding=embedding,
    )


def _compute_item_cost(
    item: event_pb2.CancelRequested | event_pb2.ReturnRequested,
) -> int | None:
    return item.quantity * item.unit_cost_minor if item.HasField("unit_cost_minor") else None


def _compute_embedding(reason: common_pb2.Reason) -> bytes:
    """Return the embedding of a reason, `NO_EMBEDDING` itself if there is none."""
    embedding = embed_text(reason.text).tobytes() if reason.text else reason.embedding
    return embedding if any(embedding) else NO_EMBEDDING
