"""Where the files of an embedded log stand, its lock, and the errors they give.

    LOG/log.json                            manifest: incarnation, number of partitions
    LOG/events/lock                         held while appending, erasing, trimming
    LOG/events/durable                      how far the log is durable; see `durable_mark`
    LOG/events/segment-000000000000.log     blocks; see `segment_format`
    LOG/events/readers.json                 the stores that follow this log

The last segment is appended to, all before it are *sealed*: complete and on the disk.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import HemostatError, LogFormatError, StoreUnavailableError
from features.log.manifest import EMBEDDED, MANIFEST_NAME, LogManifest, read_manifest
from features.log.segment_format import (
    SegmentHeader,
    compute_segment_header_size,
    decode_segment_header,
)

LOCK_NAME = "lock"
MARK_NAME = "durable"
READERS_NAME = "readers.json"
MAX_PARTITIONS = 99

_SEGMENT_PREFIX, _SEGMENT_SUFFIX = "segment-", ".log"
_EVENTS_FOLDER = "events"


def is_embedded_log(path: Path) -> bool:
    """Return whether an embedded log stands at a path."""
    if not (path / MANIFEST_NAME).is_file():
        return False
    with suppress(HemostatError):
        return read_manifest(path).formats == (EMBEDDED,)
    return False


def events_folder(path: Path) -> Path:
    """Return the folder of a log's segments."""
    return path / _EVENTS_FOLDER


def segment_path(path: Path, number: int) -> Path:
    """Return the file of a segment."""
    return events_folder(path) / f"{_SEGMENT_PREFIX}{number:012d}{_SEGMENT_SUFFIX}"


def list_segments(path: Path) -> list[int]:
    """Return the numbers of a log's segments, ascending."""
    files = events_folder(path).glob(f"{_SEGMENT_PREFIX}*{_SEGMENT_SUFFIX}")
    return sorted(int(file.name[len(_SEGMENT_PREFIX) : -len(_SEGMENT_SUFFIX)]) for file in files)


def read_segment_header(path: Path, manifest: LogManifest, number: int) -> SegmentHeader:
    """Return the header of a segment of this log.

    Raises:
        LogFormatError: It is damaged, or another log's.
        OSError: It cannot be read.
    """
    file = segment_path(path, number)
    with file.open("rb") as stream:
        content = stream.read(compute_segment_header_size(MAX_PARTITIONS))
    header = decode_segment_header(content, str(file))
    if header.incarnation.hex() != manifest.incarnation.replace("-", ""):
        raise LogFormatError(
            "a segment belongs to another event log",
            field=str(file),
            value=f"incarnation {header.incarnation.hex()}",
            expectation=f"incarnation {manifest.incarnation}",
            fix="restore the log as it was; segments of two logs cannot be mixed",
        )
    return header


@contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold the log's lock: nobody else appends, erases or trims meanwhile."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the file system raises into an error that says what to do.

    Raises:
        StoreUnavailableError: In place of `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            "the event log cannot be used",
            field="--events",
            value=f"{path}: {error.strerror or error}",
            expectation="a folder that can be read and written, on a disk with room",
            fix="free disk space or mend the permissions, then try again: nothing was lost",
        ) from error


def write_synced(target: Path, content: bytes) -> None:
    """Write a file so that it is there whole and on the disk, or not at all."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        sync_folder(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
