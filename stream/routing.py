"""Rows of the log to the batches of the shards: validate, decode, split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.keys import N_SHARDS
from features.log.columns import to_fold_rows
from features.log.partitioning import CUSTOMER, compute_entity_keys, compute_event_keys
from features.log.schema import KIND_COLUMN
from features.log.validation import Rejection, validate_batch
from stream.batches import PartitionRange, ShardBatch
from stream.content_hash import compute_content_hashes
from stream.sources import SourceBatch


@dataclass(frozen=True, slots=True)
class RoutedBatch:
    """One range of the log, split.

    Attributes:
        shard_batches: One per shard, in order, also where it has no rows.
        rejected: Rows that are no acceptable events; `offset` counts in the partition.
        kinds: Number of valid rows by kind of event.
    """

    shard_batches: tuple[ShardBatch, ...]
    rejected: tuple[Rejection, ...]
    kinds: dict[str, int]


def route_batch(source: SourceBatch) -> RoutedBatch:
    """Return a range's rows by the shards that own them.

    A row belongs to its customer's shard, one without customer to the shard of its
    event key. Only the event's own fields decide, so a repetition always meets the
    shard that saw the first telling.
    """
    start = source.range.start_offset
    validated = validate_batch(source.rows, start)
    columns = _decode(validated.valid, start + validated.valid_index)
    order = np.argsort(columns.shards, kind="stable")
    ends = np.searchsorted(columns.shards[order], np.arange(N_SHARDS + 1))
    batches = tuple(
        columns.take(order[ends[shard] : ends[shard + 1]], source.range, shard)
        for shard in range(N_SHARDS)
    )
    kinds = pc.value_counts(validated.valid.column(KIND_COLUMN)).to_pylist()
    counts = Counter({each["values"]: each["counts"] for each in kinds})
    return RoutedBatch(batches, validated.rejected, counts)


@dataclass(frozen=True, slots=True)
class _Columns:
    """All valid rows of a range, before they are split; as in `ShardBatch`."""

    shards: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    event_keys: npt.NDArray[np.uint64]
    content_hashes: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]
    fold_places: npt.NDArray[np.int64]
    fold_rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]

    def take(
        self, places: npt.NDArray[np.int64], of_range: PartitionRange, shard: int
    ) -> ShardBatch:
        """Return the rows at the places as one shard's batch."""
        fold_places = self.fold_places[places]
        is_folded = fold_places >= 0
        chosen = fold_places[is_folded]
        own_places = np.full(len(places), -1, np.int64)
        own_places[is_folded] = np.arange(len(chosen))
        return ShardBatch(
            shard=shard,
            range=of_range,
            offsets=self.offsets[places],
            event_keys=self.event_keys[places],
            content_hashes=self.content_hashes[places],
            ingest_us=self.ingest_us[places],
            fold_places=own_places,
            fold_rows=self.fold_rows[chosen],
            entity_keys=self.entity_keys[chosen],
        )


def _decode(valid: pa.RecordBatch, offsets: npt.NDArray[np.int64]) -> _Columns:
    """Return the columns of valid rows; `offsets` are their places in the partition."""
    n_rows = valid.num_rows
    folded = to_fold_rows(valid)
    fold_places = np.full(n_rows, -1, np.int64)
    fold_places[folded.source_index] = np.arange(len(folded.rows))
    event_keys = np.zeros(n_rows, np.uint64)
    event_keys[folded.source_index] = folded.rows["event_key"]
    shards = np.zeros(n_rows, np.int64)
    shards[folded.source_index] = folded.shards
    others = np.flatnonzero(fold_places < 0)
    if len(others):
        event_keys[others], shards[others] = _decode_others(valid, others)
    return _Columns(
        shards=shards,
        offsets=offsets,
        event_keys=event_keys,
        content_hashes=compute_content_hashes(valid),
        ingest_us=valid.column("ingest_time").cast(pa.int64()).to_numpy(),
        fold_places=fold_places,
        fold_rows=folded.rows,
        entity_keys=folded.entity_keys,
    )


def _decode_others(
    valid: pa.RecordBatch, places: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return event keys and shards of rows that change no record."""
    taken = valid.select(["tenant", "event_id", "customer_id"]).take(pa.array(places))
    tenants, customers = taken.column("tenant"), taken.column("customer_id")
    event_keys = compute_event_keys(tenants, taken.column("event_id"))
    of_customer = compute_entity_keys(tenants, CUSTOMER, customers)[:, 0] & (N_SHARDS - 1)
    of_event = (event_keys & np.uint64(N_SHARDS - 1)).astype(np.int64)
    is_guest = pc.equal(customers, "").to_numpy(zero_copy_only=False)
    return event_keys, np.where(is_guest, of_event, of_customer.astype(np.int64))
