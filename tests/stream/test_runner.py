"""Whole runs over real logs into real stores: nothing lost, nothing twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from features.errors import (
    StoreUnavailableError,
)
from features.log.decode_batch import decode_batch
from features.log.fan_out import to_fold_rows
from features.log.manifest import read_manifest, write_manifest
from features.log.reader import EventLog
from features.records.packing import PackedRecords
from features.refold import refold
from features.store.memory_store import MemoryFeatureStore
from features.store.opening import open_store
from features.store.port import RecordCommit
from stream.dead_letters import count_by_reason, read_dead_letters
from stream.options import StreamOptions
from stream.runner import run_stream, stream_to_disk
from stream.summary import StreamSummary

_MakeEvents = Callable[..., list[Any]]
_WriteLog = Callable[..., Path]
_DumpStore = Callable[[Path], dict[str, dict[bytes, bytes]]]
_CountAll = Callable[[StreamSummary], int]
_DumpFiles = Callable[[Path], dict[str, bytes]]


def _fold_one_by_one(log: EventLog, until_us: int | None = None) -> dict[bytes, bytes]:
    """Return each entity's record, the obvious way: the first telling of each event counts."""
    records: dict[bytes, bytes] = {}
    seen: set[int] = set()
    for partition in log.partitions:
        for _, batch in log.read_batches(partition, until_us=until_us):
            cells = decode_batch(batch).cells
            fold = to_fold_rows(cells)
            told = [key in seen or bool(seen.add(key)) for key in fold.event_keys.tolist()]  # type: ignore[func-returns-value]
            for place, event in enumerate(fold.event_index.tolist()):
                if told[event]:
                    continue
                key = fold.entity_keys[place].tobytes()
                held = np.frombuffer(records.get(key, b""), np.uint8)
                packed = PackedRecords(held.copy(), np.array([len(held)]))
                row = fold.rows[place : place + 1].copy()
                owner = np.zeros(1, np.int64)
                entity = row["entity"].copy()
                records[key] = refold(packed, entity, row, owner, cells.embeddings).get_blob(0)
    return records


def test_records_equal_folding_the_log_event_by_event(
    troubled_log: Path, whole_run: tuple[Path, StreamSummary], dump_store: _DumpStore
) -> None:
    expected = _fold_one_by_one(EventLog(troubled_log))
    assert len(expected) > 100
    assert dump_store(whole_run[0])["records"] == expected


def test_every_row_is_in_exactly_one_count(
    troubled_log: Path, whole_run: tuple[Path, StreamSummary], count_all: _CountAll
) -> None:
    store, summary = whole_run
    assert summary.events_read == EventLog(troubled_log).manifest.n_events == 2_200
    assert count_all(summary) == summary.events_read
    assert summary.accepted == 2_000
    assert set(summary.dead_letters) == {"late", "future", "missing_field", "conflict"}
    assert summary.duplicates > 0
    assert count_by_reason(store / "dead_letters") == summary.dead_letters
    assert summary.rows_behind == 0


def test_dead_letters_point_at_their_rows(
    troubled_log: Path, whole_run: tuple[Path, StreamSummary]
) -> None:
    log = EventLog(troubled_log)
    rows = {
        (partition, offset + place): row
        for partition in log.partitions
        for offset, batch in log.read_batches(partition)
        for place, row in enumerate(batch.select(["event_id", "channel"]).to_pylist())
    }
    letters = list(read_dead_letters(whole_run[0] / "dead_letters"))
    assert len({(letter.partition, letter.offset) for letter in letters}) == len(letters) > 50
    for letter in letters:
        row = rows[letter.partition, letter.offset]
        sign = {
            "late": row["event_id"].endswith("-late"),
            "future": row["event_id"].endswith("-future"),
            "missing_field": row["event_id"] == "",
            "conflict": row["channel"] == "CHANNEL_APP",
        }
        assert sign[letter.reason], letter
        assert letter.incarnation == log.manifest.incarnation


