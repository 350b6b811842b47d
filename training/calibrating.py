"""What a margin is worth: which cases tell, what is held against it, and the fit.

**Which cases.** Where abuse is looked for, trees are bolder about the next months than about a
fold of the last ones: histories grow, abusers go and others come. So the latest cases tell,
judged by trees of the older ones alone; what is assumed is that the next months differ from
what is known at the cut as the latest differed from what was known before them. Where that
slice would hold too few positives, and for heads that give no hint, all cases tell, judged by
trees blind to their customers: on Online Retail this foretold later months better than the
latest third did, at each of two earlier cuts (`docs/QUALITY.md`).

**What is held against it.** Few cases are checked, and each checked one stands for
several. Where somebody says of every case what a check would most likely find
(`labelling.hindsight`), that is taken, and the checked cases correct it: `expected +
weight * (label - expected)` is right on average whatever is expected, as long as the weights
are (augmented inverse propensity weighting: Robins, Rotnitzky and Zhao 1994), and varies
less the better the expectation is.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import xgboost as xgb

from features.definition import DAY_US
from features.model_bundle.manifest import Calibration
from training.calibration import LookErrors, fit_platt
from training.calibration_curve import fit_curve
from training.facts import Flags, Ints
from training.growing import Floats, HeadParameters, Part, Rows, grow_trees, winsorise
from training.labelling.weights import compute_effective_n

LATEST_SHARE = 1.0 / 3.0
MAX_LATEST_DAYS = 180.0
"""The latest cases: of a third of the time, of at most so many days."""
MIN_LATEST_POSITIVES = 150
"""Known positives of the latest cases, and of the older ones, below which all cases tell."""
MIN_CURVE_POSITIVES = 100
"""Known positives below which the calibration is a line."""


@dataclass(frozen=True, eq=False)
class TellingCases:
    """Cases that tell what a margin is worth; arrays of `n` entries.

    Attributes:
        margin: Of trees that did not see the case.
        target: Its label, or an unbiased stand-in for it.
        weight: How many cases each stands for, > 0.
        group: Number of the customer.
        errors: How labels err; None: not at all.
        effective_n: Cases that would tell as much.
        n_positive: Known positives among them.
        is_latest: They are the latest ones, judged by trees of the older ones.
    """

    margin: Floats
    target: Floats
    weight: Floats
    group: Ints
    errors: LookErrors | None
    effective_n: float
    n_positive: int
    is_latest: bool


def find_telling_cases(
    train: Part,
    margin: Floats,
    caps: Rows,
    parameters: HeadParameters,
    n_trees: int,
    seed: int,
    *,
    gives_hint: bool = True,
) -> TellingCases:
    """Return the cases that calibrate a head.

    Args:
        train: All its cases.
        margin: Theirs, of trees blind to their customers, shape `(n,)`.
        caps: Winsorising caps, shape `(F,)`.
        parameters: How trees are grown.
        n_trees: How many.
        seed: Seed of the trees.
        gives_hint: The head looks for abuse.
    """
    is_latest = find_latest(train)
    older, latest = train.select(~is_latest), train.select(is_latest)
    fewest = min(part.count_classes()[1] for part in (older, latest))
    if not gives_hint or fewest < MIN_LATEST_POSITIVES:
        return _hold_against(train, margin, is_latest=False)
    booster = grow_trees(older, caps, parameters, n_trees, seed)
    matrix = xgb.DMatrix(winsorise(latest.rows, caps), nthread=1)
    ahead = np.asarray(booster.predict(matrix, output_margin=True), np.float64)
    return _hold_against(latest, ahead, is_latest=True)


def find_latest(train: Part) -> Flags:
    """Return which cases are the latest ones, none if their times are not known."""
    if train.time_us is None or len(train) == 0:
        return np.zeros(len(train), np.bool_)
    first, last = int(train.time_us.min()), int(train.time_us.max())
    length = min((last - first) * LATEST_SHARE, MAX_LATEST_DAYS * DAY_US)
    return np.asarray(train.time_us > last - length, np.bool_)


def calibrate(cases: TellingCases, n_knots: int) -> Calibration:
    """Return the calibration of a head: a line, and a bend where enough cases show one.

    Args:
        cases: The cases that tell.
        n_knots: Knots of the bend; 0: a line alone.
    """
    line = msgspec.structs.replace(
        fit_platt(cases.margin, cases.target, cases.weight, cases.errors),
        n_cases=len(cases.margin),
        is_latest=cases.is_latest,
    )
    if n_knots == 0 or cases.n_positive < MIN_CURVE_POSITIVES:
        return line
    curve = fit_curve(
        line.slope * cases.margin + line.intercept,
        cases.target,
        cases.weight,
        cases.errors,
        effective_n=cases.effective_n,
        n_knots=n_knots,
    )
    return msgspec.structs.replace(
        line,
        method="curve",
        knot_at=_to_single(curve.margin),
        knot_to=_to_single(curve.log_odds),
    )


def _hold_against(part: Part, margin: Floats, *, is_latest: bool) -> TellingCases:
    """Return a part's cases with what is held against their margins."""
    effective_n, n_positive = compute_effective_n(part.weight), part.count_classes()[1]
    if part.expected_label is None:
        is_known = part.weight > 0.0
        known = part.select(is_known)
        return TellingCases(
            margin[is_known], known.label, known.weight, known.group, known.errors,
            effective_n, n_positive, is_latest,
        )  # fmt: skip
    # Weights of mean 1: that they sum to the cases holds on average only.
    surprise = part.weight / part.weight.mean() * (part.label - part.expected_label)
    target = part.expected_label + np.where(part.weight > 0.0, surprise, 0.0)
    ones = np.ones(len(part))
    return TellingCases(
        margin, target, ones, part.group, part.errors, effective_n, n_positive, is_latest
    )


def _to_single(values: npt.NDArray[np.float64]) -> list[float]:
    """Return values as the bundle's arrays keep them."""
    single: list[float] = values.astype(np.float32).tolist()
    return single
