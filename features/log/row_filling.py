"""What one event, or one order line, says in a fold row, inside compiled passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.fold_rows import FoldFlag
from features.keys import mix_link
from features.log.cells import CELL, KIND_NUMBER, LINE_CELL, PRESENCE_BIT
from features.log.row_tables import FLAGS, FOLD_KIND, NONE, SOURCES, Source
from hemostat.v1 import common_pb2

_SECOND_US = 1_000_000
_DAY_S = 86_400
_ZERO = np.uint64(0)
_ONE = np.uint64(1)

_RETURN_REQUESTED = KIND_NUMBER["return_requested"]
_DELIVERY_TIME = CELL["return_requested", "delivery_time"]
_ORDER_TIME = CELL["return_requested", "order_time"]
_RETURN_WINDOW = CELL["return_requested", "return_window_days"]
_ORDER_CHANNEL = CELL["return_requested", "order_channel"]
_HAS_RECEIPT = CELL["return_requested", "has_receipt"]
_RETURNED_ORDER = CELL["return_requested", "order_id"]
_REASON_CODE = CELL["return_requested", "reason.code"]
_TAG_BIT = np.uint64(1 << PRESENCE_BIT["return_requested", "evidence.is_tag_on"])
_NOT_DELIVERED = int(common_pb2.REASON_CODE_NOT_DELIVERED)

_LINE_QUANTITY = LINE_CELL["quantity"]
_LINE_PRICE = LINE_CELL["unit_price_minor"]
_LINE_STYLE = LINE_CELL["style"]
_LINE_OCCASION = LINE_CELL["is_occasion_wear"]
_LINE_RESALE = LINE_CELL["is_high_resale"]

_QUANTITY = int(Source.QUANTITY)
_UNIT_PRICE = int(Source.UNIT_PRICE)
_VALUE = int(Source.VALUE)
_AMOUNT = int(Source.AMOUNT)
_ORDER = int(Source.ORDER)
_RETURN = int(Source.RETURN)
_STYLE = int(Source.STYLE)
_STORE = int(Source.STORE)
_WEIGHT = int(Source.WEIGHT)
_REASON = int(Source.REASON)
_EMBEDDER = int(Source.EMBEDDER)
_SENTIMENT = int(Source.SENTIMENT)
_SENTIMENT_BIT = int(Source.HAS_SENTIMENT)
_STAGE = int(Source.STAGE)
_CONDITION = int(Source.CONDITION)

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_LATE = int(FoldFlag.IS_LATE_IN_WINDOW)
_IS_CROSS_CHANNEL = int(FoldFlag.IS_CROSS_CHANNEL)
_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_TAG_KNOWN = int(FoldFlag.IS_TAG_KNOWN)
_IS_CLAIM = int(FoldFlag.IS_CLAIM_AFTER_DELIVERY)
_HAS_EMBEDDING = int(FoldFlag.HAS_EMBEDDING)
_HAS_SENTIMENT = int(FoldFlag.HAS_SENTIMENT)
_IS_MULTI_VARIANT = int(FoldFlag.IS_MULTI_VARIANT)
_IS_OCCASION = int(FoldFlag.IS_OCCASION)
_IS_HIGH_RESALE = int(FoldFlag.IS_HIGH_RESALE)


@inlined
def _read(words: npt.NDArray[np.int64], i: int, cell: int) -> Any:
    return words[i, cell] if cell != NONE else np.int64(0)


@inlined
def read_link(head: Any, words: npt.NDArray[np.int64], i: int, cell: int) -> Any:
    """Return the link of the id at a cell; 0 if it is empty, or `cell` is `NONE`."""
    if cell == NONE:
        return _ZERO
    h1, h2 = np.uint64(words[i, cell]), np.uint64(words[i, cell + 1])
    return mix_link(head["tenant_h1"], head["tenant_h2"], h1, h2)


@inlined
def has_any_byte(embeddings: npt.NDArray[np.uint64], place: int) -> Any:
    """Return whether a place holds an embedding that says anything."""
    if place < 0:
        return False
    bits = _ZERO
    for word in range(embeddings.shape[1]):
        bits |= embeddings[place, word]
    return bits != _ZERO


@inlined
def _compute_flags(words: npt.NDArray[np.int64], i: int, kind: int) -> int:
    """Return the flags that follow from one cell each."""
    flags = 0
    for rule in range(FLAGS.shape[1]):
        cell = FLAGS[kind, rule, 0]
        if cell == NONE:
            break
        if FLAGS[kind, rule, 1] == NONE:
            is_set = words[i, cell] != 0 or words[i, cell + 1] != 0
        else:
            is_set = words[i, cell] == FLAGS[kind, rule, 1]
        if is_set:
            flags |= FLAGS[kind, rule, 2]
    return flags


@inlined
def _fill_return(row: Any, head: Any, cells: npt.NDArray[np.int64], i: int) -> int:
    """Set how long the item was held; return the flags that compare fields."""
    flags = 0
    since_us = cells[i, _DELIVERY_TIME]
    if since_us == 0:
        since_us = cells[i, _ORDER_TIME]
    if since_us != 0:
        hold_s = max((head["event_time_us"] - since_us) // _SECOND_US, 0)
        window_s = cells[i, _RETURN_WINDOW] * _DAY_S
        row["amount"] = hold_s
        flags |= _HAS_HOLD
        if window_s > 0 and 5 * hold_s >= 4 * window_s:
            flags |= _IS_LATE
    channel, order_channel = int(head["channel"]), cells[i, _ORDER_CHANNEL]
    if channel != 0 and order_channel != 0 and channel != order_channel:
        flags |= _IS_CROSS_CHANNEL
    is_order_named = cells[i, _RETURNED_ORDER] != 0 or cells[i, _RETURNED_ORDER + 1] != 0
    if cells[i, _HAS_RECEIPT] == 0 and not is_order_named:
        flags |= _IS_NO_RECEIPT
    if head["present"] & _TAG_BIT:
        flags |= _IS_TAG_KNOWN
    if cells[i, _REASON_CODE] == _NOT_DELIVERED and cells[i, _DELIVERY_TIME] != 0:
        flags |= _IS_CLAIM
    return flags


@inlined
def _fill_reason(
    row: Any,
    head: Any,
    cells: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.uint64],
    i: int,
    kind: int,
) -> int:
    """Set what a reason says; return its flags."""
    flags = 0
    row["reason_code"] = cells[i, SOURCES[kind, _REASON]]
    if has_any_byte(embeddings, int(head["embedding"])):
        row["embedding"] = head["embedding"]
        row["embedder"] = cells[i, SOURCES[kind, _EMBEDDER]]
        flags |= _HAS_EMBEDDING
    if head["present"] & (_ONE << np.uint64(SOURCES[kind, _SENTIMENT_BIT])):
        row["sentiment"] = cells[i, SOURCES[kind, _SENTIMENT]]
        flags |= _HAS_SENTIMENT
    return flags


@inlined
def fill_event(
    row: Any,
    head: Any,
    cells: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.uint64],
    i: int,
) -> None:
    """Set what the event's own fields say; `row` has its envelope already."""
    kind = int(head["kind"])
    flags = _compute_flags(cells, i, kind)
    row["kind"] = FOLD_KIND[kind]
    quantity, price = SOURCES[kind, _QUANTITY], SOURCES[kind, _UNIT_PRICE]
    if quantity != NONE:
        row["value_minor"] = cells[i, quantity] * cells[i, price]
    else:
        row["value_minor"] = _read(cells, i, SOURCES[kind, _VALUE])
    row["amount"] = _read(cells, i, SOURCES[kind, _AMOUNT])
    row["order_link"] = read_link(head, cells, i, SOURCES[kind, _ORDER])
    row["return_link"] = read_link(head, cells, i, SOURCES[kind, _RETURN])
    row["style_link"] = read_link(head, cells, i, SOURCES[kind, _STYLE])
    row["store_link"] = read_link(head, cells, i, SOURCES[kind, _STORE])
    row["weight_g"] = _read(cells, i, SOURCES[kind, _WEIGHT])
    row["stage"] = _read(cells, i, SOURCES[kind, _STAGE])
    row["condition"] = _read(cells, i, SOURCES[kind, _CONDITION])
    if SOURCES[kind, _REASON] != NONE:
        flags |= _fill_reason(row, head, cells, embeddings, i, kind)
    if kind == _RETURN_REQUESTED:
        flags |= _fill_return(row, head, cells, i)
    row["flags"] = flags


@inlined
def fill_line(
    row: Any, head: Any, lines: npt.NDArray[np.int64], place: int, number: int, is_variant: bool
) -> None:
    """Set what an order line says; `row` has its envelope and its order's link already."""
    flags = _IS_MULTI_VARIANT if is_variant else 0
    if lines[place, _LINE_OCCASION] != 0:
        flags |= _IS_OCCASION
    if lines[place, _LINE_RESALE] != 0:
        flags |= _IS_HIGH_RESALE
    row["value_minor"] = lines[place, _LINE_QUANTITY] * lines[place, _LINE_PRICE]
    row["style_link"] = read_link(head, lines, place, _LINE_STYLE)
    row["line_count"] = number
    row["flags"] = flags


@inlined
def fill_envelope(row: Any, head: Any, event_key: Any, member: Any) -> None:
    """Set what the event's envelope says; `row` is all 0."""
    row["event_time_us"] = head["event_time_us"]
    row["ingest_time_us"] = head["ingest_us"]
    row["event_key"] = event_key
    row["member"] = member
    row["channel"] = head["channel"]
    row["embedding"] = -1
