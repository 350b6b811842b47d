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
