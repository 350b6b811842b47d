"""`hemostat stream` as a person and a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.log import structs
from features.log.writer import EventLogWriter
from features.store.lmdb_writer import LmdbFeatureStore
from hemostat.cli.main import EXIT_USER_ERROR, main

_DAY_US = 86_400_000_000
_START_US = 20_000 * _DAY_US


def _view(
    event_id: str, day: int, happened_days_before: int = 0, customer_id: str = "c1"
) -> structs.Event:
    return structs.Event(
        event_id=event_id,
        tenant="demo",
        event_time=_START_US + (day - happened_days_before) * _DAY_US,
        ingest_time=_START_US + day * _DAY_US,
        customer_id=customer_id,
        channel="CHANNEL_WEB",
        product_viewed=structs.ProductViewed(sku="s1"),
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    # A guest's view changes no record.
    events = [
        _view("e1", 1),
        _view("e2", 2, customer_id=""),
        _view("e1", 2, 1),
        _view("e3", 50, 40),
    ]
    with EventLogWriter(tmp_path / "log", n_partitions=2) as writer:
        writer.append_structs(events)
    return tmp_path / "log"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_json_is_one_summary_in_which_every_row_has_its_place(
    log: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", str(log), "--store", str(store), "--json"]) == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out)
    assert shown.err == ""
    assert (summary["events_read"], summary["accepted"], summary["duplicates"]) == (4, 2, 1)
    assert summary["dead_letters"] == {"late": 1}
    assert (summary["folded"], summary["not_folded"]) == (1, 1)
    assert summary["applied_ingest_time"] == "2024-11-23T00:00:00Z"
    assert [each["partition"] for each in summary["partitions"]] == [0, 1]


def test_a_person_sees_the_counts_the_first_fault_of_each_kind_and_where_they_are(
    log: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", str(log), "--store", str(store)]) == 0
    shown = capsys.readouterr().out
    words = [line.split() for line in shown.splitlines()]
    counts = {" ".join(line[:-1]): line[-1] for line in words if line}
    assert any(line[:3] == ["not", "folded", "1"] for line in words)
    assert any(line[:3] == ["dead", "letters", "1"] for line in words)
    assert any(line[:1] == ["late"] for line in words)
    assert counts["Dead letters:"] == str(store / "dead_letters")


def test_the_short_form_and_the_word_run_are_the_same_command(
    log: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", "run", str(log), "--store", str(store), "--json"]) == 0
    assert main(["stream", "--json", "--store", str(store), str(log)]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["events_read"], second["events_read"]) == (4, 0)


def test_until_stops_there_and_says_how_much_is_left(
    log: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stream", str(log), "--store", str(store)]
    assert main([*words, "--until", "2024-10-05T00:00:00Z", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows_behind"] == 3
    assert main([*words, "--until", "2024-10-06T02:00:00+02:00"]) == 0
    assert "1 rows are left" in capsys.readouterr().out


@pytest.mark.parametrize("time", ["yesterday", "2024-10-05", "2024-10-05T00:00:00"])
def test_a_time_without_an_offset_from_utc_is_refused(
    log: Path, store: Path, time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stream", str(log), "--store", str(store), "--until", time]
    assert main(words) == EXIT_USER_ERROR
    assert "--until" in capsys.readouterr().err
    assert not store.exists()


def test_dead_letters_go_where_they_are_wanted(log: Path, store: Path, tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    words = ["stream", str(log), "--store", str(store), "--dead-letters", str(letters), "--json"]
    assert main(words) == 0
    assert len(list(letters.rglob("*.jsonl"))) == 1
    assert not (store / "dead_letters").exists()


def test_status_tells_position_counts_and_what_is_left(
    log: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stream", str(log), "--store", str(store), "--json"]
    assert main([*words, "--until", "2024-10-06T00:00:00Z"]) == 0
    capsys.readouterr()
    assert main(["stream", "status", "--store", str(store), "--log", str(log), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["totals"] == {"folded": 1, "not_folded": 1, "duplicates": 1, "conflicts": 0}
    assert status["rows_behind"] == 1
    assert status["lag_s"] == 48 * 86_400
    assert status["applied_ingest_time"] == "2024-10-06T00:00:00Z"
    assert main(words) == 0
    capsys.readouterr()
    assert main(["stream", "status", "--store", str(store)]) == 0
    shown = capsys.readouterr().out
    assert "1 late" in shown
    assert "2024-11-23T00:00:00.000+00:00" in shown


@pytest.mark.parametrize("words", [["absent"], ["status"]])
def test_a_missing_log_or_store_is_one_clear_message(
    words: list[str], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", *words, "--store", str(store), "--json"]) == EXIT_USER_ERROR
    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err)["error"]["fix"]
    assert not store.exists()


def test_a_second_stream_on_the_store_is_refused(
    log: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LmdbFeatureStore.open_writer(store):
        assert main(["stream", str(log), "--store", str(store)]) == EXIT_USER_ERROR
    assert "another stream writes to this store" in capsys.readouterr().err


def test_a_single_file_of_raw_events_is_streamed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {
        "event_id": "e1",
        "tenant": "demo",
        "event_time": "2024-01-01T00:00:00Z",
        "customer_id": "c1",
        "channel": "CHANNEL_WEB",
        "product_viewed": {"sku": "s"},
    }
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(event) + "\n")
    assert main(["stream", str(file), "--store", str(tmp_path / "store"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["events.jsonl", "store"]
