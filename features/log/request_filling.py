"""What a case says of itself in a request row, inside compiled passes."""

from __future__ import annotations

from enum import IntEnum, auto
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.log.cells import CELL, KIND_NUMBER, LINE_CELL, PRESENCE_BIT
from features.log.order_lines import mark_variants, sum_lines
from features.log.row_filling import has_any_byte, read_link
from features.log.row_tables import NONE
from features.request_rows import Call, RequestFlag
from hemostat.v1 import common_pb2

CASE_KINDS: dict[str, Call] = {
    "order_placed": Call.ORDER,
    "cancel_requested": Call.CANCELLATION,
    "return_requested": Call.RETURN,
}
"""Kinds that tell a case, and the call that scores it."""

CALL = np.array([0, *(CASE_KINDS.get(kind, 0) for kind in KIND_NUMBER)], np.int64)
"""Kind of an event to `Call`; 0: it tells no case."""


class _Source(IntEnum):
    """Column of `_SOURCES`: which cell a field comes from."""

    ORDER_TIME = 0
    DELIVERY_TIME = auto()
    PROMISED = auto()
    QUANTITY = auto()
    UNIT_PRICE = auto()
    WINDOW = auto()
    DELAY = auto()
    GIFT_CARD = auto()
    ORDER_CHANNEL = auto()
    REASON = auto()
    EMBEDDER = auto()
    STYLE = auto()
    TENDER = auto()
    STAGE = auto()
    ORDER_ID = auto()


_PATHS: dict[_Source, tuple[str, ...]] = {
    _Source.ORDER_TIME: ("order_time",),
    _Source.DELIVERY_TIME: ("delivery_time",),
    _Source.PROMISED: ("promised_delivery_time",),
    _Source.QUANTITY: ("quantity",),
    _Source.UNIT_PRICE: ("unit_price_minor",),
    _Source.WINDOW: ("return_window_days",),
    _Source.DELAY: ("delay_s",),
    _Source.GIFT_CARD: ("gift_card_minor",),
    _Source.ORDER_CHANNEL: ("order_channel",),
    _Source.REASON: ("reason.code",),
    _Source.EMBEDDER: ("reason.embedder",),
    _Source.STYLE: ("style",),
    _Source.TENDER: ("tender", "refund_tender"),
    _Source.STAGE: ("stage",),
    _Source.ORDER_ID: ("order_id",),
}
"""Fields of a case's payload; a kind has at most one of several names."""

_SOURCES = np.full((len(KIND_NUMBER) + 1, len(_Source)), NONE, np.int64)
for _kind in CASE_KINDS:
    for _source, _names in _PATHS.items():
        _found = [CELL[_kind, name] for name in _names if (_kind, name) in CELL]
        _SOURCES[KIND_NUMBER[_kind], _source] = _found[0] if _found else NONE

_ORDER_TIME = int(_Source.ORDER_TIME)
_DELIVERY_TIME = int(_Source.DELIVERY_TIME)
_PROMISED = int(_Source.PROMISED)
_QUANTITY = int(_Source.QUANTITY)
_UNIT_PRICE = int(_Source.UNIT_PRICE)
_WINDOW = int(_Source.WINDOW)
_DELAY = int(_Source.DELAY)
_GIFT_CARD = int(_Source.GIFT_CARD)
_ORDER_CHANNEL = int(_Source.ORDER_CHANNEL)
_REASON = int(_Source.REASON)
_EMBEDDER = int(_Source.EMBEDDER)
_STYLE = int(_Source.STYLE)
_TENDER = int(_Source.TENDER)
_STAGE = int(_Source.STAGE)
_ORDER_ID = int(_Source.ORDER_ID)

_ORDER_DISCOUNT = CELL["order_placed", "discount_minor"]
_LINE_STYLE = LINE_CELL["style"]
_LINE_QUANTITY = LINE_CELL["quantity"]
_LINE_PRICE = LINE_CELL["unit_price_minor"]
_RECEIPT = CELL["return_requested", "has_receipt"]
_PHOTO = CELL["return_requested", "evidence.is_photo_checked"]
_VIDEO = CELL["return_requested", "evidence.is_video_passed"]
_TAG = CELL["return_requested", "evidence.is_tag_on"]
_TAG_BIT = np.uint64(1 << PRESENCE_BIT["return_requested", "evidence.is_tag_on"])

_CALL_ORDER = int(Call.ORDER)
_CALL_CANCELLATION = int(Call.CANCELLATION)
_CALL_ORDER_LINE = int(Call.ORDER_LINE)
_TENDER_GIFT_CARD = int(common_pb2.TENDER_GIFT_CARD)
_INT32_MAX = int(np.iinfo(np.int32).max)

_HAS_RECEIPT = int(RequestFlag.HAS_RECEIPT)
_HAS_ORDER = int(RequestFlag.HAS_ORDER)
_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)
_IS_PHOTO_CHECKED = int(RequestFlag.IS_PHOTO_CHECKED)
_IS_VIDEO_PASSED = int(RequestFlag.IS_VIDEO_PASSED)
_IS_TAG_KNOWN = int(RequestFlag.IS_TAG_KNOWN)
_IS_TAG_ON = int(RequestFlag.IS_TAG_ON)
_IS_GIFT_CARD = int(RequestFlag.IS_GIFT_CARD)


