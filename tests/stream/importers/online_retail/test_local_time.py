from __future__ import annotations

import numpy as np
import pytest

from stream.importers.online_retail.local_time import from_london_time


def _read(text: str) -> np.int64:
    return np.datetime64(text, "us").astype(np.int64)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2010-12-01T08:26", "2010-12-01T08:26"),
        ("2011-03-27T00:59", "2011-03-27T00:59"),
        ("2011-03-27T02:00", "2011-03-27T01:00"),
        ("2011-07-01T12:00", "2011-07-01T11:00"),
        ("2011-10-30T00:59", "2011-10-29T23:59"),
        ("2011-10-30T02:00", "2011-10-30T02:00"),
    ],
)
def test_london_is_an_hour_ahead_in_summer_only(local: str, utc: str) -> None:
    times = from_london_time(np.array([_read(local)]))
    assert times.time_us.tolist() == [_read(utc)]
    assert not times.is_ambiguous.any()
    assert not times.is_skipped.any()


def test_a_time_that_came_twice_is_its_first_coming() -> None:
    times = from_london_time(np.array([_read("2011-10-30T01:30")]))
    assert times.time_us.tolist() == [_read("2011-10-30T00:30")]
    assert times.is_ambiguous.tolist() == [True]
    assert times.is_skipped.tolist() == [False]


def test_a_time_that_never_came_keeps_its_distance_to_those_before() -> None:
    times = from_london_time(np.array([_read("2011-03-27T00:59"), _read("2011-03-27T01:30")]))
    assert (times.time_us[1] - times.time_us[0]) // 60_000_000 == 31
    assert times.is_skipped.tolist() == [False, True]
    assert times.is_ambiguous.tolist() == [False, False]


def test_rows_keep_their_place_and_repetitions() -> None:
    local = np.array([_read(t) for t in ("2011-07-01T12:00", "2010-12-01", "2011-07-01T12:00")])
    expected = [_read("2011-07-01T11:00"), _read("2010-12-01"), _read("2011-07-01T11:00")]
    assert from_london_time(local).time_us.tolist() == expected
