"""Structs to columns: a list of decoded events becomes one record batch.

Work is done a column at a time: the structs are transposed by C code, each
column becomes an Arrow array, and strings that stand for numbers or times are
parsed by Arrow's kernels. A value that does not fit raises `ColumnValueError`;
the caller then decodes the same lines one by one to name the field at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from operator import attrgetter, is_not
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import EMBEDDERS, Embedder, embed_texts
from features.log.schema import (
    ENVELOPE_FIELDS,
    EVENT_KINDS,
    EVENT_SCHEMA,
    KIND_COLUMN,
    KIND_SPECS,
    KIND_TYPE,
    FieldSpec,
    FieldType,
    MessageSpec,
)

INT_PATTERN = r"^-?[0-9]{1,20}$"
TIME_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)

MICROSECOND_MIN = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z, the least proto Timestamp
MICROSECOND_MAX = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z, the greatest


class ColumnValueError(ValueError):
    """Some value of a batch does not fit its column; which one is not known here."""


def build_batch(
    events: Sequence[Any],
    embedders: Sequence[Embedder] = EMBEDDERS,
    *,
    has_all_kinds: bool = True,
) -> pa.RecordBatch:
    """Return the events as one batch of `EVENT_SCHEMA`, in the order given.

    Defaults are filled in, `Reason.text` is replaced by its embedding, and
    nothing else is changed: an absent `ingest_time` stays null.

    Args:
        events: `structs.Event` instances; see `structs` for what fields may hold.
        embedders: A text is embedded by the one in force at its ingest, else its event time.
        has_all_kinds: False: columns of kinds that no event has are left out.

    Raises:
        ColumnValueError: A value has the wrong type or range, or an event has
            several kinds.

    >>> from features.log import structs
    >>> build_batch([structs.Event(event_id="e1", tenant="demo", event_time=0)]).num_rows
    1
    """
    if not events:
        return pa.RecordBatch.from_pylist([], schema=EVENT_SCHEMA)
    try:
        arrays = [_build_column(_pick(events, field.name), field) for field in ENVELOPE_FIELDS]
        in_force = _find_in_force(arrays, embedders)
        kinds: dict[str, pa.Array] = {}
        kind_index = np.full(len(events), -1, np.int32)
        for number, kind in enumerate(EVENT_KINDS):
            values = _pick(events, kind)
            if values.count(None) == len(values):
                if has_all_kinds:
                    kinds[kind] = pa.nulls(len(values), KIND_SPECS[kind].arrow_type)
                continue
            is_set = _find_set(values)
            if (kind_index[is_set] >= 0).any():
                raise ColumnValueError("an event has several kinds")
            kind_index[is_set] = number
            kinds[kind] = _build_struct_array(values, KIND_SPECS[kind], in_force)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ColumnValueError(str(error)) from error
    names = [*(field.name for field in ENVELOPE_FIELDS), KIND_COLUMN, *kinds]
    schema = pa.schema([EVENT_SCHEMA.field(name) for name in names])
    return pa.RecordBatch.from_arrays(
        [*arrays, build_kind_column(kind_index), *kinds.values()], schema=schema
    )


def _find_in_force(columns: Sequence[pa.Array], embedders: Sequence[Embedder]) -> list[Embedder]:
    """Return the embedder of each event's texts, by its envelope's columns."""
    by_name = dict(zip((field.name for field in ENVELOPE_FIELDS), columns, strict=True))
    times = pc.coalesce(by_name["ingest_time"], by_name["event_time"]).cast(pa.int64())
    times_us = times.fill_null(0).to_numpy(zero_copy_only=False)
    since = [embedder.since_us for embedder in embedders]
    places = np.maximum(np.searchsorted(since, times_us, side="right") - 1, 0)
    return [embedders[place] for place in places.tolist()]


def build_kind_column(kind_index: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
    """Return the `kind` column for indices into `EVENT_KINDS`; -1 is null."""
    indices = pa.array(kind_index, pa.int32(), mask=kind_index < 0)
    column = pa.DictionaryArray.from_arrays(indices, pa.array(EVENT_KINDS, pa.string()))
    return column.cast(KIND_TYPE)


def _pick(objects: Sequence[Any], name: str) -> list[Any]:
    """Return one attribute of every object."""
    return list(map(attrgetter(name), objects))


def _find_set(values: Sequence[Any]) -> npt.NDArray[np.bool_]:
    """Return which values are not None, shape `(n,)`."""
    return np.fromiter(map(partial(is_not, None), values), np.bool_, len(values))


def _build_struct_array(
    values: Sequence[Any], spec: MessageSpec, in_force: Sequence[Embedder]
) -> pa.StructArray:
    """Return the struct column of one message; None is null."""
    is_set = _find_set(values)
    present = [value for value in values if value is not None]
    if not present:
        return pa.nulls(len(values), spec.arrow_type)
    columns = {field.name: _pick(present, field.name) for field in spec.fields}
    theirs = list(compress(in_force, is_set))
    if spec.name == "Reason":
        columns = _embed_texts(columns, theirs)
    compact = pa.StructArray.from_arrays(
        [_build_column(columns[field.name], field, theirs) for field in spec.logged_fields],
        fields=list(spec.arrow_type),
    )
    if len(present) == len(values):
        return compact
    indices = pa.array(np.cumsum(is_set) - 1, pa.int64(), mask=~is_set)
    return compact.take(indices)


def _embed_texts(
    columns: dict[str, list[Any]], in_force: Sequence[Embedder]
) -> dict[str, list[Any]]:
    """Return a reason's columns with the embedding in the text's place."""
    texts = columns["text"]
    if not any(texts):
        return columns
    embeddings, names = list(columns["embedding"]), list(columns["embedder"])
    for embedder in set(compress(in_force, texts)):
        places = [
            place
            for place, (text, theirs) in enumerate(zip(texts, in_force, strict=True))
            if text and theirs is embedder
        ]
        vectors = embed_texts([texts[place] for place in places], embedder)
        for place, vector in zip(places, vectors, strict=True):
            embeddings[place], names[place] = vector.tobytes(), embedder.name
    return {**columns, "embedding": embeddings, "embedder": names}


def _build_column(
    values: Sequence[Any], field: FieldSpec, in_force: Sequence[Embedder] = ()
) -> pa.Array:
    """Return the column of one field; None is the default or, if nullable, null."""
    if field.is_repeated:
        assert field.message is not None
        return _build_list_array(values, field)
    if field.message is not None:
        return _build_struct_array(values, field.message, in_force)
    build = _BUILDERS.get(field.type)
    column = build(values, field) if build else pa.array(values, field.arrow_type)
    if column.null_count and field.default is not None:
        column = pc.fill_null(column, pa.scalar(field.default, field.arrow_type))
    return column


def _build_list_array(values: Sequence[Any], field: FieldSpec) -> pa.ListArray:
    """Return a list column; None is the empty list."""
    assert field.message is not None
    lengths = np.fromiter((len(value) if value else 0 for value in values), np.int32, len(values))
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    flat = [item for value in values if value for item in value]
    if None in flat:
        raise ColumnValueError(f"{field.name}: a list member is null")
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), _build_struct_array(flat, field.message, ()),
        type=field.arrow_type,
    )  # fmt: skip


def _build_ints(values: Sequence[Any], field: FieldSpec) -> pa.Array:
    """Return integers given as numbers, as decimal strings, or mixed."""
    types = set(map(type, values)) - {type(None)}
    if str in types and len(types) > 1:
        values = [value if value is None else str(value) for value in values]
    # Inferred first: with the type given, Arrow would cut 1.5 to 1 without a word.
    column = pa.array(values)
    if pa.types.is_string(column.type):
        _require_pattern(column, INT_PATTERN, field)
    elif not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        raise ColumnValueError(f"{field.name}: {column.type} where integers belong")
    return column.cast(field.arrow_type)


def _build_times(values: Sequence[Any], field: FieldSpec) -> pa.Array:
    """Return times given as integer microseconds, as RFC 3339 strings, or mixed."""
    types = set(map(type, values)) - {type(None)}
    if str not in types:
        return _from_microseconds(values, field)
    if types == {str}:
        return _parse_times(values, field)
    is_text = [isinstance(value, str) for value in values]
    texts = [v if t else None for v, t in zip(values, is_text, strict=True)]
    numbers = [None if t else v for v, t in zip(values, is_text, strict=True)]
    return pc.coalesce(_parse_times(texts, field), _from_microseconds(numbers, field))


def _parse_times(values: Sequence[str | None], field: FieldSpec) -> pa.Array:
    texts = pa.array(values, pa.string())
    _require_pattern(texts, TIME_PATTERN, field)
    return _require_years(texts.cast(field.arrow_type), field)


def _from_microseconds(values: Sequence[int | None], field: FieldSpec) -> pa.Array:
    return _require_years(pa.array(values, pa.int64()).cast(field.arrow_type), field)


def _require_years(times: pa.Array, field: FieldSpec) -> pa.Array:
    """Return the times if a proto Timestamp can hold them."""
    if times.null_count < len(times):
        bounds = pc.min_max(times.cast(pa.int64())).as_py()
        if bounds["min"] < MICROSECOND_MIN or bounds["max"] > MICROSECOND_MAX:
            raise ColumnValueError(f"{field.name}: outside the years 1 to 9999")
    return times


def _require_pattern(texts: pa.Array, pattern: str, field: FieldSpec) -> None:
    """Raise unless every string matches; Arrow's casts accept more than proto3 JSON."""
    if not pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py():
        raise ColumnValueError(f"{field.name}: a string of another form")


