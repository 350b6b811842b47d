"""Arrow batches of the event log to cells, a column at a time, only kinds that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.compiled import compiled, int64_1d, int64_2d, void
from features.embedding import DIM, EMBEDDERS, Embedder
from features.log.arrow_access import (
    find_envelope_enum,
    read_embeddings,
    read_enum,
    read_ints,
    read_kind_index,
    to_batch,
)
from features.log.cells import (
    HEAD_DTYPE,
    KIND_FIELDS,
    LINE_FIELDS,
    LINES_PATH,
    N_CELLS,
    N_LINE_CELLS,
    CellField,
    EventCells,
)
from features.log.partitioning import hash_strings
from features.log.schema import EVENT_KINDS, FieldType

_EMBEDDER = "embedder"


def from_arrow(
    source: pa.Table | pa.RecordBatch,
    embedders: Sequence[Embedder] = EMBEDDERS,
    payloads: Mapping[str, pa.StructArray] = MappingProxyType({}),
) -> EventCells:
    """Return the cells of some events.

    Args:
        source: Rows of the event schema with known kinds; a kind whose struct column
            is missing has only its head.
        embedders: All that the events may name.
        payloads: Kind to the struct column of its rows, where that is known.
    """
    ids = {embedder.name: embedder.id for embedder in embedders}
    batch = to_batch(source)
    n = batch.num_rows
    kinds = read_kind_index(batch)
    head = np.zeros(n, HEAD_DTYPE)
    _fill_envelope(batch, kinds, head)
    cells = np.zeros((n, N_CELLS), np.int64)
    lines = np.zeros((0, N_LINE_CELLS), np.int64)
    embeddings: list[npt.NDArray[np.int8]] = []
    n_embeddings = 0
    for number in np.flatnonzero(np.bincount(kinds[kinds >= 0], minlength=len(EVENT_KINDS))):
        kind = EVENT_KINDS[number]
        if kind not in batch.schema.names:
            continue
        rows = np.flatnonzero(kinds == number)
        own = payloads.get(kind)
        if own is None:
            column = batch.column(kind)
            own = column if len(rows) == n else column.take(pa.array(rows))
        _fill_payloads(kind, own, rows, head, cells, ids)
        if kind == LINES_PATH[0]:
            lines = _read_lines(own, rows, head)
        found = _read_embeddings(kind, own)
        if found is not None:
            places, content = found
            head["embedding"][rows[places]] = n_embeddings + np.arange(len(places))
            n_embeddings += len(places)
            embeddings.append(content)
    whole = np.concatenate(embeddings) if embeddings else np.zeros((0, DIM), np.int8)
    return EventCells(head, cells, lines, whole)


def _fill_envelope(
    batch: pa.RecordBatch, kinds: npt.NDArray[np.int64], head: npt.NDArray[Any]
) -> None:
    head["event_time_us"] = read_ints(batch.column("event_time"))
    head["known_at_us"] = read_ints(batch.column("known_at"))
    head["ingest_us"] = read_ints(batch.column("ingest_time"))
    for column, name in (("tenant", "tenant"), ("event_id", "event"), ("customer_id", "customer")):
        hashes = hash_strings(batch.column(column))
        head[f"{name}_h1"], head[f"{name}_h2"] = hashes[:, 0], hashes[:, 1]
    channels = find_envelope_enum("channel")
    head["channel"] = read_enum(batch.column("channel"), channels)
    head["kind"] = kinds + 1
    head["embedding"] = -1


def _fill_payloads(
    kind: str,
    payloads: pa.StructArray,
    rows: npt.NDArray[np.int64],
    head: npt.NDArray[Any],
    cells: npt.NDArray[np.int64],
    ids: Mapping[str, int],
) -> None:
    """Write the cells and presence bits of the rows of one kind."""
    present = np.zeros(len(rows), np.uint64)
    columns = _Columns(len(KIND_FIELDS[kind]), len(rows))
    for field in KIND_FIELDS[kind]:
        column = pc.struct_field(payloads, field.path.split("."))
        if field.bit >= 0:
            is_there = column.is_valid().to_numpy(zero_copy_only=False)
            present |= is_there.astype(np.uint64) << np.uint64(field.bit)
        if field.cell >= 0:
            columns.add(field, column, ids)
    head["present"][rows] = present
    columns.write(rows, cells)


@compiled(void(int64_2d, int64_1d, int64_1d, int64_2d))
def _scatter(
    columns: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
) -> None:
    """Write columns to places of rows: a row's cells are written together."""
    for r in range(rows.shape[0]):
        row = rows[r]
        for n in range(places.shape[0]):
            cells[row, places[n]] = columns[n, r]


