"""What the shop sells: categories, and on each place of the shelf one style after another.

A place is for good (its rank, its category); the style on it may be a carry-over
that never leaves or a fashion that is replaced after a season or two. All spans
are days of the horizon; nothing here depends on how long that is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from training.simulation.config import SimulationConfig
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.seasons import MARGIN_DAYS

SIZES: Final = ("XS", "S", "M", "L", "XL", "XXL")
_STYLES_PER_SUPPLIER: Final = 12
_LOT_DAYS: Final = 45
FOREVER: Final = 1_000_000
"""A day after every horizon."""
_FASHION_SHARE: Final = 0.55
"""Places of sized categories whose styles are replaced (chosen)."""
_LIFE_DAYS: Final = (180, 240)
"""Shortest life of such a style, and the most that is added to it (chosen)."""
_CLEARANCE_DAYS: Final = 35
_LEAD_DAYS: Final = (4, 11)
"""Shortest time from ordering at a supplier to the shelf, and the most added (chosen)."""
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
        place: Its number in the catalogue, unique; below the number of places for those on sale
            on the first day.
        shelf: Its place of the shelf.
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
        launch_day: First day on which it is sold; negative: before the log.
        end_day: First day on which it is no longer sold.
        lead_days: From ordering at its supplier to the shelf.
        price_days: Days on which its price changes, ascending.
        price_factors: Factor on the list price before the first such day, and from each on.
        rival_spans: Spans of days [first, after) in which a competitor's price is lower.
        rival_factor: Competitor's price over list price in these days.
    """

    place: int
    shelf: int
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
    launch_day: int
    end_day: int
    lead_days: int
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


class Catalogue:
    """All styles, drawn by seed.

    Args:
        config: Places of the shelf and the horizon; styles and prices of its end are known, too.

    Attributes:
        styles: All, by number; those on sale on the first day come first.
    """

    def __init__(self, config: SimulationConfig) -> None:
        shelves = [_fill_shelf(config, place) for place in range(config.n_styles)]
        depth = max(len(shelf) for shelf in shelves)
        self.styles: tuple[Style, ...] = tuple(
            shelf[turn] for turn in range(depth) for shelf in shelves if turn < len(shelf)
        )
        self._shelves = tuple(
            (tuple(style.end_day for style in shelf), tuple(shelf)) for shelf in shelves
        )
        self._by_category = tuple(
            tuple(range(n, config.n_styles, len(CATEGORIES))) for n in range(len(CATEGORIES))
        )
        # Zipf-like popularity: few places sell most.
        self._popularity = tuple(
            accumulate_weights([1.0 / (rank + 3.0) for rank in range(len(places))])
            for places in self._by_category
        )

    def find_style(self, shelf: int, day: int) -> Style:
        """Return the style on a place of the shelf on a day."""
        ends, styles = self._shelves[shelf]
        return styles[min(bisect_right(ends, day), len(ends) - 1)]

    def draw_style(self, draws: KeyedRandom, category: int, step: int, day: int) -> Style:
        """Return a style of a category by popularity, of those on sale on a day."""
        rank = draws.index("style", self._popularity[category], step)
        return self.find_style(self._by_category[category][rank], day)

    def choose_style(self, choice: float, taste_sums: Sequence[float], day: int) -> Style:
        """Return a style by taste and popularity, of those on sale on a day.

        Args:
            choice: A number in [0, 1); what its place among the categories leaves of it
                chooses within the category.
            taste_sums: Running shares of the categories.
            day: The day.
        """
        category = bisect_right(taste_sums, choice, 0, len(taste_sums) - 1)
        low = taste_sums[category - 1] if category else 0.0
        sums = self._popularity[category]
        rest = (choice - low) / (taste_sums[category] - low)
        return self.find_style(
            self._by_category[category][bisect_right(sums, rest, 0, len(sums) - 1)], day
        )

    def compute_demand_share(self, style: Style) -> float:
        """Return the share of all lines that its place gets at equal prices."""
        category = style.shelf % len(CATEGORIES)
        sums, rank = self._popularity[category], style.shelf // len(CATEGORIES)
        share = sums[rank] - (sums[rank - 1] if rank else 0.0)
        return share * CATEGORIES[category].demand


