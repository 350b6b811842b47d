"""A calibration that bends: a strictly rising, piecewise linear curve from margin to log-odds.

Platt's line has one slope for all cases. Where some cases are certain whatever
happens (a room paid in advance that nobody refunds) and the rest is judged too
boldly, no line fits both. The knots stand at both ends of the cases and where equal
parts of the information (`p (1 - p)` of each case) meet; between them the curve is
linear in log-odds, outside it goes on with slope 1. Changes of its slope are held small,
so that few cases give nearly the line and many their own shape. It rises everywhere, so
it ranks exactly as the margins do: no ties, unlike an isotonic step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.model_bundle.trees import bend
from training.calibration import LookErrors

N_KNOTS = 8
MIN_SLOPE = 0.02
"""Least slope between knots: what keeps ranks where the shares seen do not rise."""
END_SHARE = 0.005
"""Share of the cases beyond the first knot, and beyond the last."""
LEAST_STRETCH = 0.05
"""Least distance of two knots, log-odds."""
SLOPE_CHANGE = 0.5
"""Standard deviation, beforehand, of the change of slope from one stretch to the next."""
MOVE = 2.0
"""The same of how far a knot moves from where the line put it, log-odds."""
_MAX_STEPS = 100
_MAX_MOVE = 2.0
_SETTLED = 1e-8
_LEAST_SPREAD = 1e-9

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
        found: Floats = 1.0 / (1.0 + np.exp(-bend(margin, self.margin, self.log_odds)))
        return found


def fit_curve(
    margin: Floats,
    label: Floats,
    weight: Floats,
    errors: LookErrors | None = None,
    *,
    effective_n: float | None = None,
    n_knots: int = N_KNOTS,
) -> CalibrationCurve:
    """Return the curve of greatest penalised likelihood, by Fisher scoring.

    Args:
        margin: Margins of trees that did not see the cases, shape `(n,)`, `n > 0`. A line
            made them log-odds, as far as a line can.
        label: 0 or 1; or any unbiased stand-in for it, which may lie outside of [0, 1]: the
            equations solved are linear in it.
        weight: How many cases each stands for, > 0.
        errors: How the labels err; None: not at all.
        effective_n: Cases that would tell as much; None: as the weights say (Kish 1965).
        n_knots: Knots, at least 2; fewer where margins are equal.
    """
    looks = LookErrors(np.zeros(len(margin)), np.zeros(len(margin))) if errors is None else errors
    at = _place_knots(margin, weight, n_knots)
    hats, outside = _spread_over_knots(margin, at)
    n = weight.sum() ** 2 / (weight**2).sum() if effective_n is None else effective_n
    share = weight / weight.sum() * n
    stiffness = _penalise_bends(at)
    contrast = 1.0 - looks.missed - looks.blamed
    to = at.copy()
    for _ in range(_MAX_STEPS):
        p = 1.0 / (1.0 + np.exp(-(hats @ to + outside)))
        seen = looks.find_seen(p)
        steepness = contrast * p * (1.0 - p)
        spread = np.maximum(seen * (1.0 - seen), _LEAST_SPREAD)
        gradient = hats.T @ (share * (seen - label) * steepness / spread)
        gradient += stiffness @ to + (to - at) / MOVE**2
        hessian = (hats * (share * steepness**2 / spread)[:, None]).T @ hats
        hessian += stiffness + np.eye(len(at)) / MOVE**2
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, _MAX_MOVE / max(float(np.abs(step).max()), 1e-300))
        to = to - step
        if np.abs(step).max() < _SETTLED:
            break
    for i in range(1, len(at)):
        to[i] = max(to[i], to[i - 1] + MIN_SLOPE * (at[i] - at[i - 1]))
    return CalibrationCurve(at, to)


def _place_knots(margin: Floats, weight: Floats, n_knots: int) -> Floats:
    """Return both ends of the cases and where equal parts of the information meet, rising."""
    order = np.argsort(margin, kind="stable")
    ranked, cases = margin[order], np.cumsum(weight[order])
    p = 1.0 / (1.0 + np.exp(-ranked))
    information = np.cumsum(weight[order] * p * (1.0 - p))
    first, last = _find_quantiles(ranked, cases, np.array([END_SHARE, 1.0 - END_SHARE]))
    inner = _find_quantiles(ranked, information, np.arange(1, n_knots - 1) / (n_knots - 1))
    at = [first]
    for place in np.clip(inner, first, last):
        if min(place - at[-1], last - place) >= LEAST_STRETCH:
            at.append(float(place))
    return np.array([*at, max(last, first + LEAST_STRETCH)])


def _find_quantiles(ranked: Floats, mass: Floats, shares: Floats) -> Floats:
    """Return the first values at which the summed mass reaches shares of all of it."""
    found: Floats = ranked[np.searchsorted(mass, shares * mass[-1] * (1.0 - 1e-12))]
    return found


def _spread_over_knots(margin: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Return each margin as shares of its two knots, shape `(n, k)`, and what lies outside."""
    inside = np.clip(margin, at[0], at[-1])
    left = np.clip(np.searchsorted(at, inside, side="right") - 1, 0, len(at) - 2)
    share = (inside - at[left]) / (at[left + 1] - at[left])
    hats, rows = np.zeros((len(margin), len(at))), np.arange(len(margin))
    hats[rows, left], hats[rows, left + 1] = 1.0 - share, share
    return hats, margin - inside


def _penalise_bends(at: Floats) -> Floats:
    """Return the matrix of the penalty on changes of slope, shape `(k, k)`."""
    slopes = np.diff(np.eye(len(at)), axis=0) / np.diff(at)[:, None]
    bends = np.diff(slopes, axis=0)
    return np.asarray(bends.T @ bends / SLOPE_CHANGE**2, np.float64)
