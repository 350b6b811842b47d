"""Event logs in files: those that `hemostat` writes, and a retailer's own `.jsonl` files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import LogFormatError
from features.log.jsonl_source import find_raw_files
from features.log.manifest import ARCHIVE, partition_path
from features.log.reader import EventLog
from stream.sources.lines import LineCursor
from stream.sources.port import Encoding, Raw, RawRows, RawTable

_IDLE_SLACK_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FileSource:
    """A log in files.

    Args:
        path: An event log's or archive's folder, a `.jsonl` file or a folder of them.
        log_format: `parquet` or `jsonl`; None takes Parquet if the log has it.

    Raises:
        LogFormatError: There is no such log, or it is broken.
        ConfigError: The log is not there in that format.
    """

    def __init__(self, path: Path, log_format: str | None = None) -> None:
        self._log = EventLog(path, log_format=log_format)
        manifest = self._log.manifest
        self.name = str(path)
        self.incarnation = manifest.incarnation
        self.n_partitions = manifest.n_partitions
        self.n_rows = manifest.n_events
        # The log behind an archive may grow, and the next archiving go on in mid-group.
        self.is_finite = self._log.log_format != ARCHIVE
        last = manifest.last_ingest_time
        self.last_ingest_us = 0 if last is None else (last - _EPOCH) // timedelta(microseconds=1)

    def open_reader(
        self, starts: Mapping[int, int], *, is_following: bool, batch_size: int
    ) -> LineReader | TableReader:
        """Return a reader of some partitions; only raw `.jsonl` files can grow."""
        held = self._log.manifest.partition_events
        for partition, start in starts.items():
            if held and start > held[partition]:
                raise LogFormatError(
                    "the event log has lost rows that the store has applied",
                    field=f"partition {partition:02d}",
                    value=f"{held[partition]} rows",
                    expectation=f"at least {start} rows",
                    fix="restore the log, or rebuild: `hemostat stream SOURCE --store NEW`",
                )
        if self._log.log_format in ("parquet", ARCHIVE):
            return TableReader(self._log, starts, max(1, batch_size // max(1, len(starts))))
        raw_files = find_raw_files(self._log.path)
        files = {
            partition: raw_files[partition]
            if raw_files
            else partition_path(self._log.path, "jsonl", partition)
            for partition in starts
        }
        ends = dict(enumerate(held))
        return LineReader(files, starts, ends, is_following=is_following and bool(raw_files))

    def find_unfinished(self) -> Sequence[int]:
        """Return the partitions whose file ends in the middle of a line."""
        return self._log.find_unfinished()

    def close(self) -> None:
        """Do nothing: files are open only while they are read."""


class LineReader:
    """A `SourceReader` of JSON lines; each partition gives its share of a read."""

    def __init__(
        self,
        files: Mapping[int, Path],
        starts: Mapping[int, int],
        ends: Mapping[int, int],
        *,
        is_following: bool,
    ) -> None:
        self._cursors = {
            partition: LineCursor(file, starts[partition], is_following=is_following)
            for partition, file in files.items()
        }
        self._ends = dict(ends)
        self._is_following = is_following
        self._ended: dict[int, int] = {}

    def read(self, max_rows: int) -> Sequence[Raw]:
        """Return the lines that come next."""
        active = [each for each in self._cursors if self._is_following or each not in self._ended]
        share = max(1, max_rows // max(1, len(active)))
        raws: list[Raw] = []
        for partition in active:
            cursor = self._cursors[partition]
            first = cursor.next_line
            buffer, ends = cursor.read(share)
            self._ended.pop(partition, None)
            if len(ends):
                offsets = np.arange(first, first + len(ends))
                raws.append(RawRows(partition, offsets, buffer, ends, Encoding.JSON))
            if len(ends) < share and cursor.is_at_end:
                self._ended[partition] = self._read_idle_us()
        return raws

    def find_ended(self) -> Mapping[int, int]:
        """Return the partitions whose files were read to the end."""
        return self._ended

    def read_ends(self) -> Mapping[int, int]:
        """Return the number of lines, if the log counted them."""
        return self._ends

    def stop(self, partition: int) -> None:
        """Read no more of a partition."""
        self._ended[partition] = 0

    def close(self) -> None:
        """Release the files."""
        for cursor in self._cursors.values():
            cursor.close()

    def _read_idle_us(self) -> int:
        """Return a moment ago: what was appended before has been read."""
        return time.time_ns() // 1_000 - _IDLE_SLACK_US if self._is_following else 0


class TableReader:
    """A `SourceReader` of Parquet partitions."""

    def __init__(self, log: EventLog, starts: Mapping[int, int], share: int) -> None:
        self._log = log
        self._batches: dict[int, Iterator[tuple[int, Any]]] = {
            partition: iter(log.read_batches(partition, start, share))
            for partition, start in starts.items()
        }
        self._ended: dict[int, int] = {}

    def read(self, max_rows: int) -> Sequence[Raw]:
        """Return the rows that come next, the batch size's share of each partition."""
        raws: list[Raw] = []
        for partition, batches in self._batches.items():
            if partition in self._ended:
                continue
            found = next(batches, None)
            if found is None:
                self._ended[partition] = 0
            else:
                first, table = found
                offsets = np.arange(first, first + table.num_rows)
                raws.append(RawTable(partition, offsets, table))
        return raws

    def find_ended(self) -> Mapping[int, int]:
        """Return the partitions that were read to the end."""
        return self._ended

    def read_ends(self) -> Mapping[int, int]:
        """Return the number of rows of each partition."""
        return dict(enumerate(self._log.manifest.partition_events))

    def stop(self, partition: int) -> None:
        """Read no more of a partition."""
        self._ended[partition] = 0

    def close(self) -> None:
        """Release the files."""
        self._batches.clear()
