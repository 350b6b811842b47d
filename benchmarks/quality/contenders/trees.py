"""Boosted trees: hemostat as it trains, plain XGBoost on its features, and on the request alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xgboost as xgb

from benchmarks.quality.contenders import FALSE_ALARM_TARGET, SEED, Scored, Task
from features.definitions import FEATURES
from training.calibration import choose_threshold
from training.growing import HeadParameters, Part
from training.heads import fit_head, predict_probability

PARAMETERS = HeadParameters(false_alarm_target=FALSE_ALARM_TARGET)
IS_REQUEST = np.array([feature.is_request for feature in FEATURES])
_PLAIN = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 1, "seed": SEED}
_N_PLAIN_TREES = 100


class Hemostat:
    """The product's own learner."""

    name = "hemostat"
    has_our_features = True

    def run(self, task: Task) -> Scored:
        """Learn as `hemostat train` does."""
        head = fit_head(task.train, PARAMETERS, SEED, gives_hint=True)
        thresholds = head.find_thresholds(task.test_rows)
        assert thresholds is not None
        return Scored(predict_probability(head, task.test_rows), thresholds, True)


class RequestTrees:
    """The same learner, calibration and threshold on what the request alone says.

    It is taught by checks, weighted: guesses would carry over what hemostat's features know.
    """

    name = "XGBoost on request fields"
    has_our_features = False

    def run(self, task: Task) -> Scored:
        """Learn as `hemostat train` does, on fewer columns."""
        head = fit_head(
            _on_request(task.train),
            PARAMETERS,
            SEED,
            gives_hint=True,
            features=[feature for feature in FEATURES if feature.is_request],
        )
        assert head.thresholds is not None
        rows = np.ascontiguousarray(task.test_rows[:, IS_REQUEST])
        return Scored(predict_probability(head, rows), head.thresholds.value, True)


class PlainTrees:
    """XGBoost on hemostat's features as a notebook would: checked cases, no weights."""

    name = "plain XGBoost on our features"
    has_our_features = True

    def run(self, task: Task) -> Scored:
        """Learn from checked cases as they are; the threshold from a random tenth."""
        train = task.train.select_known()
        is_out = np.random.default_rng(SEED).random(len(train)) < 0.1
        matrix = xgb.DMatrix(train.rows[~is_out], train.label[~is_out])
        booster = xgb.train(_PLAIN, matrix, _N_PLAIN_TREES)
        held_out = booster.inplace_predict(train.rows[is_out & (train.label == 0.0)])
        threshold = choose_threshold(held_out.astype(np.float64), FALSE_ALARM_TARGET)
        score = booster.inplace_predict(task.test_rows).astype(np.float64)
        return Scored(score, threshold, True)


def _on_request(part: Part) -> Part:
    rows = np.ascontiguousarray(part.rows[:, IS_REQUEST])
    return replace(part, rows=rows, lesson=None, lesson_weight=None, expected_label=None)
