"""Reads the event log partition by partition, as ranges that tell how far they reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from features.errors import ConfigError, LogFormatError
from features.log.manifest import LogManifest
from features.log.reader import EventLog
from features.log.schema import EVENT_SCHEMA
from features.log.validation import END_US
from features.store.port import ShardProgress
from stream.batches import PartitionRange

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_ROWS = pa.RecordBatch.from_pylist([], schema=EVENT_SCHEMA)


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Rows as they stand in the log: neither validated nor decoded.

    Attributes:
        range: Where they stand.
        rows: The log's rows, one per offset of the range.
    """

    range: PartitionRange
    rows: pa.RecordBatch


def make_source_id(incarnation: str, partition: int) -> str:
    """Return the id under which a partition's positions are kept.

    >>> make_source_id("5f0c", 3)
    '5f0c/03'
    """
    return f"{incarnation}/{partition:02d}"


def list_source_ids(manifest: LogManifest) -> list[str]:
    """Return the ids of all partitions of a log."""
    return [make_source_id(manifest.incarnation, n) for n in range(manifest.n_partitions)]


def read_ranges(
    log: EventLog, partition: int, start_offset: int, batch_size: int, until_us: int | None
) -> Iterator[SourceBatch]:
    """Yield a partition's rows; the last range tells that the partition is through.

    A partition without (further) rows gives one empty range, so that its end is
    known downstream, too.

    Args:
        log: The log.
        partition: The partition's number.
        start_offset: Offset of the first row wanted.
        batch_size: Rows per range, at most.
        until_us: Last `ingest_time` to read; None reads all.
    """
    source_id = make_source_id(log.manifest.incarnation, partition)
    last_us, waiting = 0, None
    next_offset = start_offset
    for first, rows in log.read_batches(partition, start_offset, batch_size, until_us):
        if waiting is not None:
            yield waiting
        next_offset = first + rows.num_rows
        last_us = max(last_us, _find_last_ingest_us(rows))
        # More rows with the last row's time may follow: only what is before it is passed.
        passed = PartitionRange(source_id, partition, first, next_offset, last_us - 1)
        waiting = SourceBatch(passed, rows)
    # Behind the last row nothing follows, up to the end of the log or of what was asked for.
    end_us = max(last_us, _find_end_us(log.manifest, until_us))
    if waiting is None:
        empty = PartitionRange(source_id, partition, start_offset, start_offset, end_us)
        yield SourceBatch(empty, _NO_ROWS)
    else:
        yield SourceBatch(replace(waiting.range, passed_ingest_us=end_us), waiting.rows)


def find_start_offset(source_id: str, shards: Iterable[ShardProgress]) -> int:
    """Return where to read on: the least offset that some shard has not applied."""
    return min(shard.next_offsets.get(source_id, 0) for shard in shards)


def check_progress(manifest: LogManifest, shards: Iterable[ShardProgress]) -> None:
    """Refuse a log that is not the one the store was filled from.

    Raises:
        ConfigError: The store holds events of another log, which may be the same ones.
        LogFormatError: The log is shorter than what was already applied.
    """
    held: dict[str, int] = {}
    for shard in shards:
        for source_id, offset in shard.next_offsets.items():
            held[source_id] = max(held.get(source_id, 0), offset)
    known = list_source_ids(manifest)
    if strangers := sorted(set(held) - set(known)):
        raise ConfigError(
            "the store was filled from another event log",
            field="--store",
            value=f"log {strangers[0].rpartition('/')[0]}",
            expectation=f"log {manifest.incarnation}",
            fix="stream this log into a new store: `hemostat stream LOG --store NEW`",
        )
    for source_id, n_rows in zip(known, manifest.partition_events, strict=False):
        if held.get(source_id, 0) > n_rows:
            raise LogFormatError(
                "the event log has lost rows that the store has applied",
                field=f"partition {source_id.rpartition('/')[2]}",
                value=f"{n_rows} rows",
                expectation=f"at least {held[source_id]} rows",
                fix="restore the log, or rebuild: `hemostat stream LOG --store NEW`",
            )


def to_us(time: datetime) -> int:
    """Return a time in microseconds since the epoch, without rounding.

    >>> from datetime import UTC
    >>> to_us(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (time - _EPOCH) // timedelta(microseconds=1)


def _find_end_us(manifest: LogManifest, until_us: int | None) -> int:
    """Return the greatest ingest time to be read; 0 if the log does not say."""
    if manifest.last_ingest_time is None:
        return 0
    last_us = to_us(manifest.last_ingest_time)
    return last_us if until_us is None else min(last_us, until_us)


def _find_last_ingest_us(rows: pa.RecordBatch) -> int:
    """Return the greatest ingest time; malformed lines have none and count as 0.

    One that is refused for being absurd counts as none, too: progress would stand
    in its far future, and the store forget what it saw.
    """
    ingest_us = rows.column("ingest_time").cast(pa.int64()).fill_null(0).to_numpy()
    return int(ingest_us.max(initial=0, where=ingest_us < END_US))
