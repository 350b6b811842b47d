"""Reads one JSONL partition: of an event log, or a retailer's own file.

A retailer's own line may carry `reason.text` (embedded and dropped while
decoding) and needs no `ingest_time` (`event_time` takes its place).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import xxhash

from features.embedding import EMBEDDER
from features.errors import InvalidEventError, LogFormatError
from features.log.assemble import stamp_ingest_time
from features.log.jsonl import MAX_LINE_BYTES, EventDecoder
from features.log.manifest import MANIFEST_NAME, SCHEMA_VERSION, LogManifest
from features.log.schema import FAULT_FIELDS, MALFORMED_COLUMN, MALFORMED_TYPE

_FIRST_BYTES = 4_096
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def find_raw_files(path: Path) -> list[Path]:
    """Return the `.jsonl` files of a raw source, sorted; empty if it is a log's directory.

    Raises:
        LogFormatError: There is nothing at the path, or a file of another kind.
    """
    if path.is_dir():
        if (path / MANIFEST_NAME).exists():
            return []
        return sorted(file for file in path.glob("*.jsonl") if file.is_file())
    if path.is_file() and path.suffix == ".jsonl":
        return [path]
    raise LogFormatError(
        "not an event log",
        field=str(path),
        value="a file of another kind" if path.exists() else "nothing there",
        expectation="a log's directory, a .jsonl file or a directory of .jsonl files",
        fix="check the path; `hemostat import` and `hemostat simulate` write logs",
    )


def build_raw_manifest(files: Sequence[Path]) -> LogManifest:
    """Return a manifest for raw files: one partition each, events not counted.

    The incarnation comes from the files' names and first lines, so a file that
    grows stays the same source and a replaced one does not.
    """
    digest = xxhash.xxh3_128()
    for file in files:
        with file.open("rb") as stream:
            digest.update(file.name.encode() + b"\0" + stream.readline(_FIRST_BYTES))
    return LogManifest(
        incarnation=str(uuid.UUID(bytes=digest.digest())),
        schema_version=SCHEMA_VERSION,
        n_partitions=len(files),
        formats=("jsonl",),
        embedder=EMBEDDER,
    )


def read_jsonl_batches(
    path: Path, start_offset: int, batch_size: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows from an offset on; one row per line, malformed ones told apart."""
    decoder = EventDecoder()
    with path.open("rb", buffering=1 << 20) as stream:
        lines = _iterate_lines(stream)
        for _ in islice(lines, start_offset):
            pass
        while chunk := list(islice(lines, batch_size)):
            decoded = decoder.decode_lines(chunk)
            batch = stamp_ingest_time(decoded.batch).select(list(columns))
            yield append_malformed(batch, decoded.malformed)


def _iterate_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield each line; of one over the limit only the first bytes, so that memory is bounded.

    What is cut is no whole JSON, so the decoder refuses it.
    """
    is_first = True
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        if is_first:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            is_first = False
        if not line.endswith(b"\n") and not _is_whole(line):
            return  # Still being written: read when its end has come.
        yield line


def _is_whole(line: bytes) -> bool:
    """Return whether a last line without line end is a whole JSON document, or too long for one."""
    if len(line) > MAX_LINE_BYTES:
        return True
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def has_unfinished_line(path: Path) -> bool:
    """Return whether a file ends in the middle of a line; reading stops before that line."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - MAX_LINE_BYTES - 1))
        tail = stream.read()
    last = tail.rpartition(b"\n")[2]
    return bool(last) and not _is_whole(last.removeprefix(_BYTE_ORDER_MARK))


def append_malformed(
    batch: pa.RecordBatch, malformed: Sequence[tuple[int, InvalidEventError]]
) -> pa.RecordBatch:
    """Return the batch with the column that tells of malformed rows, if there are any.

    Args:
        batch: The rows.
        malformed: Index of each malformed row and what is wrong with it.
    """
    if not malformed:
        return batch
    faults: list[dict[str, str] | None] = [None] * batch.num_rows
    for index, error in malformed:
        faults[index] = {name: getattr(error, name) for name in FAULT_FIELDS}
    return batch.append_column(MALFORMED_COLUMN, pa.array(faults, MALFORMED_TYPE))
