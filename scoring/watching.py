"""Things that are loaded from files and replaced while the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from features.errors import HemostatError
from scoring.metrics import ScoringMetrics

_logger = structlog.get_logger()
T = TypeVar("T")


class Watched(Generic[T]):
    """A value loaded from files, loaded again when they change.

    A change that cannot be loaded is refused and told once; the value in force stays.

    Args:
        what: Name in log lines and metrics: `bundle` or `policy`.
        read_stamp: Returns something that differs once the files have changed; cheap.
            May raise `HemostatError` or `OSError`: then nothing is loaded.
        load: Returns the value; may block; raises `HemostatError` if it is refused.
        describe: Returns the version of a value, for the log.
        metrics: Where reloads are counted.

    Raises:
        HemostatError: The first load is refused.
    """

    def __init__(
        self,
        what: str,
        read_stamp: Callable[[], object],
        load: Callable[[], T],
        describe: Callable[[T], str],
        metrics: ScoringMetrics,
    ) -> None:
        self._what = what
        self._read_stamp = read_stamp
        self._load = load
        self._describe = describe
        self._metrics = metrics
        self._stamp = self._read_stamp_or_fault()
        self.value = load()

    async def refresh(self) -> bool:
        """Load what has changed, off the event loop; return whether the value was replaced."""
        stamp = self._read_stamp_or_fault()
        if stamp == self._stamp:
            return False
        # Kept even if loading fails: told once, tried again at the next change.
        self._stamp = stamp
        try:
            value = await asyncio.to_thread(self._load)
        except HemostatError as error:
            self._metrics.reloads.labels(self._what, "refused").inc()
            _logger.warning("change refused, the last one stays", what=self._what, why=str(error))
            return False
        self.value = value
        self._metrics.reloads.labels(self._what, "loaded").inc()
        _logger.info("replaced", what=self._what, version=self._describe(value))
        return True

    def _read_stamp_or_fault(self) -> object:
        try:
            return self._read_stamp()
        except (HemostatError, OSError) as error:
            return str(error)
