"""Resamples draw whole clusters inside whole worlds, the same for every figure."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.resampling import Draws, Floats, Ints, Resampling


def test_clusters_stay_whole_and_worlds_are_drawn_first() -> None:
    cluster = np.array([7, 7, 3, 3, 3, 9, 8])
    world = np.array([0, 0, 0, 0, 0, 5, 5])
    seen = set()
    for weight in Draws(cluster, Resampling(200), world).iterate(np.ones(7)):
        for name in (7, 3):
            assert len(set(weight[cluster == name])) == 1
        n_first, n_second = weight[0] + weight[2], weight[5] + weight[6]
        assert n_first + n_second == 4.0  # Two worlds of two clusters, each as often as drawn.
        seen.add((n_first, n_second))
    assert seen == {(0.0, 4.0), (2.0, 2.0), (4.0, 0.0)}


def test_equal_seeds_draw_alike_whatever_is_computed() -> None:
    cluster = np.arange(20) // 2
    one, again = (list(Draws(cluster, Resampling(5, 3)).iterate(np.ones(20))) for _ in range(2))
    other = list(Draws(cluster, Resampling(5, 4)).iterate(np.ones(20)))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_cluster_in_two_worlds_is_refused() -> None:
    with pytest.raises(ValueError, match="two worlds"):
        Draws(np.array([1, 1]), Resampling(), np.array([0, 1]))


def _draw_clustered(random: np.random.Generator) -> tuple[Floats, Ints]:
    cluster = np.repeat(np.arange(60), random.integers(1, 8, 60))
    return random.normal(size=60)[cluster] + 0.3 * random.normal(size=len(cluster)), cluster


def test_bounds_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    n_covered = 0
    for _ in range(200):
        value, cluster = _draw_clustered(random)
        draws = Draws(cluster, Resampling(150))

        def compute_mean(weight: Floats, value: Floats = value) -> float:
            return float(np.average(value, weights=weight))

        found = draws.estimate(np.ones(len(value)), compute_mean)
        n_covered += found.low <= 0.0 <= found.high
    # 95 % of 200; small clusters of uneven size cost some.
    assert 178 <= n_covered <= 199
