"""How far the embedded log is durable: a small file that appenders write and readers poll.

Two slots take turns, so that a torn write leaves the one before. The file needs no
sync: after a power cut it may tell too little, and the next appender reads on from
there (see `embedded_recovery`).
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_SLOT_SIZE = 4096
_FIXED = struct.Struct("<QQQqQ")
_CHECKSUM = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class DurableMark:
    """Up to where everything is on the disk.

    Attributes:
        sequence: Counts the marks of this log.
        segment: Number of the segment that is appended to.
        position: Bytes of it that are durable.
        last_ingest_us: Ingest time of the latest durable event; 0: there is none.
        next_offsets: Per partition the offset behind its last durable event.
    """

    sequence: int
    segment: int
    position: int
    last_ingest_us: int
    next_offsets: tuple[int, ...]


class MarkFile:
    """The file of one log. Written under the log's lock only.

    Args:
        path: The file; made if it is absent and may be written.
        is_writable: Whether to open it for writing.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, *, is_writable: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT if is_writable else os.O_RDONLY
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)

    def read(self) -> DurableMark | None:
        """Return the latest mark; None: none was written, or all are damaged."""
        content = os.pread(self._descriptor, 2 * _SLOT_SIZE, 0)
        marks = [_decode(content[:_SLOT_SIZE]), _decode(content[_SLOT_SIZE:])]
        return max(
            (mark for mark in marks if mark is not None),
            key=lambda mark: mark.sequence,
            default=None,
        )

    def write(self, mark: DurableMark) -> None:
        """Publish a mark: readers see what is before it from now on."""
        slot = mark.sequence % 2 * _SLOT_SIZE
        os.pwrite(self._descriptor, _encode(mark), slot)

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)


def _encode(mark: DurableMark) -> bytes:
    fixed = _FIXED.pack(
        mark.sequence, mark.segment, mark.position, mark.last_ingest_us, len(mark.next_offsets)
    )
    body = fixed + np.array(mark.next_offsets, "<i8").tobytes()
    return body + _CHECKSUM.pack(zlib.crc32(body))


def _decode(slot: bytes) -> DurableMark | None:
    if len(slot) < _FIXED.size:
        return None
    sequence, segment, position, last_us, n_partitions = _FIXED.unpack_from(slot)
    size = _FIXED.size + 8 * n_partitions
    if len(slot) < size + _CHECKSUM.size:
        return None
    (checksum,) = _CHECKSUM.unpack_from(slot, size)
    if not sequence or checksum != zlib.crc32(slot[:size]):
        return None
    offsets = np.frombuffer(slot, "<i8", n_partitions, _FIXED.size)
    return DurableMark(sequence, segment, position, last_us, tuple(offsets.tolist()))
