from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.embedding import EMBEDDER, embed_text
from features.entities import Entity
from features.errors import ConfigError, InvalidEventError
from features.keys import compute_entity_key
from features.log import spool, structs
from features.log.assemble import ColumnValueError, build_batch
from features.log.manifest import partition_path, read_manifest
from features.log.reader import EventLog
from features.log.writer import EventLogWriter


def _make_events(n_events: int, seed: int = 0) -> list[Any]:
    draw = random.Random(seed)
    return [
        structs.Event(
            event_id=f"e{i}",
            tenant="demo",
            event_time=1_000_000 * (i + 1),
            ingest_time=1_000_000 * (i + 1) + draw.randrange(900_000),
            customer_id=draw.choice(["", "c1", "c2", "c3"]),
            order_placed=structs.OrderPlaced(
                order_id=f"o{i}", lines=[structs.OrderLine(quantity=i + 1, unit_price_minor=5)]
            ),
        )
        for i in range(n_events)
    ]


def _write(path: Path, events: list[Any], **options: Any) -> Path:
    with EventLogWriter(path, **options) as writer:
        writer.append_structs(events)
    return path


def _read_bytes(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def test_a_log_read_back_holds_every_event_in_ingest_order(tmp_path: Path) -> None:
    events = _make_events(500)
    log = EventLog(_write(tmp_path / "log", events, created_by="test 1"))
    table = log.read_table()
    assert table.column("event_id").to_pylist() == [event.event_id for event in events]
    assert table.to_pylist() == build_batch(events).to_pylist()
    manifest = log.manifest
    assert manifest.n_events == sum(manifest.partition_events) == 500
    assert manifest.tenants == ("demo",)
    assert manifest.embedder == EMBEDDER
    assert manifest.created_by == "test 1"
    assert manifest.first_ingest_time is not None
    assert manifest.first_ingest_time.timestamp() * 1e6 == events[0].ingest_time


def test_a_customers_partition_follows_from_the_first_byte_of_the_key(tmp_path: Path) -> None:
    log = EventLog(_write(tmp_path / "log", _make_events(60), n_partitions=5))
    for partition in log.partitions:
        for _, batch in log.read_batches(partition):
            for customer in set(batch.column("customer_id").to_pylist()) - {""}:
                assert compute_entity_key("demo", Entity.CUSTOMER, customer)[0] % 5 == partition


def test_equal_events_give_equal_bytes_however_they_are_appended(tmp_path: Path) -> None:
    events = _make_events(300)
    whole = _write(tmp_path / "whole", events)
    with EventLogWriter(tmp_path / "parts") as writer:
        for start in range(0, 300, 7):
            writer.append_table(build_batch(events[start : start + 7]))
    assert _read_bytes(whole) == _read_bytes(tmp_path / "parts")


def test_the_incarnation_names_the_content(tmp_path: Path) -> None:
    first = read_manifest(_write(tmp_path / "a", _make_events(20)))
    changed = _make_events(20)
    changed[3].order_placed.lines[0].unit_price_minor = 6
    assert read_manifest(_write(tmp_path / "b", changed)).incarnation != first.incarnation
    only = _write(tmp_path / "c", changed, formats=("parquet",))
    assert read_manifest(only).incarnation != first.incarnation
    given = _write(tmp_path / "d", _make_events(20), incarnation="given")
    assert read_manifest(given).incarnation == "given"


def test_events_appended_out_of_order_are_sorted_stably_over_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "ROW_GROUP_ROWS", 16)
    monkeypatch.setattr(spool, "_CACHED_ROW_GROUPS", 2)
    events = _make_events(200)
    for event in events:
        event.ingest_time = event.ingest_time // 5_000_000 * 5_000_000 + 7  # Ties.
        event.customer_id = "c1"
    random.Random(1).shuffle(events)
    log = EventLog(_write(tmp_path / "log", events, n_partitions=1))
    expected = sorted(events, key=lambda event: int(event.ingest_time))  # Stable, as Python's is.
    ids = log.read_table().column("event_id").to_pylist()
    assert ids == [event.event_id for event in expected]
    lines = EventLog(log.path, log_format="jsonl").read_table().column("event_id").to_pylist()
    assert lines == ids
    assert not list(tmp_path.rglob("*.unsorted"))


