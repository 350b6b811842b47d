"""Writes an event log: what `import` and `simulate` leave behind.

The log appears at its path all at once, by one rename, or not at all. Callers
append in any order; those that append in ingest order cost one pass, others a
second, sorting one. Equal events in equal order give equal bytes, whatever the
size of the appends, and (unless given) an equal incarnation.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from features.embedding import EMBEDDER
from features.errors import ConfigError, InvalidEventError
from features.log.assemble import build_batch, stamp_ingest_time
from features.log.conform import conform_batch
from features.log.jsonl import encode_batch
from features.log.manifest import (
    FORMATS,
    SCHEMA_VERSION,
    LogManifest,
    partition_path,
    write_manifest,
)
from features.log.partitioning import compute_partitions
from features.log.spool import PartitionSpool, iterate_batches

DEFAULT_PARTITIONS = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_APPEND_ROWS = 8_192
_ENCODE_ROWS = 4_096

Progress = Callable[[str, int], None]
"""Called with a phase (`append`, `write`) and the number of events done in it."""


class EventLogWriter:
    """Collects events and writes them as a log; a context manager.

    Leaving the block normally closes the log, leaving it by an exception removes
    every trace of it. Memory stays bounded by some row groups per partition.
    Not thread-safe.

    Args:
        path: The log's directory; must not exist or be empty.
        n_partitions: Partitions of the log, 1 to 99.
        formats: Which of `parquet` and `jsonl` to write.
        created_by: The command and version that writes, for the manifest.
        incarnation: Name of this log's content; None derives it from the content.
        progress: Called after every batch.

    Raises:
        ConfigError: The path is taken or an argument is out of range.
    """

    def __init__(
        self,
        path: Path,
        *,
        n_partitions: int = DEFAULT_PARTITIONS,
        formats: Sequence[str] = FORMATS,
        created_by: str = "",
        incarnation: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        _check_arguments(path, n_partitions, formats)
        self.path = path
        self._formats = tuple(name for name in FORMATS if name in formats)
        self._created_by = created_by
        self._incarnation = incarnation
        self._progress = progress
        self._n_appended = 0
        self._n_written = 0
        self._tenants: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = path.parent / f".{path.name}.partial-{os.getpid()}"
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir()
        self._spools = [
            PartitionSpool(partition_path(self._partial, "parquet", partition))
            for partition in range(n_partitions)
        ]

    def append_structs(self, events: Iterable[Any]) -> None:
        """Append `structs.Event` instances; texts are embedded and dropped.

        Raises:
            assemble.ColumnValueError: A field holds what its column cannot; a
                fault of the program that built the events.
            InvalidEventError: An event has neither ingest nor event time.
        """
        remaining = iter(events)
        while chunk := list(islice(remaining, _APPEND_ROWS)):
            self._append(build_batch(chunk))

    def append_table(self, table: pa.Table | pa.RecordBatch) -> None:
        """Append rows; columns and struct fields left out take their defaults.

        Raises:
            ValueError: A column or field that no event has, or a wrong type; a
                fault of the program that built the table.
            InvalidEventError: An event has neither ingest nor event time.
        """
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        for batch in table.to_batches(max_chunksize=_APPEND_ROWS):
            self._append(conform_batch(batch))

    def _append(self, batch: pa.RecordBatch) -> None:
        batch = stamp_ingest_time(batch)
        if batch.column("ingest_time").null_count:
            raise InvalidEventError(
                "an event without time cannot stand in a log",
                field="event_time",
                value="absent",
                expectation="a time in event_time, ingest_time or both",
                fix="give the event its time",
            )
        self._tenants.update(pc.unique(batch.column("tenant")).to_pylist())
        partitions = compute_partitions(batch, len(self._spools))
        for partition in np.unique(partitions):
            rows = np.flatnonzero(partitions == partition)
            part = batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))
            self._spools[partition].append(part)
        self._n_appended += batch.num_rows
        if self._progress:
            self._progress("append", self._n_appended)

    def place_side_file(self, name: str) -> Path:
        """Return where to write a file that is published with the log, or not at all.

        Args:
            name: Path below the log's directory; its folder is made.
        """
        path = self._partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def close(self) -> LogManifest:
        """Sort, write and publish the log; return its manifest.

        If that fails (a full disk), nothing of the log stays behind.
        """
        try:
            manifest = self._write()
        except BaseException:
            self.abort()
            raise
        return manifest

    def _write(self) -> LogManifest:
        for spool in self._spools:
            spool.close()
        digest = xxhash.xxh3_128()
        if "jsonl" in self._formats:
            for partition, spool in enumerate(self._spools):
                self._write_jsonl(spool.path, partition, digest)
        else:
            for spool in self._spools:
                _digest_file(spool.path, digest)
        if "parquet" not in self._formats:
            shutil.rmtree(self._partial / "parquet")
        manifest = self._build_manifest(digest.digest())
        write_manifest(self._partial, manifest)
        _sync_files(self._partial)
        # An empty directory gives way to the rename; a filled one was refused.
        self._partial.rename(self.path)
        _sync(self.path.parent)
        return manifest

    def abort(self) -> None:
        """Remove every trace of the unfinished log."""
        for spool in self._spools:
            spool.abort()
        shutil.rmtree(self._partial, ignore_errors=True)

    def _write_jsonl(self, source: Path, partition: int, digest: xxhash.xxh3_128) -> None:
        target = partition_path(self._partial, "jsonl", partition)
        target.parent.mkdir(parents=True)
        with target.open("wb") as file:
            for batch in iterate_batches(source, _ENCODE_ROWS):
                content = b"".join(encode_batch(batch))
                file.write(content)
                digest.update(content)
                self._n_written += batch.num_rows
                if self._progress:
                    self._progress("write", self._n_written)

    def _build_manifest(self, digest: bytes) -> LogManifest:
        firsts = [s.first_ingest_us for s in self._spools if s.first_ingest_us is not None]
        lasts = [s.last_ingest_us for s in self._spools if s.last_ingest_us is not None]
        return LogManifest(
            incarnation=self._incarnation or str(uuid.UUID(bytes=digest)),
            schema_version=SCHEMA_VERSION,
            n_partitions=len(self._spools),
            formats=self._formats,
            embedder=EMBEDDER,
            tenants=tuple(sorted(self._tenants)),
            n_events=self._n_appended,
            partition_events=tuple(spool.n_rows for spool in self._spools),
            first_ingest_time=_to_datetime(min(firsts)) if firsts else None,
            last_ingest_time=_to_datetime(max(lasts)) if lasts else None,
            created_by=self._created_by,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _check_arguments(path: Path, n_partitions: int, formats: Sequence[str]) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(
            "the event log's place is taken",
            field=str(path),
            value="a directory with files" if path.is_dir() else "a file",
            expectation="a path that does not exist or an empty directory",
            fix="name another path, or remove what stands there",
        )
    if not 1 <= n_partitions <= 99:  # Two digits in the directories' names.
        raise ConfigError(
            "the number of partitions is out of range",
            field="n_partitions",
            value=str(n_partitions),
            expectation="1 to 99",
            fix="choose a number in that range",
        )
    if not formats or not set(formats) <= set(FORMATS):
        raise ConfigError(
            "the log's format is unknown",
            field="formats",
            value=", ".join(formats) or "none",
            expectation=" or ".join(FORMATS),
            fix="name one of these, or both",
        )


def _to_datetime(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def _digest_file(path: Path, digest: xxhash.xxh3_128) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_files(root: Path) -> None:
    """Bring a tree to the disk, so that the rename publishes nothing half written."""
    for path in sorted(root.rglob("*")):
        _sync(path)
    _sync(root)
