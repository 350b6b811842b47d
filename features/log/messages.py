"""Serialized `hemostat.v1.Event` messages to columns: the careful way, which names a fault.

For what need not be fast (checks of doubtful events, archives) and for what must
be told to a person. Stricter than protobuf: a field or kind that this version does
not know is a fault, since dropping it would change what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import repeat
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from features.embedding import EMBEDDERS, Embedder
from features.errors import InvalidEventError
from features.log.assemble import (
    MICROSECOND_MAX,
    MICROSECOND_MIN,
    ColumnValueError,
    build_batch,
)
from features.log.json_walk import UNKNOWN_KIND, walk_event
from features.log.jsonl import DecodedLines, ParsedEvents
from features.log.schema import EVENT_SPEC, FieldSpec, FieldType, MessageSpec
from features.log.structs import STRUCTS
from hemostat.v1 import event_pb2

_EVENT = STRUCTS["Event"]
_SECOND_NS = 1_000_000_000
_LEAST_SECOND = MICROSECOND_MIN // 1_000_000
_LAST_SECOND = MICROSECOND_MAX // 1_000_000


def decode_messages_carefully(
    messages: Sequence[bytes], embedders: Sequence[Embedder] = EMBEDDERS
) -> DecodedLines:
    """Return messages as columns, malformed ones on the side.

    Texts are embedded and dropped, absent ingest times stay null. An empty message
    (an erased event) is a row without anything.

    Args:
        messages: Serialized events.
        embedders: All that events may name; a text is embedded by the one in force.
    """
    parsed = parse_messages(messages)
    try:
        return DecodedLines(build_batch(parsed.events, embedders), parsed.malformed)
    except ColumnValueError:
        parsed = refuse_misfits(messages, parsed)
        return DecodedLines(build_batch(parsed.events, embedders), parsed.malformed)


def parse_messages(
    messages: Sequence[bytes], default_ingest_us: Sequence[int] | None = None
) -> ParsedEvents:
    """Return what messages say; a value may still not fit its column, see `refuse_misfits`.

    Args:
        messages: Serialized events.
        default_ingest_us: Ingest time of events that say none, microseconds; 0: left out.
    """
    times = repeat(0) if default_ingest_us is None else default_ingest_us
    events: list[Any] = []
    malformed: list[tuple[int, InvalidEventError]] = []
    for place, (message, time_us) in enumerate(zip(messages, times, strict=False)):
        try:
            event = _to_struct(_parse(message), EVENT_SPEC)
        except InvalidEventError as error:
            error.__traceback__ = error.__context__ = None  # As in `jsonl`: no cycles.
            malformed.append((place, error))
            events.append(_EVENT())
            continue
        if event.ingest_time is None and time_us:
            event.ingest_time = time_us
        events.append(event)
    return ParsedEvents(events, tuple(malformed))


def refuse_misfits(messages: Sequence[bytes], parsed: ParsedEvents) -> ParsedEvents:
    """Return the same without events whose values pass the protobuf types, not their columns."""
    events, malformed = list(parsed.events), dict(parsed.malformed)
    for place, message in enumerate(messages):
        if place not in malformed and (fault := _find_fault(message)):
            malformed[place] = fault
            events[place] = _EVENT()
    return ParsedEvents(events, tuple(sorted(malformed.items())))


def _parse(message: bytes) -> event_pb2.Event:
    try:
        event = event_pb2.Event.FromString(message)
    except DecodeError:
        raise InvalidEventError(
            "the message is no event",
            value=f"a message of {len(message)} bytes",
            expectation="one serialized hemostat.v1.Event",
            fix="serialize the events with protos/hemostat/v1",
        ) from None
    if len(unknown := UnknownFieldSet(event)):
        raise InvalidEventError(
            UNKNOWN_KIND,
            field="kind",
            value=f"field number {unknown[0].field_number}",
            expectation="a kind of this version's hemostat.v1.Event",
            fix="update hemostat, or leave these events out",
        )
    return event


def _to_struct(message: Message, spec: MessageSpec) -> Any:
    """Return the struct of a message; what is not set is left out."""
    fields = _index_fields(spec.name)
    values = {
        descriptor.name: _convert(value, fields[descriptor.name])
        for descriptor, value in message.ListFields()
    }
    return STRUCTS[spec.name](**values)


def _convert(value: Any, field: FieldSpec) -> Any:
    if field.message is not None:
        convert: Callable[[Any], Any] = _make_converter(field.message)
        return [convert(one) for one in value] if field.is_repeated else convert(value)
    return _to_microseconds(value, field.name) if field.type is FieldType.TIME else value


def _to_microseconds(time: Timestamp, name: str) -> int:
    """Return a time, finer digits cut; protobuf reads any numbers as one."""
    is_sound = 0 <= time.nanos < _SECOND_NS
    if is_sound and _LEAST_SECOND <= time.seconds <= _LAST_SECOND:
        return time.seconds * 1_000_000 + time.nanos // 1_000
    raise InvalidEventError(
        "not a time",
        field=name,
        value=f"{time.seconds} s and {time.nanos} ns",
        expectation="a google.protobuf.Timestamp from the year 1 to 9999, nanos from 0 to 10^9 - 1",
        fix="set it with the protobuf library's own conversions",
    )


def _make_converter(spec: MessageSpec) -> Callable[[Any], Any]:
    def convert(message: Message) -> Any:
        if len(unknown := UnknownFieldSet(message)):
            raise InvalidEventError(
                "a message has a field that this version does not know",
                field=spec.name,
                value=f"field number {unknown[0].field_number}",
                expectation=f"the fields of this version's {spec.name}",
                fix="update hemostat, or leave the field out",
            )
        return _to_struct(message, spec)

    return convert


@cache
def _index_specs() -> dict[str, dict[str, FieldSpec]]:
    """Return each message's fields by name."""
    found: dict[str, dict[str, FieldSpec]] = {}

    def add(spec: MessageSpec) -> None:
        found[spec.name] = {field.name: field for field in spec.fields}
        for field in spec.fields:
            if field.message is not None:
                add(field.message)

    add(EVENT_SPEC)
    return found


def _index_fields(name: str) -> dict[str, FieldSpec]:
    return _index_specs()[name]


def _find_fault(message: bytes) -> InvalidEventError | None:
    """Return what is wrong with one message that has no place in the columns."""
    event = event_pb2.Event.FromString(message)
    try:
        build_batch([_to_struct(event, EVENT_SPEC)])
    except ColumnValueError as reason:
        try:
            walk_event(MessageToDict(event, preserving_proto_field_name=True))
        except InvalidEventError as fault:
            return fault
        except ValueError:  # A Timestamp that has no JSON form.
            pass
        return InvalidEventError(
            "a value of the event is out of range",
            value=str(reason).partition(":")[0],
            expectation="values that the event's fields can hold",
            fix="check the times (years 1 to 9999) and numbers of the event",
        )
    return None
