"""msgspec structs of the event messages, derived from the proto descriptors.

Build events with them (`structs.Event(event_id=..., order_placed=structs.OrderPlaced(...))`)
and hand these to `writer.EventLogWriter.append_structs`. A field left out is the
proto default or absent. Times are integers, microseconds since the epoch UTC;
money is integers, minor units; enums are proto names (`"CHANNEL_WEB"`) or
numbers; `Reason.text` is replaced by its embedding on the way into a table.

The same structs decode JSON lines (see `jsonl`), which is why annotations allow
what proto3 JSON allows: null for absent, 64-bit integers as strings, times as
RFC 3339 strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from features.log.schema import EVENT_SPEC, FieldSpec, FieldType, MessageSpec

_ANNOTATIONS: dict[FieldType, Any] = {
    FieldType.STRING: str | None,
    FieldType.BYTES: bytes | None,
    FieldType.BOOL: bool | None,
    FieldType.INT32: int | str | None,
    FieldType.INT64: int | str | None,
    FieldType.DOUBLE: float | None,
    FieldType.TIME: str | None,
}


def _annotate(field: FieldSpec, built: dict[str, type[msgspec.Struct]]) -> Any:
    """Return the type that a JSON member of this field must have."""
    if field.message is not None:
        struct = _build_struct(field.message, built)
        return list[struct] | None if field.is_repeated else struct | None  # type: ignore[valid-type]
    if field.enum_numbers is not None:
        return Literal[tuple(field.enum_numbers)] | None
    return _ANNOTATIONS[field.type]


def _build_struct(
    spec: MessageSpec, built: dict[str, type[msgspec.Struct]]
) -> type[msgspec.Struct]:
    """Return the struct of a message, building each message once."""
    if spec.name not in built:
        fields = [(field.name, _annotate(field, built), None) for field in spec.fields]
        built[spec.name] = msgspec.defstruct(
            spec.name,
            fields,
            module=__name__,
            forbid_unknown_fields=True,
            omit_defaults=True,
            gc=False,
        )
    return built[spec.name]


def _build_all() -> dict[str, type[msgspec.Struct]]:
    built: dict[str, type[msgspec.Struct]] = {}
    _build_struct(EVENT_SPEC, built)
    return built


STRUCTS: Mapping[str, type[msgspec.Struct]] = _build_all()
"""Message name (`Event`, `OrderPlaced`, `Reason`, ...) to its struct."""


def __getattr__(name: str) -> Any:
    """Return a message's struct by name; the classes are made at import."""
    try:
        return STRUCTS[name]
    except KeyError:
        raise AttributeError(f"no event message is named {name!r}") from None
