"""Patience with a store that is away: how long, how often, and what people are told."""

from __future__ import annotations

import pytest

from features.errors import StoreUnavailableError
from stream.waiting import Patience

_AWAY = StoreUnavailableError("nobody answers")


class _World:
    """Time that passes only while somebody pauses."""

    def __init__(self, wait_s: float | None) -> None:
        self.now_s = 100.0
        self.pauses: list[float] = []
        self.told: list[str] = []
        self.patience = Patience(wait_s, lambda: self.now_s, self._pause, self.told.append)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now_s += seconds


def test_pauses_double_up_to_five_seconds() -> None:
    world = _World(None)
    for _ in range(8):
        world.patience.wait(_AWAY, 0.0)
    assert world.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_the_error_comes_out_once_it_was_waited_for_long_enough() -> None:
    world = _World(3.0)
    while world.now_s < 103.0:
        world.patience.wait(_AWAY, 0.0)
    with pytest.raises(StoreUnavailableError, match="nobody answers"):
        world.patience.wait(_AWAY, 0.0)
    assert world.pauses == [0.1, 0.2, 0.4, 0.8, 1.6]


def test_no_patience_at_all_raises_at_once() -> None:
    world = _World(0.0)
    with pytest.raises(StoreUnavailableError):
        world.patience.wait(_AWAY, 0.0)
    assert world.pauses == []


def test_progress_in_between_begins_the_wait_anew() -> None:
    world = _World(1.0)
    for _ in range(3):
        world.patience.wait(_AWAY, 0.0)
    world.now_s += 10.0
    world.patience.wait(_AWAY, world.now_s - 1.0)  # A commit a second ago.
    assert world.pauses == [0.1, 0.2, 0.4, 0.1]


def test_people_are_told_at_first_then_twice_a_minute_and_when_it_is_back() -> None:
    world = _World(None)
    while world.now_s < 165.0:
        world.patience.wait(_AWAY, 0.0)
    assert len(world.told) == 3
    assert all("until it is back" in line and "nobody answers" in line for line in world.told)
    world.patience.note_success()
    world.patience.note_success()
    assert world.told[3:] == ["it is back; the stream goes on where the store stands"]
