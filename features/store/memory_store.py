"""The online store as plain dictionaries: for tests and for what-if runs without a disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from features.errors import StoreUnavailableError
from features.keys import N_SHARDS, compute_shard
from features.records.packing import PackedRecords
from features.store.commit_rules import (
    check_keys,
    check_records,
    check_seen,
    check_version,
    find_live_generation,
)
from features.store.key_codes import join_keys, split_keys
from features.store.port import (
    SEEN_DTYPE,
    SEEN_GENERATION_US,
    RecordChunk,
    RecordCommit,
    SeenCommit,
    ShardState,
)


class MemoryFeatureStore:
    """A `FeatureStore` that forgets everything when the process ends.

    >>> from features.store.port import ShardProgress
    >>> store = MemoryFeatureStore()
    >>> packed = PackedRecords.from_blobs([b"record"])
    >>> store.commit_records(
    ...     [RecordCommit(0, 0, np.zeros((1, 16), np.uint8), packed, ShardProgress())]
    ... )
    [1]
    >>> store.read_records([bytes(16), bytes([1] * 16)])
    [b'record', None]
    """

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._states = [ShardState() for _ in range(N_SHARDS)]
        # Per shard and generation: event key to (content hash, telling).
        self._seen: list[dict[int, dict[int, tuple[int, int]]]] = [{} for _ in range(N_SHARDS)]
        self._seen_states = [ShardState() for _ in range(N_SHARDS)]
        self._is_open = True
        self._lock = threading.Lock()  # A commit is seen whole by readers in other threads.

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys; see the port."""
        self._check_open()
        with self._lock:
            return [self._records.get(key) for key in entity_keys]

    def read_packed(self, keys: npt.NDArray[np.uint8]) -> PackedRecords:
        """Return the stored records in the order of the keys; see the port."""
        return PackedRecords.from_blobs(self.read_records(split_keys(keys)))

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard's records have come; see the port."""
        self._check_open()
        return self._states[shard]

    def read_seen_state(self, shard: int) -> ShardState:
        """Return how far a shard of the seen ledger has come; see the port."""
        self._check_open()
        return self._seen_states[shard]

    def read_seen(self, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
        """Return what is remembered of each event key; see the port."""
        self._check_open()
        entries = np.zeros(len(event_keys), SEEN_DTYPE)
        for place, key in enumerate(event_keys.tolist()):
            for generation in self._seen[key & (N_SHARDS - 1)].values():
                if key in generation:
                    entries[place] = generation[key]
        return entries

    def commit_seen(self, commits: Sequence[SeenCommit]) -> list[int]:
        """Remember event keys and return the shards' new versions; see the port."""
        self._check_open()
        check_seen(commits)
        for commit in commits:
            stored = self._seen_states[commit.shard].version
            check_version(commit.shard, commit.expected_version, stored)
        return [self._commit_seen_shard(commit) for commit in commits]

    def commit_records(self, commits: Sequence[RecordCommit]) -> list[int]:
        """Write records and return the shards' new versions; see the port."""
        self._check_open()
        check_records(commits)
        for commit in commits:
            stored = self._states[commit.shard].version
            check_version(commit.shard, commit.expected_version, stored)
        for commit in commits:
            pairs = dict(zip(split_keys(commit.keys), commit.packed.to_blobs(), strict=True))
            version = commit.expected_version + 1
            with self._lock:
                self._records.update(pairs)
                self._states[commit.shard] = ShardState.from_progress(version, commit.progress)
        return [commit.expected_version + 1 for commit in commits]

    def delete_records(self, shard: int, expected_version: int, keys: npt.NDArray[np.uint8]) -> int:
        """Delete records of a shard and return its new version; see the port."""
        self._check_open()
        check_keys(shard, keys)
        state = self._states[shard]
        check_version(shard, expected_version, state.version)
        with self._lock:
            for key in split_keys(keys):
                self._records.pop(key, None)
        self._states[shard] = ShardState.from_progress(expected_version + 1, state)
        return expected_version + 1

    def scan(self, shard: int) -> Iterator[RecordChunk]:
        """Yield all records of a shard, ascending keys; see the port."""
        self._check_open()
        keys = sorted(key for key in self._records if compute_shard(key) == shard)
        if keys:
            yield join_keys(keys), PackedRecords.from_blobs([self._records[key] for key in keys])

    def close(self) -> None:
        """Refuse every later call."""
        self._is_open = False

    def _commit_seen_shard(self, commit: SeenCommit) -> int:
        generations = self._seen[commit.shard]
        rows = zip(
            commit.event_keys.tolist(),
            commit.entries.tolist(),
            (commit.ingest_us // SEEN_GENERATION_US).tolist(),
            strict=True,
        )
        for key, entry, generation in rows:
            generations.setdefault(generation, {})[key] = entry
        oldest = find_live_generation(commit.progress.applied_ingest_us)
        for number in [number for number in generations if number < oldest]:
            del generations[number]
        version = commit.expected_version + 1
        self._seen_states[commit.shard] = ShardState.from_progress(version, commit.progress)
        return version

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailableError("the store is closed", fix="open it again")
