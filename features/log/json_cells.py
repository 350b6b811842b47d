"""Event lines to cells in one compiled pass, for all that is spelt as usual.

It vouches or it doubts. Vouched: the line is what our writer, protobuf's JSON
printer or a plain JSON encoder writes, and no rule is broken; its cells are those
of the careful path (tested). Anything else (an unknown field, a key twice, a
number like 1e3, a value out of range) is in doubt, and `decode` asks the careful
path, which decides and explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled_without_allocation, int64_1d, welded
from features.embedding import EMBEDDERS, Embedder
from features.hashing import hash_span, uint8_1d_readonly
from features.log.cells import EventCells
from features.log.draft_cells import (
    DRAFT_TYPE,
    IN_HEAD,
    Draft,
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
    note_number,
    store,
)
from features.log.field_tables import LINES_NODE, TABLES, TABLES_TYPE, Column, Op, find_name
from features.log.json_strings import (
    MAX_LINE_BYTES,
    QUOTE,
    find_string_end,
    skip_space,
    unescape,
)
from features.log.json_values import find_number_end, read_embedding, read_int, read_time
from features.log.validation import DEFAULT_RULES, MAX_ID_LENGTH, AcceptanceRules

_BYTES_PER_LINE = len('{"quantity":1},')
_COMMA, _COLON, _OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = b",:{}[]"
_LETTER_N = ord("n")
_FALSE_SIZE, _TRUE_SIZE, _NULL_SIZE = 5, 4, 4

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
_KIND, _CHANNEL = int(State.KIND), int(State.CHANNEL)
_N_LINES, _N_TEXT_BYTES = int(State.N_LINES), int(State.N_TEXT_BYTES)
_STACK = int(State.STACK)


@welded
def _is_literal(buffer: Any, at: int, end: int, size: int, word: int) -> Any:
    """Return whether the word's bytes (its first one lowest) stand at a place."""
    if at + size > end:
        return False
    read: Any = 0
    for i in range(size):
        read |= np.int64(buffer[at + i]) << (8 * i)
    return read == word


_NULL, _TRUE, _FALSE = (int.from_bytes(word, "little") for word in (b"null", b"true", b"false"))


@welded
def _read_key(buffer: Any, at: int, end: int, tables: Any, node: int) -> Any:
    """Return the place of a member's value and its field; -1 for a name that is none."""
    first = at + 1
    at = first
    while at < end and buffer[at] != QUOTE:
        at += 1  # A name with escapes is found to be none.
    field = find_name(buffer, first, at, tables, node)
    at = skip_space(buffer, at + 1, end)
    if field < 0 or at >= end or buffer[at] != _COLON:
        return -1, 0
    at = skip_space(buffer, at + 1, end)
    return (at if at < end else -1), field


@welded
def _read_string(buffer: Any, at: int, end: int, draft: Any) -> Any:
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
        if last < 0:
            return -1, nothing, nothing
        h1, h2 = hash_span(draft.texts, first, last)
    else:
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
        return at
    if op == _TIME:
        close = _read_plain(buffer, at, end)
        number = read_time(buffer, at + 1, close) if close >= 0 else 0
        store(draft, row, part, cell, number)
        return close + 1 if number > 0 else -1
    if op == _BOOL:
        if _is_literal(buffer, at, end, _TRUE_SIZE, _TRUE):
            store(draft, row, part, cell, 1)
            return at + _TRUE_SIZE
        store(draft, row, part, cell, 0)
        return at + _FALSE_SIZE if _is_literal(buffer, at, end, _FALSE_SIZE, _FALSE) else -1
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
def _read_value(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int, field: int,
    part: int,
) -> int:  # fmt: skip
    """Read the value of a field that is no message; return the place behind it."""
    op, cell = tables.fields[field, _OP], tables.fields[field, _CELL]
    if op == _STRING:
        at, h1, h2 = _read_string(buffer, at, end, draft)
        store(draft, row, part, cell, np.int64(h1))
        store(draft, row, part, cell + 1, np.int64(h2))
    elif op == _ID:
        close = _read_plain(buffer, at, end)
        if close < 0 or close - at - 1 > MAX_ID_LENGTH:
            return -1
        h1, h2 = hash_span(buffer, at + 1, close)
        store(draft, row, part, cell, np.int64(h1))
        store(draft, row, part, cell + 1, np.int64(h2))
        at = close + 1
    elif op in (_TEXT, _EMBEDDING_OP, _EMBEDDER):
        at = _read_reason_part(buffer, at, end, names, draft, row, op, part, cell)
    else:
        at = _read_number(buffer, at, end, tables, draft, row, op, field, part)
    if at >= 0:
        mark_present(tables, draft, row, part, field)
    return at


