"""Which cases tell what a margin is worth, and what is held against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from features.definition import DAY_US
from features.definitions import N_FEATURES
from training.calibrating import (
    LATEST_SHARE,
    MAX_LATEST_DAYS,
    MIN_CURVE_POSITIVES,
    TellingCases,
    calibrate,
    find_latest,
    find_telling_cases,
)
from training.calibration import LookErrors, compute_probability
from training.growing import HeadParameters, Part, compute_caps

QUICK = HeadParameters(max_trees=30, n_folds=2)
Floats = npt.NDArray[np.float64]


def _draw(n: int, days: float, seed: int = 1) -> Part:
    """Return cases of some days; their third column tells what they are."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, N_FEATURES)).astype(np.float32)
    chance = 1.0 / (1.0 + np.exp(1.5 - 1.5 * rows[:, 2]))
    return Part(
        rows,
        (random.random(n) < chance).astype(np.float64),
        np.ones(n),
        random.integers(0, n // 3, n),
        np.ones(n),
        time_us=np.sort(random.integers(0, int(days * DAY_US), n)),
    )


@pytest.mark.parametrize("days", [90.0, 540.0, 2_000.0])
def test_the_latest_cases_are_a_third_of_the_time_and_half_a_year_at_most(days: float) -> None:
    part = _draw(3_000, days)
    assert part.time_us is not None
    latest = part.time_us[find_latest(part)]
    length = (latest.max() - latest.min()) / DAY_US
    assert length == pytest.approx(min(days * LATEST_SHARE, MAX_LATEST_DAYS), rel=0.03)
    assert latest.max() == part.time_us.max()
    assert not find_latest(replace(part, time_us=None)).any()


def test_the_latest_cases_tell_if_they_are_enough_else_all() -> None:
    for n, is_latest in ((6_000, True), (600, False)):
        part = _draw(n, 300.0)
        caps = compute_caps(part.rows)
        told = find_telling_cases(part, np.zeros(n), caps, QUICK, 30, 1)
        assert told.is_latest is is_latest
        assert len(told.margin) == (find_latest(part).sum() if is_latest else n)
        assert np.ptp(told.margin) > 0.0 if is_latest else not told.margin.any()


def test_trees_of_the_older_cases_alone_judge_the_latest() -> None:
    part = _draw(6_000, 300.0)
    caps = compute_caps(part.rows)
    late = find_latest(part)
    told = find_telling_cases(part, np.zeros(len(part)), caps, QUICK, 30, 1)
    # Other labels of the latest change what is held against the margins, not the margins.
    other = replace(part, label=np.where(late, 1.0 - part.label, part.label))
    turned = find_telling_cases(other, np.zeros(len(part)), caps, QUICK, 30, 1)
    np.testing.assert_array_equal(told.margin, turned.margin)
    np.testing.assert_array_equal(told.target, 1.0 - turned.target)


@pytest.mark.parametrize("expected", [0.0, 0.3, 1.0])
def test_checked_cases_correct_whatever_was_expected_of_all(expected: float) -> None:
    part = _draw(90_000, 1.0)
    random = np.random.default_rng(5)
    chance = np.where(part.rows[:, 2] > 0.0, 0.6, 0.15)  # Odd cases are checked more often.
    is_checked = random.random(len(part)) < chance
    seen = replace(
        part,
        label=np.where(is_checked, part.label, 0.0),
        weight=np.where(is_checked, 1.0 / chance, 0.0),
        time_us=None,
        expected_label=np.full(len(part), expected),
    )
    margin = 1.5 * part.rows[:, 2].astype(np.float64) - 1.5
    told = find_telling_cases(seen, margin, compute_caps(part.rows), QUICK, 30, 1)
    assert told.target.mean() == pytest.approx(part.label.mean(), abs=0.012)
    assert told.effective_n < 0.6 * len(part)
    found = compute_probability(told.margin, calibrate(told, 8))
    for group in np.array_split(np.argsort(margin), 6):
        assert found[group].mean() == pytest.approx(part.label[group].mean(), abs=0.03)


def test_few_positives_give_a_line_and_many_a_bend_that_knows_how_labels_err() -> None:
    random = np.random.default_rng(8)
    n = 60_000
    margin = random.normal(-1.0, 1.5, n)
    truth = 1.0 / (1.0 + np.exp(-np.where(margin > 0.0, 2.0 * margin, 0.5 * margin)))
    label = (random.random(n) < 0.8 * truth).astype(np.float64)
    errors = LookErrors(np.full(n, 0.2), np.zeros(n))
    cases = TellingCases(margin, label, np.ones(n), np.arange(n), errors, n, int(label.sum()), True)
    bent = calibrate(cases, 8)
    assert (bent.method, len(bent.knot_at)) == ("curve", 8)
    assert np.abs(compute_probability(margin, bent) - truth).mean() < 0.01
    few = replace(cases, n_positive=MIN_CURVE_POSITIVES - 1)
    for line in (calibrate(few, 8), calibrate(cases, 0)):
        assert (line.method, line.knot_at) == ("platt", [])
        assert np.abs(compute_probability(margin, line) - truth).mean() > 0.02
