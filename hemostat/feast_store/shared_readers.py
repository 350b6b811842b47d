"""The open readers of this process: one per store, however many Feast objects there are.

LMDB lets a process open a store once, and a notebook makes a `FeatureStore` in every
other cell. So the readers belong to the process and not to an object.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from features.store.opening import open_store, read_identity
from features.store.port import FeatureReader


@dataclass(frozen=True, slots=True)
class _Open:
    identity: str
    reader: FeatureReader


_lock = threading.Lock()
_by_store: dict[str, _Open] = {}


def get_reader(store: str) -> FeatureReader:
    """Return the process's reader of the store that is in use at a place now.

    A store that was rebuilt or replaced since is opened anew.

    Raises:
        StoreUnavailableError: There is no store, or it cannot be used.
        SchemaMismatchError: It was made with another schema.
    """
    with _lock:
        held = _by_store.get(store)
        identity = read_identity(store)
        if held is not None and held.identity == identity:
            return held.reader
        if held is not None:
            _by_store.pop(store).reader.close()
        reader = open_store(store, "read")
        _by_store[store] = _Open(identity, reader)
        return reader


def close_reader(store: str) -> None:
    """Close the process's reader of a store; harmless if there is none."""
    with _lock:
        held = _by_store.pop(store, None)
        if held is not None:
            held.reader.close()
