"""What the shop sells: categories, styles, their faults, and prices over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from training.simulation.config import SimulationConfig
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.seasons import Seasons

SIZES: Final = ("XS", "S", "M", "L", "XL", "XXL")
_STYLES_PER_SUPPLIER: Final = 12
_LOT_DAYS: Final = 45
_OCCASION: Final = 0.9
_HIGH_RESALE: Final = 0.7
_COLOURS: Final = ("black", "white", "red", "navy", "green", "beige", "grey", "pink")


@dataclass(frozen=True, slots=True)
class Category:
    """A category and its risks (all chosen; the resulting rates are calibrated).

    Attributes:
        name: As written into orders.
        demand: Share of lines at an average customer.
        price_median_minor: Median list price of its styles.
        margin: Mean gross margin, share of the list price.
        change_of_mind: Probability that an ordinary customer no longer wants it.
        is_sized: Whether it comes in body sizes.
        festive: How much it is bought for one occasion, 0 to 1.
        resale: How easily it turns into money, 0 to 1.
        weight_g: Typical weight of the parcel.
        item_zh, item_en: The word customers use for it.
    """

    name: str
    demand: float
    price_median_minor: int
    margin: float
    change_of_mind: float
    is_sized: bool
    festive: float
    resale: float
    weight_g: int
    item_zh: str
    item_en: str

    @property
    def is_occasion_wear(self) -> bool:
        """Whether it is bought for one occasion, as the shop marks its goods."""
        return self.festive >= _OCCASION

    @property
    def is_high_resale(self) -> bool:
        """Whether it turns into money easily, as the shop marks its goods."""
        return self.resale >= _HIGH_RESALE


CATEGORIES: Final = (
    Category(
        "women/dresses/occasion", 0.07, 32900, 0.58, 0.072, True, 1.0, 0.3, 550, "礼服", "gown"
    ),
    Category("men/suits", 0.03, 59900, 0.55, 0.056, True, 0.9, 0.3, 1400, "西装", "suit"),
    Category(
        "costumes/festive", 0.03, 15900, 0.60, 0.056, True, 1.0, 0.1, 500, "演出服", "costume"
    ),
    Category("women/dresses/day", 0.11, 19900, 0.57, 0.068, True, 0.3, 0.2, 450, "裙子", "dress"),
    Category("tops", 0.17, 11900, 0.56, 0.044, True, 0.1, 0.1, 300, "上衣", "top"),
    Category("trousers", 0.11, 15900, 0.55, 0.044, True, 0.1, 0.1, 500, "裤子", "trousers"),
    Category("outerwear", 0.07, 49900, 0.55, 0.056, True, 0.2, 0.4, 1300, "外套", "coat"),
    Category("shoes", 0.11, 29900, 0.50, 0.052, True, 0.2, 0.4, 1100, "鞋子", "shoes"),
    Category(
        "sneakers/limited", 0.03, 89900, 0.42, 0.024, True, 0.1, 1.0, 1200, "球鞋", "sneakers"
    ),
    Category("bags", 0.05, 69900, 0.52, 0.036, False, 0.4, 0.9, 900, "包", "bag"),
    Category(
        "electronics/small", 0.07, 59900, 0.22, 0.032, False, 0.1, 1.0, 700, "耳机", "earphones"
    ),
    Category("beauty", 0.08, 18900, 0.50, 0.012, False, 0.1, 0.7, 250, "护肤品", "cream"),
    Category("home", 0.07, 22900, 0.45, 0.032, False, 0.0, 0.2, 2500, "家居用品", "lamp"),
)


Span = tuple[int, int]
"""Days [first, after) of the horizon."""


class Style(NamedTuple):
    """One style (article family) and what is wrong with it.

    Attributes:
        place: Place in the catalogue.
        style_id: As written into events.
        supplier_id: Who makes it.
        category: Its category.
        list_price_minor: Price of one unit before any discount.
        unit_cost_minor: Purchase cost of one unit.
        colours: Its colours.
        size_bias: By how many sizes it runs small (< 0) or large (> 0).
        listing_gap: Probability that a buyer finds it not as described.
        bad_batches: Spans of days [first, after) in which units of a bad batch are sold.
        batch_defect: Probability of a defect in such a batch.
        price_days: Days on which its price changes, ascending.
        price_factors: Factor on the list price before the first such day, and from each on.
        rival_spans: Spans of days [first, after) in which a competitor's price is lower.
        rival_factor: Competitor's price over list price in these days.
    """

    place: int
    style_id: str
    supplier_id: str
    category: Category
    list_price_minor: int
    unit_cost_minor: int
    colours: tuple[str, ...]
    size_bias: float
    listing_gap: float
    bad_batches: tuple[Span, ...]
    batch_defect: float
    price_days: tuple[int, ...]
    price_factors: tuple[float, ...]
    rival_spans: tuple[Span, ...]
    rival_factor: float

    def make_sku(self, size: str, colour: str) -> str:
        """Return the SKU of a size and colour."""
        return f"{self.style_id}-{size or 'one'}-{colour}"

    def has_size_fault(self) -> bool:
        """Return whether its size chart misleads an average buyer."""
        return abs(self.size_bias) >= 0.9

    def name_batch(self, day: int) -> str:
        """Return the production batch of units sold on that day.

        A new one every some weeks; a bad batch is a batch of its own. Nothing in the
        id tells which.
        """
        for first, after in self.bad_batches:
            if first <= day < after:
                return f"{self.style_id}-{first:04d}"
        return f"{self.style_id}-{day // _LOT_DAYS * _LOT_DAYS:04d}"

    def is_bad_batch(self, day: int) -> bool:
        """Return whether units sold on that day come from its bad batch."""
        return _is_inside(self.bad_batches, day)

    def find_rival_price(self, day: int) -> int:
        """Return the competitor's lower price on that day, minor units. 0: none."""
        if not _is_inside(self.rival_spans, day):
            return 0
        return round(self.list_price_minor * self.rival_factor)


