"""What becomes of an event before it is appended: texts embedded, checked, placed.

Checks are those of every decoder of the log, so that nothing is acknowledged here
that the stream would refuse. Raw text ends here: what is appended has the embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from features.attributes import check_attributes, read_attributes
from features.embedding import embed_texts, embedder_at
from features.entities import Entity
from features.erasures import Erasures
from features.errors import InvalidRequestError
from features.keys import compute_entity_key, compute_event_key
from features.log.embedded_appender import compute_partition
from hemostat.v1 import common_pb2, event_pb2
from hemostat.v1 import scoring_pb2 as pb

MAX_EVENTS = 1000
MAX_EVENT_BYTES = 256 << 10

EventCheck = Callable[[Sequence[bytes], int], dict[int, pb.EventError]]
"""Serialized events and the time they come in, to the error of each wrong one by its place."""

_REASON = common_pb2.Reason.DESCRIPTOR.full_name
_GUEST = b""
_KINDS_WITH_ATTRIBUTES = frozenset({"order_placed", "cancel_requested", "return_requested"})


def _find_reason_fields() -> dict[str, tuple[str, ...]]:
    """Return the names of each kind's `Reason` fields, for kinds that have one."""
    descriptor: Descriptor = event_pb2.Event.DESCRIPTOR  # type: ignore[assignment]
    found = {}
    for kind in descriptor.oneofs_by_name["kind"].fields:
        fact: Descriptor = kind.message_type  # type: ignore[assignment]
        names = [
            field.name
            for field in fact.fields
            if field.message_type is not None and field.message_type.full_name == _REASON
        ]
        if names:
            found[kind.name] = tuple(names)
    return found


_REASON_FIELDS = _find_reason_fields()


@dataclass(frozen=True, slots=True)
class Intake:
    """Some events, ready to be appended.

    Attributes:
        results: One per event; those that are to be appended are not filled yet.
        places: Which of them are to be appended.
        messages: These, serialized.
        partitions: The partition of each of these.
    """

    results: list[pb.PublishResult]
    places: list[int]
    messages: list[bytes]
    partitions: list[int]


def check_count(events: Sequence[event_pb2.Event]) -> None:
    """Refuse a request with too many events.

    Raises:
        InvalidRequestError: There are more than `MAX_EVENTS`.
    """
    if len(events) > MAX_EVENTS:
        raise InvalidRequestError(
            "the request has too many events",
            field="events",
            value=str(len(events)),
            expectation=f"at most {MAX_EVENTS}",
            fix="send several requests",
        )


def take_in(
    events: Sequence[event_pb2.Event],
    *,
    now_us: int,
    n_partitions: int,
    erasures: Erasures,
    check: EventCheck,
) -> Intake:
    """Return what is to be appended of these events, and the results of the others.

    Args:
        events: As they came; their texts are replaced, their own fields put in order and their
            ingest times dropped.
        now_us: When they came in, microseconds UTC.
        n_partitions: Of the log.
        erasures: Erased customers: what happened up to the erasure is not taken in again.
        check: Finds what is wrong.
    """
    _replace_texts(events, now_us)
    wrong_attributes = _settle_attributes(events)
    messages = []
    for event in events:
        event.ClearField("ingest_time")
        messages.append(event.SerializeToString())
    errors = {
        place: _describe_size(message)
        for place, message in enumerate(messages)
        if len(message) > MAX_EVENT_BYTES
    }
    errors.update(wrong_attributes)
    fitting = [place for place in range(len(events)) if place not in errors]
    found = check([messages[place] for place in fitting], now_us)
    errors.update((fitting[number], error) for number, error in found.items())
    keys = [_compute_customer_key(event) for event in events]
    is_erased = _find_erased(events, keys, erasures)
    intake = Intake([], [], [], [])
    for place, event in enumerate(events):
        result = pb.PublishResult()
        intake.results.append(result)
        if error := errors.get(place):
            result.status = pb.PUBLISH_STATUS_REJECTED
            result.error.CopyFrom(error)
        elif is_erased[place]:
            result.status = pb.PUBLISH_STATUS_ERASED
        else:
            event_key = compute_event_key(event.tenant, event.event_id)
            intake.places.append(place)
            intake.messages.append(messages[place])
            intake.partitions.append(
                compute_partition(keys[place] or None, event_key, n_partitions)
            )
    return intake


def _compute_customer_key(event: event_pb2.Event) -> bytes:
    if not event.customer_id:
        return _GUEST
    return compute_entity_key(event.tenant, Entity.CUSTOMER, event.customer_id)


def _find_erased(
    events: Sequence[event_pb2.Event], keys: Sequence[bytes], erasures: Erasures
) -> Sequence[bool]:
    """Return which events happened before their customer was erased.

    By the event's own time: it comes in only now, but what it tells was to be forgotten.
    """
    if not len(erasures):
        return [False] * len(events)
    joined = b"".join(key or bytes(16) for key in keys)
    times = [event.event_time.ToMicroseconds() for event in events]
    found: list[bool] = erasures.find_erased(
        np.frombuffer(joined, np.uint8).reshape(-1, 16), np.array(times, np.int64)
    ).tolist()
    return found


def _replace_texts(events: Sequence[event_pb2.Event], now_us: int) -> None:
    """Put the embedding in the place of every raw text."""
    reasons = [reason for event in events for reason in _iterate_reasons(event) if reason.text]
    if not reasons:
        return
    embedder = embedder_at(now_us)
    vectors = embed_texts([reason.text for reason in reasons], embedder)
    for reason, vector in zip(reasons, vectors, strict=True):
        reason.ClearField("text")
        reason.embedding = vector.tobytes()
        reason.embedder = embedder.name


def _iterate_reasons(event: event_pb2.Event) -> Iterator[common_pb2.Reason]:
    kind = event.WhichOneof("kind")
    for name in _REASON_FIELDS.get(kind or "", ()):
        fact: Message = getattr(event, kind or "")
        if fact.HasField(name):
            yield getattr(fact, name)


def _settle_attributes(events: Sequence[event_pb2.Event]) -> dict[int, pb.EventError]:
    """Put the events' own fields in order; return errors of those that cannot be used, by place.

    The log's readers see hashes of strings only; here the text is at hand. Names are sorted and
    blanks dropped: told again in another order, an event would contradict itself.
    """
    errors = {}
    for place, event in enumerate(events):
        kind = event.WhichOneof("kind")
        if kind not in _KINDS_WITH_ATTRIBUTES:
            continue
        told = getattr(event, kind)
        for name in ("attributes", "customer_attributes"):
            text = getattr(told, name)
            if not text:
                continue
            try:
                check_attributes(text, f"{kind}.{name}")
            except InvalidRequestError as error:
                errors[place] = pb.EventError(
                    reason="bad_value",
                    field=error.field,
                    value=error.value,
                    expectation=error.expectation,
                    fix=error.fix,
                )
                break
            found = read_attributes(text)
            ordered = msgspec.json.encode(found, order="sorted").decode() if found else ""
            setattr(told, name, ordered)
    return errors


def _describe_size(message: bytes) -> pb.EventError:
    return pb.EventError(
        reason="malformed",
        field="",
        value=f"{len(message)} bytes",
        expectation=f"at most {MAX_EVENT_BYTES} bytes",
        fix="split the event",
    )
