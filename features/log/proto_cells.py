"""Serialized `hemostat.v1.Event` messages to cells in one compiled pass over the wire format.

As `json_cells`: it vouches or it doubts. In doubt is what protobuf would read but a
log must not take without a look (a field or kind that this version does not know, a
field or kind twice) and what it would refuse (broken UTF-8, a length beyond the end).

Source: Protocol Buffers documentation, "Encoding".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled_without_allocation, int64_1d, welded
from features.embedding import DIM, EMBEDDERS, Embedder
from features.hashing import hash_span, load_u64, uint8_1d_readonly
from features.log.draft_cells import (
    DRAFT_TYPE,
    IN_HEAD,
    CheckedCells,
    State,
    abandon_row,
    add_embedding,
    add_line,
    begin_row,
    build_embedder_names,
    end_row,
    end_text,
    find_embedder,
    find_part,
    finish_draft,
    mark_present,
    new_draft,
    store,
)
from features.log.envelope_rules import MAX_ID_LENGTH
from features.log.field_tables import LINES_NODE, N_NUMBERS, TABLES, TABLES_TYPE, Column, Op
from features.log.json_strings import skip_utf8
from features.log.json_values import MICROSECONDS
from features.log.validation import DEFAULT_RULES, AcceptanceRules

_BYTES_PER_LINE = 4  # Tag and length of a line, tag and value of its quantity.
_VARINT, _FIXED_64, _BYTES = 0, 1, 2
_MAX_VARINT_BYTES = 10
_NANOS_PER_MICROSECOND = 1_000
_NANOS_PER_SECOND = 1_000_000_000
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the greatest proto Timestamp
_UNIT_SEPARATOR = 0x1F

_OP, _CELL, _BIT, _FLAG, _TABLE, _SEEN, _GREATEST = (int(column) for column in Column)
_STRING, _ID, _INT, _BOOL, _ENUM, _TIME, _DOUBLE = (
    int(op) for op in (Op.STRING, Op.ID, Op.INT, Op.BOOL, Op.ENUM, Op.TIME, Op.DOUBLE)
)
_CHANNEL_OP, _TEXT, _EMBEDDING_OP, _EMBEDDER, _MESSAGE, _KIND_OP, _LINES_OP = (
    int(op)
    for op in (
        Op.CHANNEL, Op.TEXT, Op.EMBEDDING, Op.EMBEDDER, Op.MESSAGE, Op.KIND, Op.LINES,
    )
)  # fmt: skip
_KIND, _CHANNEL, _N_TEXT_BYTES = int(State.KIND), int(State.CHANNEL), int(State.N_TEXT_BYTES)
_STACK = int(State.STACK)
_FRAME = 3  # Node, names seen and end of a message that is to be gone on with.


@welded
def _read_varint(buffer: Any, at: int, end: int) -> Any:
    """Return the place behind a varint, -1 if none stands there, and its 64 bits as int64."""
    number = np.int64(0)
    for i in range(_MAX_VARINT_BYTES):
        if at >= end:
            return -1, number
        byte = np.int64(buffer[at])
        at += 1
        if i == _MAX_VARINT_BYTES - 1 and byte > 1:
            return -1, number
        number |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return at, number
    return -1, number


@welded
def _is_utf8(buffer: Any, at: int, end: int) -> bool:
    while at < end:
        if buffer[at] < 0x80:
            at += 1
        else:
            at = skip_utf8(buffer, at, end)
            if at < 0:
                return False
    return True


@welded
def _read_timestamp(buffer: Any, at: int, end: int) -> Any:
    """Return the microseconds of a Timestamp message; 0 or less if it says no time after 1970."""
    seconds, nanos = np.int64(0), np.int64(0)
    last: Any = 0
    while at < end:
        tag = np.int64(buffer[at])
        # Seconds, then nanoseconds, each at most once.
        if tag not in (8, 16) or tag <= last:
            return -1
        last = tag
        at, number = _read_varint(buffer, at + 1, end)
        if at < 0:
            return -1
        if tag == 8:
            seconds = number
        else:
            nanos = number
    if seconds < 0 or seconds > _LAST_SECOND or nanos < 0 or nanos >= _NANOS_PER_SECOND:
        return -1
    return seconds * MICROSECONDS + nanos // _NANOS_PER_MICROSECOND


@welded
def _read_reason_part(
    buffer: Any, at: int, end: int, names: Any, draft: Any, row: int, part: int, op: int,
    cell: int,
) -> bool:  # fmt: skip
    """Read a reason's text, embedding or embedder; False if in doubt."""
    if op == _EMBEDDER:
        number = find_embedder(buffer, at, end, names)
        store(draft, row, part, cell, number)
        return number >= 0
    if op == _TEXT:
        if not _is_utf8(buffer, at, end):
            return False
        to = draft.state[_N_TEXT_BYTES]
        for i in range(end - at):
            draft.texts[to + i] = buffer[at + i]
        return end_text(draft, row, to + end - at)
    if end == at:
        return True
    if end - at != DIM:
        return False
    place = add_embedding(draft)
    if place < 0:
        return False
    for i in range(DIM):
        draft.embeddings[place, i] = np.int8(buffer[at + i])
    return True


