"""Where each field of an event goes, as arrays: what the compiled decoders look fields up in.

A node is a message at its place in an event: the event itself (node 0), each kind
(node = kind number), each sub-message of a kind, the order line. Names of
fields and of enum values are found by a hash without collisions and then compared
whole, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import int64_1d, welded
from features.hashing import add_u64, load_part, load_u64, mul_u64
from features.log.cells import (
    HEAD_DTYPE,
    KIND_FIELDS,
    KIND_NUMBER,
    LINE_FIELDS,
    CellField,
)
from features.log.schema import (
    ENVELOPE_FIELDS,
    EVENT_KINDS,
    EVENT_SPEC,
    KIND_SPECS,
    FieldSpec,
    FieldType,
)
from hemostat.v1 import event_pb2


class Op(IntEnum):
    """What a decoder does with a field's value."""

    SKIP = 0
    STRING = 1
    ID = 2
    """A string of the envelope, of bounded length."""
    INT = 3
    BOOL = 4
    ENUM = 5
    TIME = 6
    DOUBLE = 7
    CHANNEL = 8
    TEXT = 9
    EMBEDDING = 10
    EMBEDDER = 11
    MESSAGE = 12
    KIND = 13
    LINES = 14


class Column(IntEnum):
    """Columns of `Tables.fields`."""

    OP = 0
    CELL = 1
    """First cell, in the head's words (node 0), the kind's cells or the line's."""
    BIT = 2
    """Bit in `present`, -1 for none."""
    FLAG_CELL = 3
    """Cell of an order line that says it is present, -1 for none."""
    TABLE = 4
    """Name table of the enum's values; node of the message; number of the kind."""
    SEEN = 5
    """Its bit among the fields of its message, to notice a repetition."""
    GREATEST = 6
    """Greatest number of the enum, which run from 0, or of the integer's type."""


_GREATEST_INTS = {FieldType.INT32: 2**31 - 1, FieldType.INT64: 2**63 - 1}
N_SLOTS = 256
NAME_WORDS = 4
MAX_NAME_BYTES = 8 * NAME_WORDS
N_NUMBERS = 64

HEAD_WORDS = HEAD_DTYPE.itemsize // 8
_SCALAR_OPS = {
    FieldType.STRING: Op.STRING,
    FieldType.BOOL: Op.BOOL,
    FieldType.INT32: Op.INT,
    FieldType.INT64: Op.INT,
    FieldType.DOUBLE: Op.DOUBLE,
    FieldType.ENUM: Op.ENUM,
    FieldType.TIME: Op.TIME,
}
_REASON_OPS = {"text": Op.TEXT, "embedding": Op.EMBEDDING, "embedder": Op.EMBEDDER}
# Envelope field to the head's field that its cells start at.
_HEAD_FIELDS = {
    "event_id": "event_h1",
    "tenant": "tenant_h1",
    "customer_id": "customer_h1",
    "event_time": "event_time_us",
    "known_at": "known_at_us",
    "ingest_time": "ingest_us",
}


_EVENT_FIELDS = EVENT_SPEC.fields
_TEXT_SPEC = next(
    spec
    for kind in EVENT_KINDS
    for message in KIND_SPECS[kind].fields
    if message.message is not None and message.message.name == "Reason"
    for spec in message.message.fields
    if not spec.is_logged
)


class Tables(NamedTuple):
    """All that the decoders look up; made once from the protos.

    Attributes:
        fields: Shape `(n_fields, len(Column))`, int64.
        slots: Shape `(n_tables, N_SLOTS)`, int64: index of a name, -1 for none. Table `k`
            holds the field names of node `k`; the enums' tables follow.
        multipliers: Shape `(n_tables, NAME_WORDS)`, uint64: of each table's hash.
        names: Shape `(n_names, NAME_WORDS + 1)`, uint64: bytes of a name, and its length.
        values: Shape `(n_names,)`, int64: what a name stands for, a field or an enum number.
        numbers: Shape `(n_nodes, N_NUMBERS)`, int64: field by its proto number, -1 for none.
    """

    fields: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int64]
    multipliers: npt.NDArray[np.uint64]
    names: npt.NDArray[np.uint64]
    values: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]


_int64_2d = numba.types.Array(numba.int64, 2, "C")
_uint64_2d = numba.types.Array(numba.uint64, 2, "C")
TABLES_TYPE = numba.types.NamedTuple(
    [_int64_2d, _int64_2d, _uint64_2d, _uint64_2d, int64_1d, _int64_2d], Tables
)
"""Numba's type of `Tables`."""


