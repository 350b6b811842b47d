"""Fits a head forward in time: trees of the older cases are calibrated on the newest ones.

Cross-fitting (`training.heads`) calibrates inside history. Where the world moves, trees
are bolder about the next quarter than about a fold of the last one, and where cases
come in groups (forty rooms of one coach party), folds of customers put one half of a
group beside the other. Here the newest cases that are due before the cut choose the
number of trees and the calibration; trees that saw nothing of that slice judge it. Then
all cases grow the final trees. What is assumed: the next slice will differ from what is
known at the cut as the last one differed from what was known before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost as xgb

from features.definition import DAY_US, FeatureDefinition
from features.definitions import FEATURES
from features.errors import HemostatError
from training.calibration import fit_platt
from training.calibration_curve import CalibrationCurve, fit_curve
from training.facts import Ints
from training.growing import Floats, HeadParameters, Part, Rows, compute_caps, grow_trees, winsorise
from training.heads import MIN_CASES_PER_CLASS, FittedHead, predict_margin

LATEST_DAYS = 90
"""Length of the slice that calibrates."""
SETTLE_DAYS = 14
"""What is due in the newest days is left out of the slice: of these the bad ends are known and
many of the good ones are not yet (who cancelled is told, who stays is still there)."""
_TREE_STEP = 20


@dataclass(frozen=True, eq=False)
class ForwardHead:
    """A head fitted forward in time.

    Attributes:
        fitted: The trees, with Platt's line as calibration and no thresholds.
        curve: A calibration that bends, from the same margins.
    """

    fitted: FittedHead
    curve: CalibrationCurve

    def predict_probability(self, rows: Rows) -> Floats:
        """Return probabilities of raw rows by the curve."""
        return self.curve.compute_probability(predict_margin(self.fitted, rows))


def fit_forward(
    train: Part,
    due_us: Ints,
    cut_us: int,
    parameters: HeadParameters,
    seed: int,
    *,
    features: Sequence[FeatureDefinition] = FEATURES,
    latest_days: int = LATEST_DAYS,
    settle_days: int = SETTLE_DAYS,
) -> ForwardHead:
    """Return the head learned on a part.

    Args:
        train: The cases.
        due_us: When each case's outcome is due, microseconds UTC, shape `(n,)`.
        cut_us: When the model is born; no case is due later.
        parameters: How to fit; folds and the target of false alarms are not used.
        seed: Seed of the trees.
        features: What the columns of the rows are.
        latest_days: Length of the slice that calibrates.
        settle_days: Time between the slice and the cut; its cases grow the final trees only.

    Raises:
        HemostatError: There are too few positives or negatives, before the slice or in it.
    """
    settled_us = cut_us - settle_days * DAY_US
    is_older = due_us < settled_us - latest_days * DAY_US
    is_latest = ~is_older & (due_us < settled_us)
    for name, part in (("older", train.select(is_older)), ("latest", train.select(is_latest))):
        if min(part.count_classes()) < MIN_CASES_PER_CLASS:
            raise HemostatError(
                f"too few {name} cases to learn from",
                field="training part",
                value="{} negative, {} positive".format(*part.count_classes()),
                expectation=f"at least {MIN_CASES_PER_CLASS} of each",
                fix="use a longer log, another --cut or a longer slice",
            )
    caps = compute_caps(train.select_known().rows, features)
    latest = train.select(is_latest).select_known()
    steps, margins = _predict_latest(train.select(is_older), latest, caps, parameters, seed)
    best = int(np.argmin([_compute_loss(margin, latest) for margin in margins]))
    known = (margins[best], latest.label, latest.weight)
    booster = grow_trees(train, caps, parameters, steps[best], seed)
    return ForwardHead(
        FittedHead(booster, caps, fit_platt(*known), thresholds=None), fit_curve(*known)
    )


def _predict_latest(
    older: Part, latest: Part, caps: Rows, parameters: HeadParameters, seed: int
) -> tuple[Sequence[int], list[Floats]]:
    """Return numbers of trees, and the slice's margins after each from trees of older cases."""
    steps = range(min(_TREE_STEP, parameters.max_trees), parameters.max_trees + 1, _TREE_STEP)
    booster = grow_trees(older, caps, parameters, steps[-1], seed)
    matrix = xgb.DMatrix(winsorise(latest.rows, caps), nthread=1)
    margins = [
        np.asarray(
            booster.predict(matrix, output_margin=True, iteration_range=(0, n_trees)), np.float64
        )
        for n_trees in steps
    ]
    return steps, margins


def _compute_loss(margin: Floats, latest: Part) -> float:
    """Return the log loss after Platt's line: boldness can be mended, bad ranks cannot."""
    line = fit_platt(margin, latest.label, latest.weight)
    sign = np.where(latest.label > 0, -1.0, 1.0)
    loss = np.logaddexp(0.0, sign * (line.slope * margin + line.intercept))
    return float(np.average(loss, weights=latest.weight))
