"""A head is judged as a whole: figures hang together, parts and differences are paired."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from features.definitions import FEATURES
from training.evaluation.figures import (
    Judged,
    compare_paired,
    compute_pr_auc_of,
    evaluate_head,
    make_recall_metric,
)
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import Resampling
from training.evaluation.slices import cut_slices

FEW = Resampling(60)


def _draw(n: int = 4_000, seed: int = 2) -> Judged:
    random = np.random.default_rng(seed)
    cluster = random.integers(0, n // 4, n)
    score = random.beta(1.0, 9.0, n)
    label = (random.random(n) < score).astype(np.float64)
    return Judged(
        label=label,
        score=score,
        weight=random.uniform(0.5, 3.0, n),
        honesty=1.0 - label,
        cluster=cluster,
        value_minor=random.lognormal(10.0, 0.5, n),
        slices={"first half": np.arange(n) < n // 2},
    )


def test_a_calibrated_head_shows_it_and_figures_lie_in_their_bounds() -> None:
    found = evaluate_head(_draw(), 0.4, CostMatrix(), FEW)
    assert (found.n, found.n_clusters) == (4_000, len(np.unique(_draw().cluster)))
    for estimate in (found.pr_auc, found.roc_auc, found.top_ratio, found.brier_skill, found.money):
        assert estimate is not None
        assert estimate.low <= estimate.value <= estimate.high
    assert found.top_ratio.low < 1.0 < found.top_ratio.high
    assert found.calibration_error.value < 3.0 * found.error_floor
    assert found.line.slope == pytest.approx(1.0, abs=0.2)
    assert found.hint is not None
    assert found.recall is not None
    assert found.recall.value == found.hint.recall
    at = found.recall_at
    assert at[0.001].value <= at[0.005].value <= at[0.01].value
    half = found.slices["first half"]
    assert half.n == 2_000
    assert half.pr_auc.high - half.pr_auc.low > found.pr_auc.high - found.pr_auc.low


def test_without_a_threshold_nothing_is_said_of_a_hint() -> None:
    found = evaluate_head(_draw(800), None, CostMatrix(), FEW)
    assert (found.hint, found.recall, found.false_alarm_share, found.money) == (None,) * 4


def test_differences_are_paired_and_narrower_than_their_parts() -> None:
    judged = _draw()
    noise = np.random.default_rng(3).normal(0.0, 0.01, len(judged.label))
    near = np.clip(judged.score + noise, 0.0, 1.0)
    gain = compare_paired(judged, near, compute_pr_auc_of, FEW)
    alone = evaluate_head(judged, None, CostMatrix(), FEW).pr_auc
    assert gain.high - gain.low < 0.5 * (alone.high - alone.low)
    blind = np.random.default_rng(4).random(len(judged.label))
    for metric in (compute_pr_auc_of, make_recall_metric(0.01)):
        assert compare_paired(judged, blind, metric, FEW).low > 0.0
        same = compare_paired(judged, judged.score, metric, FEW)
        assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_the_order_of_cases_changes_nothing() -> None:
    judged = _draw(900)
    order = np.random.default_rng(9).permutation(900)
    turned = dataclasses.replace(judged.take(np.ones(900, np.bool_)), **{
        name: getattr(judged, name)[order]
        for name in ("label", "score", "weight", "honesty", "cluster", "value_minor")
    })  # fmt: skip
    one = evaluate_head(dataclasses.replace(judged, slices={}), 0.3, CostMatrix(), FEW)
    other = evaluate_head(turned, 0.3, CostMatrix(), FEW)
    for name in ("pr_auc", "roc_auc", "calibration_error", "money", "recall"):
        first, second = getattr(one, name), getattr(other, name)
        assert first.value == pytest.approx(second.value)
        assert first.low == pytest.approx(second.low)


def test_what_cannot_be_judged_is_refused_or_no_number() -> None:
    good = _draw(50)
    for broken in (
        {"score": np.full(50, np.nan)}, {"label": np.full(50, 0.5)}, {"weight": np.ones(3)},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="judged cases"):
            dataclasses.replace(good, slices={}, **broken)
    honest = dataclasses.replace(good, label=np.zeros(50), honesty=np.ones(50), slices={})
    found = evaluate_head(honest, 0.5, CostMatrix(), FEW)
    assert math.isnan(found.pr_auc.value)
    assert math.isnan(found.recall_at[0.005].value)
    assert math.isnan(found.line.slope)


def test_slices_follow_the_columns_and_leave_the_unknown_out() -> None:
    places = {feature.name: place for place, feature in enumerate(FEATURES)}
    rows = np.full((900, len(FEATURES)), np.nan, np.float32)
    rows[:300, places["tenure_lifetime_days"]] = 5.0
    rows[300:600, places["tenure_lifetime_days"]] = 500.0
    rows[:450, places["request_has_receipt"]] = 0.0
    rows[450:500, places["request_has_receipt"]] = 1.0
    found = cut_slices(rows)
    assert {name: int(flags.sum()) for name, flags in found.items()} == {
        "tenure: none known": 300, "tenure: below 30 days": 300, "tenure: above 365 days": 300,
        "place: elsewhere": 900, "receipt: none": 450,
    }  # fmt: skip


def test_false_alarms_count_cases_of_unknown_outcome() -> None:
    judged = _draw(400)
    is_known = np.arange(400) % 4 == 0
    told = dataclasses.replace(
        judged,
        weight=np.where(is_known, judged.weight, 0.0),
        honest_weight=1.0 - judged.label,
        slices={"known": is_known},
    )
    found = evaluate_head(told, 0.2, CostMatrix(), FEW)
    assert (found.n, found.n_positive) == (100, int(judged.label[is_known].sum()))
    is_alarm = judged.score >= 0.2
    assert found.false_alarm_share is not None
    assert found.false_alarm_share.value == pytest.approx(is_alarm[judged.label == 0.0].mean())
    known = evaluate_head(told.take(is_known), 0.2, CostMatrix(), FEW)
    assert found.pr_auc.value == pytest.approx(known.pr_auc.value)
    assert found.slices["known"].pr_auc.value == known.pr_auc.value
    with pytest.raises(ValueError, match="weight \\* honesty"):
        compare_paired(told, judged.score, compute_pr_auc_of, FEW)
