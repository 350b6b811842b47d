"""`hemostat models`, `promote` and `rollback` as a shell sees them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hemostat.cli.main import EXIT_USER_ERROR, main
from hemostat.cli.registry_tables import EXIT_REFUSED
from tests.training.registry.small_models import ModelMaker
from training.registry.journal import JOURNAL_FILE, Signature, read_journal
from training.registry.layout import read_champion
from training.registry.promotion import register

AS_OF = ("--as-of", "2026-01-01")


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    return ModelMaker(tmp_path_factory.mktemp("template") / "bundle")


@pytest.fixture
def bundles(tmp_path: Path, make_model: ModelMaker) -> Path:
    """A champion and nothing else."""
    out = tmp_path / "bundles"
    register(out, make_model(out), Signature("ann", datetime(2026, 1, 1, tzinfo=UTC)))
    return out


def _run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    captured = capsys.readouterr()
    return json.loads(captured.err if code == EXIT_USER_ERROR else captured.out)


def test_a_challenger_is_promoted_and_rolled_back(
    bundles: Path, make_model: ModelMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    first, new = read_champion(bundles), make_model(bundles)
    words = ("--bundles", str(bundles), "--by", "ann")
    change = _run_json(capsys, "promote", new, *words, *AS_OF, "--reason", "newer")
    assert (change["action"], change["champion"], change["champion_before"]) == (
        "promoted", new, first,
    )  # fmt: skip
    assert all(gate["is_met"] for gate in change["gates"])
    back = _run_json(capsys, "rollback", *words)
    assert (back["action"], back["champion"]) == ("rolled_back", first)
    listing = _run_json(capsys, "models", "--bundles", str(bundles))
    assert listing["champion"] == first
    assert [one["part"] for one in listing["models"]] == ["champion", "challenger"]
    assert [one["action"] for one in listing["journal"]][-2:] == ["promoted", "rolled_back"]
    assert listing["models"][0]["lineage"]["logs"][0]["role"] == "tenant"


def test_a_refusal_lists_every_failed_gate_and_ends_with_code_5(
    bundles: Path, make_model: ModelMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = make_model(bundles, recall=0.1, false_alarm_rate=0.2)
    words = ("promote", worse, "--bundles", str(bundles), *AS_OF)
    change = _run_json(capsys, *words, code=EXIT_REFUSED)
    failed = {gate["name"]: gate for gate in change["gates"] if not gate["is_met"]}
    assert set(failed) == {"honest_flagged_share", "recall"}
    assert (failed["recall"]["value"], failed["honest_flagged_share"]["bar"]) == (0.1, 0.02)
    assert main([*words]) == EXIT_REFUSED
    shown = capsys.readouterr().out
    for word in ("fails 2 gates", "recall of abuse__return: 0.1", "--false-alarms", "--force"):
        assert word in shown
    assert read_champion(bundles) != worse


def test_force_needs_a_reason(
    bundles: Path, make_model: ModelMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = make_model(bundles, recall=0.1)
    words = ("promote", worse, "--bundles", str(bundles), "--force", *AS_OF)
    error = _run_json(capsys, *words, code=EXIT_USER_ERROR)["error"]
    assert error["field"] == "--reason"
    assert error["fix"]
    assert _run_json(capsys, *words, "--reason", "audit 12")["is_forced"]
    last = _run_json(capsys, "models", "--bundles", str(bundles))["journal"][-1]
    assert (last["is_forced"], last["reason"]) == (True, "audit 12")
    assert "recall" in {gate["name"] for gate in last["gates"] if not gate["is_met"]}
    assert main(["models", "--bundles", str(bundles)]) == 0
    assert "forced" in capsys.readouterr().out  # Whole words may wrap in a narrow window.


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("promote", "zzz"), "CHALLENGER"),
        (("rollback",), "--bundles"),
    ],
)
def test_what_is_wrong_is_named(
    bundles: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], field: str
) -> None:
    error = _run_json(capsys, *words, "--bundles", str(bundles), code=EXIT_USER_ERROR)["error"]
    assert error["field"] == field
    assert all(error[part] for part in ("value", "expectation", "fix"))


@pytest.mark.parametrize("command", ["models", "rollback"])
def test_a_place_without_bundles_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words = (command, "--bundles", str(tmp_path / "none"))
    assert _run_json(capsys, *words, code=EXIT_USER_ERROR)["error"]["field"] == "--bundles"


def test_a_tampered_journal_is_told(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundles / JOURNAL_FILE
    path.write_bytes(path.read_bytes().replace(b"ann", b"eve"))
    error = _run_json(capsys, "models", "--bundles", str(bundles), code=EXIT_USER_ERROR)["error"]
    assert error["field"].endswith(f"{JOURNAL_FILE}:1")
    assert "tampered" in error["message"]


def test_the_login_name_is_written_where_none_is_given(
    bundles: Path,
    make_model: ModelMaker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "carol")
    _run_json(capsys, "promote", make_model(bundles), "--bundles", str(bundles), *AS_OF)
    assert read_journal(bundles)[-1].by == "carol"
