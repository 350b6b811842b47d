"""Which rows tell an event for the first time, over the whole log.

Identity is the event key alone, as in the stream's ledger of seen events. The
rows of one event (one per entity that it concerns) stand together and are kept
or dropped together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.bulk.sorting import sort_by_code
from features.compiled import array_of, compiled, int64, int64_1d, uint8_1d, uint64_1d, void
from features.fold_rows import FOLD_ROW_DTYPE

N_KEY_PARTS = 256
"""Keys are looked up in parts of a small table each: that stays in the cache."""


@dataclass(frozen=True, slots=True)
class ToldEvents:
    """The events that rows are of; `n` events, `m` rows.

    Attributes:
        index: Shape `(m,)`, int64: each row's event; the rows of one stand together.
        keys: Shape `(n,)`, uint64: event keys.
        ingest_us: Shape `(n,)`, int64: when the log took them in.
    """

    index: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]


@compiled(int64(array_of(FOLD_ROW_DTYPE), int64_1d))
def _find_tellings(rows: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> int:
    """Write the first row of each telling; return how many there are.

    Two tellings of one event may stand side by side: the second begins where the first
    one's first row comes again, or another time stands beside the key.
    """
    n = 0
    for r in range(rows.shape[0]):
        row = rows[r]
        is_new = True
        if n > 0:
            first = rows[starts[n - 1]]
            is_new = (
                first["event_key"] != row["event_key"]
                or first["event_time_us"] != row["event_time_us"]
                or first["ingest_time_us"] != row["ingest_time_us"]
                or (
                    first["entity"] == row["entity"]
                    and first["kind"] == row["kind"]
                    and first["line_count"] == row["line_count"]
                )
            )
        if is_new:
            starts[n] = r
            n += 1
    return n


@compiled(void(uint64_1d, int64_1d, int64_1d, uint8_1d))
def _mark_repeats(
    keys: npt.NDArray[np.uint64],
    part_starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    is_repeat: npt.NDArray[np.uint8],
) -> None:
    """Mark the tellings whose key came before in the same part.

    Args:
        keys: Event key of each telling.
        part_starts: Where each part begins in `places`, and the end of the last.
        places: The tellings by part, in log order within it.
        is_repeat: One per telling, zeros; set to 1 for those told before.
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
                is_repeat[telling] = 1
            table[slot] = key


@compiled(int64(int64_1d, int64_1d, uint8_1d, int64_1d))
def _write_rows(
    order: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    is_repeat: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
) -> int:
    """Write the rows of first tellings in their order; return how many there are."""
    n = 0
    for i in range(order.shape[0]):
        telling = order[i]
        if not is_repeat[telling]:
            for row in range(starts[telling], starts[telling + 1]):
                places[n] = row
                n += 1
    return n


def order_first_tellings(
    rows: npt.NDArray[Any], events: ToldEvents | None = None
) -> npt.NDArray[np.int64]:
    """Return the places of the rows that tell an event first, in the order of ingest.

    Args:
        rows: Shape `(m,)` of `FOLD_ROW_DTYPE`, in log order; of equal ingest times the
            first row given counts as the earlier one.
        events: What is known of the rows' events. Without it two tellings side by side
            with equal times but no row in common are taken for one.
    """
    if events is None:
        starts = np.empty(len(rows), np.int64)
        starts = starts[: _find_tellings(rows, starts)]
        keys, ingest_us = rows["event_key"][starts], rows["ingest_time_us"][starts]
    else:
        is_start = np.ones(len(rows), np.bool_)
        np.not_equal(events.index[1:], events.index[:-1], out=is_start[1:])
        starts = np.flatnonzero(is_start)
        told = events.index[starts]
        keys, ingest_us = events.keys[told], events.ingest_us[told]
    # Not the rows themselves: moving them costs more than all else here.
    order = np.argsort(ingest_us, kind="stable")
    parts = (keys >> np.uint64(56)).astype(np.uint16)
    part_starts, places = sort_by_code(parts, N_KEY_PARTS, order)
    is_repeat = np.zeros(len(starts), np.uint8)
    _mark_repeats(keys, part_starts, places, is_repeat)
    found = np.empty(len(rows), np.int64)
    return found[: _write_rows(order, np.append(starts, len(rows)), is_repeat, found)]
