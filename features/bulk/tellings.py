"""Which rows tell an event for the first time, over the whole log.

Identity is the event key alone, as in the stream's ledger of seen events. The
rows of one event (one per entity that it concerns) stand together and are kept
or dropped together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.bulk.sorting import sort_by_code
from features.compiled import array_of, compiled, int64, int64_1d, uint8_1d, uint64_1d, void
from features.fold_rows import FOLD_ROW_DTYPE

N_KEY_PARTS = 256
"""Keys are looked up in parts of a small table each: that stays in the cache."""


@compiled(int64(array_of(FOLD_ROW_DTYPE), int64_1d, int64_1d, uint64_1d, int64_1d))
def _find_tellings(
    rows: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    event_index: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.int64],
) -> int:
    """Write each telling's event key and first place in `order`; return how many there are.

    Two tellings of one event may stand side by side. Without an index of events, the
    second begins where the first one's first row comes again, or another time stands
    beside the key.
    """
    n = 0
    for i in range(order.shape[0]):
        row = rows[order[i]]
        is_new = True
        if event_index.shape[0] > 0:
            is_new = i == 0 or event_index[order[i]] != event_index[order[i - 1]]
        elif n > 0 and keys[n - 1] == row["event_key"]:
            first = rows[order[starts[n - 1]]]
            is_new = (
                first["event_time_us"] != row["event_time_us"]
                or first["ingest_time_us"] != row["ingest_time_us"]
                or (
                    first["entity"] == row["entity"]
                    and first["kind"] == row["kind"]
                    and first["line_count"] == row["line_count"]
                )
            )
        if is_new:
            keys[n] = row["event_key"]
            starts[n] = i
            n += 1
    starts[n] = order.shape[0]
    return n


@compiled(void(uint64_1d, int64_1d, int64_1d, int64_1d, int64_1d, uint8_1d))
def _mark_repeats(
    keys: npt.NDArray[np.uint64],
    part_starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    is_dropped: npt.NDArray[np.uint8],
) -> None:
    """Mark the rows of tellings whose key came before in the same part.

    Args:
        keys: Event key of each telling.
        part_starts: Where each part begins in `places`, and the end of the last.
        places: The tellings by part, in log order within it.
        starts: First place of each telling in `order`, and the end of the last.
        order: The rows in log order.
        is_dropped: Shape `(n_rows,)`, zeros; set to 1 for rows told before.
    """
    for part in range(part_starts.shape[0] - 1):
        first, last = part_starts[part], part_starts[part + 1]
        size = 16
        while size < 2 * (last - first):
            size *= 2
        mask = np.uint64(size - 1)
        table = np.zeros(size, np.uint64)
        for i in range(first, last):
            telling = places[i]
            key = keys[telling]
            slot = key & mask
            while table[slot] != np.uint64(0) and table[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            if table[slot] == key:
                for at in range(starts[telling], starts[telling + 1]):
                    is_dropped[order[at]] = 1
            table[slot] = key


def find_repeats(
    rows: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    event_index: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.uint8]:
    """Return 1 for each row of an event that was told before, shape `(n,)`.

    Args:
        rows: Shape `(n,)` of `FOLD_ROW_DTYPE`.
        order: Shape `(n,)`: the rows' places in log order.
        event_index: Shape `(n,)`: which event of the log each row is of. Without it,
            two tellings side by side with equal times but no row in common are taken
            for one.
    """
    index = np.zeros(0, np.int64) if event_index is None else event_index
    keys, starts = np.empty(len(rows), np.uint64), np.empty(len(rows) + 1, np.int64)
    n_tellings = _find_tellings(rows, order, index, keys, starts)
    keys = keys[:n_tellings]
    parts = (keys >> np.uint64(56)).astype(np.uint16)
    part_starts, places = sort_by_code(parts, N_KEY_PARTS, np.arange(n_tellings))
    is_dropped = np.zeros(len(rows), np.uint8)
    _mark_repeats(keys, part_starts, places, starts, order, is_dropped)
    return is_dropped
