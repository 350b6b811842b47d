"""Reads event logs of every kind as columns.

Those written by `writer`, archives by day, the embedded log as far as it is durable,
and a retailer's own JSONL files.

A row's *offset* is its index in its partition, the same whether the partition is
read from Parquet or from JSONL, since every line takes an offset, malformed or
not. Progress recorded as (incarnation, partition, offset) therefore holds for
both formats. An erased event stays as an empty row; so does one of a customer who
stands in the register beside the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import ConfigError, LogFormatError
from features.log.blanking import blank_rows
from features.log.embedded_source import read_embedded_batches
from features.log.erasure_register import ErasureRegister
from features.log.event_archive import list_archived_files
from features.log.jsonl_source import (
    build_raw_manifest,
    find_raw_files,
    has_unfinished_line,
    read_jsonl_batches,
)
from features.log.manifest import (
    ARCHIVE,
    EMBEDDED,
    FORMATS,
    LogManifest,
    partition_path,
    read_manifest,
)
from features.log.parquet_source import check_parquet, read_parquet_batches
from features.log.partitioning import compute_customer_keys
from features.log.schema import (
    ENVELOPE_FIELDS,
    EVENT_KINDS,
    EVENT_SCHEMA,
    KIND_COLUMN,
    MALFORMED_COLUMN,
)
from features.log.validation import find_erased_rows

DEFAULT_BATCH_ROWS = 8_192


class EventLog:
    """An event log, opened for reading.

    Opening checks the layout, the manifest and every partition's file, so that a
    broken log is refused before anything of it is applied.

    Args:
        path: A directory written by `writer.EventLogWriter`, an archive, an embedded
            log; or a retailer's own `.jsonl` file, or a directory of them (each file
            is a partition, in the order of their names).
        log_format: `parquet` or `jsonl`; None takes Parquet if the log has it. Archives
            and embedded logs have one format only.

    Attributes:
        path: As given.
        manifest: What the log says of itself; see `manifest.LogManifest`.
        log_format: The format that is read.

    Raises:
        LogFormatError: Not an event log, another layout, or a broken file.
        ConfigError: The log does not have the format asked for.
    """

    def __init__(self, path: Path, *, log_format: str | None = None) -> None:
        self.path = path
        self.manifest: LogManifest
        raw_files = find_raw_files(path)
        if raw_files:
            self.manifest = build_raw_manifest(raw_files)
            self._files = raw_files
        else:
            self.manifest = read_manifest(path)
        self.log_format = _choose_format(self.manifest, log_format)
        self._register = ErasureRegister(path if path.is_dir() else path.parent)
        if self.log_format in FORMATS and not raw_files:
            self._files = [
                partition_path(path, self.log_format, partition) for partition in self.partitions
            ]
            self._check_files()

    @property
    def partitions(self) -> range:
        """Return the partitions' numbers."""
        return range(self.manifest.n_partitions)

    def _check_files(self) -> None:
        for partition, file in enumerate(self._files):
            if not file.is_file():
                raise LogFormatError(
                    "a partition of the event log is missing",
                    field=str(file),
                    value="no such file",
                    expectation=f"{self.manifest.n_partitions} partitions, as log.json says",
                    fix="copy the whole directory again, or write the log again",
                )
            if self.log_format == "parquet":
                check_parquet(file, self.manifest.partition_events[partition])
            elif has_unfinished_line(file):
                raise LogFormatError(
                    "a partition of the event log is cut off",
                    field=str(file),
                    value="ends in the middle of a line",
                    expectation="whole lines",
                    fix="copy the whole directory again, or write the log again",
                )

    def find_unfinished(self) -> list[int]:
        """Return the partitions whose file ends in the middle of a line.

        Such a line is not read: a file that grows is read on when its end has come.
        """
        if self.log_format != "jsonl":
            return []
        return [n for n in self.partitions if has_unfinished_line(self._files[n])]

    def read_batches(
        self,
        partition: int,
        start_offset: int = 0,
        batch_size: int = DEFAULT_BATCH_ROWS,
        until_us: int | None = None,
        kinds: Iterable[str] | None = None,
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield a partition's rows in log order as (offset of the first row, batch).

        Offsets are contiguous: row `i` of a batch has offset `offset + i`. A
        malformed JSONL line stands as a row without id, time and kind; a batch
        that holds one has an extra last column `malformed` (struct of strings
        `message, field, value, expectation, fix`, null for good rows), which
        `validation.validate_batch` turns into rejections. `ingest_time` is
        `event_time` where the source has none.

        Args:
            partition: One of `partitions`.
            start_offset: Offset of the first row wanted.
            batch_size: Rows per batch, at most.
            until_us: Stop before the first row with a later ingest time; None reads all.
            kinds: Read only these kinds' struct columns (all rows, all envelope
                columns); None reads every column.

        Raises:
            LogFormatError: The file is broken behind its footer.
        """
        columns = select_columns(kinds)
        offset = start_offset
        for read in self._read_stored(partition, start_offset, batch_size, columns):
            batch = self._blank_erased(read)
            n_rows = batch.num_rows if until_us is None else _count_until(batch, until_us)
            if n_rows:
                yield offset, batch if n_rows == batch.num_rows else batch.slice(0, n_rows)
            if n_rows < batch.num_rows:
                return
            offset += n_rows

    def _read_stored(
        self, partition: int, start_offset: int, batch_size: int, columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        if self.log_format == "jsonl":
            return read_jsonl_batches(self._files[partition], start_offset, batch_size, columns)
        if self.log_format == EMBEDDED:
            return read_embedded_batches(self.path, partition, start_offset, batch_size, columns)
        if self.log_format == ARCHIVE:
            files = list_archived_files(self.path, partition)
        else:
            files = [self._files[partition]]
        return read_parquet_batches(files, start_offset, batch_size, columns)

    def _blank_erased(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Empty the rows of customers who stand in the register beside the log."""
        erasures = self._register.read()
        if not len(erasures):
            return batch
        ingest_us = batch.column("ingest_time").cast(pa.int64()).fill_null(0).to_numpy()
        rows = np.flatnonzero(erasures.find_erased(compute_customer_keys(batch), ingest_us))
        return blank_rows(pa.Table.from_batches([batch]), rows).to_batches()[0]

    def read_table(self, kinds: Sequence[str] | None = None) -> pa.Table:
        """Return all partitions' rows, sorted by ingest time; ties by partition and offset.

        Malformed lines and erased events are left out; nothing is validated. Use `read_batches` and
        `validation.validate_batch` where rejections must be accounted for.

        Args:
            kinds: Keep only rows of these kinds and only their struct columns;
                None keeps everything.
        """
        wanted = None if kinds is None else pa.array(list(kinds), pa.string())
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in select_columns(kinds)])
        batches = []
        for partition in self.partitions:
            for _, batch in self.read_batches(partition, kinds=kinds):
                good = drop_malformed(batch)
                good = good.filter(pa.array(~find_erased_rows(good)))
                if wanted is not None:
                    kind = good.column(KIND_COLUMN).cast(pa.string())
                    good = good.filter(pc.is_in(kind, wanted))
                if good.num_rows:
                    batches.append(good)
        table = pa.Table.from_batches(batches, schema).unify_dictionaries().combine_chunks()
        ingest_us = table.column("ingest_time").cast(pa.int64()).fill_null(0).to_numpy()
        if (np.diff(ingest_us) < 0).any():
            table = table.take(pa.array(np.argsort(ingest_us, kind="stable"))).combine_chunks()
        return table


