"""Where keys are trusted, only what they signed is promoted, gone back to or believed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import MissingModelError, UntrustedModelError
from features.model_bundle import SIGNATURE_FILE
from features.model_bundle.signing import SigningKey, read_signing_key, write_key_pair
from tests.training.registry.small_models import ModelMaker
from training.bundle_writing import (
    LITTER_AGE_S,
    PARTIAL_PREFIX,
    clear_litter,
    sign_bundle,
)
from training.registry.journal import Signature, read_journal
from training.registry.layout import list_names, read_champion
from training.registry.listing import list_models
from training.registry.promotion import promote, register, roll_back

Sign = Callable[..., Signature]


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    """The one trusted key."""
    private, public, _ = write_key_pair(tmp_path / "keys", "trainer")
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", str(public))
    return read_signing_key(private)


@pytest.fixture
def models(
    out: Path, make_model: ModelMaker, sign: Sign, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A signed champion and a challenger as good as it, not signed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HEMOSTAT_TRUSTED_KEYS")
        names = make_model(out), make_model(out)
        for day, name in enumerate(names, 1):
            register(out, name, sign(day))
        sign_bundle(out / names[0], key)
    return names


def test_an_unsigned_challenger_is_refused_and_cannot_be_forced(
    out: Path, models: tuple[str, str], key: SigningKey, sign: Sign
) -> None:
    change = promote(out, models[1], sign(3), is_forced=True, reason="hurry")
    assert change.action == "refused"
    (gate,) = change.failed
    assert (gate.name, gate.bar, gate.can_be_forced) == ("signature", "trusted", False)
    assert gate.value == f"{SIGNATURE_FILE}: no signature"
    assert "hemostat keys sign" in gate.advice
    assert read_champion(out) == models[0]
    assert read_journal(out)[-1].gates == change.gates
    sign_bundle(out / models[1], key)
    passed = promote(out, models[1], sign(4))
    assert passed.champion == models[1]
    assert [(one.value, one.is_met) for one in passed.gates if one.name == "signature"] == [
        ("trusted", True)
    ]


def test_a_champion_that_nobody_trusted_signed_is_not_compared_with(
    out: Path, models: tuple[str, str], key: SigningKey, sign: Sign
) -> None:
    sign_bundle(out / models[1], key)
    (out / models[0] / SIGNATURE_FILE).unlink()
    assert [gate.name for gate in promote(out, models[1], sign(3)).failed] == ["champion"]


def test_a_former_champion_that_nobody_trusted_signed_is_not_gone_back_to(
    out: Path, models: tuple[str, str], key: SigningKey, sign: Sign
) -> None:
    sign_bundle(out / models[1], key)
    promote(out, models[1], sign(3))
    (out / models[0] / SIGNATURE_FILE).unlink()
    with pytest.raises(MissingModelError, match="no signature"):
        roll_back(out, sign(4))
    assert read_champion(out) == models[1]


def test_a_signed_bundle_under_another_models_name_is_refused(
    out: Path, models: tuple[str, str], key: SigningKey, sign: Sign
) -> None:
    shutil.rmtree(out / models[1])
    shutil.copytree(out / models[0], out / models[1])
    (gate,) = promote(out, models[1], sign(3)).failed
    assert gate.name == "whole"
    assert str(gate.value).startswith(f"it is {models[0]} under another")


def test_an_unsigned_first_model_does_not_serve(
    out: Path, models: tuple[str, str], key: SigningKey, sign: Sign
) -> None:
    (out / "current").unlink()
    with pytest.raises(UntrustedModelError):
        register(out, models[1], sign(3))
    assert read_champion(out) is None


def test_the_listing_tells_who_signed(
    out: Path, models: tuple[str, str], key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion, challenger = list_models(out).models
    assert (champion.signature, champion.signed_by) == ("trusted", key.key_id)
    assert challenger.fault == "the model bundle is not trusted: no signature"
    monkeypatch.delenv("HEMOSTAT_TRUSTED_KEYS")
    states = [(one.signature, one.signed_by) for one in list_models(out).models]
    assert states == [("unchecked", key.key_id), ("unsigned", "")]


def test_litter_of_killed_trainings_is_cleared_and_what_is_written_now_is_not(
    out: Path, make_model: ModelMaker
) -> None:
    name = make_model(out)
    now = datetime.now(UTC)
    old, new = (out / f"{PARTIAL_PREFIX}{number}" for number in (1, 2))
    for path in (old, new):
        (path / "report").mkdir(parents=True)
        (path / "model.onnx").write_bytes(b"half")
    then = now.timestamp() - LITTER_AGE_S - 1.0
    os.utime(old, (then, then))
    (out / f"{PARTIAL_PREFIX}3").symlink_to(out / name)
    assert clear_litter(out, now) == [old.name]
    assert not old.exists()
    assert (new / "model.onnx").exists()
    assert list_names(out) == [name]
    assert clear_litter(out / "absent", now) == []
