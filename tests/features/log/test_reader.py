from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.errors import ConfigError, LogFormatError
from features.log import jsonl_source, structs
from features.log.manifest import partition_path
from features.log.reader import EventLog
from features.log.schema import EVENT_SCHEMA, MALFORMED_COLUMN
from features.log.validation import validate_batch
from features.log.writer import EventLogWriter

_N_EVENTS = 90
_KINDS = ("order_placed", "order_paid", "label_set")


@pytest.fixture(scope="module")
def log_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    payloads = (structs.OrderPlaced, structs.OrderPaid, structs.LabelSet)
    events = [
        structs.Event(
            event_id=f"e{i}", tenant="demo", event_time=10 * i + 10, customer_id=f"c{i % 7}",
            **{_KINDS[i % 3]: payloads[i % 3]()},
        )
        for i in range(_N_EVENTS)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("logs") / "log"
    with EventLogWriter(path, n_partitions=3) as writer:
        writer.append_structs(events)
    return path


def _copy(source: Path, target: Path) -> Path:
    for file in source.rglob("*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return target


def _read_rows(log: EventLog, partition: int, **options: Any) -> list[tuple[int, str]]:
    return [
        (offset + i, name)
        for offset, batch in log.read_batches(partition, **options)
        for i, name in enumerate(batch.column("event_id").to_pylist())
    ]


@pytest.mark.parametrize("log_format", ["parquet", "jsonl"])
@pytest.mark.parametrize("batch_size", [1, 7, 1_000])
def test_offsets_do_not_depend_on_format_batch_size_or_start(
    log_path: Path, log_format: str, batch_size: int
) -> None:
    log = EventLog(log_path, log_format=log_format)
    for partition in log.partitions:
        whole = _read_rows(EventLog(log_path), partition)
        assert [offset for offset, _ in whole] == list(range(len(whole)))
        for start in (0, 5, len(whole), len(whole) + 9):
            rows = _read_rows(log, partition, start_offset=start, batch_size=batch_size)
            assert rows == whole[start:]


@pytest.mark.parametrize("log_format", ["parquet", "jsonl"])
def test_reading_stops_before_the_first_later_ingest_time(log_path: Path, log_format: str) -> None:
    log = EventLog(log_path, log_format=log_format)
    whole = _read_rows(log, 0)
    ingest_us = log.read_table().column("ingest_time").cast(pa.int64()).to_pylist()
    known = dict(zip(log.read_table().column("event_id").to_pylist(), ingest_us, strict=True))
    for until_us in (0, known[whole[4][1]], 10**9):
        expected = [row for row in whole if known[row[1]] <= until_us]
        assert _read_rows(log, 0, until_us=until_us, batch_size=3) == expected


@pytest.mark.parametrize("log_format", ["parquet", "jsonl"])
def test_both_formats_give_equal_columns(log_path: Path, log_format: str) -> None:
    table = EventLog(log_path, log_format=log_format).read_table()
    assert table.schema == EVENT_SCHEMA
    assert table.to_pylist() == EventLog(log_path).read_table().to_pylist()


@pytest.mark.parametrize("log_format", ["parquet", "jsonl"])
def test_kinds_choose_columns_and_in_a_table_rows(log_path: Path, log_format: str) -> None:
    log = EventLog(log_path, log_format=log_format)
    table = log.read_table(["label_set"])
    assert set(table.column("kind").to_pylist()) == {"label_set"}
    assert table.num_rows == _N_EVENTS // 3
    assert "order_placed" not in table.column_names
    n_rows = 0
    for partition in log.partitions:
        for _, batch in log.read_batches(partition, kinds=["label_set"]):
            assert "order_placed" not in batch.schema.names
            n_rows += batch.num_rows
    assert n_rows == _N_EVENTS
    with pytest.raises(ValueError, match="teleported"):
        log.read_table(["teleported"])


_GOOD = {"event_id": "e1", "tenant": "demo", "event_time": "2026-03-01T12:00:00Z",
         "return_requested": {"quantity": 1, "reason": {"text": "too small"}}}  # fmt: skip


def test_a_retailers_own_file_is_read_line_by_line_with_reasons(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [
        json.dumps(_GOOD),
        "{broken",
        json.dumps({**_GOOD, "colour": 1}),
        "",
        json.dumps(_GOOD),
    ]
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    log = EventLog(path)
    assert log.manifest.n_partitions == 1
    (first, batch), (second, tail) = log.read_batches(0, batch_size=4)
    assert (first, batch.num_rows, second, tail.num_rows) == (0, 4, 4, 1)
    assert [f and f["field"] for f in batch.column(MALFORMED_COLUMN).to_pylist()] == [
        None, "", "colour", "",
    ]  # fmt: skip
    assert MALFORMED_COLUMN not in tail.schema.names
    split = validate_batch(batch, first)
    assert [(r.offset, r.reason_code) for r in split.rejected] == [
        (1, "malformed"), (2, "malformed"), (3, "malformed"),
    ]  # fmt: skip
    assert (
        split.valid.column("ingest_time").to_pylist()
        == split.valid.column("event_time").to_pylist()
    )
    assert log.read_table().column("event_id").to_pylist() == ["e1", "e1"]


def test_a_malformed_line_of_a_log_takes_an_offset(log_path: Path, tmp_path: Path) -> None:
    copy = _copy(log_path, tmp_path / "log")
    whole = _read_rows(EventLog(copy, log_format="jsonl"), 1)
    file = partition_path(copy, "jsonl", 1)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = b"{half a li\n"
    file.write_bytes(b"".join(lines))
    rows = _read_rows(EventLog(copy, log_format="jsonl"), 1)
    assert rows == [*whole[:2], (2, ""), *whole[3:]]


def test_an_overlong_line_is_malformed_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_source, "MAX_LINE_BYTES", 200)
    path = tmp_path / "events.jsonl"
    long = json.dumps({**_GOOD, "customer_id": "c" * 700})
    path.write_text("\n".join([json.dumps(_GOOD), long, json.dumps(_GOOD)]) + "\n")
    ((_, batch),) = EventLog(path).read_batches(0)
    assert [fault is None for fault in batch.column(MALFORMED_COLUMN).to_pylist()] == [
        True, False, True,
    ]  # fmt: skip


def test_a_folder_that_is_named_like_a_file_is_no_partition(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").mkdir()
    (tmp_path / "a.jsonl").write_text(json.dumps(_GOOD))
    assert EventLog(tmp_path).manifest.n_partitions == 1


def test_each_file_of_a_folder_is_a_partition(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({**_GOOD, "event_id": name}) + "\n")
    log = EventLog(tmp_path)
    assert [_read_rows(log, partition) for partition in log.partitions] == [[(0, "a")], [(0, "b")]]


def test_a_raw_file_that_grows_keeps_its_incarnation_and_another_does_not(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(_GOOD) + "\n")
    before = EventLog(path).manifest.incarnation
    with path.open("a") as file:
        file.write(json.dumps({**_GOOD, "event_id": "e2"}) + "\n")
    assert EventLog(path).manifest.incarnation == before
    path.write_text(json.dumps({**_GOOD, "event_id": "e3"}) + "\n")
    assert EventLog(path).manifest.incarnation != before


def _truncate(path: Path) -> None:
    file = partition_path(path, "parquet", 1)
    file.write_bytes(file.read_bytes()[:-20])


def _corrupt_pages(path: Path) -> None:
    file = partition_path(path, "parquet", 1)
    content = bytearray(file.read_bytes())
    content[4:400] = bytes(396)
    file.write_bytes(content)


def _swap_partitions(path: Path) -> None:
    source, target = partition_path(path, "parquet", 0), partition_path(path, "parquet", 1)
    target.write_bytes(source.read_bytes())


def _change_version(path: Path) -> None:
    manifest = json.loads((path / "log.json").read_text())
    (path / "log.json").write_text(json.dumps({**manifest, "schema_version": 99}))


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _corrupt_pages,
        _swap_partitions,
        _change_version,
        lambda path: partition_path(path, "parquet", 2).unlink(),
        lambda path: (path / "log.json").write_text("{"),
        lambda path: (path / "log.json").unlink(),
    ],
)
def test_a_damaged_log_is_refused_with_the_file_and_a_fix(
    log_path: Path, tmp_path: Path, damage: Any
) -> None:
    copy = _copy(log_path, tmp_path / "log")
    damage(copy)
    with pytest.raises(LogFormatError) as caught:
        EventLog(copy).read_table()
    assert str(copy) in caught.value.field
    assert caught.value.expectation
    assert caught.value.fix


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("a,b\n")
    for path in (tmp_path, tmp_path / "events.csv", tmp_path / "absent"):
        with pytest.raises(LogFormatError, match="not an event log") as caught:
            EventLog(path)
        assert caught.value.field == str(path)


def test_a_format_that_the_log_does_not_have_is_refused(tmp_path: Path) -> None:
    with EventLogWriter(tmp_path / "log", formats=("parquet",)):
        pass
    with pytest.raises(ConfigError, match="jsonl"):
        EventLog(tmp_path / "log", log_format="jsonl")
