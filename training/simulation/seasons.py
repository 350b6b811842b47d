"""The calendar: promotions, demand and festive seasons, per day of the horizon."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from training.simulation.config import US_PER_DAY, SimulationConfig

MARGIN_DAYS: Final = 90
"""Days known beyond the horizon, so that its end shows in nothing that lies before it."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A shop-wide promotion of every year.

    Attributes:
        name: As written into orders.
        first: First day, (month, day).
        last: Last day, (month, day), same year.
        discount: Share off the list price.
        demand: Factor on the rate of orders.
    """

    name: str
    first: tuple[int, int]
    last: tuple[int, int]
    discount: float
    demand: float


PROMOTIONS: Final = (
    Promotion("new-year-sale", (1, 2), (1, 8), 0.15, 1.5),
    Promotion("women-day-0308", (3, 6), (3, 8), 0.12, 1.5),
    Promotion("mid-year-618", (6, 12), (6, 18), 0.18, 2.2),
    Promotion("double-11", (11, 7), (11, 11), 0.22, 3.0),
    Promotion("black-friday", (11, 25), (11, 30), 0.15, 1.5),
    Promotion("double-12", (12, 10), (12, 12), 0.15, 1.7),
)

_MAX_DISCOUNT: Final = 0.6
_FESTIVE_MONTH: Final = {1: 1.9, 2: 1.5, 5: 1.5, 6: 1.3, 9: 1.3, 10: 1.4, 12: 1.8}
_GIFT_DAYS: Final = ((12, 10, 24), (2, 8, 14), (5, 8, 20))  # month, first day, last day


class Seasons:
    """What each day of the horizon is like; constant size per day.

    Args:
        config: Start and length of the horizon.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self._start_us = config.start_us
        dates = [config.start + dt.timedelta(days=n) for n in range(config.days + MARGIN_DAYS)]
        promotions = [_scale(promotion, config.promotion_scale) for promotion in PROMOTIONS]
        self.promotion: list[Promotion | None] = [
            _find_promotion(date, promotions) for date in dates
        ]
        self.festive: list[float] = [_FESTIVE_MONTH.get(date.month, 0.6) for date in dates]
        self.gift: list[bool] = [_is_gift_day(date) for date in dates]
        self.demand: list[float] = [
            (1.0 if promotion is None else promotion.demand) * _compute_yearly_demand(date)
            for date, promotion in zip(dates, self.promotion, strict=True)
        ]
        total = 0.0
        self.demand_until: list[float] = []
        """Demand accumulated before each day: the clock on which shopping is a Poisson process."""
        for demand in self.demand:
            self.demand_until.append(total)
            total += demand

    def day_of(self, time_us: int) -> int:
        """Return the day of a time, counted from the start; held inside the days known."""
        day = (time_us - self._start_us) // US_PER_DAY
        return min(max(day, 0), len(self.demand) - 1)


def _scale(promotion: Promotion, scale: float) -> Promotion:
    return replace(
        promotion,
        discount=min(promotion.discount * scale, _MAX_DISCOUNT),
        demand=1.0 + (promotion.demand - 1.0) * scale,
    )


def _find_promotion(date: dt.date, promotions: Sequence[Promotion]) -> Promotion | None:
    for promotion in promotions:
        if promotion.first <= (date.month, date.day) <= promotion.last:
            return promotion
    return None


def _is_gift_day(date: dt.date) -> bool:
    return any(date.month == month and a <= date.day <= b for month, a, b in _GIFT_DAYS)


def _compute_yearly_demand(date: dt.date) -> float:
    """Return a gentle yearly swing around 1, highest in early December."""
    angle = 2.0 * math.pi * (date.timetuple().tm_yday - 340) / 365.25
    return 1.0 + 0.15 * math.cos(angle)
