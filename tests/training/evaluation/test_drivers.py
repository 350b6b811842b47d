"""What moves scores: steps along paths add up to the scores, and planted causes come first."""

from __future__ import annotations

import numpy as np
import pytest

from features.model_bundle.trees import TreeArrays
from training.evaluation.drivers import _compute_contributions, find_drivers

# One tree: column 0 below 1 -> leaf -1; else column 2 (missing left) below 5 -> leaf 0, else 3.
TREES = TreeArrays(
    tree_start=np.array([0, 5], np.int32),
    feature=np.array([0, -1, 2, -1, -1], np.int32),
    threshold=np.array([1.0, 0.0, 5.0, 0.0, 0.0], np.float32),
    left=np.array([1, -1, 3, -1, -1], np.int32),
    right=np.array([2, -1, 4, -1, -1], np.int32),
    is_default_left=np.array([0, 0, 1, 0, 0], np.uint8),
    value=np.array([0.0, -1.0, 0.0, 0.0, 3.0], np.float32),
    base=np.array([0.5], np.float32),
    baseline=np.zeros(3, np.float32),
)
ROWS = np.array([[0, 9, 9], [2, 9, 9], [2, 9, np.nan], [0, 9, 1]], np.float32)


def test_contributions_add_up_to_the_score_less_the_mean() -> None:
    found = _compute_contributions(TREES, ROWS)
    leaf = np.array([-1.0, 3.0, 0.0, -1.0])
    assert found.sum(axis=1) == pytest.approx(leaf - leaf.mean())
    # The split of column 0 parts means -1 and 1.5 from 0.25, that of column 2 parts 3 and 0.
    assert found[1].tolist() == pytest.approx([1.25, 0.0, 1.5])


def test_drivers_come_strongest_first_with_their_direction() -> None:
    found = find_drivers(TREES, ROWS, ["a", "b", "c"])
    assert [(one.feature, round(one.strength, 3)) for one in found] == [("a", 1.25), ("c", 0.75)]
    assert all(one.direction > 0.0 for one in found)
    assert find_drivers(TREES, ROWS[:0], ["a", "b", "c"]) == ()
    assert len(find_drivers(TREES, ROWS, ["a", "b", "c"], n_best=1)) == 1


def test_many_rows_are_sampled_and_say_the_same() -> None:
    many = np.tile(ROWS, (3_000, 1))
    few, all_rows = find_drivers(TREES, ROWS, list("abc")), find_drivers(TREES, many, list("abc"))
    assert [one.feature for one in few] == [one.feature for one in all_rows]
    assert all_rows[0].strength == pytest.approx(few[0].strength, rel=0.1)
