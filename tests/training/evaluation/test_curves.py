"""Curves go through the figures, bands hold them, and cases of unknown outcome break nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from training.evaluation.calibration_figures import compute_reliability
from training.evaluation.curves import trace_curves
from training.evaluation.figures import Judged, evaluate_head, make_money_metric
from training.evaluation.money import CostMatrix
from training.evaluation.ranking import trace_pr_curve
from training.evaluation.resampling import Resampling

COSTS = CostMatrix()
FEW = Resampling(40)


def _draw(n: int = 1_500) -> Judged:
    random = np.random.default_rng(8)
    score = random.beta(0.7, 5.0, n)
    label = (random.random(n) < score).astype(np.float64)
    return Judged(
        label=label,
        score=score,
        weight=random.uniform(0.5, 3.0, n),
        honesty=1.0 - label,
        cluster=random.integers(0, n // 3, n),
        value_minor=random.lognormal(9.0, 0.5, n),
    )


def test_curves_go_through_the_figures_and_stay_in_their_bands() -> None:
    judged = _draw()
    curves, figures = trace_curves(judged, COSTS, FEW), evaluate_head(judged, 0.4, COSTS, FEW)
    assert np.trapezoid(curves.roc.y, curves.roc.x) == pytest.approx(
        figures.roc_auc.value, abs=0.01
    )
    recall, precision = trace_pr_curve(judged.to_cases())
    first = int(np.searchsorted(recall, 0.5 - 1e-12))
    assert curves.precision.y[50] == pytest.approx(precision[first])
    at = 60
    saved = make_money_metric(float(curves.money.x[at]), COSTS)(judged, judged.weight)
    assert curves.money.y[at] == pytest.approx(saved)
    place = int(np.argmin(np.abs(curves.alarms.x - 0.01)))
    assert curves.alarms.y[place] == pytest.approx(figures.recall_at[0.01].value, abs=0.05)
    bins = compute_reliability(judged.to_cases())
    assert curves.reliability.x == pytest.approx(bins.predicted)
    assert curves.reliability.y == pytest.approx(bins.observed)
    for curve in (curves.precision, curves.roc, curves.alarms, curves.reliability):
        inside = (curve.low - 1e-9 <= curve.y) & (curve.y <= curve.high + 1e-9)
        assert inside.mean() > 0.9


def test_cases_of_unknown_outcome_change_no_curve_but_that_of_false_alarms() -> None:
    judged = _draw()
    # The riskiest cases and the safest ones are unknown: whole bins would be empty.
    is_known = (judged.score > 0.02) & (judged.score < 0.3)
    told = dataclasses.replace(
        judged, weight=judged.weight * is_known, honest_weight=judged.honesty
    )
    some, known = (trace_curves(one, COSTS, FEW) for one in (told, judged.take(is_known)))
    assert some.precision.y == pytest.approx(known.precision.y)
    assert some.roc.y == pytest.approx(known.roc.y)
    assert some.reliability.y == pytest.approx(known.reliability.y)
    assert not np.allclose(some.alarms.y, known.alarms.y)


def test_cases_that_all_end_alike_have_no_curves() -> None:
    with pytest.raises(ValueError, match="both outcomes"):
        trace_curves(dataclasses.replace(_draw(), label=np.zeros(1_500)), COSTS, FEW)
