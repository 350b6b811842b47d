"""A log's accepted events in memory, as bulk work reads them: fold rows, questions, columns.

Batches are decoded side by side; what comes out stands in the order of partitions and
offsets, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bulk import compute_vectors_at
from features.fold_rows import FOLD_ROW_DTYPE
from features.log.arrow_access import to_batch
from features.log.arrow_cells import from_arrow
from features.log.batch_work import map_batches
from features.log.cells import EventCells, build_empty_cells
from features.log.fan_out import FoldRows, to_fold_rows
from features.log.reader import EventLog
from features.log.request_columns import RequestRows, join_requests, to_request_rows
from features.log.schema import EVENT_SCHEMA
from features.log.validation import validate_batch

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
            event_index=self.event_index,
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


def _join(parts: Sequence[_Part], schema: pa.Schema) -> History:
    rows, index, asked = [], [], []
    n_events = n_embeddings = 0
    for part in parts:
        part.fold.rows["embedding"][part.fold.rows["embedding"] >= 0] += n_embeddings
        # Words: NumPy joins rows of many fields one field at a time.
        rows.append(part.fold.rows.view(np.int64))
        index.append(part.fold.event_index + n_events)
        asked.append(replace(part.asked, event_index=part.asked.event_index + n_events))
        n_events += len(part.fold.event_keys)
        n_embeddings += len(part.embeddings)
    batches = [part.events for part in parts if part.events is not None]
    return History(
        rows=np.concatenate(rows).view(FOLD_ROW_DTYPE),
        entity_keys=np.concatenate([part.fold.entity_keys for part in parts]),
        event_index=np.concatenate(index),
        embeddings=np.concatenate([part.embeddings for part in parts]),
        event_keys=np.concatenate([part.fold.event_keys for part in parts]),
        ingest_us=np.concatenate([part.ingest_us for part in parts]),
        asked=join_requests(asked),
        events=to_batch(pa.Table.from_batches(batches, schema)),
    )
