"""Figures of one world equal those of the evaluation package; means over worlds are paired."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.contenders import Scored
from benchmarks.quality.frozen_policy import load_policy
from benchmarks.quality.honest_shares import (
    compute_click_calibration,
    compute_ever_flagged,
    compute_kind_shares,
    compute_told_calibration,
    compute_true_calibration,
)
from benchmarks.quality.judging import (
    FALSE_ALARMS,
    ORACLE,
    PR_AUC,
    RECALL,
    RECALL_AT_THRESHOLD,
    RECALL_VS_ORACLE,
    ROC_AUC,
    WorldMeans,
    measure_world,
    name_money,
    number_clusters,
)
from benchmarks.quality.shops import JudgedClicks, JudgedWorld
from benchmarks.quality.worlds import TrueCases
from training.evaluation.money import compute_money
from training.evaluation.operating_points import find_threshold, judge_threshold
from training.evaluation.ranking import ScoredCases, compute_pr_auc, compute_roc_auc
from training.evaluation.resampling import Resampling

POLICY = load_policy()


def make_world(seed: int, n: int = 3_000, skill: float = 2.0) -> JudgedWorld:
    """Return a made-up world: abuse by a tenth of the persons, scores of two contenders."""
    random = np.random.default_rng(seed)
    person = random.integers(0, n // 5, n)
    is_abuser = random.random(n // 5) < 0.1
    is_abuse = is_abuser[person] & (random.random(n) < 0.6)
    truth = TrueCases(
        rows=np.zeros((n, 0), np.float32),
        time_us=np.arange(n),
        is_abuse=is_abuse,
        is_good=~is_abuser[person],
        person=person,
        kind=np.where(is_abuse, "ring", np.where(person % 2 == 0, "plain", "no_receipt")),
        ring=np.where(is_abuse & (person < 20), person // 10, -1),
    )

    def score(strength: float) -> np.ndarray:
        # Rounded: scores tie, as those of rules do.
        return np.round(1 / (1 + np.exp(2 - strength * is_abuse - random.normal(size=n))), 2)

    orders = TrueCases(**{name: value[:500] for name, value in vars(truth).items()})
    return JudgedWorld(
        seed=seed,
        truth=truth,
        value_minor=random.integers(1_000, 90_000, n).astype(np.float64),
        scored={
            "good": Scored(score(skill), 0.8, True),
            "poor": Scored(score(1.0), 0.6, False),
        },
        oracle=score(4.0),
        told_all=score(3.0),
        order_truth=orders,
        is_order_alarm=np.arange(500) % 100 == 0,
        told_label=is_abuse.astype(np.float64),
        told_weight=np.where(np.arange(n) % 4 == 0, 4.0, 0.0),
        clicks=JudgedClicks(np.full(50, 0.6), np.full(50, 0.7), np.arange(50)),
        n_train=n,
        n_checked=n,
    )


def test_figures_of_a_world_equal_those_of_the_evaluation_package() -> None:
    world = make_world(1)
    truth = world.truth
    label, times = truth.is_abuse.astype(np.float64), np.ones(len(truth.time_us))
    found = measure_world(world, POLICY, Resampling(5, 1))
    for name, scored in world.scored.items():
        cases = ScoredCases(label, scored.score, times, truth.person)
        good = truth.is_good.astype(np.float64)
        exact = judge_threshold(
            scored.score, label, times, good,
            find_threshold(scored.score, good, POLICY.false_alarm_target),
        )  # fmt: skip
        own = judge_threshold(scored.score, label, times, good, float(scored.threshold))
        assert found[name, PR_AUC].value == pytest.approx(compute_pr_auc(cases))
        assert found[name, ROC_AUC].value == pytest.approx(compute_roc_auc(cases))
        assert found[name, RECALL].value == pytest.approx(exact.recall)
        assert found[name, RECALL_AT_THRESHOLD].value == pytest.approx(own.recall)
        assert found[name, FALSE_ALARMS].value == pytest.approx(own.false_alarm_share)
        for factor in POLICY.cost_factors:
            saved = compute_money(
                scored.score >= scored.threshold, label, times, world.value_minor,
                POLICY.scale_costs(factor),
            )  # fmt: skip
            assert found[name, name_money(factor)].value == pytest.approx(saved)
    assert found[ORACLE, RECALL_VS_ORACLE].value == 1.0


def test_differences_over_worlds_are_paired_and_the_same_seed_gives_the_same_bounds() -> None:
    worlds = [measure_world(make_world(seed), POLICY, Resampling(60, seed)) for seed in (1, 2, 3)]
    means = WorldMeans(worlds, 7)
    gain = means.compare("good", "poor", PR_AUC)
    good, poor = (means.estimate(name, PR_AUC) for name in ("good", "poor"))
    assert gain.value == pytest.approx(good.value - poor.value)
    assert 0.0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < (good.high - good.low) + (poor.high - poor.low)
    assert means.compare("good", "good", PR_AUC).low == 0.0
    assert means.find_best(("good", "poor"), RECALL) == "good"
    assert WorldMeans(worlds, 7).compare("good", "poor", PR_AUC) == gain


def test_what_one_ring_does_is_drawn_together() -> None:
    truth = make_world(1).truth
    cluster = number_clusters(truth)
    in_ring = np.unique(truth.person[truth.ring == 0])
    assert len(in_ring) > 1
    assert len(np.unique(cluster[np.isin(truth.person, in_ring)])) == 1
    assert len(np.unique(cluster)) < len(np.unique(truth.person))


def test_shares_of_honest_kinds_count_good_customers_only() -> None:
    worlds = [make_world(1), make_world(2)]
    shares = {one.kind: one for one in compute_kind_shares(worlds, "poor", Resampling(20, 1))}
    assert set(shares) == {"plain", "no_receipt"}
    flagged = cases = 0
    for world in worlds:
        chosen = world.truth.is_good & (world.truth.kind == "plain")
        flagged += int((world.scored["poor"].score[chosen] >= 0.6).sum())
        cases += int(chosen.sum())
    assert shares["plain"].n_cases == cases
    assert shares["plain"].share.value == pytest.approx(flagged / cases)
    assert shares["plain"].share.low < flagged / cases < shares["plain"].share.high


def test_a_customer_flagged_twice_counts_once() -> None:
    world = make_world(1)
    truth, alarm = world.truth, world.scored["poor"].score >= 0.6
    good = {int(p) for p in truth.person[truth.is_good]}
    hit = {int(p) for p in truth.person[truth.is_good & alarm]}
    orders = world.order_truth
    hit |= {int(p) for p in orders.person[orders.is_good & world.is_order_alarm]}
    ever = compute_ever_flagged([world], "poor")
    assert ever.n_persons == len(good)
    assert ever.share == pytest.approx(len(hit) / len(good))
    assert max(ever.by_returns, ever.by_orders) <= ever.share


def test_a_perfect_probability_shows_about_the_floor_of_the_calibration_error() -> None:
    world = make_world(1, 20_000)
    random = np.random.default_rng(5)
    p = random.beta(0.5, 4.0, 20_000)
    truth = TrueCases(**{**vars(world.truth), "is_abuse": random.random(20_000) < p})
    perfect = JudgedWorld(
        **{**vars(world), "truth": truth, "scored": {"perfect": Scored(p, 0.9, True)}}
    )
    found = compute_true_calibration([perfect], "perfect", Resampling(40, 1))
    assert found.error.value < 2.0 * found.error_floor
    assert found.line.slope == pytest.approx(1.0, abs=0.1)
    assert found.top_ratio.low < 1.0 < found.top_ratio.high
    assert found.skill.low > 0.0


def test_calibration_against_checks_counts_each_as_many_times_as_it_stands_for() -> None:
    world = make_world(1)
    found = compute_told_calibration([world], "good", Resampling(5, 1))
    checked = world.told_weight > 0.0
    assert found.n_cases == int(checked.sum())
    assert found.prevalence == pytest.approx(world.truth.is_abuse[checked].mean())


def test_calibration_of_clicks_is_told_against_probabilities() -> None:
    found = compute_click_calibration([make_world(1), make_world(2)], Resampling(5, 1))
    assert found.n_cases == 100
    assert found.error.value == pytest.approx(0.1)
    assert found.mean_probability == pytest.approx(0.6)
    assert found.prevalence == pytest.approx(0.7)
