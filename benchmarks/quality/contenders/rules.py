"""Rules that a loss-prevention team writes by hand on what its own system shows."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.contenders import FALSE_ALARM_TARGET, Floats, Scored, Task
from benchmarks.quality.history import ReturnFacts
from training.calibration import choose_threshold

_MINOR = 100.0


class Rules:
    """Points for what looks wrong; ties are broken by value."""

    name = "hand-written rules"
    has_our_features = False

    def run(self, task: Task) -> Scored:
        """Count the points; the threshold on train cases by honesty."""
        # Below 1, as thresholds are set for probabilities.
        score = count_points(task.facts) / 20.0
        threshold = choose_threshold(score[task.is_train], FALSE_ALARM_TARGET, task.train.honesty)
        return Scored(score[task.is_test], threshold, False)


def count_points(facts: ReturnFacts) -> Floats:
    """Return the points of each return, 0 to 17; fractions only break ties."""
    rate = facts.n_returns / np.maximum(facts.n_orders, 1)
    value = facts.value_minor / _MINOR
    is_claim = facts.reason == "REASON_CODE_NOT_DELIVERED"
    points = (
        4.0 * np.minimum(facts.n_confirmed, 2)
        + 2.0 * (facts.n_returns_90d >= 3)
        + 1.0 * (facts.n_returns_90d >= 6)
        + 2.0 * ((rate > 0.5) & (facts.n_orders >= 4))
        + 2.0 * ((~facts.has_receipt) & (value > 200.0))
        + 1.0 * ((~facts.has_receipt) & facts.is_gift_card)
        + 1.0 * (np.nan_to_num(facts.held_days) > 25.0)
        + 1.0 * is_claim
    )
    return np.asarray(points + np.minimum(value / 1e5, 0.99), np.float64)
