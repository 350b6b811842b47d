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

import numpy as np
import xgboost as xgb

from features.definition import DAY_US, FeatureDefinition
from features.definitions import FEATURES
from features.errors import HemostatError
from training.calibrating import TellingCases
from training.calibration import fit_platt
from training.calibration_contest import hold_contest
from training.facts import Flags
from training.growing import Floats, HeadParameters, Part, Rows, compute_caps, grow_trees, winsorise
from training.heads import MIN_CASES_PER_CLASS, FittedHead
from training.labelling.weights import compute_effective_n

LATEST_DAYS = 90
"""Length of the slice that calibrates."""
SETTLE_DAYS = 14
"""What is due in the newest days is left out of the slice: of these the bad ends are known and
many of the good ones are not yet (who cancelled is told, who stays is still there)."""
_TREE_STEP = 20


def is_forward(train: Part, cut_us: int) -> bool:
    """Return whether a part tells when its outcomes are due, and holds enough for `fit_forward`.

    Args:
        train: The cases.
        cut_us: When the model is born.
    """
    if train.due_us is None:
        return False
    return all(
        min(part.count_classes()) >= MIN_CASES_PER_CLASS
        for part in _divide(train, cut_us, LATEST_DAYS, SETTLE_DAYS)
    )


def fit_forward(
    train: Part,
    cut_us: int,
    parameters: HeadParameters,
    seed: int,
    *,
    features: Sequence[FeatureDefinition] = FEATURES,
    latest_days: int = LATEST_DAYS,
    settle_days: int = SETTLE_DAYS,
) -> FittedHead:
    """Return the head learned on a part; it gives no hint.

    Args:
        train: The cases, with the times at which their outcomes are due.
        cut_us: When the model is born; no case is due later.
        parameters: How to fit; folds and the target of false alarms are not used.
        seed: Seed of the trees and of the contest of calibrations.
        features: What the columns of the rows are.
        latest_days: Length of the slice that calibrates.
        settle_days: Time between the slice and the cut; its cases grow the final trees only.

    Raises:
        HemostatError: There are too few positives or negatives, before the slice or in it.
    """
    older, latest = _divide(train, cut_us, latest_days, settle_days)
    for name, part in (("older", older), ("latest", latest)):
        if min(part.count_classes()) < MIN_CASES_PER_CLASS:
            raise HemostatError(
                f"too few {name} cases to learn from",
                field="training part",
                value="{} negative, {} positive".format(*part.count_classes()),
                expectation=f"at least {MIN_CASES_PER_CLASS} of each",
                fix="use a longer log, another --cut or a longer slice",
            )
    caps = compute_caps(train.select_known().rows, features)
    latest = latest.select_known()
    steps, margins = _predict_latest(older, latest, caps, parameters, seed)
    best = int(np.argmin([_compute_loss(margin, latest) for margin in margins]))
    contest = hold_contest(_to_telling(latest, margins[best]), parameters.n_knots, seed)
    booster = grow_trees(train, caps, parameters, steps[best], seed)
    return FittedHead(booster, caps, contest.winner, None, contest.standings)


def _divide(train: Part, cut_us: int, latest_days: int, settle_days: int) -> tuple[Part, Part]:
    """Return the older cases, and those of the slice."""
    if train.due_us is None:
        raise ValueError("a part that does not tell when its outcomes are due")
    settled_us = cut_us - settle_days * DAY_US
    is_older: Flags = train.due_us < settled_us - latest_days * DAY_US
    is_latest: Flags = ~is_older & (train.due_us < settled_us)
    return train.select(is_older), train.select(is_latest)


def _to_telling(latest: Part, margin: Floats) -> TellingCases:
    return TellingCases(
        margin=margin,
        target=latest.label,
        weight=latest.weight,
        group=latest.group,
        errors=latest.errors,
        effective_n=compute_effective_n(latest.weight),
        n_positive=latest.count_classes()[1],
        is_latest=True,
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
