"""Events as flat numbers: what every decoder makes and every compiled pass reads.

One event is a head (identity, times, kind) and a row of int64 cells whose places
follow from the protos: each kind lays its fields, sub-messages included, one
after the other. A string is two cells (both halves of its hash; an empty one is
0, 0), an integer, truth value, enum number or time is one, a double is its
bits. Order lines stand in an array of their own, embeddings in another. What
was absent and what was its default differ only where the proto says so
(`PRESENCE_BIT`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled_without_allocation, int64_1d, int64_2d
from features.embedding import DIM
from features.log.schema import EVENT_KINDS, KIND_SPECS, FieldSpec, FieldType, MessageSpec

HEAD_DTYPE = np.dtype(
    [
        ("event_time_us", "<i8"),
        ("known_at_us", "<i8"),  # 0: absent
        ("ingest_us", "<i8"),
        ("tenant_h1", "<u8"),
        ("tenant_h2", "<u8"),
        ("event_h1", "<u8"),
        ("event_h2", "<u8"),
        ("customer_h1", "<u8"),  # Both 0: a guest.
        ("customer_h2", "<u8"),
        ("present", "<u8"),  # One bit per optional field or sub-message: `PRESENCE_BIT`.
        ("first_line", "<i4"),  # Place of the order's first line; without lines 0.
        ("line_count", "<i4"),
        ("embedding", "<i4"),  # Place of the reason's embedding; -1: none.
        ("kind", "u1"),  # Index in `EVENT_KINDS`, plus 1; 0: none.
        ("channel", "u1"),
        ("padding", "u1", (2,)),
    ]
)
"""What every event has, 96 bytes; times in microseconds UTC."""

LINES_PATH = ("order_placed", "lines")
"""Kind and field of the one list that an event holds."""


_HEAD_WORDS = HEAD_DTYPE.itemsize // 8


@dataclass(frozen=True, slots=True)
class CellField:
    """One field of a kind or of an order line, and where it stands.

    Attributes:
        path: Field names from the kind's message down, dotted, as `reason.code`.
        spec: The proto field.
        cell: Its first cell; -1 for a sub-message or list itself and for what has no cell
            (`Reason.embedding` is in `EventCells.embeddings`, `Reason.text` nowhere).
        bit: Its bit in `present`; -1 if its absence is its default. In an order line, the
            cell that holds 1 if it is present.
        guard: The bit of the sub-message it stands in; -1 in none.
    """

    path: str
    spec: FieldSpec
    cell: int
    bit: int
    guard: int


def _count_cells(field: FieldSpec) -> int:
    if field.type is FieldType.STRING:
        # An embedder's name is a small number: one of the registered ones.
        return 1 if field.name == "embedder" else 2
    return 0 if field.type in (FieldType.MESSAGE, FieldType.BYTES) else 1


def _lay_out(spec: MessageSpec) -> tuple[tuple[CellField, ...], int]:
    """Return the fields of a kind's message and the number of its cells."""
    fields: list[CellField] = []
    n_cells, n_bits = 0, 0
    open_messages: list[tuple[str, MessageSpec, int]] = [("", spec, -1)]
    while open_messages:
        prefix, message, guard = open_messages.pop()
        for field in message.logged_fields:
            # A time is absent if it is 0: no event happened in 1970.
            has_bit = field.is_nullable and field.type is not FieldType.TIME
            bit = n_bits if has_bit else -1
            n_bits += has_bit
            width = _count_cells(field)
            path = prefix + field.name
            fields.append(CellField(path, field, n_cells if width else -1, bit, guard))
            n_cells += width
            if field.message is not None and not field.is_repeated:
                open_messages.append((f"{path}.", field.message, bit))
    if n_bits > 64:
        raise TypeError(f"{spec.name}: {n_bits} optional fields, `present` has 64 bits")
    return tuple(fields), n_cells


def _lay_out_line(spec: MessageSpec) -> tuple[tuple[CellField, ...], int]:
    """Return the fields of an order line and the number of its cells."""
    fields: list[CellField] = []
    n_cells = 0
    for field in spec.logged_fields:
        has_presence = field.is_nullable and field.type is not FieldType.TIME
        width = _count_cells(field)
        if not width:
            raise TypeError(f"{spec.name}.{field.name}: an order line is flat")
        bit = n_cells + width if has_presence else -1
        fields.append(CellField(field.name, field, n_cells, bit, -1))
        n_cells += width + has_presence
    return tuple(fields), n_cells


def _find_line_spec() -> MessageSpec:
    kind, name = LINES_PATH
    spec = next(field.message for field in KIND_SPECS[kind].fields if field.name == name)
    assert spec is not None
    return spec


_LAYOUTS = {kind: _lay_out(KIND_SPECS[kind]) for kind in EVENT_KINDS}

KIND_FIELDS: Mapping[str, tuple[CellField, ...]] = {k: v[0] for k, v in _LAYOUTS.items()}
"""Kind name to its fields, those of sub-messages included."""

