"""History in bulk: the vectors that serving would have seen, from the event log.

Each entity's events are folded in the order in which the log took them in, and
each request gets its vector when all events with `ingest_time <= T` are folded
and no later one: the same compiled folds and facts as live, one entity at a time.
Entities, and ranges of their keys, are independent, so threads share the work;
each writes its own columns, and what comes out does not depend on their number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.bulk.grouping import Part, group_part, make_parts
from features.bulk.tellings import ToldEvents, order_first_tellings
from features.bulk.walks import (
    ASK_DTYPE,
    ASK_FIELDS,
    walk_activities,
    walk_histories,
    walk_identities,
    walk_tallies,
    write_known_columns,
)
from features.definitions import N_FEATURES
from features.embedding import DIM
from features.entities import LAYOUTS, Layout
from features.keys import ENTITY_KEY_SIZE
from features.plan import N_FACTS, SUMS_SHAPE
from features.records.layouts import RECORD_DTYPES

_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class _History:
    """All that the walks share: nothing of it but `out` is written."""

    rows: npt.NDArray[Any]
    row_keys: npt.NDArray[np.uint8]
    embeddings: npt.NDArray[np.int8]
    requests: npt.NDArray[Any]
    asks: npt.NDArray[Any]
    request_keys: npt.NDArray[np.uint8]
    by_time: npt.NDArray[np.int64]
    out: npt.NDArray[np.float32]


def _own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array as the kernels want it; a copy only if it is not so already."""
    return np.require(array, requirements=["C", "W"])


def _walk_part(history: _History, part: Part) -> None:
    """Write the columns of a part's entity for the requests in it."""
    groups = group_part(part, history.row_keys, history.by_time, history.request_keys)
    layout = LAYOUTS[part.entity]
    scratch = np.zeros(2, RECORD_DTYPES[layout])
    sums, facts = np.zeros(SUMS_SHAPE, np.int64), np.full(N_FACTS, np.nan)
    given = (
        history.rows,
        groups.row_starts,
        groups.row_order,
        groups.ask_starts,
        groups.ask_order,
    )
    written = (sums, facts, history.out)
    if layout is Layout.HISTORY:
        unit_sum = np.zeros(DIM)
        walk_histories(scratch, history.embeddings, unit_sum, *given, history.requests, *written)
    elif layout is Layout.ACTIVITY:
        walk_activities(scratch, *given, history.asks, *written)
    elif layout is Layout.TALLY:
        walk_tallies(scratch, part.entity, *given, history.asks, *written)
    else:
        walk_identities(scratch, part.entity, *given, history.asks, *written)


def compute_vectors_at(
    rows: npt.NDArray[Any],
    row_keys: npt.NDArray[np.uint8],
    embeddings: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
    request_keys: npt.NDArray[np.uint8],
    is_named: npt.NDArray[np.bool_],
    n_threads: int | None = None,
    events: ToldEvents | None = None,
) -> npt.NDArray[np.float32]:
    """Return each request's vector as of its own time.

    Args:
        rows: Shape `(n,)` of `FOLD_ROW_DTYPE`, accepted events in log order (which
            decides between tellings of one event), the rows of one event together;
            repeats are dropped.
        row_keys: Shape `(n, 16)`: the key of each row's entity.
        embeddings: Shape `(k, DIM)`: what the rows' `embedding` points into.
        requests: Shape `(q,)` of `REQUEST_ROW_DTYPE`, in any order.
        request_keys: Shape `(q, N_ENTITIES, 16)`; ignored where not named.
        is_named: Shape `(q, N_ENTITIES)`: which entities a request names.
        n_threads: Threads that share the work; default: one per processor.
        events: What is known of the events that the rows are of; see `order_first_tellings`
            for what goes without it.

    Returns:
        Shape `(q, N_FEATURES)`, float32, in the order of `requests`.
    """
    rows, row_keys = _own(rows), _own(row_keys)
    requests, is_named = _own(requests), _own(is_named)
    history = _History(
        rows=rows,
        row_keys=row_keys,
        embeddings=_own(embeddings),
        requests=requests,
        asks=_shorten(requests),
        request_keys=_own(request_keys).reshape(-1, ENTITY_KEY_SIZE),
        by_time=np.argsort(requests["time_us"], kind="stable"),
        out=np.empty((len(requests), N_FEATURES), np.float32),
    )

    def write_chunk(first: int) -> None:
        end = min(first + _CHUNK, len(requests))
        facts = np.full(N_FACTS, np.nan)
        write_known_columns(requests, is_named, first, end, facts, history.out)

    with ThreadPoolExecutor(n_threads or os.cpu_count() or 1) as threads:
        known = threads.map(write_chunk, range(0, len(requests), _CHUNK))
        parts = make_parts(
            rows,
            order_first_tellings(rows, events),
            row_keys,
            history.by_time,
            history.request_keys,
            is_named,
        )
        _await(known)
        _await(threads.map(lambda part: _walk_part(history, part), parts))
    return history.out


def _shorten(requests: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what most walks want of the requests, shape `(q,)` of `ASK_DTYPE`."""
    # Each in a line of the cache of its own.
    raw = np.zeros((len(requests) + 1) * ASK_DTYPE.itemsize, np.uint8)
    first = -raw.ctypes.data % ASK_DTYPE.itemsize
    asks = raw[first : first + len(requests) * ASK_DTYPE.itemsize].view(ASK_DTYPE)
    for name in ASK_FIELDS:
        asks[name] = requests[name]
    return asks


def _await(results: Iterable[None]) -> None:
    """Wait for all; raise what any of them raised."""
    for _ in results:
        pass


__all__ = ["ToldEvents", "compute_vectors_at"]
