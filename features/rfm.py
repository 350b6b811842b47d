"""RFM: how valuable a customer is, by a fixed table and never by population ranks.

Recency, frequency and monetary value (net of returns and cancellations) each
give points from a table of steps; the score is their weighted mean. A fixed
table belongs to the policy: the same customer has the same score whoever else
shops there, and a decision can be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RfmScale:
    """Points for one of the three values.

    Attributes:
        weight_percent: Its share in the score; the three add up to 100.
        steps: `(bound, points)` with ascending bounds. Recency: the first bound
            that the value does not exceed counts. Frequency and monetary: the last
            bound that it reaches. Outside all of them: no points.
    """

    weight_percent: int
    steps: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class RfmTable:
    """The three scales; bounds in days, orders and minor units."""

    recency_days: RfmScale
    order_count_365d: RfmScale
    net_value_365d_minor: RfmScale


def _compute_points_at_most(value: float, scale: RfmScale) -> int:
    # NaN compares false everywhere: no points.
    return next((points for bound, points in scale.steps if value <= bound), 0)


def _compute_points_at_least(value: float, scale: RfmScale) -> int:
    return next((points for bound, points in reversed(scale.steps) if value >= bound), 0)


def compute_rfm_score(
    recency_days: float, order_count_365d: float, net_value_365d_minor: float, table: RfmTable
) -> float:
    """Return the RFM score of a customer, 0 to 100; a missing value (NaN) gives no points.

    Args:
        recency_days: Days since the last order.
        order_count_365d: Orders in the last 365 days.
        net_value_365d_minor: Ordered minus returned minus cancelled value, minor units.
        table: From the policy.

    >>> scale = RfmScale(50, ((1, 20), (10, 100)))
    >>> recent = RfmScale(50, ((30, 100), (365, 10)))
    >>> table = RfmTable(recent, scale, RfmScale(0, ()))
    >>> compute_rfm_score(12.5, 4, 0, table)
    60.0
    >>> compute_rfm_score(400, 0, 0, table)
    0.0
    """
    total = (
        table.recency_days.weight_percent
        * _compute_points_at_most(recency_days, table.recency_days)
        + table.order_count_365d.weight_percent
        * _compute_points_at_least(order_count_365d, table.order_count_365d)
        + table.net_value_365d_minor.weight_percent
        * _compute_points_at_least(net_value_365d_minor, table.net_value_365d_minor)
    )
    return total / 100
