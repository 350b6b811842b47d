"""`hemostat keys` as a shell sees it: a pair is made, a bundle signed, others are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hemostat.cli.main import EXIT_USER_ERROR, main
from hemostat.cli.registry_tables import EXIT_REFUSED
from tests.training.registry.small_models import ModelMaker
from training.registry.journal import Signature
from training.registry.promotion import register


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A champion, not signed."""
    make = ModelMaker(tmp_path / "template" / "bundle")
    out = tmp_path / "bundles"
    for _ in range(2):
        register(out, make(out), Signature("ann", datetime(2026, 1, 1, tzinfo=UTC)))
    return out


def _run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    captured = capsys.readouterr()
    return json.loads(captured.err if code == EXIT_USER_ERROR else captured.out)


def test_a_pair_is_made_and_a_bundle_signed_and_promoted(
    tmp_path: Path,
    bundles: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = tmp_path / "keys"
    made = _run_json(capsys, "keys", "create", "trainer", "--out", str(keys))
    assert made["private"] == str(keys / "trainer.key.pem")
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", made["public"])
    listing = _run_json(capsys, "models", "--bundles", str(bundles))
    assert all("no signature" in one["fault"] for one in listing["models"])
    new = next(one["model"] for one in listing["models"] if one["part"] == "challenger")
    words = ("promote", new, "--bundles", str(bundles), "--as-of", "2026-01-01")
    refused = _run_json(capsys, *words, code=EXIT_REFUSED)
    assert [gate["name"] for gate in refused["gates"]] == ["signature"]
    for model in (new, listing["champion"]):
        folder = str(bundles / model)
        signed = _run_json(capsys, "keys", "sign", folder, "--key", made["private"])
        assert signed["key_id"] == made["key_id"]
    assert _run_json(capsys, *words)["champion"] == new


def test_a_key_is_not_overwritten_and_has_no_path_for_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("keys", "create", "trainer", "--out", str(tmp_path))
    _run_json(capsys, *words)
    assert _run_json(capsys, *words, code=EXIT_USER_ERROR)["error"]["value"] == "there already"
    bad = ("keys", "create", "../trainer", "--out", str(tmp_path))
    assert _run_json(capsys, *bad, code=EXIT_USER_ERROR)["error"]["field"] == "NAME"


def test_the_two_commands_tell_people_what_to_do_next(
    tmp_path: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "trainer", "--out", str(tmp_path)]) == 0
    assert "HEMOSTAT_TRUSTED_KEYS=" in capsys.readouterr().out
    key = str(tmp_path / "trainer.key.pem")
    assert main(["keys", "sign", str(bundles), "--key", key]) == 0
    assert "is signed by key" in capsys.readouterr().out
