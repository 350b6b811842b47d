"""The newest cases calibrate, trees that judge them never saw them, and all grow the last trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.definition import DAY_US
from features.definitions import FEATURES
from features.errors import HemostatError
from training.facts import Ints
from training.forward_fitting import fit_forward
from training.growing import HeadParameters, Part
from training.heads import fit_head, predict_probability

QUICK = HeadParameters(max_trees=60, max_depth=3)
CUT_US = 400 * DAY_US
THREE = FEATURES[:3]


def _draw(n: int, first_day: int, days: int, shift: float, seed: int) -> tuple[Part, Ints]:
    """Return cases of some days whose log-odds all lie higher by a shift."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, 3)).astype(np.float32)
    chance = 1.0 / (1.0 + np.exp(-(1.5 * rows[:, 0] - 1.0 + shift)))
    label = (random.random(n) < chance).astype(np.float64)
    due_us = (first_day + random.integers(0, days, n)) * DAY_US
    return Part(rows, label, np.ones(n), np.arange(n), np.ones(n)), due_us


def _join(one: Part, other: Part) -> Part:
    return Part(
        np.concatenate([one.rows, other.rows]),
        np.concatenate([one.label, other.label]),
        np.concatenate([one.weight, other.weight]),
        np.arange(len(one) + len(other)),
        np.concatenate([one.honesty, other.honesty]),
    )


@pytest.fixture(scope="module")
def moving() -> tuple[Part, Ints]:
    """Cases whose share of positives rises from one 60 days to the next."""
    part, due_us = _draw(6_000, 0, 280, 0.0, 1)
    for step in (1, 2):
        newer, newer_due = _draw(3_000, 220 + 60 * step, 60, 0.7 * step, 1 + step)
        part, due_us = _join(part, newer), np.concatenate([due_us, newer_due])
    return part, due_us


def test_a_share_that_goes_on_moving_is_followed(moving: tuple[Part, Ints]) -> None:
    part, due_us = moving
    later, _ = _draw(8_000, 400, 60, 2.1, 9)
    forward = fit_forward(
        part, due_us, CUT_US, QUICK, 1, features=THREE, latest_days=60, settle_days=0
    )
    crossed = fit_head(part, QUICK, 1, gives_hint=False, features=THREE)
    truth = later.label.mean()
    by_curve = forward.predict_probability(later.rows).mean()
    by_line = predict_probability(forward.fitted, later.rows).mean()
    by_folds = predict_probability(crossed, later.rows).mean()
    assert by_folds < truth - 0.1
    assert abs(by_curve - truth) < 0.6 * abs(by_folds - truth)
    assert by_line == pytest.approx(by_curve, abs=0.02)


def test_the_slice_grows_the_final_trees_but_not_those_that_judge_it() -> None:
    old, old_due = _draw(4_000, 0, 340, 0.0, 1)
    new, new_due = _draw(2_000, 340, 60, 0.0, 2)
    due_us = np.concatenate([old_due, new_due])
    # A column that says nothing of older cases tells the label in the slice alone.
    rows = new.rows.copy()
    rows[:, 2] = np.where(new.label > 0, 4.0, -4.0)
    silent = old.rows.copy()
    silent[:, 2] = np.nan
    part = _join(replace(old, rows=silent), replace(new, rows=rows))
    found = fit_forward(
        part, due_us, CUT_US, QUICK, 1, features=THREE, latest_days=60, settle_days=0
    )
    assert "f2" in found.fitted.booster.get_score()
    # Trees that had seen it would separate the slice and call everything certain.
    plain = fit_forward(
        _join(replace(old, rows=silent), new), due_us, CUT_US, QUICK, 1,
        features=THREE, latest_days=60, settle_days=0,
    )  # fmt: skip
    assert found.fitted.calibration == plain.fitted.calibration


def test_the_same_cases_give_the_same_bytes_and_no_threshold(moving: tuple[Part, Ints]) -> None:
    part, due_us = moving
    one, other = (
        fit_forward(part, due_us, CUT_US, QUICK, 4, features=THREE).fitted for _ in range(2)
    )
    assert one.booster.save_raw() == other.booster.save_raw()
    assert one.calibration == other.calibration
    assert one.thresholds is None


def test_the_newest_cases_do_not_calibrate_before_they_have_settled(
    moving: tuple[Part, Ints],
) -> None:
    part, due_us = moving
    is_new = due_us >= CUT_US - 10 * DAY_US
    # Of the newest days only the bad ends are known.
    seen = replace(part, weight=np.where(is_new & (part.label == 0.0), 0.0, 1.0))
    at_once, settled = (
        fit_forward(
            seen, due_us, CUT_US, QUICK, 1, features=THREE, latest_days=45, settle_days=days
        )
        for days in (0, 10)
    )
    later, _ = _draw(4_000, 400, 60, 1.4, 9)
    assert (
        at_once.predict_probability(later.rows).mean()
        > settled.predict_probability(later.rows).mean() + 0.02
    )


@pytest.mark.parametrize(("days", "told"), [(1, "latest"), (400, "older")])
def test_a_slice_that_leaves_too_few_cases_is_refused(
    moving: tuple[Part, Ints], days: int, told: str
) -> None:
    part, due_us = moving
    is_wanted = (due_us < 399 * DAY_US) | (part.label > 0)
    with pytest.raises(HemostatError, match=f"too few {told}"):
        fit_forward(
            part.select(is_wanted),
            due_us[is_wanted],
            CUT_US,
            QUICK,
            1,
            features=THREE,
            latest_days=days,
            settle_days=0,
        )
