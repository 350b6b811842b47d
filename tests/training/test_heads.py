"""A head is fitted the same each time, on known cases only, and refuses too few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.definitions import FEATURE_NAMES, FEATURES, N_FEATURES
from features.errors import HemostatError
from training.growing import HeadParameters, Part, compute_caps, winsorise
from training.heads import fit_head, predict_probability
from training.learning import compute_baseline, compute_ranges

QUICK = HeadParameters(max_trees=20)
VALUE = FEATURE_NAMES.index("request_value_minor")
STATE = FEATURE_NAMES.index("customer_state")
COUNT = FEATURE_NAMES.index("return_count_lifetime")


def _draw(n: int = 2_000, seed: int = 0) -> Part:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, N_FEATURES)).astype(np.float32)
    rows[:, VALUE] = random.lognormal(8, 1, n)
    rows[random.random(rows.shape) < 0.2] = np.nan
    label = (np.nan_to_num(rows[:, COUNT]) + random.normal(size=n) > 1.5).astype(np.float64)
    group = random.integers(0, n // 4, n)
    return Part(rows, label, np.ones(n), group, 1.0 - label)


def test_the_same_cases_and_seed_give_the_same_bytes() -> None:
    one, other = (fit_head(_draw(), QUICK, 3, gives_hint=True) for _ in range(2))
    assert one.booster.save_raw() == other.booster.save_raw()
    assert (one.calibration, one.thresholds) == (other.calibration, other.thresholds)
    assert one.booster.save_raw() != fit_head(_draw(), QUICK, 4, gives_hint=True).booster.save_raw()


def test_probabilities_hold_for_customers_never_seen() -> None:
    fitted = fit_head(_draw(8_000), HeadParameters(max_trees=60), 1, gives_hint=False)
    later = _draw(20_000, seed=9)
    score = predict_probability(fitted, later.rows)
    assert score.mean() == pytest.approx(later.label.mean(), rel=0.08)
    high = score > 0.5
    assert later.label[high].mean() == pytest.approx(score[high].mean(), abs=0.08)


def test_cases_of_unknown_outcome_teach_nothing_but_the_threshold() -> None:
    part = _draw()
    unknown = _draw(500, seed=5)
    n_groups = int(part.group.max()) + 1
    both = Part(
        np.concatenate([part.rows, unknown.rows]),
        np.concatenate([part.label, np.zeros(500)]),
        np.concatenate([part.weight, np.zeros(500)]),
        np.concatenate([part.group, unknown.group % n_groups]),
        np.concatenate([part.honesty, np.ones(500)]),
    )
    alone, together = (fit_head(cases, QUICK, 1, gives_hint=True) for cases in (part, both))
    assert together.calibration == alone.calibration
    later = _draw(500, seed=9)
    np.testing.assert_allclose(
        predict_probability(together, later.rows), predict_probability(alone, later.rows)
    )
    assert together.thresholds != alone.thresholds


def test_good_customers_are_flagged_as_rarely_as_asked() -> None:
    parameters = replace(QUICK, false_alarm_target=0.03)
    fitted = fit_head(_draw(6_000), parameters, 1, gives_hint=True)
    later = _draw(6_000, seed=9)
    thresholds = fitted.find_thresholds(later.rows)
    assert thresholds is not None
    flagged = (predict_probability(fitted, later.rows) >= thresholds)[later.honesty > 0.0]
    assert 0.015 < flagged.mean() < 0.045


@pytest.mark.parametrize("n_positive", [0, 19])
def test_too_few_of_a_class_are_refused_with_their_count(n_positive: int) -> None:
    part = _draw(500)
    label = np.zeros(500)
    label[:n_positive] = 1.0
    with pytest.raises(HemostatError, match=f"{500 - n_positive} negative, {n_positive} positive"):
        fit_head(replace(part, label=label), QUICK, 1, gives_hint=False)


def test_money_is_capped_and_nothing_else() -> None:
    rows = _draw().rows
    caps = compute_caps(rows)
    money = np.array([feature.unit == "minor" for feature in FEATURES])
    np.testing.assert_array_equal(np.isfinite(caps), money)
    capped = winsorise(rows, caps)
    np.testing.assert_array_equal(np.isnan(capped), np.isnan(rows))
    share = (rows[:, VALUE] > caps[VALUE]).mean()
    assert 0.002 < share < 0.012
    assert np.nanmax(capped[:, VALUE]) == caps[VALUE]


def test_the_baseline_is_a_typical_good_case() -> None:
    part = _draw()
    part.rows[:, STATE] = 1.0
    part.rows[::3, STATE] = 0.0
    part.rows[:, COUNT] = np.where(part.honesty > 0.0, 2.0, 50.0)
    part.rows[: len(part) * 3 // 5, VALUE] = np.nan
    baseline = compute_baseline(part)
    assert baseline[STATE] == 1.0  # A code: the most frequent value, no value between codes.
    assert baseline[COUNT] == 2.0
    assert np.isnan(baseline[VALUE])


def test_ranges_say_what_training_saw() -> None:
    part = _draw()
    part.rows[:, COUNT] = np.nan
    caps = compute_caps(part.rows)
    ranges = {found.name: found for found in compute_ranges(part.rows, caps)}
    assert list(ranges) == list(FEATURE_NAMES)
    empty, value = ranges["return_count_lifetime"], ranges["request_value_minor"]
    assert (empty.low, empty.high, empty.cap, empty.missing_share) == (None, None, None, 1.0)
    assert value.high == value.cap == caps[VALUE]
    assert value.missing_share == pytest.approx(0.2, abs=0.05)