@inlined
def _read(cells: npt.NDArray[np.int64], i: int, kind: int, source: int) -> Any:
    cell = _SOURCES[kind, source]
    return cells[i, cell] if cell != NONE else np.int64(0)


@inlined
def fill_case(
    row: Any,
    head: Any,
    cells: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.uint64],
    i: int,
    event_key: Any,
    member: Any,
) -> None:
    """Set what a case says itself, but for an order's lines; `row` is all 0.

    The embedding itself is copied by the caller, where `HAS_EMBEDDING` says so.
    """
    kind = int(head["kind"])
    row["time_us"] = head["event_time_us"]
    row["case_key"] = event_key
    row["channel"] = head["channel"]
    row["member"] = member
    row["call"] = CALL[kind]
    row["order_time_us"] = _read(cells, i, kind, _ORDER_TIME)
    row["delivery_time_us"] = _read(cells, i, kind, _DELIVERY_TIME)
    row["promised_delivery_us"] = _read(cells, i, kind, _PROMISED)
    price = _read(cells, i, kind, _UNIT_PRICE)
    row["quantity"] = _read(cells, i, kind, _QUANTITY)
    row["unit_price_minor"] = price
    row["product_price_minor"] = price
    row["value_minor"] = _read(cells, i, kind, _QUANTITY) * price
    row["return_window_days"] = _read(cells, i, kind, _WINDOW)
    row["delay_s"] = _read(cells, i, kind, _DELAY)
    row["gift_card_minor"] = _read(cells, i, kind, _GIFT_CARD)
    row["order_channel"] = _read(cells, i, kind, _ORDER_CHANNEL)
    row["reason_code"] = _read(cells, i, kind, _REASON)
    row["tender"] = _read(cells, i, kind, _TENDER)
    row["stage"] = _read(cells, i, kind, _STAGE)
    row["style_link"] = read_link(head, cells, i, _SOURCES[kind, _STYLE])
    row["flags"] = _compute_flags(row, head, cells, i, kind)
    if _SOURCES[kind, _REASON] != NONE and has_any_byte(embeddings, int(head["embedding"])):
        row["embedder"] = _read(cells, i, kind, _EMBEDDER)
        row["flags"] |= _HAS_EMBEDDING


@inlined
def _compute_flags(row: Any, head: Any, cells: npt.NDArray[np.int64], i: int, kind: int) -> int:
    """Return the flags but for the embedding's."""
    call = int(row["call"])
    flags = 0
    is_gift_card = int(row["tender"]) == _TENDER_GIFT_CARD or row["gift_card_minor"] > 0
    if is_gift_card:
        flags |= _IS_GIFT_CARD
    if call in (_CALL_ORDER, _CALL_CANCELLATION):
        return flags | _HAS_ORDER
    order_id = _SOURCES[kind, _ORDER_ID]
    if cells[i, order_id] != 0 or cells[i, order_id + 1] != 0:
        flags |= _HAS_ORDER
    if cells[i, _RECEIPT] != 0:
        flags |= _HAS_RECEIPT
    if cells[i, _PHOTO] != 0:
        flags |= _IS_PHOTO_CHECKED
    if cells[i, _VIDEO] != 0:
        flags |= _IS_VIDEO_PASSED
    if head["present"] & _TAG_BIT:
        flags |= _IS_TAG_KNOWN
    if cells[i, _TAG] != 0:
        flags |= _IS_TAG_ON
    return flags


@inlined
def fill_order(
    row: Any,
    head: Any,
    cells: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    i: int,
    slots: npt.NDArray[np.int64],
    is_variant: npt.NDArray[np.bool_],
) -> int:
    """Set what an order's lines say of it; return the place of its dearest line, or -1."""
    first, count = int(head["first_line"]), int(head["line_count"])
    value, discount, units, price, dearest = sum_lines(lines, first, count)
    row["order_time_us"] = row["time_us"]
    row["order_channel"] = row["channel"]
    row["value_minor"] = max(value - cells[i, _ORDER_DISCOUNT], 0)
    row["order_value_minor"] = row["value_minor"]
    row["unit_price_minor"] = price
    row["product_price_minor"] = 0
    row["discount_minor"] = cells[i, _ORDER_DISCOUNT] + discount
    row["quantity"] = min(units, _INT32_MAX)
    row["line_count"] = count
    row["multi_variant_line_count"] = mark_variants(lines, first, count, slots, is_variant)
    if dearest >= 0:
        row["product_price_minor"] = lines[dearest, _LINE_PRICE]
        row["style_link"] = read_link(head, lines, dearest, _LINE_STYLE)
    return int(dearest)


@inlined
def fill_line(row: Any, head: Any, lines: npt.NDArray[np.int64], place: int) -> None:
    """Set what a line says; `row` is its order's."""
    quantity, price = lines[place, _LINE_QUANTITY], lines[place, _LINE_PRICE]
    row["call"] = _CALL_ORDER_LINE
    row["quantity"] = quantity
    row["unit_price_minor"] = price
    row["product_price_minor"] = price
    row["value_minor"] = quantity * price
    row["style_link"] = read_link(head, lines, place, _LINE_STYLE)
