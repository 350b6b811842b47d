"""The online store as plain dictionaries: for tests and for what-if runs without a disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.errors import StoreUnavailableError
from features.keys import N_SHARDS
from features.store.commit_rules import check_owner, check_version, compute_forget_before_us
from features.store.port import SeenEvents, ShardProgress, ShardState


class MemoryFeatureStore:
    """A `FeatureStore` that forgets everything when the process ends.

    >>> store = MemoryFeatureStore()
    >>> store.commit(0, 0, [(bytes(16), b"record")], SeenEvents.empty(), ShardProgress())
    1
    >>> store.read_records([bytes(16), bytes([1] * 16)])
    [b'record', None]
    """

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._seen: list[dict[int, tuple[int, int]]] = [{} for _ in range(N_SHARDS)]
        self._states = [ShardState() for _ in range(N_SHARDS)]
        self._is_open = True

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys, None where there is none."""
        self._check_open()
        return [self._records.get(key) for key in entity_keys]

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard has come; version 0 if nothing was committed."""
        self._check_open()
        return self._states[shard]

    def read_seen(self, shard: int, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Return the content hash under which each event was seen, 0 where it was not."""
        self._check_open()
        seen = self._seen[shard]
        hashes = [seen.get(key, (0, 0))[0] for key in event_keys.tolist()]
        return np.array(hashes, np.uint64)

    def commit(
        self,
        shard: int,
        expected_version: int,
        records: Sequence[tuple[bytes, bytes]],
        seen: SeenEvents,
        progress: ShardProgress,
    ) -> int:
        """Write a batch of one shard and return the new version; see the port."""
        self._check_open()
        check_owner(shard, records)
        check_version(shard, expected_version, self._states[shard].version)
        self._records.update(records)
        ids = self._seen[shard]
        rows = zip(
            seen.event_keys.tolist(),
            seen.content_hashes.tolist(),
            seen.ingest_us.tolist(),
            strict=True,
        )
        ids.update({key: (content_hash, ingest_us) for key, content_hash, ingest_us in rows})
        forget_before_us = compute_forget_before_us(progress)
        for key in [key for key, (_, ingest_us) in ids.items() if ingest_us < forget_before_us]:
            del ids[key]
        self._states[shard] = ShardState.from_progress(expected_version + 1, progress)
        return expected_version + 1

    def close(self) -> None:
        """Refuse every later call."""
        self._is_open = False

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailableError("the store is closed", fix="open it again")
