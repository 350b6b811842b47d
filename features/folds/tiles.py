"""Time buckets (tiles): rings that keep the newest absolute buckets of counters.

Tiles are an array of shape `(size, n_counters)`; the absolute bucket b (time //
hop) stands in row `b % size`. `head` is the newest bucket + 1, 0 before the first.
`filled` has a bit per bucket that was ever entered, bit k for bucket head - 1 - k:
most buckets stay empty, and neither clearing nor summing looks at them. Which
buckets are kept depends on the newest event only, so any order of the same events
gives the same tiles, head and bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import WINDOWS
from features.records.bits import find_lowest_bit

_LENGTHS_US = np.array([window.length_us for window in WINDOWS])
_HOPS_US = np.array([window.hop_us for window in WINDOWS])
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)


@welded
def take_newest(filled: np.uint64, n: int) -> np.uint64:
    """Return the bits of the newest `n` buckets only."""
    if n <= 0:
        return np.uint64(0)
    return np.uint64(filled & (_ALL >> np.uint64(64 - n))) if n < 64 else filled


@welded
def find_bucket(time_us: int, hop_us: int) -> np.int64:
    """Return the absolute bucket of a time at or after 1970."""
    return np.int64(np.uint64(time_us) // np.uint64(hop_us))


@welded
def find_tile(bucket: np.int64, size: int) -> np.int64:
    """Return the row of an absolute bucket."""
    return np.int64(np.uint64(bucket) % np.uint64(size))


@welded
def clear_passed(
    tiles: npt.NDArray[Any], head: np.int64, filled: np.uint64, bucket: np.int64
) -> None:
    """Clear the rows that a bucket at or behind `head` overtakes."""
    size = tiles.shape[0]
    passed = np.uint64(filled & ~take_newest(filled, head + size - 1 - bucket))
    if passed == np.uint64(0):
        return
    top = find_tile(head - 1, size)
    while passed != np.uint64(0):
        row = top - find_lowest_bit(passed)
        row = np.uint64(row + size if row < 0 else row)
        for counter in range(tiles.shape[1]):
            tiles[row, counter] = 0
        passed &= passed - _ONE


@welded
def open_tile(
    tiles: npt.NDArray[Any], head: np.int64, filled: np.uint64, bucket: np.int64
) -> tuple[np.int64, np.uint64, np.int64]:
    """Make the tiles ready for an event in a bucket; clears the rows that it overtakes.

    Returns:
        The new head, the new bits, and the bucket's row; -1 if it is older than what is kept.
    """
    size = tiles.shape[0]
    if bucket >= head:
        clear_passed(tiles, head, filled, bucket)
        step = bucket + 1 - head
        kept = take_newest(filled, size - step)
        return bucket + 1, np.uint64((kept << np.uint64(step & 63)) | _ONE), find_tile(bucket, size)
    back = head - 1 - bucket
    if back >= size:
        return head, filled, np.int64(-1)
    return head, np.uint64(filled | (_ONE << np.uint64(back))), find_tile(bucket, size)


@welded
def add_windowed(
    record: Any,
    rows: tuple[np.int64, np.int64, np.int64],
    counter: int | np.int64,
    amount: int | np.int64,
) -> None:
    """Add to one counter: for life, and in every ring of tiles that still keeps the bucket."""
    record["lifetime"][counter] += amount
    if rows[0] >= 0:
        record["hourly"][rows[0], counter] += amount
    if rows[1] >= 0:
        record["daily"][rows[1], counter] += amount
    if rows[2] >= 0:
        record["weekly"][rows[2], counter] += amount


@welded
def find_first_bucket(now_us: int, window: int) -> int:
    """Return the first absolute bucket of `WINDOWS[window]`: floor(T - W, hop) / hop."""
    return int((now_us - _LENGTHS_US[window]) // _HOPS_US[window])
