"""`hemostat simulate-report` measures simulated logs, or says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hemostat.cli.main import main


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "log"
    words = ["--customers", "300", "--days", "200", "--format", "parquet", "--seed", "3"]
    assert main(["simulate", str(path), *words]) == 0
    return path


def test_tables_tell_the_measures_of_a_call(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate-report", str(log), "--call", "return"]) == 0
    shown = capsys.readouterr().out
    for words in ("false alarms", "must tell nothing", "single columns", "AUC"):
        assert words in shown
    assert "cancellation" not in shown


def test_the_result_is_one_document(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate-report", str(log), "--call", "return", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (world,) = report["worlds"]
    assert world["columns"]["return"][0]["auc"] > 0.5
    assert {row["call"] for row in report["artefacts"]} == {"return"}


def test_an_unknown_call_is_refused(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate-report", str(log), "--call", "refund"]) == 2
    assert "order, cancellation, return" in capsys.readouterr().err


def test_a_log_without_truth_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate-report", str(tmp_path)]) == 2
    assert "error" in capsys.readouterr().err
