"""The index is 0 for equal spreads, grows with the change, and chance's reach is told."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drift.stability import (
    StabilityBars,
    compute_noise,
    compute_psi,
    compute_stabilities,
)

_counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)


def _row(*counts: int) -> npt.NDArray[np.int64]:
    return np.array([counts], np.int64)


@given(before=_counts, now=_counts)
def test_the_index_is_finite_symmetric_and_not_below_zero(
    before: list[int], now: list[int]
) -> None:
    there, back = (compute_psi(_row(*a), _row(*b))[0] for a, b in ((before, now), (now, before)))
    assert math.isfinite(there)
    assert there >= 0.0
    assert there == pytest.approx(back)


def test_the_index_is_that_of_the_definition() -> None:
    p, q = np.array([0.25, 0.75]), np.array([0.4, 0.6])
    expected = float(((q - p) * np.log(q / p)).sum())
    found = compute_psi(_row(250_000, 750_000), _row(400_000, 600_000))[0]
    assert found == pytest.approx(expected, abs=1e-5)


def test_bins_that_nobody_uses_do_not_count() -> None:
    short = compute_psi(_row(30, 70), _row(40, 60))
    long = compute_psi(_row(30, 70, 0, 0), _row(40, 60, 0, 0))
    assert short == pytest.approx(long)


def test_no_cases_are_not_stable_but_unknown() -> None:
    (found,) = compute_stabilities(["a"], _row(5, 5), _row(0, 0), (10, 0), StabilityBars())
    assert math.isnan(found.psi)
    assert found.state == "too few"


@pytest.mark.parametrize("n", [100, 1000])
def test_chance_reaches_its_bound_about_as_often_as_it_is_said_to(n: int) -> None:
    random = np.random.default_rng(3)
    share = np.full(20, 0.05)
    before = random.multinomial(5000, share, 4000)
    now = random.multinomial(n, share, 4000)
    exceeded = float((compute_psi(before, now) > compute_noise(20, (5000, n), 1)).mean())
    assert 0.02 < exceeded < 0.08


@pytest.mark.parametrize(
    ("now", "customers", "state"),
    [
        ((505, 495), 1000, "stable"),
        ((680, 320), 1000, "moved"),
        ((800, 200), 1000, "drifted"),
        ((800, 200), 9, "too few"),
    ],
)
def test_states_follow_the_bars_and_few_customers_raise_no_alarm(
    now: tuple[int, int], customers: int, state: str
) -> None:
    (found,) = compute_stabilities(
        ["a"], _row(500, 500), _row(*now), (1000, customers), StabilityBars()
    )
    assert found.state == state
