"""Random events of every kind with few different values, so that what rows compare does meet."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st

from features.embedding import DIM, EMBEDDER, embed_text
from features.log.jsonl import EventDecoder
from features.log.schema import EVENT_KINDS
from hemostat.v1 import event_pb2
from tests.features.log.event_strategies import set_time, to_line

T0_US = 1_772_366_400_000_000
_DAY_US = 86_400_000_000
_EMBEDDINGS = st.sampled_from([b"", bytes(DIM), embed_text("too small").tobytes()])
_STRINGS = st.sampled_from(["", "a", "b", "尺码"])
_INTS = st.sampled_from([0, 1, 2, 3, 30, 700, 86_400])
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: _STRINGS,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: _INTS,
    FieldDescriptor.TYPE_INT64: _INTS,
    FieldDescriptor.TYPE_DOUBLE: st.sampled_from([0.0, 0.25, 1.0]),
}
_MOMENTS = st.integers(-40 * _DAY_US, 1_000_000).map(lambda us: T0_US + us)


def _fill_reason(draw: st.DrawFn, reason: Any) -> None:
    reason.code = draw(st.sampled_from([0, 4, 8]))
    reason.embedding = draw(_EMBEDDINGS)
    reason.embedder = EMBEDDER if reason.embedding else ""
    if draw(st.booleans()):
        reason.sentiment = draw(st.sampled_from([-100, 0, 40]))


def _fill(draw: st.DrawFn, message: Any) -> None:
    if message.DESCRIPTOR.name == "Reason":
        _fill_reason(draw, message)
        return
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.name == "Timestamp":
            if draw(st.booleans()):
                set_time(getattr(message, field.name), draw(_MOMENTS))
        elif field.is_repeated:
            for _ in range(draw(st.integers(0, 4))):
                _fill(draw, getattr(message, field.name).add())
        elif field.message_type is not None:
            if draw(st.booleans()):
                getattr(message, field.name).SetInParent()
                _fill(draw, getattr(message, field.name))
        elif not field.has_presence or draw(st.booleans()):
            numbers = [value.number for value in field.enum_type.values] if field.enum_type else []
            values = st.sampled_from(numbers) if numbers else _SCALARS[field.type]
            setattr(message, field.name, draw(values))


@st.composite
def row_events(draw: st.DrawFn) -> event_pb2.Event:
    """An event of any kind, as a log keeps it."""
    event = event_pb2.Event(
        event_id=draw(st.sampled_from(["e1", "e2", "e3"])),
        tenant=draw(st.sampled_from(["demo", "other"])),
        customer_id=draw(st.sampled_from(["", "c1", "c2"])),
        channel=draw(st.sampled_from(["CHANNEL_UNSPECIFIED", "CHANNEL_WEB", "CHANNEL_STORE"])),
    )
    set_time(event.event_time, T0_US + draw(st.integers(-(10**9), 10**9)))
    set_time(event.ingest_time, T0_US + draw(st.integers(0, 10**9)))
    often = ["order_placed", "return_requested", "cancel_requested", "label_set"]
    payload = getattr(event, draw(st.sampled_from([*EVENT_KINDS, *often, *often])))
    payload.SetInParent()
    _fill(draw, payload)
    return event


def to_batch(events: list[event_pb2.Event]) -> pa.RecordBatch:
    """Return events as a log's batch."""
    return EventDecoder().decode_lines([to_line(event) for event in events]).batch
