"""One number for what an event says, to tell a repetition from a conflict.

Works on columns, not on rows: every column adds its part to all rows at once.
Absent values and proto defaults add nothing, so a field that a later version of
the protos adds does not change the hashes of events without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from features.compiled import compiled, inlined, int64_1d, uint64_1d, void
from features.log.schema import EVENT_SPEC, FieldSpec, MessageSpec

_NOT_CONTENT = frozenset({"event_id", "tenant", "ingest_time"})
"""Identity, and the log's own stamp, which differs when the same event comes again."""

_uint64 = numba.uint64
_bytes_readonly = numba.types.Array(numba.uint8, 1, "C", readonly=True)
_offsets = numba.types.Array(numba.int32, 1, "C", readonly=True)


@inlined
def _mix(value: Any) -> Any:
    """Return the bits well mixed (splitmix64, Steele et al. 2014)."""
    mixed = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@compiled(void(uint64_1d, int64_1d, _uint64, uint64_1d))
def _add_values(
    values: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64], seed: Any, sums: Any
) -> None:
    """Add each value's part to the sum of its row."""
    for i in range(values.shape[0]):
        sums[rows[i]] += _mix(values[i] + seed)


@compiled(void(_bytes_readonly, _offsets, uint64_1d))
def _hash_strings(content: Any, offsets: Any, hashes: Any) -> None:
    """Write the hash (FNV-1a, 64 bits) of each slice of `content`; 0 for an empty one."""
    for i in range(hashes.shape[0]):
        h = np.uint64(0)
        if offsets[i + 1] > offsets[i]:
            h = np.uint64(0xCBF29CE484222325)
            for place in range(offsets[i], offsets[i + 1]):
                h = (h ^ np.uint64(content[place])) * np.uint64(0x100000001B3)
        hashes[i] = h


@compiled(void(uint64_1d, _offsets, uint64_1d))
def _chain(elements: Any, offsets: Any, hashes: Any) -> None:
    """Write the hash of each list from its elements' hashes; the order counts."""
    for i in range(hashes.shape[0]):
        h = np.uint64(0)
        for place in range(offsets[i], offsets[i + 1]):
            h = _mix(h + elements[place] + np.uint64(0x9E3779B97F4A7C15))
        hashes[i] = h


@compiled(void(uint64_1d))
def _finish(sums: Any) -> None:
    """Mix the sums in place; 0 is kept for "not seen"."""
    for i in range(sums.shape[0]):
        sums[i] = max(_mix(sums[i] + np.uint64(0x9E3779B97F4A7C15)), np.uint64(1))


def compute_content_hashes(batch: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Return the hash of each event's content, shape `(n_rows,)`, never 0.

    Equal for equal events whatever batch, file format or `ingest_time` they come
    in; 64 bits, so two different contents collide once in 10^19.

    Args:
        batch: Rows of the event log's schema.
    """
    sums = np.zeros(len(batch), np.uint64)
    rows = np.arange(len(batch), dtype=np.int64)
    with np.errstate(over="ignore"):  # Wrapping is meant; numpy warns of it if the JIT is off.
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if field.name not in _NOT_CONTENT:
                _add_column(field.name, column, rows, sums)
        _finish(sums)
    return sums


def _walk_fields(spec: MessageSpec, prefix: str = "") -> Iterator[tuple[str, FieldSpec]]:
    """Yield every field below a message with its path; members of lists stand under `[]`."""
    for field in spec.logged_fields:
        path = prefix + field.name
        yield path, field
        if field.message is not None:
            yield from _walk_fields(
                field.message, f"{path}[]." if field.is_repeated else f"{path}."
            )


_FIELDS = dict(_walk_fields(EVENT_SPEC))


def _blank_defaults(path: str, values: npt.NDArray[np.uint64]) -> None:
    """Turn the hash of an enum's default name into 0, the number of a proto default."""
    field = _FIELDS.get(path)
    if field is not None and field.enum_numbers is not None:
        default = pa.array([field.default], pa.string())
        values[values == _hash_strings_of(default)[0]] = 0


def _add_column(
    path: str,
    column: pa.Array,
    rows: npt.NDArray[np.int64],
    sums: npt.NDArray[np.uint64],
) -> None:
    """Add a column's part to the sums of the rows that it belongs to.

    Args:
        path: Name of the field with its parents', so that equal values of two
            fields differ.
        column: Length n.
        rows: Shape `(n,)`: the row of `sums` that each value belongs to.
        sums: Changed in place.
    """
    if column.null_count == len(column):  # Most kinds, in most batches.
        return
    if column.null_count:
        rows = rows[column.is_valid().to_numpy(zero_copy_only=False)]
        column = column.drop_null()
    values = _hash_values(path, column, rows, sums)
    field = _FIELDS.get(path)
    if path.endswith("[]") or (field is not None and field.is_nullable):
        values += np.uint64(1)  # A default that is there differs from none, and counts.
    elif not values.all():
        is_said = values != 0
        values, rows = values[is_said], rows[is_said]
    _add_values(values, rows, np.uint64(_compute_seed(path)), sums)


def _hash_values(
    path: str, column: pa.Array, rows: npt.NDArray[np.int64], sums: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Return one number per value of a column without nulls; 0 for a proto default.

    A struct's fields go straight to the sums; its own number is that it is there.
    """
    kind = column.type
    if pa.types.is_struct(kind):
        for field, child in zip(kind, column.flatten(), strict=True):
            _add_column(f"{path}.{field.name}", child, rows, sums)
        return np.zeros(len(column), np.uint64)
    if pa.types.is_list(kind):
        elements = _hash_elements(path, column.flatten())
        hashes = np.empty(len(column), np.uint64)
        _chain(elements, _from_zero(np.asarray(column.offsets)), hashes)
        return hashes
    if pa.types.is_dictionary(kind):
        of_dictionary = _hash_strings_of(column.dictionary)
        places: npt.NDArray[np.int32] = column.indices.to_numpy()
        return of_dictionary[places]
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        hashes = _hash_strings_of(column)
        _blank_defaults(path, hashes)
        return hashes
    # Integers, booleans and times are all int64.
    numbers = column.cast(pa.float64() if pa.types.is_floating(kind) else pa.int64())
    return np.array(numbers.to_numpy()).view(np.uint64)


def _hash_elements(path: str, values: pa.Array) -> npt.NDArray[np.uint64]:
    """Return the hash of each element of all lists, shape `(len(values),)`."""
    sums = np.zeros(len(values), np.uint64)
    _add_column(f"{path}[]", values, np.arange(len(values), dtype=np.int64), sums)
    return sums


def _hash_strings_of(column: pa.Array) -> npt.NDArray[np.uint64]:
    _, offsets_buffer, content_buffer = column.buffers()
    hashes = np.zeros(len(column), np.uint64)
    if content_buffer is None or offsets_buffer is None:  # All empty.
        return hashes
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset :][: len(column) + 1]
    _hash_strings(_read_only(np.frombuffer(content_buffer, np.uint8)), _read_only(offsets), hashes)
    return hashes


def _from_zero(offsets: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return list offsets counted from the first element that the slice holds."""
    return _read_only(offsets - offsets[0])


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


@lru_cache(maxsize=4096)
def _compute_seed(path: str) -> int:
    return xxhash.xxh3_64_intdigest(path.encode())
