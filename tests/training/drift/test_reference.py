"""Bins hold equal shares, few values keep a bin each, and what is new is seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from features.errors import MissingModelError
from training.drift.reference import (
    MAX_CASES,
    MIN_LATER_CASES,
    N_BINS,
    CallCases,
    CallReference,
    Spread,
    compute_spread,
    count_bins,
    decode_reference,
    encode_reference,
    make_reference,
)

Rows = npt.NDArray[np.float32]


def _spread(values: list[float] | npt.NDArray[np.float64]) -> Spread:
    column = np.array(values, np.float32)[:, None]
    return compute_spread(["a"], column, np.arange(len(column)))


def test_bins_of_many_values_hold_equal_shares_and_missing_ones_stand_last() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    values[:100] = np.nan
    counts = _spread(values).counts[0]
    assert counts[-1] == 100
    assert counts.sum() == 2000
    assert set(counts[:N_BINS]) == {95}


def test_few_values_keep_a_bin_each_and_a_rare_one_is_not_lost() -> None:
    counts = _spread([0.0] * 1 + [1.0] * 99).counts[0]
    assert counts[:3].tolist() == [1, 99, 0]


def test_a_value_above_all_of_a_frequent_greatest_one_has_a_bin_of_its_own() -> None:
    before = _spread([0.0, 1.0] * 50)
    now = count_bins(before.edges, np.full((10, 1), 2.0, np.float32))
    assert now[0, 2] == 10
    assert before.counts[0, 2] == 0


def test_a_column_that_is_always_missing_is_kept() -> None:
    spread = _spread([np.nan] * 5)
    assert spread.counts[0].tolist() == [0] * N_BINS + [5]


def test_infinite_values_are_counted() -> None:
    spread = _spread([*np.linspace(0, 1, 100), np.inf, -np.inf])
    assert spread.counts.sum() == 102


def _predict(calls: list[int]) -> Callable[[Rows], dict[str, Rows]]:
    def run(rows: Rows) -> dict[str, Rows]:
        calls.append(len(rows))
        return {"abuse__return": rows[:, 0] / 2.0, "other": rows[:, 0]}

    return run


@pytest.mark.parametrize(
    ("n_later", "n_scored"), [(MIN_LATER_CASES - 1, 40), (MIN_LATER_CASES, MIN_LATER_CASES)]
)
def test_scores_are_those_of_later_cases_if_there_are_enough(n_later: int, n_scored: int) -> None:
    n = 40 + n_later
    rows = np.random.default_rng(1).random((n, 2), np.float32)
    cases = CallCases(rows, np.arange(n), np.arange(n) // 2)
    seen: list[int] = []
    found = make_reference(cases, 40, ("a", "b"), ("abuse__return",), _predict(seen))
    assert found is not None
    assert seen == [n_scored]
    assert found.columns.counts.sum(axis=1).tolist() == [40, 40]
    assert found.columns.n_customers == 20
    assert found.scores.names == ("abuse__return",)
    assert found.scores.counts.sum() == n_scored


def test_nothing_before_the_cut_gives_no_reference() -> None:
    cases = CallCases(np.zeros((3, 1), np.float32), np.arange(3) + 10, np.arange(3))
    assert make_reference(cases, 10, ("a",), ("abuse__return",), _predict([])) is None


def test_many_cases_are_thinned_evenly_in_time() -> None:
    n = MAX_CASES * 3
    cases = CallCases(np.zeros((n, 1), np.float32), np.arange(n), np.arange(n))
    found = cases.select(cases.time_us < n)
    assert len(found) == MAX_CASES
    assert (found.time_us[0], found.time_us[-1]) == (0, n - 1)
    assert np.diff(found.time_us).max() <= 4


def _make_reference() -> dict[str, CallReference]:
    spread = _spread(np.random.default_rng(2).random(50))
    return {"return": CallReference(spread, spread), "order": CallReference(spread, spread)}


def test_a_reference_is_read_back_and_its_bytes_are_repeatable() -> None:
    content = encode_reference(_make_reference())
    assert content == encode_reference(_make_reference())
    found = decode_reference(content)
    assert list(found) == ["return", "order"]
    for call, expected in _make_reference().items():
        assert np.array_equal(found[call].columns.counts, expected.columns.counts)
        assert np.array_equal(found[call].scores.edges, expected.scores.edges)
        assert found[call].scores.n_customers == 50
    assert decode_reference(encode_reference({})) == {}


def test_a_damaged_reference_is_refused() -> None:
    content = encode_reference(_make_reference())
    for damaged in (b"", b"no archive", content[: len(content) // 2]):
        with pytest.raises(MissingModelError, match="drift"):
            decode_reference(damaged)
    spread = _spread([1.0, 2.0])
    short = Spread(("a", "b"), spread.edges, spread.counts, 2)
    with pytest.raises(MissingModelError, match="does not fit"):
        decode_reference(encode_reference({"return": CallReference(short, short)}))
