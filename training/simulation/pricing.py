"""What things cost on a day, and what that does to the wish to have them.

A quote is a pure function of style, day and SKU. How much more is bought at a
lower price is a matter of each customer's price sensitivity (`compute_appeal`):
the probability of taking a style that one came across falls with a power of its
price over its list price. Where a style is not taken the customer looks on, so a
price moves only orders into or out of that style, never between others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from features.errors import ConfigError
from training.simulation.catalogue import Catalogue, Style
from training.simulation.config import PriceOverride, SimulationConfig
from training.simulation.seasons import Seasons

APPEAL: Final = 0.45
"""Probability of taking a style that one came across at its list price (chosen: room for
a price cut to double it)."""
_LEAST_ELASTICITY: Final = 1.2
_ELASTICITY_BY_SENSITIVITY: Final = 3.0
"""Chosen so that the mean customer lies at about 1.75: -1.76 is the mean of 367 elasticities
of selective demand (Tellis 1988, J. Marketing Research 25:331); -2.62 that of 1,851 later
ones, mostly of groceries (Bijmolt, van Heerde and Pieters 2005, J. Marketing Research
42:141)."""
_RIVAL_ELASTICITY: Final = 0.8
_NOTICED_DROP: Final = 0.94
"""A price at most this share of the paid one is noticed as a drop."""


class Quote(NamedTuple):
    """Price of one unit on a day: paid price, discount taken off the list price."""

    unit_price_minor: int
    unit_discount_minor: int


class PriceChange(NamedTuple):
    """A change of a style's own price outside promotions, or a competitor's lower one.

    Attributes:
        day: Day of the horizon.
        style: Of what.
        sku: The SKU that stands for the style, or the one whose price is overridden.
        unit_price_minor: The new price.
        is_rival: Whether it is a competitor's.
    """

    day: int
    style: Style
    sku: str
    unit_price_minor: int
    is_rival: bool


class _Ratios(NamedTuple):
    """Own price over list price, and a lower competitor's over the own, on days [first, end)."""

    first_day: int
    end_day: int
    own: float
    rival: float


class Prices:
    """Prices of all styles over time.

    Args:
        config: Horizon and price overrides.
        seasons: Promotions by day.
        catalogue: What is sold.

    Raises:
        ConfigError: An override names a SKU that is not sold.
    """

    def __init__(self, config: SimulationConfig, seasons: Seasons, catalogue: Catalogue) -> None:
        self._days = config.days
        self._promotion = seasons.promotion
        self._styles = catalogue.styles
        self._overrides: dict[int, list[PriceOverride]] = {}
        self._promotion_until = _find_ends([p.name if p else "" for p in self._promotion])
        self._ratios: dict[int, _Ratios] = {}
        by_id = {style.style_id: style for style in catalogue.styles}
        for override in config.price_overrides:
            if override.style is None:
                style = _find_by_sku(by_id, override.sku)
            else:
                style = catalogue.find_style(override.style, override.from_day)
            self._overrides.setdefault(style.place, []).append(override)

    def quote(self, style: Style, day: int, sku: str = "") -> Quote:
        """Return the price of one unit of a style on a day; overrides of a SKU need its name."""
        factor = style.price_factors[bisect_right(style.price_days, day)]
        for override in self._overrides.get(style.place, ()):
            if day >= override.from_day and override.sku in {"", sku}:
                factor *= override.factor
        promotion = self._promotion[day]
        if promotion is not None:
            factor *= 1.0 - promotion.discount
        price = max(round(style.list_price_minor * factor / 100.0) * 100, 100)
        return Quote(price, max(style.list_price_minor - price, 0))

    def compute_appeal(self, style: Style, day: int, sku: str, price_sensitivity: float) -> float:
        """Return the probability that a customer who came across an item takes it at its price.

        Args:
            style: The style.
            day: Day of the decision.
            sku: The SKU in question.
            price_sensitivity: The customer's, 0 to 1.
        """
        ratios = self._ratios.get(style.place)
        if ratios is None or not ratios.first_day <= day < ratios.end_day:
            ratios = self._find_ratios(style, day, sku)
        if ratios.own == ratios.rival == 1.0:
            return APPEAL
        elasticity = _LEAST_ELASTICITY + _ELASTICITY_BY_SENSITIVITY * price_sensitivity
        appeal = APPEAL * ratios.own**-elasticity
        if ratios.rival != 1.0:
            appeal *= ratios.rival ** (_RIVAL_ELASTICITY * elasticity)
        return min(float(appeal), 1.0)

    def has_sku_prices(self, style: Style) -> bool:
        """Return whether the price of a style's SKUs may differ."""
        return style.place in self._overrides

    def _find_ratios(self, style: Style, day: int, sku: str) -> _Ratios:
        """Return what appeal follows from, and until when; kept where all SKUs cost the same."""
        price = self.quote(style, day, sku).unit_price_minor
        rival = style.find_rival_price(day)
        edges = [*style.price_days, *(edge for span in style.rival_spans for edge in span)]
        found = _Ratios(
            first_day=day,
            end_day=min([self._promotion_until[day], *(edge for edge in edges if edge > day)]),
            own=price / style.list_price_minor,
            rival=rival / price if 0 < rival < price else 1.0,
        )
        if not self.has_sku_prices(style):
            self._ratios[style.place] = found
        return found

    def find_price_drop(self, style: Style, from_day: int, until_day: int, sku: str = "") -> int:
        """Return the first day in (from_day, until_day] at least 6 % cheaper, or -1."""
        paid = self.quote(style, from_day, sku).unit_price_minor
        for day in range(from_day + 1, min(until_day, len(self._promotion) - 1) + 1):
            if self.quote(style, day, sku).unit_price_minor <= _NOTICED_DROP * paid:
                return day
            if 0 < style.find_rival_price(day) <= _NOTICED_DROP * paid:
                return day
        return -1

    def iterate_changes(self) -> Iterator[PriceChange]:
        """Yield the changes outside promotions that fall into the horizon."""
        for style in self._styles:
            sku = style.make_sku("M" if style.category.is_sized else "", style.colours[0])
            own = [(day, sku) for day in style.price_days]
            own += [(o.from_day, o.sku or sku) for o in self._overrides.get(style.place, ())]
            first, after = max(style.launch_day, 1), min(style.end_day, self._days)
            for day, of_sku in sorted(set(own)):
                if first <= day < after:
                    price = self.quote(style, day, of_sku).unit_price_minor
                    yield PriceChange(day, style, of_sku, price, is_rival=False)
            for day, _ in style.rival_spans:
                if first <= day < after:
                    price = style.find_rival_price(day)
                    yield PriceChange(day, style, sku, price, is_rival=True)


def _find_ends(names: list[str]) -> list[int]:
    """Return for each day the first later one with another promotion.

    >>> _find_ends(["", "sale", "sale", ""])
    [1, 3, 3, 4]
    """
    ends = [len(names)] * len(names)
    for day in range(len(names) - 2, -1, -1):
        ends[day] = ends[day + 1] if names[day] == names[day + 1] else day + 1
    return ends


def _find_by_sku(by_id: dict[str, Style], sku: str) -> Style:
    """Return the style of a SKU `style-size-colour`."""
    style_id, _, rest = sku.partition("-")
    style = by_id.get(style_id)
    size, _, colour = rest.partition("-")
    if style is None or colour not in style.colours or not size:
        raise ConfigError(
            "unknown SKU in a price override",
            field="price_overrides.sku",
            value=sku[:40],
            expectation="STYLE-SIZE-COLOUR of a style that this world sells",
            fix="take a sku from order_placed lines of the world's own log",
        )
    return style
