"""Which bought units a credit takes back: worked examples, and that no unit is made or lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.importers.online_retail.matching import (
    Matches,
    Matching,
    Movements,
    find_reinvoiced,
    match_credits,
)

MINUTE = 60_000_000

# (group, minute, source row, units)
Movement = tuple[int, int, int, int]


def _move(movements: list[Movement]) -> Movements:
    table = np.array(movements, np.int64).reshape(-1, 4)
    return Movements(table[:, 0], table[:, 1] * MINUTE, table[:, 2], table[:, 3])


def _match(
    purchases: list[Movement], credit_lines: list[Movement], matching: Matching
) -> tuple[list[tuple[int, int, int]], list[int]]:
    found = match_credits(_move(purchases), _move(credit_lines), matching)
    return _list_pairs(found), found.unmatched_units.tolist()


def _list_pairs(found: Matches) -> list[tuple[int, int, int]]:
    return list(
        zip(found.credit.tolist(), found.purchase.tolist(), found.units.tolist(), strict=True)
    )


TWO_PURCHASES = [(1, 10, 1, 6), (1, 20, 2, 4)]


def test_latest_takes_the_purchase_next_before_the_credit() -> None:
    assert _match(TWO_PURCHASES, [(1, 30, 3, 4)], Matching.LATEST) == ([(0, 1, 4)], [0])


def test_fifo_takes_the_first_purchase() -> None:
    assert _match(TWO_PURCHASES, [(1, 30, 3, 4)], Matching.FIFO) == ([(0, 0, 4)], [0])


def test_units_above_the_latest_purchase_go_to_the_one_before() -> None:
    assert _match(TWO_PURCHASES, [(1, 30, 3, 7)], Matching.LATEST) == (
        [(0, 1, 4), (0, 0, 3)],
        [0],
    )


def test_fifo_spills_to_the_next_purchase() -> None:
    assert _match(TWO_PURCHASES, [(1, 30, 3, 7)], Matching.FIFO) == ([(0, 0, 6), (0, 1, 1)], [0])


@pytest.mark.parametrize("matching", Matching)
def test_units_above_all_purchases_stay_unmatched(matching: Matching) -> None:
    pairs, unmatched = _match(TWO_PURCHASES, [(1, 30, 3, 25)], matching)
    assert sum(units for _, _, units in pairs) == 10
    assert unmatched == [15]


@pytest.mark.parametrize("matching", Matching)
def test_units_taken_once_cannot_be_taken_again(matching: Matching) -> None:
    identical = [(1, 30, 3, 10), (1, 30, 4, 10)]
    pairs, unmatched = _match(TWO_PURCHASES, identical, matching)
    assert {credit for credit, _, _ in pairs} == {0}
    assert unmatched == [0, 10]


@pytest.mark.parametrize("matching", Matching)
def test_later_purchases_and_other_groups_are_out_of_reach(matching: Matching) -> None:
    assert _match([(1, 40, 4, 9), (2, 10, 1, 9)], [(1, 30, 3, 1)], matching) == ([], [1])


@pytest.mark.parametrize("matching", Matching)
def test_at_equal_times_the_order_of_the_source_decides(matching: Matching) -> None:
    purchases = [(1, 30, 2, 1), (1, 30, 4, 1)]
    assert _match(purchases, [(1, 30, 3, 2)], matching) == ([(0, 0, 1)], [1])


def test_lines_of_one_invoice_are_taken_from_the_last_line() -> None:
    lines = [(1, 10, 1, 2), (1, 10, 2, 2)]
    assert _match(lines, [(1, 30, 3, 3)], Matching.LATEST) == ([(0, 1, 2), (0, 0, 1)], [0])


def test_credits_are_served_in_order_of_time_however_they_are_listed() -> None:
    purchases = [(1, 10, 1, 5)]
    credit_lines = [(1, 40, 4, 3), (1, 30, 3, 3)]
    assert _match(purchases, credit_lines, Matching.LATEST) == ([(0, 0, 2), (1, 0, 3)], [1, 0])


def test_candidates_count_what_a_credit_could_choose_from() -> None:
    purchases, credit_lines = _move(TWO_PURCHASES), _move([(1, 30, 3, 4), (1, 31, 4, 1)])
    found = match_credits(purchases, credit_lines, Matching.LATEST)
    assert found.n_candidates.tolist() == [2, 1]


def test_nothing_to_match_gives_no_pairs() -> None:
    assert _match([], [], Matching.LATEST) == ([], [])
    assert _match(TWO_PURCHASES, [], Matching.FIFO) == ([], [])
    assert _match([], [(1, 30, 3, 2)], Matching.FIFO) == ([], [2])


def test_reinvoiced_is_a_new_purchase_after_the_credit_within_the_hour() -> None:
    purchases = _move([(1, 0, 1, 5), (1, 60, 7, 5), (2, 121, 8, 5), (3, 30, 2, 1), (4, 30, 9, 1)])
    credit_lines = _move([(1, 0, 6, 5), (2, 60, 6, 5), (3, 30, 6, 1), (4, 30, 6, 1), (9, 0, 5, 1)])
    # Exactly an hour; 61 minutes; same minute but before it; same minute and after it; never.
    assert find_reinvoiced(purchases, credit_lines, 60 * MINUTE).tolist() == [
        True,
        False,
        False,
        True,
        False,
    ]


movements = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 8), st.integers(1, 12)), max_size=25
)


@given(movements, movements, st.sampled_from(Matching), st.randoms(use_true_random=False))
def test_units_are_conserved_and_taken_in_the_stated_order(
    bought: list[tuple[int, int, int]],
    credited: list[tuple[int, int, int]],
    matching: Matching,
    random: object,
) -> None:
    rows = list(range(len(bought) + len(credited)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    purchases = _move([(g, t, rows[i], u) for i, (g, t, u) in enumerate(bought)])
    credit_lines = _move([(g, t, rows[len(bought) + i], u) for i, (g, t, u) in enumerate(credited)])
    found = match_credits(purchases, credit_lines, matching)

    taken = np.zeros(len(bought), np.int64)
    np.add.at(taken, found.purchase, found.units)
    given_back = np.zeros(len(credited), np.int64)
    np.add.at(given_back, found.credit, found.units)
    assert (found.units >= 1).all()
    assert (taken <= purchases.units).all()
    assert (given_back + found.unmatched_units == credit_lines.units).all()
    pairs = _list_pairs(found)
    assert len({(c, p) for c, p, _ in pairs}) == len(pairs)
    _assert_greedy(purchases, credit_lines, found, matching)


def _assert_greedy(
    purchases: Movements, credit_lines: Movements, found: Matches, matching: Matching
) -> None:
    """Replay unit by unit: each unit comes from the first choice that is left."""
    left = purchases.units.tolist()
    pairs: dict[tuple[int, int], int] = {}
    for c in np.lexsort((credit_lines.source_row, credit_lines.time_us)).tolist():
        moment = (credit_lines.time_us[c], credit_lines.source_row[c])
        for _ in range(credit_lines.units[c]):
            open_ones = [
                (purchases.time_us[p], purchases.source_row[p], p)
                for p in range(len(left))
                if left[p]
                and purchases.group[p] == credit_lines.group[c]
                and (purchases.time_us[p], purchases.source_row[p]) < moment
            ]
            if not open_ones:
                break
            p = (max if matching is Matching.LATEST else min)(open_ones)[2]
            left[p] -= 1
            pairs[c, p] = pairs.get((c, p), 0) + 1
    assert {(c, p): units for c, p, units in _list_pairs(found)} == pairs