def test_texts_are_embedded_and_stand_in_no_file(tmp_path: Path) -> None:
    text = "the seam came off, very private"
    reason = structs.Reason(text=text)
    returned = structs.ReturnRequested(reason=reason)
    event = structs.Event(event_id="e1", tenant="demo", event_time=5, return_requested=returned)
    table = pa.table(
        {
            "event_id": ["e2"],
            "tenant": ["demo"],
            "event_time": pa.array([6], pa.timestamp("us", "UTC")),
            "return_requested": pa.array(
                [{"reason": {"text": text}}],
                pa.struct([("reason", pa.struct([("text", pa.string())]))]),
            ),
        }
    )
    with EventLogWriter(tmp_path / "log") as writer:
        writer.append_structs([event])
        writer.append_table(table)
    reasons = EventLog(tmp_path / "log").read_table().column("return_requested").to_pylist()
    vectors = [row["reason"]["embedding"] for row in reasons]
    assert vectors == [embed_text(text).tobytes()] * 2
    assert all(b"private" not in content for content in _read_bytes(tmp_path / "log").values())


def test_a_partial_table_gets_the_protos_defaults(tmp_path: Path) -> None:
    table = pa.table(
        {
            "event_id": ["e1"],
            "tenant": ["demo"],
            "event_time": pa.array([5], pa.timestamp("us", "UTC")),
            "order_placed": [{"order_id": "o1", "lines": [{"quantity": 2}]}],
        }
    )
    with EventLogWriter(tmp_path / "log") as writer:
        writer.append_table(table)
    expected = structs.Event(
        event_id="e1", tenant="demo", event_time=5, ingest_time=5,
        order_placed=structs.OrderPlaced(order_id="o1", lines=[structs.OrderLine(quantity=2)]),
    )  # fmt: skip
    (batch,) = EventLog(tmp_path / "log").read_table().to_batches()
    assert batch.to_pylist() == build_batch([expected]).to_pylist()


def test_ingest_time_is_the_event_time_where_it_is_absent(tmp_path: Path) -> None:
    events = [structs.Event(event_id="e1", tenant="demo", event_time=5)]
    table = EventLog(_write(tmp_path / "log", events)).read_table()
    assert table.column("ingest_time").cast(pa.int64()).to_pylist() == [5]
    with pytest.raises(InvalidEventError, match="event_time"):
        _write(tmp_path / "other", [structs.Event(event_id="e1", tenant="demo")])


@pytest.mark.parametrize(
    "columns",
    [
        {"event_id": ["e1"], "colour": ["red"]},
        {"event_id": ["e1"], "order_paid": [{"amount_minor": 1, "colour": "red"}]},
        {
            "event_id": ["e1"],
            "order_paid": [{"amount_minor": 1}],
            "parcel_lost": [{"order_id": ""}],
        },
        {"event_id": ["e1"], "order_paid": [{"amount_minor": 1}], "kind": ["parcel_lost"]},
    ],
)
def test_a_table_that_is_no_event_table_is_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"colour|kind"), EventLogWriter(tmp_path / "log") as log:
        log.append_table(pa.table(columns))
    assert list(tmp_path.iterdir()) == []


def test_structs_that_no_column_can_hold_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ColumnValueError, match="amount_minor"):
        _write(tmp_path / "log", [structs.Event(order_paid=structs.OrderPaid(amount_minor=1.5))])
    assert list(tmp_path.iterdir()) == []


def test_a_log_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = EventLogWriter(path)
    writer.append_structs(_make_events(5))
    assert not path.exists()
    writer.close()
    assert path.is_dir()
    assert [entry.name for entry in tmp_path.iterdir()] == ["log"]


def test_a_place_that_is_taken_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("mine")
    for path in (tmp_path, tmp_path / "file.txt"):
        with pytest.raises(ConfigError, match="taken") as caught:
            EventLogWriter(path)
        assert caught.value.fix
    assert (tmp_path / "file.txt").read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert EventLog(_write(empty, _make_events(2))).manifest.n_events == 2


@pytest.mark.parametrize("options", [{"n_partitions": 0}, {"formats": ()}, {"formats": ("csv",)}])
def test_arguments_out_of_range_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        EventLogWriter(tmp_path / "log", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("log_format", ["parquet", "jsonl"])
def test_only_the_formats_asked_for_are_written(tmp_path: Path, log_format: str) -> None:
    path = _write(tmp_path / "log", _make_events(5), formats=(log_format,))
    assert sorted(p.name for p in path.iterdir()) == sorted([log_format, "log.json"])
    assert partition_path(path, log_format, 0).is_file()
    assert EventLog(path).read_table().num_rows == 5


def test_an_empty_log_can_be_written_and_read(tmp_path: Path) -> None:
    log = EventLog(_write(tmp_path / "log", []))
    assert log.manifest.n_events == 0
    assert log.manifest.first_ingest_time is None
    assert log.read_table().num_rows == 0
    assert list(log.read_batches(0)) == []


def test_progress_tells_how_many_events_are_done(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    _write(tmp_path / "log", _make_events(40), progress=lambda *step: told.append(step))
    assert told[0] == ("append", 40)
    assert told[-1] == ("write", 40)