def test_a_second_run_finds_nothing_new_and_changes_nothing(
    troubled_log: Path, whole_run: tuple[Path, StreamSummary], dump_store: _DumpStore
) -> None:
    before = dump_store(whole_run[0])
    again = stream_to_disk(troubled_log, whole_run[0])
    assert (again.events_read, again.rows_behind) == (0, 0)
    assert again.applied_ingest_time == whole_run[1].applied_ingest_time
    assert dump_store(whole_run[0]) == before


@pytest.mark.parametrize("batch_size", [1, 37, 500])
def test_batch_sizes_do_not_show_in_store_or_dead_letters(
    tmp_path: Path,
    troubled_log: Path,
    whole_run: tuple[Path, StreamSummary],
    batch_size: int,
    dump_store: _DumpStore,
    dump_files: _DumpFiles,
) -> None:
    log = troubled_log
    if batch_size == 1:  # Each batch is 16 commits: a short stretch of the log will do.
        until_us = _time_at(EventLog(log), 0.1)
        stream_to_disk(log, tmp_path / "a", batch_size=1, until_us=until_us)
        stream_to_disk(log, tmp_path / "b", until_us=until_us)
        assert dump_store(tmp_path / "a") == dump_store(tmp_path / "b")
        return
    stream_to_disk(log, tmp_path / "a", batch_size=batch_size)
    assert dump_store(tmp_path / "a") == dump_store(whole_run[0])
    assert dump_files(tmp_path / "a" / "dead_letters") == dump_files(whole_run[0] / "dead_letters")


def test_json_lines_and_parquet_give_the_same_store(
    tmp_path: Path,
    troubled_log: Path,
    whole_run: tuple[Path, StreamSummary],
    dump_store: _DumpStore,
) -> None:
    as_json = tmp_path / "log"
    shutil.copytree(troubled_log, as_json)
    shutil.rmtree(as_json / "parquet")
    manifest = read_manifest(as_json)
    write_manifest(as_json, msgspec.structs.replace(manifest, formats=("jsonl",)))
    stream_to_disk(as_json, tmp_path / "store")
    assert dump_store(tmp_path / "store") == dump_store(whole_run[0])


def _time_at(log: EventLog, share: float) -> int:
    times = log.read_table().column("ingest_time").cast(pa.int64()).to_numpy()
    return int(times[int(len(times) * share)])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.31, 0.8])
def test_until_applies_exactly_the_rows_ingested_by_then(
    tmp_path: Path, troubled_log: Path, share: float, dump_store: _DumpStore
) -> None:
    log = EventLog(troubled_log)
    until_us = _time_at(log, share)
    summary = stream_to_disk(log.path, tmp_path, batch_size=100, until_us=until_us)
    times = log.read_table().column("ingest_time").cast(pa.int64()).to_numpy()
    assert summary.events_read == int((times <= until_us).sum())
    assert summary.rows_behind == int((times > until_us).sum())
    assert dump_store(tmp_path)["records"] == _fold_one_by_one(log, until_us)
    with open_store(tmp_path, "read") as reader:
        applied = {reader.read_shard_state(shard).applied_ingest_us for shard in range(16)}
    assert applied == {until_us}


def test_a_run_until_some_time_and_one_to_the_end_equal_one_run(
    tmp_path: Path,
    troubled_log: Path,
    whole_run: tuple[Path, StreamSummary],
    dump_store: _DumpStore,
    dump_files: _DumpFiles,
) -> None:
    log = EventLog(troubled_log)
    parts = [
        stream_to_disk(troubled_log, tmp_path, until_us=until_us, batch_size=batch_size)
        for until_us, batch_size in [
            (_time_at(log, 0.2), 50),
            (_time_at(log, 0.1), 50),  # Before what is applied: nothing to do.
            (_time_at(log, 0.7), 333),
            (None, 10_000),
        ]
    ]
    assert sum(part.events_read for part in parts) == 2_200
    assert parts[1].events_read == 0
    assert dump_store(tmp_path) == dump_store(whole_run[0])
    assert dump_files(tmp_path / "dead_letters") == dump_files(whole_run[0] / "dead_letters")


