"""The feature store that stands at a path now, also after it was removed or replaced.

A process that has opened a file keeps the old one for good when a new one takes its
place: answers would come from a store that no stream writes to any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from features.errors import HemostatError, StoreUnavailableError
from features.records.packing import PackedRecords
from features.store.lmdb_store import LmdbFeatureReader
from features.store.port import ShardState
from scoring.metrics import ScoringMetrics

_logger = structlog.get_logger()

# Device and inode: they differ as soon as another file stands there.
_Identity = tuple[int, int]


class CurrentStore:
    """A `FeatureReader` of whatever store stands at a path. All on one event loop.

    Args:
        path: The store's folder.
        metrics: Where replacements are counted.

    Raises:
        StoreUnavailableError: From the constructor: there is no store. From any read:
            it has gone since, or what stands there now cannot be used.
        SchemaMismatchError: From the constructor: it was made with other features.
    """

    def __init__(self, path: Path, metrics: ScoringMetrics) -> None:
        self._path = path
        self._metrics = metrics
        self._identity: _Identity | None
        self._reader: LmdbFeatureReader | None
        self._identity, self._reader = self._open()
        self._fault = ""

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records; see `FeatureReader`."""
        return self._get_reader().read_records(entity_keys)

    def read_packed(self, keys: npt.NDArray[np.uint8]) -> PackedRecords:
        """Return many stored records; see `FeatureReader`."""
        return self._get_reader().read_packed(keys)

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard has come; see `FeatureReader`."""
        return self._get_reader().read_shard_state(shard)

    async def refresh(self) -> None:
        """Open the store that stands at the path now, if it is another one.

        While there is none that can be used, reads fail and each refresh tries again.
        """
        try:
            if self._identify() == self._identity:
                return
            identity, reader = await asyncio.to_thread(self._open)
        except (HemostatError, OSError) as error:
            self._replace(None, None)
            if str(error) != self._fault:
                self._fault = str(error)
                self._metrics.reloads.labels("store", "refused").inc()
                _logger.warning("the store has gone; answers go without it", why=self._fault)
            return
        self._replace(identity, reader)
        self._fault = ""
        self._metrics.reloads.labels("store", "loaded").inc()
        _logger.info("replaced", what="store", path=str(self._path))

    def close(self) -> None:
        """Release the files; later reads fail."""
        self._replace(self._identity, None)

    def _replace(self, identity: _Identity | None, reader: LmdbFeatureReader | None) -> None:
        # On the event loop, and so never while a call reads.
        if self._reader is not None:
            self._reader.close()
        self._identity, self._reader = identity, reader

    def _open(self) -> tuple[_Identity | None, LmdbFeatureReader]:
        """Return a reader with the identity of its file, which may change meanwhile."""
        while True:
            try:
                before = self._identify()
            except OSError:
                before = None  # Opening tells why.
            reader = LmdbFeatureReader.open_reader(self._path)
            try:
                if self._identify() == before:
                    return before, reader
            except OSError:
                pass
            reader.close()

    def _identify(self) -> _Identity:
        status = (self._path / "features" / "data.mdb").stat()
        return status.st_dev, status.st_ino

    def _get_reader(self) -> LmdbFeatureReader:
        if self._reader is None:
            raise StoreUnavailableError(
                "the store has gone",
                field="store",
                value=str(self._path),
                fix="run `hemostat stream LOG --store PATH`; it is then taken over",
            )
        return self._reader
