"""The day ledger: laws of its sums, of closed days and of what it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.simulation.ledger import DayLedger

BOOKINGS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 3), st.integers(-3, 3)), max_size=40
)


@given(BOOKINGS)
def test_a_read_is_the_sum_of_all_days_until_it(bookings: list[tuple[int, int, int]]) -> None:
    ledger = DayLedger()
    for today in range(91):
        for day, cell, amount in bookings:
            if day == today:
                ledger.add(("stock", cell), day, amount)
        for cell in range(4):
            expected = sum(n for day, c, n in bookings if c == cell and day < today)
            if today:
                assert ledger.read(("stock", cell), today - 1) == expected


@given(st.permutations([(5, 2.0), (5, -1.0), (7, 4.0), (6, 1.0)]))
def test_the_order_of_bookings_does_not_matter(bookings: list[tuple[int, float]]) -> None:
    ledger = DayLedger()
    for day, amount in bookings:
        ledger.add(("stock", 1), day, amount)
    assert [ledger.read(("stock", 1), day) for day in (4, 5, 6, 7)] == [0.0, 1.0, 2.0, 6.0]


def test_a_closed_day_takes_nothing_more_and_time_does_not_go_back() -> None:
    ledger = DayLedger()
    ledger.read(("stock", 1), 5)
    with pytest.raises(ValueError, match="closed"):
        ledger.add(("stock", 2), 5, 1.0)
    with pytest.raises(ValueError, match="after day 5"):
        ledger.read(("stock", 1), 4)


def test_cells_that_came_back_to_where_they_were_are_forgotten() -> None:
    ledger = DayLedger()
    for day in range(2_000):
        ledger.add(("stock", day), day, -1.0)
        ledger.add(("stock", day), day + 10, 1.0)
        ledger.read(("stock", 0), day)
    assert len(ledger) < 60
