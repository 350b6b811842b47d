"""What travels through the dataflow: columns of many events, never single events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.store.port import MAX_EARLY_US


@dataclass(frozen=True, slots=True)
class PartitionRange:
    """A stretch of rows of one source partition, and what passing it means.

    Attributes:
        source_id: Source partition id: the log's incarnation and the partition's
            number, as `5f0c.../03`. Positions are kept under it.
        partition: The partition's number in the source.
        start_offset: Offset of the first row.
        next_offset: Offset behind the last row; equal to `start_offset` if there is none.
        passed_ingest_us: No row behind this range has an `ingest_time` at or before
            this one, as far as its last event and the malformed rows behind it tell; 0:
            none tells. Microseconds UTC.
        idle_us: The source had nothing more at this moment of the log's clock; 0: it
            had, or does not say. Counts for freshness, never for forgetting ids.
        least_ingest_us: The earliest `ingest_time` of its events; 0: there is none.
    """

    source_id: str
    partition: int
    start_offset: int
    next_offset: int
    passed_ingest_us: int
    idle_us: int = 0
    least_ingest_us: int = 0

    @property
    def has_rows(self) -> bool:
        """Whether it is more than a mark that there is nothing more."""
        return self.next_offset > self.start_offset

    @property
    def has_events(self) -> bool:
        """Whether one of its rows is an event, whose time replaces what was told before."""
        return self.least_ingest_us > 0

    @property
    def visible_us(self) -> int:
        """Up to which `ingest_time` everything is in once the range is applied.

        A row that tells a time which the log's own clock has yet to reach tells nothing.
        """
        if self.idle_us and self.passed_ingest_us > self.idle_us + MAX_EARLY_US:
            return self.idle_us
        return max(self.passed_ingest_us, self.idle_us)


@dataclass(frozen=True, slots=True)
class BatchId:
    """Which batch of which reader; a reader numbers its batches from 0 without a gap."""

    reader: int
    number: int


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Events as dedup sees them; parallel arrays of shape `(n,)` in the order read.

    Attributes:
        range_index: int64: which of the batch's ranges the event stands in.
        offsets: int64: its offset there.
        event_keys: uint64, never 0.
        content_hashes: uint64, never 0: what the event says.
        tellings: uint64, never 0: hash of its source partition and offset.
        ingest_us: int64.
        customer_keys: uint8, shape `(n, 16)`: zeros for a guest.
    """

    range_index: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    event_keys: npt.NDArray[np.uint64]
    content_hashes: npt.NDArray[np.uint64]
    tellings: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]
    customer_keys: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offsets)

    def take(self, places: npt.NDArray[np.int64]) -> EventColumns:
        """Return the events at the places."""
        return EventColumns(
            self.range_index[places],
            self.offsets[places],
            self.event_keys[places],
            self.content_hashes[places],
            self.tellings[places],
            self.ingest_us[places],
            self.customer_keys[places],
        )


@dataclass(frozen=True, slots=True)
class EntityRows:
    """Fold rows and whose records they change.

    Attributes:
        rows: Shape `(m,)` of `FOLD_ROW_DTYPE`; those of one event stand together.
        keys: Shape `(m, 16)`, uint8: entity keys.
        event_index: Shape `(m,)`, int64, ascending: which of the events beside them
            each row belongs to.
        embeddings: Shape `(k, 64)`, int8; `rows["embedding"]` points here.
    """

    rows: npt.NDArray[Any]
    keys: npt.NDArray[np.uint8]
    event_index: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Decoded rows on their way to dedup: a whole batch, or one group's part of it.

    Attributes:
        id: The batch.
        ranges: What it covers. Every part has all of them, so that progress advances
            where no row is.
        events: The acceptable events.
        entities: Their rows.
    """

    id: BatchId
    ranges: tuple[PartitionRange, ...]
    events: EventColumns
    entities: EntityRows


@dataclass(frozen=True, slots=True)
class NewRows:
    """Rows of new events on their way to the records: a batch, or a part of it.

    Attributes:
        id: The batch.
        n_parts: In how many parts the batch comes; each dedup group sends one.
        ranges: What the batch covers.
        range_index: Shape `(m,)`, int64: range of each row.
        offsets: Shape `(m,)`, int64: offset of each row's event.
        ingest_us: Shape `(m,)`, int64: of each row's event.
        is_first: Shape `(m,)`, bool: whether the row is its event's first, so that an
            event is measured once.
        places: Shape `(m,)`, int64: where in `rows` each row stands. Rows are wide: those
            that are not new are passed over, not copied away.
        keys: Shape `(m, 16)`, uint8: entity keys.
        rows: Of `FOLD_ROW_DTYPE`, at least those named.
        embeddings: As in `EntityRows`.
    """

    id: BatchId
    n_parts: int
    ranges: tuple[PartitionRange, ...]
    range_index: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    ingest_us: npt.NDArray[np.int64]
    is_first: npt.NDArray[np.bool_]
    places: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint8]
    rows: npt.NDArray[Any]
    embeddings: npt.NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.places)

    def take(self, places: npt.NDArray[np.int64]) -> NewRows:
        """Return the rows at the places, of the same batch and ranges."""
        return replace(
            self,
            range_index=self.range_index[places],
            offsets=self.offsets[places],
            ingest_us=self.ingest_us[places],
            is_first=self.is_first[places],
            places=self.places[places],
            keys=take_rows(self.keys, places),
        )


def take_rows(rows: npt.NDArray[Any], places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return wide rows at the places; as `rows[places]`, but copied word by word.

    >>> import numpy as np
    >>> take_rows(np.array([(1, 2), (3, 4)], "<i8,<i8"), np.array([1]))["f1"].tolist()
    [4]
    """
    if rows.ndim == 2:
        words = rows.view(np.int64)
        return words.take(places, axis=0).view(rows.dtype)
    size = rows.dtype.itemsize // 8
    words = rows.view(np.int64).reshape(len(rows), size)
    return words.take(places, axis=0).view(rows.dtype).reshape(-1)


def join_rows(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return wide rows of several arrays, copied word by word.

    >>> import numpy as np
    >>> part = np.array([(1, 2)], "<i8,<i8")
    >>> join_rows([part, part])["f1"].tolist()
    [2, 2]
    """
    return np.concatenate([part.view(np.int64) for part in parts]).view(parts[0].dtype)
