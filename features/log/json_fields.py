"""Values of an event's fields in a JSON line, compiled: read, hashed, put into their cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.hashing import hash_span
from features.log.draft_cells import (
    State,
    add_embedding,
    end_text,
    find_embedder,
    mark_present,
    note_number,
    store,
)
from features.log.envelope_rules import MAX_ID_LENGTH
from features.log.field_tables import Column, Op, find_name
from features.log.json_strings import QUOTE, find_string_end, unescape
from features.log.json_values import find_number_end, read_embedding, read_int, read_time

_FALSE_SIZE, _TRUE_SIZE, NULL_SIZE = 5, 4, 4
_FIRST_PRINTABLE = 0x20

_OP, _CELL, _TABLE, _GREATEST = (
    int(column) for column in (Column.OP, Column.CELL, Column.TABLE, Column.GREATEST)
)
_STRING, _ID, _INT, _BOOL, _TIME, _DOUBLE = (
    int(op) for op in (Op.STRING, Op.ID, Op.INT, Op.BOOL, Op.TIME, Op.DOUBLE)
)
_CHANNEL_OP, _TEXT, _EMBEDDING_OP, _EMBEDDER = (
    int(op) for op in (Op.CHANNEL, Op.TEXT, Op.EMBEDDING, Op.EMBEDDER)
)
_CHANNEL, _N_TEXT_BYTES = int(State.CHANNEL), int(State.N_TEXT_BYTES)


@welded
def is_literal(buffer: Any, at: int, end: int, size: int, word: int) -> Any:
    """Return whether the word's bytes (its first one lowest) stand at a place."""
    if at + size > end:
        return False
    read: Any = 0
    for i in range(size):
        read |= np.int64(buffer[at + i]) << (8 * i)
    return read == word


NULL, _TRUE, _FALSE = (int.from_bytes(word, "little") for word in (b"null", b"true", b"false"))


@welded
def _is_id(content: Any, start: int, end: int) -> bool:
    """Return whether an id is surely short enough and without control characters."""
    is_plain = end - start <= MAX_ID_LENGTH
    for i in range(start, end):
        is_plain &= content[i] >= _FIRST_PRINTABLE
    return is_plain


@welded
def _read_string(buffer: Any, at: int, end: int, draft: Any, op: int) -> Any:
    """Return the place behind a string and the halves of its hash."""
    nothing = np.uint64(0)
    if buffer[at] != QUOTE:
        return -1, nothing, nothing
    close, has_escape = find_string_end(buffer, at + 1, end)
    if close < 0:
        return -1, nothing, nothing
    if has_escape:
        first = draft.state[_N_TEXT_BYTES]
        last = unescape(buffer, at + 1, close, draft.texts, first)
        if last < 0 or (op == _ID and not _is_id(draft.texts, first, last)):
            return -1, nothing, nothing
        h1, h2 = hash_span(draft.texts, first, last)
    else:
        if op == _ID and not _is_id(buffer, at + 1, close):
            return -1, nothing, nothing
        h1, h2 = hash_span(buffer, at + 1, close)
    return close + 1, h1, h2


@welded
def _read_plain(buffer: Any, at: int, end: int) -> int:
    """Return the place of the closing quote of a string without escapes, -1 if it is none."""
    if buffer[at] != QUOTE:
        return -1
    close, has_escape = find_string_end(buffer, at + 1, end)
    return -1 if has_escape else close


@welded
def _read_enum(buffer: Any, at: int, end: int, tables: Any, field: int) -> Any:
    """Return the place behind an enum's name or number, and the number."""
    if buffer[at] == QUOTE:
        close = _read_plain(buffer, at, end)
        if close < 0:
            return -1, 0
        number = find_name(buffer, at + 1, close, tables, tables.fields[field, _TABLE])
        return (close + 1 if number >= 0 else -1), number
    at, number = read_int(buffer, at, end)
    if number < 0 or number > tables.fields[field, _GREATEST]:
        return -1, 0
    return at, number


@welded
def _read_reason_part(
    buffer: Any, at: int, end: int, names: Any, draft: Any, row: int, op: int, part: int,
    cell: int,
) -> Any:  # fmt: skip
    """Read a reason's text, embedding or embedder; return the place behind it."""
    if buffer[at] != QUOTE:
        return -1
    close, has_escape = find_string_end(buffer, at + 1, end)
    if close < 0:
        return -1
    if op == _TEXT:
        last = unescape(buffer, at + 1, close, draft.texts, draft.state[_N_TEXT_BYTES])
        return close + 1 if last >= 0 and end_text(draft, row, last) else -1
    if has_escape:
        return -1
    if op == _EMBEDDER:
        number = find_embedder(buffer, at + 1, close, names)
        store(draft, row, part, cell, number)
        return close + 1 if number >= 0 else -1
    if close == at + 1:
        return close + 1
    place = add_embedding(draft)
    if place < 0 or not read_embedding(buffer, at + 1, close, draft.embeddings[place]):
        return -1
    return close + 1


@welded
def _read_number(
    buffer: Any, at: int, end: int, tables: Any, draft: Any, row: int, op: int, field: int,
    part: int,
) -> int:  # fmt: skip
    """Read a value that is one cell; return the place behind it."""
    cell = tables.fields[field, _CELL]
    if op == _INT:
        at, number = read_int(buffer, at, end)
        store(draft, row, part, cell, number)
        greatest = tables.fields[field, _GREATEST]
        return at if -greatest - 1 <= number <= greatest else -1
    if op == _TIME:
        close = _read_plain(buffer, at, end)
        number = read_time(buffer, at + 1, close) if close >= 0 else 0
        store(draft, row, part, cell, number)
        return close + 1 if number > 0 else -1
    if op == _BOOL:
        if is_literal(buffer, at, end, _TRUE_SIZE, _TRUE):
            store(draft, row, part, cell, 1)
            return at + _TRUE_SIZE
        store(draft, row, part, cell, 0)
        return at + _FALSE_SIZE if is_literal(buffer, at, end, _FALSE_SIZE, _FALSE) else -1
    if op == _DOUBLE:
        first = at
        at = find_number_end(buffer, at, end)
        return at if at >= 0 and note_number(draft, row, cell, first, at) else -1
    at, number = _read_enum(buffer, at, end, tables, field)
    if op == _CHANNEL_OP:
        draft.state[_CHANNEL] = number
    else:
        store(draft, row, part, cell, number)
    return at


@welded
def read_value(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int, field: int,
    part: int,
) -> int:  # fmt: skip
    """Read the value of a field that is no message; return the place behind it."""
    op, cell = tables.fields[field, _OP], tables.fields[field, _CELL]
    if op in (_STRING, _ID):
        at, h1, h2 = _read_string(buffer, at, end, draft, op)
        store(draft, row, part, cell, np.int64(h1))
        store(draft, row, part, cell + 1, np.int64(h2))
    elif op in (_TEXT, _EMBEDDING_OP, _EMBEDDER):
        at = _read_reason_part(buffer, at, end, names, draft, row, op, part, cell)
    else:
        at = _read_number(buffer, at, end, tables, draft, row, op, field, part)
    if at >= 0:
        mark_present(tables, draft, row, part, field)
    return at
