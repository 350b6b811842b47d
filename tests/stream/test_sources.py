from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigError, LogFormatError
from features.log.manifest import LogManifest
from features.log.reader import EventLog
from features.store.port import ShardProgress
from stream.sources import check_progress, find_start_offset, read_ranges, to_us

_MakeEvents = Callable[..., list[Any]]
_WriteLog = Callable[..., Path]


@pytest.fixture
def log(tmp_path: Path, make_events: _MakeEvents, write_log: _WriteLog) -> EventLog:
    events = make_events(90)
    for event in events[40:50]:
        event.ingest_time = events[40].ingest_time  # One instant, over several batches.
    return EventLog(write_log(tmp_path / "log", events, n_partitions=1))


def _last_us(log: EventLog) -> int:
    assert log.manifest.last_ingest_time is not None
    return to_us(log.manifest.last_ingest_time)


def test_ranges_join_without_gap_and_cover_the_partition(log: EventLog) -> None:
    ranges = [source.range for source in read_ranges(log, 0, 7, 20, None)]
    joints = [7, *(r.next_offset for r in ranges)]
    assert [r.start_offset for r in ranges] == joints[:-1]
    assert joints[-1] == 90
    assert all(0 < r.next_offset - r.start_offset <= 20 for r in ranges)


def test_nothing_ingested_by_the_time_passed_stands_behind_a_range(log: EventLog) -> None:
    sources = list(read_ranges(log, 0, 0, 7, None))
    times = [int(t.value) for s in sources for t in s.rows.column("ingest_time")]
    for source in sources[:-1]:
        behind = times[source.range.next_offset :]
        assert min(behind) > source.range.passed_ingest_us
    assert sources[-1].range.passed_ingest_us == _last_us(log)


def test_a_partition_that_is_through_still_says_so(log: EventLog) -> None:
    (only,) = read_ranges(log, 0, 90, 20, None)
    assert (only.range.start_offset, only.range.next_offset) == (90, 90)
    assert only.rows.num_rows == 0
    assert only.range.passed_ingest_us == _last_us(log)


def test_until_is_passed_even_if_nothing_was_ingested_just_then(log: EventLog) -> None:
    times = [int(t.value) for t in log.read_table().column("ingest_time")]
    between = (times[60] + times[61]) // 2
    last = list(read_ranges(log, 0, 0, 1_000, between))[-1].range
    assert (last.next_offset, last.passed_ingest_us) == (61, between)
    beyond = list(read_ranges(log, 0, 0, 1_000, times[-1] + 5))[-1].range
    assert beyond.passed_ingest_us == times[-1]  # A log that grows may still hold earlier rows.


def test_reading_goes_on_at_the_slowest_shard() -> None:
    shards = [ShardProgress(next_offsets={"log/00": n, "log/01": 9}) for n in (30, 20, 40)]
    assert find_start_offset("log/00", shards) == 20
    assert find_start_offset("log/00", [*shards, ShardProgress()]) == 0


def _manifest(*partition_events: int) -> LogManifest:
    return LogManifest(
        incarnation="log",
        schema_version=1,
        n_partitions=len(partition_events),
        formats=("parquet",),
        embedder="e",
        partition_events=partition_events,
    )


def test_progress_on_this_log_is_accepted() -> None:
    check_progress(_manifest(10, 20), [ShardProgress(), ShardProgress(next_offsets={"log/01": 20})])


def test_progress_on_another_log_is_refused() -> None:
    with pytest.raises(ConfigError, match="another event log"):
        check_progress(_manifest(10), [ShardProgress(next_offsets={"other/00": 1})])


def test_progress_behind_the_end_of_the_log_is_refused() -> None:
    with pytest.raises(LogFormatError, match="at least 21 rows"):
        check_progress(_manifest(10, 20), [ShardProgress(next_offsets={"log/01": 21})])
