"""The second step: new rows into records, one commit per batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.keys import N_SHARDS
from features.records.packing import PackedRecords
from features.refold import refold
from features.store.port import FeatureStore, RecordCommit, ShardState, ShardTotals
from stream.batches import BatchId, NewRows, join_rows, take_rows
from stream.grouping import GroupedRows, group_rows
from stream.progress import advance_progress, is_ahead
from stream.shard_groups import ShardGroups, find_record_shards


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What became of the rows of one batch in one group of shards.

    Attributes:
        id: The batch.
        n_rows: Rows folded.
        n_records: Records written.
        n_bytes: Their size as stored.
        ingest_us: Shape `(n,)`: ingest times of the events that are visible now; of
            each event only the group that folds its first row tells.
    """

    id: BatchId
    n_rows: int
    n_records: int
    n_bytes: int
    ingest_us: npt.NDArray[np.int64]


class RecordStep:
    """Folds rows into the records of a group of shards and commits them with the progress.

    Its only state is the shards' progress as last committed, and the parts of batches
    that are not complete: a batch is applied when every dedup group has sent its part.
    After an exception throw it away.

    Args:
        group: Number of the group that it owns.
        groups: The division of the shards.
        store: Where the records are.
        source_ids: All partitions of the source. A shard has applied what the slowest
            of them has passed.
    """

    def __init__(
        self, group: int, groups: ShardGroups, store: FeatureStore, source_ids: Sequence[str]
    ) -> None:
        self._shards = groups.list_shards(group)
        self._store = store
        self._source_ids = tuple(source_ids)
        self._states: dict[int, ShardState] = {}
        self._parts: dict[BatchId, list[NewRows]] = {}
        self.reload()

    @property
    def applied_ingest_us(self) -> int:
        """All events up to here are in the group's records."""
        return min(state.applied_ingest_us for state in self._states.values())

    def reload(self) -> None:
        """Read the shards' progress from the store; after somebody else has moved it."""
        self._states = {shard: self._store.read_shard_state(shard) for shard in self._shards}

    def collect(self, part: NewRows) -> list[RecordOutcome]:
        """Take one part of a batch; apply the batch if it is the last one.

        The parts of a reader's batches come in the order of the batches from each dedup
        group, so batches become complete in that order, too.

        Raises:
            CommitConflictError: Somebody else commits to the group's shards.
            StoreUnavailableError: The store cannot be written.
        """
        parts = self._parts.setdefault(part.id, [])
        parts.append(part)
        if len(parts) < part.n_parts:
            return []
        del self._parts[part.id]
        return [self.apply(_join(parts))]

    def apply(self, batch: NewRows) -> RecordOutcome:
        """Fold and commit a whole batch.

        Raises:
            CommitConflictError: Somebody else commits to the group's shards.
            StoreUnavailableError: The store cannot be written.
        """
        fresh = self._select_fresh(batch)
        grouped = group_rows(fresh.keys)
        keys = take_rows(fresh.keys, grouped.firsts)
        packed = self._fold(fresh, grouped, keys)
        counts = np.bincount(find_record_shards(fresh.keys), minlength=N_SHARDS)
        commits = []
        for shard in self._shards:
            held = self._states[shard]
            totals = ShardTotals(folded=int(counts[shard]))
            progress = advance_progress(held, batch.ranges, self._source_ids, totals)
            if is_ahead(progress, held):
                first, last = grouped.shard_starts[shard], grouped.shard_starts[shard + 1]
                part = _slice(packed, int(first), int(last))
                commits.append(RecordCommit(shard, held.version, keys[first:last], part, progress))
        self._store.commit_records(commits)
        for commit in commits:
            self._states[commit.shard] = ShardState.from_progress(
                commit.expected_version + 1, commit.progress
            )
        visible = fresh.ingest_us[fresh.is_first]
        return RecordOutcome(batch.id, len(fresh), len(keys), len(packed.buffer), visible)

    def _fold(
        self, fresh: NewRows, grouped: GroupedRows, keys: npt.NDArray[np.uint8]
    ) -> PackedRecords:
        """Return the records of the keys with all rows folded in."""
        if not len(keys):
            return PackedRecords(np.empty(0, np.uint8), np.empty(0, np.int64))
        rows = take_rows(fresh.rows, fresh.places[grouped.order])
        entities = np.ascontiguousarray(fresh.rows["entity"][fresh.places[grouped.firsts]])
        held = self._store.read_packed(keys)
        return refold(held, entities, rows, grouped.owners, fresh.embeddings)

    def _select_fresh(self, batch: NewRows) -> NewRows:
        """Return the rows at or behind their shard's position in their partition."""
        is_fresh = np.ones(len(batch), np.bool_)
        held = [state.next_offsets for state in self._states.values()]
        for number, each in enumerate(batch.ranges):
            offsets = [next_offsets.get(each.source_id, 0) for next_offsets in held]
            if max(offsets) <= each.start_offset:
                continue
            places = np.flatnonzero(batch.range_index == number)
            shards = find_record_shards(batch.keys[places]) - self._shards[0]
            is_fresh[places] = batch.offsets[places] >= np.array(offsets)[shards]
        return batch if is_fresh.all() else batch.take(np.flatnonzero(is_fresh))


def _slice(packed: PackedRecords, first: int, last: int) -> PackedRecords:
    """Return the stored forms from `first` up to `last`."""
    begin = int(packed.ends[first - 1]) if first else 0
    end = int(packed.ends[last - 1]) if last else 0
    return PackedRecords(packed.buffer[begin:end], packed.ends[first:last] - begin)


def _join(parts: Sequence[NewRows]) -> NewRows:
    """Return the parts of a batch as one; rows keep pointing at their embeddings."""
    if len(parts) == 1:
        return parts[0]
    rows = join_rows([part.rows for part in parts])
    n_rows = n_embeddings = 0
    places = []
    for part in parts:
        theirs = rows["embedding"][n_rows : n_rows + len(part.rows)]
        theirs[theirs >= 0] += n_embeddings
        places.append(part.places + n_rows)
        n_rows += len(part.rows)
        n_embeddings += len(part.embeddings)
    return replace(
        parts[0],
        range_index=np.concatenate([part.range_index for part in parts]),
        offsets=np.concatenate([part.offsets for part in parts]),
        ingest_us=np.concatenate([part.ingest_us for part in parts]),
        is_first=np.concatenate([part.is_first for part in parts]),
        places=np.concatenate(places),
        rows=rows,
        keys=np.concatenate([part.keys for part in parts]),
        embeddings=np.concatenate([part.embeddings for part in parts]),
    )
