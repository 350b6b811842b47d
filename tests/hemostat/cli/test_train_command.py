"""`hemostat train` on a small simulated log: tables for people, JSON for programs, clear errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.log.writer import EventLogWriter
from features.model_bundle import load_manifest
from hemostat.cli.main import EXIT_USER_ERROR, main
from hemostat.cli.registry_tables import EXIT_REFUSED
from training.simulation import SimulationConfig, simulate
from training.simulation.config import LabelSettings


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log"
    config = SimulationConfig(
        n_customers=250, days=420, seed=5, labels=LabelSettings(audit_share=0.8), abuser_scale=3.0
    )
    with EventLogWriter(path, formats=("parquet",), created_by="hemostat simulate") as writer:
        simulate(config, writer)
    return path


def test_json_tells_every_head_with_figures_and_parity(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundles"
    assert main(["train", str(log), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == load_manifest(out).version
    assert Path(report["bundle"]) == out / report["version"][:12]
    by_name = {head["head"]: head for head in report["heads"]}
    assert {"cancel__order", "return__order", "abuse__return"} <= set(by_name)
    for head in by_name.values():
        assert head["parity_max_difference"] <= 1e-5
        assert head["parity_changed_hints"] == 0


def test_tables_show_metrics_and_what_to_do_next(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundles"
    assert main(["train", str(log), "--out", str(out), "--seed", "4"]) == 0
    shown = capsys.readouterr().out
    for word in ("PR-AUC", "cancel__order", "largest difference", "VERIFY from", "hemostat serve"):
        assert word in shown


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--tenant", "nobody"], "--tenant"),
        (["--cut", "1999-01-01"], "--cut"),
        (["--lines", "absent.parquet"], "--lines"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_written(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], field: str
) -> None:
    out = tmp_path / "bundles"
    code = main(["train", str(log), "--out", str(out), "--json", *words])
    captured = capsys.readouterr()
    assert code == EXIT_USER_ERROR
    assert captured.out == ""
    error = json.loads(captured.err)["error"]
    assert error["field"] == field
    assert error["fix"]
    assert not out.exists()


def test_a_missing_log_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "none"), "--out", str(tmp_path / "b")]) == EXIT_USER_ERROR
    assert "hemostat simulate" in capsys.readouterr().err


def test_a_second_model_waits_as_challenger_and_promote_asks_the_gates(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundles"
    words = ["train", str(log), "--out", str(out), "--json"]
    assert main(words) == 0
    first = json.loads(capsys.readouterr().out)["registry"]
    assert (first["action"], first["champion"]) == ("promoted", first["model"])
    assert main([*words, "--seed", "3", "--promote"]) == EXIT_REFUSED
    second = json.loads(capsys.readouterr().out)["registry"]
    assert (second["action"], second["champion"]) == ("refused", first["model"])
    failed = {gate["name"] for gate in second["gates"] if not gate["is_met"]}
    assert {"age_days", "measured"} <= failed  # Simulated years ago, and too short to measure all.
    assert main(["train", str(log), "--out", str(out), "--seed", "4"]) == 0
    shown = capsys.readouterr().out
    assert f"It is a challenger; {first['model']} serves." in shown
    assert load_manifest(out).version.startswith(first["model"])
