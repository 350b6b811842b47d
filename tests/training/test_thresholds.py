"""The budget of false alarms is kept over all, the cap in every stratum."""

from __future__ import annotations

import numpy as np
import pytest

from features.definitions import FEATURE_NAMES, N_FEATURES
from training.calibration import choose_threshold
from training.thresholds import choose_thresholds

RECEIPT = FEATURE_NAMES.index("request_has_receipt")


def _make(n: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, honesty and rows; honest cases without receipt score higher."""
    random = np.random.default_rng(2)
    rows = np.full((n, N_FEATURES), np.nan, np.float32)
    rows[:, RECEIPT] = (random.random(n) > 0.08).astype(np.float32)
    is_abuse = random.random(n) < 0.1
    margin = random.normal(-2.0, 0.7, n) + 3.0 * is_abuse + 1.2 * (rows[:, RECEIPT] == 0.0)
    return 1.0 / (1.0 + np.exp(-margin)), (~is_abuse).astype(np.float64), rows


def test_no_stratum_is_flagged_above_its_cap_and_the_budget_is_spent() -> None:
    score, honesty, rows = _make()
    one = score >= choose_threshold(score, 0.005, honesty)
    is_bare = rows[:, RECEIPT] == 0.0
    honest = honesty > 0.0
    assert one[is_bare & honest].mean() > 0.03
    found = choose_thresholds(score, honesty, rows, 0.005, cap=0.015)
    flagged = score >= found.find(rows)
    assert flagged[is_bare & honest].mean() <= 0.015
    assert flagged[honest].mean() == pytest.approx(0.005, rel=0.02)
    assert flagged[honest].mean() <= 0.005
    assert found.by_stratum["no_receipt"] > found.value


def test_where_nothing_is_above_the_cap_one_threshold_holds() -> None:
    score, honesty, rows = _make()
    rows[:, RECEIPT] = 1.0
    found = choose_thresholds(score, honesty, rows, 0.005)
    assert found.by_stratum == {}
    assert found.value == choose_threshold(score, 0.005, honesty)


def test_small_strata_have_no_threshold_of_their_own() -> None:
    score, honesty, rows = _make(2_000)
    assert choose_thresholds(score, honesty, rows, 0.005).by_stratum == {}


def test_a_budget_of_nothing_flags_no_honest_case() -> None:
    score, honesty, rows = _make()
    found = choose_thresholds(score, honesty, rows, 0.0)
    assert not (honesty[score >= found.find(rows)] > 0.0).any()
