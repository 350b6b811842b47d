"""`hemostat simulate` writes a log with its truth, or says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.log.reader import EventLog
from hemostat.cli.main import main

SMALL = ["--customers", "60", "--days", "90"]


def test_it_writes_a_log_and_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "log"
    assert main(["simulate", str(out), *SMALL, "--tenant", "shop", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    log = EventLog(out)
    assert log.manifest.n_events == report["manifest"]["n_events"] > 500
    assert log.manifest.tenants == ("shop",)
    assert set(log.manifest.formats) == {"parquet", "jsonl"}
    n_cases = sum(counts["n_cases"] for counts in report["summary"]["cases"].values())
    assert pq.read_table(report["truth"]).num_rows == n_cases


def test_it_shows_a_person_what_was_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(tmp_path / "log"), *SMALL, "--format", "parquet"]) == 0
    shown = capsys.readouterr()
    assert "abuse checked" in shown.out
    assert "hemostat stream" in shown.out
    assert "events/s" in shown.err


def test_a_what_if_changes_the_world_and_a_wrong_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "what-if.yaml"
    file.write_text("price_overrides: [{style: 3, from_day: 20, factor: 0.5}]")
    assert main(["simulate", str(tmp_path / "log"), *SMALL, "--what-if", str(file), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["config"]["price_overrides"][0]["factor"] == 0.5
    file.write_text("price_overrides: [{style: 3, from_day: 20, factor: -1}]")
    assert main(["simulate", str(tmp_path / "no"), *SMALL, "--what-if", str(file)]) == 2
    assert "factor" in capsys.readouterr().err


def test_settings_make_a_world_of_its_own_and_a_wrong_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("abuser_scale: 2.0\nlabels: {audit_share: 0.5}")
    arguments = ["simulate", str(tmp_path / "log"), *SMALL, "--settings", str(file), "--json"]
    assert main(arguments) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert (config["abuser_scale"], config["labels"]["audit_share"]) == (2.0, 0.5)
    file.write_text("labels: {audit_share: 7}")
    assert main(["simulate", str(tmp_path / "no"), *SMALL, "--settings", str(file)]) == 2
    assert "labels.audit_share" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--customers", "0"), ("--days", "-3"), ("--seed", "-1")]
)
def test_a_value_out_of_range_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert main(["simulate", str(tmp_path / "log"), option, value]) == 2
    message = capsys.readouterr().err
    assert option in message
    assert value in message
    assert not (tmp_path / "log").exists()


def test_a_taken_place_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["simulate", str(tmp_path), *SMALL]) == 2
    assert "taken" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_events_go_into_a_file_and_the_truth_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, out = tmp_path / "events.jsonl", tmp_path / "world"
    words = ["simulate", str(out), *SMALL, "--to", str(lines), "--pace", "x1e9", "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    n_events = report["summary"]["n_events"] + report["summary"]["n_repeated"]
    assert len(lines.read_bytes().splitlines()) == n_events
    assert pq.read_table(report["truth"]).num_rows > 50
    assert report["manifest"] is None
    assert main(words) == 2  # Neither file is overwritten.


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--pace", "x100"], "--to beside it"),
        (["--to", "kafka://nowhere"], "kafka://HOST:PORT/TOPIC"),
        (["--world", "moon"], "fashion-dach"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(tmp_path / "world"), *SMALL, *words]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("world", ["drift", "promotions", "rings", "fashion-dach"])
def test_named_worlds_differ_from_the_default(
    world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "log"
    words = ["simulate", str(out), *SMALL, "--format", "parquet", "--world", world, "--json"]
    assert main(words) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert main(["simulate", str(tmp_path / "d"), *SMALL, "--format", "parquet", "--json"]) == 0
    default = json.loads(capsys.readouterr().out)["config"]
    assert config != default
    assert (config["n_customers"], config["days"]) == (60, 90)
