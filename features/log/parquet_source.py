"""Reads one Parquet partition of an event log, in one file or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import LogFormatError
from features.log.parquet_leaves import Leaves
from features.log.schema import EVENT_SCHEMA


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises on a broken file into one clear error."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise LogFormatError(
            "a Parquet file of the event log cannot be read",
            field=str(path),
            value=str(error).splitlines()[0][:120],
            expectation="the file as written (it may be truncated)",
            fix="copy it again, write the log again, or read the log's JSONL",
        ) from error


def check_parquet(path: Path, n_rows: int) -> None:
    """Raise `LogFormatError` unless the footer is whole and as the manifest says."""
    with _clear_errors(path), pq.ParquetFile(path) as file:
        schema, found = file.schema_arrow, file.metadata.num_rows
    if not schema.equals(EVENT_SCHEMA):
        differing = set(schema) ^ set(EVENT_SCHEMA)
        raise LogFormatError(
            "the event log has another event schema",
            field=str(path),
            value=f"other columns: {', '.join(sorted({f.name for f in differing})[:5])}",
            expectation="the columns of this version's hemostat.v1.Event",
            fix="read the log's JSONL, or write the log again with this version",
        )
    if found != n_rows:
        raise LogFormatError(
            "a partition does not hold what the manifest says",
            field=str(path),
            value=f"{found} rows",
            expectation=f"{n_rows} rows",
            fix="copy the whole directory again, or write the log again",
        )


def read_parquet_batches(
    paths: Sequence[Path], start_offset: int, batch_size: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files that follow each other, from an offset on.

    Args:
        paths: The files, in order.
        start_offset: Rows to leave out.
        batch_size: Never more at once.
        columns: Those wanted.
    """
    skip = start_offset
    for path in paths:
        with _clear_errors(path), pq.ParquetFile(path) as file:
            n_rows = file.metadata.num_rows
            if skip < n_rows:
                yield from _read_file(file, skip, batch_size, columns)
        skip = max(0, skip - n_rows)


def _read_file(
    file: pq.ParquetFile, skip: int, batch_size: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    groups: list[int] = []
    for number in range(file.num_row_groups):
        n_rows = file.metadata.row_group(number).num_rows
        if not groups and skip >= n_rows:
            skip -= n_rows
        else:
            groups.append(number)
    leaves = Leaves(file, groups, columns)
    for batch in file.iter_batches(batch_size, groups, leaves.paths, use_threads=False):
        if skip >= batch.num_rows:
            skip -= batch.num_rows
            continue
        whole = leaves.fill(batch)
        yield whole.slice(skip) if skip else whole
        skip = 0
