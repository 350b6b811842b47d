"""From what a user names to the store that a stream writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from features.store.opening import StoreOptions, open_store
from features.store.port import FeatureReader, FeatureStore, ShardState


class LedgerReader(FeatureReader, Protocol):
    """A reader that sees both ledgers' progress."""

    def read_seen_state(self, shard: int) -> ShardState:
        """Return how far a shard of the seen ledger has come."""
        ...


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where a store is: a folder, or the address of a Redis server.

    Attributes:
        name: As the user named it.
    """

    name: str

    @property
    def is_redis(self) -> bool:
        """Return whether it is an address."""
        return "://" in self.name

    @property
    def state_folder(self) -> Path:
        """Return where a stream keeps its own files unless it is told: in the store's folder."""
        return Path("hemostat-stream") if self.is_redis else Path(self.name)

    def open_writer(self, map_size_bytes: int, retry_for_s: float) -> FeatureStore:
        """Return the store, made if absent, to be written by this process.

        Args:
            map_size_bytes: Upper bound of a store on disk.
            retry_for_s: For how long a Redis server is tried within one call.

        Raises:
            HemostatError: As `features.store.opening.open_store`.
        """
        options = StoreOptions(map_size_bytes=map_size_bytes, retry_for_s=retry_for_s)
        return open_store(self.name, "write", options)

    def open_reader(self) -> LedgerReader:
        """Return the store, to be read.

        Raises:
            HemostatError: As `features.store.opening.open_store`.
        """
        return open_store(self.name, "read")
