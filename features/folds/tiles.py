"""Time buckets (tiles): rings that keep the newest absolute buckets of counters.

Tiles are an array of shape `(size, n_counters)`; the absolute bucket b (time //
hop) stands in row `b % size`. `head` is the newest bucket + 1, 0 before the first.
Which buckets are kept depends on the newest event only, so any order of the same
events gives the same tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.definition import WINDOWS

_LENGTHS_US = np.array([window.length_us for window in WINDOWS])
_HOPS_US = np.array([window.hop_us for window in WINDOWS])


@inlined
def open_tiles(tiles: npt.NDArray[Any], head: int, bucket: int) -> int:
    """Clear the rows that a newer bucket overtakes; return the new head."""
    if bucket < head:
        return head
    size = tiles.shape[0]
    for b in range(max(head, bucket - size + 1), bucket + 1):
        row = b % size
        for counter in range(tiles.shape[1]):
            tiles[row, counter] = 0
    return bucket + 1


@inlined
def find_tile(head: int, bucket: int, size: int) -> int:
    """Return the row of a bucket; -1 if it is older than what is kept."""
    return bucket % size if bucket >= head - size else -1


@inlined
def find_first_bucket(now_us: int, window: int) -> int:
    """Return the first absolute bucket of `WINDOWS[window]`: floor(T - W, hop) / hop."""
    return int((now_us - _LENGTHS_US[window]) // _HOPS_US[window])


@inlined
def sum_tiles(
    tiles: npt.NDArray[Any],
    head: int,
    first_narrow: int,
    first_wide: int,
    narrow: npt.NDArray[np.int64],
    wide: npt.NDArray[np.int64],
) -> None:
    """Write the sums of the buckets from `first_narrow` and from `first_wide` on.

    Walks once, from the newest bucket back: the narrow window is a part of the
    wide one. Only the first `n_counters` places of `narrow` and `wide` are written.
    """
    size, n_counters = tiles.shape
    for counter in range(n_counters):
        narrow[counter] = 0
    bucket = head - 1
    oldest = head - size
    row = bucket % size
    while bucket >= first_narrow and bucket >= oldest:
        for counter in range(n_counters):
            narrow[counter] += tiles[row, counter]
        bucket -= 1
        row = row - 1 if row > 0 else size - 1
    for counter in range(n_counters):
        wide[counter] = narrow[counter]
    while bucket >= first_wide and bucket >= oldest:
        for counter in range(n_counters):
            wide[counter] += tiles[row, counter]
        bucket -= 1
        row = row - 1 if row > 0 else size - 1