N_CELLS = max(n_cells for _, n_cells in _LAYOUTS.values())

LINE_FIELDS, N_LINE_CELLS = _lay_out_line(_find_line_spec())
"""Fields of an order line and the number of its cells."""

KIND_NUMBER: Mapping[str, int] = {kind: n + 1 for n, kind in enumerate(EVENT_KINDS)}
"""Kind name to `kind` of the head."""

CELL: Mapping[tuple[str, str], int] = {
    (kind, field.path): field.cell
    for kind, fields in KIND_FIELDS.items()
    for field in fields
    if field.cell >= 0
}
"""(kind, path) to the field's first cell, e.g. `CELL["return_requested", "reason.code"]`."""

PRESENCE_BIT: Mapping[tuple[str, str], int] = {
    (kind, field.path): field.bit
    for kind, fields in KIND_FIELDS.items()
    for field in fields
    if field.bit >= 0
}
"""(kind, path) of an optional scalar or a sub-message to its bit (0 to 63) in `present`."""

LINE_CELL: Mapping[str, int] = {field.path: field.cell for field in LINE_FIELDS}
"""Field of an order line to its first cell."""

LINE_PRESENCE_CELL: Mapping[str, int] = {f.path: f.bit for f in LINE_FIELDS if f.bit >= 0}
"""Optional field of an order line to the cell that is 1 if it is present."""


@dataclass(frozen=True, slots=True)
class EventCells:
    """Some events in order, all of known kinds.

    Attributes:
        head: Shape `(n,)`, `HEAD_DTYPE`.
        cells: Shape `(n, N_CELLS)`, int64; cells that a kind does not use are 0.
        lines: Shape `(m, N_LINE_CELLS)`, int64: all order lines, those of one order together.
        embeddings: Shape `(k, DIM)`, int8.
    """

    head: npt.NDArray[np.void]
    cells: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.head)

    def take(self, places: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> EventCells:
        """Return the events at some places, or where a mask is set, with what belongs to them."""
        chosen = np.flatnonzero(places) if places.dtype == np.bool_ else places
        # Word by word: NumPy copies rows of many fields one field at a time.
        words = np.ascontiguousarray(self.head).view(np.int64).reshape(len(self), _HEAD_WORDS)
        head = words.take(chosen, axis=0).view(HEAD_DTYPE)[:, 0]
        counts = head["line_count"].astype(np.int64)
        starts = np.cumsum(counts) - counts
        of_lines = np.repeat(head["first_line"] - starts, counts) + np.arange(counts.sum())
        head["first_line"] = np.where(counts > 0, starts, 0)
        has_embedding = head["embedding"] >= 0
        of_embeddings = head["embedding"][has_embedding]
        head["embedding"][has_embedding] = np.arange(len(of_embeddings))
        return EventCells(
            head,
            self.cells.take(chosen, axis=0),
            self.lines.take(of_lines, axis=0),
            self.embeddings.take(of_embeddings, axis=0),
        )

    def close_gaps(self, places: npt.NDArray[np.int64]) -> EventCells:
        """Return the events at ascending places, moved together within these arrays.

        As `take` without a copy of all events for the sake of a few; what belongs to the
        others stays, unused. Not to be used any more itself.
        """
        if len(places) < len(self):
            _move_rows(self.head.view(np.int64).reshape(len(self), _HEAD_WORDS), places)
            _move_rows(self.cells, places)
        n = len(places)
        return EventCells(self.head[:n], self.cells[:n], self.lines, self.embeddings)


@compiled_without_allocation(numba.void(int64_2d, int64_1d))
def _move_rows(words: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> None:
    """Move rows forward to stand behind each other; places ascend."""
    for row in range(len(places)):
        if places[row] != row:
            for k in range(words.shape[1]):
                words[row, k] = words[places[row], k]


def build_empty_cells() -> EventCells:
    """Return no events."""
    return EventCells(
        np.zeros(0, HEAD_DTYPE),
        np.zeros((0, N_CELLS), np.int64),
        np.zeros((0, N_LINE_CELLS), np.int64),
        np.zeros((0, DIM), np.int8),
    )


def concat_cells(parts: Sequence[EventCells]) -> EventCells:
    """Return the events of all parts, one part after the other."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return build_empty_cells()
    head = np.concatenate(list(_renumber(parts)))
    return EventCells(
        head,
        np.concatenate([part.cells for part in parts]),
        np.concatenate([part.lines for part in parts]),
        np.concatenate([part.embeddings for part in parts]),
    )


def _renumber(parts: Sequence[EventCells]) -> Iterator[npt.NDArray[np.void]]:
    """Yield each part's heads with the places of their lines and embeddings in the whole."""
    n_lines = n_embeddings = 0
    for part in parts:
        head = part.head.copy()
        head["first_line"][head["line_count"] > 0] += n_lines
        head["embedding"][head["embedding"] >= 0] += n_embeddings
        n_lines += len(part.lines)
        n_embeddings += len(part.embeddings)
        yield head
