"""Arrow columns to numpy arrays, for some rows at a time; null is 0, false or absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import DIM
from features.log.schema import ENVELOPE_FIELDS, EVENT_KINDS, KIND_COLUMN, KIND_SPECS, MessageSpec

Rows = npt.NDArray[np.int64]
"""Indices of rows in a batch."""


def to_batch(source: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    """Return a table as one batch, each column in one piece."""
    if isinstance(source, pa.RecordBatch):
        return source
    batches = source.unify_dictionaries().combine_chunks().to_batches()
    if not batches:
        return pa.RecordBatch.from_pylist([], schema=source.schema)
    assert len(batches) == 1
    return batches[0]


def read_kind_index(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Return each row's index in `EVENT_KINDS`, -1 without (known) kind, shape `(n,)`."""
    column = batch.column(KIND_COLUMN)
    known = {kind: index for index, kind in enumerate(EVENT_KINDS)}
    # One entry more, at the end: what index -1 (null) finds.
    lookup = np.array([known.get(k, -1) for k in column.dictionary.to_pylist()] + [-1], np.int64)
    indices: npt.NDArray[np.int32] = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
    return lookup[indices]


def find_envelope_enum(name: str) -> Mapping[str, int]:
    """Return the numbers of an enum of the envelope."""
    return next(f.enum_numbers or {} for f in ENVELOPE_FIELDS if f.name == name)


def read_ints(column: pa.Array, rows: Rows | None = None) -> npt.NDArray[np.int64]:
    """Return integers as int64, null as 0; of all rows if none are named."""
    taken = column if rows is None else column.take(pa.array(rows))
    values = taken.cast(pa.int64()).fill_null(0)
    numbers: npt.NDArray[np.int64] = values.to_numpy(zero_copy_only=False)
    return numbers


def read_bools(column: pa.Array, rows: Rows) -> npt.NDArray[np.bool_]:
    """Return truth values, null as false."""
    values: npt.NDArray[np.bool_] = (
        column.take(pa.array(rows)).fill_null(False).to_numpy(zero_copy_only=False)
    )
    return values


def read_enum(
    column: pa.Array, numbers: Mapping[str, int], rows: Rows | None = None
) -> npt.NDArray[np.uint8]:
    """Return enum numbers, null and unknown names as 0; of all rows if none are named."""
    taken = column if rows is None else column.take(pa.array(rows))
    found = pc.index_in(taken, pa.array(list(numbers), pa.string()))
    lookup = np.array([*numbers.values(), 0], np.uint8)
    places: npt.NDArray[np.int32] = found.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
    return lookup[places]


def read_is_empty(column: pa.Array, rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which strings are empty or null."""
    lengths = pc.binary_length(column.take(pa.array(rows))).fill_null(0)
    is_empty: npt.NDArray[np.bool_] = lengths.to_numpy(zero_copy_only=False) == 0
    return is_empty


def read_embeddings(column: pa.Array, rows: Rows) -> npt.NDArray[np.int8]:
    """Return embeddings, shape `(n, DIM)`, int8; null or of another length is all zero."""
    out = np.zeros((len(rows), DIM), np.int8)
    taken = column.take(pa.array(rows))
    is_whole = pc.equal(pc.binary_length(taken), DIM).fill_null(False)
    positions = np.flatnonzero(is_whole.to_numpy(zero_copy_only=False))
    if len(positions):
        whole = taken.take(pa.array(positions)).cast(pa.binary(DIM))
        start = whole.offset * DIM
        content = np.frombuffer(whole.buffers()[1], np.int8, len(whole) * DIM, start)
        out[positions] = content.reshape(-1, DIM)
    return out


class KindColumn:
    """Some rows of one kind's struct column, read field by field.

    Args:
        batch: The events.
        kind: Name of the kind.
        rows: Rows of that kind, shape `(n,)`.
    """

    def __init__(self, batch: pa.RecordBatch, kind: str, rows: Rows) -> None:
        self.rows = rows
        self._column = batch.column(kind)
        self._spec = KIND_SPECS[kind]

    def column(self, path: str) -> pa.Array:
        """Return a field's whole column; `reason.code` reaches into a sub-message."""
        return pc.struct_field(self._column, path.split("."))

    def ints(self, path: str) -> npt.NDArray[np.int64]:
        """Return a field's integers or times (microseconds), shape `(n,)`; absent is 0."""
        return read_ints(self.column(path), self.rows)

    def bools(self, path: str) -> npt.NDArray[np.bool_]:
        """Return a field's truth values, shape `(n,)`."""
        return read_bools(self.column(path), self.rows)

    def is_present(self, path: str) -> npt.NDArray[np.bool_]:
        """Return where an optional field is set, shape `(n,)`."""
        valid: npt.NDArray[np.bool_] = (
            self.column(path).take(pa.array(self.rows)).is_valid().to_numpy(zero_copy_only=False)
        )
        return valid

    def enum(self, path: str) -> npt.NDArray[np.uint8]:
        """Return a field's enum numbers, shape `(n,)`."""
        return read_enum(self.column(path), _find_enum(self._spec, path), self.rows)

    def is_empty(self, path: str) -> npt.NDArray[np.bool_]:
        """Return where a string field is empty, shape `(n,)`."""
        return read_is_empty(self.column(path), self.rows)

    def embeddings(self, path: str) -> npt.NDArray[np.int8]:
        """Return a field's embeddings, shape `(n, DIM)`."""
        return read_embeddings(self.column(path), self.rows)

    def lists(self, path: str) -> tuple[npt.NDArray[np.int64], Any]:
        """Return a list field as offsets, shape `(n + 1,)`, and its flat struct column."""
        taken = self.column(path).take(pa.array(self.rows))
        offsets = np.zeros(len(taken) + 1, np.int64)
        lengths = pc.list_value_length(taken).fill_null(0).to_numpy(zero_copy_only=False)
        np.cumsum(lengths, out=offsets[1:])
        return offsets, pc.list_flatten(taken)


def _find_enum(spec: MessageSpec, path: str) -> Mapping[str, int]:
    name, _, rest = path.partition(".")
    field = next(field for field in spec.fields if field.name == name)
    if rest:
        assert field.message is not None
        return _find_enum(field.message, rest)
    assert field.enum_numbers is not None
    return field.enum_numbers
