"""The step that owns a shard: read, drop repetitions, fold, commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.fold import fold_rows
from features.log.validation import RejectionReason
from features.record import decode_records, encode_records
from features.store.port import (
    FeatureStore,
    SeenEvents,
    ShardProgress,
    ShardState,
    ShardTotals,
)
from stream.batches import PartitionRange, ShardBatch, ShardOutcome
from stream.dead_letters import DeadLetter, DeadLetterFiles, conflict_group
from stream.deduplication import Verdicts, decide_verdicts


class ShardFold:
    """Applies batches to one shard, each row once however often it is read.

    Its only state is the shard's progress as last committed; everything else is in
    the store. After an exception throw it away: the next one reads the store anew.

    Args:
        shard: The shard that it owns.
        store: Where records, seen ids and progress are kept.
        dead_letters: Where conflicts are filed.
        source_ids: All source partitions of the log. The shard has applied what the
            slowest of them has passed.
    """

    def __init__(
        self,
        shard: int,
        store: FeatureStore,
        dead_letters: DeadLetterFiles,
        source_ids: Sequence[str],
    ) -> None:
        self._shard = shard
        self._store = store
        self._dead_letters = dead_letters
        self._source_ids = tuple(source_ids)
        self._state = store.read_shard_state(shard)

    def apply(self, batches: Sequence[ShardBatch]) -> ShardOutcome:
        """Fold and commit batches in one transaction, and return what became of their rows.

        Args:
            batches: In the order of their ranges within each source partition.

        Raises:
            CommitConflictError: Somebody else committed to the shard.
            StoreUnavailableError: The store or the dead letters cannot be written.
        """
        batches = sorted(batches, key=lambda batch: batch.range.partition)
        fresh = _select_fresh(batches, self._state)
        seen_hashes = self._store.read_seen(self._shard, fresh.event_keys)
        verdicts = decide_verdicts(fresh.event_keys, fresh.content_hashes, seen_hashes)
        self._file_conflicts(batches, fresh, verdicts)
        places = fresh.fold_places[verdicts.is_new]
        places = places[places >= 0]
        n_new = int(verdicts.is_new.sum())
        totals = ShardTotals(
            folded=len(places),
            not_folded=n_new - len(places),
            duplicates=int(verdicts.is_duplicate.sum()),
            conflicts=int(verdicts.is_conflict.sum()),
        )
        progress = advance_progress(
            self._state, [batch.range for batch in batches], self._source_ids, totals
        )
        if len(fresh.event_keys) or _is_ahead(progress, self._state):
            records = self._fold(fresh.fold_rows[places], fresh.entity_keys[places])
            seen = SeenEvents(
                fresh.event_keys[verdicts.is_new],
                fresh.content_hashes[verdicts.is_new],
                fresh.ingest_us[verdicts.is_new],
            )
            version = self._store.commit(self._shard, self._state.version, records, seen, progress)
            self._state = ShardState.from_progress(version, progress)
        already_applied = sum(map(len, batches)) - len(fresh.event_keys)
        return ShardOutcome(self._shard, totals, already_applied, self._state.applied_ingest_us)

    def _fold(
        self, rows: npt.NDArray[Any], entity_keys: npt.NDArray[np.uint8]
    ) -> list[tuple[bytes, bytes]]:
        """Return the records that the rows change, folded and encoded, by ascending key."""
        keys, record_index = find_unique_keys(entity_keys)
        if not keys:
            return []
        records = decode_records(self._store.read_records(keys))
        fold_rows(records, record_index, np.ascontiguousarray(rows))
        return list(zip(keys, encode_records(records), strict=True))

    def _file_conflicts(
        self, batches: Sequence[ShardBatch], fresh: _FreshRows, verdicts: Verdicts
    ) -> None:
        """File the conflicts before the commit: once it is made, they are not read again."""
        if not verdicts.is_conflict.any():
            return
        letters = []
        for place in np.flatnonzero(verdicts.is_conflict):
            passed = batches[fresh.batch_numbers[place]].range
            letters.append(
                DeadLetter(
                    incarnation=passed.source_id.rpartition("/")[0],
                    partition=passed.partition,
                    offset=int(fresh.offsets[place]),
                    reason=RejectionReason.CONFLICT.value,
                    field="event_id",
                    value="an id seen before, with other content",
                    expectation="the same content each time an event is told",
                    fix="give a corrected event an id of its own",
                )
            )
        self._dead_letters.write(letters, conflict_group(self._shard))


def advance_progress(
    held: ShardProgress,
    passed: Sequence[PartitionRange],
    source_ids: Sequence[str],
    totals: ShardTotals,
) -> ShardProgress:
    """Return the progress after ranges were applied; it never goes back.

    Args:
        held: The progress before.
        passed: The ranges.
        source_ids: All source partitions: one that was never heard of holds
            `applied_ingest_us` at 0.
        totals: What became of the rows.
    """
    next_offsets = dict(held.next_offsets)
    ingest_us = dict(held.partition_ingest_us)
    for each in passed:
        source_id = each.source_id
        next_offsets[source_id] = max(next_offsets.get(source_id, 0), each.next_offset)
        ingest_us[source_id] = max(ingest_us.get(source_id, 0), each.passed_ingest_us)
    return ShardProgress(
        applied_ingest_us=min(ingest_us.get(source_id, 0) for source_id in source_ids),
        next_offsets=next_offsets,
        partition_ingest_us=ingest_us,
        totals=held.totals + totals,
    )


def find_unique_keys(
    entity_keys: npt.NDArray[np.uint8],
) -> tuple[list[bytes], npt.NDArray[np.int64]]:
    """Return the distinct keys in ascending order, and each row's place among them.

    Args:
        entity_keys: Shape `(n, 16)`.
    """
    # As two big-endian numbers: numpy's own fixed bytes drop trailing zeros.
    halves = np.ascontiguousarray(entity_keys).view(">u8").astype(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    is_start = np.ones(len(order), np.bool_)
    is_start[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    index = np.empty(len(order), np.int64)
    index[order] = np.cumsum(is_start) - 1
    joined = entity_keys[order[is_start]].tobytes()
    return [joined[start : start + 16] for start in range(0, len(joined), 16)], index


@dataclass(frozen=True, slots=True)
class _FreshRows:
    """The rows of several batches that were not applied before, as one set of columns."""

    offsets: npt.NDArray[np.int64]
    batch_numbers: npt.NDArray[np.int64]
    event_keys: npt.NDArray[np.uint64]
    content_hashes: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]
    fold_places: npt.NDArray[np.int64]
    fold_rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]


def _select_fresh(batches: Sequence[ShardBatch], state: ShardState) -> _FreshRows:
    """Return the rows at or behind each source partition's next offset."""
    masks, places, n_fold_rows = [], [], 0
    for batch in batches:
        is_fresh = batch.offsets >= state.next_offsets.get(batch.range.source_id, 0)
        moved = np.where(batch.fold_places >= 0, batch.fold_places + n_fold_rows, -1)
        masks.append(is_fresh)
        places.append(moved[is_fresh])
        n_fold_rows += len(batch.fold_rows)

    def join(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        return np.concatenate([column[mask] for column, mask in zip(columns, masks, strict=True)])

    return _FreshRows(
        offsets=join([batch.offsets for batch in batches]),
        batch_numbers=np.repeat(np.arange(len(batches)), [int(mask.sum()) for mask in masks]),
        event_keys=join([batch.event_keys for batch in batches]),
        content_hashes=join([batch.content_hashes for batch in batches]),
        ingest_us=join([batch.ingest_us for batch in batches]),
        fold_places=np.concatenate(places),
        fold_rows=np.concatenate([batch.fold_rows for batch in batches]),
        entity_keys=np.concatenate([batch.entity_keys for batch in batches]),
    )


def _is_ahead(progress: ShardProgress, state: ShardState) -> bool:
    return (
        progress.next_offsets != state.next_offsets
        or progress.partition_ingest_us != state.partition_ingest_us
    )
