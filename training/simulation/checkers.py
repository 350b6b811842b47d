"""Who looks at a case, and how well: a dozen people, each with errors of their own."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

from training.simulation.randomness import KeyedRandom

_CHECKERS: Final = 12
"""People who check."""
_MISSES_SPREAD: Final = 0.5
"""How they differ in what they overlook."""
_BLAMES_SPREAD: Final = 0.8
"""How they differ in whom they call abusers without cause."""


class Checker(NamedTuple):
    """One who checks.

    Attributes:
        misses: Abuse overlooked, as a multiple of what all overlook together.
        blames: Honest cases called abuse, as a multiple of the same.
    """

    misses: float
    blames: float


def choose_checker(draws: KeyedRandom) -> Checker:
    """Return who checks a case; nobody chooses whom, and all share the work evenly.

    Args:
        draws: The check's draws.

    >>> choose_checker(KeyedRandom(7, "c1/check")) in list_checkers(7)
    True
    """
    return list_checkers(draws.seed)[draws.integer("checker", _CHECKERS)]


@lru_cache(maxsize=16)
def list_checkers(seed: int) -> tuple[Checker, ...]:
    """Return all who check in the world of that seed; the mean of each multiple is 1."""
    people = [KeyedRandom(seed, f"checker{number}") for number in range(_CHECKERS)]
    misses = _scale([one.lognormal("misses", 1.0, _MISSES_SPREAD) for one in people])
    blames = _scale([one.lognormal("blames", 1.0, _BLAMES_SPREAD) for one in people])
    return tuple(map(Checker, misses, blames))


def _scale(values: list[float]) -> list[float]:
    mean = math.fsum(values) / len(values)
    return [value / mean for value in values]
