"""Train, promote, refuse, force, roll back: the link and the journal agree on all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import ConfigError, HemostatError, MissingModelError
from features.model_bundle import resolve_bundle
from tests.training.registry.small_models import ModelMaker, damage
from training.registry.journal import JOURNAL_FILE, Signature, read_journal
from training.registry.layout import find_model, read_champion
from training.registry.listing import list_models
from training.registry.promotion import (
    CHAMPION_IS_GONE,
    FIRST_MODEL,
    check_registry,
    promote,
    register,
    roll_back,
)

Sign = Callable[..., Signature]


@pytest.fixture
def models(out: Path, make_model: ModelMaker, sign: Sign) -> tuple[str, str]:
    """A champion and a challenger as good as it."""
    names = make_model(out), make_model(out)
    for day, name in enumerate(names, 1):
        register(out, name, sign(day))
    return names


def _list_actions(out: Path) -> list[tuple[str, str]]:
    return [(entry.action, entry.model) for entry in read_journal(out)]


def test_the_first_model_serves_and_the_next_one_waits(out: Path, models: tuple[str, str]) -> None:
    first, second = models
    assert read_champion(out) == first
    assert resolve_bundle(out) == (out / first).resolve()
    trained, promoted, waiting = read_journal(out)
    assert (trained.action, trained.model, trained.champion_before) == ("trained", first, "")
    assert (promoted.action, promoted.model, promoted.reason) == ("promoted", first, FIRST_MODEL)
    assert (waiting.action, waiting.model, waiting.champion_before) == ("trained", second, first)
    assert waiting.version.startswith(second)


def test_a_challenger_that_meets_the_gates_serves_and_can_be_taken_back(
    out: Path, models: tuple[str, str], sign: Sign
) -> None:
    first, second = models
    change = promote(out, second[:6], sign(3), reason="newer data")
    assert (change.action, change.champion, change.champion_before) == ("promoted", second, first)
    assert change.failed == []
    assert read_champion(out) == second
    back = roll_back(out, sign(4), reason="complaints")
    assert (back.action, back.champion, back.champion_before) == ("rolled_back", first, second)
    assert read_champion(out) == first
    entries = read_journal(out)
    assert [(one.action, one.reason) for one in entries[-2:]] == [
        ("promoted", "newer data"),
        ("rolled_back", "complaints"),
    ]
    assert entries[-2].gates == change.gates
    with pytest.raises(ConfigError, match="no champion to go back to"):
        roll_back(out, sign(5))


def test_a_worse_challenger_is_refused_with_every_reason(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    worse = make_model(out, recall=0.2, false_alarm_rate=0.1)
    change = promote(out, worse, sign(3))
    assert change.action == "refused"
    assert [gate.name for gate in change.failed] == ["honest_flagged_share", "recall"]
    assert read_champion(out) == change.champion == models[0]
    last = read_journal(out)[-1]
    assert (last.action, last.model, last.gates) == ("refused", worse, change.gates)


def test_force_needs_a_reason_which_the_journal_keeps(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    worse = make_model(out, recall=0.2)
    with pytest.raises(ConfigError, match="--reason"):
        promote(out, worse, sign(3), is_forced=True, reason=" ")
    assert len(read_journal(out)) == 3
    change = promote(out, worse, sign(3), is_forced=True, reason="the old one leaks")
    assert change.is_forced
    assert read_champion(out) == worse
    last = read_journal(out)[-1]
    assert (last.is_forced, last.reason) == (True, "the old one leaks")


def test_force_that_was_not_needed_is_not_called_so(
    out: Path, models: tuple[str, str], sign: Sign
) -> None:
    assert not promote(out, models[1], sign(3), is_forced=True, reason="to be sure").is_forced


def test_a_damaged_bundle_cannot_be_forced(out: Path, models: tuple[str, str], sign: Sign) -> None:
    damage(out / models[1])
    change = promote(out, models[1], sign(3), is_forced=True, reason="hurry")
    assert change.action == "refused"
    assert [gate.name for gate in change.failed] == ["whole"]
    assert read_champion(out) == models[0]


def test_another_tenants_model_cannot_be_forced(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    other = make_model(out, tenant="bazaar")
    change = promote(out, other, sign(3), is_forced=True, reason="hurry")
    assert [gate.name for gate in change.failed] == ["tenant"]
    assert read_champion(out) == models[0]


def test_training_may_ask_for_promotion_and_be_refused(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    good, bad = make_model(out), make_model(out, recall=0.1)
    assert register(out, bad, sign(3), wants_promotion=True).action == "refused"
    assert register(out, good, sign(4), wants_promotion=True).champion == good
    assert [action for action, _ in _list_actions(out)[3:]] == [
        "trained", "refused", "trained", "promoted",
    ]  # fmt: skip


def test_age_is_counted_to_the_day_that_is_named(
    out: Path, models: tuple[str, str], sign: Sign
) -> None:
    late = Signature("ann", datetime(2031, 1, 1, tzinfo=UTC))
    assert [gate.name for gate in promote(out, models[1], late).failed] == ["age_days"]
    change = promote(out, models[1], late, as_of=datetime(2026, 1, 1, tzinfo=UTC))
    assert change.action == "promoted"


def test_what_is_named_wrongly_is_told(
    out: Path, models: tuple[str, str], sign: Sign, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="champion already"):
        promote(out, models[0], sign(3))
    with pytest.raises(MissingModelError, match=models[1]):
        promote(out, "zzz", sign(3))
    with pytest.raises(MissingModelError, match="--bundles"):
        promote(tmp_path / "none", "a", sign(3))
    with pytest.raises(MissingModelError, match="a single bundle"):
        roll_back(out / models[0], sign(3))


def test_several_models_with_one_beginning_are_told(out: Path) -> None:
    for name in ("ab1", "ab2"):
        (out / name).mkdir()
        (out / name / "manifest.json").touch()
    with pytest.raises(ConfigError, match="ab1, ab2"):
        find_model(out, "ab")
    assert find_model(out, "ab1") == "ab1"
    with pytest.raises(MissingModelError):
        find_model(out, "ab12")


def test_a_link_moved_by_hand_counts_and_is_written_down(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    first, second = models
    (out / "current").unlink()
    (out / "current").symlink_to(second)
    assert "the link counts" in list_models(out).note
    third = make_model(out)
    assert promote(out, third, sign(3)).champion_before == second
    assert _list_actions(out)[3:] == [("found", second), ("promoted", third)]
    assert roll_back(out, sign(4)).champion == second
    assert roll_back(out, sign(5)).champion == first


def test_a_folder_from_before_the_registry_is_taken_over(
    out: Path, make_model: ModelMaker, sign: Sign
) -> None:
    old, new = make_model(out, with_lineage=False), make_model(out)
    (out / "current").symlink_to(old)
    assert list_models(out).models[0].part == "champion"
    assert promote(out, new, sign(1)).action == "promoted"
    assert _list_actions(out) == [("found", old), ("promoted", new)]
    assert roll_back(out, sign(2)).champion == old


def test_rollback_passes_over_what_was_removed_and_refuses_what_is_damaged(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    third = make_model(out)
    promote(out, models[1], sign(3))
    promote(out, third, sign(4))
    shutil.rmtree(out / models[1])
    damage(out / models[0])
    with pytest.raises(MissingModelError, match="cannot serve"):
        roll_back(out, sign(5))
    assert read_champion(out) == third


def test_where_the_champion_was_removed_the_next_model_serves(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    shutil.rmtree(out / models[0])
    assert "is not here" in list_models(out).note
    failed = promote(out, models[1], sign(3)).failed
    assert [(gate.name, gate.can_be_forced) for gate in failed] == [("champion", True)]
    change = register(out, make_model(out), sign(4))
    assert (change.action, change.reason) == ("promoted", CHAMPION_IS_GONE)


@pytest.mark.parametrize("target", ["../elsewhere", "/", ".."])
def test_a_champion_outside_the_folder_is_refused(out: Path, target: str) -> None:
    (out / "current").symlink_to(target)
    with pytest.raises(ConfigError, match="not a bundle of this folder"):
        read_champion(out)


def test_a_tampered_journal_stops_changes_but_not_serving(
    out: Path, models: tuple[str, str], sign: Sign
) -> None:
    path = out / JOURNAL_FILE
    path.write_bytes(path.read_bytes().replace(b'"ann"', b'"eve"', 1))
    for change in (
        lambda: promote(out, models[1], sign(3)),
        lambda: roll_back(out, sign(3)),
        lambda: check_registry(out),  # Before training, not after it.
    ):
        with pytest.raises(HemostatError, match="tampered"):
            change()
    assert resolve_bundle(out).name == models[0]


def test_the_listing_shows_parts_lineage_and_parents(
    out: Path, models: tuple[str, str], make_model: ModelMaker, sign: Sign
) -> None:
    promote(out, models[1], sign(3))
    third = make_model(out)
    listing = list_models(out)
    parts = {one.model: (one.part, one.parent) for one in listing.models}
    assert parts == {
        models[0]: ("former", ""), models[1]: ("champion", models[0]), third: ("challenger", ""),
    }  # fmt: skip
    assert [one.part for one in listing.models] == ["champion", "former", "challenger"]
    assert all(one.lineage and one.lineage.code_sha256 == "c" * 64 for one in listing.models)
    assert listing.note == ""


def test_nothing_is_left_beside_link_and_journal(
    out: Path, models: tuple[str, str], sign: Sign
) -> None:
    (out / ".current-99999").symlink_to("left by a killed process")
    promote(out, models[1], sign(3))
    assert sorted(path.name for path in out.iterdir()) == sorted(["current", JOURNAL_FILE, *models])
