"""What lies on the shelf: units per SKU, sold by day and delivered again.

Base stock (Scarf 1959 and every textbook since): each unit sold is ordered again
and arrives with a delivery some days later, so units on hand are the base level
less what sold lately. A style near its end is not ordered any more, so its sizes
sell out one by one. The shop's own stores sell from their own shelves.
"""

from __future__ import annotations

import math
from typing import Final

from training.simulation.catalogue import SIZES, Catalogue, Style
from training.simulation.config import SimulationConfig
from training.simulation.ledger import DayLedger

_LINES_A_DAY: Final = 0.016
"""Lines that the average customer orders online a day; what a buyer would plan with."""
_SIZE_PLACES: Final = {size: place for place, size in enumerate((*SIZES, ""))}
_SIZE_SHARES: Final = (0.07, 0.18, 0.31, 0.28, 0.13, 0.03)
_DELIVERY_EVERY_DAYS: Final = 7
_SAFETY: Final = 2.0
"""Standard deviations of demand that are kept besides the mean."""
AMPLE: Final = 1_000

_SHORT_RISK: Final = (0.06, 0.02, 0.007)
"""Probability that a unit cannot be found, with 1, 2, more on hand at the close of the day
before: others of the same day were quicker, and records err on 65 % of a retailer's SKUs
(DeHoratius and Raman 2008, Management Science 54:627). The figures are chosen."""


class Stock:
    """Units on hand by SKU, as known at the close of the day before.

    Args:
        config: Customers and how amply the shop stocks.
        catalogue: What is sold.
    """

    def __init__(self, config: SimulationConfig, catalogue: Catalogue) -> None:
        self._settings = config.stock
        self._demand = config.n_customers * _LINES_A_DAY
        self._catalogue = catalogue
        self._ledger = DayLedger()
        self._bases: dict[tuple[int, str], int] = {}

    def count_on_hand(self, style: Style, size: str, colour: str, today: int) -> int:
        """Return the units on hand at the close of the day before today; negative: owed."""
        if not self._settings.is_limited:
            return AMPLE
        moved = self._ledger.read(_name_cell(style, size, colour), today - 1)
        base = self._bases.get((style.place, size))
        if base is None:
            base = self._bases[style.place, size] = self._compute_base(style, size)
        return base + round(moved)

    def compute_short_risk(self, n_on_hand: int) -> float:
        """Return the probability that an ordered unit cannot be found."""
        if n_on_hand <= 0:
            return 1.0
        return _SHORT_RISK[min(n_on_hand, len(_SHORT_RISK)) - 1]

    def take(self, style: Style, size: str, colour: str, quantity: int, day: int) -> None:
        """Sell units on a day and order them again, unless the style ends before they come."""
        if not self._settings.is_limited:
            return
        cell = _name_cell(style, size, colour)
        self._ledger.add(cell, day, -quantity)
        back_day = _find_delivery_day(style, day)
        if back_day < style.end_day:
            self._ledger.add(cell, back_day, quantity)

    def put_back(
        self, style: Style, size: str, colour: str, quantity: int, sold_day: int, day: int
    ) -> None:
        """Put units of an order that ended before it was shipped back on the shelf.

        Their replacement is called off; if it has come already, one less is ordered next.

        Args:
            style: What it was.
            size: Its size.
            colour: Its colour.
            quantity: Units.
            sold_day: Day on which they were taken.
            day: Day on which they are on the shelf again.
        """
        if not self._settings.is_limited:
            return
        cell = _name_cell(style, size, colour)
        self._ledger.add(cell, day, quantity)
        back_day = _find_delivery_day(style, sold_day)
        if back_day < style.end_day:
            self._ledger.add(cell, max(back_day, day), -quantity)

    def _compute_base(self, style: Style, size: str) -> int:
        """Return the level up to which the shop orders: mean demand until delivery, and safety."""
        days = style.lead_days + _DELIVERY_EVERY_DAYS / 2
        share = _SIZE_SHARES[_SIZE_PLACES[size]] if size else 1.0
        share *= self._catalogue.compute_demand_share(style) / len(style.colours)
        mean = self._demand * share * days
        return math.ceil(self._settings.cover * (mean + _SAFETY * math.sqrt(mean) + 1.0))


def _find_delivery_day(style: Style, day: int) -> int:
    """Return when units ordered on a day come: weekly, after the lead time."""
    return ((day + style.lead_days) // _DELIVERY_EVERY_DAYS + 1) * _DELIVERY_EVERY_DAYS


def _name_cell(style: Style, size: str, colour: str) -> tuple[str, int]:
    return "stock", (style.place * 8 + _SIZE_PLACES[size]) * 8 + style.colours.index(colour)