class _Columns:
    """Cells by column, on their way to rows.

    Args:
        n_fields: At most so many fields.
        n_rows: Length of each column.
    """

    def __init__(self, n_fields: int, n_rows: int) -> None:
        self._values = np.empty((3 * n_fields, n_rows), np.int64)  # At most two cells and a bit.
        self._places: list[int] = []

    def add(self, field: CellField, column: pa.Array, ids: Mapping[str, int]) -> None:
        """Add one field's cells; null is 0."""
        if field.spec.type is FieldType.STRING and field.spec.name != _EMBEDDER:
            hashes = hash_strings(column).view(np.int64)
            self.add_cell(field.cell, hashes[:, 0])
            self.add_cell(field.cell + 1, hashes[:, 1])
        else:
            self.add_cell(field.cell, _read_numbers(field, column, ids))

    def add_cell(self, place: int, values: npt.NDArray[Any]) -> None:
        """Add one cell of each row."""
        self._values[len(self._places)] = values
        self._places.append(place)

    def write(self, rows: npt.NDArray[np.int64], cells: npt.NDArray[np.int64]) -> None:
        """Write the cells of each of the rows."""
        places = np.array(self._places, np.int64)
        _scatter(self._values[: len(places)], places, rows, cells)


def _read_numbers(
    field: CellField, column: pa.Array, ids: Mapping[str, int]
) -> npt.NDArray[np.int64]:
    if field.spec.name == _EMBEDDER:
        return read_enum(column, ids).astype(np.int64)
    if field.spec.enum_numbers is not None:
        return read_enum(column, field.spec.enum_numbers).astype(np.int64)
    if field.spec.type is FieldType.DOUBLE:
        values = column.fill_null(0.0).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(values, np.float64).view(np.int64)
    return read_ints(column)


def _read_lines(
    payloads: pa.StructArray, rows: npt.NDArray[np.int64], head: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Return the cells of all lines of some orders, and note in `head` whose they are."""
    lists = pc.struct_field(payloads, [LINES_PATH[1]])
    counts = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    starts = np.cumsum(counts) - counts
    head["line_count"][rows] = counts
    head["first_line"][rows] = np.where(counts > 0, starts, 0)
    flat = pc.list_flatten(lists)
    columns = _Columns(len(LINE_FIELDS), len(flat))
    for field in LINE_FIELDS:
        column = flat.field(field.path)
        columns.add(field, column, {})
        if field.bit >= 0:
            columns.add_cell(field.bit, column.is_valid().to_numpy(zero_copy_only=False))
    lines = np.zeros((len(flat), N_LINE_CELLS), np.int64)
    columns.write(np.arange(len(flat)), lines)
    return lines


def _read_embeddings(
    kind: str, payloads: pa.StructArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]] | None:
    """Return which payloads have an embedding, and those, shape `(k, DIM)`."""
    for field in KIND_FIELDS[kind]:
        if field.spec.type is FieldType.BYTES:
            column = pc.struct_field(payloads, field.path.split("."))
            sizes = pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
            places = np.flatnonzero(sizes == DIM)
            return places, read_embeddings(column, places)
    return None
