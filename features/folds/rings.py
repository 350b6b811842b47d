"""Rings of the newest events: columns in descending order of (time, key).

A key of 0 is an empty place; empty places stand at the end. The ring keeps the
greatest (time, key), so any order of the same events gives the same ring.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded


@welded
def find_place(
    times: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64], time_us: int, key: np.uint64
) -> int:
    """Return where (time, key) belongs in a ring; its size if nowhere."""
    size: int = keys.shape[0]
    for place in range(size):
        if (
            keys[place] == np.uint64(0)
            or times[place] < time_us
            or (times[place] == time_us and keys[place] < key)
        ):
            return place
    return size


@welded
def find_last(keys: npt.NDArray[np.uint64], place: int) -> int:
    """Return the last place that a ring fills when one more event enters at `place`."""
    size = keys.shape[0]
    last = place
    while last < size - 1 and keys[last] != np.uint64(0):
        last += 1
    return last


@welded
def make_room(column: npt.NDArray[Any], place: int, last: int = -1) -> None:
    """Move a ring's column one down from `place` on; what moves past `last` drops out.

    `last` is from `find_last`; without it, the whole column is moved.
    """
    for i in range(column.shape[0] - 1 if last < 0 else last, place, -1):
        column[i] = column[i - 1]


@welded
def find_key(keys: npt.NDArray[np.uint64], key: np.uint64) -> int:
    """Return the place of an event key in a ring, or -1 (key 0: no event)."""
    if key == np.uint64(0):
        return -1
    for place in range(keys.shape[0]):
        if keys[place] == key:
            return place
    return -1
