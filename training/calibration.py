"""From margins to probabilities, and from probabilities to a threshold for the hint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.model_bundle.manifest import Calibration
from features.model_bundle.trees import bend

Floats = npt.NDArray[np.float64]

_NEWTON_STEPS = 50
_FLAT_SLOPE = 1e-3
_MIN_GAP = 1e-5
_LEAST_SPREAD = 1e-12


def compute_probability(margin: Floats, calibration: Calibration) -> Floats:
    """Return calibrated probabilities in double precision."""
    line = calibration.slope * margin + calibration.intercept
    return 1.0 / (1.0 + np.exp(-bend(line, calibration.knot_at, calibration.knot_to)))


@dataclass(frozen=True, eq=False)
class LookErrors:
    """How a label errs, case by case; arrays of `n` entries.

    Attributes:
        missed: Chance that a positive case is labelled 0.
        blamed: Chance that a negative case is labelled 1.
    """

    missed: Floats
    blamed: Floats

    def select(self, is_wanted: npt.NDArray[np.bool_]) -> LookErrors:
        """Return those of some cases."""
        return LookErrors(self.missed[is_wanted], self.blamed[is_wanted])

    def find_seen(self, probability: Floats) -> Floats:
        """Return the probability that the label will be 1, given that of the case being so."""
        return self.blamed + (1.0 - self.missed - self.blamed) * probability


def fit_platt(
    margin: Floats, label: Floats, weight: Floats, errors: LookErrors | None = None
) -> Calibration:
    """Return the Platt scaling of margins: maximum weighted likelihood of two numbers.

    Labels that err are taken for what they are: the likelihood is that of the label, the
    probability that of the case.

    Targets are smoothed as in Platt (1999), so that few positives do not make it
    certain. Two numbers instead of an isotonic curve: monotone without ties, exact
    in the graph, and no worse calibrated on later cases (`docs/QUALITY.md`). A slope
    that is not positive (the margins rank no better than chance) gives the
    prevalence alone.

    Args:
        margin: Margins of trees that did not see the cases, shape `(n,)`.
        label: 0 or 1; or any unbiased stand-in for it, which may lie outside of [0, 1]: the
            equations solved are linear in it.
        weight: How many cases each stands for.
        errors: How the labels err; None: not at all.
    """
    share = weight / weight.mean()
    n_positive, n_negative = float((share * label).sum()), float((share * (1.0 - label)).sum())
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2)
    target = low + (high - low) * label
    design = np.column_stack([margin, np.ones_like(margin)])
    beta = np.array([1.0, 0.0])
    certain = LookErrors(np.zeros(len(margin)), np.zeros(len(margin)))
    looks = certain if errors is None else errors
    contrast = 1.0 - looks.missed - looks.blamed
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-(design @ beta)))
        seen = looks.find_seen(p)
        # Fisher scoring; with labels that do not err it is Newton's method.
        steepness = contrast * p * (1.0 - p)
        spread = np.maximum(seen * (1.0 - seen), _LEAST_SPREAD)
        gradient = design.T @ (share * (seen - target) * steepness / spread)
        hessian = (design * (share * steepness**2 / spread)[:, None]).T @ design
        # Margins that are all equal leave the slope undetermined.
        hessian += 1e-9 * np.trace(hessian) * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < 1e-10:
            break
    slope, intercept = float(beta[0]), float(beta[1])
    if not (np.isfinite(beta).all() and slope > 0.0):
        prevalence = float(np.average(target, weights=share))
        slope, intercept = _FLAT_SLOPE, float(np.log(prevalence / (1.0 - prevalence)))
    return Calibration(method="platt", slope=slope, intercept=intercept)


def choose_threshold(
    score: Floats, false_alarm_target: float, honesty: Floats | None = None
) -> float:
    """Return the least threshold at which few enough honest cases raise an alarm.

    The threshold lies midway between two scores that differ by more than rounding,
    so that no other way of adding the same leaves changes a hint.

    Args:
        score: Probabilities, below 1, from trees that did not see the cases, shape `(n,)`,
            `n > 0`.
        false_alarm_target: Greatest share of honest cases at or above it.
        honesty: Probability that each case is an honest customer's; None: all are.

    >>> choose_threshold(np.array([0.1, 0.9, 0.3, 0.2]), 0.25)
    0.6
    >>> choose_threshold(np.array([0.1, 0.9, 0.3, 0.2]), 0.3, np.array([1.0, 0.1, 1.0, 1.0]))
    0.6
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    honest = np.ones(len(score)) if honesty is None else honesty[order]
    gaps = np.flatnonzero(ranked[:-1] - ranked[1:] > _MIN_GAP)
    # A hair more than the target: sums of shares are rounded.
    allowed = gaps[np.cumsum(honest)[gaps] <= false_alarm_target * honest.sum() * (1.0 + 1e-12)]
    if len(allowed) == 0:
        return float((1.0 + ranked[0]) / 2)
    return float((ranked[allowed[-1]] + ranked[allowed[-1] + 1]) / 2)
