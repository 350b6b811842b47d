"""The seam between the core and any online store: what it keeps and what it promises.

A store keeps two ledgers, each cut into `N_SHARDS` shards with a version and a
progress of their own:

- *records*: entity key to packed record; shard = `compute_shard(key)`;
- *seen*: event key to what was told under it; shard = event key & 15.

Two parts. `FeatureReader` is what a scorer holds: it reads records and how far
the stream has come. `FeatureStore` is what the stream holds, one owner per
shard: it commits batches, each shard whole or not at all.

Every adapter passes `tests/contract/test_feature_store.py`. No adapter knows what
a record means: records are bytes here, packed by `features.records.packing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from features.records.packing import PackedRecords

_DAY_US = 86_400_000_000

DEDUP_HORIZON_US = 30 * _DAY_US
"""L: an event can arrive up to 30 days late, so a seen id is kept that long."""

MAX_EARLY_US = 5 * 60 * 1_000_000
"""An event's own clock may be 5 minutes ahead of its `ingest_time`."""

SEEN_GENERATION_US = 30 * _DAY_US
"""Seen ids are kept by generations of `ingest_us // SEEN_GENERATION_US`, dropped whole."""

SEEN_DTYPE = np.dtype([("content_hash", "<u8"), ("telling", "<u8")])
"""What is remembered of an event key: what the event said, and which row told it first.

Zeros: never seen. `telling` names the source row (a hash of source id and offset), so
that a row that is read again after a crash is known to be the one that was counted.
"""


class ShardTotals(msgspec.Struct, frozen=True):
    """What became of the shard's rows since the store was made; committed with them.

    Attributes:
        folded: Rows folded into an entity's record.
        not_folded: Accepted rows that change no record (other kinds, or no entity).
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
    """How far one shard of a ledger has come, per source partition.

    Attributes:
        applied_ingest_us: All events of the shard with `ingest_time` up to here are
            in its ledger: the least of `partition_ingest_us`. Microseconds UTC.
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
class SeenCommit:
    """Event keys that one shard of the seen ledger shall remember.

    Attributes:
        shard: The shard; every event key's lowest four bits.
        expected_version: The version that the caller last read or wrote.
        event_keys: Shape `(n,)`, uint64, distinct, never 0. A key that is remembered
            already must come with the entry that stands there (a row told again after
            a crash); adapters may keep the one or the other.
        entries: Shape `(n,)`, `SEEN_DTYPE`, neither field 0.
        ingest_us: Shape `(n,)`, int64: says in which generation a key stands.
        progress: The ledger's progress after the batch; replaces the stored one.
    """

    shard: int
    expected_version: int
    event_keys: npt.NDArray[np.uint64]
    entries: npt.NDArray[np.void]
    ingest_us: npt.NDArray[np.int64]
    progress: ShardProgress


@dataclass(frozen=True, slots=True)
class RecordCommit:
    """Records that one shard shall hold from now on.

    Attributes:
        shard: The shard that owns all of `keys`.
        expected_version: The version that the caller last read or wrote.
        keys: Shape `(m, 16)`, uint8, distinct, ascending as bytes compare.
        packed: Their records, none of length zero, in the order of `keys`.
        progress: The ledger's progress after the batch; replaces the stored one.
    """

    shard: int
    expected_version: int
    keys: npt.NDArray[np.uint8]
    packed: PackedRecords
    progress: ShardProgress


RecordChunk = tuple[npt.NDArray[np.uint8], PackedRecords]
"""Keys of shape `(m, 16)` and their records, none missing."""

SeenChunk = tuple[int, npt.NDArray[np.uint64], npt.NDArray[np.void]]
"""Generation (`ingest_us // SEEN_GENERATION_US`), event keys and entries."""


class SnapshotReader(Protocol):
    """What a backup needs of a store that is being written: states with what belongs to them.

    Records are read first, then seen events: so the seen ledger of a backup is never
    behind its records.
    """

    def read_shard_snapshot(
        self, shard: int
    ) -> AbstractContextManager[tuple[ShardState, Iterator[RecordChunk]]]:
        """Return one state of a shard's records: its progress, and all of them, ascending."""
        ...

    def read_seen_snapshot(
        self,
    ) -> AbstractContextManager[tuple[list[ShardState], Iterator[SeenChunk]]]:
        """Return the progress of all shards of the seen ledger, and all that it covers.

        Entries of later commits may be among them, some twice. They are harmless: the
        rows that told them are still new by their telling.
        """
        ...


