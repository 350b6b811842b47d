"""The population stability index: how far a spread has moved, and how far chance alone moves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

State = Literal["stable", "moved", "drifted", "too few"]


@dataclass(frozen=True, slots=True)
class StabilityBars:
    """From where on a spread counts as changed: the customary 0.1 and 0.25 of credit scoring."""

    moved: float = 0.1
    drifted: float = 0.25


@dataclass(frozen=True, slots=True)
class Stability:
    """How far one quantity has moved.

    Attributes:
        name: Of the column, or of the head whose score it is.
        psi: Population stability index; 0: not at all.
        noise: What chance alone reaches in one of 20 looks at all quantities together.
        missing_before: Share of missing values at training.
        missing_now: Share now.
        state: `stable` below the first bar, `moved` from it on, `drifted` from the second
            on; `too few`: beyond a bar, but no further than chance reaches.
    """

    name: str
    psi: float
    noise: float
    missing_before: float
    missing_now: float
    state: State


def compute_stabilities(
    names: Sequence[str],
    before: npt.NDArray[np.int64],
    now: npt.NDArray[np.int64],
    customers: tuple[int, int],
    bars: StabilityBars,
) -> list[Stability]:
    """Return how far each of `k` quantities has moved.

    Args:
        names: Of the quantities.
        before: Cases per bin at training, shape `(k, B)`, the missing ones last.
        now: The same, now.
        customers: Distinct customers before and now. They count for the noise, not the
            cases: one customer's cases are alike. That errs towards `too few`.
        bars: Where `moved` and `drifted` begin.
    """
    psi = compute_psi(before, now)
    n_used = ((before + now) > 0).sum(axis=1)
    found = []
    for place, name in enumerate(names):
        noise = compute_noise(int(n_used[place]), customers, len(names))
        value = float(psi[place])
        found.append(
            Stability(
                name=name,
                psi=value,
                noise=noise,
                missing_before=_compute_missing(before[place]),
                missing_now=_compute_missing(now[place]),
                state=_judge(value, noise, bars),
            )
        )
    return found


def compute_psi(
    before: npt.NDArray[np.int64], now: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the population stability index of each row, shape `(k,)`.

    Sum over bins of (q - p) * ln(q / p), with half a case added to every bin that either
    spread uses: an empty bin must not make it infinite. NaN: no cases at all.

    >>> compute_psi(np.array([[50, 50]]), np.array([[50, 50]]))
    array([0.])
    >>> compute_psi(np.array([[500, 500]]), np.array([[700, 300]])).round(2)
    array([0.17])
    """
    is_used = (before + now) > 0
    shares = []
    for counts in (before, now):
        smooth = np.where(is_used, counts + 0.5, 0.0)
        total = smooth.sum(axis=1, keepdims=True)
        shares.append(np.divide(smooth, total, out=np.zeros_like(smooth), where=total > 0))
    p, q = (np.where(is_used, share, 1.0) for share in shares)
    psi: npt.NDArray[np.float64] = ((q - p) * np.log(q / p)).sum(axis=1)
    psi[(before.sum(axis=1) == 0) | (now.sum(axis=1) == 0)] = np.nan
    return psi


def compute_noise(n_bins: int, customers: tuple[int, int], n_looks: int) -> float:
    """Return what the index of an unchanged spread exceeds with a chance of 5 % / `n_looks`.

    Unchanged, the index is about (1 / n + 1 / m) times a chi-square of `n_bins - 1`
    degrees (Yurdakul and Naranjo 2020, Statistical properties of the population stability
    index). Its quantile is that of Wilson and Hilferty (1931).

    >>> round(compute_noise(20, (10_000, 1_000), 1), 4)
    0.0331
    """
    degrees = n_bins - 1
    if degrees < 1:
        return 0.0
    if min(customers) < 1:
        return math.inf
    z = NormalDist().inv_cdf(1.0 - 0.05 / max(n_looks, 1))
    spread = 2.0 / (9.0 * degrees)
    quantile: float = degrees * (1.0 - spread + z * math.sqrt(spread)) ** 3
    return quantile * (1.0 / customers[0] + 1.0 / customers[1])


def _compute_missing(counts: npt.NDArray[np.int64]) -> float:
    return float(counts[-1] / max(int(counts.sum()), 1))


def _judge(psi: float, noise: float, bars: StabilityBars) -> State:
    if math.isnan(psi):
        return "too few"
    if psi < bars.moved:
        return "stable"
    if psi <= noise:
        return "too few"
    return "drifted" if psi >= bars.drifted else "moved"
