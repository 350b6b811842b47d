"""`hemostat labels audit`: tables for people in two languages, the audit for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.log.writer import EventLogWriter
from hemostat.cli.labels_tables import _WORDS_ZH
from hemostat.cli.main import main
from training.simulation import SimulationConfig, simulate
from training.simulation.config import LabelSettings


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated log of which all is audited a second time."""
    path = tmp_path_factory.mktemp("labels") / "log"
    settings = LabelSettings(silent_audit_share=1.0)
    with EventLogWriter(path, formats=("parquet",)) as writer:
        simulate(SimulationConfig(n_customers=400, days=400, seed=3, labels=settings), writer)
    return path


def test_the_audit_is_one_document(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--sensitivity", "0.8", "--specificity", "0.99", "--json"]
    assert main(["labels", "audit", str(log), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    audit = found["audit"]
    assert found["tenant"] == "demo"
    assert {call["call"] for call in audit["calls"]} == {"return", "cancellation"}
    assert all(call["n_told"] == call["n_looked"] for call in audit["calls"])
    assert audit["assumed"] == {"sensitivity": 0.8, "specificity": 0.99}
    assert audit["error"]["n_pairs"] >= 30
    assert sum(month["n_looked"] for month in audit["months"]) >= sum(
        call["n_looked"] for call in audit["calls"]
    )


@pytest.mark.parametrize(("lang", "heading"), [("en", "Coverage by month"), ("zh", "各月覆盖")])
def test_the_tables_speak_both_languages(
    log: Path, lang: str, heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["labels", "audit", str(log), "--lang", lang]) == 0
    printed = capsys.readouterr().out
    assert heading in printed
    assert (_WORDS_ZH["Cases looked at twice"] in printed) == (lang == "zh")


def test_a_log_without_labels_and_checks_that_see_nothing_are_refused(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EventLogWriter(tmp_path / "log", formats=("parquet",)) as writer:
        simulate(SimulationConfig(n_customers=2, days=3, seed=3), writer)
    assert main(["labels", "audit", str(tmp_path / "log")]) == 2
    assert "label_set" in capsys.readouterr().err
    weak = ["--sensitivity", "0.3", "--specificity", "0.5"]
    assert main(["labels", "audit", str(log), *weak]) == 2
    assert "a sum above 1" in capsys.readouterr().err
