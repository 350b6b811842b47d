"""The same configuration gives the same world, on every Python; another seed another one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.errors import ConfigError
from features.log.writer import EventLogWriter
from training.simulation import SimulationConfig, simulate
from training.simulation.config import StockSettings
from training.simulation.presets import WORLDS, make_config
from training.simulation.truth import TRUTH_FILE, TruthWriter

SMALL = {"n_customers": 150, "days": 150, "seed": 11}

# Facts of the world SMALL. Whoever changes the world on purpose changes this line; if it
# differs between Python 3.11 and 3.12, a sum of floats or an order of a set crept in.
DIGEST = "0111e1830a885e4d"


def _write(path: Path, **settings: Any) -> None:
    with (
        EventLogWriter(path) as writer,
        TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth,
    ):
        simulate(SimulationConfig(**settings), writer, truth)


def _read_tree(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_equal_seeds_write_equal_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    _write(tmp_path / "one", **SMALL)
    _write(tmp_path / "again", **SMALL)
    _write(tmp_path / "other", **(SMALL | {"seed": 12}))
    one, again, other = (_read_tree(tmp_path / name) for name in ("one", "again", "other"))
    assert set(one) >= {"log.json", TRUTH_FILE}
    assert one == again
    assert one["log.json"] != other["log.json"]
    assert one[TRUTH_FILE] != other[TRUTH_FILE]


def test_the_world_is_the_same_on_every_python(run_world: Callable[..., Any]) -> None:
    collected = run_world(**SMALL)
    facts = b"\n".join(msgspec.json.encode(event) for event in collected.events)
    rows = [*collected.truths, *collected.offers, *collected.decisions]
    truths = b"\n".join(msgspec.json.encode(row) for row in rows)
    assert hashlib.sha256(facts + truths).hexdigest()[:16] == DIGEST


def test_more_customers_leave_those_before_them_as_they_were(
    run_world: Callable[..., Any],
) -> None:
    # But for what others take off the shelf before them.
    settings = SMALL | {"stock": StockSettings(is_limited=False)}
    few = run_world(**settings).events
    many = run_world(**(settings | {"n_customers": 200})).events
    theirs = {event.customer_id for event in few} - {""}
    assert [event for event in many if event.customer_id in theirs] == [
        event for event in few if event.customer_id
    ]


def _list_facts(run: Any, until_us: int) -> list[bytes]:
    return [msgspec.json.encode(e) for e in run.events if e.ingest_time < until_us]


@pytest.mark.parametrize("world", WORLDS)
def test_a_shorter_horizon_is_the_beginning_of_a_longer_one(
    run_world: Callable[..., Any], world: str
) -> None:
    settings = {**WORLDS[world], "n_customers": 150, "seed": 4}
    short, longer = run_world(**settings, days=130), run_world(**settings, days=320)
    assert _list_facts(short, short.config.end_us) == _list_facts(longer, short.config.end_us)
    assert set(short.truths) <= set(longer.truths)
    assert len(short.events) > 500


def test_an_unknown_world_is_refused_and_settings_win() -> None:
    with pytest.raises(ConfigError, match="fashion-dach"):
        make_config("paradise")
    assert make_config("rings", ring_scale=2.0).ring_scale == 2.0
