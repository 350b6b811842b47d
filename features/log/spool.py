"""One partition on its way to disk: bounded memory, then sorted if need be.

Rows go straight into a Parquet file with row groups of a fixed size, so the
bytes do not depend on how the caller cut its appends. Only a partition that saw
an ingest time go backwards is written a second time, sorted, a few row groups
in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.log.schema import EVENT_SCHEMA

ROW_GROUP_ROWS = 32_768
"""Rows per Parquet row group: some 20 MB decoded, for all kinds' columns."""

_CACHED_ROW_GROUPS = 8
_SMALL_ROWS = 256
"""Smaller appends are joined at once: a batch of one row costs as much memory as 100 rows."""
_SORT_SUFFIX = ".unsorted"


class PartitionSpool:
    """Writes one partition's Parquet file.

    Not thread-safe. `close` must be called exactly once, before `path` is read.

    Args:
        path: The file to write; its directory is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True)
        self.path = path
        self.n_rows = 0
        self.first_ingest_us: int | None = None
        self.last_ingest_us: int | None = None
        self._is_sorted = True
        self._small: list[pa.RecordBatch] = []
        self._n_small = 0
        self._pending: list[pa.RecordBatch] = []
        self._n_pending = 0
        self._writer = _open_writer(path)

    def append(self, batch: pa.RecordBatch) -> None:
        """Take rows of the event schema, every one with an ingest time."""
        if not batch.num_rows:
            return
        ingest_us = read_ingest_us(batch)
        least, greatest = int(ingest_us.min()), int(ingest_us.max())
        if self.first_ingest_us is None or self.last_ingest_us is None:
            self.first_ingest_us, self.last_ingest_us = least, greatest
        self._is_sorted &= least >= self.last_ingest_us or self.n_rows == 0
        self._is_sorted &= not (np.diff(ingest_us) < 0).any()
        self.first_ingest_us = min(least, self.first_ingest_us)
        self.last_ingest_us = max(greatest, self.last_ingest_us)
        self.n_rows += batch.num_rows
        self._small.append(batch)
        self._n_small += batch.num_rows
        if self._n_small >= _SMALL_ROWS:
            self._join_small()

    def _join_small(self) -> None:
        """Move the latest appends to the pending ones, as one batch; write full row groups."""
        if self._small:
            joined = self._small[0] if len(self._small) == 1 else pa.concat_batches(self._small)
            self._pending.append(joined)
            self._n_pending += self._n_small
            self._small, self._n_small = [], 0
        while self._n_pending >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def _flush(self, n_rows: int) -> None:
        """Write the oldest pending rows as one row group."""
        table = pa.Table.from_batches(self._pending, EVENT_SCHEMA)
        self._writer.write_table(table.slice(0, n_rows), row_group_size=n_rows)
        self._pending = table.slice(n_rows).to_batches()
        self._n_pending -= n_rows

    def close(self) -> None:
        """Write what is pending and sort the file by ingest time, ties in source order."""
        self._join_small()
        if self._n_pending:
            self._flush(self._n_pending)
        self._writer.close()
        if not self._is_sorted:
            unsorted = self.path.with_suffix(_SORT_SUFFIX)
            self.path.rename(unsorted)
            _write_sorted(unsorted, self.path)
            unsorted.unlink()

    def abort(self) -> None:
        """Let go of the file without finishing it."""
        self._writer.close()


def read_ingest_us(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Return a batch's ingest times in microseconds; none may be null."""
    column: npt.NDArray[np.int64] = batch.column("ingest_time").cast(pa.int64()).to_numpy()
    return column


def iterate_batches(path: Path, batch_size: int) -> Iterator[pa.RecordBatch]:
    """Yield a finished partition's rows, in batches of at most `batch_size`."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size, use_threads=False)


def _open_writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, EVENT_SCHEMA, compression="zstd", compression_level=1)


def _write_sorted(source: Path, target: Path) -> None:
    """Copy a Parquet file, stably sorted by ingest time."""
    with pq.ParquetFile(source) as file, _open_writer(target) as writer:

        @lru_cache(maxsize=_CACHED_ROW_GROUPS)
        def read_group(number: int) -> pa.Table:
            return file.read_row_group(number, use_threads=False)

        column = file.read(columns=["ingest_time"]).column(0).cast(pa.int64())
        order = np.argsort(column.to_numpy(), kind="stable")
        for start in range(0, len(order), ROW_GROUP_ROWS):
            rows = order[start : start + ROW_GROUP_ROWS]
            groups, offsets = rows // ROW_GROUP_ROWS, rows % ROW_GROUP_ROWS
            by_group = np.argsort(groups, kind="stable")
            parts = [
                read_group(int(group)).take(pa.array(offsets[groups == group]))
                for group in np.unique(groups)
            ]
            back = np.empty(len(rows), np.int64)
            back[by_group] = np.arange(len(rows))
            table = pa.concat_tables(parts).combine_chunks().take(pa.array(back))
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