def _build_enums(values: Sequence[Any], field: FieldSpec) -> pa.Array:
    """Return enum names; numbers are replaced by their names."""
    assert field.enum_numbers is not None
    if not set(map(type, values)) <= {str, type(None)}:
        names = {number: name for name, number in field.enum_numbers.items()}
        values = [names.get(value, value) if isinstance(value, int) else value for value in values]
    column = pa.array(values, field.arrow_type)
    for name in pc.unique(column).to_pylist():
        if name is not None and name not in field.enum_numbers:
            raise ColumnValueError(f"{field.name}: {name!r} is not a name of the enum")
    return column


_BUILDERS: dict[FieldType, Callable[[Sequence[Any], FieldSpec], pa.Array]] = {
    FieldType.INT32: _build_ints,
    FieldType.INT64: _build_ints,
    FieldType.TIME: _build_times,
    FieldType.ENUM: _build_enums,
}


def stamp_ingest_time(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with `ingest_time` := `event_time` where it is absent.

    Historic sources carry no ingest time; what they say was known when it happened.
    """
    position = batch.schema.get_field_index("ingest_time")
    column = batch.column(position)
    if not column.null_count:
        return batch
    stamped = pc.coalesce(column, batch.column(batch.schema.get_field_index("event_time")))
    return batch.set_column(position, batch.schema.field(position), stamped)
