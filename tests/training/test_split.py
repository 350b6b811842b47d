"""The split by time: what the model may know at its birth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.definition import DAY_US
from training.split import compute_default_cut_us, split_cases

DAYS = st.integers(1, 400)


@given(
    days=st.lists(st.integers(0, 1_000), min_size=1, max_size=40),
    horizon=DAYS,
    cut=st.integers(1, 900),
    end=st.integers(900, 1_000),
)
def test_train_has_matured_at_the_cut_and_test_at_the_end(
    days: list[int], horizon: int, cut: int, end: int
) -> None:
    time_us = np.array(days) * DAY_US
    split = split_cases(time_us, horizon * DAY_US, cut * DAY_US, end * DAY_US)
    np.testing.assert_array_equal(split.is_train, time_us + horizon * DAY_US <= cut * DAY_US)
    is_test = (time_us >= cut * DAY_US) & (time_us + horizon * DAY_US <= end * DAY_US)
    np.testing.assert_array_equal(split.is_test, is_test)
    assert split.window.train_end_us <= split.window.test_start_us <= split.window.test_end_us


def test_the_fixed_split_of_online_retail_follows_from_its_cut() -> None:
    def at(day: str) -> int:
        return int(np.datetime64(day, "us").astype(np.int64))

    split = split_cases(
        np.array([at("2010-12-01")]), 30 * DAY_US, at("2011-07-01"), at("2011-09-30T16:00")
    )
    assert split.window.train_end_us == at("2011-06-01") + 1
    assert split.window.test_end_us == at("2011-08-31T16:00") + 1
    assert compute_default_cut_us(at("2010-12-01T08:26"), at("2011-09-30T16:00")) == at(
        "2011-07-01"
    )


@pytest.mark.parametrize("n_days", [3, 90])
def test_the_default_cut_is_a_midnight_inside_the_log(n_days: int) -> None:
    start = 17 * DAY_US + 5
    cut = compute_default_cut_us(start, start + n_days * DAY_US)
    assert cut % DAY_US == 0
    assert start < cut < start + n_days * DAY_US
