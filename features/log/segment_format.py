"""How a segment file of the embedded log is laid out: bytes to blocks and back.

    segment = header, block, block, ...
    header  = magic, number, n_partitions, base ingest time, incarnation (16 bytes),
              base offset of each partition, checksum
    block   = marker, checksum, partition, n_events, first offset, ingest time,
              payload size, then the length of each event (u32), then the events

All numbers are little-endian, 8 bytes unless said otherwise; lengths and payload are
filled up to 8 bytes. A block is what one append put into one partition: its events
share their ingest time. An event of length 0 is an erased one: it keeps its offset.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import LogFormatError

BLOCK_HEADER_SIZE = 56

_SEGMENT_MAGIC = 0x31_47_4F_4C_4F_4D_45_48  # "HEMOLOG1"
_BLOCK_MARKER = 0x4B_43_4F_4C_42_4F_4D_48  # "HMOBLOCK"
_SEGMENT_FIXED = struct.Struct("<QQQq16s")
_BLOCK = struct.Struct("<QQQQqqQ")
_BLOCK_REST = struct.Struct("<QQqqQ")
_CHECKSUM = struct.Struct("<Q")
_ALIGNMENT = 8


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment says of itself.

    Attributes:
        number: Segments are numbered from 0, without gaps until the oldest are dropped.
        incarnation: The log's, 16 bytes.
        base_ingest_us: Ingest time of the latest event before this segment; 0: none.
        base_offsets: Per partition the offset of its first event in this segment.
    """

    number: int
    incarnation: bytes
    base_ingest_us: int
    base_offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What stands before the lengths and events of a block."""

    checksum: int
    partition: int
    n_events: int
    first_offset: int
    ingest_us: int
    payload_size: int

    @property
    def size(self) -> int:
        """Return the size of the whole block, bytes."""
        return BLOCK_HEADER_SIZE + _pad(4 * self.n_events) + _pad(self.payload_size)


def compute_segment_header_size(n_partitions: int) -> int:
    """Return the size of a segment's header, bytes."""
    return _SEGMENT_FIXED.size + 8 * n_partitions + _CHECKSUM.size


def encode_segment_header(header: SegmentHeader) -> bytes:
    """Return a segment's header as bytes."""
    fixed = _SEGMENT_FIXED.pack(
        _SEGMENT_MAGIC,
        header.number,
        len(header.base_offsets),
        header.base_ingest_us,
        header.incarnation,
    )
    body = fixed + np.array(header.base_offsets, "<i8").tobytes()
    return body + _CHECKSUM.pack(zlib.crc32(body))


def decode_segment_header(content: bytes, name: str) -> SegmentHeader:
    """Return the header at the start of a segment.

    Args:
        content: At least the header's bytes.
        name: The file, for the error.

    Raises:
        LogFormatError: It is none.
    """
    if len(content) >= _SEGMENT_FIXED.size:
        magic, number, n_partitions, base_us, incarnation = _SEGMENT_FIXED.unpack_from(content)
        size = compute_segment_header_size(n_partitions) if n_partitions < 100 else 0
        if magic == _SEGMENT_MAGIC and size and len(content) >= size:
            body = content[: size - _CHECKSUM.size]
            (checksum,) = _CHECKSUM.unpack_from(content, len(body))
            if checksum == zlib.crc32(body):
                offsets = np.frombuffer(body, "<i8", n_partitions, _SEGMENT_FIXED.size)
                return SegmentHeader(number, incarnation, base_us, tuple(offsets.tolist()))
    raise LogFormatError(
        "a segment of the event log is damaged",
        field=name,
        value="its first bytes",
        expectation="the file as hemostat wrote it",
        fix="restore the log from a backup",
    )


def encode_block(
    partition: int,
    first_offset: int,
    ingest_us: int,
    messages: Sequence[bytes],
    suffix: bytes = b"",
) -> bytes:
    """Return a block of these messages.

    Args:
        partition: Whose.
        first_offset: Offset of the first message.
        ingest_us: The append's time, microseconds UTC.
        messages: Serialized events.
        suffix: Ends each message that is not empty.
    """
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    if suffix:
        messages = [message + suffix if message else message for message in messages]
        lengths[lengths > 0] += len(suffix)
    payload = b"".join(messages)
    rest = _BLOCK_REST.pack(partition, len(messages), first_offset, ingest_us, len(payload))
    body = b"".join(
        (
            rest,
            lengths.astype("<u4").tobytes(),
            bytes(-4 * len(messages) % _ALIGNMENT),
            payload,
            bytes(-len(payload) % _ALIGNMENT),
        )
    )
    return struct.pack("<QQ", _BLOCK_MARKER, zlib.crc32(body)) + body


def decode_block_header(content: bytes) -> BlockHeader | None:
    """Return the header that stands at the start of `content`; None: there is none."""
    if len(content) < BLOCK_HEADER_SIZE:
        return None
    marker, checksum, partition, n_events, offset, ingest_us, size = _BLOCK.unpack_from(content)
    if marker != _BLOCK_MARKER:
        return None
    return BlockHeader(checksum, partition, n_events, offset, ingest_us, size)


def is_whole(header: BlockHeader, content: bytes) -> bool:
    """Return whether `content` is a block with this header, as it was written."""
    return len(content) == header.size and zlib.crc32(content[16:]) == header.checksum


def read_lengths(header: BlockHeader, content: bytes) -> npt.NDArray[np.int64]:
    """Return the length of each event of a block, shape `(n_events,)`."""
    return np.frombuffer(content, "<u4", header.n_events, BLOCK_HEADER_SIZE).astype(np.int64)


def find_payload(header: BlockHeader) -> slice:
    """Return where in a block its events stand, end to end."""
    start = BLOCK_HEADER_SIZE + _pad(4 * header.n_events)
    return slice(start, start + header.payload_size)


def _pad(size: int) -> int:
    return size + -size % _ALIGNMENT
