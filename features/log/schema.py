"""The columns of an event, derived from the `Event` proto descriptor.

The protos are the single truth: a field added there stands in the Arrow schema,
in the decoding structs and in the JSON without a second edit. Rules of the
mapping: enums are their proto names (strings), `Timestamp` is
`timestamp[us, UTC]`, bytes are binary, repeated messages are lists of structs,
sub-messages and proto `optional` scalars are nullable, every other scalar has
its proto default (0, "", false, the enum's zero name). Fields of `NOT_LOGGED`
have no column at all, so raw text cannot reach a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from hemostat.v1 import event_pb2

NOT_LOGGED = frozenset({"hemostat.v1.Reason.text"})
"""Proto fields without a column: a source may carry them, a log never does."""

KIND_COLUMN = "kind"
"""Column naming the event's kind; null when the event has none."""

MALFORMED_COLUMN = "malformed"
"""Extra column of a batch read from JSONL with malformed lines; see `reader`."""

FAULT_FIELDS = ("message", "field", "value", "expectation", "fix")
MALFORMED_TYPE: pa.DataType = pa.struct([(name, pa.string()) for name in FAULT_FIELDS])
"""What is wrong with a malformed line; null for a good one."""

TIME_TYPE: pa.DataType = pa.timestamp("us", tz="UTC")
_TIMESTAMP = "google.protobuf.Timestamp"


class FieldType(StrEnum):
    """What a field holds, whatever its wire encoding."""

    STRING = "string"
    BYTES = "bytes"
    BOOL = "bool"
    INT32 = "int32"
    INT64 = "int64"
    DOUBLE = "double"
    ENUM = "enum"
    TIME = "time"
    MESSAGE = "message"


_SCALARS: dict[int, tuple[FieldType, pa.DataType, Any]] = {
    FieldDescriptor.TYPE_STRING: (FieldType.STRING, pa.string(), ""),
    FieldDescriptor.TYPE_BYTES: (FieldType.BYTES, pa.binary(), b""),
    FieldDescriptor.TYPE_BOOL: (FieldType.BOOL, pa.bool_(), False),
    FieldDescriptor.TYPE_INT32: (FieldType.INT32, pa.int32(), 0),
    FieldDescriptor.TYPE_INT64: (FieldType.INT64, pa.int64(), 0),
    FieldDescriptor.TYPE_DOUBLE: (FieldType.DOUBLE, pa.float64(), 0.0),
}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a message.

    Attributes:
        name: Proto field name; also the column's and the JSON member's name.
        type: What it holds.
        arrow_type: Its column type (of the whole list if repeated).
        is_repeated: A list of messages.
        is_nullable: Null means absent; otherwise null never stands in a log.
        is_logged: It has a column.
        default: Proto default of a plain scalar; None if nullable or repeated.
        message: Spec of the (element) message, or None.
        enum_numbers: Enum name to number, or None.
    """

    name: str
    type: FieldType
    arrow_type: pa.DataType
    is_repeated: bool
    is_nullable: bool
    is_logged: bool
    default: Any
    message: MessageSpec | None
    enum_numbers: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One message: its short name and its fields in proto order."""

    name: str
    fields: tuple[FieldSpec, ...]

    @property
    def logged_fields(self) -> tuple[FieldSpec, ...]:
        """Return the fields that have a column."""
        return tuple(field for field in self.fields if field.is_logged)

    @property
    def arrow_type(self) -> pa.DataType:
        """Return the struct type of this message's column."""
        return pa.struct([(field.name, field.arrow_type) for field in self.logged_fields])


def _build_enum(descriptor: EnumDescriptor) -> dict[str, int]:
    """Return the enum's names in proto order with their numbers."""
    return {value.name: value.number for value in descriptor.values}


def _build_field(field: FieldDescriptor) -> FieldSpec:
    """Return the spec of one proto field; a type that no column exists for crashes."""
    message: MessageSpec | None = None
    numbers: dict[str, int] | None = None
    default: Any = None
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            kind, arrow_type = FieldType.TIME, TIME_TYPE
        else:
            message = _build_message(field.message_type)
            kind, arrow_type = FieldType.MESSAGE, message.arrow_type
    elif field.enum_type is not None:
        numbers = _build_enum(field.enum_type)
        kind, arrow_type, default = FieldType.ENUM, pa.string(), next(iter(numbers))
    elif field.type in _SCALARS:
        kind, arrow_type, default = _SCALARS[field.type]
    else:
        raise TypeError(f"{field.full_name}: no column type for proto type {field.type}")
    if field.is_repeated:
        if kind is not FieldType.MESSAGE:
            raise TypeError(f"{field.full_name}: only messages may be repeated in an event")
        arrow_type = pa.list_(arrow_type)
    is_nullable = field.has_presence and not field.is_repeated
    return FieldSpec(
        name=field.name,
        type=kind,
        arrow_type=arrow_type,
        is_repeated=field.is_repeated,
        is_nullable=is_nullable,
        is_logged=field.full_name not in NOT_LOGGED,
        default=None if is_nullable else default,
        message=message,
        enum_numbers=numbers,
    )


def _build_message(descriptor: Descriptor) -> MessageSpec:
    """Return the spec of a proto message and of all below it."""
    return MessageSpec(descriptor.name, tuple(_build_field(f) for f in descriptor.fields))


_DESCRIPTOR: Descriptor = event_pb2.Event.DESCRIPTOR  # type: ignore[assignment]

EVENT_SPEC = _build_message(_DESCRIPTOR)
"""The `Event` message."""

EVENT_KINDS: tuple[str, ...] = tuple(f.name for f in _DESCRIPTOR.oneofs_by_name["kind"].fields)
"""Names of the event's oneof fields (`order_placed`, ...), in proto order."""

ENVELOPE_FIELDS: tuple[FieldSpec, ...] = tuple(
    field for field in EVENT_SPEC.fields if field.name not in EVENT_KINDS
)
"""What every event has: ids, times, channel."""

KIND_SPECS: Mapping[str, MessageSpec] = {
    field.name: field.message
    for field in EVENT_SPEC.fields
    if field.name in EVENT_KINDS and field.message is not None
}
"""Kind name to the message that it carries."""

KIND_TYPE: pa.DataType = pa.dictionary(pa.int32(), pa.string())

EVENT_SCHEMA: pa.Schema = pa.schema(
    [
        *((field.name, field.arrow_type) for field in ENVELOPE_FIELDS),
        (KIND_COLUMN, KIND_TYPE),
        *((kind, KIND_SPECS[kind].arrow_type) for kind in EVENT_KINDS),
    ]
)
"""Columns of the event log: envelope, `kind`, then one nullable struct per kind."""


def build_empty_table() -> pa.Table:
    """Return a table of the event schema without rows."""
    return EVENT_SCHEMA.empty_table()
