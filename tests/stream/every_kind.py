"""Random events of every kind, with few different ids, so that all entities get many."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from features.log.schema import EVENT_KINDS
from hemostat.v1 import event_pb2
from tests.features.log.event_strategies import set_time

DAY_US = 86_400_000_000
START_US = 20_000 * DAY_US
"""2024-10-04."""

_INTEGERS = (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64)
_TEXTS = ("size too small", "尺码偏小", "changed my mind", "")


def draw_events(
    rng: random.Random, n_events: int, days: int, n_customers: int = 4
) -> list[event_pb2.Event]:
    """Return events of all kinds in turn, spread over some days, without ingest time."""
    customers = ["", *(f"c{number}" for number in range(n_customers))]
    return [
        _draw(rng, EVENT_KINDS[number % len(EVENT_KINDS)], f"e{number}", customers, days)
        for number in range(n_events)
    ]


def _draw(
    rng: random.Random, kind: str, event_id: str, customers: list[str], days: int
) -> event_pb2.Event:
    event = event_pb2.Event(event_id=event_id, tenant="demo", channel=rng.choice([1, 2, 3]))  # type: ignore[arg-type]
    event.customer_id = rng.choice(customers)
    time_us = START_US + rng.randrange(days * DAY_US)
    set_time(event.event_time, time_us)
    body = getattr(event, kind)
    body.SetInParent()
    _fill(rng, body, time_us)
    return event


def _fill(rng: random.Random, message: Any, time_us: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None:
            value = _draw_scalar(rng, field)
            if value is not None:
                setattr(message, field.name, value)
        elif field.message_type.name == "Timestamp":
            # Nothing is delivered before it was ordered.
            days = rng.randrange(10, 20) if field.name == "order_time" else rng.randrange(10)
            set_time(getattr(message, field.name), time_us - days * DAY_US)
        elif field.is_repeated:
            for _ in range(rng.randrange(1, 4)):
                _fill(rng, getattr(message, field.name).add(), time_us)
        else:
            _fill(rng, getattr(message, field.name), time_us)


def _draw_scalar(rng: random.Random, field: Any) -> Any:
    """Return a value that may stand in the field; None: leave it out."""
    if field.name == "text":
        return rng.choice(_TEXTS)
    if field.name in ("embedding", "embedder"):
        return None
    if field.enum_type:
        return rng.choice([value.number for value in field.enum_type.values if value.number])
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(["a", "b", "c"])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type in _INTEGERS:
        return rng.randrange(1, 5)
    return rng.choice([0.25, 0.5, 1.0])
