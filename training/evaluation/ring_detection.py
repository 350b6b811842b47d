"""How long a new ring goes unseen: days, cases and money until it raises alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.evaluation.resampling import BOUNDS, Estimate, Floats, Ints, Resampling

_US_PER_DAY = 86_400e6


@dataclass(frozen=True, slots=True)
class RingDetection:
    """One ring's way to its k-th alarm.

    Attributes:
        ring: Its number.
        n_cases: Abusive cases that it had in all.
        is_found: Whether it raised so many alarms.
        days: From its first abusive case to that alarm; infinite if it never did.
        n_before: Abusive cases before that alarm, the alarms among them not counted.
        lost_minor: Their value, minor units.
    """

    ring: int
    n_cases: int
    is_found: bool
    days: float
    n_before: int
    lost_minor: float


def detect_rings(
    ring: Ints, time_us: Ints, is_alarm: npt.NDArray[np.bool_], value_minor: Floats, *,
    n_alarms: int = 1,
) -> tuple[RingDetection, ...]:  # fmt: skip
    """Return how long each ring went unseen, by number of the ring.

    Args:
        ring: Ring of each abusive case; -1: none. Shape `(n,)`.
        time_us: When it was asked, shape `(n,)`.
        is_alarm: Whether it raised an alarm, shape `(n,)`.
        value_minor: What it was about, minor units, shape `(n,)`.
        n_alarms: Alarms after which the ring counts as found, from 1.

    Raises:
        ValueError: `n_alarms` is below 1.
    """
    if n_alarms < 1:
        raise ValueError("a ring is found by one alarm at least")
    found = []
    for number in np.unique(ring[ring >= 0]):
        places = np.flatnonzero(ring == number)
        places = places[np.argsort(time_us[places], kind="stable")]
        alarms = np.flatnonzero(is_alarm[places])
        is_found = len(alarms) >= n_alarms
        until = int(alarms[n_alarms - 1]) if is_found else len(places)
        missed = places[:until][~is_alarm[places[:until]]]
        days = float("inf")
        if is_found:
            days = float((time_us[places[until]] - time_us[places[0]]) / _US_PER_DAY)
        found.append(
            RingDetection(
                ring=int(number),
                n_cases=len(places),
                is_found=is_found,
                days=days,
                n_before=len(missed),
                lost_minor=float(value_minor[missed].sum()),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class RingSummary:
    """How rings fared together; bounds from drawing rings.

    Attributes:
        n: Rings.
        found_share: Share of them that were found.
        days: Median days from the first abusive case to the alarm; infinite if half of
            them were never found.
        n_before: Mean number of abusive cases before it.
        lost_minor: Mean value of these, minor units.
    """

    n: int
    found_share: Estimate
    days: Estimate
    n_before: Estimate
    lost_minor: Estimate


def summarize_rings(rings: Sequence[RingDetection], resampling: Resampling) -> RingSummary | None:
    """Return how rings fared together; None without rings."""
    if not rings:
        return None
    random = np.random.default_rng(resampling.seed)
    drawn = random.integers(0, len(rings), (resampling.n_resamples, len(rings)))
    columns = {
        name: np.array([float(getattr(one, name)) for one in rings])
        for name in ("is_found", "days", "n_before", "lost_minor")
    }

    def estimate(name: str, compute: Callable[[Floats], float]) -> Estimate:
        values = columns[name]
        draws = [compute(values[places]) for places in drawn]
        # A step of the draws: between a number and infinity there is nothing to average.
        low, high = (
            (float("nan"), float("nan"))
            if not draws
            else np.quantile(draws, BOUNDS, method="inverted_cdf")
        )
        return Estimate(compute(values), float(low), float(high))

    def median(values: npt.NDArray[np.float64]) -> float:
        return float(np.quantile(values, 0.5, method="inverted_cdf"))

    def mean(values: npt.NDArray[np.float64]) -> float:
        return float(values.mean())

    return RingSummary(
        n=len(rings),
        found_share=estimate("is_found", mean),
        days=estimate("days", median),
        n_before=estimate("n_before", mean),
        lost_minor=estimate("lost_minor", mean),
    )
