"""Cells under construction: what the compiled decoders of JSON and protobuf write into.

A row that a decoder gives up leaves nothing behind that counts: its lines, texts
and embeddings are taken back, its head has no kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import int64_1d, int64_2d, welded
from features.embedding import DIM, Embedder
from features.hashing import uint8_1d
from features.log.cell_checks import EMBEDDER_CELL, find_faults
from features.log.cells import HEAD_DTYPE, N_CELLS, N_LINE_CELLS, EventCells
from features.log.field_tables import HEAD_WORDS, MAX_NAME_BYTES, Column
from features.log.validation import AcceptanceRules

_PRESENT, _LINES, _LAST = (
    HEAD_DTYPE.fields[name][1] // 8  # type: ignore[index]
    for name in ("present", "first_line", "embedding")
)
_NO_EMBEDDING = 0xFFFFFFFF


class CheckedCells(NamedTuple):
    """What a compiled decoder makes of some rows.

    Attributes:
        cells: One row per row given, meaningless where in doubt.
        is_doubtful: Shape `(n,)`: not vouched for.
        faults: Shape `(n,)`, int16: why not, `cell_checks.Fault`; unless it is unclear, the
            row's cells tell the rest.
    """

    cells: EventCells
    is_doubtful: npt.NDArray[np.bool_]
    faults: npt.NDArray[np.int16]


class State(IntEnum):
    """Places in `Draft.state`: how much is written, and what the row at hand has so far."""

    N_LINES = 0
    N_EMBEDDINGS = 1
    N_TEXTS = 2
    N_TEXT_BYTES = 3
    N_NUMBERS = 4
    KIND = 5
    CHANNEL = 6
    PRESENT = 7
    EMBEDDING = 8
    FIRST_LINE = 9
    FIRST_EMBEDDING = 10
    FIRST_TEXT = 11
    FIRST_TEXT_BYTE = 12
    FIRST_NUMBER = 13
    STACK = 14
    """From here on: what is to be gone on with when a message ends."""


_N_STATE = 32
_BIT, _FLAG = int(Column.BIT), int(Column.FLAG_CELL)
IN_HEAD, IN_CELLS, IN_LINE = 0, 1, 2
"""Parts of a row: the head's words, the kind's cells, the last order line's."""

_N_LINES, _N_EMBEDDINGS, _N_TEXTS = int(State.N_LINES), int(State.N_EMBEDDINGS), int(State.N_TEXTS)
_N_TEXT_BYTES, _N_NUMBERS = int(State.N_TEXT_BYTES), int(State.N_NUMBERS)
_KIND, _CHANNEL, _HAS, _EMBEDDING = (
    int(State.KIND), int(State.CHANNEL), int(State.PRESENT), int(State.EMBEDDING),
)  # fmt: skip
_FIRST = int(State.FIRST_LINE)
_N_COUNTS = 5


class Draft(NamedTuple):
    """The arrays that a decoder fills.

    Attributes:
        head: Shape `(n, HEAD_WORDS)`: the heads' words.
        cells: As `EventCells.cells`.
        lines: Room for order lines.
        embeddings: Room for one embedding per row.
        texts: Room for the texts, end to end, UTF-8; behind them scratch for escapes.
        text_ends: Where each text ends.
        text_rows: Whose it is.
        numbers: Shape `(n, 4)`: decimal fractions that Python must read: row, cell, start, end.
        state: See `State`.
    """

    head: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.int8]
    texts: npt.NDArray[np.uint8]
    text_ends: npt.NDArray[np.int64]
    text_rows: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    state: npt.NDArray[np.int64]


DRAFT_TYPE = numba.types.NamedTuple(
    [
        int64_2d, int64_2d, int64_2d, numba.types.Array(numba.int8, 2, "C"), uint8_1d,
        int64_1d, int64_1d, int64_2d, int64_1d,
    ],
    Draft,
)  # fmt: skip
"""Numba's type of `Draft`."""


