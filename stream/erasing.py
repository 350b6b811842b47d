"""Erased customers: whose events are dropped, and whose records are still to be removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from features.erasures import Erasures
from features.log.erasure_register import AllErasures, ErasureRequests
from features.store.erasing import erase_customer
from features.store.lmdb_store import LmdbFeatureReader
from features.store.port import FeatureStore

_LOOK_EVERY_S = 0.5


def find_register_folders(source: str) -> tuple[Path, ...]:
    """Return where the register beside a source stands; a topic has none."""
    path = Path(source)
    if not path.exists():
        return ()
    return (path if path.is_dir() else path.parent,)


class ErasureDuty:
    """What the one writer of a store on disk owes to customers who are to be forgotten.

    Requests stand with the generation that they are about: each has its own writer.
    From Redis `hemostat forget` removes them itself.

    Args:
        store: Where records are removed.
        folders: Where registers stand.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, store: FeatureStore, folders: Sequence[Path], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._erasures = AllErasures(store, folders)
        self._requests = (
            ErasureRequests(store.path) if isinstance(store, LmdbFeatureReader) else None
        )
        self._clock = clock
        self._looked_s = float("-inf")

    def read_register(self) -> Erasures:
        """Return everybody erased by now; one `stat` per folder if nobody is new."""
        return self._erasures.read()

    def is_due(self) -> bool:
        """Return whether somebody is to be removed; looks twice a second."""
        if self._requests is None or self._clock() - self._looked_s < _LOOK_EVERY_S:
            return False
        self._looked_s = self._clock()
        return bool(self._requests.list())

    def remove(self) -> int:
        """Remove everybody who is to be removed, and return how many.

        To be called while no batch is on its way to the store: versions of shards
        move, and rows decoded before must not come after.
        """
        if self._requests is None:
            return 0
        self._looked_s = float("-inf")
        self._erasures.read()
        requests = self._requests.list()
        for request in requests:
            erase_customer(self._store, request)
            self._requests.finish(request)
        return len(requests)