def select_columns(kinds: Iterable[str] | None) -> list[str]:
    """Return the envelope's columns, `kind` and the kinds' own, in schema order."""
    wanted = set(EVENT_KINDS if kinds is None else kinds)
    if unknown := wanted - set(EVENT_KINDS):
        raise ValueError(f"no such event kinds: {sorted(unknown)}")
    names = {field.name for field in ENVELOPE_FIELDS} | {KIND_COLUMN} | wanted
    return [name for name in EVENT_SCHEMA.names if name in names]


def drop_malformed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch without malformed lines and without the column that tells of them."""
    position = batch.schema.get_field_index(MALFORMED_COLUMN)
    if position < 0:
        return batch
    good = batch.filter(pc.is_null(batch.column(position)))
    return good.remove_column(position)


def _count_until(batch: pa.RecordBatch, until_us: int) -> int:
    """Return how many leading rows have no ingest time after `until_us`."""
    ingest_us = batch.column("ingest_time").cast(pa.int64())
    later = pc.fill_null(pc.greater(ingest_us, until_us), False)
    position: int = pc.index(later, True).as_py()
    return batch.num_rows if position < 0 else position


def _choose_format(manifest: LogManifest, asked: str | None) -> str:
    if asked is None:
        return next(name for name in (*FORMATS, EMBEDDED, ARCHIVE) if name in manifest.formats)
    if asked not in manifest.formats:
        raise ConfigError(
            "the event log is not stored in this format",
            field="log_format",
            value=asked,
            expectation=" or ".join(manifest.formats),
            fix="read it in a format that it has",
        )
    return asked
