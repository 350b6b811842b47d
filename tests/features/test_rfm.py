"""The RFM score: a fixed table, so that a customer's score depends on nobody else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.rfm import RfmScale, RfmTable, compute_rfm_score

TABLE = RfmTable(
    recency_days=RfmScale(30, ((30, 100), (90, 50), (365, 10))),
    order_count_365d=RfmScale(30, ((1, 20), (4, 60), (12, 100))),
    net_value_365d_minor=RfmScale(40, ((1, 10), (50_000, 60), (500_000, 100))),
)


@pytest.mark.parametrize(
    ("recency", "orders", "value", "score"),
    [
        (30, 12, 500_000, 100.0),
        (30.01, 12, 500_000, 85.0),
        (30, 11, 500_000, 88.0),
        (30, 12, 499_999, 84.0),
        (365, 1, 1, 13.0),
        (366, 0, 0, 0.0),
        (366, 0, -70_000, 0.0),
        (math.nan, math.nan, math.nan, 0.0),
        (math.nan, 12, 500_000, 70.0),
    ],
)
def test_points_change_exactly_at_the_bounds(
    recency: float, orders: float, value: float, score: float
) -> None:
    assert compute_rfm_score(recency, orders, value, TABLE) == score


@given(st.floats(0, 1000), st.floats(0, 100), st.floats(-1e6, 1e7), st.floats(0, 1e6))
def test_a_better_customer_never_scores_less(
    recency: float, orders: float, value: float, more: float
) -> None:
    score = compute_rfm_score(recency, orders, value, TABLE)
    assert 0 <= score <= 100
    assert compute_rfm_score(max(0, recency - more), orders, value, TABLE) >= score
    assert compute_rfm_score(recency, orders + more, value, TABLE) >= score
    assert compute_rfm_score(recency, orders, value + more, TABLE) >= score