class Quote(NamedTuple):
    """Price of one unit on a day: paid price, discount taken, and the list price before it."""

    unit_price_minor: int
    unit_discount_minor: int


class Catalogue:
    """All styles, drawn by seed, and their prices.

    Args:
        config: Number of styles, horizon and price overrides.
        seasons: Promotions by day.
    """

    def __init__(self, config: SimulationConfig, seasons: Seasons) -> None:
        self._seasons = seasons
        self._overrides = {item.style: item for item in config.price_overrides}
        self.styles = tuple(_draw_style(config, index) for index in range(config.n_styles))
        self.by_category: tuple[tuple[Style, ...], ...] = tuple(
            tuple(style for style in self.styles if style.category is category)
            for category in CATEGORIES
        )
        # Zipf-like popularity: few styles sell most.
        self._popularity = tuple(
            accumulate_weights([1.0 / (rank + 3.0) for rank in range(len(styles))])
            for styles in self.by_category
        )
        self.demand = tuple(category.demand for category in CATEGORIES)

    def draw_style(self, draws: KeyedRandom, category: int, step: int) -> Style:
        """Return a style of a category by popularity."""
        rank = draws.index("style", self._popularity[category], step)
        return self.by_category[category][rank]

    def quote(self, style: Style, day: int) -> Quote:
        """Return the price of one unit of a style on a day."""
        factor = style.price_factors[bisect_right(style.price_days, day)]
        override = self._overrides.get(style.place)
        if override is not None and day >= override.from_day:
            factor *= override.factor
        promotion = self._seasons.promotion[day]
        if promotion is not None:
            factor *= 1.0 - promotion.discount
        price = max(round(style.list_price_minor * factor / 100.0) * 100, 100)
        return Quote(price, max(style.list_price_minor - price, 0))

    def find_price_drop(self, style: Style, from_day: int, until_day: int) -> int:
        """Return the first day in (from_day, until_day] at least 6 % cheaper, or -1."""
        paid = self.quote(style, from_day).unit_price_minor
        last = min(until_day, len(self._seasons.demand) - 1)
        for day in range(from_day + 1, last + 1):
            if self.quote(style, day).unit_price_minor <= 0.94 * paid:
                return day
            if 0 < style.find_rival_price(day) <= 0.94 * paid:
                return day
        return -1

    def iterate_price_changes(self) -> Iterator[tuple[int, Style, int, bool]]:
        """Yield (day, style, unit price, is competitor's) of changes outside promotions."""
        last = len(self._seasons.demand) - 1
        for style in self.styles:
            days = set(style.price_days)
            override = self._overrides.get(style.place)
            if override is not None:
                days.add(override.from_day)
            for day in sorted(days):
                if 0 < day < last:
                    yield day, style, self.quote(style, day).unit_price_minor, False
            for first, _ in style.rival_spans:
                yield first, style, style.find_rival_price(first), True


