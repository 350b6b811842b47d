"""Which calibration a head gets: candidates judged by cases they were not fitted on.

The telling cases of a head (`training.calibrating`) are divided into folds of customers;
each candidate is fitted on the other folds and judged on the one left out, by the log loss.

- `platt`: a line in log-odds.
- `curve`: the same with a bend.
- `isotonic`: steps of equal shares; ties, so it cannot be served without losing ranks.
- `venn_abers`: inductive Venn-Abers (`training.venn_abers`), for labels that do not err.

Served is the curve if its loss is below Platt's, else Platt: both rise strictly, so neither
changes a rank, and the penalty on bends makes the curve nearly the line where cases are few.
The other two stand beside them to show what shape alone could still gain.

Labels that err, or that stand for several cases, are judged through an unbiased stand-in for
the truth: log loss and Brier score are linear in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression

from features.model_bundle.manifest import Calibration, CalibrationStanding, Interval
from training.calibrating import MIN_CURVE_POSITIVES, TellingCases, calibrate
from training.calibration import compute_probability
from training.evaluation.calibration_figures import compute_calibration_error
from training.evaluation.ranking import ScoredCases
from training.facts import Flags
from training.growing import Floats
from training.venn_abers import VennAbers

N_FOLDS = 4
MAX_CASES = 40_000
"""Of more cases, customers are drawn: the contest shall not take longer than the trees."""
_SURE = 1.959964

Predict = Callable[[Floats], Floats]
Fit = Callable[[TellingCases], Predict]


@dataclass(frozen=True, eq=False)
class Contest:
    """What came of a contest.

    Attributes:
        standings: The candidates, the least log loss first; empty: too few cases.
        winner: The calibration to serve, fitted on all telling cases.
    """

    standings: tuple[CalibrationStanding, ...]
    winner: Calibration


def hold_contest(cases: TellingCases, n_knots: int, seed: int) -> Contest:
    """Return the calibration to serve, and how the candidates did.

    Args:
        cases: The telling cases of a head.
        n_knots: Knots of the curve; 0: no curve stands for choice.
        seed: Seed of the folds.
    """
    if cases.n_positive < MIN_CURVE_POSITIVES:
        return Contest((), calibrate(cases, 0))
    drawn = _draw_customers(cases, seed)
    truth = find_truth(drawn)
    scores = _cross_fit(drawn, truth, _find_candidates(drawn, n_knots), seed)
    standings = [_judge(method, scores, drawn, truth) for method in scores]
    loss = {one.method: one.log_loss for one in standings}
    wins = loss.get("curve", np.inf) < loss["platt"]
    return Contest(
        tuple(sorted(standings, key=lambda one: one.log_loss)),
        calibrate(cases, n_knots if wins else 0),
    )


def find_truth(cases: TellingCases) -> Floats:
    """Return an unbiased stand-in for what each case is, shape `(n,)`; may leave [0, 1]."""
    if cases.errors is None:
        return cases.target
    contrast = 1.0 - cases.errors.missed - cases.errors.blamed
    found: Floats = (cases.target - cases.errors.blamed) / contrast
    return found


def _find_candidates(cases: TellingCases, n_knots: int) -> Mapping[str, Fit]:
    found: dict[str, Fit] = {"platt": lambda part: _fit_served(part, 0)}
    if n_knots:
        found["curve"] = lambda part: _fit_served(part, n_knots)
    found["isotonic"] = _fit_isotonic
    if cases.errors is None and bool(np.isin(cases.target, (0.0, 1.0)).all()):
        found["venn_abers"] = _fit_venn_abers
    return found


def _fit_served(part: TellingCases, n_knots: int) -> Predict:
    fitted = calibrate(part, n_knots)
    return lambda margin: compute_probability(margin, fitted)


def _fit_isotonic(part: TellingCases) -> Predict:
    curve = IsotonicRegression(out_of_bounds="clip")
    curve.fit(part.margin, find_truth(part), sample_weight=part.weight)
    return lambda margin: np.asarray(curve.predict(margin), np.float64)


def _fit_venn_abers(part: TellingCases) -> Predict:
    return VennAbers(part.margin, part.target, part.weight / part.weight.mean()).predict


def _draw_customers(cases: TellingCases, seed: int) -> TellingCases:
    """Return all cases of so many customers that there are not too many cases."""
    share = MAX_CASES / len(cases.margin)
    if share >= 1.0:
        return cases
    n_groups = int(cases.group.max()) + 1
    return select_cases(cases, (np.random.default_rng(seed).random(n_groups) < share)[cases.group])


def select_cases(cases: TellingCases, is_wanted: Flags) -> TellingCases:
    """Return some of the cases; counts shrink by the share of them."""
    share = float(is_wanted.mean())
    return replace(
        cases,
        margin=cases.margin[is_wanted],
        target=cases.target[is_wanted],
        weight=cases.weight[is_wanted],
        group=cases.group[is_wanted],
        errors=None if cases.errors is None else cases.errors.select(is_wanted),
        effective_n=cases.effective_n * share,
    )


def _cross_fit(
    cases: TellingCases, truth: Floats, candidates: Mapping[str, Fit], seed: int
) -> dict[str, Floats]:
    """Return each candidate's probabilities of cases whose customers it did not see."""
    n_groups = int(cases.group.max()) + 1
    fold = np.random.default_rng(seed).integers(0, N_FOLDS, n_groups)[cases.group]
    least = 1.0 / (len(truth) + 2.0)  # Nobody gets away with certainty, nor dies of it.
    scores = {method: np.full(len(truth), 0.5) for method in candidates}
    for held_out in range(N_FOLDS):
        is_out = fold == held_out
        if not is_out.any() or is_out.all():
            continue
        others = select_cases(cases, ~is_out)
        for method, fit in candidates.items():
            scores[method][is_out] = fit(others)(cases.margin[is_out])
    return {method: np.clip(score, least, 1.0 - least) for method, score in scores.items()}


def _judge(
    method: str, scores: Mapping[str, Floats], cases: TellingCases, truth: Floats
) -> CalibrationStanding:
    score, weight = scores[method], cases.weight
    loss, of_platt = _compute_losses(score, truth), _compute_losses(scores["platt"], truth)
    # Unbiased for a stand-in: where the truth is 0 or 1, it equals its square.
    brier = float(np.average(score**2 - 2.0 * score * truth + truth, weights=weight))
    return CalibrationStanding(
        method=method,
        log_loss=float(np.average(loss, weights=weight)),
        brier=brier,
        calibration_error=compute_calibration_error(ScoredCases(truth, score, weight, cases.group)),
        log_loss_over_platt=_bound(loss - of_platt, cases),
    )


def _compute_losses(score: Floats, truth: Floats) -> Floats:
    found: Floats = -(truth * np.log(score) + (1.0 - truth) * np.log1p(-score))
    return found


def _bound(difference: Floats, cases: TellingCases) -> Interval:
    """Return the weighted mean with its 95 % bounds; customers are independent, cases are not."""
    mean = float(np.average(difference, weights=cases.weight))
    by_group = np.bincount(cases.group, cases.weight * (difference - mean))
    spread = _SURE * float(np.sqrt((by_group**2).sum())) / float(cases.weight.sum())
    return Interval(value=mean, low=mean - spread, high=mean + spread)
