"""Erased customers: whose events are dropped, and whose records are still to be removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from features.erasures import ErasureRequest, Erasures
from features.log.erasure_register import ErasureRegisters, ErasureRequests
from features.store.erasing import erase_customer
from features.store.port import FeatureStore

_LOOK_EVERY_S = 0.5


def find_register_folders(source: str) -> tuple[Path, ...]:
    """Return where the register beside a source stands; a topic has none."""
    path = Path(source)
    if not path.exists():
        return ()
    return (path if path.is_dir() else path.parent,)


class ErasureDuty:
    """What the one writer of a store owes to customers who are to be forgotten.

    The register is read before the requests, so that no batch decoded later brings
    back what is removed.

    Args:
        folder: The stream's own folder: register and requests.
        registers: More folders with a register (the log's).
        store: Where records are removed.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        folder: Path,
        registers: Sequence[Path],
        store: FeatureStore,
        clock: Callable[[], float],
    ) -> None:
        self._register = ErasureRegisters((folder, *registers))
        self._requests = ErasureRequests(folder)
        self._store = store
        self._clock = clock
        self._looked_s = float("-inf")

    def read_register(self) -> Erasures:
        """Return everybody erased by now; one `stat` per register if nothing is new."""
        return self._register.read()

    @staticmethod
    def list_open(folder: Path) -> Sequence[ErasureRequest]:
        """Return the requests that are still to be done for the store of a stream."""
        return ErasureRequests(folder).list()

    def is_due(self) -> bool:
        """Return whether somebody is to be removed; looks twice a second."""
        if self._clock() - self._looked_s < _LOOK_EVERY_S:
            return False
        self._looked_s = self._clock()
        return bool(self._requests.list())

    def remove(self) -> int:
        """Remove everybody who is to be removed, and return how many.

        To be called while no batch is on its way to the store: versions of shards
        move, and rows decoded before must not come after.
        """
        self._looked_s = float("-inf")
        self._register.read()
        requests = self._requests.list()
        for request in requests:
            erase_customer(self._store, request)
            self._requests.finish(request)
        return len(requests)