@welded
def _read_bytes(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int, part: int,
    field: int,
) -> Any:  # fmt: skip
    """Read a value that has a length and is no message to go into; False if in doubt."""
    op, cell = tables.fields[field, _OP], tables.fields[field, _CELL]
    if op in (_STRING, _ID):
        if not _is_utf8(buffer, at, end):
            return False
        if op == _ID:
            if end - at > MAX_ID_LENGTH:
                return False
            for i in range(at, end):
                if buffer[i] == _UNIT_SEPARATOR:
                    return False
        h1, h2 = hash_span(buffer, at, end)
        store(draft, row, part, cell, np.int64(h1))
        store(draft, row, part, cell + 1, np.int64(h2))
        return True
    if op == _TIME:
        time_us = _read_timestamp(buffer, at, end)
        store(draft, row, part, cell, time_us)
        return time_us > 0
    if op in (_TEXT, _EMBEDDING_OP, _EMBEDDER):
        return _read_reason_part(buffer, at, end, names, draft, row, part, op, cell)
    return False


@welded
def _read_number(
    buffer: Any, at: int, end: int, tables: Any, draft: Any, row: int, part: int, field: int,
    wire: int,
) -> int:  # fmt: skip
    """Read a number; return the place behind it, -1 if in doubt."""
    op, cell = tables.fields[field, _OP], tables.fields[field, _CELL]
    if wire == _FIXED_64:
        if op != _DOUBLE or at + 8 > end:
            return -1
        store(draft, row, part, cell, np.int64(load_u64(buffer, at)))
        return at + 8
    at, number = _read_varint(buffer, at, end)
    if op == _INT:
        greatest = tables.fields[field, _GREATEST]
        if number < -greatest - 1 or number > greatest:
            return -1
        store(draft, row, part, cell, number)
    elif op == _BOOL:
        if number < 0 or number > 1:
            return -1
        store(draft, row, part, cell, number)
    elif op in (_ENUM, _CHANNEL_OP):
        if number < 0 or number > tables.fields[field, _GREATEST]:
            return -1
        if op == _CHANNEL_OP:
            draft.state[_CHANNEL] = number
        else:
            store(draft, row, part, cell, number)
    else:
        return -1
    return at


@welded
def _read_tag(buffer: Any, at: int, end: int, tables: Any, node: int) -> Any:
    """Return the place behind a tag (-1: in doubt), the field it names and its wire type."""
    at, tag = _read_varint(buffer, at, end)
    number = tag >> 3
    if at < 0 or number < 0 or number >= N_NUMBERS:
        return -1, -1, -1
    field = tables.numbers[node, number]
    return (at if field >= 0 else -1), field, tag & 7


