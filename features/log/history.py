"""A log's accepted events in memory, as bulk work reads them: fold rows, questions, columns.

Batches are decoded side by side; what comes out stands in the order of partitions and
offsets, whatever the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bulk import ToldEvents, compute_vectors_at
from features.compiled import array_of, compiled, int64, int64_1d, uint64_2d, void
from features.fold_rows import FOLD_ROW_DTYPE
from features.keys import ENTITY_KEY_SIZE
from features.log.arrow_access import to_batch
from features.log.arrow_cells import from_arrow
from features.log.batch_work import map_batches
from features.log.cells import EventCells, build_empty_cells
from features.log.fan_out import FoldRows, to_fold_rows
from features.log.reader import EventLog
from features.log.request_columns import RequestRows, join_requests, to_request_rows
from features.log.schema import EVENT_SCHEMA
from features.log.validation import validate_batch

_ROWS = array_of(FOLD_ROW_DTYPE)

Ask = Callable[[EventCells, FoldRows], RequestRows]
"""What is asked of some events and their fold rows."""


def ask_at_cases(cells: EventCells, _: FoldRows) -> RequestRows:
    """Return a question at each order, cancel request and return."""
    return to_request_rows(cells)


@dataclass(frozen=True, slots=True)
class History:
    """What a log tells; `n` accepted events, `m` fold rows.

    Attributes:
        rows: Shape `(m,)` of `FOLD_ROW_DTYPE`, the rows of one event together.
        entity_keys: Shape `(m, 16)`, uint8.
        event_index: Shape `(m,)`, int64: each row's event.
        embeddings: Shape `(k, DIM)`, int8: what the rows' `embedding` counts.
        event_keys: Shape `(n,)`, uint64.
        ingest_us: Shape `(n,)`, int64.
        asked: The questions; their `event_index` counts the log's events.
        events: The columns that were wanted, `n` rows.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    event_index: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.int8]
    event_keys: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]
    asked: RequestRows
    events: pa.RecordBatch

    def compute_vectors(self, asked: RequestRows | None = None) -> npt.NDArray[np.float32]:
        """Return the vector of each question as of its time, shape `(q, N_FEATURES)`.

        Args:
            asked: Other questions than the history's own.
        """
        wanted = self.asked if asked is None else asked
        return compute_vectors_at(
            self.rows,
            self.entity_keys,
            self.embeddings,
            wanted.rows,
            wanted.entity_keys,
            wanted.is_named,
            events=ToldEvents(self.event_index, self.event_keys, self.ingest_us),
        )

    def find_first_tellings(self) -> npt.NDArray[np.bool_]:
        """Return which events were not told before, in the order of ingest, shape `(n,)`."""
        order = np.argsort(self.ingest_us, kind="stable")
        is_first = np.zeros(len(order), np.bool_)
        is_first[order[np.unique(self.event_keys[order], return_index=True)[1]]] = True
        return is_first


@dataclass(frozen=True, slots=True)
class _Part:
    """What one batch tells."""

    fold: FoldRows
    ingest_us: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.int8]
    asked: RequestRows
    events: pa.RecordBatch | None


def read_history(
    log: EventLog,
    ask: Ask = ask_at_cases,
    columns: Sequence[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Return what the accepted events of a log tell, and what is asked of them.

    Repetitions are still in it: vectors do not see them, see `find_first_tellings` for
    the events.

    Args:
        log: The event log.
        ask: Makes the questions of a batch; called in several threads.
        columns: Columns of the log to keep.
        progress: Told how many rows were read since the last call.

    Raises:
        LogFormatError: The log is broken.
    """

    def work(offset: int, batch: pa.RecordBatch) -> tuple[int, _Part]:
        validated = validate_batch(batch, offset)
        cells = from_arrow(validated.valid, payloads=validated.payloads)
        fold = to_fold_rows(cells)
        kept = validated.valid.select(list(columns))
        part = _Part(fold, cells.head["ingest_us"], cells.embeddings, ask(cells, fold), kept)
        return batch.num_rows, part

    schema = pa.schema([EVENT_SCHEMA.field(name) for name in columns])
    nothing = build_empty_cells()
    told = to_fold_rows(nothing)
    # Of a log without rows there is this.
    parts = [_Part(told, nothing.head["ingest_us"], nothing.embeddings, ask(nothing, told), None)]
    for n_read, part in map_batches(log, work):
        parts.append(part)
        progress(n_read)
    return _join(parts, schema)


@compiled(
    void(
        *(_ROWS, uint64_2d, int64_1d),
        *(int64, int64, int64),
        *(_ROWS, uint64_2d, int64_1d),
    )
)
def _place(
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    event_index: npt.NDArray[np.int64],
    first: int,
    first_event: int,
    first_embedding: int,
    all_rows: npt.NDArray[Any],
    all_keys: npt.NDArray[np.uint64],
    all_index: npt.NDArray[np.int64],
) -> None:
    """Write a part's rows to where they stand in the whole, from `first` on."""
    for r in range(rows.shape[0]):
        all_rows[first + r] = rows[r]
        if rows[r]["embedding"] >= 0:
            all_rows[first + r]["embedding"] += first_embedding
        all_keys[first + r, 0] = keys[r, 0]
        all_keys[first + r, 1] = keys[r, 1]
        all_index[first + r] = event_index[r] + first_event


def _join_rows(
    parts: Sequence[_Part],
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return rows, entity keys and event index of the whole; the copying is shared by threads."""
    firsts = _count_before([len(part.fold.rows) for part in parts])
    first_events = _count_before([len(part.fold.event_keys) for part in parts])
    first_embeddings = _count_before([len(part.embeddings) for part in parts])
    n = firsts[-1]
    rows, index = np.empty(n, FOLD_ROW_DTYPE), np.empty(n, np.int64)
    keys = np.empty((n, ENTITY_KEY_SIZE // 8), np.uint64)

    def place(number: int) -> None:
        fold = parts[number].fold
        _place(
            fold.rows,
            fold.entity_keys.view(np.uint64),
            fold.event_index,
            firsts[number],
            first_events[number],
            first_embeddings[number],
            rows,
            keys,
            index,
        )

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(place, range(len(parts))))
    return rows, keys.view(np.uint8).reshape(n, ENTITY_KEY_SIZE), index


def _count_before(sizes: Sequence[int]) -> list[int]:
    """Return how much stands before each part, and in all."""
    return [0, *np.cumsum(sizes).tolist()]


def _join(parts: Sequence[_Part], schema: pa.Schema) -> History:
    rows, keys, index = _join_rows(parts)
    first_events = _count_before([len(part.fold.event_keys) for part in parts])
    asked = [
        replace(part.asked, event_index=part.asked.event_index + first)
        for part, first in zip(parts, first_events, strict=False)
    ]
    batches = [part.events for part in parts if part.events is not None]
    return History(
        rows=rows,
        entity_keys=keys,
        event_index=index,
        embeddings=np.concatenate([part.embeddings for part in parts]),
        event_keys=np.concatenate([part.fold.event_keys for part in parts]),
        ingest_us=np.concatenate([part.ingest_us for part in parts]),
        asked=join_requests(asked),
        events=to_batch(pa.Table.from_batches(batches, schema)),
    )
