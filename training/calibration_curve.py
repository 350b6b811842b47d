"""A calibration that bends: a strictly rising, piecewise linear curve from margin to log-odds.

Platt's line has one slope for all cases. Where some cases are certain whatever
happens (a room paid in advance that nobody refunds) and the rest is judged too
boldly, no line fits both. The knots stand at equal shares of the cases; between
them the curve is linear in log-odds, outside it goes on with slope 1. It rises
everywhere, so it ranks exactly as the margins do: no ties, unlike an isotonic step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

N_KNOTS = 8
MIN_SLOPE = 0.02
"""Least slope between knots: what keeps ranks where the shares seen do not rise."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """From margins to log-odds.

    Attributes:
        margin: Places of the knots, strictly rising, shape `(k,)`.
        log_odds: Their values, strictly rising, shape `(k,)`.
    """

    margin: Floats
    log_odds: Floats

    def compute_probability(self, margin: Floats) -> Floats:
        """Return probabilities of margins, shape `(n,)`."""
        inside = np.interp(margin, self.margin, self.log_odds)
        below = np.minimum(margin - self.margin[0], 0.0)
        above = np.maximum(margin - self.margin[-1], 0.0)
        found: Floats = 1.0 / (1.0 + np.exp(-(inside + below + above)))
        return found


def fit_curve(
    margin: Floats, label: Floats, weight: Floats, n_knots: int = N_KNOTS
) -> CalibrationCurve:
    """Return the curve through the shares of positives of equal parts of the cases.

    Shares are smoothed by half a positive and half a negative, and made to rise by
    isotonic regression.

    Args:
        margin: Margins of trees that did not see the cases, shape `(n,)`, `n > 0`.
        label: 0 or 1.
        weight: How many cases each stands for, > 0.
        n_knots: Parts; fewer where margins are equal.
    """
    order = np.argsort(margin, kind="stable")
    margin, label, weight = margin[order], label[order], weight[order]
    reached = np.cumsum(weight) / weight.sum()
    part = np.minimum((reached * n_knots).astype(np.int64), n_knots - 1)
    # Equal margins belong to one part.
    first = np.searchsorted(margin, margin, side="left")
    part = np.unique(part[first], return_inverse=True)[1]
    total = np.bincount(part, weight)
    place = np.bincount(part, weight * margin) / total
    share = (np.bincount(part, weight * label) + 0.5) / (total + 1.0)
    rising = IsotonicRegression().fit(place, share, sample_weight=total).predict(place)
    log_odds = np.log(rising / (1.0 - rising))
    for i in range(1, len(place)):
        least = log_odds[i - 1] + MIN_SLOPE * (place[i] - place[i - 1])
        log_odds[i] = max(log_odds[i], least)
    return CalibrationCurve(place, log_odds)
