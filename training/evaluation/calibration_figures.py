"""Do probabilities mean what they say: error by bins, slope, the top of the list, skill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.evaluation.ranking import ScoredCases, compute_prevalence
from training.evaluation.resampling import Floats

N_CALIBRATION_BINS: Final = 15
"""Bins of equal weight in which prediction and outcome are compared."""

TOP_SHARE: Final = 0.01
_MAX_STEPS: Final = 60
_STEEPEST: Final = 1e3
"""A slope beyond this means that predictions divide the classes."""
_SMALLEST_STEP: Final = 1e-10
_LEAST_PROBABILITY: Final = 1e-9


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Predicted against observed per bin; arrays of shape `(n_bins,)`, ascending."""

    predicted: Floats
    observed: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """Logit of the outcome over logit of the prediction (Cox 1958); 0 and 1 are perfect.

    Attributes:
        intercept: At a prediction of one half; negative: predictions are too high.
        slope: Below 1: predictions are too extreme; NaN if it cannot be fitted.
    """

    intercept: float
    slope: float


def compute_brier(cases: ScoredCases) -> float:
    """Return the weighted mean squared error of the probability."""
    return float(np.average((cases.score - cases.label) ** 2, weights=cases.weight))


def compute_brier_skill(cases: ScoredCases) -> float:
    """Return the share by which the error is below that of the cases' own prevalence.

    0: no better than that constant; 1: perfect; NaN: all cases end alike.
    """
    prevalence = compute_prevalence(cases)
    reference = prevalence * (1.0 - prevalence)
    return 1.0 - compute_brier(cases) / reference if reference > 0.0 else float("nan")


def compute_reliability(cases: ScoredCases, n_bins: int = N_CALIBRATION_BINS) -> ReliabilityBins:
    """Return mean prediction and observed share in bins of equal weight by prediction."""
    order = np.argsort(cases.score, kind="stable")
    weight, score, label = (a[order] for a in (cases.weight, cases.score, cases.label))
    place = np.cumsum(weight) - 0.5 * weight
    bins = np.minimum((place / weight.sum() * n_bins).astype(np.int64), n_bins - 1)
    total = np.bincount(bins, weight, n_bins)
    is_used = total > 0.0
    total = total[is_used]
    predicted = np.bincount(bins, weight * score, n_bins)[is_used] / total
    observed = np.bincount(bins, weight * label, n_bins)[is_used] / total
    return ReliabilityBins(predicted, observed, total.astype(np.float64))


def compute_calibration_error(cases: ScoredCases) -> float:
    """Return the expected calibration error: the bins' mean |predicted - observed|."""
    bins = compute_reliability(cases)
    return float(np.average(np.abs(bins.predicted - bins.observed), weights=bins.weight))


def compute_error_floor(cases: ScoredCases, n_bins: int = N_CALIBRATION_BINS) -> float:
    """Return about the calibration error that perfect probabilities show on these cases.

    Outcomes are coins: a bin's observed share scatters around its mean prediction with
    variance `sum w^2 p (1 - p) / (sum w)^2`; the mean absolute deviation of a normal
    number is `sqrt(2 / pi)` of its standard deviation. Predictions are taken to be true.
    """
    order = np.argsort(cases.score, kind="stable")
    weight = cases.weight[order]
    score = np.clip(cases.score[order], 0.0, 1.0)
    place = np.cumsum(weight) - 0.5 * weight
    bins = np.minimum((place / weight.sum() * n_bins).astype(np.int64), n_bins - 1)
    total = np.bincount(bins, weight, n_bins)
    variance = np.bincount(bins, weight**2 * score * (1.0 - score), n_bins)
    spread = np.sqrt(variance) / np.maximum(total, 1e-300)
    return math.sqrt(2.0 / math.pi) * float(np.average(spread, weights=total))


def fit_calibration_line(cases: ScoredCases) -> CalibrationLine:
    """Return intercept and slope of the outcome's logit over the prediction's.

    By Newton's method on the weighted likelihood, from a slope of 0, steps halved until the
    likelihood rises. NaN where it has no maximum: one class only, equal predictions, or
    predictions that divide the classes.
    """
    p = np.clip(cases.score, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
    x = np.log(p) - np.log1p(-p)
    nothing = CalibrationLine(float("nan"), float("nan"))
    prevalence = compute_prevalence(cases)
    if not 0.0 < prevalence < 1.0 or not np.ptp(x) > 0.0:
        return nothing
    beta = np.array([math.log(prevalence / (1.0 - prevalence)), 0.0])
    likelihood = _compute_likelihood(cases, x, beta)
    for _ in range(_MAX_STEPS):
        step = _find_newton_step(cases, x, beta)
        while np.abs(step).max() > _SMALLEST_STEP:
            risen = _compute_likelihood(cases, x, beta + step)
            if risen >= likelihood:
                break
            step = step / 2.0
        else:
            return CalibrationLine(float(beta[0]), float(beta[1]))
        beta, likelihood = beta + step, risen
        if not abs(beta[1]) < _STEEPEST:
            return nothing
    return nothing


def _compute_likelihood(cases: ScoredCases, x: Floats, beta: Floats) -> float:
    margin = beta[0] + beta[1] * x
    return float((cases.weight * (cases.label * margin - np.logaddexp(0.0, margin))).sum())


def _find_newton_step(cases: ScoredCases, x: Floats, beta: Floats) -> Floats:
    """Return the step; zeros where the likelihood is flat."""
    margin = np.clip(beta[0] + beta[1] * x, -500.0, 500.0)
    fitted = 1.0 / (1.0 + np.exp(-margin))
    residual = cases.weight * (cases.label - fitted)
    curvature = cases.weight * fitted * (1.0 - fitted)
    middle = np.average(x, weights=np.maximum(curvature, 1e-300))
    spread = float((curvature * (x - middle) ** 2).sum())
    total = float(curvature.sum())
    if not (spread > 0.0 and total > 0.0):
        return np.zeros(2)
    slope = float((residual * (x - middle)).sum()) / spread
    return np.array([float(residual.sum()) / total - slope * middle, slope])


def compute_observed_to_expected(cases: ScoredCases, share: float = TOP_SHARE) -> float:
    """Return outcomes over predictions in the cases with the highest predictions.

    Above 1: the riskiest cases are riskier than said. Cases of equal prediction at the
    edge count in the part that makes up the share. NaN: nothing is expected there.

    Args:
        cases: With probabilities as scores.
        share: Of the whole weight.
    """
    order = np.argsort(-cases.score, kind="stable")
    score, weight, label = cases.score[order], cases.weight[order], cases.label[order]
    limit = share * float(weight.sum())
    # Equal predictions are one block: their order must not matter.
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    total = np.cumsum(weight)[ends]
    part = np.clip(
        (limit - np.concatenate([[0.0], total[:-1]])) / np.diff(total, prepend=0.0), 0.0, 1.0
    )
    observed = np.diff(np.cumsum(weight * label)[ends], prepend=0.0)
    expected = np.diff(np.cumsum(weight * score)[ends], prepend=0.0)
    below = float((part * expected).sum())
    return float((part * observed).sum()) / below if below > 0.0 else float("nan")
