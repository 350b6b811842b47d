"""The table itself: what every row must satisfy, whatever it defines."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from features.definition import WINDOWS, Aggregation, FeatureDefinition, Window
from features.definitions import FEATURE_NAMES, FEATURES, N_FEATURES, SCHEMA_HASH
from features.log.schema import EVENT_KINDS
from features.record import (
    COUNTERS,
    DAILY_HOP_US,
    LIFETIME_COUNTERS,
    N_DAILY,
    N_WEEKLY,
    WEEKLY_HOP_US,
)

UNIT_SUFFIXES = {"minor": ("_minor",), "days": ("_days",), "hours": ("_hours", "_hour_of_day")}


def test_names_are_unique() -> None:
    assert len(set(FEATURE_NAMES)) == N_FEATURES == len(FEATURES)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_row_is_whole(feature: FeatureDefinition) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", feature.name)
    assert feature.description
    assert re.search(r"[\u4e00-\u9fff]", feature.description_zh)
    assert feature.owner
    assert feature.calls
    assert feature.default in {"0", "missing"}
    assert set(feature.events) <= set(EVENT_KINDS)
    if suffix := UNIT_SUFFIXES.get(feature.unit):
        assert feature.name.endswith(suffix)
    if feature.window is not None:
        assert feature.window.name in feature.name
    if feature.is_request:
        assert feature.name.startswith("request_")
        assert feature.window is None


@pytest.mark.parametrize(
    "feature",
    [feature for feature in FEATURES if feature.operands],
    ids=lambda feature: feature.name,
)
def test_a_windowed_feature_counts_what_the_record_keeps_that_long(
    feature: FeatureDefinition,
) -> None:
    assert feature.window is not None
    kept = COUNTERS if feature.window.length_us else LIFETIME_COUNTERS
    assert set(feature.operands) <= set(kept)
    n_operands = {Aggregation.SUM: 1, Aggregation.RATIO: 2}[feature.aggregation]
    assert len(feature.operands) == n_operands


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.name)
def test_a_ring_of_tiles_is_long_enough_for_its_windows(window: Window) -> None:
    size = {DAILY_HOP_US: N_DAILY, WEEKLY_HOP_US: N_WEEKLY}[window.hop_us]
    # The start is rounded down by up to a hop, and clocks run up to 5 minutes ahead.
    n_touched = -(-(window.length_us + 300_000_000) // window.hop_us) + 1
    assert n_touched <= size


def test_the_schema_hash_is_the_same_in_every_process() -> None:
    program = "from features.definitions import SCHEMA_HASH; print(SCHEMA_HASH)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == SCHEMA_HASH
