"""What must not move once evaluation worlds were looked at."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from benchmarks.quality.contenders import FALSE_ALARM_TARGET
from benchmarks.quality.frozen_policy import POLICY_FILE, load_policy
from benchmarks.quality.worlds import (
    DEVELOPMENT_SEEDS,
    EVALUATION_SEEDS,
    SPARE_SEEDS,
    draw_config,
)
from training.simulation.presets import WORLDS

ROOT = Path(__file__).resolve().parents[3]
POLICY_SHA256 = "4e7cd5ca5b1c60e6f46e23b6a355b44ad6859e59cbb60f18a1c0b49b82cdcaaa"


def test_the_policy_is_the_frozen_one() -> None:
    assert hashlib.sha256(POLICY_FILE.read_bytes()).hexdigest() == POLICY_SHA256
    assert load_policy().false_alarm_target == FALSE_ALARM_TARGET
    assert load_policy().cost_factors[0] == 1.0


def test_costs_of_verifying_are_scaled_against_those_of_abuse() -> None:
    policy = load_policy()
    double = policy.scale_costs(2.0)
    assert double.check_minor == 2.0 * policy.costs.check_minor
    assert double.insulted_minor == 2.0 * policy.costs.insulted_minor
    assert double.missed_share == policy.costs.missed_share


def test_seeds_of_evaluation_are_named_in_one_place() -> None:
    seeds = re.compile(r"\b9_?0(?:0[1-9]|1[0-5])\b")
    own = {ROOT / "benchmarks/quality/worlds.py", Path(__file__)}
    folders = ("benchmarks", "tests", "training", "scoring", "stream", "features", "hemostat")
    named = [
        str(path)
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if path not in own and re.search(r"seed", path.read_text(encoding="utf-8"))
        and seeds.search(path.read_text(encoding="utf-8"))
    ]  # fmt: skip
    assert named == []
    assert not set(EVALUATION_SEEDS + SPARE_SEEDS) & set(DEVELOPMENT_SEEDS)


def test_parameters_are_drawn_inside_the_ranges_of_the_named_worlds() -> None:
    fields = ("ring_scale", "abuser_scale", "promotion_scale", "dissatisfaction_scale")
    for name in fields:
        named = [float(world[name]) for world in WORLDS.values() if name in world] + [1.0]
        drawn = [getattr(draw_config(seed, 0, 10, 30), name) for seed in DEVELOPMENT_SEEDS]
        assert 0.69 * min(named) <= min(drawn) < max(drawn) <= max(named)
        assert len(set(drawn)) == len(drawn)


def test_shops_of_one_world_differ_by_their_seed_alone() -> None:
    one, other = (draw_config(7_001, number, 10, 30) for number in (0, 1))
    assert one != other
    assert one == other.model_copy(update={"seed": one.seed})
