"""How far a store has come, read while a stream may be writing to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from features.keys import N_SHARDS
from features.store.port import FeatureReader, ShardState, ShardTotals
from stream.dead_letters import count_by_reason
from stream.progress import (
    REPLAY_PREFIX,
    find_start_offset,
    get_incarnation,
    make_source_id,
)
from stream.running_state import RunningState, read_running_states
from stream.sources.port import Source
from stream.summary import PartitionSummary, to_time


class LedgerReader(FeatureReader, Protocol):
    """A reader that sees both ledgers' progress."""

    def read_seen_state(self, shard: int) -> ShardState:
        """Return how far a shard of the seen ledger has come."""
        ...


class StoreStatus(msgspec.Struct, frozen=True):
    """What a store holds of its source, and what the stream tells of itself.

    Attributes:
        incarnations: The logs that it was filled from; one, in a sound store.
        partitions: Per partition, what *all* shards have applied, and what is there.
        applied_ingest_time: All events up to here are in the records; None: none.
        totals: What became of all events since the store was made. Repetitions and
            conflicts included, invalid rows not.
        rows_folded: Changes of records since the store was made.
        dead_letters: Rows on file as dead letters, by reason.
        rows_behind: Rows of the log not yet applied; None if nobody knows.
        lag_s: The log's last ingest time (a running stream: now) minus
            `applied_ingest_time`, seconds; None if nobody knows.
        events_per_s: Rows read per second by the running stream; 0 if none runs.
        is_running: Whether a stream runs now.
        workers: What each process of the stream last told.
    """

    incarnations: tuple[str, ...]
    partitions: tuple[PartitionSummary, ...]
    applied_ingest_time: datetime | None
    totals: ShardTotals
    rows_folded: int
    dead_letters: dict[str, int]
    rows_behind: int | None
    lag_s: float | None
    events_per_s: float
    is_running: bool
    workers: tuple[RunningState, ...]


def read_status(
    store: LedgerReader,
    dead_letters: Path,
    state: Path,
    source: Source | None = None,
    now_us: int = 0,
) -> StoreStatus:
    """Return how far a store has come.

    Args:
        store: The store.
        dead_letters: Folder of the dead letters.
        state: Folder where the stream tells of itself.
        source: To compare with; its partitions are then listed even where nothing
            of them is applied.
        now_us: The wall clock, for the lag of a running stream.
    """
    states = [store.read_shard_state(shard) for shard in range(N_SHARDS)]
    held = {
        source_id
        for each in states
        for source_id in each.next_offsets
        if not source_id.startswith(REPLAY_PREFIX)
    }
    known: set[str] = set()
    if source is not None:
        known = {make_source_id(source.incarnation, n) for n in range(source.n_partitions)}
    workers = read_running_states(state)
    ends = _find_ends(workers, source)
    partitions = tuple(_summarise(each, states, ends) for each in sorted(held | known))
    applied_us = min(each.applied_ingest_us for each in states)
    is_running = any(each.is_running for each in workers)
    last_us = source.last_ingest_us if source is not None else 0
    last_us = now_us if is_running else last_us
    behind = [each.rows_behind for each in partitions]
    return StoreStatus(
        incarnations=tuple(sorted({get_incarnation(source_id) for source_id in held})),
        partitions=partitions,
        applied_ingest_time=to_time(applied_us) if applied_us else None,
        totals=_sum_totals(store),
        rows_folded=sum(each.totals.folded for each in states),
        dead_letters=count_by_reason(dead_letters),
        rows_behind=None if None in behind or not behind else sum(each or 0 for each in behind),
        lag_s=_compute_lag_s(last_us, applied_us),
        events_per_s=sum(each.events_per_s for each in workers),
        is_running=is_running,
        workers=workers,
    )


def _sum_totals(store: LedgerReader) -> ShardTotals:
    """Return what became of all events; counted where they are told apart."""
    totals = ShardTotals()
    for shard in range(N_SHARDS):
        totals += store.read_seen_state(shard).totals
    return totals


def _compute_lag_s(last_us: int, applied_us: int) -> float | None:
    if not last_us or not applied_us:
        return None
    return max(timedelta(), to_time(last_us) - to_time(applied_us)).total_seconds()


def _find_ends(workers: tuple[RunningState, ...], source: Source | None) -> Mapping[str, int]:
    """Return the offsets behind the last rows, as the source or else the stream knows them."""
    ends: dict[str, int] = {}
    for worker in workers:
        for each in worker.partitions:
            if each.end_offset is not None:
                ends[make_source_id(worker.incarnation, each.partition)] = each.end_offset
    if source is not None:
        starts = dict.fromkeys(range(source.n_partitions), 0)
        reader = source.open_reader(starts, is_following=False, batch_size=1)
        for partition, end in reader.read_ends().items():
            ends[make_source_id(source.incarnation, partition)] = end
        reader.close()
    return ends


def _summarise(
    source_id: str, states: list[ShardState], ends: Mapping[str, int]
) -> PartitionSummary:
    passed_us = min(state.partition_ingest_us.get(source_id, 0) for state in states)
    return PartitionSummary(
        partition=int(source_id.rpartition("/")[2]),
        next_offset=find_start_offset(source_id, states),
        passed_ingest_time=to_time(passed_us) if passed_us else None,
        end_offset=ends.get(source_id),
    )
