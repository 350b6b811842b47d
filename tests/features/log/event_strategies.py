"""Random `hemostat.v1.Event` messages, made from the descriptors, and what a log keeps of them."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from features.embedding import EMBEDDER, embed_text
from features.log.schema import EVENT_KINDS
from hemostat.v1 import event_pb2

LAW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How laws are tested: by count, not by time, since machines are shared."""

_TIMES_US = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: _TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=70),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
}


def set_time(timestamp: Any, time_us: int) -> None:
    """Set a proto Timestamp from microseconds."""
    timestamp.seconds, rest = divmod(time_us, 1_000_000)
    timestamp.nanos = rest * 1_000


def _fill(draw: st.DrawFn, message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.name in EVENT_KINDS or not draw(st.booleans()):
            continue
        if field.message_type is None:
            numbers = (
                st.sampled_from([value.number for value in field.enum_type.values])
                if field.enum_type
                else _SCALARS[field.type]
            )
            setattr(message, field.name, draw(numbers))
        elif field.message_type.full_name == "google.protobuf.Timestamp":
            set_time(getattr(message, field.name), draw(_TIMES_US))
        elif field.is_repeated:
            for _ in range(draw(st.integers(0, 3))):
                _fill(draw, getattr(message, field.name).add())
        else:
            getattr(message, field.name).SetInParent()
            _fill(draw, getattr(message, field.name))


@st.composite
def events(draw: st.DrawFn) -> event_pb2.Event:
    """Any event that the protos can say, in whole microseconds; sometimes without kind."""
    event = event_pb2.Event()
    _fill(draw, event)
    kind = draw(st.sampled_from([None, *EVENT_KINDS, "order_placed", "return_requested"]))
    if kind is not None:
        getattr(event, kind).SetInParent()
        _fill(draw, getattr(event, kind))
    return event


def to_line(event: event_pb2.Event) -> bytes:
    """Return the event as protobuf's own JSON, on one line."""
    text = MessageToJson(event, preserving_proto_field_name=True, indent=None)
    return text.encode()


def without_text(event: event_pb2.Event) -> event_pb2.Event:
    """Return the event as a log keeps it: each reason's text replaced by its embedding."""
    kept = event_pb2.Event()
    kept.CopyFrom(event)
    kind = kept.WhichOneof("kind")
    payload = getattr(kept, kind) if kind else None
    for name in ("reason", "message", "review"):
        if payload is not None and name in payload.DESCRIPTOR.fields_by_name:
            reason = getattr(payload, name)
            if reason.text:
                reason.embedding = embed_text(reason.text).tobytes()
                reason.embedder = EMBEDDER
                reason.text = ""
    return kept
