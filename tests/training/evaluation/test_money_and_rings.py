"""Money by a table made by hand; rings by their first alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.money import CostMatrix, compute_costs, compute_money
from training.evaluation.ring_detection import detect_rings

COSTS = CostMatrix(missed_share=0.9, caught_share=0.1, check_minor=500.0, insulted_minor=2_000.0)
_DAY = 86_400_000_000


def test_each_cell_of_the_matrix() -> None:
    is_alarm = np.array([True, True, False, False])
    label = np.array([1.0, 0.0, 1.0, 0.0])
    found = compute_costs(is_alarm, label, np.full(4, 10_000.0), COSTS)
    assert found.tolist() == [1_500.0, 2_500.0, 9_000.0, 0.0]
    double = COSTS.model_copy(update={"scale": 2.0})
    assert compute_costs(is_alarm, label, np.full(4, 10_000.0), double).tolist() == [
        3_000.0, 5_000.0, 18_000.0, 0.0,
    ]  # fmt: skip


def test_money_is_counted_against_approving_all_and_by_weight() -> None:
    label, value = np.array([1.0, 0.0]), np.array([10_000.0, 10_000.0])
    alarms, weight = np.array([True, True]), np.array([1.0, 3.0])
    # Saved 9,000 - 1,500 once, lost 2,500 three times, of four cases.
    assert compute_money(alarms, label, weight, value, COSTS) == pytest.approx(0.0)
    assert compute_money(np.array([True, False]), label, weight, value, COSTS) == 1_875_000.0
    assert compute_money(np.array([False, False]), label, weight, value, COSTS) == 0.0
    assert math.isnan(compute_money(alarms, label, np.zeros(2), value, COSTS))


def test_a_ring_is_found_by_its_kth_alarm() -> None:
    ring = np.array([1, 1, 1, 1, 4, -1])
    time_us = np.array([3 * _DAY, _DAY, 2 * _DAY, 5 * _DAY, _DAY, 0])
    is_alarm = np.array([True, False, False, True, False, True])
    value = np.array([30.0, 10.0, 20.0, 50.0, 7.0, 0.0])
    first, unseen = detect_rings(ring, time_us, is_alarm, value)
    assert (first.ring, first.days, first.n_before, first.lost_minor) == (1, 2.0, 2, 30.0)
    assert (unseen.is_found, unseen.days, unseen.lost_minor) == (False, math.inf, 7.0)
    second, _ = detect_rings(ring, time_us, is_alarm, value, n_alarms=2)
    assert (second.is_found, second.days, second.n_before) == (True, 4.0, 2)
    with pytest.raises(ValueError, match="one alarm"):
        detect_rings(ring, time_us, is_alarm, value, n_alarms=0)
