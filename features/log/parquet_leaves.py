"""Which fields of a Parquet file need to be decoded, and how a batch gets the others.

An event names one of some forty kinds with a dozen fields each, and decoding a column of
nulls or of one value costs as much as one of numbers. What the footer tells is not
decoded: a field that is null throughout, or that has one value wherever its message is
there. Of a message that is there at least one field is decoded: it says where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.log.schema import ENVELOPE_FIELDS, KIND_SPECS, FieldSpec, FieldType, MessageSpec

_LIST_LEVELS = ("list", "element")
_MAX_TEXT = 60  # Writers may cut longer texts of the footer short.
_CONSTANT = (FieldType.STRING, FieldType.ENUM, FieldType.BOOL, FieldType.INT32, FieldType.INT64)

Path = tuple[str, ...]


@dataclass(slots=True)
class _Leaf:
    """What the footer says of one field over some row groups.

    Attributes:
        path: As Parquet names it, `order_placed.lines.list.element.sku`.
        n_nulls: Per row group; -1: it does not say.
        n_values: Per row group.
        bounds: All least and greatest values; None stands for one that is not told.
    """

    path: str
    n_nulls: list[int] = field(default_factory=list)
    n_values: list[int] = field(default_factory=list)
    bounds: set[Any] = field(default_factory=set)

    @property
    def is_null(self) -> bool:
        """Return whether it is null throughout."""
        return self.n_nulls == self.n_values

    @property
    def constant(self) -> object | None:
        """Return its only value but null; None if there may be others."""
        if len(self.bounds) != 1:
            return None
        (value,) = self.bounds
        return None if isinstance(value, str) and len(value) > _MAX_TEXT else value


class Leaves:
    """The fields of some row groups: those to decode, and batches of them made whole.

    Args:
        file: The file.
        groups: The row groups that are read.
        columns: The columns wanted.
    """

    def __init__(self, file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str]) -> None:
        wanted = set(columns)
        self._schema = pa.schema([each for each in file.schema_arrow if each.name in wanted])
        self._leaves = _read_leaves(file, groups, wanted)
        self._constants: dict[Path, object] = {}
        self._repeated: dict[Path, pa.Array] = {}
        self.paths: list[str] = []
        for each in self._schema:
            self.paths += self._choose_column(each.name)

    def _choose_column(self, name: str) -> Iterator[str]:
        spec = KIND_SPECS.get(name)
        if spec is not None:
            return iter(self._choose_message((name,), spec))
        known = next((each for each in ENVELOPE_FIELDS if each.name == name), None)
        leaf = self._leaves[(name,)]
        if known is not None and self._is_constant((name,), known, 0):
            return iter(())
        return iter((leaf.path,))

    def _choose_message(self, path: Path, spec: MessageSpec, is_listed: bool = False) -> list[str]:
        """Return the leaves to decode of a message; none if it is nowhere."""
        below = {p: leaf for p, leaf in self._leaves.items() if p[: len(path)] == path}
        # Writers fill a message's fields with defaults: one that is there has a value, unless it
        # is a list's, where nothing but nulls may be an empty list, or has optional fields only.
        is_told = not is_listed and not all(each.is_nullable for each in spec.logged_fields)
        if is_told and all(leaf.is_null for leaf in below.values()):
            return []
        paths: list[str] = []
        fewest = min(sum(leaf.n_nulls) for leaf in below.values())
        for each in spec.logged_fields:
            own = (*path, each.name)
            if each.message is not None:
                paths += self._choose_message(own, each.message, each.is_repeated)
            elif not self._leaves[own].is_null and not self._is_constant(own, each, fewest):
                paths.append(self._leaves[own].path)
        if not paths:  # One must say where the message is.
            own = next(p for p, leaf in below.items() if sum(leaf.n_nulls) == fewest)
            self._constants.pop(own, None)
            paths.append(self._leaves[own].path)
        return paths

    def _is_constant(self, path: Path, spec: FieldSpec, n_absent: int) -> bool:
        """Return whether a field has one value wherever its message is; note the value."""
        leaf = self._leaves[path]
        value = leaf.constant
        if value is None or spec.is_nullable or spec.type not in _CONSTANT:
            return False
        if sum(leaf.n_nulls) != n_absent:
            return False
        self._constants[path] = value
        return True

    def fill(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of `paths` with all wanted columns, in the order of the schema."""
        given = {name: batch.column(name) for name in batch.schema.names}
        columns = [
            self._fill(given.get(each.name), each.type, (each.name,), batch.num_rows)
            for each in self._schema
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _fill(self, column: pa.Array | None, kind: pa.DataType, path: Path, n: int) -> pa.Array:
        if column is None:
            return self._repeat(path, kind, n)
        if column.type == kind:
            return column
        if pa.types.is_list(kind):
            items = self._fill(column.values, kind.value_type, path, len(column.values))
            buffers = column.buffers()[:2]
            return pa.ListArray.from_buffers(
                kind, len(column), buffers, column.null_count, column.offset, [items]
            )
        has = {each.name: place for place, each in enumerate(column.type)}
        children = [
            self._fill(
                column.field(has[each.name]) if each.name in has else None,
                each.type,
                (*path, each.name),
                len(column),
            )
            for each in kind
        ]
        mask = column.is_null() if column.null_count else None
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)

    def _repeat(self, path: Path, kind: pa.DataType, n: int) -> pa.Array:
        """Return a column of one value, or of nulls; the longest so far is kept and shared."""
        column = self._repeated.get(path)
        if column is None or len(column) < n:
            value = self._constants.get(path)
            column = pa.nulls(n, kind) if value is None else pa.repeat(pa.scalar(value, kind), n)
            self._repeated[path] = column
        return column.slice(0, n)


def _read_leaves(
    file: pq.ParquetFile, groups: Sequence[int], wanted: set[str]
) -> Mapping[Path, _Leaf]:
    """Return what the footer says of the wanted columns' fields; paths without list levels."""
    leaves: dict[Path, _Leaf] = {}
    places = []
    for place in range(len(file.schema)):
        full = file.schema.column(place).path
        path = tuple(name for name in full.split(".") if name not in _LIST_LEVELS)
        if path[0] in wanted:
            places.append((place, path))
            leaves[path] = _Leaf(full)
    for number in groups:
        group = file.metadata.row_group(number)
        for place, path in places:
            _add_chunk(leaves[path], group.column(place))
    return leaves


def _add_chunk(leaf: _Leaf, chunk: pq.ColumnChunkMetaData) -> None:
    known = chunk.statistics
    has_count = known is not None and known.has_null_count
    n_nulls = known.null_count if has_count else -1
    leaf.n_nulls.append(n_nulls)
    leaf.n_values.append(chunk.num_values)
    if n_nulls == chunk.num_values:
        return
    leaf.bounds |= {known.min, known.max} if known is not None and known.has_min_max else {None, 0}
