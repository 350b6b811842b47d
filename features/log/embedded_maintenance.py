"""What is done to an embedded log besides appending: erasing, trimming, verifying.

Only sealed segments are touched, each replaced or removed as a whole, so appenders
and readers go on meanwhile: a reader keeps the file that it has open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from features.errors import LogFormatError
from features.log.embedded_appender import EmbeddedAppender
from features.log.embedded_files import (
    events_folder,
    explained,
    list_segments,
    locked,
    read_segment_header,
    segment_path,
    sync_folder,
    write_synced,
)
from features.log.embedded_log import EmbeddedLog
from features.log.manifest import read_manifest
from features.log.segment_format import (
    BlockHeader,
    compute_segment_header_size,
    decode_block_header,
    encode_block,
    find_payload,
    is_whole,
    read_lengths,
)

_LOCK_NAME = "maintenance.lock"


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What trimming did.

    Attributes:
        segments: How many were removed.
        bytes: How much room that gave.
        first_offsets: Per partition the least offset that is still held.
    """

    segments: int
    bytes: int
    first_offsets: tuple[int, ...]


def erase_from_segments(
    path: Path, needle: bytes, until_us: int, is_theirs: Callable[[bytes], bool]
) -> int:
    """Empty the events that `is_theirs` tells and return how many there were.

    Args:
        path: The log's folder.
        needle: Bytes that stand in each of them; what lacks them is not looked at.
        until_us: Leave what came in later, microseconds UTC.
        is_theirs: Tells from a serialized event.

    Raises:
        StoreUnavailableError: A file cannot be read or written; run it again.
        LogFormatError: A segment is damaged.
    """
    appender = EmbeddedAppender.open(path)
    try:
        active = appender.seal().segment
    finally:
        appender.close()
    n_erased = 0
    with explained(path), _exclusive(path):
        for number in list_segments(path):
            if number < active:
                n_erased += _erase_segment(path, number, needle, until_us, is_theirs)
    return n_erased


def trim(path: Path, keep_from_us: int, needed: Sequence[int] | None) -> Trimmed:
    """Remove the oldest segments that are old and that nobody needs any more.

    Args:
        path: The log's folder.
        keep_from_us: Keep a segment with any event that came in at or after this time.
        needed: Per partition the least offset that some store has not applied; None:
            no store follows this log.

    Raises:
        StoreUnavailableError: A file cannot be removed.
        LogFormatError: A segment is damaged.
    """
    manifest = read_manifest(path)
    n_removed = n_bytes = 0
    with explained(path), _exclusive(path):
        segments = list_segments(path)
        for number, following in pairwise(segments):
            header = read_segment_header(path, manifest, following)
            is_needed = needed is not None and any(
                offset < behind for offset, behind in zip(needed, header.base_offsets, strict=True)
            )
            if is_needed or header.base_ingest_us >= keep_from_us:
                break
            n_bytes += segment_path(path, number).stat().st_size
            segment_path(path, number).unlink()
            n_removed += 1
        sync_folder(events_folder(path))
    with EmbeddedLog(path) as log:
        return Trimmed(n_removed, n_bytes, log.first_offsets())


def verify(path: Path) -> list[int]:
    """Return how many durable events each partition holds, every block checked.

    Raises:
        LogFormatError: A block is damaged or events are missing.
        StoreUnavailableError: A file cannot be read.
    """
    with EmbeddedLog(path) as log:
        first, last = log.first_offsets(), log.read_durable().next_offsets
        for partition in log.partitions:
            cursor = log.follow(partition, first[partition])
            try:
                while cursor.read(100_000) is not None:
                    pass
                if cursor.next_offset < last[partition]:
                    raise LogFormatError(
                        "the event log has lost events",
                        field=f"partition {partition:02d}",
                        value=f"ends at offset {cursor.next_offset}",
                        expectation=f"offset {last[partition]}",
                        fix="restore the log from a backup",
                    )
            finally:
                cursor.close()
    return [behind - before for before, behind in zip(first, last, strict=True)]


def _erase_segment(
    path: Path, number: int, needle: bytes, until_us: int, is_theirs: Callable[[bytes], bool]
) -> int:
    file = segment_path(path, number)
    content = file.read_bytes()
    if needle not in content:
        return 0
    size = compute_segment_header_size(read_manifest(path).n_partitions)
    parts = [content[:size]]
    n_erased = 0
    for header, block in _iterate_blocks(content, size, file):
        if header.ingest_us > until_us or needle not in block:
            parts.append(block)
            continue
        messages = _split(header, block)
        kept = [b"" if is_theirs(message) else message for message in messages]
        n_erased += sum(not new and bool(old) for new, old in zip(kept, messages, strict=True))
        parts.append(encode_block(header.partition, header.first_offset, header.ingest_us, kept))
    if n_erased:
        write_synced(file, b"".join(parts))
    return n_erased


def _iterate_blocks(
    content: bytes, position: int, file: Path
) -> Iterator[tuple[BlockHeader, bytes]]:
    while position < len(content):
        header = decode_block_header(content[position : position + 64])
        block = b"" if header is None else content[position : position + header.size]
        if header is None or not is_whole(header, block):
            raise LogFormatError(
                "a segment of the event log is damaged",
                field=str(file),
                value=f"at byte {position}",
                expectation="the block as it was written",
                fix="restore this file from a backup, then run it again",
            )
        yield header, block
        position += header.size


def _split(header: BlockHeader, block: bytes) -> list[bytes]:
    payload = block[find_payload(header)]
    messages, start = [], 0
    for length in read_lengths(header, block).tolist():
        messages.append(payload[start : start + length])
        start += length
    return messages


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Keep others from erasing or trimming at the same time; appends go on."""
    file = events_folder(path) / _LOCK_NAME
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with locked(descriptor):
            yield
    finally:
        os.close(descriptor)
