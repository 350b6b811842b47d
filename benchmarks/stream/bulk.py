"""History in bulk: the fold alone, and a whole vector at every event."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.bulk import compute_vectors_at
from features.entities import N_ENTITIES, Entity
from features.log.cells import EventCells
from features.log.decode import decode_lines
from features.log.fan_out import FoldRows, to_fold_rows
from features.log.history import ask_at_cases
from features.log.request_columns import RequestRows, to_request_rows
from features.records.packing import PackedRecords
from features.refold import refold
from features.request_rows import REQUEST_ROW_DTYPE, Call
from stream.batches import take_rows
from stream.grouping import group_rows

# So that a thread whose processor was busy elsewhere leaves parts to the others.
_PARTS_PER_THREAD = 8
_SHARED = (Entity.CUSTOMER, Entity.ACTIVITY)


@dataclass(frozen=True, slots=True)
class History:
    """Decoded events."""

    cells: EventCells
    fold: FoldRows


def decode(lines: bytes) -> History:
    """Return JSON lines as rows."""
    buffer = np.frombuffer(lines, np.uint8)
    cells = decode_lines(buffer, np.flatnonzero(buffer == ord("\n")) + 1).cells
    return History(cells, to_fold_rows(cells))


def _time(repeats: int, work: Callable[[], object]) -> float:
    """Return the median seconds of a work; the first time is not counted."""
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def measure_fold(history: History, repeats: int) -> dict[str, float]:
    """Return events per second folded into new records of all their entities, stored form included.

    Rows are grouped by record before; threads, one per processor, share parts of the records.
    """
    fold, embeddings = history.fold, history.cells.embeddings
    grouped = group_rows(fold.entity_keys)
    rows = take_rows(fold.rows, grouped.order)
    entities = np.ascontiguousarray(fold.rows["entity"][grouped.firsts])
    n, n_threads = len(entities), os.cpu_count() or 1
    n_parts = n_threads * _PARTS_PER_THREAD
    bounds = np.searchsorted(grouped.owners, np.linspace(0, n, n_parts + 1).astype(np.int64))

    def run_part(part: int) -> int:
        mine = slice(int(bounds[part]), int(bounds[part + 1]))
        owners = grouped.owners[mine]
        first, last = int(owners[0]), int(owners[-1]) + 1
        nothing = PackedRecords(np.empty(0, np.uint8), np.zeros(last - first, np.int64))
        return len(
            refold(nothing, entities[first:last], rows[mine], owners - first, embeddings).buffer
        )

    def run() -> None:
        with ThreadPoolExecutor(n_threads) as threads:
            list(threads.map(run_part, range(n_parts)))

    seconds = _time(repeats, run)
    return {
        "bulk_fold_events_per_s": len(history.cells) / seconds,
        "bulk_fold_rows_per_s": len(rows) / seconds,
    }


def ask_at_every_event(cells: EventCells, fold: FoldRows) -> RequestRows:
    """Return a question at each event: cases as they are, others of what they name."""
    n = len(cells)
    requests = np.zeros(n, REQUEST_ROW_DTYPE)
    requests["time_us"] = cells.head["ingest_us"]
    requests["call"] = Call.RETURN
    requests["channel"] = cells.head["channel"]
    keys = np.zeros((n, N_ENTITIES, 16), np.uint8)
    is_named = np.zeros((n, N_ENTITIES), np.bool_)
    entities = fold.rows["entity"]
    keys[fold.event_index, entities] = fold.entity_keys
    is_named[fold.event_index, entities] = True
    cases = to_request_rows(cells)
    requests[cases.event_index] = cases.rows
    keys[cases.event_index] = cases.entity_keys
    is_named[cases.event_index] = cases.is_named
    _name_both(fold, keys, is_named)
    return RequestRows(requests, keys, is_named, np.arange(n), np.full(n, -1, np.int64))


def _name_both(
    fold: FoldRows, keys: npt.NDArray[np.uint8], is_named: npt.NDArray[np.bool_]
) -> None:
    """Name both records of each event's customer, whichever the event itself changes."""
    for entity in _SHARED:
        other = _SHARED[1 - _SHARED.index(entity)]
        customers = fold.customer_keys.view("V16").ravel()
        numbers = np.unique(customers, return_inverse=True)[1]
        known = np.zeros((int(numbers.max(initial=-1)) + 1, 16), np.uint8)
        known[numbers[is_named[:, entity]]] = keys[is_named[:, entity], entity]
        has_none = is_named[:, other] & ~is_named[:, entity]
        keys[has_none, entity] = known[numbers[has_none]]
        is_named[:, entity] |= has_none


def measure_vectors(history: History, repeats: int) -> dict[str, float]:
    """Return vectors per second at every event, and at the cases only, sorting included."""
    fold, embeddings = history.fold, history.cells.embeddings
    every = ask_at_every_event(history.cells, fold)
    only = ask_at_cases(history.cells, fold)

    def run(asked: RequestRows) -> float:
        return _time(
            repeats,
            lambda: compute_vectors_at(
                fold.rows,
                fold.entity_keys,
                embeddings,
                asked.rows,
                asked.entity_keys,
                asked.is_named,
            ),
        )

    return {
        "training_rows_per_s": len(every.rows) / run(every),
        "case_rows_per_s": len(only.rows) / run(only),
    }