@welded
def _open_message(buffer: Any, at: int, end: int, tables: Any, draft: Any, field: int) -> Any:
    """Return the place inside a message or list, and the node there: -1 for an empty list."""
    op, node = tables.fields[field, _OP], tables.fields[field, _TABLE]
    if op == _LINES_OP:
        if buffer[at] != _OPEN_LIST:
            return -1, 0
        at = skip_space(buffer, at + 1, end)
        if at < end and buffer[at] == _CLOSE_LIST:
            return at + 1, -1
        if at >= end or not add_line(draft):
            return -1, 0
    if buffer[at] != _OPEN:
        return -1, 0
    if op == _KIND_OP:
        if draft.state[_KIND] != 0:
            return -1, 0
        draft.state[_KIND] = node
    mark_present(tables, draft, 0, IN_HEAD, field)
    return at + 1, node


@welded
def _go_on(buffer: Any, at: int, end: int, draft: Any, depth: int, node: int) -> Any:
    """Read what stands behind a value, closing what ends there.

    Returns:
        The place inside the message to go on with (-1: in doubt), its depth (-1: the
        event has ended) and node, and whether it was opened just now.
    """
    while True:
        at = skip_space(buffer, at, end)
        if at >= end:
            return -1, depth, node, False
        byte = buffer[at]
        at += 1
        if byte == _COMMA:
            return at, depth, node, False
        if byte != _CLOSE:
            return -1, depth, node, False
        if depth == 0:
            return at, -1, node, False
        if node == LINES_NODE:
            at = skip_space(buffer, at, end)
            if at >= end:
                return -1, depth, node, False
            byte = buffer[at]
            at += 1
            if byte == _COMMA:
                at = skip_space(buffer, at, end)
                if at >= end or buffer[at] != _OPEN or not add_line(draft):
                    return -1, depth, node, False
                return at + 1, depth, node, True
            if byte != _CLOSE_LIST:
                return -1, depth, node, False
        depth -= 1
        node = draft.state[_STACK + 2 * depth]


@welded
def _read_member(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int, part: int,
    node: int, seen: Any,
) -> Any:  # fmt: skip
    """Read a name and its value, or into it if it is a message.

    Returns:
        The place behind the value or inside the message, -1 if in doubt; the message's
        node, -1 for a value; the names seen so far in the message around.
    """
    at, field = _read_key(buffer, at, end, tables, node)
    bit = np.int64(1) << tables.fields[field, _SEEN]
    if at < 0 or seen & bit != 0:
        return -1, -1, seen
    seen |= bit
    if buffer[at] == _LETTER_N:
        is_null = _is_literal(buffer, at, end, _NULL_SIZE, _NULL)
        return (at + _NULL_SIZE if is_null else -1), -1, seen
    if tables.fields[field, _OP] >= _MESSAGE:
        at, child = _open_message(buffer, at, end, tables, draft, field)
        return at, child, seen
    return _read_value(buffer, at, end, tables, names, draft, row, field, part), -1, seen


