"""The manifest of an event log: `log.json`, written last, so that it marks a whole log.

Needs only the base install: a scorer that publishes reads it, too.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from features.errors import LogFormatError

SCHEMA_VERSION = 1
"""Version of the log's layout on disk; a reader refuses any other."""

MANIFEST_NAME = "log.json"
FORMATS: tuple[str, ...] = ("parquet", "jsonl")
"""What a written log may be stored as; a reader prefers the first that is there."""
EMBEDDED = "embedded"
"""Format of a log that grows; see `embedded_log`."""
ARCHIVE = "archive"
"""Format of an archive of another log, by day; see `event_archive`."""


class LogManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reader must know of a log before it reads a row.

    Attributes:
        incarnation: Names this very sequence of events; progress made on another
            incarnation is worthless. Equal content gives an equal incarnation.
        schema_version: Layout of the log, `SCHEMA_VERSION`.
        n_partitions: How many partitions there are.
        formats: Formats in which the events are stored.
        embedder: Embedder that the writer used for raw texts.
        tenants: Whose events these are, sorted; empty for raw sources.
        n_events: Rows over all partitions; None if never counted (raw sources).
        partition_events: Rows per partition; empty for raw sources.
        first_ingest_time: Least ingest time; None if there is no event, or for raw sources.
        last_ingest_time: Greatest ingest time, likewise.
        created_by: The command and version that wrote the log.
    """

    incarnation: str
    schema_version: int
    n_partitions: int
    formats: tuple[str, ...]
    embedder: str
    tenants: tuple[str, ...] = ()
    n_events: int | None = None
    partition_events: tuple[int, ...] = ()
    first_ingest_time: datetime | None = None
    last_ingest_time: datetime | None = None
    created_by: str = ""


class _Version(msgspec.Struct):
    """The one member that every layout has."""

    schema_version: int


def partition_path(log_path: Path, log_format: str, partition: int) -> Path:
    """Return the file that holds a partition in a format."""
    name = "part-000000.parquet" if log_format == "parquet" else "events.jsonl"
    return log_path / log_format / f"partition={partition:02d}" / name


def write_manifest(log_path: Path, manifest: LogManifest) -> None:
    """Write `log.json` into a log's directory."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (log_path / MANIFEST_NAME).write_bytes(text + b"\n")


def read_manifest(log_path: Path) -> LogManifest:
    """Return the manifest of a log's directory.

    Raises:
        LogFormatError: There is none, it cannot be read, or the log has another layout.
    """
    path = log_path / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LogFormatError(
            "not an event log",
            field=str(log_path),
            value=f"a directory without {MANIFEST_NAME}",
            expectation="a directory written by `hemostat import` or `hemostat simulate`",
            fix="name such a directory, a .jsonl file or a directory of .jsonl files",
        ) from None
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version != SCHEMA_VERSION:
            raise LogFormatError(
                "the event log has another layout",
                field=f"{path}: schema_version",
                value=str(version),
                expectation=str(SCHEMA_VERSION),
                fix="write the log again with this version's `hemostat import` or `simulate`",
            )
        return msgspec.json.decode(content, type=LogManifest)
    except msgspec.MsgspecError as error:
        raise LogFormatError(
            "the event log's manifest cannot be read",
            field=str(path),
            value=str(error),
            expectation="the manifest as written",
            fix="write the log again; log.json is not made to be edited",
        ) from error
