"""The newest cases calibrate, trees that judge them never saw them, and all grow the last trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.definition import DAY_US
from features.definitions import FEATURES
from features.errors import HemostatError
from features.model_bundle.manifest import TrainingWindow
from training.facts import Ints
from training.forward_fitting import fit_forward, is_forward
from training.growing import HeadParameters, Part
from training.head_definitions import BOOKING_HEAD
from training.heads import fit_head, predict_probability
from training.learning import HeadParts, adapt_parameters, learn_head
from training.split import Split

QUICK = HeadParameters(max_trees=60, max_depth=3)
CUT_US = 400 * DAY_US
THREE = FEATURES[:3]


def _draw(n: int, first_day: int, days: int, shift: float, seed: int) -> Part:
    """Return cases of some days whose log-odds all lie higher by a shift."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, 3)).astype(np.float32)
    chance = 1.0 / (1.0 + np.exp(-(1.5 * rows[:, 0] - 1.0 + shift)))
    label = (random.random(n) < chance).astype(np.float64)
    due_us = (first_day + random.integers(0, days, n)) * DAY_US
    return Part(rows, label, np.ones(n), np.arange(n), np.ones(n), due_us=due_us)


def _join(one: Part, other: Part) -> Part:
    return Part(
        np.concatenate([one.rows, other.rows]),
        np.concatenate([one.label, other.label]),
        np.concatenate([one.weight, other.weight]),
        np.arange(len(one) + len(other)),
        np.concatenate([one.honesty, other.honesty]),
        due_us=np.concatenate([_get_due(one), _get_due(other)]),
    )


def _get_due(part: Part) -> Ints:
    assert part.due_us is not None
    return part.due_us


@pytest.fixture(scope="module")
def moving() -> Part:
    """Cases whose share of positives rises from one 60 days to the next."""
    part = _draw(6_000, 0, 280, 0.0, 1)
    for step in (1, 2):
        part = _join(part, _draw(3_000, 220 + 60 * step, 60, 0.7 * step, 1 + step))
    return part


def test_a_share_that_goes_on_moving_is_followed(moving: Part) -> None:
    part = moving
    later = _draw(8_000, 400, 60, 2.1, 9)
    forward = fit_forward(part, CUT_US, QUICK, 1, features=THREE, latest_days=60, settle_days=0)
    crossed = fit_head(part, QUICK, 1, gives_hint=False, features=THREE)
    truth = later.label.mean()
    by_slice = predict_probability(forward, later.rows).mean()
    by_folds = predict_probability(crossed, later.rows).mean()
    assert by_folds < truth - 0.1
    assert abs(by_slice - truth) < 0.6 * abs(by_folds - truth)


def test_the_slice_grows_the_final_trees_but_not_those_that_judge_it() -> None:
    old = _draw(4_000, 0, 340, 0.0, 1)
    new = _draw(2_000, 340, 60, 0.0, 2)
    # A column that says nothing of older cases tells the label in the slice alone.
    rows = new.rows.copy()
    rows[:, 2] = np.where(new.label > 0, 4.0, -4.0)
    silent = old.rows.copy()
    silent[:, 2] = np.nan
    part = _join(replace(old, rows=silent), replace(new, rows=rows))
    found = fit_forward(part, CUT_US, QUICK, 1, features=THREE, latest_days=60, settle_days=0)
    assert "f2" in found.booster.get_score()
    # Trees that had seen it would separate the slice and call everything certain.
    plain = fit_forward(
        _join(replace(old, rows=silent), new), CUT_US, QUICK, 1,
        features=THREE, latest_days=60, settle_days=0,
    )  # fmt: skip
    assert found.calibration == plain.calibration


def test_the_same_cases_give_the_same_bytes_and_no_threshold(moving: Part) -> None:
    part = moving
    one, other = (fit_forward(part, CUT_US, QUICK, 4, features=THREE) for _ in range(2))
    assert one.booster.save_raw() == other.booster.save_raw()
    assert one.calibration == other.calibration
    assert one.thresholds is None


def test_the_newest_cases_do_not_calibrate_before_they_have_settled(
    moving: Part,
) -> None:
    part = moving
    is_new = _get_due(part) >= CUT_US - 10 * DAY_US
    # Of the newest days only the bad ends are known.
    seen = replace(part, weight=np.where(is_new & (part.label == 0.0), 0.0, 1.0))
    at_once, settled = (
        fit_forward(seen, CUT_US, QUICK, 1, features=THREE, latest_days=45, settle_days=days)
        for days in (0, 10)
    )
    later = _draw(4_000, 400, 60, 1.4, 9)
    assert (
        predict_probability(at_once, later.rows).mean()
        > predict_probability(settled, later.rows).mean() + 0.02
    )


@pytest.mark.parametrize(("days", "told"), [(1, "latest"), (400, "older")])
def test_a_slice_that_leaves_too_few_cases_is_refused(moving: Part, days: int, told: str) -> None:
    part = moving
    is_wanted = (_get_due(part) < 399 * DAY_US) | (part.label > 0)
    with pytest.raises(HemostatError, match=f"too few {told}"):
        fit_forward(
            part.select(is_wanted),
            CUT_US,
            QUICK,
            1,
            features=THREE,
            latest_days=days,
            settle_days=0,
        )


def test_only_a_part_that_tells_when_outcomes_are_due_is_fitted_forward(moving: Part) -> None:
    assert is_forward(moving, CUT_US)
    assert not is_forward(replace(moving, due_us=None), CUT_US)
    assert not is_forward(moving.select(_get_due(moving) < 200 * DAY_US), CUT_US)


def test_a_head_of_promised_days_is_fitted_forward_and_by_deeper_trees(moving: Part) -> None:
    later = _draw(2_000, 400, 60, 1.4, 9)
    window = TrainingWindow(train_start_us=0, train_end_us=1, test_start_us=CUT_US, test_end_us=1)
    split = Split(window, np.ones(len(moving), np.bool_), np.ones(len(later), np.bool_))
    parts = HeadParts(split, moving, later, later.rows)
    adapted = adapt_parameters(QUICK, BOOKING_HEAD)
    assert (adapted.max_trees, adapted.max_depth) == (120, 5)
    learned = learn_head(BOOKING_HEAD, parts, QUICK, 1, THREE)
    forward = fit_forward(moving, CUT_US, adapted, 1, features=THREE)
    assert learned.fitted.booster.save_raw() == forward.booster.save_raw()
    assert learned.fitted.calibration == forward.calibration
    assert learned.fitted.calibration.is_latest
    # Without promised days it is cross-fitted as any other.
    unpromised = HeadParts(split, replace(moving, due_us=None), later, later.rows)
    assert not learn_head(BOOKING_HEAD, unpromised, QUICK, 1, THREE).fitted.calibration.is_latest
