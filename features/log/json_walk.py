"""One JSON line, member by member: the careful decoder that can name a fault.

`jsonl` decodes whole batches fast and comes here only for lines that do not pass
the fast way: because they use a rarer spelling that proto3 JSON allows (an enum
number, nanoseconds, `1.0` for 1, URL-safe base64), or because something is
wrong. What passes the fast way passes here with the same result (tested).
"""

from __future__ import annotations

import base64
import difflib
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from features.embedding import EMBEDDERS, Embedder, embed_text, embedder_at
from features.errors import InvalidEventError
from features.log.assemble import MICROSECOND_MAX, MICROSECOND_MIN
from features.log.schema import (
    EVENT_KINDS,
    EVENT_SPEC,
    KIND_SPECS,
    FieldSpec,
    FieldType,
    MessageSpec,
)
from features.log.structs import STRUCTS

UNKNOWN_KIND = "unknown event kind"
"""Message of the error for an event of a kind that the protos do not have."""

_SHOWN_CHARS = 40
# Names of fields, kinds and enums; no phone number, account or sentence looks like one.
_NAME = re.compile(r"(?!(?:.*[0-9]){4})[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
_INT = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT_BITS = {FieldType.INT32: 32, FieldType.INT64: 64}
_SPEC_FIELDS: dict[str, dict[str, FieldSpec]] = {}


_REASONS = {
    kind: tuple(
        field.name
        for field in spec.fields
        if field.message is not None and field.message.name == "Reason"
    )
    for kind, spec in KIND_SPECS.items()
}
"""Kind to its fields that hold a reason."""


def walk_event(
    tree: object, embedders: Sequence[Embedder] = EMBEDDERS, default_ingest_us: int = 0
) -> Any:
    """Return a `structs.Event` from a decoded JSON value, every field checked.

    Times become integer microseconds (finer digits are cut), integers become
    integers, enum numbers names, and `Reason.text` its embedding.

    Args:
        tree: The value.
        embedders: A text is embedded by the one in force when the log took the event in.
        default_ingest_us: Ingest time of an event that says none, microseconds; 0: left
            out, texts go by the event time.

    Raises:
        InvalidEventError: Names the first field at fault, its value (never a text
            or an identifier), what was expected and the fix.
    """
    if not isinstance(tree, dict):
        raise fault("the line is not an event", "", tree, "a JSON object", "write one event a line")
    kinds = [name for name in EVENT_KINDS if tree.get(name) is not None]
    if len(kinds) > 1:
        raise InvalidEventError(
            "the event has several kinds",
            field="kind",
            value=", ".join(kinds[:3]),
            expectation="exactly one kind",
            fix="write one event per fact",
        )
    event = _walk_message(tree, EVENT_SPEC, "")
    if event.ingest_time is None and default_ingest_us:
        event.ingest_time = default_ingest_us
    if kinds:
        time_us = event.ingest_time or event.event_time or 0
        _embed_texts(event, kinds[0], embedder_at(time_us, embedders))
    return event


def _embed_texts(event: Any, kind: str, embedder: Embedder) -> None:
    """Put the embedding in the place of a reason's text."""
    payload = getattr(event, kind)
    for name in _REASONS[kind]:
        reason = getattr(payload, name)
        if reason is not None and reason.text:
            reason.embedding = embed_text(reason.text, embedder).tobytes()
            reason.embedder = embedder.name
        if reason is not None:
            reason.text = None


def fault(
    message: str, path: str, value: object, expectation: str, fix: str, shown: str = ""
) -> InvalidEventError:
    """Return the error for a field, its value shown by type only unless `shown` is given."""
    return InvalidEventError(
        message, field=path, value=shown or show_value(value), expectation=expectation, fix=fix
    )


def show_value(value: object) -> str:
    """Return a value as it may stand in an error: numbers as they are, the rest by type.

    >>> show_value("c-1234"), show_value(-3), show_value([1])
    ('a string of 6 characters', '-3', 'an array')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return shorten(str(value))
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    return "an array" if isinstance(value, list) else "an object"


def shorten(text: str) -> str:
    """Return a name as it may stand in an error: printable and short."""
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable if len(printable) <= _SHOWN_CHARS else printable[: _SHOWN_CHARS - 1] + "…"


def show_name(text: str) -> str:
    """Return what stands where a name should, as it may stand in an error: hidden if it is none.

    Free text in a code, or a map keyed by customers, must not reach a dead letter.

    >>> show_name("CHANNEL_MOON"), show_name("too small!"), show_name("c13800138000")
    ('CHANNEL_MOON', 'a string of 10 characters', 'a string of 12 characters')
    """
    return text if _NAME.fullmatch(text) else show_value(text)


def suggest(name: str, candidates: Iterable[str]) -> str:
    """Return `did you mean ...?` for a misspelt name, or an empty string."""
    # Looking for near names is slow, and the same name is misspelt again and again; what
    # does not look like a name is not kept.
    return _suggest(name, tuple(candidates)) if _NAME.fullmatch(name) else ""


@lru_cache(256)
def _suggest(name: str, candidates: tuple[str, ...]) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    by_case = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(snake.lower(), by_case, n=1, cutoff=0.7)
    return f"did you mean {by_case[found[0]]}?" if found else ""


def _find_fields(spec: MessageSpec) -> dict[str, FieldSpec]:
    fields = _SPEC_FIELDS.get(spec.name)
    if fields is None:
        fields = _SPEC_FIELDS[spec.name] = {field.name: field for field in spec.fields}
    return fields


def _walk_message(tree: dict[str, Any], spec: MessageSpec, path: str) -> Any:
    """Return the struct of one message."""
    fields = _find_fields(spec)
    values: dict[str, Any] = {}
    for name, value in tree.items():
        field = fields.get(name)
        field_path = f"{path}.{name}" if path else name
        if field is None:
            raise _unknown_field(name, value, spec, path)
        if value is None:
            continue  # proto3 JSON: null is the default or absence.
        if not field.is_repeated:
            values[name] = _walk_value(value, field, field_path)
            continue
        if not isinstance(value, list):
            raise fault(
                "a list field holds something else", field_path, value, "an array", "use [...]"
            )
        values[name] = [
            _walk_value(item, field, f"{field_path}[{i}]") for i, item in enumerate(value)
        ]
    return STRUCTS[spec.name](**values)


def _unknown_field(name: str, value: object, spec: MessageSpec, path: str) -> InvalidEventError:
    """Return the error for a member that the message does not have."""
    is_kind = not path and isinstance(value, dict)
    candidates = EVENT_KINDS if is_kind else _find_fields(spec)
    hint = suggest(name, candidates)
    shown = show_name(name)
    named = name if shown == name else ""
    return InvalidEventError(
        UNKNOWN_KIND if is_kind else "unknown field",
        field=".".join(part for part in (path, named) if part),
        value=shown,
        expectation="a kind of hemostat.v1.Event" if is_kind else f"a field of {spec.name}",
        fix=hint or "remove it, or spell it as in protos/hemostat/v1/event.proto (snake_case)",
    )


def _walk_value(value: Any, field: FieldSpec, path: str) -> Any:
    """Return one value as its column wants it."""
    if field.message is not None:
        if not isinstance(value, dict):
            raise fault(
                "a message field holds something else", path, value, "a JSON object", "use {...}"
            )
        return _walk_message(value, field.message, path)
    if field.enum_numbers is not None:
        return _walk_enum(value, field.enum_numbers, path)
    return _WALKERS[field.type](value, field, path)


def _walk_enum(value: Any, numbers: Any, path: str) -> str:
    if isinstance(value, str) and value in numbers:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        for name, number in numbers.items():
            if number == value:
                return str(name)
    hint = suggest(value, numbers) if isinstance(value, str) else ""
    shown = show_name(value) if isinstance(value, str) else ""
    raise fault(
        "not a name of the enum",
        path,
        value,
        f"a name such as {list(numbers)[-1]}, or its number",
        hint or "use a name from protos/hemostat/v1",
        shown,
    )


def _walk_string(value: Any, field: FieldSpec, path: str) -> str:
    if not isinstance(value, str):
        # A number here is often an identifier whose quotes were forgotten.
        shown = "a number" if type(value) in (int, float) else ""
        raise fault("not a string", path, value, "a JSON string", "put it in quotes", shown)
    return value


def _walk_bool(value: Any, field: FieldSpec, path: str) -> bool:
    if not isinstance(value, bool):
        raise fault("not a truth value", path, value, "true or false", "write it without quotes")
    return value


def _walk_int(value: Any, field: FieldSpec, path: str) -> int:
    bits = _INT_BITS[field.type]
    number: int | None = None
    if isinstance(value, str):
        number = int(value) if _INT.fullmatch(value) else None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = int(value) if math.isfinite(value) and value == int(value) else None
    if number is None or not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise fault(
            "not a whole number of the field's range",
            path,
            value,
            f"a {bits}-bit integer, as a number or a decimal string",
            "amounts are whole minor units (cents, fen)",
        )
    return number


def _walk_double(value: Any, field: FieldSpec, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise fault("not a finite number", path, value, "a finite JSON number", "leave it out")
    return float(value)


def _walk_bytes(value: Any, field: FieldSpec, path: str) -> bytes:
    text = value.rstrip("=").replace("-", "+").replace("_", "/") if isinstance(value, str) else "!"
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise fault(
            "not base64", path, value, "bytes as a base64 string", "encode the bytes as base64"
        ) from None


def _walk_time(value: Any, field: FieldSpec, path: str) -> int:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match:
        try:
            whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
            since = (whole - _EPOCH) // timedelta(seconds=1)
        except (ValueError, OverflowError):
            pass
        else:
            time_us = since * 1_000_000 + int((match[2] or "").ljust(6, "0")[:6])
            if MICROSECOND_MIN <= time_us <= MICROSECOND_MAX:
                return time_us
    raise fault(
        "not a time",
        path,
        value,
        "RFC 3339 with an offset, e.g. 2026-03-01T12:00:00Z",
        "write the time with its offset, or in UTC with Z",
    )


_WALKERS = {
    FieldType.STRING: _walk_string,
    FieldType.BYTES: _walk_bytes,
    FieldType.BOOL: _walk_bool,
    FieldType.INT32: _walk_int,
    FieldType.INT64: _walk_int,
    FieldType.DOUBLE: _walk_double,
    FieldType.TIME: _walk_time,
}
