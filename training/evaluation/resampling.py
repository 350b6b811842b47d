"""Which cases a resample holds: whole customers (or rings), inside whole worlds.

Cases of one customer are not independent, and neither are the accounts of one
ring: clusters are drawn, never cases. Where figures of several worlds are
averaged, worlds are drawn first and clusters inside them, so that a bound also
says how much worlds differ. All figures of one evaluation take the same draws:
their differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BOUNDS = (0.025, 0.975)
"""Quantiles of the draws between which an estimate's 95 % interval lies."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % bounds; NaN where there is nothing to compute it from."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often, and from which seed.

    Attributes:
        n_resamples: Draws; 200 are enough to look at, 1,000 to publish.
        seed: Equal seeds and clusters give equal draws.
    """

    n_resamples: int = 200
    seed: int = 7


class Draws:
    """The same resamples for every figure of an evaluation.

    Args:
        cluster: Number of the customer or ring of each case, from 0, shape `(n,)`.
        resampling: How often, and from which seed.
        world: Number of each case's world, from 0, shape `(n,)`; None: one world, which
            is not drawn. A cluster belongs to one world.

    Raises:
        ValueError: Shapes differ, or a cluster lies in two worlds.
    """

    def __init__(self, cluster: Ints, resampling: Resampling, world: Ints | None = None) -> None:
        names, self._cluster = np.unique(cluster, return_inverse=True)
        self._resampling = resampling
        worlds = np.zeros(len(cluster), np.int64) if world is None else world
        if len(worlds) != len(cluster):
            raise ValueError("one world for each case")
        self._world_of = np.zeros(len(names), np.int64)
        self._world_of[self._cluster] = np.unique(worlds, return_inverse=True)[1]
        if not np.array_equal(
            self._world_of[self._cluster], np.unique(worlds, return_inverse=True)[1]
        ):
            raise ValueError("a cluster lies in two worlds")

    def iterate(self, weight: Floats) -> Iterator[Floats]:
        """Yield each resample's weights of the cases, shape `(n,)`.

        Args:
            weight: How many cases each stands for, shape `(n,)`.
        """
        random = np.random.default_rng(self._resampling.seed)
        members = [np.flatnonzero(self._world_of == w) for w in range(self._world_of.max() + 1)]
        n_worlds = len(members)
        times = np.zeros(len(self._world_of))
        for _ in range(self._resampling.n_resamples):
            world_times = random.multinomial(n_worlds, np.full(n_worlds, 1.0 / n_worlds))
            for inside, n_times in zip(members, world_times, strict=True):
                # A world drawn twice gives twice as many clusters, drawn independently.
                n = len(inside)
                times[inside] = random.multinomial(n * n_times, np.full(n, 1.0 / n))
            yield weight * times[self._cluster]

    def estimate(self, weight: Floats, compute: Callable[[Floats], float]) -> Estimate:
        """Return a figure of weights, and its bounds over the resamples.

        Args:
            weight: How many cases each stands for, shape `(n,)`.
            compute: The figure; NaN where a resample has nothing to compute it from: such
                resamples are left out.
        """
        found = np.array([compute(resampled) for resampled in self.iterate(weight)])
        return to_estimate(compute(weight), found)


def to_estimate(value: float, draws: Floats) -> Estimate:
    """Return a figure with the quantiles of its draws as bounds; NaN draws are left out."""
    known = draws[~np.isnan(draws)]
    if len(known) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, BOUNDS)
    return Estimate(value, float(low), float(high))
