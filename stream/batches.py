"""What travels through the dataflow: columns, never single events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.store.port import ShardTotals


@dataclass(frozen=True, slots=True)
class PartitionRange:
    """A stretch of rows of one source partition, and what passing it means.

    Attributes:
        source_id: Source partition id: the log's incarnation and the partition's
            number, as `5f0c.../03`. Positions are kept under it.
        partition: The partition's number in the log.
        start_offset: Offset of the first row.
        next_offset: Offset behind the last row; equal to `start_offset` if there is none.
        passed_ingest_us: No row behind this range has an `ingest_time` at or before
            this one. Microseconds UTC.
    """

    source_id: str
    partition: int
    start_offset: int
    next_offset: int
    passed_ingest_us: int


@dataclass(frozen=True, slots=True)
class ShardBatch:
    """The rows of one range that belong to one shard; often few, sometimes none.

    Attributes:
        shard: Owner of the rows.
        range: Where they come from. Every shard gets every range, so that its
            progress advances even when none of the rows are its own.
        offsets: Shape `(n,)`, int64, ascending.
        event_keys: Shape `(n,)`, uint64.
        content_hashes: Shape `(n,)`, uint64.
        ingest_us: Shape `(n,)`, int64.
        fold_places: Shape `(n,)`, int64: place in `fold_rows`; -1 for a row that
            changes no record.
        fold_rows: Shape `(m,)` of `FOLD_ROW_DTYPE`.
        entity_keys: Shape `(m, 16)`, uint8: whose record each fold row changes.
    """

    shard: int
    range: PartitionRange
    offsets: npt.NDArray[np.int64]
    event_keys: npt.NDArray[np.uint64]
    content_hashes: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]
    fold_places: npt.NDArray[np.int64]
    fold_rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class ShardOutcome:
    """What became of the rows that one shard was given in one step.

    Attributes:
        shard: The shard.
        totals: Row counts of this step.
        already_applied: Rows that an earlier run had applied.
        applied_ingest_us: The shard's progress after the step.
    """

    shard: int
    totals: ShardTotals
    already_applied: int
    applied_ingest_us: int