def to_name_words(name: str) -> list[int]:
    """Return a name as `Tables.names` holds it."""
    encoded = name.encode()
    if len(encoded) > MAX_NAME_BYTES:
        raise TypeError(f"{name}: names have at most {MAX_NAME_BYTES} bytes")
    padded = encoded.ljust(MAX_NAME_BYTES, b"\0")
    words = [int.from_bytes(padded[i : i + 8], "little") for i in range(0, MAX_NAME_BYTES, 8)]
    return [*words, len(encoded)]


def _compute_slot(words: Sequence[int], multipliers: Sequence[int]) -> int:
    mixed = words[NAME_WORDS] + sum(a * b for a, b in zip(words, multipliers, strict=False))
    return (mixed & ((1 << 64) - 1)) >> 56


def _find_multipliers(names: Sequence[Sequence[int]]) -> list[int]:
    """Return odd multipliers under which no two names share a slot."""
    rng = np.random.default_rng(0)
    for _ in range(100_000):
        drawn = rng.integers(0, 1 << 63, NAME_WORDS, np.uint64).tolist()
        multipliers = [2 * number + 1 for number in drawn]
        if len({_compute_slot(words, multipliers) for words in names}) == len(names):
            return multipliers
    raise TypeError(f"no hash without collisions for {len(names)} names")


@dataclass
class _Builder:
    """Gathers the tables' rows."""

    fields: list[list[int]] = field(default_factory=list)
    tables: list[dict[str, int]] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    enums: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add_node(self) -> int:
        """Return the number of a new node."""
        self.tables.append({})
        self.numbers.append([-1] * N_NUMBERS)
        return len(self.tables) - 1

    def add_field(self, node: int, spec: FieldSpec, number: int, row: dict[Column, int]) -> None:
        """Add one field of a node."""
        entry = dict.fromkeys(Column, -1) | {Column.SEEN: len(self.tables[node])} | row
        if spec.enum_numbers is not None:
            values = list(spec.enum_numbers.values())
            if sorted(values) != list(range(len(values))):
                raise TypeError(f"{spec.name}: enum numbers must run from 0 without gaps")
            key = tuple(spec.enum_numbers)
            entry[Column.TABLE] = self.enums.setdefault(key, len(self.enums))
            entry[Column.GREATEST] = max(values)
        elif spec.type in _GREATEST_INTS:
            entry[Column.GREATEST] = _GREATEST_INTS[spec.type]
        self.tables[node][spec.name] = self.numbers[node][number] = len(self.fields)
        self.fields.append([entry[column] for column in Column])

    def build(self) -> Tables:
        """Return the tables; enums get theirs behind the nodes'."""
        n_nodes = len(self.tables)
        is_enum = np.isin([row[Column.OP] for row in self.fields], [Op.ENUM, Op.CHANNEL])
        fields = np.array(self.fields, np.int64)
        fields[is_enum, Column.TABLE] += n_nodes
        enums = [{name: number for number, name in enumerate(key)} for key in self.enums]
        tables = [*self.tables, *enums]
        slots = np.full((len(tables), N_SLOTS), -1, np.int64)
        multipliers: list[list[int]] = []
        names: list[list[int]] = []
        values: list[int] = []
        for index, table in enumerate(tables):
            words = [to_name_words(name) for name in table]
            multipliers.append(_find_multipliers(words))
            for name_words, value in zip(words, table.values(), strict=True):
                slots[index, _compute_slot(name_words, multipliers[-1])] = len(names)
                names.append(name_words)
                values.append(value)
        return Tables(
            fields,
            slots,
            np.array(multipliers, np.uint64),
            np.array(names, np.uint64),
            np.array(values, np.int64),
            np.array(self.numbers, np.int64),
        )


