"""How far a store has come, read while a stream may be writing to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from features.keys import N_SHARDS
from features.log.manifest import LogManifest
from features.store.port import FeatureReader, ShardState, ShardTotals
from stream.dead_letters import count_by_reason
from stream.sources import find_start_offset, list_source_ids
from stream.summary import PartitionSummary, to_time


class StoreStatus(msgspec.Struct, frozen=True):
    """What a store holds of its log.

    Attributes:
        incarnations: The logs that it was filled from; one, in a sound store.
        partitions: Per partition, what *all* shards have applied.
        applied_ingest_time: All events up to here are in the records; None: none.
        totals: What became of all rows since the store was made. Repetitions and
            conflicts included, invalid rows not.
        dead_letters: Rows on file as dead letters, by reason.
        rows_behind: Rows of the log not yet applied; None without a log to compare.
        lag_s: The log's last ingest time minus `applied_ingest_time`, seconds; None
            without a log to compare, or if nothing is applied.
    """

    incarnations: tuple[str, ...]
    partitions: tuple[PartitionSummary, ...]
    applied_ingest_time: datetime | None
    totals: ShardTotals
    dead_letters: dict[str, int]
    rows_behind: int | None
    lag_s: float | None


def read_status(
    store: FeatureReader, dead_letters: Path, manifest: LogManifest | None = None
) -> StoreStatus:
    """Return how far a store has come.

    Args:
        store: The store.
        dead_letters: Folder of the dead letters.
        manifest: The log's, to compare with; its partitions are then listed even
            where nothing of them is applied.
    """
    states = [store.read_shard_state(shard) for shard in range(N_SHARDS)]
    held = {source_id for state in states for source_id in state.next_offsets}
    source_ids = sorted(held.union(list_source_ids(manifest) if manifest else ()))
    partitions = tuple(_summarise(source_id, states) for source_id in source_ids)
    applied_us = min(state.applied_ingest_us for state in states)
    totals = ShardTotals()
    for state in states:
        totals += state.totals
    behind, lag = None, None
    if manifest is not None and manifest.n_events is not None:
        known = set(list_source_ids(manifest))
        behind = manifest.n_events - sum(
            find_start_offset(source_id, states) for source_id in held & known
        )
        if manifest.last_ingest_time is not None and applied_us:
            lag = max(manifest.last_ingest_time - to_time(applied_us), timedelta())
    return StoreStatus(
        incarnations=tuple(sorted({source_id.rpartition("/")[0] for source_id in held})),
        partitions=partitions,
        applied_ingest_time=to_time(applied_us) if applied_us else None,
        totals=totals,
        dead_letters=count_by_reason(dead_letters),
        rows_behind=behind,
        lag_s=None if lag is None else lag.total_seconds(),
    )


def _summarise(source_id: str, states: list[ShardState]) -> PartitionSummary:
    passed_us = min(state.partition_ingest_us.get(source_id, 0) for state in states)
    return PartitionSummary(
        partition=int(source_id.rpartition("/")[2]),
        next_offset=find_start_offset(source_id, states),
        passed_ingest_time=to_time(passed_us) if passed_us else None,
    )
