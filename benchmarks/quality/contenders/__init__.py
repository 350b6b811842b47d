"""Who competes: each learns from the log up to the cut and scores the returns after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.quality.history import ReturnFacts
from training.facts import Flags
from training.growing import Part

FALSE_ALARM_TARGET = 0.005
"""Share of good customers' returns that a hint may flag."""
SEED = 7

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Task:
    """Returns of one shop: those before the cut to learn from, those after it to score.

    Attributes:
        train: Matured returns before the cut, with labels, weights and honesty as the log
            tells them at the cut. Never the truth.
        test_rows: Vectors of the returns after the cut.
        facts: What a shop's own system shows of all returns.
        is_train: Which of `facts` are the train part, in its order.
        is_test: Which are scored.
    """

    train: Part
    test_rows: Rows
    facts: ReturnFacts
    is_train: Flags
    is_test: Flags


@dataclass(frozen=True, eq=False)
class Scored:
    """What a contender says.

    Attributes:
        score: Of the returns after the cut; greater is more likely abuse.
        threshold: At or above it a return is verified; set before the cut, for all or for each.
        is_probability: The scores claim to be probabilities.
    """

    score: Floats
    threshold: float | Floats
    is_probability: bool


class Contender(Protocol):
    """One way to score returns."""

    name: str
    has_our_features: bool
    """It uses hemostat's features: an ablation, not a rival."""

    def run(self, task: Task) -> Scored:
        """Learn from the train part, return scores of the returns after the cut."""
        ...
