"""Erased customers: whose events are dropped, and whose records are still to be removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from features.erasures import Erasures, merge_erasures
from features.log.erasure_register import ErasureRegisters, ErasureRequests
from features.store.erasing import erase_customer
from features.store.lmdb_store import LmdbFeatureReader
from features.store.port import FeatureStore

_LOOK_EVERY_S = 0.5


@runtime_checkable
class KeepsErasures(Protocol):
    """A store that holds the register of erased customers itself: Redis has no folder."""

    def read_erasures(self) -> Erasures:
        """Return everybody registered by now."""
        ...


def find_register_folders(source: str) -> tuple[Path, ...]:
    """Return where the register beside a source stands; a topic has none."""
    path = Path(source)
    if not path.exists():
        return ()
    return (path if path.is_dir() else path.parent,)


class AllErasures:
    """Everybody registered as erased, in whichever register. For one thread.

    Args:
        store: Asked for its own register, if it has one.
        folders: Where more registers stand.
    """

    def __init__(self, store: FeatureStore, folders: Sequence[Path]) -> None:
        self._store = store if isinstance(store, KeepsErasures) else None
        self._registers = ErasureRegisters(folders)
        self._parts = Erasures.empty(), Erasures.empty()
        self._merged = Erasures.empty()

    def read(self) -> Erasures:
        """Return everybody erased by now; cheap if nobody is new.

        Raises:
            LogFormatError: A register is damaged.
            StoreUnavailableError: One cannot be read.
        """
        of_folders = self._registers.read()
        if self._store is None:
            return of_folders
        parts = of_folders, self._store.read_erasures()
        if any(new is not old for new, old in zip(parts, self._parts, strict=True)):
            self._merged, self._parts = merge_erasures(*parts), parts
        return self._merged


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
