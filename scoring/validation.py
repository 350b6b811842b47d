"""Checks of a request: what the log would refuse in an event, a call may not ask about.

The ranges are those of the log, so that every logged case can be asked about;
only the number of lines and absurd times are bounded closer here.

Each failure is an `InvalidRequestError` that names field, value, expectation and
fix. Values shown are numbers and names of enums, never identifiers or texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from features.attributes import check_attributes
from features.embedding import DIM, EMBEDDERS
from features.errors import InvalidRequestError
from features.spelling import suggest_close
from hemostat.v1 import common_pb2, event_pb2
from hemostat.v1 import scoring_pb2 as pb

MAX_BATCH = 1024
MAX_LINES = 2000
MAX_ID_LENGTH = 256
MAX_QUANTITY = 1_000_000
MAX_PRICE_MINOR = 10**12
MAX_VALUE_MINOR = 10**13
MAX_WEIGHT_G = 10**9
MAX_DAYS = 3650
MAX_SENTIMENT = 100

_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US
_EARLIEST_US = 631_152_000 * _SECOND_US  # 1990-01-01: before online shops.
_MAX_AHEAD_US = 31 * _DAY_US  # Other clocks may be wrong, and a replayed clock stands behind.
_MAX_PROMISE_US = 5 * 365 * _DAY_US
_MAX_DELAY_S = MAX_DAYS * 86_400

_EMBEDDERS = tuple(embedder.name for embedder in EMBEDDERS)
_AMOUNTS = ("unit_price_minor", "unit_cost_minor", "unit_discount_minor")
_CASES = ("order", "cancellation", "return_request")
_NUMBERS: dict[object, frozenset[int]] = {
    enum: frozenset(enum.values())
    for enum in (
        common_pb2.Channel,
        common_pb2.OrderStage,
        common_pb2.ReasonCode,
        common_pb2.Tender,
        pb.Outcome,
    )
}


def validate_request(request: pb.ScoreRequest, tenants: Collection[str], now_us: int) -> None:
    """Check one request.

    Args:
        request: As it came.
        tenants: Those that this server scores for.
        now_us: The server's time, microseconds UTC.

    Raises:
        InvalidRequestError: The first thing that is wrong.
    """
    validate_tenant(request.tenant, tenants)
    for field in ("request_id", "event_id", "customer_id"):
        _check_length(field, getattr(request, field))
    _check_enum("channel", request.channel, common_pb2.Channel)
    case = request.WhichOneof("case")
    if case is not None:
        told = getattr(request, case)
        for field in ("attributes", "customer_attributes"):
            check_attributes(getattr(told, field), f"{case}.{field}")
    if case == "order":
        _validate_order(request.order, now_us)
    elif case == "cancellation":
        _validate_cancellation(request.cancellation, now_us)
    elif case == "return_request":
        _validate_return(request.return_request, now_us)
    else:
        raise InvalidRequestError(
            "the request has no case",
            field="case",
            value="none",
            expectation=f"one of {', '.join(_CASES)}",
            fix="set the case to be scored",
        )


def validate_tenant(tenant: str, tenants: Collection[str]) -> None:
    """Check that this server scores for a tenant.

    Raises:
        InvalidRequestError: It does not.
    """
    if tenant not in tenants:
        raise InvalidRequestError(
            "the tenant is not known here" if tenant else "the request names no tenant",
            field="tenant",
            value=tenant[:40] or "empty",
            expectation="a tenant whose model bundle this server has loaded",
            # Not a list: one tenant need not know of the others.
            fix=suggest_close(tenant, tenants)
            or "send the tenant's name as in its events; `hemostat serve --bundle` adds one",
        )


def validate_batch(requests: Collection[pb.ScoreRequest]) -> None:
    """Check the size of a batch.

    Raises:
        InvalidRequestError: It is empty or too large.
    """
    if not 1 <= len(requests) <= MAX_BATCH:
        raise InvalidRequestError(
            "the batch has too many cases" if requests else "the batch is empty",
            field="requests",
            value=str(len(requests)),
            expectation=f"1 to {MAX_BATCH}",
            fix="split it" if requests else "put at least one request into it",
        )


def validate_outcome(request: pb.RecordOutcomeRequest, tenants: Collection[str]) -> None:
    """Check a report of what became of a decision.

    Raises:
        InvalidRequestError: The first thing that is wrong.
    """
    validate_tenant(request.tenant, tenants)
    for field in ("decision_id", "outcome_id"):
        value = getattr(request, field)
        _check_length(field, value)
        if not value:
            raise InvalidRequestError(
                "an id is missing", field=field, value="empty", expectation="an id", fix="set it"
            )
    _check_enum("outcome", request.outcome, pb.Outcome, is_required=True)
    _check_range("spent_minor", request.spent_minor, 0, MAX_VALUE_MINOR)
    if request.HasField("outcome_time"):
        # Outcomes of a replayed log and of today are both welcome.
        _check_time("outcome_time", request.outcome_time, 4 * 10**15)


def to_us(moment: Timestamp) -> int:
    """Return a time in microseconds since the epoch, UTC; absent is 0."""
    return moment.seconds * _SECOND_US + moment.nanos // 1000


def _validate_order(order: event_pb2.OrderPlaced, now_us: int) -> None:
    lines = order.lines
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidRequestError(
            "the order has too many lines" if lines else "the order has no lines",
            field="order.lines",
            value=str(len(lines)),
            expectation=f"1 to {MAX_LINES}",
            fix="split the order" if lines else "send what was ordered",
        )
    for number, line in enumerate(lines):
        _validate_line(line, number)
    _validate_totals(lines)
    _check_range("order.discount_minor", order.discount_minor, 0, MAX_VALUE_MINOR)
    _check_range("order.gift_card_minor", order.gift_card_minor, 0, MAX_VALUE_MINOR)
    _check_range("order.return_window_days", order.return_window_days, 0, MAX_DAYS)
    _check_enum("order.tender", order.tender, common_pb2.Tender)
    if order.HasField("promised_delivery_time"):
        latest_us = now_us + _MAX_PROMISE_US
        _check_time("order.promised_delivery_time", order.promised_delivery_time, latest_us)


def _validate_line(line: event_pb2.OrderLine, number: int) -> None:
    # The common case in one comparison each; the path is only built for an error.
    is_sound = (
        1 <= line.quantity <= MAX_QUANTITY
        and 0 <= line.unit_price_minor <= MAX_PRICE_MINOR
        and 0 <= line.unit_cost_minor <= MAX_PRICE_MINOR
        and 0 <= line.unit_discount_minor <= MAX_PRICE_MINOR
        and line.quantity * line.unit_price_minor <= MAX_VALUE_MINOR
        and line.quantity * line.unit_cost_minor <= MAX_VALUE_MINOR
        and line.quantity * line.unit_discount_minor <= MAX_VALUE_MINOR
        and len(line.line_id) <= MAX_ID_LENGTH
    )
    if is_sound:
        return
    path = f"order.lines[{number}]"
    _check_range(f"{path}.quantity", line.quantity, 1, MAX_QUANTITY)
    for field in _AMOUNTS:
        _check_range(f"{path}.{field}", getattr(line, field), 0, MAX_PRICE_MINOR)
    for field in _AMOUNTS:
        amount_minor = line.quantity * getattr(line, field)
        _check_range(f"{path}.quantity * {field}", amount_minor, 0, MAX_VALUE_MINOR)
    _check_length(f"{path}.line_id", line.line_id)


def _validate_totals(lines: Sequence[event_pb2.OrderLine]) -> None:
    """Check what the lines, each sound by itself, add up to; rows hold 64 bits."""
    for field in _AMOUNTS:
        total_minor = sum([line.quantity * getattr(line, field) for line in lines])
        _check_range(f"order.lines: sum of quantity * {field}", total_minor, 0, MAX_VALUE_MINOR)


def _validate_cancellation(cancellation: event_pb2.CancelRequested, now_us: int) -> None:
    _validate_item("cancellation", cancellation, now_us)
    _check_range("cancellation.delay_s", cancellation.delay_s, 0, _MAX_DELAY_S)
    _check_enum("cancellation.stage", cancellation.stage, common_pb2.OrderStage)


def _validate_return(returned: event_pb2.ReturnRequested, now_us: int) -> None:
    _validate_item("return_request", returned, now_us)
    _check_enum("return_request.refund_tender", returned.refund_tender, common_pb2.Tender)
    weight_g = returned.evidence.weight_g
    _check_range("return_request.evidence.weight_g", weight_g, 0, MAX_WEIGHT_G)


def _validate_item(
    path: str, item: event_pb2.CancelRequested | event_pb2.ReturnRequested, now_us: int
) -> None:
    """Check what cancellations and returns share."""
    _check_range(f"{path}.quantity", item.quantity, 1, MAX_QUANTITY)
    _check_range(f"{path}.unit_price_minor", item.unit_price_minor, 0, MAX_PRICE_MINOR)
    _check_range(f"{path}.unit_cost_minor", item.unit_cost_minor, 0, MAX_PRICE_MINOR)
    for field in ("unit_price_minor", "unit_cost_minor"):
        amount_minor = item.quantity * getattr(item, field)
        _check_range(f"{path}.quantity * {field}", amount_minor, 0, MAX_VALUE_MINOR)
    _check_range(f"{path}.return_window_days", item.return_window_days, 0, MAX_DAYS)
    _check_enum(f"{path}.order_channel", item.order_channel, common_pb2.Channel)
    _validate_item_times(path, item, now_us + _MAX_AHEAD_US)
    if item.HasField("reason"):
        _validate_reason(f"{path}.reason", item.reason)


def _validate_item_times(
    path: str, item: event_pb2.CancelRequested | event_pb2.ReturnRequested, latest_us: int
) -> None:
    if item.HasField("order_time"):
        _check_time(f"{path}.order_time", item.order_time, latest_us)
    if not item.HasField("delivery_time"):
        return
    _check_time(f"{path}.delivery_time", item.delivery_time, latest_us)
    early_us = to_us(item.order_time) - to_us(item.delivery_time)
    if item.HasField("order_time") and early_us > 0:
        raise InvalidRequestError(
            "the delivery stands before the order",
            field=f"{path}.delivery_time",
            value=f"{early_us / _SECOND_US:g} s before order_time",
            expectation="not before order_time",
            fix="leave delivery_time out if the item is not delivered yet",
        )


def _validate_reason(path: str, reason: common_pb2.Reason) -> None:
    _check_enum(f"{path}.code", reason.code, common_pb2.ReasonCode)
    _check_range(f"{path}.sentiment", reason.sentiment, -MAX_SENTIMENT, MAX_SENTIMENT)
    if not reason.embedding or reason.text:  # A text is embedded here, whatever came with it.
        return
    if len(reason.embedding) != DIM or reason.embedder not in _EMBEDDERS:
        raise InvalidRequestError(
            "the reason's embedding was made by another embedder",
            field=f"{path}.embedding",
            value=f"{len(reason.embedding)} bytes of {reason.embedder[:40] or 'no embedder'}",
            expectation=f"{DIM} bytes of {' or '.join(_EMBEDDERS)}",
            fix="send the text instead; it is embedded here and kept nowhere",
        )


def _check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidRequestError(
            "a value is out of range",
            field=field,
            value=str(value),
            expectation=f"{low} to {high}",
            fix="correct the value; money is in minor units (cents, fen)"
            if field.endswith("_minor")
            else "correct the value",
        )


def _check_length(field: str, value: str) -> None:
    if len(value) > MAX_ID_LENGTH:
        raise InvalidRequestError(
            "an id is too long",
            field=field,
            value=f"{len(value)} characters",
            expectation=f"at most {MAX_ID_LENGTH}",
            fix="send a shorter id, for example a hash",
        )


def _check_enum(
    field: str, number: int, enum: EnumTypeWrapper, *, is_required: bool = False
) -> None:
    if number in _NUMBERS[enum] and (number or not is_required):
        return
    raise InvalidRequestError(
        "a code is missing" if number == 0 else "a code is not known",
        field=field,
        value=str(number),
        expectation=_list_names(enum.items(), is_required),
        fix="send one of these",
    )


def _list_names(items: Iterable[tuple[str, int]], is_required: bool) -> str:
    return ", ".join(name for name, number in items if number or not is_required)


def _check_time(field: str, moment: Timestamp, latest_us: int) -> None:
    # Compared as seconds first: absurd times must not overflow the conversion.
    if 0 <= moment.nanos < 10**9 and _EARLIEST_US <= to_us(moment) <= latest_us:
        return
    raise InvalidRequestError(
        "a time is absurd",
        field=field,
        value=f"{moment.seconds} s after 1970 (UTC)",
        expectation="a time from 1990 on, in the past (a promise: within five years)",
        fix="send seconds since 1970 UTC, not milliseconds or local time",
    )
