"""Clocks: wall time, the end of the log, a replay that cannot know the future."""

from __future__ import annotations

import pytest

from features.errors import ConfigError
from scoring.clock import make_clock, make_replay_clock

APPLIED_US = 1_317_340_800_000_000  # 2011-09-30T00:00:00Z


def test_a_replay_clock_starts_where_it_is_told_and_runs_on() -> None:
    wall_us = [5_000_000]
    clock = make_replay_clock(APPLIED_US, lambda: wall_us[0])
    assert clock.read_us() == APPLIED_US
    wall_us[0] += 250_000
    assert clock.read_us() == APPLIED_US + 250_000
    assert clock.is_replay


def test_log_end_starts_where_the_stream_stopped() -> None:
    clock = make_clock("log-end", APPLIED_US)
    assert 0 <= clock.read_us() - APPLIED_US < 60_000_000
    assert clock.is_replay


def test_the_wall_clock_is_no_replay() -> None:
    assert not make_clock("wall", APPLIED_US).is_replay


@pytest.mark.parametrize("text", ["2011-09-30T00:00:00Z", "2011-09-30T08:00:00+08:00"])
def test_a_replay_may_start_at_the_last_applied_event(text: str) -> None:
    assert make_clock(f"replay:{text}", APPLIED_US).read_us() >= APPLIED_US


@pytest.mark.parametrize(
    ("setting", "applied_us", "told"),
    [
        ("replay:2011-09-29T23:59:59Z", APPLIED_US, "2011-09-30T00:00:00Z"),
        ("replay:2011-09-30T00:00:00", 0, "RFC 3339"),
        ("replay:yesterday", 0, "RFC 3339"),
        ("yesterday", 0, "wall"),
        ("log-end", 0, "hemostat stream"),
    ],
)
def test_a_wrong_clock_is_refused_with_what_would_be_right(
    setting: str, applied_us: int, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_clock(setting, applied_us)
    assert told in caught.value.expectation
