"""One number for what an event says, to tell a repetition from a conflict.

Made of cells, so it is the same whatever the format or batch that an event comes
in. Every cell that is not 0 adds its part, seeded by its field's path: absent
values and proto defaults add nothing, so a field that a later version of the
protos adds does not change the hashes of events without it.

A text takes no part. Of it only the embedding is left, and that is another one once
another embedder is in force: an event told again would contradict itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import array_of, compiled, inlined, int64_1d, uint64_1d, uint64_2d, void
from features.hashing import add_u64, hash_bytes, mul_u64
from features.log.cells import (
    HEAD_DTYPE,
    KIND_FIELDS,
    KIND_NUMBER,
    LINE_FIELDS,
    LINES_PATH,
    N_CELLS,
    N_LINE_CELLS,
    CellField,
    EventCells,
)
from features.log.schema import EVENT_KINDS

_N_BITS = 64
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def _make_seed(path: str) -> int:
    return hash_bytes(path.encode())[0]


def _fill_seeds(
    prefix: str,
    fields: tuple[CellField, ...],
    cells: npt.NDArray[np.uint64],
    bits: npt.NDArray[np.uint64],
) -> None:
    """Write the seed of each cell and of each presence bit (in a line: of its cell).

    A cell without one takes no part.
    """
    for field in fields:
        path = f"{prefix}.{field.path}"
        if field.spec.name == "embedder":
            continue
        if field.cell >= 0:
            cells[field.cell] = _make_seed(path)
        if field.spec.type == "string":
            cells[field.cell + 1] = _make_seed(f"{path}/2")
        if field.bit >= 0:
            bits[field.bit] = _make_seed(f"{path}?")


_KINDS = np.zeros(len(EVENT_KINDS) + 1, np.uint64)
_CELLS = np.zeros((len(EVENT_KINDS) + 1, N_CELLS), np.uint64)
_BITS = np.zeros((len(EVENT_KINDS) + 1, _N_BITS), np.uint64)
_LINE = np.zeros(N_LINE_CELLS, np.uint64)
for _kind, _number in KIND_NUMBER.items():
    _KINDS[_number] = _make_seed(_kind)
    _fill_seeds(_kind, KIND_FIELDS[_kind], _CELLS[_number], _BITS[_number])
_fill_seeds(".".join(LINES_PATH), LINE_FIELDS, _LINE, _LINE)

_WIDTHS = np.array(
    [0, *(np.flatnonzero(_CELLS[KIND_NUMBER[kind]]).max(initial=-1) + 1 for kind in EVENT_KINDS)],
    np.int64,
)
"""Cells of each kind."""

_EVENT_TIME = np.uint64(_make_seed("event_time"))
_KNOWN_AT = np.uint64(_make_seed("known_at"))
_CUSTOMER_1 = np.uint64(_make_seed("customer_id"))
_CUSTOMER_2 = np.uint64(_make_seed("customer_id/2"))
_CHANNEL = np.uint64(_make_seed("channel"))
_LINES = np.uint64(_make_seed(".".join(LINES_PATH)))


@inlined
def _mix(value: Any) -> Any:
    """Return the bits well mixed (splitmix64, Steele et al. 2014)."""
    value = mul_u64(value ^ (value >> np.uint64(30)), _M1)
    value = mul_u64(value ^ (value >> np.uint64(27)), _M2)
    return value ^ (value >> np.uint64(31))


@inlined
def _add(total: Any, word: Any, seed: Any) -> Any:
    """Return the sum with a value's part; 0 is a default and has none."""
    return total if word == _ZERO else add_u64(total, _mix(add_u64(word, seed)))


@inlined
def _add_head(total: Any, head: Any) -> Any:
    """Return the sum with the envelope's part, but for identity and the log's own stamp."""
    total = _add(total, np.uint64(head["event_time_us"]), _EVENT_TIME)
    total = _add(total, np.uint64(head["known_at_us"]), _KNOWN_AT)
    total = _add(total, head["customer_h1"], _CUSTOMER_1)
    total = _add(total, head["customer_h2"], _CUSTOMER_2)
    return _add(total, np.uint64(head["channel"]), _CHANNEL)


@inlined
def _chain_rows(
    words: npt.NDArray[np.uint64], first: int, count: int, seeds: npt.NDArray[np.uint64]
) -> Any:
    """Return one number for some rows of words; their order counts."""
    chained = _ZERO
    for row in range(first, first + count):
        total = _ZERO
        for place in range(words.shape[1]):
            total = _add(total, words[row, place], seeds[place])
        chained = _mix(add_u64(add_u64(chained, total), _GOLDEN))
    return chained


@compiled(void(array_of(HEAD_DTYPE), uint64_2d, uint64_2d, int64_1d, uint64_1d))
def _hash_events(
    heads: npt.NDArray[Any],
    words: npt.NDArray[np.uint64],
    lines: npt.NDArray[np.uint64],
    widths: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint64],
) -> None:
    for i in range(heads.shape[0]):
        head = heads[i]
        kind = int(head["kind"])
        total = _add_head(_KINDS[kind], head)
        for cell in range(widths[kind]):
            if _CELLS[kind, cell] != _ZERO:
                total = _add(total, words[i, cell], _CELLS[kind, cell])
        present = head["present"]
        bit = 0
        while present != _ZERO:
            if present & _ONE:
                total = _add(total, _ONE, _BITS[kind, bit])
            present >>= _ONE
            bit += 1
        if head["line_count"] > 0:
            chained = _chain_rows(lines, head["first_line"], head["line_count"], _LINE)
            total = _add(total, chained, _LINES)
        # 0 is kept for "not seen".
        out[i] = max(_mix(add_u64(total, _GOLDEN)), _ONE)


def compute_content_hashes(cells: EventCells) -> npt.NDArray[np.uint64]:
    """Return the hash of each event's content, shape `(n,)`, never 0.

    Equal for equal events. Tenant, event id and ingest time are not content: they
    are identity, and the log's own stamp, which differs when an event comes again. Nor
    is what became of a text.
    64 bits, so two different contents collide once in 10^19.
    """
    out = np.empty(len(cells), np.uint64)
    _hash_events(
        cells.head,
        cells.cells.view(np.uint64),
        cells.lines.view(np.uint64),
        _WIDTHS,
        out,
    )
    return out
