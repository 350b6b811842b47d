"""Measures a head on cases later than all that it was learned from."""

from __future__ import annotations

import math

import numpy as np

from features.model_bundle.manifest import HeadMetrics, Interval
from training.evaluation.calibration_figures import compute_brier, compute_calibration_error
from training.evaluation.ranking import ScoredCases, bootstrap_ranking, compute_prevalence
from training.evaluation.resampling import Estimate
from training.growing import Floats, Part

MIN_TEST_POSITIVES = 5
N_RESAMPLES = 200


def evaluate(test: Part, score: Floats, thresholds: Floats | None, seed: int) -> HeadMetrics | None:
    """Return the figures of a head's test part; None if it has too few positives.

    Args:
        test: Cases with outcomes as known at the end of the log.
        score: The head's probabilities of them.
        thresholds: The hint's, of each case; None: no hint.
        seed: Seed of the bootstrap.
    """
    n_negative, n_positive = test.count_classes()
    if n_positive < MIN_TEST_POSITIVES or n_negative == 0:
        return None
    false_alarm_rate = recall = None
    if thresholds is not None:
        is_alarm = (score >= thresholds).astype(np.float64)
        if test.honesty.sum() > 0.0:
            false_alarm_rate = float(np.average(is_alarm, weights=test.honesty))
        recall = float(np.average(is_alarm, weights=test.weight * test.label))
    cases = to_scored_cases(test, score)
    seen = cases
    if test.errors is not None:
        seen = to_scored_cases(test, test.errors.find_seen(score))
    pr_auc, roc_auc = bootstrap_ranking(cases, N_RESAMPLES, seed)
    return HeadMetrics(
        n=len(cases.label),
        n_positive=n_positive,
        n_customers=len(np.unique(cases.group)),
        prevalence=compute_prevalence(cases),
        pr_auc=_to_interval(pr_auc),
        roc_auc=_to_interval(roc_auc),
        brier=compute_brier(seen),
        calibration_error=compute_calibration_error(seen),
        false_alarm_rate=false_alarm_rate,
        recall=recall,
    )


def to_scored_cases(part: Part, score: Floats) -> ScoredCases:
    """Return a part's known cases with scores, customers numbered so that all occur."""
    is_known = part.weight > 0.0
    group = np.unique(part.group[is_known], return_inverse=True)[1].astype(np.int64)
    return ScoredCases(part.label[is_known], score[is_known], part.weight[is_known], group)


def _to_interval(estimate: Estimate) -> Interval:
    low, high = (None if math.isnan(x) else x for x in (estimate.low, estimate.high))
    return Interval(value=estimate.value, low=low, high=high)
