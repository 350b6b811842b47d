"""How long events take from the log to the store, counted for every one of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BOUNDS_S: npt.NDArray[np.float64] = np.round(0.0005 * 1.25 ** np.arange(84), 6)
"""Upper bounds of the classes, seconds: half a millisecond to 15 hours, each a quarter wider."""


class VisibilityHistogram:
    """Counts of events by the time between ingest and visibility."""

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros(len(BOUNDS_S) + 1, np.int64)
        self.sum_s = 0.0

    def add(self, ingest_us: npt.NDArray[np.int64], now_us: int) -> None:
        """Count events that have become visible now.

        Args:
            ingest_us: Shape `(n,)`: when each was taken in.
            now_us: Now, by the clock that stamped them.
        """
        if not len(ingest_us):
            return
        delays_s = np.maximum(now_us - ingest_us, 0) / 1e6
        places = np.searchsorted(BOUNDS_S, delays_s)
        self.counts += np.bincount(places, minlength=len(self.counts))
        self.sum_s += float(delays_s.sum())

    def compute_quantile_s(self, share: float) -> float:
        """Return the upper bound of the class that holds the quantile; NaN without events.

        >>> histogram = VisibilityHistogram()
        >>> histogram.add(np.array([0, 0, 0]), 4_000)
        >>> histogram.compute_quantile_s(0.99)
        0.004657
        """
        total = int(self.counts.sum())
        if not total:
            return float("nan")
        place = int(np.searchsorted(np.cumsum(self.counts), share * total))
        return float(BOUNDS_S[min(place, len(BOUNDS_S) - 1)])