class _FailingStore(MemoryFeatureStore):
    """A store whose n-th commit fails before or after it is written, as disks do."""

    def __init__(self) -> None:
        super().__init__()
        self.commits_left = -1
        self.is_written = False

    def commit_records(self, commits: Sequence[RecordCommit]) -> list[int]:
        self.commits_left -= 1
        if self.commits_left == 0 and not self.is_written:
            raise StoreUnavailableError("the disk is full")
        versions = super().commit_records(commits)
        if self.commits_left == 0:
            raise StoreUnavailableError("the disk is full, it seems")
        return versions


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 5, 11])
def test_a_failed_commit_ends_the_run_clearly_and_the_next_run_loses_nothing(
    tmp_path: Path,
    troubled_log: Path,
    whole_run: tuple[Path, StreamSummary],
    commits: int,
    is_written: bool,
    dump_files: _DumpFiles,
    count_all: _CountAll,
    capfd: pytest.CaptureFixture[str],
) -> None:
    log, store = EventLog(troubled_log), _FailingStore()
    options = StreamOptions(tmp_path, batch_size=200)
    store.commits_left, store.is_written = commits, is_written
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        run_stream(str(log.path), store, options)
    store.commits_left = -1
    summary = run_stream(str(log.path), store, StreamOptions(tmp_path, batch_size=150))
    assert count_all(summary) == summary.events_read
    expected = _fold_one_by_one(log)
    assert store.read_records(list(expected)) == list(expected.values())
    assert dump_files(tmp_path / "dead_letters") == dump_files(whole_run[0] / "dead_letters")
    totals = [store.read_seen_state(shard).totals for shard in range(16)]
    assert sum(each.folded + each.not_folded for each in totals) == 2_000
    assert capfd.readouterr().err == ""  # No native stack trace of Bytewax.


def test_retold_events_within_the_horizon_never_count_twice(
    tmp_path: Path, make_events: _MakeEvents, write_log: _WriteLog
) -> None:
    # A retailer's importer that sends its last 25 days again every day.
    events = make_events(300, days=90)
    day_us = 86_400_000_000
    retold = []
    for event in events:
        for days in range(1, 26):
            again = type(event)(**{f: getattr(event, f) for f in event.__struct_fields__})
            again.ingest_time = event.ingest_time + days * day_us
            if again.ingest_time - again.event_time <= 30 * day_us:
                retold.append(again)
    everything = sorted([*events, *retold], key=lambda event: int(event.ingest_time))
    log = write_log(tmp_path / "log", everything)
    summary = stream_to_disk(log, tmp_path / "store", batch_size=200)
    assert (summary.accepted, summary.duplicates) == (300, len(retold))
    assert summary.dead_letters == {}


def test_counts_of_kinds_cover_all_valid_rows(whole_run: tuple[Path, StreamSummary]) -> None:
    summary = whole_run[1]
    valid = summary.accepted + summary.duplicates + summary.dead_letters["conflict"]
    assert sum(summary.kinds.values()) == valid
    assert {"order_placed", "order_shipped"} <= set(summary.kinds)


def test_a_log_that_grew_is_applied_from_where_the_store_is(tmp_path: Path) -> None:
    line = (
        '{"event_id": "e%d", "tenant": "t", "event_time": "2026-03-01T12:00:%02dZ",'
        ' "customer_id": "c1", "channel": "CHANNEL_WEB", "product_viewed": {"sku": "s1"}}\n'
    )
    file = tmp_path / "events.jsonl"
    file.write_text("".join(line % (n, n) for n in range(5)))
    assert stream_to_disk(file, tmp_path / "store").accepted == 5
    with file.open("a") as stream:
        stream.writelines(line % (n, n) for n in range(5, 8))
    later = stream_to_disk(file, tmp_path / "store")
    assert (later.events_read, later.accepted) == (3, 3)


def test_progress_counts_up_to_the_whole_log_with_no_lag_left(
    tmp_path: Path, troubled_log: Path
) -> None:
    steps: list[Any] = []
    stream_to_disk(troubled_log, tmp_path, batch_size=100, on_progress=steps.append)
    done = [step.rows_done for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1].rows_total == 2_200
    lags = [step.lag for step in steps if step.lag is not None]
    assert lags == sorted(lags, reverse=True)
    assert lags[-1].total_seconds() == 0
    assert len(steps) > 20
