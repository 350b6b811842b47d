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
def clear_passed(tiles: npt.NDArray[Any], head: int, filled: np.uint64, bucket: int) -> None:
    """Clear the rows that a newer bucket overtakes."""
    size = tiles.shape[0]
    passed = np.uint64(filled & ~take_newest(filled, head + size - 1 - bucket))
    top = (head - 1) % size
    while passed != np.uint64(0):
        row = top - find_lowest_bit(passed)
        row = row + size if row < 0 else row
        for counter in range(tiles.shape[1]):
            tiles[row, counter] = 0
        passed &= passed - _ONE


@welded
def enter_bucket(head: int, filled: np.uint64, bucket: int, size: int) -> tuple[int, np.uint64]:
    """Return the head and the bits with a bucket that an event falls in.

    The rows that it overtakes are clear (`clear_passed`).
    """
    if bucket >= head:
        step = bucket + 1 - head
        kept = take_newest(filled, size - step)
        return bucket + 1, np.uint64((kept << np.uint64(step & 63)) | _ONE)
    back = head - 1 - bucket
    return head, np.uint64(filled | (_ONE << np.uint64(back))) if back < size else filled


@welded
def find_tile(head: int, bucket: int, size: int) -> int:
    """Return the row of a bucket; -1 if it is older than what is kept."""
    return bucket % size if bucket >= head - size else -1


@welded
def find_first_bucket(now_us: int, window: int) -> int:
    """Return the first absolute bucket of `WINDOWS[window]`: floor(T - W, hop) / hop."""
    return int((now_us - _LENGTHS_US[window]) // _HOPS_US[window])
