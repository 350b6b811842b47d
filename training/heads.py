"""Fits one head: gradient-boosted trees, how many of them, the calibration, the threshold.

How many trees and where the threshold of the hint lies come from cross-fitting by
customer (`training.growing`); what a margin is worth comes from the latest cases, judged
by trees of the older ones, as soon as there are enough (`training.calibrating`). Then all
cases grow the final trees, so no case is lost and heads of a hundred positives are possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost as xgb

from features.definition import FeatureDefinition
from features.definitions import FEATURES
from features.errors import HemostatError
from features.model_bundle.manifest import Calibration, CalibrationStanding
from training.calibrating import find_telling_cases
from training.calibration import compute_probability
from training.calibration_contest import hold_contest
from training.growing import (
    Floats,
    HeadParameters,
    Part,
    Rows,
    compute_caps,
    cross_fit,
    grow_trees,
    winsorise,
)
from training.thresholds import Thresholds, choose_one_threshold, choose_thresholds

MIN_CASES_PER_CLASS = 20
"""Fewer positives (or negatives) than this teach nothing."""


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head that was learned.

    Attributes:
        booster: The trees kept.
        caps: Shape `(F,)`, float32: what greater values count as; +inf: not capped.
        calibration: From margin to log-odds.
        thresholds: Where the hint becomes `VERIFY`; None: no hint.
        standings: How calibrations did on cases that they were not fitted on.
    """

    booster: xgb.Booster
    caps: Rows
    calibration: Calibration
    thresholds: Thresholds | None
    standings: tuple[CalibrationStanding, ...] = ()

    def find_thresholds(self, rows: Rows) -> Floats | None:
        """Return the threshold that holds for each row, shape `(n,)`; None: no hint."""
        return None if self.thresholds is None else self.thresholds.find(rows)


def fit_head(
    train: Part,
    parameters: HeadParameters,
    seed: int,
    *,
    gives_hint: bool,
    features: Sequence[FeatureDefinition] = FEATURES,
) -> FittedHead:
    """Return the head learned on a part.

    One thread and a seed: the same cases give the same bytes.

    Args:
        train: The cases.
        parameters: How to fit.
        seed: Seed of folds and trees.
        gives_hint: Set a threshold.
        features: What the columns of the rows are.

    Raises:
        HemostatError: There are too few positives or negatives.
    """
    if min(train.count_classes()) < MIN_CASES_PER_CLASS:
        raise HemostatError(
            "too few cases to learn from",
            field="training part",
            value="{} negative, {} positive".format(*train.count_classes()),
            expectation=f"at least {MIN_CASES_PER_CLASS} of each",
            fix="use a longer log or another --cut",
        )
    caps = compute_caps(train.select_known().rows, features)
    n_trees, margin = cross_fit(train, caps, parameters, seed)
    told = find_telling_cases(train, margin, caps, parameters, n_trees, seed, gives_hint=gives_hint)
    contest = hold_contest(told, parameters.n_knots, seed)
    thresholds = None
    if gives_hint:
        score = compute_probability(margin, contest.winner)
        # Strata are told by columns of the whole vector.
        has_strata = len(features) >= len(FEATURES)
        choose = choose_thresholds if has_strata else choose_one_threshold
        thresholds = choose(score, train.honesty, train.rows, parameters.false_alarm_target)
    booster = grow_trees(train, caps, parameters, n_trees, seed)
    return FittedHead(booster, caps, contest.winner, thresholds, contest.standings)


def predict_margin(fitted: FittedHead, rows: Rows) -> Floats:
    """Return XGBoost's margins (log-odds before calibration) of raw rows, shape `(n,)`."""
    matrix = xgb.DMatrix(winsorise(rows, fitted.caps), nthread=1)
    return np.asarray(fitted.booster.predict(matrix, output_margin=True), np.float64)


def predict_probability(fitted: FittedHead, rows: Rows) -> Floats:
    """Return calibrated probabilities of raw rows, in double precision."""
    return compute_probability(predict_margin(fitted, rows), fitted.calibration)
