"""Logistic regression on the request's fields and the customer's plain counts."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks.quality.contenders import FALSE_ALARM_TARGET, SEED, Rows, Scored, Task
from benchmarks.quality.contenders.trees import IS_REQUEST
from benchmarks.quality.history import ReturnFacts
from training.calibration import choose_threshold


class Logistic:
    """What a careful analyst fits first: logarithms, flags for missing values, weights."""

    name = "logistic regression"
    has_our_features = False

    def run(self, task: Task) -> Scored:
        """Fit on checked cases, weighted; the threshold on all train cases by honesty."""
        counts = _list_counts(task.facts)
        train = _widen(task.train.rows, counts[task.is_train])
        test = _widen(task.test_rows, counts[task.is_test])
        scaler = StandardScaler().fit(train)
        is_known = task.train.weight > 0.0
        model = LogisticRegression(C=0.1, max_iter=2_000, random_state=SEED)
        scaled = scaler.transform(train)
        model.fit(
            scaled[is_known], task.train.label[is_known], np.sqrt(task.train.weight[is_known])
        )
        fitted = model.predict_proba(scaled)[:, 1] * (1.0 - 1e-9)
        threshold = choose_threshold(fitted, FALSE_ALARM_TARGET, task.train.honesty)
        return Scored(model.predict_proba(scaler.transform(test))[:, 1], threshold, True)


def _list_counts(facts: ReturnFacts) -> Rows:
    columns = (
        facts.n_orders, facts.n_returns, facts.n_returns_90d, facts.n_confirmed,
        facts.returned_minor, facts.n_returns / np.maximum(facts.n_orders, 1),
    )  # fmt: skip
    return np.column_stack(columns).astype(np.float32)


def _widen(rows: Rows, counts: Rows) -> Rows:
    """Return signed logarithms of all columns, and where they are missing."""
    wide = np.concatenate([rows[:, IS_REQUEST], counts], axis=1)
    grown = np.sign(wide) * np.log1p(np.abs(wide))
    is_missing = np.isnan(wide)
    return np.concatenate([np.where(is_missing, 0.0, grown), is_missing], axis=1).astype(np.float32)
