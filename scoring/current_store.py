"""The feature store that is in use at a place now, also after it was rebuilt or replaced.

A process that has opened a file keeps the old one for good when a new one takes its
place: answers would come from a store that no stream writes to any more. So the
place is looked at now and then, and what stands there is opened before the old one
is closed: no call fails while a generation is swapped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import structlog

from features.errors import HemostatError, StoreUnavailableError
from features.records.packing import PackedRecords
from features.store.opening import open_store, read_identity
from features.store.port import ShardState
from scoring.metrics import ScoringMetrics

if TYPE_CHECKING:
    from features.store.port import FeatureReader

_logger = structlog.get_logger()


class CurrentStore:
    """A `FeatureReader` of whatever store is in use at a place. All on one event loop.

    Args:
        place: The store's folder, or its address.
        metrics: Where replacements are counted.

    Raises:
        StoreUnavailableError: From the constructor: there is no store. From any read:
            it has gone since, or cannot be read now.
        SchemaMismatchError: From the constructor: it was made with other features.
    """

    def __init__(self, place: Path | str, metrics: ScoringMetrics) -> None:
        self._place = place
        self._metrics = metrics
        self._reader: FeatureReader | None
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
        """Open the store that is in use at the place now, if it is another one.

        While there is none that can be used, reads fail and each refresh tries again. A
        server that does not answer changes nothing: reads find out when it is back.
        """
        try:
            if await asyncio.to_thread(read_identity, self._place) == self._identity:
                return
        except StoreUnavailableError as error:
            self._warn("the store cannot be looked at", error)
            return
        try:
            identity, reader = await asyncio.to_thread(self._open)
        except HemostatError as error:
            self._replace("", None)
            self._warn("the store has gone; answers go without it", error)
            return
        self._replace(identity, reader)
        self._fault = ""
        self._metrics.reloads.labels("store", "loaded").inc()
        _logger.info("replaced", what="store", path=str(self._place))

    def close(self) -> None:
        """Release files or connections; later reads fail."""
        self._replace(self._identity, None)

    def _warn(self, what: str, error: HemostatError) -> None:
        if str(error) != self._fault:
            self._fault = str(error)
            self._metrics.reloads.labels("store", "refused").inc()
            _logger.warning(what, why=self._fault)

    def _replace(self, identity: str, reader: FeatureReader | None) -> None:
        # On the event loop, and so never while a call reads.
        if self._reader is not None:
            self._reader.close()
        self._identity, self._reader = identity, reader

    def _open(self) -> tuple[str, FeatureReader]:
        """Return a reader with what it was when it was opened; it may change meanwhile."""
        while True:
            before = read_identity(self._place)
            reader = open_store(self._place, "read")  # Tells why if there is none.
            if read_identity(self._place) == before:
                return before, reader
            reader.close()

    def _get_reader(self) -> FeatureReader:
        if self._reader is None:
            raise StoreUnavailableError(
                "the store has gone",
                field="store",
                value=str(self._place),
                fix="run `hemostat stream LOG --store PATH`; it is then taken over",
            )
        return self._reader
