"""Takes a customer's events out of the logs that hemostat wrote.

Offsets stay: an erased event leaves the empty event in its place (an empty row, the
line `{}`, a message of length 0), which every decoder passes over, so a store's
progress holds. Each file is replaced as a whole. A retailer's own files are never
changed; the register beside them keeps their events from coming back.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.log.blanking import blank_rows
from features.log.customer_match import CustomerMatch
from features.log.embedded_files import explained, is_embedded_log, sync_folder
from features.log.embedded_maintenance import erase_from_segments
from features.log.manifest import ARCHIVE, MANIFEST_NAME, read_manifest
from features.log.schema import EVENT_SCHEMA

_FIND_COLUMNS = ["tenant", "customer_id", "ingest_time"]
_BLANK_LINE = b"{}\n"


def erase_from_log(path: Path, match: CustomerMatch) -> int:
    """Empty a customer's events in a log and return how many there were.

    Args:
        path: A log of any kind. Of a raw source nothing is changed: 0.
        match: Which events.

    Raises:
        StoreUnavailableError: A file cannot be read or written; run it again.
        LogFormatError: The log is damaged.
    """
    if is_embedded_log(path):
        return erase_from_segments(
            path, match.message_needle, match.until_us, match.matches_message
        )
    if not (path / MANIFEST_NAME).is_file():
        return 0
    manifest = read_manifest(path)
    pattern = "day=*/*.parquet" if ARCHIVE in manifest.formats else "parquet/*/*.parquet"
    with explained(path):
        n_rows = sum(_erase_parquet(file, match) for file in sorted(path.glob(pattern)))
        n_lines = sum(_erase_lines(file, match) for file in sorted(path.glob("jsonl/*/*.jsonl")))
        sync_folder(path)
    return max(n_rows, n_lines)  # Two formats hold the same events.


def erase_from_feature_log(path: Path, customer_key: bytes) -> int:
    """Drop a customer's rows from a feature log and return how many there were.

    Args:
        path: The feature log's folder.
        customer_key: CUSTOMER entity key.

    Raises:
        StoreUnavailableError: A file cannot be read or written; run it again.
    """
    n_dropped = 0
    with explained(path):
        for file in sorted(path.glob("day=*/*.parquet")):
            keys = pq.read_table(file, columns=["customer_key"], partitioning=None).column(0)
            is_kept = pc.not_equal(keys, pa.scalar(customer_key, keys.type)).fill_null(True)
            n_theirs = len(keys) - int(pc.sum(is_kept).as_py())
            if not n_theirs:
                continue
            n_dropped += n_theirs
            table = pq.read_table(file, partitioning=None).filter(is_kept)
            _replace(file, partial(pq.write_table, table))
    return n_dropped


def _erase_parquet(file: Path, match: CustomerMatch) -> int:
    """Empty the matching rows of a Parquet file; it is rewritten only if there are any."""
    with pq.ParquetFile(file) as source:
        if not any(
            len(match.find_rows(source.read_row_group(number, _FIND_COLUMNS)))
            for number in range(source.num_row_groups)
        ):
            return 0
    n_erased = 0

    def write(draft: Path) -> None:
        nonlocal n_erased
        with (
            pq.ParquetFile(file) as source,
            pq.ParquetWriter(draft, EVENT_SCHEMA, compression="zstd", compression_level=1) as out,
        ):
            for number in range(source.num_row_groups):
                table = source.read_row_group(number)
                rows = match.find_rows(table)
                n_erased += len(rows)
                group = blank_rows(table, rows) if len(rows) else table
                out.write_table(group, row_group_size=max(1, group.num_rows))

    _replace(file, write)
    return n_erased


def _erase_lines(file: Path, match: CustomerMatch) -> int:
    """Empty the matching lines of a JSONL file; it is rewritten only if there are any."""
    if not file.stat().st_size:
        return 0  # Nothing cannot be mapped.
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        lines = list(_find_lines(content, match))
        if not lines:
            return 0

        def write(draft: Path) -> None:
            position = 0
            with draft.open("wb") as out, memoryview(content) as view:
                for start, end in lines:
                    out.write(view[position:start])
                    out.write(_BLANK_LINE)
                    position = end
                out.write(view[position:])

        _replace(file, write)
    return len(lines)


def _find_lines(content: mmap.mmap, match: CustomerMatch) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each matching line, its line end included."""
    needle = match.line_needle
    place = content.find(needle)
    while place >= 0:
        start = content.rfind(b"\n", 0, place) + 1
        end = content.find(b"\n", place) + 1 or len(content)
        if match.matches_line(content[start:end]):
            yield start, end
        place = content.find(needle, end)


def _replace(file: Path, write: Callable[[Path], None]) -> None:
    """Write a file anew, synced, and let it take the old one's place."""
    draft = file.with_name(f".{file.name}.erasing-{os.getpid()}")
    try:
        write(draft)
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(file)
        sync_folder(file.parent)
    finally:
        draft.unlink(missing_ok=True)
