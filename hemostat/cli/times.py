"""Times as people give them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from features.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str, option: str) -> int:
    """Return a time with its offset (RFC 3339) in microseconds UTC.

    Args:
        text: As given.
        option: Whose value it is, for the message.

    Raises:
        ConfigError: Not a time, or one without offset.

    >>> parse_time("1970-01-01T01:00:00+01:00", "--at")
    0
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(
            "not a time",
            field=option,
            value=text,
            expectation="a time with its offset from UTC (RFC 3339)",
            fix=f"write it like {option} 2011-06-01T00:00:00Z",
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)
