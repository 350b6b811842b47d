from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.importers.online_retail.prices import to_minor_units


@pytest.mark.parametrize(
    ("price", "minor", "is_rounded"),
    [
        (2.55, 255, False),
        (1.15, 115, False),  # 1.15 * 100 is 114.99999999999999 in doubles.
        (38970.0, 3_897_000, False),
        (0.0, 0, False),
        (-11062.06, -1_106_206, False),
        (0.001, 0, True),
        (0.005, 0, True),
        (0.015, 2, True),
        (0.025, 2, True),
        (0.0251, 3, True),
    ],
)
def test_parts_of_a_penny_are_rounded_half_to_even(
    price: float, minor: int, is_rounded: bool
) -> None:
    assert [column.tolist() for column in to_minor_units(np.array([price]))] == [
        [minor],
        [is_rounded],
    ]


@given(st.lists(st.decimals(-9999, 9999, places=3), max_size=20))
def test_the_decimal_that_was_written_is_the_one_that_is_rounded(prices: list[Decimal]) -> None:
    minor, _ = to_minor_units(np.array([float(price) for price in prices]))
    assert minor.tolist() == [
        int((price * 100).to_integral_value(ROUND_HALF_EVEN)) for price in prices
    ]
