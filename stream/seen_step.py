"""The first step: which events are new. It remembers them before their rows go on.

A crash between the two steps leaves events that are remembered and not folded.
They are read again, since the records' progress decides where reading starts, and
pass again, since the ledger knows which row told them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.erasures import Erasures
from features.log.rejections import RejectionReason
from features.store.port import (
    SEEN_DTYPE,
    FeatureStore,
    SeenCommit,
    ShardProgress,
    ShardState,
    ShardTotals,
)
from stream.batches import EventColumns, NewRows, RowBatch, take_rows
from stream.dead_letters import DeadLetter, DeadLetterFiles, conflict_group
from stream.deduplication import CONFLICT, NEW, decide_verdicts
from stream.progress import advance_seen_progress, get_incarnation, is_ahead
from stream.shard_groups import ShardGroups, find_seen_shards


@dataclass(frozen=True, slots=True)
class SeenOutcome:
    """What the first step found in one batch.

    Attributes:
        new_rows: The rows that go on to the records.
        totals: What became of the events that no earlier run had counted.
        already_counted: Events that an earlier run had counted.
        erased: Events of customers who were erased since the batch was decoded.
    """

    new_rows: NewRows
    totals: ShardTotals
    already_counted: int
    erased: int


class SeenStep:
    """Tells new events from repetitions for a group of the seen ledger's shards.

    Its only state is the shards' progress as last committed. After an exception throw
    it away: the next one reads the store anew.

    Args:
        group: Number of the group that it owns.
        groups: The division of the shards.
        store: Where event keys are remembered.
        dead_letters: Where conflicts are filed.
        read_applied_us: Returns up to which `ingest_time` all shards of the records
            have applied; may be behind the truth, never ahead.
        read_erasures: Returns the register of erased customers as it stands now.
    """

    def __init__(
        self,
        group: int,
        groups: ShardGroups,
        store: FeatureStore,
        dead_letters: DeadLetterFiles,
        read_applied_us: Callable[[], int],
        read_erasures: Callable[[], Erasures],
    ) -> None:
        self._group = group
        self._n_groups = groups.count
        self._shards = groups.list_shards(group)
        self._store = store
        self._dead_letters = dead_letters
        self._read_applied_us = read_applied_us
        self._read_erasures = read_erasures
        self._states = {shard: store.read_seen_state(shard) for shard in self._shards}

    def apply(self, batch: RowBatch) -> SeenOutcome:
        """Tell a batch's events apart, remember the new ones and return their rows.

        Args:
            batch: The events whose keys belong to the group's shards.

        Raises:
            CommitConflictError: Somebody else commits to the group's shards.
            StoreUnavailableError: The store or the dead letters cannot be written.
        """
        events = batch.events
        is_erased = self._read_erasures().find_erased(events.customer_keys, events.ingest_us)
        seen = self._store.read_seen(events.event_keys)
        verdicts = decide_verdicts(events.event_keys, events.content_hashes, events.tellings, seen)
        self._file_conflicts(batch, np.flatnonzero((verdicts == CONFLICT) & ~is_erased))
        is_new = (verdicts == NEW) & ~is_erased
        new_rows = self._select_rows(batch, is_new)
        is_counted = self._find_uncounted(batch) & ~is_erased
        totals = self._commit(batch, verdicts, is_counted, seen["content_hash"] == 0)
        erased = int(is_erased.sum())
        return SeenOutcome(new_rows, totals, len(events) - int(is_counted.sum()) - erased, erased)

    def _find_uncounted(self, batch: RowBatch) -> npt.NDArray[np.bool_]:
        """Return which events lie behind their shard's progress, so that nobody counted them."""
        is_uncounted = np.ones(len(batch.events), np.bool_)
        held = [state.next_offsets for state in self._states.values()]
        for number, each in enumerate(batch.ranges):
            offsets = [next_offsets.get(each.source_id, 0) for next_offsets in held]
            if max(offsets) <= each.start_offset:
                continue
            places = np.flatnonzero(batch.events.range_index == number)
            shards = find_seen_shards(batch.events.event_keys[places]) - self._shards[0]
            is_uncounted[places] = batch.events.offsets[places] >= np.array(offsets)[shards]
        return is_uncounted

    def _commit(
        self,
        batch: RowBatch,
        verdicts: npt.NDArray[np.uint8],
        is_counted: npt.NDArray[np.bool_],
        is_unseen: npt.NDArray[np.bool_],
    ) -> ShardTotals:
        """Remember new events and progress, shard by shard in one call; return the totals."""
        events = batch.events
        has_rows = np.zeros(len(events), np.bool_)
        has_rows[batch.entities.event_index] = True
        shards = find_seen_shards(events.event_keys)
        outcome = np.where(verdicts == NEW, np.where(has_rows, 0, 1), verdicts + 1)
        counts = np.bincount(
            shards[is_counted] * 4 + outcome[is_counted], minlength=4 * (self._shards[-1] + 1)
        ).reshape(-1, 4)
        is_kept = (verdicts == NEW) & is_unseen & is_counted
        kept = np.flatnonzero(is_kept)
        kept = kept[np.argsort(shards[kept].astype(np.uint8), kind="stable")]
        ends = np.searchsorted(shards[kept], np.arange(self._shards[0], self._shards[-1] + 2))
        applied_us = self._read_applied_us()
        commits = []
        for place, shard in enumerate(self._shards):
            totals = ShardTotals(*counts[shard].tolist())
            held = self._states[shard]
            progress = advance_seen_progress(held, batch.ranges, applied_us, totals)
            if is_ahead(progress, held):
                chosen = kept[ends[place] : ends[place + 1]]
                commits.append(_make_commit(shard, held.version, events, chosen, progress))
        self._store.commit_seen(commits)
        for commit in commits:
            self._states[commit.shard] = ShardState.from_progress(
                commit.expected_version + 1, commit.progress
            )
        return ShardTotals(*counts.sum(axis=0).tolist())

    def _select_rows(self, batch: RowBatch, is_new: npt.NDArray[np.bool_]) -> NewRows:
        """Return the fold rows of the new events."""
        events, entities = batch.events, batch.entities
        index = entities.event_index
        is_first = np.ones(len(index), np.bool_)
        is_first[1:] = index[1:] != index[:-1]
        places, keys = np.arange(len(index)), entities.keys
        if not is_new.all():
            places = np.flatnonzero(is_new[index])
            index, is_first, keys = index[places], is_first[places], take_rows(keys, places)
        return NewRows(
            id=batch.id,
            n_parts=self._n_groups,
            ranges=batch.ranges,
            range_index=events.range_index[index],
            offsets=events.offsets[index],
            ingest_us=events.ingest_us[index],
            is_first=is_first,
            places=places,
            keys=keys,
            rows=entities.rows,
            embeddings=entities.embeddings,
        )

    def _file_conflicts(self, batch: RowBatch, places: npt.NDArray[np.int64]) -> None:
        """File the conflicts before the commit: once it is made, they may not be read again."""
        letters: dict[int, list[DeadLetter]] = {}
        shards = find_seen_shards(batch.events.event_keys[places]).tolist()
        for place, shard in zip(places.tolist(), shards, strict=True):
            passed = batch.ranges[batch.events.range_index[place]]
            letters.setdefault(shard, []).append(
                DeadLetter(
                    incarnation=get_incarnation(passed.source_id),
                    partition=passed.partition,
                    offset=int(batch.events.offsets[place]),
                    reason=RejectionReason.CONFLICT.value,
                    field="event_id",
                    value="an id seen before, with other content",
                    expectation="the same content each time an event is told",
                    fix="give a corrected event an id of its own",
                )
            )
        for shard, those in letters.items():
            self._dead_letters.write(those, conflict_group(shard))


def _make_commit(
    shard: int,
    version: int,
    events: EventColumns,
    chosen: npt.NDArray[np.int64],
    progress: ShardProgress,
) -> SeenCommit:
    entries = np.empty(len(chosen), SEEN_DTYPE)
    entries["content_hash"] = events.content_hashes[chosen]
    entries["telling"] = events.tellings[chosen]
    return SeenCommit(
        shard=shard,
        expected_version=version,
        event_keys=events.event_keys[chosen],
        entries=entries,
        # From now on: by its own time a row far behind the others would be forgotten at once.
        ingest_us=np.maximum(events.ingest_us[chosen], progress.applied_ingest_us),
        progress=progress,
    )