def new_draft(n_rows: int, n_bytes: int, bytes_per_line: int) -> Draft:
    """Return empty arrays for some rows.

    Args:
        n_rows: Events.
        n_bytes: Bytes of all of them, encoded.
        bytes_per_line: No acceptable order line takes fewer bytes.
    """
    # What is not written is never touched: the room costs addresses, not memory.
    return Draft(
        np.zeros((n_rows, HEAD_WORDS), np.int64),
        np.zeros((n_rows, N_CELLS), np.int64),
        np.empty((n_bytes // bytes_per_line + 1, N_LINE_CELLS), np.int64),
        np.empty((n_rows, DIM), np.int8),
        np.empty(n_bytes + 8, np.uint8),
        np.empty(n_rows, np.int64),
        np.empty(n_rows, np.int64),
        np.empty((n_rows, 4), np.int64),
        np.zeros(_N_STATE, np.int64),
    )


@welded
def begin_row(state: Any) -> None:
    """Forget the last row and note where this one begins."""
    state[_KIND] = 0
    state[_CHANNEL] = 0
    state[_HAS] = 0
    state[_EMBEDDING] = -1
    for i in range(_N_COUNTS):
        state[_FIRST + i] = state[i]


@welded
def end_row(draft: Any, row: int) -> None:
    """Write the head's packed fields."""
    state, head = draft.state, draft.head
    n_lines = state[_N_LINES] - state[_FIRST]
    head[row, _PRESENT] = state[_HAS]
    head[row, _LINES] = (state[_FIRST] | n_lines << 32) if n_lines > 0 else 0
    head[row, _LAST] = (
        (state[_EMBEDDING] & _NO_EMBEDDING) | state[_KIND] << 32 | state[_CHANNEL] << 40
    )


@welded
def abandon_row(draft: Any, row: int) -> None:
    """Take back what the row added."""
    for i in range(_N_COUNTS):
        draft.state[i] = draft.state[_FIRST + i]
    draft.head[row, :] = 0
    draft.head[row, _LAST] = _NO_EMBEDDING


@welded
def add_line(draft: Any) -> bool:
    """Begin another order line of the row; False if there is no room."""
    place = draft.state[_N_LINES]
    if place >= len(draft.lines):
        return False
    draft.lines[place, :] = 0
    draft.state[_N_LINES] = place + 1
    return True


@welded
def add_embedding(draft: Any) -> int:
    """Return the place of the row's embedding, -1 if it has one already."""
    state = draft.state
    if state[_EMBEDDING] >= 0:
        return -1
    place = state[_N_EMBEDDINGS]
    state[_EMBEDDING] = place
    state[_N_EMBEDDINGS] = place + 1
    return int(place)


@welded
def end_text(draft: Any, row: int, end: int) -> bool:
    """Note that the row's text ends at a place of `texts`; False if it has an embedding already."""
    state = draft.state
    if end == state[_N_TEXT_BYTES]:
        return True  # An empty text is none.
    if add_embedding(draft) < 0:
        return False
    draft.text_ends[state[_N_TEXTS]] = end
    draft.text_rows[state[_N_TEXTS]] = row
    state[_N_TEXTS] += 1
    state[_N_TEXT_BYTES] = end
    return True


@welded
def note_number(draft: Any, row: int, cell: int, start: int, end: int) -> bool:
    """Note a decimal fraction for Python to read; False if the row has one already."""
    state = draft.state
    if state[_N_NUMBERS] > state[_FIRST + _N_NUMBERS]:
        return False
    numbers, place = draft.numbers, state[_N_NUMBERS]
    numbers[place, 0] = row
    numbers[place, 1] = cell
    numbers[place, 2] = start
    numbers[place, 3] = end
    state[_N_NUMBERS] = place + 1
    return True


@welded
def find_part(depth: int, node: int, lines_node: int) -> int:
    """Return which cells a message's fields go to: the head's, the kind's or the last line's."""
    if depth == 0:
        return IN_HEAD
    return IN_LINE if node == lines_node else IN_CELLS


@welded
def store(draft: Any, row: int, part: int, cell: int, number: Any) -> None:
    """Set one cell of a part of the row."""
    if part == IN_CELLS:
        draft.cells[row, cell] = number
    elif part == IN_HEAD:
        draft.head[row, cell] = number
    else:
        draft.lines[draft.state[_N_LINES] - 1, cell] = number


@welded
def mark_present(tables: Any, draft: Any, row: int, part: int, field: int) -> None:
    """Note that an optional field or a sub-message is there."""
    bit, flag = tables.fields[field, _BIT], tables.fields[field, _FLAG]
    if bit >= 0:
        draft.state[_HAS] |= np.int64(1) << bit
    if flag >= 0:
        store(draft, row, part, flag, 1)


@cache
def build_embedder_names(embedders: tuple[Embedder, ...]) -> npt.NDArray[np.uint8]:
    """Return the embedders' ids, and lengths and bytes of their names, one a row."""
    names = np.zeros((len(embedders), 2 + MAX_NAME_BYTES), np.uint8)
    for row, embedder in zip(names, embedders, strict=True):
        encoded = embedder.name.encode()
        row[: 2 + len(encoded)] = [embedder.id, len(encoded), *encoded]
    return names


@welded
def find_embedder(buffer: Any, start: int, end: int, names: Any) -> int:
    """Return the id of an embedder by its name, 0 for the empty name, -1 for an unknown one."""
    size = end - start
    if size == 0:
        return 0
    for k in range(len(names)):
        if names[k, 1] != size:
            continue
        i = 0
        while i < size and names[k, 2 + i] == buffer[start + i]:
            i += 1
        if i == size:
            return int(names[k, 0])
    return -1


def finish_draft(
    draft: Draft,
    is_doubtful: npt.NDArray[np.bool_],
    content: npt.NDArray[np.uint8],
    default_ingest_us: npt.NDArray[np.int64] | None,
    rules: AcceptanceRules,
    embedders: Sequence[Embedder],
) -> CheckedCells:
    """Return the rows of a draft, those marked that break a rule, texts embedded.

    Args:
        draft: As a decoder has filled it.
        is_doubtful: Shape `(n,)`, marked in place.
        content: What was decoded; decimal fractions are read from it.
        default_ingest_us: Ingest time of rows that have none; None: their event time.
        rules: Bounds of lateness.
        embedders: All that may be named, by `since_us`.
    """
    head: npt.NDArray[Any] = draft.head.view(HEAD_DTYPE)[:, 0]
    is_unstamped = head["ingest_us"] == 0
    stamps = head["event_time_us"] if default_ingest_us is None else default_ingest_us
    head["ingest_us"][is_unstamped] = stamps[is_unstamped]
    for row, cell, start, end in draft.numbers[: draft.state[State.N_NUMBERS]].tolist():
        number = np.float64(content[start:end].tobytes())
        draft.cells[row, cell] = number.view(np.int64)
        is_doubtful[row] |= not np.isfinite(number)
    lines = draft.lines[: draft.state[State.N_LINES]].copy()
    n_texts = int(draft.state[State.N_TEXTS])
    if n_texts:
        _embed_texts(draft, head, n_texts, embedders)
    faults = find_faults(draft.head, draft.cells, lines, rules, is_doubtful)
    embeddings = draft.embeddings[: draft.state[State.N_EMBEDDINGS]].copy()
    return CheckedCells(EventCells(head, draft.cells, lines, embeddings), is_doubtful, faults)


def _embed_texts(
    draft: Draft, head: npt.NDArray[Any], n_texts: int, embedders: Sequence[Embedder]
) -> None:
    """Embed each text with the embedder in force when the log took its event in."""
    rows, ends = draft.text_rows[:n_texts], draft.text_ends[:n_texts].tolist()
    content = draft.texts[: ends[-1]].tobytes()
    texts = [content[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    since = [embedder.since_us for embedder in embedders]
    of_text = np.searchsorted(since, head["ingest_us"][rows], side="right") - 1
    of_text = np.maximum(of_text, 0)
    for number in np.unique(of_text).tolist():
        theirs = np.flatnonzero(of_text == number)
        of_rows = rows[theirs]
        embedder = embedders[number]
        vectors = embedder.embed([texts[place] for place in theirs.tolist()])
        draft.embeddings[head["embedding"][of_rows]] = vectors
        draft.cells[of_rows, EMBEDDER_CELL[head["kind"][of_rows]]] = embedder.id
