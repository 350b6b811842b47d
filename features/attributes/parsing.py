"""Attributes as events carry them: a flat JSON object of numbers, strings and booleans."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from features.errors import InvalidRequestError

MAX_BYTES = 4_096
MAX_ENTRIES = 64
MAX_NAME_LENGTH = 64
MAX_TEXT_LENGTH = 64
"""Longer categories are texts, and texts are not logged."""

AttributeValue = bool | int | float | str

_DECODER = msgspec.json.Decoder(dict[str, AttributeValue])
_FORM = "a flat JSON object of numbers, strings and booleans"


def read_attributes(text: str) -> Mapping[str, AttributeValue]:
    """Return the attributes of an event that was accepted; of a damaged text none.

    >>> read_attributes('{"lead_time": 31, "deposit": "none"}')
    {'lead_time': 31, 'deposit': 'none'}
    >>> read_attributes('{"nested": {}}'), read_attributes("")
    ({}, {})
    """
    if not text:
        return {}
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}


def check_attributes(text: str, field: str) -> None:
    """Refuse attributes that no event may carry.

    Args:
        text: As told; empty: none.
        field: Where they stand, for the error.

    Raises:
        InvalidRequestError: Too long, no flat object of plain values, too many entries, or a
            name or a string too long. Values are never shown: they may be personal.
    """
    if not text:
        return
    size = len(text.encode())
    if size > MAX_BYTES:
        raise _refuse(field, f"{size} bytes", f"at most {MAX_BYTES} bytes")
    try:
        found = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise _refuse(field, "another form", _FORM) from None
    if len(found) > MAX_ENTRIES:
        raise _refuse(field, f"{len(found)} entries", f"at most {MAX_ENTRIES} entries")
    for name, value in found.items():
        if not 0 < len(name) <= MAX_NAME_LENGTH:
            raise _refuse(
                field, f"a name of {len(name)} characters", f"1 to {MAX_NAME_LENGTH} characters"
            )
        if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
            raise _refuse(
                f"{field}.{name}",
                f"{len(value)} characters",
                f"a category of at most {MAX_TEXT_LENGTH} characters, no text",
            )


def _refuse(field: str, value: str, expectation: str) -> InvalidRequestError:
    return InvalidRequestError(
        "the attributes cannot be used",
        field=field,
        value=value,
        expectation=expectation,
        fix='send e.g. {"lead_time":31,"deposit":"none"}, or leave the field empty',
    )
