"""Grows the trees of one head, and says what trees blind to a customer think of the cases.

The number of trees comes from cross-fitting by customer: each fold's cases get their
margins from trees that saw none of their customers, and the number that minimises the
log loss of these margins is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from features.definition import FeatureDefinition
from features.definitions import FEATURES
from training.calibration import LookErrors
from training.calibration_curve import N_KNOTS
from training.facts import Flags, Ints

WINSOR_QUANTILE = 0.99
_TREE_STEP = 10

Rows = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadParameters:
    """How a head is fitted; chosen on time folds before June 2011 of Online Retail.

    Attributes:
        max_trees: At most so many; cross-validation keeps fewer.
        max_depth: Splits on a path.
        eta: Step size.
        subsample: Share of cases per tree.
        feature_share: Share of features per tree.
        min_child_weight: Least sum of hessians in a leaf.
        n_folds: Folds of customers for cross-fitting.
        false_alarm_target: Share of good customers' cases that may be told `VERIFY`.
        n_knots: Knots of the calibration's bend; 0: it is a line.
    """

    max_trees: int = 200
    max_depth: int = 4
    eta: float = 0.05
    subsample: float = 0.8
    feature_share: float = 0.5
    min_child_weight: float = 5.0
    n_folds: int = 4
    false_alarm_target: float = 0.01
    n_knots: int = N_KNOTS


@dataclass(frozen=True, eq=False)
class Part:
    """Cases of one part of the split; arrays of `n` entries.

    Attributes:
        rows: Shape `(n, F)`.
        label: 0 or 1; 0 where the outcome is unknown.
        weight: How many cases each stands for; 0: its outcome is unknown.
        group: Number of the customer.
        honesty: Probability that the case is one of a customer who does not abuse. Known of
            all cases, also of those that nobody checked.
        lesson: What the trees are taught of each case, 0 to 1; None: the label. Where the
            outcome is unknown it may be a guess (see `labelling.hindsight`).
        lesson_weight: How much each case counts in growing trees, 0: not at all; None: the
            root of its weight.
        errors: How labels err; None: not at all.
        time_us: When each case was asked; None: nobody knows which are the latest.
        expected_label: What a check most likely says of each case, by somebody who saw neither
            its verdict nor its customer (see `labelling.hindsight`); None: nobody looked.
        due_us: When the outcome of each case is due, microseconds UTC, where that is no fixed
            time after the case; None: it is.
    """

    rows: Rows
    label: Floats
    weight: Floats
    group: Ints
    honesty: Floats
    lesson: Floats | None = None
    lesson_weight: Floats | None = None
    errors: LookErrors | None = None
    time_us: Ints | None = None
    expected_label: Floats | None = None
    due_us: Ints | None = None

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.label)

    def count_classes(self) -> tuple[int, int]:
        """Return how many known negatives and positives there are."""
        n_positive = int(self.label.sum())
        return int((self.weight > 0.0).sum()) - n_positive, n_positive

    def select(self, is_wanted: Flags) -> Part:
        """Return some of the cases, in the same order."""
        return Part(
            self.rows[is_wanted],
            self.label[is_wanted],
            self.weight[is_wanted],
            self.group[is_wanted],
            self.honesty[is_wanted],
            None if self.lesson is None else self.lesson[is_wanted],
            None if self.lesson_weight is None else self.lesson_weight[is_wanted],
            None if self.errors is None else self.errors.select(is_wanted),
            None if self.time_us is None else self.time_us[is_wanted],
            None if self.expected_label is None else self.expected_label[is_wanted],
            None if self.due_us is None else self.due_us[is_wanted],
        )

    def select_known(self) -> Part:
        """Return the cases whose outcome is known."""
        return self.select(self.weight > 0.0)


def compute_caps(rows: Rows, features: Sequence[FeatureDefinition] = FEATURES) -> Rows:
    """Return the winsorising caps: money's 99 % quantile in training, +inf elsewhere.

    One order a hundred times dearer than all others would else hold bins of its own.
    """
    caps = np.full(rows.shape[1], np.inf, np.float32)
    for column, feature in enumerate(features):
        values = rows[:, column]
        values = values[~np.isnan(values)]
        if feature.unit == "minor" and len(values):
            caps[column] = np.quantile(values, WINSOR_QUANTILE, method="lower")
    return caps


def winsorise(rows: Rows, caps: Rows) -> Rows:
    """Return rows with values above the caps set to them; missing stays missing."""
    return np.where(rows > caps, caps, rows)


def cross_fit(train: Part, caps: Rows, parameters: HeadParameters, seed: int) -> tuple[int, Floats]:
    """Return the best number of trees, and each case's margin from trees blind to its customer.

    Cases of unknown outcome get their margins, too; they choose nothing.
    """
    n_groups = int(train.group.max()) + 1
    fold = np.random.default_rng(seed).integers(0, parameters.n_folds, n_groups)[train.group]
    steps = range(min(_TREE_STEP, parameters.max_trees), parameters.max_trees + 1, _TREE_STEP)
    margins = np.zeros((len(steps), len(train)))
    for held_out in range(parameters.n_folds):
        is_out = fold == held_out
        if not is_out.any():
            continue
        booster = grow_trees(train.select(~is_out), caps, parameters, steps[-1], seed)
        matrix = xgb.DMatrix(winsorise(train.rows[is_out], caps), nthread=1)
        for place, n_trees in enumerate(steps):
            margins[place, is_out] = booster.predict(
                matrix, output_margin=True, iteration_range=(0, n_trees)
            )
    sign = np.where(train.label > 0, -1.0, 1.0)
    losses = [
        np.average(np.logaddexp(0.0, sign * margin), weights=_temper(train.weight))
        for margin in margins
    ]
    best = int(np.argmin(losses))
    return steps[best], margins[best]


def grow_trees(
    train: Part, caps: Rows, parameters: HeadParameters, n_trees: int, seed: int
) -> xgb.Booster:
    """Return trees grown on the cases that teach something."""
    taught = train.lesson_weight if train.lesson_weight is not None else _temper(train.weight)
    lesson = train.lesson if train.lesson is not None else train.label
    is_taught = taught > 0.0
    weight = taught[is_taught]
    matrix = xgb.QuantileDMatrix(
        winsorise(train.rows[is_taught], caps),
        lesson[is_taught],  # The logistic loss takes shares as it takes 0 and 1.
        weight=weight / weight.mean(),  # Mean 1, so that `min_child_weight` means cases.
        nthread=1,
    )
    settings = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": parameters.max_depth,
        "eta": parameters.eta,
        "subsample": parameters.subsample,
        "colsample_bytree": parameters.feature_share,
        "min_child_weight": parameters.min_child_weight,
        "seed": seed,
        "nthread": 1,  # The order of sums, hence the trees, would hang on the thread count.
    }
    return xgb.train(settings, matrix, n_trees)


def _temper(weight: Floats) -> Floats:
    """Return the weights that trees are grown with: the root of the cases' own.

    Full weights of up to 25 make trees of noise; none forget whom the cases stand
    for. Calibration and metrics use the full ones, so probabilities stay anchored.
    """
    tempered: Floats = np.sqrt(weight)
    return tempered
