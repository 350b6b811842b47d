"""The embedded log as a source: what `PublishEvents` appended, up to the durable offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from features.log.embedded_log import EmbeddedLog
from stream.sources.port import Encoding, Raw, RawRows


class EmbeddedSource:
    """An embedded log.

    Raises:
        LogFormatError: There is none, or it is broken.
    """

    def __init__(self, path: Path) -> None:
        self._log = EmbeddedLog(path)
        self.name = str(path)
        self.incarnation = self._log.manifest.incarnation
        self.n_partitions = self._log.manifest.n_partitions
        self.n_rows: int | None = None
        self.last_ingest_us = 0
        self.is_finite = False

    def open_reader(
        self, starts: Mapping[int, int], *, is_following: bool, batch_size: int
    ) -> EmbeddedReader:
        """Return a reader; one that does not follow ends where the log is durable now."""
        del batch_size
        return EmbeddedReader(self._log, starts, is_following=is_following)

    def note_reader(self, store: str) -> None:
        """Remember a store that follows, so that the log is not trimmed beyond it."""
        self._log.note_reader(store)

    def find_unfinished(self) -> Sequence[int]:
        """Return nothing: only whole events are durable."""
        return ()

    def close(self) -> None:
        """Release the files."""
        self._log.close()


class EmbeddedReader:
    """A `SourceReader` of an embedded log."""

    def __init__(self, log: EmbeddedLog, starts: Mapping[int, int], *, is_following: bool) -> None:
        self._log = log
        self._cursors = {
            partition: log.follow(partition, start) for partition, start in starts.items()
        }
        limits = log.read_durable().next_offsets
        self._limits = None if is_following else limits
        self._ended: dict[int, int] = {}
        self._stopped: set[int] = set()

    def read(self, max_rows: int) -> Sequence[Raw]:
        """Return the events that are durable and come next."""
        horizon_us = self._log.read_horizon_us() if self._limits is None else 0
        active = [each for each in self._cursors if each not in self._stopped]
        share = max(1, max_rows // max(1, len(active)))
        raws: list[Raw] = []
        for partition in active:
            cursor = self._cursors[partition]
            room = share
            if self._limits is not None:
                room = min(share, self._limits[partition] - cursor.next_offset)
            batch = cursor.read(room) if room > 0 else None
            if batch is None or not len(batch):
                self._ended[partition] = horizon_us
                continue
            self._ended.pop(partition, None)
            raws.append(
                RawRows(
                    partition,
                    np.arange(batch.first_offset, batch.next_offset),
                    batch.buffer,
                    batch.ends,
                    Encoding.PROTOBUF,
                    batch.ingest_us,
                    is_strict=True,
                )
            )
        return raws

    def find_ended(self) -> Mapping[int, int]:
        """Return the partitions of which nothing more is durable, and since when."""
        return self._ended

    def read_ends(self) -> Mapping[int, int]:
        """Return the durable offsets."""
        return dict(enumerate(self._log.read_durable().next_offsets))

    def stop(self, partition: int) -> None:
        """Read no more of a partition."""
        self._stopped.add(partition)
        self._ended[partition] = 0

    def close(self) -> None:
        """Release nothing: the log closes its files."""
