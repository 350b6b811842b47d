"""The table itself: what every row must satisfy, whatever it defines."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from features.definition import (
    DAY_US,
    HOUR_US,
    N_DAILY,
    N_HOURLY,
    N_WEEKLY,
    WEEK_US,
    WINDOWS,
    FeatureDefinition,
    Window,
)
from features.definitions import FEATURE_NAMES, FEATURES, N_FEATURES, SCHEMA_HASH
from features.log.schema import EVENT_KINDS
from features.plan import COLUMN_STARTS, N_FACTS, PLAN_SOURCES, SLICE_PLACES, find_slice

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


def test_every_column_shows_a_fact_of_its_own_entity() -> None:
    assert COLUMN_STARTS[-1] == N_FEATURES
    for column, feature in enumerate(FEATURES):
        number = find_slice(feature)
        assert COLUMN_STARTS[number] <= column < COLUMN_STARTS[number + 1]
        for call in feature.calls:
            place = PLAN_SOURCES[call, column]
            assert SLICE_PLACES[number] <= place < SLICE_PLACES[number + 1] <= N_FACTS


def test_no_two_columns_show_the_same_fact() -> None:
    shown = [(f.entity, f.fact, f.divisor) for f in FEATURES]
    assert len(set(shown)) == N_FEATURES


@pytest.mark.parametrize(
    "feature",
    [feature for feature in FEATURES if feature.operands],
    ids=lambda feature: feature.name,
)
def test_a_sum_has_one_operand_and_a_ratio_two(feature: FeatureDefinition) -> None:
    if feature.aggregation in {"sum", "ratio"}:
        assert feature.window is not None
        assert (len(feature.operands) == 1) == (feature.aggregation == "sum")
        assert (feature.divisor is None) == (feature.aggregation == "sum")


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.name)
def test_a_ring_of_tiles_is_long_enough_for_its_windows(window: Window) -> None:
    size = {HOUR_US: N_HOURLY, DAY_US: N_DAILY, WEEK_US: N_WEEKLY}[window.hop_us]
    # The start is rounded down by up to a hop, and clocks run up to 5 minutes ahead.
    n_touched = -(-(window.length_us + 300_000_000) // window.hop_us) + 1
    assert n_touched <= size


def test_the_schema_hash_is_the_same_in_every_process() -> None:
    program = "from features.definitions import SCHEMA_HASH; print(SCHEMA_HASH)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == SCHEMA_HASH
