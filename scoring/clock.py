"""What time it is for the scorer: wall time, or the time of a replayed log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from features.errors import ConfigError

WALL = "wall"
LOG_END = "log-end"
REPLAY_PREFIX = "replay:"


@dataclass(frozen=True, slots=True)
class Clock:
    """A source of the present.

    Attributes:
        read_us: Returns now, microseconds since the epoch, UTC.
        is_replay: Whether that is another time than the wall's; answers say so.
    """

    read_us: Callable[[], int]
    is_replay: bool = False


def read_wall_us() -> int:
    """Return the wall time, microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def make_replay_clock(start_us: int, read_us: Callable[[], int] = read_wall_us) -> Clock:
    """Return a clock that stands at `start_us` now and runs on at the pace of `read_us`."""
    offset_us = start_us - read_us()
    return Clock(lambda: read_us() + offset_us, is_replay=True)


def make_clock(setting: str, applied_us: int) -> Clock:
    """Return the clock that a setting asks for.

    Args:
        setting: `wall`, `log-end`, or `replay:` and an RFC 3339 time.
        applied_us: The latest ingest time that the store has applied to any shard;
            `log-end` starts there. 0: nothing was applied.

    Raises:
        ConfigError: It is none of these, or a replay would start before
            `applied_us`: the store cannot be unwound, so vectors would know the future.
    """
    if setting == WALL:
        return Clock(read_wall_us)
    if setting == LOG_END:
        if applied_us <= 0:
            raise ConfigError(
                "the store has applied no events, so its log has no end",
                field="clock",
                value=setting,
                expectation="a store that `hemostat stream` has filled",
                fix="run `hemostat stream LOG --store PATH` first, or use --clock wall",
            )
        return make_replay_clock(applied_us)
    if setting.startswith(REPLAY_PREFIX):
        start_us = _parse_time_us(setting.removeprefix(REPLAY_PREFIX), setting)
        if start_us < applied_us:
            raise ConfigError(
                "the replay would start before events that the store has applied",
                field="clock",
                value=setting,
                expectation=f"a time at or after {_format_time(applied_us)}",
                fix="use --clock log-end, or stream into a new store only up to that time",
            )
        return make_replay_clock(start_us)
    raise _describe_wrong_clock(setting)


def _parse_time_us(text: str, setting: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _describe_wrong_clock(setting) from error
    if moment.tzinfo is None:
        raise _describe_wrong_clock(setting)
    return round(moment.timestamp() * 1e6)


def _format_time(time_us: int) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def _describe_wrong_clock(setting: str) -> ConfigError:
    return ConfigError(
        "this is no clock",
        field="clock",
        value=setting,
        expectation="wall, log-end, or replay:TIME with an RFC 3339 time and its zone",
        fix="for example --clock replay:2011-09-30T00:00:00Z",
    )
