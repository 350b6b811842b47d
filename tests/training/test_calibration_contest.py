"""The curve is served where it foretells unseen customers better, the line elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.calibrating import MIN_CURVE_POSITIVES, TellingCases, calibrate
from training.calibration import LookErrors
from training.calibration_contest import find_truth, hold_contest
from training.growing import Floats

N = 12_000


def _draw(log_odds: Floats, margin: Floats, seed: int) -> TellingCases:
    random = np.random.default_rng(seed)
    label = (random.random(len(margin)) < 1.0 / (1.0 + np.exp(-log_odds))).astype(np.float64)
    n = len(margin)
    group = random.integers(0, n // 3, n)
    return TellingCases(margin, label, np.ones(n), group, None, n, int(label.sum()), False)


@pytest.fixture(scope="module")
def bent() -> TellingCases:
    """Margins that say much below 0 and nothing above."""
    margin = np.random.default_rng(1).normal(size=N) * 2.0
    return _draw(np.minimum(2.0 * margin, 0.0) - 0.5, margin, 2)


def test_margins_that_bend_get_the_curve_and_it_beats_the_line_surely(bent: TellingCases) -> None:
    contest = hold_contest(bent, 8, 1)
    assert contest.winner == calibrate(bent, 8)
    found = {one.method: one for one in contest.standings}
    assert set(found) == {"platt", "curve", "isotonic", "venn_abers"}
    over = found["curve"].log_loss_over_platt
    assert over.high is not None
    assert over.high < 0.0
    assert found["platt"].log_loss_over_platt.value == 0.0
    assert found["curve"].calibration_error < 0.6 * found["platt"].calibration_error
    losses = [one.log_loss for one in contest.standings]
    assert losses == sorted(losses)
    # One shape, four ways: none that bends is far from another.
    assert max(one.log_loss for name, one in found.items() if name != "platt") < (
        found["platt"].log_loss
    )


def test_where_the_curve_foretells_no_better_the_line_is_served() -> None:
    random = np.random.default_rng(3)
    margin = random.normal(size=1_500)
    served = set()
    for seed in range(6):
        cases = _draw(1.4 * margin - 1.0, margin, seed)
        contest = hold_contest(cases, 8, 1)
        loss = {one.method: one.log_loss for one in contest.standings}
        is_better = loss["curve"] < loss["platt"]
        assert contest.winner == calibrate(cases, 8 if is_better else 0)
        served.add(contest.winner.method)
    assert "platt" in served


def test_few_positives_get_a_line_and_no_contest(bent: TellingCases) -> None:
    few = replace(bent, n_positive=MIN_CURVE_POSITIVES - 1)
    assert hold_contest(few, 8, 1).standings == ()
    assert hold_contest(few, 8, 1).winner == calibrate(few, 0)
    assert "curve" not in {one.method for one in hold_contest(bent, 0, 1).standings}


def test_labels_that_err_are_judged_as_the_truth_would_judge(bent: TellingCases) -> None:
    random = np.random.default_rng(7)
    n = len(bent.margin)
    errors = LookErrors(np.full(n, 0.3), np.full(n, 0.02))
    chance = np.where(bent.target > 0, 1.0 - errors.missed, errors.blamed)
    seen = replace(bent, target=(random.random(n) < chance).astype(np.float64), errors=errors)
    assert find_truth(seen).mean() == pytest.approx(bent.target.mean(), abs=0.015)
    judged = {one.method: one for one in hold_contest(seen, 8, 1).standings}
    true = {one.method: one for one in hold_contest(bent, 8, 1).standings}
    assert set(judged) == {"platt", "curve", "isotonic"}  # Venn-Abers knows no errors.
    for method, one in judged.items():
        assert one.log_loss == pytest.approx(true[method].log_loss, abs=0.03)
        assert one.brier == pytest.approx(true[method].brier, abs=0.015)


def test_too_many_cases_are_judged_by_some_of_the_customers(
    bent: TellingCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.calibration_contest.MAX_CASES", 6_000)
    contest = hold_contest(bent, 8, 1)
    assert contest.winner == calibrate(bent, 8)
    whole = {one.method: one.log_loss for one in hold_contest(bent, 8, 1).standings}
    for one in contest.standings:
        assert one.log_loss == pytest.approx(whole[one.method], abs=0.02)
