"""Appends to the embedded log: what `PublishEvents` acknowledges with.

Several processes may append to one log. An append holds the log's lock while it
writes one block per partition, syncs the segment once and publishes the new mark;
so an acknowledged event survives a killed process and a power cut, and a reader
never sees one that might not. Callers group: one append of 1,000 events costs
one sync, like an append of one.

What a killed appender leaves behind its last mark was never acknowledged; the next
one keeps the whole blocks of it (after a power cut some may have been) and cuts
the rest.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import ConfigError, LogFormatError
from features.log.durable_mark import DurableMark, MarkFile
from features.log.embedded_files import (
    LOCK_NAME,
    MARK_NAME,
    MAX_PARTITIONS,
    events_folder,
    explained,
    is_embedded_log,
    list_segments,
    locked,
    read_segment_header,
    segment_path,
    write_synced,
)
from features.log.manifest import (
    EMBEDDED,
    MANIFEST_NAME,
    SCHEMA_VERSION,
    LogManifest,
    read_manifest,
    write_manifest,
)
from features.log.segment_format import (
    BLOCK_HEADER_SIZE,
    SegmentHeader,
    compute_segment_header_size,
    decode_block_header,
    encode_block,
    encode_segment_header,
    is_whole,
)
from hemostat.v1 import event_pb2

DEFAULT_PARTITIONS = 4
DEFAULT_SEGMENT_BYTES = 64 << 20
BLOCK_EVENTS = 4096
"""Events per block, at most; a reader reads whole blocks."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did.

    Attributes:
        offsets: Of each message in its partition, in the order given.
        ingest_us: The time that was stamped, microseconds UTC.
    """

    offsets: list[int]
    ingest_us: int


def read_wall_us() -> int:
    """Return the wall time, microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def compute_partition(customer_key: bytes | None, event_key: int, n_partitions: int) -> int:
    """Return the partition of an event: a customer's events share one.

    >>> compute_partition(bytes([7]) + bytes(15), 12, 4), compute_partition(None, 12, 5)
    (3, 2)
    """
    return (event_key & 0xFF if customer_key is None else customer_key[0]) % n_partitions


class EmbeddedAppender:
    """Appends to one log. Make it with `open`, after any fork. Safe to share between threads.

    Raises:
        StoreUnavailableError: From any call: the disk is full or failing. Nothing of
            that append was acknowledged, and the next one may succeed.
        LogFormatError: From any call: the log is damaged.
    """

    def __init__(
        self, path: Path, manifest: LogManifest, read_us: Callable[[], int], segment_bytes: int
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._read_us = read_us
        self._segment_bytes = segment_bytes
        self._thread_lock = threading.Lock()
        folder = events_folder(path)
        with explained(path):
            self._lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._mark_file = MarkFile(folder / MARK_NAME, is_writable=True)
        self._mark: DurableMark | None = None
        self._segment = -1
        self._is_open = True

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        n_partitions: int = DEFAULT_PARTITIONS,
        read_us: Callable[[], int] = read_wall_us,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
    ) -> EmbeddedAppender:
        """Return an appender to the log in a folder; it is made if the folder is empty.

        Args:
            path: The log's folder.
            n_partitions: Of a log that is made; one that is there keeps its own.
            read_us: The wall clock.
            segment_bytes: A segment that has grown to this size is sealed.

        Raises:
            ConfigError: Something else stands there.
            StoreUnavailableError: It cannot be read or written.
            LogFormatError: The log is damaged.
        """
        with explained(path):
            manifest = _make_log(path, n_partitions)
        appender = cls(path, manifest, read_us, segment_bytes)
        with explained(path), locked(appender._lock):
            appender._catch_up()
        return appender

    @property
    def n_partitions(self) -> int:
        """Return the number of partitions."""
        return self.manifest.n_partitions

    def append(self, messages: Sequence[bytes], partitions: Sequence[int]) -> Appended:
        """Append events and return when they are on the disk.

        Args:
            messages: Serialized `hemostat.v1.Event`s without ingest time and raw text,
                not empty.
            partitions: The partition of each; see `compute_partition`.
        """
        with self._thread_lock, explained(self.path), locked(self._lock):
            mark = self._catch_up()
            if mark.position >= self._segment_bytes:
                mark = self._roll(mark)
            return self._write(mark, messages, partitions)

    def seal(self) -> DurableMark:
        """Begin a new segment, so that all events so far stand in sealed ones."""
        with self._thread_lock, explained(self.path), locked(self._lock):
            return self._roll(self._catch_up())

    def close(self) -> None:
        """Release the files; later calls do nothing."""
        if self._is_open:
            self._is_open = False
            self._mark_file.close()
            os.close(self._lock)
            if self._segment >= 0:
                os.close(self._segment)

    def _write(
        self, mark: DurableMark, messages: Sequence[bytes], partitions: Sequence[int]
    ) -> Appended:
        # Strictly later than all before, so that readers can pass a time as a whole.
        ingest_us = max(self._read_us(), mark.last_ingest_us + 1)
        stamp = event_pb2.Event()
        stamp.ingest_time.FromMicroseconds(ingest_us)
        suffix = stamp.SerializeToString()
        next_offsets = list(mark.next_offsets)
        by_partition: dict[int, list[bytes]] = {}
        offsets = []
        for message, partition in zip(messages, partitions, strict=True):
            group = by_partition.setdefault(partition, [])
            offsets.append(next_offsets[partition] + len(group))
            group.append(message)
        blocks = []
        for partition, group in by_partition.items():
            for first in range(0, len(group), BLOCK_EVENTS):
                part = group[first : first + BLOCK_EVENTS]
                blocks.append(
                    encode_block(partition, next_offsets[partition], ingest_us, part, suffix)
                )
                next_offsets[partition] += len(part)
        content = b"".join(blocks)
        try:
            _write_all(self._segment, content, mark.position)
            os.fdatasync(self._segment)
        except OSError:
            os.ftruncate(self._segment, mark.position)
            raise
        self._publish(
            DurableMark(
                mark.sequence + 1,
                mark.segment,
                mark.position + len(content),
                ingest_us,
                tuple(next_offsets),
            )
        )
        return Appended(offsets, ingest_us)

    def _publish(self, mark: DurableMark) -> DurableMark:
        self._mark_file.write(mark)
        self._mark = mark
        return mark

    def _catch_up(self) -> DurableMark:
        """Return the mark behind which to append, after what others did; called locked."""
        mark = self._mark_file.read()
        if mark is not None and self._mark is not None and mark.segment == self._mark.segment:
            is_last = not segment_path(self.path, mark.segment + 1).exists()
            if is_last and os.fstat(self._segment).st_size == mark.position:
                self._mark = mark
                return mark
        return self._recover(mark)

    def _recover(self, mark: DurableMark | None) -> DurableMark:
        """Find the end of the last segment, whatever the mark tells, and cut what is torn."""
        segments = list_segments(self.path)
        if not segments:
            if mark is not None:
                raise _describe_damage(self.path, "there is no segment")
            return self._start_segment(0, 0, (0,) * self.n_partitions, sequence=1)
        number = segments[-1]
        header = read_segment_header(self.path, self.manifest, number)
        self._use_segment(number)
        start = DurableMark(
            mark.sequence if mark else 0,
            number,
            compute_segment_header_size(self.n_partitions),
            header.base_ingest_us,
            header.base_offsets,
        )
        if mark is not None and mark.segment == number:
            start = mark
        elif mark is not None and mark.segment > number:
            raise _describe_damage(self.path, f"segment {mark.segment} is missing")
        size = os.fstat(self._segment).st_size
        if size < start.position:
            raise _describe_damage(self.path, f"segment {number} is cut off")
        end = _scan(self._segment, start, size)
        if end.position < size:
            os.ftruncate(self._segment, end.position)
        if end != mark or end.position < size:
            os.fsync(self._segment)
            end = DurableMark(
                end.sequence + 1, number, end.position, end.last_ingest_us, end.next_offsets
            )
        return self._publish(end)

    def _roll(self, mark: DurableMark) -> DurableMark:
        return self._start_segment(
            mark.segment + 1, mark.last_ingest_us, mark.next_offsets, sequence=mark.sequence + 1
        )

    def _start_segment(
        self, number: int, base_ingest_us: int, base_offsets: tuple[int, ...], *, sequence: int
    ) -> DurableMark:
        incarnation = uuid.UUID(self.manifest.incarnation).bytes
        header = SegmentHeader(number, incarnation, base_ingest_us, base_offsets)
        content = encode_segment_header(header)
        write_synced(segment_path(self.path, number), content)
        self._use_segment(number)
        return self._publish(
            DurableMark(sequence, number, len(content), base_ingest_us, base_offsets)
        )

    def _use_segment(self, number: int) -> None:
        descriptor = os.open(segment_path(self.path, number), os.O_RDWR | os.O_CLOEXEC)
        if self._segment >= 0:
            os.close(self._segment)
        self._segment = descriptor


