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
from features.hashing import uint8_1d_readonly
from features.log.draft_cells import (
    DRAFT_TYPE,
    IN_HEAD,
    CheckedCells,
    Draft,
    State,
    abandon_row,
    add_line,
    begin_row,
    build_embedder_names,
    end_row,
    find_part,
    finish_draft,
    mark_present,
    new_draft,
)
from features.log.field_tables import LINES_NODE, TABLES, TABLES_TYPE, Column, Op, find_name
from features.log.json_fields import NULL, NULL_SIZE, is_literal, read_value
from features.log.json_strings import MAX_LINE_BYTES, QUOTE, skip_space
from features.log.validation import DEFAULT_RULES, AcceptanceRules

_BYTES_PER_LINE = len('{"quantity":1},')
_COMMA, _COLON, _OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = b",:{}[]"
_LETTER_N = ord("n")
_OP, _TABLE, _SEEN = int(Column.OP), int(Column.TABLE), int(Column.SEEN)
_MESSAGE, _KIND_OP, _LINES_OP = int(Op.MESSAGE), int(Op.KIND), int(Op.LINES)
_KIND, _STACK = int(State.KIND), int(State.STACK)


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
        is_null = is_literal(buffer, at, end, NULL_SIZE, NULL)
        return (at + NULL_SIZE if is_null else -1), -1, seen
    if tables.fields[field, _OP] >= _MESSAGE:
        at, child = _open_message(buffer, at, end, tables, draft, field)
        return at, child, seen
    return read_value(buffer, at, end, tables, names, draft, row, field, part), -1, seen


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
) -> CheckedCells:
    """Return the events of some lines, and which are in doubt.

    Args:
        buffer: The lines end to end, with or without line ends.
        ends: Shape `(n,)`: one past each line's last byte.
        default_ingest_us: Shape `(n,)`: ingest time of events that say none, microseconds;
            None: their event time.
        rules: Bounds of lateness.
        embedders: All that events may name; texts are embedded by the one in force.
    """
    content = np.ascontiguousarray(buffer)
    draft, is_doubtful = _parse(content, ends, embedders)
    return finish_draft(draft, is_doubtful, content, default_ingest_us, rules, embedders)
