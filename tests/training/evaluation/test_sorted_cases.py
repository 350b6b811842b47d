"""All figures of a resample from a few running sums equal the functions that define them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation import calibration_figures as calibration
from training.evaluation.figures import Judged, make_money_metric, make_recall_metric, sort_cases
from training.evaluation.money import CostMatrix
from training.evaluation.operating_points import FALSE_ALARM_TARGETS, judge_threshold
from training.evaluation.ranking import compute_pr_auc, compute_roc_auc
from training.evaluation.resampling import Floats
from training.evaluation.sorted_cases import FIGURES

COSTS = CostMatrix(scale=2.0)
THRESHOLD = 0.3


def _draw(seed: int, n: int, decimals: int) -> Judged:
    random = np.random.default_rng(seed)
    score = np.round(random.beta(0.6, 3.0, n), decimals)
    label = (random.random(n) < 0.1 + 0.5 * score).astype(np.float64)
    return Judged(
        label=label,
        score=score,
        weight=random.uniform(0.5, 4.0, n),
        honesty=np.where(label > 0.0, 0.0, random.random(n)),
        cluster=np.arange(n),
        value_minor=random.lognormal(9.0, 1.0, n),
    )


def _measure_one_by_one(judged: Judged, weight: Floats) -> dict[str, float]:
    cases = judged.to_cases(weight)
    point = judge_threshold(judged.score, judged.label, weight, weight * judged.honesty, THRESHOLD)
    return {
        "pr_auc": compute_pr_auc(cases),
        "roc_auc": compute_roc_auc(cases),
        **{
            f"recall_at_{target}": make_recall_metric(target)(judged, weight)
            for target in FALSE_ALARM_TARGETS
        },
        "recall": point.recall,
        "false_alarm_share": point.false_alarm_share,
        "precision": point.precision,
        "money": make_money_metric(THRESHOLD, COSTS)(judged, weight),
        "calibration_error": calibration.compute_calibration_error(cases),
        "top_ratio": calibration.compute_observed_to_expected(cases),
        "total_ratio": calibration.compute_observed_to_expected(cases, share=1.0),
        "brier": calibration.compute_brier(cases),
        "brier_skill": calibration.compute_brier_skill(cases),
    }


@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([3, 40, 900]),
    decimals=st.sampled_from([1, 2, 15]),
    drawn=st.booleans(),
)
def test_running_sums_give_what_the_definitions_give(
    seed: int, n: int, decimals: int, drawn: bool
) -> None:
    judged = _draw(seed, n, decimals)
    random = np.random.default_rng(seed + 1)
    times = random.multinomial(n, np.full(n, 1.0 / n)).astype(np.float64) if drawn else np.ones(n)
    found = dict(zip(FIGURES, sort_cases(judged, THRESHOLD, COSTS).compute(times), strict=True))
    expected = _measure_one_by_one(judged, judged.weight * times)
    assert {name: found[name] for name in expected} == pytest.approx(
        expected, rel=1e-7, abs=1e-9, nan_ok=True
    )


def test_the_line_on_groups_of_scores_is_the_line_on_cases() -> None:
    judged = _draw(5, 20_000, 15)
    found = dict(zip(FIGURES, sort_cases(judged, None, COSTS).compute(), strict=True))
    line = calibration.fit_calibration_line(judged.to_cases())
    assert found["slope"] == pytest.approx(line.slope, abs=0.01)
    assert found["intercept"] == pytest.approx(line.intercept, abs=0.01)
    assert np.isnan(found["recall"])


def test_sums_above_each_score_end_with_all_cases() -> None:
    judged = _draw(6, 500, 1)
    total, positive, honest, saved = sort_cases(judged, THRESHOLD, COSTS).trace()
    assert len(total) == len(np.unique(judged.score))
    assert total[-1] == pytest.approx(judged.weight.sum())
    assert positive[-1] == pytest.approx(judged.weight @ judged.label)
    assert honest[-1] == pytest.approx(judged.weight @ judged.honesty)
    above = judged.score >= THRESHOLD - 1e-9
    block = int(np.flatnonzero(np.unique(judged.score)[::-1] >= THRESHOLD - 1e-9)[-1])
    assert total[block] == pytest.approx(judged.weight[above].sum())
    money = make_money_metric(THRESHOLD - 1e-9, COSTS)(judged, judged.weight)
    assert saved[block] / total[-1] * 1_000.0 == pytest.approx(money)
