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
    inlined,
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
    TALLY,
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


@inlined
def _grow(buffer: npt.NDArray[np.uint8], n_used: int) -> npt.NDArray[np.uint8]:
    """Return a buffer with the same beginning and room for one more record at least."""
    larger = np.empty(2 * buffer.shape[0] + _ROOM, np.uint8)
    larger[:n_used] = buffer[:n_used]
    return larger


@compiled(
    tuple_of(uint8_1d, int64)(
        uint8_1d_readonly,
        int64_1d,
        uint8_1d_readonly,
        array_of(FOLD_ROW_DTYPE),
        int64_1d,
        int8_2d,
        uint8_1d,
        int64_1d,
    )
)
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
    history_words = np.zeros(N_HISTORY_WORDS, np.uint64)
    activity_words = np.zeros(N_ACTIVITY_WORDS, np.uint64)
    tally_words = np.zeros(N_TALLY_WORDS, np.uint64)
    identity_words = np.zeros(N_IDENTITY_WORDS, np.uint64)
    history = history_words.view(HISTORY_DTYPE)[0]
    activity = activity_words.view(ACTIVITY_DTYPE)[0]
    tally = tally_words.view(TALLY_DTYPE)[0]
    identity = identity_words.view(IDENTITY_DTYPE)[0]
    n_rows = rows.shape[0]
    start = row = n = 0
    for number in range(ends.shape[0]):
        end, layout = ends[number], LAYOUT_OF[entities[number]]
        words = pick_words(layout, history_words, activity_words, tally_words, identity_words)
        if end > start and not unpack_words(data, start, end, layout, words):
            return out, number
        first = row
        while row < n_rows and owners[row] == number:
            if layout == HISTORY:
                fold_history(history, rows[row], embeddings)
            elif layout == ACTIVITY:
                fold_activity(activity, rows[row])
            elif layout == TALLY:
                fold_tally(tally, rows[row])
            else:
                fold_identity(identity, rows[row])
            row += 1
        if end > start or row > first:
            if out.shape[0] - n < _ROOM:
                out = _grow(out, n)
            new_start = n
            n = pack_words(words, layout, out, n)
            clear_words(words, out, new_start)
        out_ends[number] = n
        start = end
    return out, -1


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