class FeatureReader(Protocol):
    """What a scorer may do with a store. Safe to share between threads.

    Every call may block: LMDB for microseconds when the page is cached, Redis for a
    round trip and at most its time-out. No call holds a transaction or a connection
    once it has returned, so a caller may await in between.

    Raises:
        StoreUnavailableError: From any call: the store cannot be read now.
    """

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys, None where there is none.

        Called once per request with the keys of all its entities. What comes of one
        shard comes from one state of it.

        Args:
            entity_keys: 16 bytes each, of any shards; repetitions are allowed.
        """
        ...

    def read_packed(self, keys: npt.NDArray[np.uint8]) -> PackedRecords:
        """Return the stored records in the order of the keys; length zero: there is none.

        Called by the stream once per batch and group of shards, and by bulk reads.

        Args:
            keys: Shape `(m, 16)`, uint8, of any shards; ascending order is fastest.
        """
        ...

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard's records have come; version 0 if nothing was committed.

        Read it *before* the records when freshness matters: a commit in between
        then understates the freshness, never overstates it.
        """
        ...

    def close(self) -> None:
        """Release files or connections. Called once at the end; later calls do nothing."""
        ...


class FeatureStore(FeatureReader, Protocol):
    """What the stream may do with a store. One owner per shard, one thread.

    The order of a batch is: `read_seen`, `commit_seen`, `read_packed`, fold,
    `commit_records`. A crash between the two commits leaves rows that are remembered
    but not folded; their `telling` lets the next run fold them.
    """

    def read_seen_state(self, shard: int) -> ShardState:
        """Return how far a shard of the seen ledger has come."""
        ...

    def read_seen(self, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
        """Return what is remembered of each event key, zeros where nothing is.

        Args:
            event_keys: Shape `(n,)`, uint64, of any shards.

        Returns:
            Shape `(n,)`, `SEEN_DTYPE`.
        """
        ...

    def commit_seen(self, commits: Sequence[SeenCommit]) -> list[int]:
        """Remember event keys and return the shards' new versions.

        Called once per batch, at most one commit per shard, after the batch's dead
        letters are on disk. Generations are dropped whole once nothing of them can
        arrive any more by every shard's progress (LMDB) or this shard's (Redis).

        Entries may become visible (to the one owner) although the commit failed: they
        change nothing, since the row that told them is still new by its telling.

        Raises:
            CommitConflictError: A shard's version is another one: somebody else commits.
                That shard is untouched; the others may have been committed. Drop what
                is cached and start again from the store.
            StoreUnavailableError: The ledger's progress stands where it was (disk full,
                ...); with Redis it is unknown whether it does. Start again from the store.
        """
        ...

    def commit_records(self, commits: Sequence[RecordCommit]) -> list[int]:
        """Write records of some shards and return the shards' new versions.

        Called once per batch, at most one commit per shard. A reader sees a shard's
        whole batch or none of it.

        Raises:
            CommitConflictError: As `commit_seen`.
            StoreUnavailableError: As `commit_seen`.
            ValueError: A record belongs to another shard.
        """
        ...

    def delete_records(self, shard: int, expected_version: int, keys: npt.NDArray[np.uint8]) -> int:
        """Delete records of a shard (erasure) and return its new version.

        Keys without a record are passed over. The progress stays.

        Args:
            shard: The shard that owns all of `keys`.
            expected_version: The version that the caller last read or wrote.
            keys: Shape `(m, 16)`, uint8.

        Raises:
            CommitConflictError: As `commit_seen`.
            ValueError: A key belongs to another shard.
        """
        ...

    def scan(self, shard: int) -> Iterator[RecordChunk]:
        """Yield all records of a shard in chunks, ascending keys.

        Each chunk comes from one state of the shard; a commit may fall between two.
        For verification, backup and erasure, not for requests.

        Yields:
            Keys of shape `(m, 16)` and their packed records, m > 0.
        """
        ...
