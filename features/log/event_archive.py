"""The event archive: any log as Parquet by day of ingest, for training and for keeping.

    ARCHIVE/log.json
    ARCHIVE/day=2026-11-22/partition=00-offsets-000000000000-000000049999.parquet

Each file holds the rows of one day out of one fixed range of offsets, so an archiver
that begins a range again, after a crash or because the log has grown, overwrites it
with the same rows and more. Rows keep their order; one that is no event (malformed,
erased) is an empty row.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ConfigError
from features.log.blanking import blank_rows
from features.log.embedded_files import explained, sync_folder
from features.log.manifest import (
    ARCHIVE,
    MANIFEST_NAME,
    LogManifest,
    read_manifest,
    write_manifest,
)
from features.log.schema import EVENT_SCHEMA, MALFORMED_COLUMN

RANGE_ROWS = 50_000
"""Offsets per range. Part of the layout: not to be changed."""

_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int], None]
"""Called with the number of rows written since the last call."""


class EventArchiveWriter:
    """Writes the rows of one source into an archive; ranges that are complete appear at once.

    Args:
        path: The archive's folder, made if it is not there.
        source: Manifest of the log that is archived.

    Raises:
        ConfigError: The folder holds something else, or another log's archive.
        StoreUnavailableError: From any call: a file cannot be written.
    """

    def __init__(self, path: Path, source: LogManifest) -> None:
        self.path = path
        self._n_partitions = source.n_partitions
        self._pending: dict[int, list[pa.RecordBatch]] = {}
        self._next: dict[int, int] = {}
        with explained(path):
            _make_archive(path, source)

    def find_start(self, partition: int) -> int:
        """Return the offset to begin at: that of the last range that was begun."""
        return max((first for first, _ in _list_ranges(self.path, partition)), default=0)

    def append(self, partition: int, first_offset: int, batch: pa.RecordBatch) -> None:
        """Take rows of a partition, in order and without gaps, from `find_start` on."""
        batch = _blank_malformed(batch)
        while batch.num_rows:
            room = RANGE_ROWS - first_offset % RANGE_ROWS
            part = batch.slice(0, room)
            self._pending.setdefault(partition, []).append(part)
            first_offset += part.num_rows
            self._next[partition] = first_offset
            if first_offset % RANGE_ROWS == 0:
                self._flush(partition)
            batch = batch.slice(part.num_rows)

    def close(self) -> None:
        """Write the ranges that are not complete yet."""
        for partition in list(self._pending):
            self._flush(partition)

    def _flush(self, partition: int) -> None:
        table = pa.Table.from_batches(self._pending.pop(partition), EVENT_SCHEMA)
        first = (self._next[partition] - 1) // RANGE_ROWS * RANGE_ROWS
        name = _format_name(partition, first)
        days = _compute_days(table)
        with explained(self.path):
            for day in np.unique(days):
                folder = self.path / f"day={_EPOCH + timedelta(days=int(day)):%Y-%m-%d}"
                folder.mkdir(exist_ok=True)
                part = table.filter(pa.array(days == day))
                _write_whole(folder / name, part)


def list_archived_files(path: Path, partition: int) -> list[Path]:
    """Return the files of a partition in the order of their rows."""
    return [file for _, file in sorted(_list_ranges(path, partition))]


def _list_ranges(path: Path, partition: int) -> list[tuple[int, Path]]:
    prefix = f"partition={partition:02d}-offsets-"
    return [
        (int(file.name[len(prefix) :].partition("-")[0]), file)
        for file in path.glob(f"day=*/{prefix}*.parquet")
    ]


def _format_name(partition: int, first: int) -> str:
    last = first + RANGE_ROWS - 1
    return f"partition={partition:02d}-offsets-{first:012d}-{last:012d}.parquet"


def _compute_days(table: pa.Table) -> npt.NDArray[np.int64]:
    """Return each row's day since the epoch; an empty row has that of the row before it.

    Never descending, as the log is not, so that rows keep their order over the files.
    """
    ingest_us = table.column("ingest_time").cast(pa.int64()).fill_null(0).to_numpy()
    days: npt.NDArray[np.int64] = np.maximum.accumulate(ingest_us // _DAY_US)
    if len(days):
        known = days[days > 0]
        days[days <= 0] = known[0] if len(known) else 0
    return days


def _blank_malformed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with malformed rows emptied."""
    position = batch.schema.get_field_index(MALFORMED_COLUMN)
    if position < 0:
        return batch
    rows = np.flatnonzero(~batch.column(position).is_null().to_numpy(zero_copy_only=False))
    table = pa.Table.from_batches([batch.remove_column(position)])
    return blank_rows(table, rows).combine_chunks().to_batches()[0]


def _make_archive(path: Path, source: LogManifest) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if (path / MANIFEST_NAME).exists():
        found = read_manifest(path)
        if found.formats != (ARCHIVE,) or found.incarnation != source.incarnation:
            raise ConfigError(
                "the archive's place is taken",
                field="--to",
                value=str(path),
                expectation="an archive of the same log, or an empty folder",
                fix="name another folder",
            )
        return
    if any(path.iterdir()):
        raise ConfigError(
            "the archive's place is taken",
            field="--to",
            value=str(path),
            expectation="an archive of the same log, or an empty folder",
            fix="name another folder",
        )
    manifest = LogManifest(
        incarnation=source.incarnation,
        schema_version=source.schema_version,
        n_partitions=source.n_partitions,
        formats=(ARCHIVE,),
        embedder=source.embedder,
        created_by="hemostat log archive",
    )
    write_manifest(path, manifest)


def _write_whole(target: Path, table: pa.Table) -> None:
    """Write a Parquet file, synced, so that it is there whole or not at all."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        pq.write_table(table, draft, compression="zstd", compression_level=1)
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)