@welded
def _enter(tables: Any, draft: Any, field: int) -> bool:
    """Note the message that begins; False if in doubt."""
    op = tables.fields[field, _OP]
    if op == _LINES_OP:
        return add_line(draft)
    if op == _KIND_OP:
        if draft.state[_KIND] != 0:
            return False
        draft.state[_KIND] = tables.fields[field, _TABLE]
    return True


@welded
def _read_field(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int, part: int,
    field: int, wire: int,
) -> Any:  # fmt: skip
    """Read a field's value, or the length of a message that begins.

    Returns:
        The place behind it, -1 if in doubt, and where the message ends: -1 for a value.
    """
    mark_present(tables, draft, row, part, field)
    if wire in (_VARINT, _FIXED_64):
        return _read_number(buffer, at, end, tables, draft, row, part, field, wire), -1
    at, size = _read_varint(buffer, at, end)
    if wire != _BYTES or at < 0 or size < 0 or size > end - at:
        return -1, -1
    if tables.fields[field, _OP] >= _MESSAGE:
        return (at if _enter(tables, draft, field) else -1), at + size
    is_read = _read_bytes(buffer, at, at + size, tables, names, draft, row, part, field)
    return (at + size if is_read else -1), -1


@welded
def _decode_message(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int
) -> bool:
    """Decode one message into a row; False if it is in doubt."""
    state = draft.state
    depth, node, part, seen, stop = 0, 0, IN_HEAD, np.int64(0), end
    while depth > 0 or at < stop:
        if at == stop:
            depth -= 1
            node = state[_STACK + _FRAME * depth]
            seen = state[_STACK + _FRAME * depth + 1]
            stop = state[_STACK + _FRAME * depth + 2]
            part = find_part(depth, node, LINES_NODE)
            continue
        at, field, wire = _read_tag(buffer, at, stop, tables, node)
        bit = np.int64(1) << tables.fields[field, _SEEN]
        if at < 0 or (seen & bit != 0 and tables.fields[field, _OP] != _LINES_OP):
            return False
        seen |= bit
        at, last = _read_field(buffer, at, stop, tables, names, draft, row, part, field, wire)
        if at < 0:
            return False
        if last >= 0:
            state[_STACK + _FRAME * depth] = node
            state[_STACK + _FRAME * depth + 1] = seen
            state[_STACK + _FRAME * depth + 2] = stop
            depth, node, seen, stop = depth + 1, tables.fields[field, _TABLE], np.int64(0), last
            part = find_part(depth, node, LINES_NODE)
    return True


@compiled_without_allocation(
    numba.void(
        uint8_1d_readonly, int64_1d, TABLES_TYPE, numba.types.Array(numba.uint8, 2, "C"),
        DRAFT_TYPE, numba.types.Array(numba.boolean, 1, "C"),
    )
)  # fmt: skip
def _decode_messages(
    buffer: Any, ends: Any, tables: Any, names: Any, draft: Any, is_doubtful: Any
) -> None:
    """Decode each message into its row; mark those in doubt."""
    start = 0
    for row in range(len(ends)):
        begin_row(draft.state)
        is_vouched = _decode_message(buffer, start, ends[row], tables, names, draft, row)
        if is_vouched and draft.state[_KIND] != 0:
            end_row(draft, row)
        else:
            abandon_row(draft, row)
            is_doubtful[row] = True
        start = ends[row]


def decode_proto(
    buffer: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    default_ingest_us: npt.NDArray[np.int64] | None = None,
    rules: AcceptanceRules = DEFAULT_RULES,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> CheckedCells:
    """Return the events of some serialized messages, and which are in doubt.

    Args and result are as of `json_cells.decode_json`, messages in the place of lines.
    """
    content = np.ascontiguousarray(buffer)
    draft = new_draft(len(ends), len(content), _BYTES_PER_LINE)
    is_doubtful = np.zeros(len(ends), np.bool_)
    names = build_embedder_names(tuple(embedders))
    _decode_messages(content, ends, TABLES, names, draft, is_doubtful)
    return finish_draft(draft, is_doubtful, content, default_ingest_us, rules, embedders)
