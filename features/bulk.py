"""History in bulk: the vectors that serving would have seen, from the event log.

Each customer's events are folded in the order in which the log took them in, and
each request gets its vector when all events with `ingest_time <= T` are folded
and no later one. One pass, one record at a time, the same compiled fold and
vector as live.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import array_of, compiled, float32_2d, int8_1d, int64_1d, int64_2d, void
from features.definitions import N_FEATURES
from features.fold import fold_row
from features.fold_rows import FOLD_ROW_DTYPE
from features.keys import ENTITY_KEY_SIZE, N_SHARDS
from features.plan import N_FACTS, N_SUM_COLUMNS, N_SUM_ROWS, PLAN_RATIOS, PLAN_SOURCES
from features.record import RECORD_DTYPE, new_records
from features.request_rows import REQUEST_ROW_DTYPE
from features.vector import STATE_GUEST, STATE_KNOWN, STATE_NEW, fill_row


@compiled(
    void(
        array_of(RECORD_DTYPE),
        array_of(FOLD_ROW_DTYPE),
        int64_1d,
        int64_1d,
        array_of(REQUEST_ROW_DTYPE),
        int64_1d,
        int64_1d,
        int8_1d,
        int64_2d,
        int64_2d,
        float32_2d,
    )
)
def _walk_history(
    scratch: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    row_order: npt.NDArray[np.int64],
    row_owner: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    request_order: npt.NDArray[np.int64],
    request_owner: npt.NDArray[np.int64],
    states: npt.NDArray[np.int8],
    ratios: npt.NDArray[np.int64],
    sources: npt.NDArray[np.int64],
    out: npt.NDArray[np.float32],
) -> None:
    """Merge events and requests, both in (owner, time) order, with one record at hand.

    `scratch` holds two records: the one at hand and an empty one to start over from.
    """
    sums = np.zeros((N_SUM_ROWS, N_SUM_COLUMNS), np.int64)
    facts = np.zeros(N_FACTS, np.float64)
    record = scratch[0]
    owner, n_folded, r = np.int64(-1), 0, 0
    for q in range(request_order.shape[0]):
        i = request_order[q]
        request = requests[i]
        if request_owner[i] != owner:
            owner, n_folded = request_owner[i], 0
            scratch[0] = scratch[1]
            while r < row_order.shape[0] and row_owner[row_order[r]] < owner:
                r += 1
        while r < row_order.shape[0]:
            j = row_order[r]
            if row_owner[j] != owner or rows[j]["ingest_time_us"] > request["time_us"]:
                break
            fold_row(record, rows[j])
            n_folded += 1
            r += 1
        state = int(states[i])
        if state != STATE_GUEST:
            state = STATE_KNOWN if n_folded else STATE_NEW
        fill_row(record, state, request, ratios, sources, sums, facts, out[i])


def _find_first_tellings(
    event_keys: npt.NDArray[np.uint64], shards: npt.NDArray[np.uint8]
) -> npt.NDArray[np.bool_]:
    """Return which rows tell their event for the first time in their shard, as the stream does."""
    order = np.lexsort((shards, event_keys))  # Stable: ties stay in the order given.
    keys, places = event_keys[order], shards[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[order[1:]] = (keys[1:] != keys[:-1]) | (places[1:] != places[:-1])
    return is_first


def compute_vectors_at(
    rows: npt.NDArray[Any],
    row_keys: npt.NDArray[np.uint8],
    requests: npt.NDArray[Any],
    request_keys: npt.NDArray[np.uint8],
    is_guest: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    """Return each request's vector as of its own time.

    Args:
        rows: Shape `(n_rows,)` of `FOLD_ROW_DTYPE`, accepted events in log order
            (which decides between tellings of one event); repeats are dropped.
        row_keys: Shape `(n_rows, 16)`: the entity key of each row's customer.
        requests: Shape `(n,)` of `REQUEST_ROW_DTYPE`, in any order.
        request_keys: Shape `(n, 16)`.
        is_guest: Shape `(n,)`: requests without a customer.

    Returns:
        Shape `(n, N_FEATURES)`, float32, in the order of `requests`.
    """
    n = len(requests)
    out = np.empty((n, N_FEATURES), np.float32)
    keys = np.ascontiguousarray(np.concatenate([row_keys, request_keys]))
    owners = np.unique(keys.view(f"V{ENTITY_KEY_SIZE}").ravel(), return_inverse=True)[1]
    owners = owners.astype(np.int64)
    row_owner, request_owner = owners[: len(rows)].copy(), owners[len(rows) :].copy()
    request_owner[is_guest] = np.iinfo(np.int64).max  # Guests own no events and come last.
    by_ingest = np.argsort(rows["ingest_time_us"], kind="stable")
    shards = (row_keys[by_ingest, 0] & (N_SHARDS - 1)).astype(np.uint8)
    by_ingest = by_ingest[_find_first_tellings(rows["event_key"][by_ingest], shards)]
    row_order = by_ingest[np.argsort(row_owner[by_ingest], kind="stable")]
    request_order = np.lexsort((requests["time_us"], request_owner))
    states = np.where(is_guest, STATE_GUEST, STATE_NEW).astype(np.int8)
    _walk_history(
        new_records(2),
        np.ascontiguousarray(rows),
        row_order,
        row_owner,
        np.ascontiguousarray(requests),
        request_order,
        request_owner,
        states,
        PLAN_RATIOS,
        PLAN_SOURCES,
        out,
    )
    return out