def _fill_shelf(config: SimulationConfig, shelf: int) -> list[Style]:
    """Return the styles that follow each other on a place, until one outlasts the horizon."""
    draws = KeyedRandom(config.seed, f"style{shelf}")
    if not CATEGORIES[shelf % len(CATEGORIES)].is_sized or not draws.is_hit(
        "fashion", _FASHION_SHARE
    ):
        return [_draw_style(config, draws, shelf, 0, (-FOREVER, FOREVER))]
    styles: list[Style] = []
    # The first one has been there for a while.
    launch = -int(draws.uniform("age") * _LIFE_DAYS[0])
    while not styles or styles[-1].end_day <= config.days + MARGIN_DAYS:
        turn = len(styles)
        end = launch + _LIFE_DAYS[0] + draws.integer("life", _LIFE_DAYS[1], turn)
        own = draws.narrow(f"turn{turn}") if turn else draws
        styles.append(_draw_style(config, own, shelf, turn, (launch, end)))
        launch = end
    return styles


def _draw_style(
    config: SimulationConfig, draws: KeyedRandom, shelf: int, turn: int, life: Span
) -> Style:
    category = CATEGORIES[shelf % len(CATEGORIES)]
    list_price = max(round(draws.lognormal("price", category.price_median_minor, 0.45)), 500)
    list_price = list_price // 100 * 100 - 100 * (list_price >= 5000)  # 129.00, 198.00, ...
    margin = min(max(category.margin + 0.06 * draws.normal("margin"), 0.1), 0.8)
    n_colours = 2 + draws.integer("colours", 4)
    first_colour = draws.integer("first-colour", len(_COLOURS))
    bias = 0.28 * draws.normal("bias")
    if draws.is_hit("chart-fault", 0.04):
        bias = 1.25 if draws.is_hit("chart-sign", 0.35) else -1.25
    last_day = min(config.days + MARGIN_DAYS, life[1])
    price_days, price_factors = _draw_price_path(draws, last_day, life[1])
    return Style(
        place=shelf + turn * config.n_styles,
        shelf=shelf,
        style_id=f"st{draws.token('id')[:8]}",
        supplier_id=_name_supplier(draws, config.n_styles),
        category=category,
        list_price_minor=list_price,
        unit_cost_minor=round(list_price * (1.0 - margin)),
        colours=tuple(_COLOURS[(first_colour + n) % len(_COLOURS)] for n in range(n_colours)),
        size_bias=bias if category.is_sized else 0.0,
        listing_gap=0.13 if draws.is_hit("listing-fault", 0.06) else 0.008,
        bad_batches=_draw_spans(draws, "batch", last_day, 0.13, 40),
        batch_defect=0.25 + 0.3 * draws.uniform("batch-defect"),
        launch_day=life[0],
        end_day=life[1],
        lead_days=_LEAD_DAYS[0] + draws.integer("lead", _LEAD_DAYS[1]),
        price_days=price_days,
        price_factors=price_factors,
        rival_spans=_draw_spans(draws, "rival", last_day, 0.35, 20),
        rival_factor=0.75 + 0.18 * draws.uniform("rival-factor"),
    )


def _name_supplier(draws: KeyedRandom, n_styles: int) -> str:
    number = draws.integer("supplier", max(n_styles // _STYLES_PER_SUPPLIER, 1))
    return f"su{KeyedRandom(draws.seed, f'supplier{number}').token('id')[:8]}"


def _draw_spans(
    draws: KeyedRandom, purpose: str, last_day: int, rate_per_year: float, length: int
) -> tuple[Span, ...]:
    """Return spans of about `length` days, at most one a year, with that yearly probability."""
    spans: list[Span] = []
    for year in range(1 + last_day // 365):
        if draws.is_hit(purpose, rate_per_year, year):
            first = 365 * year + draws.integer(f"{purpose}-day", 325, year)
            spans.append((first, first + length // 2 + draws.integer(f"{purpose}-days", length)))
    return tuple(spans)


def _is_inside(spans: tuple[Span, ...], day: int) -> bool:
    return any(first <= day < after for first, after in spans)


def _draw_price_path(
    draws: KeyedRandom, last_day: int, end_day: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return days and factors: about every 60 days a markdown of two weeks, a clearance at last."""
    change_days: list[int] = []
    factors = [1.0]
    clearance_day = end_day - _CLEARANCE_DAYS
    day, step = 0.0, 0
    while True:
        day += 20.0 + draws.exponential("price-gap", 45.0, step)
        if day >= min(last_day, clearance_day - 15):
            break
        change_days += [int(day), int(day) + 14]
        factors += [0.75 + 0.17 * draws.uniform("price-factor", step), 1.0]
        day += 15.0
        step += 1
    if 0 <= clearance_day < last_day:
        change_days.append(clearance_day)
        factors.append(0.60 + 0.15 * draws.uniform("clearance"))
    return tuple(change_days), tuple(factors)
