"""The seam between the core and any online store: what it keeps and what it promises.

Two parts. `FeatureReader` is what a scorer holds: it reads records and how far
the stream has come. `FeatureStore` is what the stream holds, one owner per
shard: it reads, and commits a batch of one shard whole or not at all.

Every adapter passes `tests/contract/test_feature_store.py`. No adapter knows what
a record means: records are bytes here, encoded by `features.record`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

DEDUP_HORIZON_US = 30 * 86_400_000_000
"""L: an event can arrive up to 30 days late, so a seen id is kept that long."""

MAX_EARLY_US = 5 * 60 * 1_000_000
"""An event's own clock may be 5 minutes ahead of its `ingest_time`."""


class ShardTotals(msgspec.Struct, frozen=True):
    """What became of the shard's rows since the store was made; committed with them.

    Attributes:
        folded: Rows folded into a customer's record.
        not_folded: Accepted rows that change no record (other kinds, or no customer).
        duplicates: Rows dropped as exact repetitions.
        conflicts: Rows dead-lettered: a known event id with other content.
    """

    folded: int = 0
    not_folded: int = 0
    duplicates: int = 0
    conflicts: int = 0

    def __add__(self, other: ShardTotals) -> ShardTotals:
        """Return the sum, field by field.

        >>> ShardTotals(folded=2) + ShardTotals(folded=1, conflicts=1)
        ShardTotals(folded=3, not_folded=0, duplicates=0, conflicts=1)
        """
        return ShardTotals(
            self.folded + other.folded,
            self.not_folded + other.not_folded,
            self.duplicates + other.duplicates,
            self.conflicts + other.conflicts,
        )


class ShardProgress(msgspec.Struct, frozen=True):
    """How far one shard has come, per source partition.

    Attributes:
        applied_ingest_us: All events of the shard with `ingest_time` up to here are
            in its records: the least of `partition_ingest_us`. Microseconds UTC.
        next_offsets: Source partition id (log incarnation and number) to the offset
            of the first row not applied. A row is applied iff its offset is at or
            after it, so a partition read again changes nothing.
        partition_ingest_us: Source partition id to the `ingest_time` it has passed.
        totals: Row counts since the store was made.
    """

    applied_ingest_us: int = 0
    next_offsets: dict[str, int] = {}
    partition_ingest_us: dict[str, int] = {}
    totals: ShardTotals = ShardTotals()


class ShardState(ShardProgress, frozen=True):
    """A shard's progress as stored, with the version that guards its commits.

    Attributes:
        version: Number of commits of this shard. 0: none yet.
    """

    version: int = 0

    @classmethod
    def from_progress(cls, version: int, progress: ShardProgress) -> ShardState:
        """Return the state that a commit of `progress` leaves."""
        return cls(
            applied_ingest_us=progress.applied_ingest_us,
            next_offsets=progress.next_offsets,
            partition_ingest_us=progress.partition_ingest_us,
            totals=progress.totals,
            version=version,
        )


@dataclass(frozen=True, slots=True)
class SeenEvents:
    """Event ids to be remembered, as three parallel arrays of shape `(n,)`.

    Attributes:
        event_keys: uint64, unique.
        content_hashes: uint64, never 0: what the event said, to tell a repetition
            from a conflict.
        ingest_us: int64: when the id may be forgotten is counted from here.
    """

    event_keys: npt.NDArray[np.uint64]
    content_hashes: npt.NDArray[np.uint64]
    ingest_us: npt.NDArray[np.int64]

    @classmethod
    def empty(cls) -> SeenEvents:
        """Return no events."""
        nothing = np.empty(0, np.uint64)
        return cls(nothing, nothing, np.empty(0, np.int64))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.event_keys)


class FeatureReader(Protocol):
    """What a scorer may do with a store. Safe to share between threads.

    Every call may block on the disk (microseconds when the page is cached) and
    holds no transaction once it has returned, so a caller may await in between.

    Raises:
        StoreUnavailableError: From any call: the store cannot be read now.
    """

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys, None where there is none.

        All of one call come from one state of the store. Called once per request
        (all entities at once) and once per shard and batch by the stream.

        Args:
            entity_keys: 16 bytes each, of any shards; repetitions are allowed.
        """
        ...

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard has come; version 0 if nothing was committed.

        Read it *before* the records when freshness matters: a commit in between
        then understates the freshness, never overstates it.
        """
        ...

    def close(self) -> None:
        """Release the files. Called once at the end; later calls do nothing."""
        ...


class FeatureStore(FeatureReader, Protocol):
    """What the stream may do with a store. One owner per shard, one thread."""

    def read_seen(self, shard: int, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Return the content hash under which each event was seen, 0 where it was not.

        Args:
            shard: The shard that asks; each shard remembers for itself.
            event_keys: Shape `(n,)`, uint64; ascending order is fastest.
        """
        ...

    def commit(
        self,
        shard: int,
        expected_version: int,
        records: Sequence[tuple[bytes, bytes]],
        seen: SeenEvents,
        progress: ShardProgress,
    ) -> int:
        """Write a batch of one shard, all of it or nothing, and return the new version.

        Called once per shard and batch, after the batch's dead letters are on disk.
        A reader sees the whole batch or none of it. Ids whose `ingest_us` lies more
        than `DEDUP_HORIZON_US + MAX_EARLY_US` before `progress.applied_ingest_us` can
        no longer arrive and are forgotten, a few with each commit.

        Args:
            shard: The shard that owns all of `records`.
            expected_version: The version that the caller last read or wrote.
            records: Entity key and encoded record, each key once, ascending keys.
            seen: The batch's accepted events.
            progress: The progress after the batch; replaces the stored one.

        Raises:
            CommitConflictError: The shard's version is another one: somebody else
                commits. Drop what is cached and start again from the store.
            StoreUnavailableError: Nothing was written (disk or map full, ...).
            ValueError: A record belongs to another shard.
        """
        ...
