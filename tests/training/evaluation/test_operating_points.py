"""Thresholds hold their share of false alarms, and are judged on other cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.operating_points import (
    find_operating_points,
    find_threshold,
    judge_threshold,
)

cases = st.lists(
    st.tuples(st.integers(0, 8), st.booleans(), st.integers(1, 4)), min_size=1, max_size=30
).filter(lambda rows: any(not label for _, label, _ in rows))


@given(rows=cases, target=st.floats(0.0, 1.0))
def test_the_threshold_is_the_least_that_keeps_the_target(
    rows: list[tuple[int, bool, int]], target: float
) -> None:
    score = np.array([row[0] / 8.0 for row in rows])
    honest = np.array([float(row[2]) * (not row[1]) for row in rows])
    threshold = find_threshold(score, honest, target)
    limit = target * honest.sum() * (1.0 + 1e-12)
    assert honest[score >= threshold].sum() <= limit
    lower = score[score < threshold]
    if len(lower):  # One distinct score lower and it no longer holds.
        assert honest[score >= lower.max()].sum() > limit


@given(rows=cases)
def test_a_weight_counts_as_that_many_cases(rows: list[tuple[int, bool, int]]) -> None:
    score, label, weight = (np.array([float(row[place]) for row in rows]) for place in range(3))
    times = weight.astype(int)
    many = [np.repeat(array, times) for array in (score, label, np.ones(len(rows)))]
    one = judge_threshold(score, label, weight, weight * (1.0 - label), 4.0)
    other = judge_threshold(many[0], many[1], many[2], 1.0 - many[1], 4.0)
    for name in ("recall", "precision", "false_alarm_share"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)


def test_points_by_hand() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
    label = np.array([1.0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    ones = np.ones(10)
    strict, mild = find_operating_points(score, label, ones, 1.0 - label, (0.0, 1.0 / 7.0))
    assert (strict.recall, strict.false_alarm_share, strict.precision) == (2 / 3, 0.0, 1.0)
    assert (mild.recall, mild.false_alarm_share, mild.precision) == (1.0, 1 / 7, 0.75)
    assert strict.threshold == pytest.approx(0.75)


def test_nothing_to_divide_by_is_no_number_and_no_honest_case_is_refused() -> None:
    point = judge_threshold(np.array([0.1]), np.zeros(1), np.ones(1), np.zeros(1), 0.5)
    assert math.isnan(point.recall)
    assert math.isnan(point.precision)
    assert math.isnan(point.false_alarm_share)
    with pytest.raises(ValueError, match="honest"):
        find_threshold(np.array([0.1]), np.zeros(1), 0.5)
