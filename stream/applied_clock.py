"""Up to when the records are applied, looked up now and then."""

from __future__ import annotations

from collections.abc import Callable

from features.keys import N_SHARDS
from features.store.port import FeatureStore

_APPLIED_EVERY_S = 1.0


class AppliedClock:
    """Up to when all shards of the records are applied, read now and then.

    What it says may be old, which only makes the seen ledger remember longer.
    """

    def __init__(
        self, store: FeatureStore, clock: Callable[[], float], read_us: Callable[[], int]
    ) -> None:
        self._store = store
        self._clock = clock
        self._read_us = read_us
        self._read_s = float("-inf")
        self._applied_us = 0

    def read(self) -> int:
        """Return the ingest time; microseconds UTC."""
        if self._clock() - self._read_s >= _APPLIED_EVERY_S:
            states = [self._store.read_shard_state(shard) for shard in range(N_SHARDS)]
            self._applied_us = min(state.applied_ingest_us for state in states)
            self._read_s = self._clock()
        # A row that says it came in next year must not make the store forget this one's ids.
        return min(self._applied_us, self._read_us())