def _draw_style(config: SimulationConfig, index: int) -> Style:
    draws = KeyedRandom(config.seed, f"style{index}")
    category = CATEGORIES[index % len(CATEGORIES)]
    list_price = max(round(draws.lognormal("price", category.price_median_minor, 0.45)), 500)
    list_price = list_price // 100 * 100 - 100 * (list_price >= 5000)  # 129.00, 198.00, ...
    margin = min(max(category.margin + 0.06 * draws.normal("margin"), 0.1), 0.8)
    n_colours = 2 + draws.integer("colours", 4)
    first_colour = draws.integer("first-colour", len(_COLOURS))
    bias = 0.28 * draws.normal("bias")
    if draws.is_hit("chart-fault", 0.04):
        bias = 1.25 if draws.is_hit("chart-sign", 0.35) else -1.25
    price_days, price_factors = _draw_price_path(draws, config.days)
    return Style(
        place=index,
        style_id=f"st{draws.token('id')[:8]}",
        supplier_id=_name_supplier(draws, config.n_styles),
        category=category,
        list_price_minor=list_price,
        unit_cost_minor=round(list_price * (1.0 - margin)),
        colours=tuple(_COLOURS[(first_colour + n) % len(_COLOURS)] for n in range(n_colours)),
        size_bias=bias if category.is_sized else 0.0,
        listing_gap=0.13 if draws.is_hit("listing-fault", 0.06) else 0.008,
        bad_batches=_draw_spans(draws, "batch", config.days, 0.13, 40),
        batch_defect=0.25 + 0.3 * draws.uniform("batch-defect"),
        price_days=price_days,
        price_factors=price_factors,
        rival_spans=_draw_spans(draws, "rival", config.days, 0.35, 20),
        rival_factor=0.75 + 0.18 * draws.uniform("rival-factor"),
    )


def _name_supplier(draws: KeyedRandom, n_styles: int) -> str:
    number = draws.integer("supplier", max(n_styles // _STYLES_PER_SUPPLIER, 1))
    return f"su{KeyedRandom(draws.seed, f'supplier{number}').token('id')[:8]}"


def _draw_spans(
    draws: KeyedRandom, purpose: str, days: int, rate_per_year: float, length: int
) -> tuple[Span, ...]:
    """Return spans of about `length` days, at most one a year, with that yearly probability."""
    spans: list[Span] = []
    for year in range(1 + days // 365):
        first = 365 * year + draws.integer(f"{purpose}-day", 325, year)
        if draws.is_hit(purpose, rate_per_year, year) and first < days - 1:
            spans.append((first, first + length // 2 + draws.integer(f"{purpose}-days", length)))
    return tuple(spans)


def _is_inside(spans: tuple[Span, ...], day: int) -> bool:
    return any(first <= day < after for first, after in spans)


def _draw_price_path(draws: KeyedRandom, days: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return days and factors: about every 60 days a markdown of two weeks, then back."""
    change_days: list[int] = []
    factors = [1.0]
    day = 0.0
    for step in range(2 + days // 30):
        day += 20.0 + draws.exponential("price-gap", 45.0, step)
        if day >= days:
            break
        change_days += [int(day), int(day) + 14]
        factors += [0.75 + 0.17 * draws.uniform("price-factor", step), 1.0]
        day += 15.0
    return tuple(change_days), tuple(factors)
