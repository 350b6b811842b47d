"""Reads the embedded log while it grows, never beyond what is durable."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import LogFormatError
from features.log.durable_mark import DurableMark, MarkFile
from features.log.embedded_appender import read_wall_us
from features.log.embedded_files import (
    LOCK_NAME,
    MARK_NAME,
    READERS_NAME,
    events_folder,
    explained,
    list_segments,
    locked,
    read_segment_header,
    segment_path,
    write_synced,
)
from features.log.manifest import EMBEDDED, LogManifest, read_manifest
from features.log.segment_format import (
    BLOCK_HEADER_SIZE,
    BlockHeader,
    compute_segment_header_size,
    decode_block_header,
    find_payload,
    is_whole,
    read_lengths,
)


@dataclass(frozen=True, slots=True, eq=False)
class MessageBatch:
    """Serialized events of one partition, end to end.

    Attributes:
        partition: Whose.
        first_offset: Offset of the first event; event `i` has `first_offset + i`.
        buffer: uint8, writable: all events without anything between them.
        ends: Shape `(n,)`, int64: event `i` is `buffer[ends[i - 1]:ends[i]]`. An empty
            one was erased.
        ingest_us: Shape `(n,)`, int64: when the log took each in; never descending.
        passed_ingest_us: No event behind this batch came in at or before this time.
    """

    partition: int
    first_offset: int
    buffer: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    ingest_us: npt.NDArray[np.int64]
    passed_ingest_us: int

    @property
    def next_offset(self) -> int:
        """Return the offset behind the last event."""
        return self.first_offset + len(self.ends)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.ends)

    def to_messages(self) -> list[bytes]:
        """Return each event as bytes."""
        content = self.buffer.tobytes()
        ends = self.ends.tolist()
        return [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class EmbeddedLog:
    """An embedded log, opened for reading. Needs no appender to be alive.

    Not safe to share between threads. Close it, or use `with`.

    Attributes:
        path: The log's folder.
        manifest: Incarnation and number of partitions.

    Raises:
        StoreUnavailableError: From any call: the files cannot be read.
        LogFormatError: From any call: they are damaged.
    """

    def __init__(self, path: Path, read_us: Callable[[], int] = read_wall_us) -> None:
        self.path = path
        self.manifest: LogManifest = read_manifest(path)
        if self.manifest.formats != (EMBEDDED,):
            raise LogFormatError(
                "this event log does not grow",
                field=str(path),
                value=", ".join(self.manifest.formats),
                expectation=EMBEDDED,
                fix="name the log that `hemostat serve` appends to; one that was written once "
                "is read as it is",
            )
        self._read_us = read_us
        folder = events_folder(path)
        with explained(path):
            self._mark_file = MarkFile(folder / MARK_NAME, is_writable=False)
            self._lock = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        self._is_open = True

    @property
    def partitions(self) -> range:
        """Return the partitions' numbers."""
        return range(self.manifest.n_partitions)

    def read_durable(self) -> DurableMark:
        """Return how far the log is durable; cheap enough to be polled."""
        with explained(self.path):
            mark = self._mark_file.read()
        if mark is None:
            raise LogFormatError(
                "the event log does not tell how far it is durable",
                field=str(events_folder(self.path) / MARK_NAME),
                value="no whole mark",
                expectation="the file as an appender left it",
                fix="start what appends (`hemostat serve`): it finds the end and writes it again",
            )
        return mark

    def read_horizon_us(self) -> int:
        """Return a time such that no event taken in up to it can still become readable.

        A moment ago by the wall clock, unless somebody appends right now. Holds for
        what is durable *after* the call; as long as the wall clock is not set back.
        """
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self.read_durable().last_ingest_us
        try:
            mark = self.read_durable()
            # What a killed appender left will be found by the next one, with its time.
            with explained(self.path):
                size = segment_path(self.path, mark.segment).stat().st_size
            is_clean = size == mark.position
            now_us = self._read_us() - 1 if is_clean else 0
            return max(mark.last_ingest_us, now_us)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def first_offsets(self) -> tuple[int, ...]:
        """Return the least offset that each partition still holds."""
        with explained(self.path):
            segments = list_segments(self.path)
            return read_segment_header(self.path, self.manifest, segments[0]).base_offsets

    def follow(self, partition: int, start_offset: int) -> PartitionCursor:
        """Return a cursor that stands before an offset.

        Raises:
            LogFormatError: The log no longer holds that offset, or never did.
        """
        first, last = self.first_offsets()[partition], self.read_durable().next_offsets[partition]
        if not first <= start_offset <= last:
            raise LogFormatError(
                "the event log does not hold the events that come next",
                field=f"partition {partition:02d}",
                value=f"offsets {first} to {last}",
                expectation=f"offset {start_offset}",
                fix="restore the log, or rebuild the store from an older copy of the events",
            )
        with explained(self.path):
            segment = self._find_segment(partition, start_offset)
        return PartitionCursor(self, partition, start_offset, segment)

    def _find_segment(self, partition: int, offset: int) -> int:
        """Return the last segment that begins at or before an offset of a partition."""
        for number in reversed(list_segments(self.path)):
            header = read_segment_header(self.path, self.manifest, number)
            if header.base_offsets[partition] <= offset:
                return number
        raise AssertionError("the first segment begins at the first offset")

    def note_reader(self, store: str) -> None:
        """Remember a store that follows this log, for `hemostat log trim`."""
        stores = self.list_readers()
        if store in stores:
            return
        with explained(self.path), locked(self._lock):
            content = msgspec.json.encode(sorted({*self.list_readers(), store}))
            write_synced(events_folder(self.path) / READERS_NAME, content)

    def list_readers(self) -> Sequence[str]:
        """Return the stores that follow this log."""
        try:
            content = (events_folder(self.path) / READERS_NAME).read_bytes()
        except FileNotFoundError:
            return []
        stores: list[str] = msgspec.json.decode(content, type=list[str])
        return stores

    def close(self) -> None:
        """Release the files; later calls do nothing."""
        if self._is_open:
            self._is_open = False
            self._mark_file.close()
            os.close(self._lock)

    def __enter__(self) -> Self:
        """Return the log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the files."""
        self.close()


