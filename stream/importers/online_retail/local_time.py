"""Wall-clock times of London to UTC, with the two odd hours of a year made explicit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

ZONE: Final = "Europe/London"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clock, the zone is applied below
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False)
class UtcTimes:
    """Instants and what was odd about their wall-clock times.

    Attributes:
        time_us: int64, microseconds UTC.
        is_ambiguous: The wall clock showed this time twice (clocks went back).
        is_skipped: The wall clock never showed this time (clocks went forward).
    """

    time_us: npt.NDArray[np.int64]
    is_ambiguous: npt.NDArray[np.bool_]
    is_skipped: npt.NDArray[np.bool_]


def from_london_time(local_us: npt.NDArray[np.int64]) -> UtcTimes:
    """Return the instants of wall-clock times in London.

    A time that came twice is taken as its first coming (summer time). A time that
    never came is read with the offset before the jump, so that it keeps its
    distance to the times before it: 01:30 becomes 01:30 UTC, shown as 02:30.
    (PEP 495, `fold=0`, in both cases.)

    Args:
        local_us: Any shape, microseconds since 1970-01-01 00:00 of the wall clock.

    >>> summer = np.array([np.datetime64("2011-07-01T12:00", "us").astype(np.int64)])
    >>> int(summer[0] - from_london_time(summer).time_us[0]) // 1_000_000
    3600
    """
    zone = ZoneInfo(ZONE)
    distinct, place = np.unique(local_us, return_inverse=True)
    # An invoice system writes whole minutes: a year has few distinct times for its many rows.
    first = np.empty(len(distinct), np.int64)
    later_s = np.empty(len(distinct), np.float64)
    for i, value in enumerate(distinct.tolist()):
        wall = _EPOCH + value * _MICROSECOND
        once, again = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
        first[i] = (once.astimezone(UTC) - _EPOCH_UTC) // _MICROSECOND
        later_s[i] = (again.astimezone(UTC) - once.astimezone(UTC)).total_seconds()
    return UtcTimes(first[place], (later_s > 0)[place], (later_s < 0)[place])