def _add_envelope(builder: _Builder) -> None:
    descriptor: Any = event_pb2.Event.DESCRIPTOR
    numbers = {f.name: f.number for f in descriptor.fields}
    node = builder.add_node()
    for spec in ENVELOPE_FIELDS:
        if spec.name == "channel":
            row = {Column.OP: int(Op.CHANNEL)}
        else:
            head_field = HEAD_DTYPE.fields[_HEAD_FIELDS[spec.name]]  # type: ignore[index]
            op = Op.ID if spec.type is FieldType.STRING else _SCALAR_OPS[spec.type]
            row = {Column.OP: int(op), Column.CELL: head_field[1] // 8}
        builder.add_field(node, spec, numbers[spec.name], row)
    for kind in EVENT_KINDS:
        row = {Column.OP: int(Op.KIND), Column.TABLE: KIND_NUMBER[kind]}
        spec = next(f for f in _EVENT_FIELDS if f.name == kind)
        builder.add_field(node, spec, numbers[kind], row)


def _add_message(
    builder: _Builder, node: int, descriptor: Any, kind: str, prefix: str,
    places: dict[str, CellField],
) -> None:  # fmt: skip
    """Add the fields of a kind's message or of a sub-message, and the nodes below."""
    for proto in descriptor.fields:
        place = places.get(prefix + proto.name)
        spec = place.spec if place else _TEXT_SPEC
        op = _REASON_OPS.get(proto.name) if descriptor.name == "Reason" else None
        row: dict[Column, int] = {}
        if place is not None:
            row = {Column.CELL: place.cell, Column.BIT: place.bit}
        if spec.is_repeated:
            op, row[Column.TABLE] = Op.LINES, builder.add_node()
            _add_lines(builder, row[Column.TABLE], proto.message_type)
        elif spec.message is not None:
            op, row[Column.TABLE] = Op.MESSAGE, builder.add_node()
            child = f"{prefix}{proto.name}."
            _add_message(builder, row[Column.TABLE], proto.message_type, kind, child, places)
        row[Column.OP] = int(_SCALAR_OPS[spec.type] if op is None else op)
        builder.add_field(node, spec, proto.number, row)


def _add_lines(builder: _Builder, node: int, descriptor: Any) -> None:
    places = {place.path: place for place in LINE_FIELDS}
    for proto in descriptor.fields:
        place = places[proto.name]
        row = {
            Column.OP: int(_SCALAR_OPS[place.spec.type]),
            Column.CELL: place.cell,
            Column.FLAG_CELL: place.bit,
        }
        builder.add_field(node, place.spec, proto.number, row)


def _build_tables() -> Tables:
    builder = _Builder()
    _add_envelope(builder)
    for _ in EVENT_KINDS:
        builder.add_node()
    fields_by_name: Any = event_pb2.Event.DESCRIPTOR.fields_by_name
    for kind in EVENT_KINDS:
        places = {place.path: place for place in KIND_FIELDS[kind]}
        message = fields_by_name[kind].message_type
        _add_message(builder, KIND_NUMBER[kind], message, kind, "", places)
    return builder.build()


@welded
def find_name(buffer: Any, start: int, end: int, tables: Any, table: int) -> int:
    """Return what a name in the buffer stands for in a table, -1 if it is none of its names."""
    size = end - start
    if size > MAX_NAME_BYTES or size == 0:
        return -1
    w0 = w1 = w2 = w3 = np.uint64(0)
    if size <= 8:
        w0 = load_part(buffer, start, size) if size < 8 else load_u64(buffer, start)
    else:
        w0 = load_u64(buffer, start)
        if size <= 16:
            w1 = load_u64(buffer, end - 8) >> np.uint64(8 * (16 - size))
        else:
            w1 = load_u64(buffer, start + 8)
            if size <= 24:
                w2 = load_u64(buffer, end - 8) >> np.uint64(8 * (24 - size))
            else:
                w2 = load_u64(buffer, start + 16)
                w3 = load_u64(buffer, end - 8) >> np.uint64(8 * (32 - size))
    multipliers = tables.multipliers
    mixed = add_u64(np.uint64(size), mul_u64(w0, multipliers[table, 0]))
    mixed = add_u64(mixed, mul_u64(w1, multipliers[table, 1]))
    mixed = add_u64(mixed, mul_u64(w2, multipliers[table, 2]))
    mixed = add_u64(mixed, mul_u64(w3, multipliers[table, 3]))
    place = tables.slots[table, np.int64(mixed >> np.uint64(56))]
    if place < 0:
        return -1
    names = tables.names
    is_same = names[place, 0] == w0 and names[place, 1] == w1 and names[place, 2] == w2
    if is_same and names[place, 3] == w3 and names[place, 4] == np.uint64(size):
        return int(tables.values[place])
    return -1


TABLES = _build_tables()

LINES_NODE = int(TABLES.fields[TABLES.fields[:, Column.OP] == Op.LINES, Column.TABLE][0])
"""Node of the order line."""