@welded
def _decode_line(
    buffer: Any, at: int, end: int, tables: Any, names: Any, draft: Any, row: int
) -> bool:
    """Decode one line into a row; False if it is in doubt."""
    at = skip_space(buffer, at, end)
    if at >= end or buffer[at] != _OPEN:
        return False
    at += 1
    state = draft.state
    depth, node, part, seen, is_open = 0, 0, IN_HEAD, np.int64(0), True
    while True:
        at = skip_space(buffer, at, end)
        if at >= end:
            return False
        if buffer[at] == QUOTE:
            at, child, seen = _read_member(
                buffer, at, end, tables, names, draft, row, part, node, seen
            )
            if at < 0:
                return False
            if child >= 0:
                state[_STACK + 2 * depth] = node
                state[_STACK + 2 * depth + 1] = seen
                depth, node, seen, is_open = depth + 1, child, np.int64(0), True
                part = find_part(depth, node, LINES_NODE)
                continue
        elif not is_open or buffer[at] != _CLOSE:
            return False
        before = depth
        at, depth, node, is_open = _go_on(buffer, at, end, draft, depth, node)
        if at < 0:
            return False
        if depth < 0:
            return skip_space(buffer, at, end) == end
        if depth < before or is_open:
            seen = np.int64(0) if is_open else state[_STACK + 2 * depth + 1]
            part = find_part(depth, node, LINES_NODE)


@compiled_without_allocation(
    numba.void(
        uint8_1d_readonly, int64_1d, TABLES_TYPE, numba.types.Array(numba.uint8, 2, "C"),
        DRAFT_TYPE, numba.types.Array(numba.boolean, 1, "C"),
    )
)  # fmt: skip
def _decode_lines(
    buffer: Any, ends: Any, tables: Any, names: Any, draft: Any, is_doubtful: Any
) -> None:
    """Decode each line into its row; mark those in doubt."""
    start = 0
    for row in range(len(ends)):
        end = ends[row]
        begin_row(draft.state)
        is_vouched = (
            end - start <= MAX_LINE_BYTES
            and _decode_line(buffer, start, end, tables, names, draft, row)
            and draft.state[_KIND] != 0
        )
        if is_vouched:
            end_row(draft, row)
        else:
            abandon_row(draft, row)
            is_doubtful[row] = True
        start = end


def _parse(
    content: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64], embedders: Sequence[Embedder]
) -> tuple[Draft, npt.NDArray[np.bool_]]:
    draft = new_draft(len(ends), len(content), _BYTES_PER_LINE)
    is_doubtful = np.zeros(len(ends), np.bool_)
    names = build_embedder_names(tuple(embedders))
    _decode_lines(content, ends, TABLES, names, draft, is_doubtful)
    return draft, is_doubtful


def find_unusual(
    buffer: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which lines are not spelt as usual, whatever they say; see `decode_json`."""
    return _parse(np.ascontiguousarray(buffer), ends, EMBEDDERS)[1]


def decode_json(
    buffer: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    default_ingest_us: npt.NDArray[np.int64] | None = None,
    rules: AcceptanceRules = DEFAULT_RULES,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> tuple[EventCells, npt.NDArray[np.bool_]]:
    """Return the events of some lines, and which are in doubt.

    Args:
        buffer: The lines end to end, with or without line ends.
        ends: Shape `(n,)`: one past each line's last byte.
        default_ingest_us: Shape `(n,)`: ingest time of events that say none, microseconds;
            None: their event time.
        rules: Bounds of lateness.
        embedders: All that events may name; texts are embedded by the one in force.

    Returns:
        One row per line (meaningless where in doubt), and shape `(n,)` of bool.
    """
    content = np.ascontiguousarray(buffer)
    draft, is_doubtful = _parse(content, ends, embedders)
    cells = finish_draft(draft, is_doubtful, content, default_ingest_us, rules, embedders)
    return cells, is_doubtful