def _make_log(path: Path, n_partitions: int) -> LogManifest:
    """Return the manifest of the log at a path, making an empty log if nothing is there."""
    if is_embedded_log(path):
        return read_manifest(path)
    if not 1 <= n_partitions <= MAX_PARTITIONS:
        raise ConfigError(
            "the number of partitions is out of range",
            field="n_partitions",
            value=str(n_partitions),
            expectation=f"1 to {MAX_PARTITIONS}",
            fix="choose a number in that range",
        )
    path.mkdir(parents=True, exist_ok=True)
    folder = events_folder(path)
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with locked(descriptor):
            if is_embedded_log(path):
                return read_manifest(path)
            if (path / MANIFEST_NAME).exists() or list_segments(path):
                raise ConfigError(
                    "the events cannot be appended to what stands there",
                    field="--events",
                    value=str(path),
                    expectation="a log that grows, or an empty folder",
                    fix="name another folder; a written log (`import`, `simulate`) never grows",
                )
            manifest = LogManifest(
                incarnation=str(uuid.uuid4()),
                schema_version=SCHEMA_VERSION,
                n_partitions=n_partitions,
                formats=(EMBEDDED,),
                embedder="",
                created_by="hemostat serve",
            )
            write_manifest(path, manifest)
            return manifest
    finally:
        os.close(descriptor)


def _scan(descriptor: int, start: DurableMark, size: int) -> DurableMark:
    """Return the mark behind the last whole block of a segment."""
    position, ingest_us = start.position, start.last_ingest_us
    offsets = list(start.next_offsets)
    while (header := decode_block_header(os.pread(descriptor, BLOCK_HEADER_SIZE, position))) and (
        position + header.size <= size
    ):
        content = os.pread(descriptor, header.size, position)
        if not is_whole(header, content) or offsets[header.partition] != header.first_offset:
            break
        offsets[header.partition] += header.n_events
        ingest_us = header.ingest_us
        position += header.size
    return DurableMark(start.sequence, start.segment, position, ingest_us, tuple(offsets))


def _write_all(descriptor: int, content: bytes, position: int) -> None:
    view = memoryview(content)
    while view:
        n_written = os.pwrite(descriptor, view, position)
        position += n_written
        view = view[n_written:]


def _describe_damage(path: Path, what: str) -> LogFormatError:
    return LogFormatError(
        "the event log is damaged",
        field=str(path),
        value=what,
        expectation="all segments as hemostat wrote them",
        fix="restore the log from a backup, or start a new one in another folder",
    )
