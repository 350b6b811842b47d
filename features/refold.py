"""Stored records and new rows to stored records: what the stream does with every event.

One compiled pass over any mix of entities: unpack a record into the one scratch
record of its layout (which stays in the processor's cache), fold its rows, pack it
again. No record exists as a Python object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    compiled,
    compiled_without_allocation,
    int8_2d,
    int64,
    int64_1d,
    tuple_of,
    uint8_1d,
    uint8_1d_readonly,
)
from features.entities import LAYOUTS
from features.fold_rows import FOLD_ROW_DTYPE
from features.folds.activity import fold_activity
from features.folds.history import fold_history
from features.folds.identity import fold_identity
from features.folds.tally import fold_tally
from features.prefetching import prefetch
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.identity import IDENTITY_DTYPE
from features.records.layouts import (
    ACTIVITY,
    HISTORY,
    LAYOUT_OF,
    MAX_SIZE,
    N_ACTIVITY_WORDS,
    N_HISTORY_WORDS,
    N_IDENTITY_WORDS,
    N_TALLY_WORDS,
    SCRATCH_TYPES,
    TALLY,
    new_words,
    pick_words,
)
from features.records.packing import (
    SLACK,
    PackedRecords,
    clear_words,
    explain_damage,
    pack_words,
    unpack_words,
)
from features.records.tally import TALLY_DTYPE

_ROOM = MAX_SIZE + SLACK
_N_AHEAD = 8  # So many rows ahead their texts' embeddings are asked for.

_STORED = (uint8_1d_readonly, int64_1d, uint8_1d_readonly)
_TOLD = (array_of(FOLD_ROW_DTYPE), int64_1d, int8_2d)


@compiled_without_allocation(int64(*_STORED, *_TOLD, *SCRATCH_TYPES, int64_1d, uint8_1d, int64_1d))
def _refold_with(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    entities: npt.NDArray[np.uint8],
    rows: npt.NDArray[Any],
    owners: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.int8],
    history_words: npt.NDArray[np.uint64],
    activity_words: npt.NDArray[np.uint64],
    tally_words: npt.NDArray[np.uint64],
    identity_words: npt.NDArray[np.uint64],
    histories: npt.NDArray[Any],
    activities: npt.NDArray[Any],
    tallies: npt.NDArray[Any],
    identities: npt.NDArray[Any],
    position: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    out_ends: npt.NDArray[np.int64],
) -> int:
    """Go on from `position` until all is done or `out` is full.

    Returns:
        The number of the first damaged record, or -1.
    """
    history, activity, tally, identity = histories[0], activities[0], tallies[0], identities[0]
    n_rows, last = rows.shape[0], rows.shape[0] - 1
    first_number, row, n = position[0], position[1], position[2]
    start = int(ends[first_number - 1]) if first_number > 0 else 0
    for number in range(first_number, ends.shape[0]):
        if out.shape[0] - n < _ROOM:
            position[0], position[1], position[2] = number, row, n
            return -1
        end, layout = ends[number], LAYOUT_OF[entities[number]]
        words = pick_words(layout, history_words, activity_words, tally_words, identity_words)
        if end > start and not unpack_words(data, start, end, layout, words):
            return int(number)
        first = row
        while row < n_rows and owners[row] == number:
            if layout == HISTORY:
                prefetch(embeddings, np.int64(rows[min(row + _N_AHEAD, last)]["embedding"]), 0)
                fold_history(history, rows[row], embeddings)
            elif layout == ACTIVITY:
                fold_activity(activity, rows[row])
            elif layout == TALLY:
                fold_tally(tally, rows[row])
            else:
                fold_identity(identity, rows[row])
            row += 1
        if end > start or row > first:
            new_start = n
            n = pack_words(words, layout, out, n)
            clear_words(words, out, new_start)
        out_ends[number] = n
        start = end
    position[0], position[1], position[2] = ends.shape[0], row, n
    return -1


@compiled(tuple_of(uint8_1d, int64)(*_STORED, *_TOLD, uint8_1d, int64_1d))
def _refold(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    entities: npt.NDArray[np.uint8],
    rows: npt.NDArray[Any],
    owners: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.int8],
    out: npt.NDArray[np.uint8],
    out_ends: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the new stored forms and the number of the first damaged record, or -1."""
    # One scratch record per layout, always zero but while it is worked on.
    history, activity = new_words(N_HISTORY_WORDS), new_words(N_ACTIVITY_WORDS)
    tally, identity = new_words(N_TALLY_WORDS), new_words(N_IDENTITY_WORDS)
    position = np.zeros(3, np.int64)  # Number of the record, of the row, and of the byte to write.
    while True:
        damaged = _refold_with(
            data,
            ends,
            entities,
            rows,
            owners,
            embeddings,
            history,
            activity,
            tally,
            identity,
            history.view(HISTORY_DTYPE),
            activity.view(ACTIVITY_DTYPE),
            tally.view(TALLY_DTYPE),
            identity.view(IDENTITY_DTYPE),
            position,
            out,
            out_ends,
        )
        if damaged >= 0 or position[0] == ends.shape[0]:
            return out, damaged
        larger = np.empty(2 * out.shape[0] + _ROOM, np.uint8)
        larger[: position[2]] = out[: position[2]]
        out = larger


def refold(
    packed: PackedRecords,
    entities: npt.NDArray[np.uint8],
    rows: npt.NDArray[Any],
    owners: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.int8],
) -> PackedRecords:
    """Return the records with the rows folded in.

    Args:
        packed: The `m` records as stored; missing ones begin empty.
        entities: Shape `(m,)`, uint8: number of each record's `Entity`.
        rows: Shape `(n,)` of `FOLD_ROW_DTYPE`, each event once. Event times are at
            or after 1970-01-01.
        owners: Shape `(n,)`, ascending: the record that each row belongs to.
        embeddings: Shape `(k, DIM)`: what the rows' `embedding` points into.

    Returns:
        The `m` stored forms; missing where there was neither record nor row.

    Raises:
        SchemaMismatchError: A stored form is not a record of its entity's layout
            and of this version.
    """
    ends = np.empty(len(packed), np.int64)
    room = len(packed.buffer) + 64 * len(rows) + _ROOM
    buffer, damaged = _refold(
        packed.buffer,
        packed.ends,
        entities,
        rows,
        owners,
        embeddings,
        np.empty(room, np.uint8),
        ends,
    )
    if damaged >= 0:
        layout = LAYOUTS[int(entities[damaged])]
        raise explain_damage(packed.get_blob(damaged), layout)
    return PackedRecords(buffer[: ends[-1] if len(ends) else 0], ends)
