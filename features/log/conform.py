"""Tables from elsewhere to the event schema: order of columns, defaults, kinds.

An importer builds only the columns that it has facts for. What is missing is
filled with proto defaults, so that "null where the schema says default" never
reaches a log; a column or struct field that the schema does not know is a
programming error and named.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import EMBEDDER, embed_text
from features.log.assemble import build_kind_column
from features.log.schema import (
    ENVELOPE_FIELDS,
    EVENT_KINDS,
    EVENT_SCHEMA,
    KIND_COLUMN,
    KIND_SPECS,
    FieldSpec,
    MessageSpec,
)


def conform_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with exactly the columns and types of `EVENT_SCHEMA`.

    The `kind` column is derived from which struct column is set, so it can be left out.

    Raises:
        ValueError: An unknown column or field, a type that cannot be cast, or a
            row with several kinds; a fault of the program that built the table.
    """
    if unknown := set(batch.schema.names) - set(EVENT_SCHEMA.names):
        raise ValueError(f"columns that no event has: {sorted(unknown)}")
    given = {name: batch.column(name) for name in batch.schema.names}
    n_rows = batch.num_rows
    columns = [_conform_field(given.get(field.name), field, n_rows) for field in ENVELOPE_FIELDS]
    kind_index = np.full(n_rows, -1, np.int32)
    kinds: list[pa.Array] = []
    for number, kind in enumerate(EVENT_KINDS):
        column = _conform_message(given.get(kind), KIND_SPECS[kind], n_rows)
        is_set = compute_validity(column)
        if (kind_index[is_set] >= 0).any():
            raise ValueError(f"a row with {kind} has another kind, too")
        kind_index[is_set] = number
        kinds.append(column)
    if KIND_COLUMN in given and not _is_kind_equal(given[KIND_COLUMN], kind_index):
        raise ValueError("column kind names another kind than the struct that is set")
    return pa.RecordBatch.from_arrays(
        [*columns, build_kind_column(kind_index), *kinds], schema=EVENT_SCHEMA
    )


def compute_validity(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which values are not null, shape `(n,)`."""
    if column.null_count == 0:
        return np.ones(len(column), np.bool_)
    if column.null_count == len(column):
        return np.zeros(len(column), np.bool_)
    validity: npt.NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return validity


def _is_kind_equal(column: pa.Array, kind_index: npt.NDArray[np.int32]) -> bool:
    given = column.cast(pa.string())
    derived = build_kind_column(kind_index).cast(pa.string())
    return bool(given.equals(derived))


def _conform_field(column: pa.Array | None, field: FieldSpec, n_rows: int) -> pa.Array:
    """Return one field's column with its type and defaults."""
    if field.is_repeated:
        return _conform_list(column, field, n_rows)
    if field.message is not None:
        return _conform_message(column, field.message, n_rows)
    if column is None:
        return _fill(field, n_rows)
    column = column.cast(field.arrow_type)
    if column.null_count and field.default is not None:
        column = pc.fill_null(column, pa.scalar(field.default, field.arrow_type))
    return column


def _fill(field: FieldSpec, n_rows: int) -> pa.Array:
    """Return a column of defaults, or of nulls if absence is a value of its own."""
    if field.default is None:
        return pa.nulls(n_rows, field.arrow_type)
    return pa.repeat(pa.scalar(field.default, field.arrow_type), n_rows)


def _conform_list(column: pa.Array | None, field: FieldSpec, n_rows: int) -> pa.Array:
    assert field.message is not None
    if column is None:
        empty = _conform_message(None, field.message, 0)
        return pa.ListArray.from_arrays(
            pa.array(np.zeros(n_rows + 1, np.int32)), empty, type=field.arrow_type
        )
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    items = pc.list_flatten(column)
    values = _conform_message(items, field.message, len(items))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=field.arrow_type)


def _conform_message(column: pa.Array | None, spec: MessageSpec, n_rows: int) -> pa.Array:
    """Return one message's struct column, its null rows kept null."""
    if column is None or column.null_count == len(column):
        return pa.nulls(n_rows, spec.arrow_type)
    names = [field.name for field in column.type]
    known = {field.name for field in spec.fields}
    if unknown := set(names) - known:
        raise ValueError(f"fields that {spec.name} does not have: {sorted(unknown)}")
    children = dict(zip(names, column.flatten(), strict=True))
    if "text" in children and spec.name == "Reason":
        children = _embed_text_column(children)
    arrays = [
        _conform_field(children.get(field.name), field, n_rows) for field in spec.logged_fields
    ]
    mask = pc.is_null(column) if column.null_count else None
    return pa.StructArray.from_arrays(arrays, fields=list(spec.arrow_type), mask=mask)


def _embed_text_column(children: dict[str, Any]) -> dict[str, Any]:
    """Return a reason's columns with embeddings where texts were given."""
    texts = children.pop("text")
    has_text = pc.fill_null(pc.greater(pc.binary_length(texts), 0), False)
    encoded = texts.dictionary_encode()
    vectors = pa.array(
        [embed_text(text).tobytes() for text in encoded.dictionary.to_pylist()], pa.binary()
    )
    made = vectors.take(encoded.indices)
    n_rows = len(texts)
    given = children.get("embedding", pa.nulls(n_rows, pa.binary()))
    embedder = children.get("embedder", pa.nulls(n_rows, pa.string()))
    children["embedding"] = pc.if_else(has_text, made, given)
    children["embedder"] = pc.if_else(has_text, EMBEDDER, embedder)
    return children