class PartitionCursor:
    """Reads one partition on and on. Made by `EmbeddedLog.follow`.

    A segment that is erased from or dropped meanwhile stays readable until the
    cursor has passed it.
    """

    def __init__(self, log: EmbeddedLog, partition: int, start_offset: int, segment: int) -> None:
        self.partition = partition
        self.next_offset = start_offset
        self._log = log
        self._descriptor = -1
        self._open_segment(segment)

    def read(self, max_events: int) -> MessageBatch | None:
        """Return the events that come next; None: none of them is durable yet.

        Args:
            max_events: At most so many.
        """
        mark = self._log.read_durable()
        first_offset = self.next_offset
        lengths: list[npt.NDArray[np.int64]] = []
        times: list[npt.NDArray[np.int64]] = []
        payloads: list[bytes] = []
        with explained(self._log.path):
            while (room := first_offset + max_events - self.next_offset) > 0:
                found = self._find_block(mark)
                if found is None:
                    break
                header, content = found
                some, payload = _cut(header, content, self.next_offset, room)
                lengths.append(some)
                payloads.append(payload)
                times.append(np.full(len(some), header.ingest_us, np.int64))
                self.next_offset += len(some)
                if self.next_offset == header.first_offset + header.n_events:
                    self._position += header.size
        if not lengths:
            return None
        # More events of the last append may follow, unless these are all there are.
        is_at_end = self.next_offset == mark.next_offsets[self.partition]
        return MessageBatch(
            self.partition,
            first_offset,
            np.frombuffer(bytearray().join(payloads), np.uint8),
            np.cumsum(np.concatenate(lengths)),
            np.concatenate(times),
            mark.last_ingest_us if is_at_end else int(times[-1][-1]) - 1,
        )

    def close(self) -> None:
        """Release the file; later calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _find_block(self, mark: DurableMark) -> tuple[BlockHeader, bytes] | None:
        """Move to the block of the next offset and return it; None: none is durable."""
        while True:
            is_sealed = self._segment < mark.segment
            end = os.fstat(self._descriptor).st_size if is_sealed else mark.position
            if self._position >= end:
                if not is_sealed:
                    return None
                self._open_segment(self._segment + 1)
                continue
            header = decode_block_header(
                os.pread(self._descriptor, BLOCK_HEADER_SIZE, self._position)
            )
            if header is None or self._position + header.size > end:
                raise self._describe_damage()
            is_next = header.first_offset + header.n_events > self.next_offset
            if header.partition == self.partition and is_next:
                content = os.pread(self._descriptor, header.size, self._position)
                if not is_whole(header, content) or header.first_offset > self.next_offset:
                    raise self._describe_damage()
                return header, content
            self._position += header.size

    def _open_segment(self, number: int) -> None:
        path = segment_path(self._log.path, number)
        with explained(self._log.path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.close()
        self._descriptor = descriptor
        self._segment = number
        self._position = compute_segment_header_size(self._log.manifest.n_partitions)

    def _describe_damage(self) -> LogFormatError:
        return LogFormatError(
            "a segment of the event log is damaged",
            field=str(segment_path(self._log.path, self._segment)),
            value=f"at byte {self._position}, before offset {self.next_offset}",
            expectation="the block as it was written",
            fix="restore this file from a backup and start again; progress is kept",
        )


def _cut(
    header: BlockHeader, content: bytes, next_offset: int, room: int
) -> tuple[npt.NDArray[np.int64], bytes]:
    """Return lengths and bytes of a block's events from an offset on, at most `room` of them."""
    lengths = read_lengths(header, content)
    payload = content[find_payload(header)]
    skipped = next_offset - header.first_offset
    if not skipped and len(lengths) <= room:
        return lengths, payload
    ends = np.cumsum(lengths)
    taken = lengths[skipped : skipped + room]
    start = int(ends[skipped - 1]) if skipped else 0
    return taken, payload[start : start + int(taken.sum())]
