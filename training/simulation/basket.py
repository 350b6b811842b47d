"""The lines of an order: what a customer takes of what there is, at the price of the day.

Choices are made when the customer comes (prices of that day, stock as closed the
day before); paid is the price of the day of the order.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.catalogue import SIZES, Style
from training.simulation.patterns import Pattern
from training.simulation.population import Profile
from training.simulation.pricing import Quote
from training.simulation.randomness import KeyedRandom
from training.simulation.stock import AMPLE
from training.simulation.world import World

STORE: Final = "CHANNEL_STORE"

_MAX_TRIES: Final = 16
"""Items looked at for one line before the last one is taken as it is."""
_MAX_EXTRA_LINES: Final = 6
_CLAIM_FLOOR_MINOR: Final = 15_000
_OWN_SHOPS: Final = frozenset({"CHANNEL_WEB", "CHANNEL_APP", "CHANNEL_STORE"})
_SYNC_LAG: Final = 0.12
"""Probability that a marketplace still offers what the shop has sold out (chosen)."""
_WISH_SHARE: Final = 0.3
"""Visits on which a customer looks whether something wished for has become cheap (chosen)."""
_WISH_CHEAPEST: Final = 0.45
"""Reserve prices of wishes lie between this share of the list price and all of it."""
_WISH_STEP: Final = 900
_FORGONE: Final = 0.35
"""Lines whose item was sold out and that are then left out, not replaced; the shares found by
Gruen, Corsten and Bharadwaj 2002 for not buying, delaying and other shops add up to 55 %."""


class Line(NamedTuple):
    """One line of a planned order.

    Attributes:
        line_id: Unique in the order.
        style: What it is of.
        size: Size label, empty for sizeless goods.
        colour: Colour label.
        quantity: Units.
        quote: Price and discount of one unit on the day of the order.
        seen_price_minor: Price of one unit when the customer came.
        n_on_hand: Units in stock at the close of the day before the customer came.
        intent: The abuse it was ordered for. None: honest.
        is_variant: A second size or colour of a style of this order.
    """

    line_id: str
    style: Style
    size: str
    colour: str
    quantity: int
    quote: Quote
    seen_price_minor: int
    n_on_hand: int
    intent: Pattern | None
    is_variant: bool

    @property
    def sku(self) -> str:
        """SKU of size and colour."""
        return self.style.make_sku(self.size, self.colour)


class Missed(NamedTuple):
    """Something wanted that was sold out.

    Attributes:
        step: How manieth item it was that the customer looked at.
        sku: Its SKU.
        style_id: Its style.
    """

    step: int
    sku: str
    style_id: str


def fill_basket(
    basket: Basket, profile: Profile, draws: KeyedRandom, intent: Pattern | None
) -> None:
    """Add the lines: the first carries the intent, the others are ordinary shopping."""
    n_extra = min(int(draws.exponential("lines", profile.basket)), _MAX_EXTRA_LINES)
    for step in range(1 + n_extra):
        is_target = step == 0 or intent is Pattern.SERIAL_RETURNER
        basket.add_style(step, intent if is_target else None)
    basket.add_wish()


class Basket:
    """Collects the lines of one order.

    Args:
        world: Surroundings.
        agent: Who shops; only read.
        draws: The session's draws.
        session_us: When the customer comes.
        time_us: When the order is placed.
        channel: Where.

    Attributes:
        lines: What is in it.
        missed: What was wanted and sold out.
    """

    def __init__(
        self, world: World, agent: Agent, draws: KeyedRandom, session_us: int, time_us: int,
        channel: str,
    ) -> None:  # fmt: skip
        self._world = world
        self._agent = agent
        self._draws = draws
        self._channel = channel
        self._today = world.seasons.day_of(session_us)
        self._order_day = world.seasons.day_of(time_us)
        self._returned = agent.find_returned_style(session_us)
        self.lines: list[Line] = []
        self.missed: list[Missed] = []
        self._on_hand: dict[tuple[int, str, str], int] = {}
        self._budget_minor = agent.find_budget_minor(session_us)

    @property
    def value_minor(self) -> int:
        """What the lines cost when the customer came."""
        return sum(line.quantity * line.seen_price_minor for line in self.lines)

    def find_short_line(self) -> int:
        """Return the place of the first line that the warehouse will not find, or -1."""
        if self._channel == STORE:
            return -1
        for place, line in enumerate(self.lines):
            risk = self._world.stock.compute_short_risk(line.n_on_hand)
            if self._draws.is_hit("stock", risk, place):
                return place
        return -1

    def add_style(self, step: int, intent: Pattern | None) -> None:
        """Add a style, in one or several sizes and colours."""
        draws, profile = self._draws, self._agent.profile
        place = profile.size
        if draws.is_hit("for-another", 0.05, step):
            place = draws.integer("other-size", len(SIZES), step)
        found = self._choose_item(step, place, intent)
        if found is None:
            return
        style, colour = found
        if not style.category.is_sized:
            self._add(style, "", colour, intent, step)
            return
        self._add(style, SIZES[place], colour, intent, step)
        if intent is Pattern.BRACKETING:
            for n in range(1 + draws.integer("hoard", 3, step)):
                other = min(max(place + (-1, 1, 0)[n], 0), len(SIZES) - 1)
                variant = style.colours[(style.colours.index(colour) + n) % len(style.colours)]
                self._add(style, SIZES[other], variant, intent, step, is_variant=True)
        elif draws.is_hit("doubles", profile.size_doubt, step):
            other = place + (1 if draws.is_hit("doubles-up", 0.5, step) else -1)
            other = other if 0 <= other < len(SIZES) else 2 * place - other
            self._add(style, SIZES[other], colour, intent, step, is_variant=True)

    def add_wish(self) -> None:
        """Add something wished for whose price has fallen to what the customer would pay."""
        draws, profile = self._draws, self._agent.profile
        if not draws.is_hit("wish", _WISH_SHARE):
            return
        choice = draws.uniform("wish-item")
        style = self._world.catalogue.choose_style(choice, profile.taste_sums, self._today)
        colour = style.colours[draws.integer("wish-colour", len(style.colours))]
        size = SIZES[profile.size] if style.category.is_sized else ""
        sku = style.make_sku(size, colour)
        price = self._world.prices.quote(style, self._today, sku).unit_price_minor
        reserve = _WISH_CHEAPEST + (1.0 - _WISH_CHEAPEST) * draws.uniform("wish-reserve")
        is_cheap = price <= reserve * style.list_price_minor
        is_cheap = is_cheap and price <= self._count_left_minor()
        if is_cheap and self._is_offered(style, size, colour, _WISH_STEP):
            self._add(style, size, colour, None, _WISH_STEP)

    def _add(
        self, style: Style, size: str, colour: str, intent: Pattern | None, step: int,
        *, is_variant: bool = False,
    ) -> None:  # fmt: skip
        for line in self.lines:
            if line.style is style and line.size == size and line.colour == colour:
                return
        if is_variant and not self._is_offered(style, size, colour, step):
            return
        quantity = 1
        if not is_variant and style.category.name in {"beauty", "home"}:
            quantity += int(self._draws.exponential("quantity", 0.6, step))
        sku = style.make_sku(size, colour)
        quote = self._world.prices.quote(style, self._order_day, sku)
        seen = quote
        if self._today != self._order_day:
            seen = self._world.prices.quote(style, self._today, sku)
        if intent is Pattern.PRICE_ARBITRAGE and quote.unit_discount_minor == 0:
            intent = None  # Nothing to gain: an ordinary purchase.
        on_hand = self._count_on_hand(style, size, colour)
        self.lines.append(
            Line(
                f"{len(self.lines) + 1}", style, size, colour, quantity, quote,
                seen.unit_price_minor, on_hand, intent, is_variant,
            )
        )  # fmt: skip

    def _count_on_hand(self, style: Style, size: str, colour: str) -> int:
        if self._channel == STORE:
            return AMPLE
        key = style.place, size, colour
        if key not in self._on_hand:
            stock = self._world.stock
            self._on_hand[key] = stock.count_on_hand(style, size, colour, self._today)
        return self._on_hand[key]

    def _is_offered(self, style: Style, size: str, colour: str, step: int) -> bool:
        """Return whether an item is still offered; marketplaces learn late that it is not."""
        if self._channel == STORE:
            return True
        if self._count_on_hand(style, size, colour) > 0:
            return True
        return self._channel not in _OWN_SHOPS and self._draws.is_hit("sync-lag", _SYNC_LAG, step)

    def _choose_item(
        self, step: int, size_place: int, intent: Pattern | None
    ) -> tuple[Style, str] | None:
        """Return style and colour by taste, season, price and stock, or by what an intent needs.

        None: what was wanted is sold out or too dear for what is left, and the
        customer lets it be (never the first line: an order has one).
        """
        draws, agent, world = self._draws, self._agent, self._world
        again, tastes = self._returned, agent.profile.taste_sums
        buys_again = 0.35 if intent is Pattern.BRACKETING else 0.05
        if (
            step == 0 and again is not None and again.end_day > self._order_day
            and draws.is_hit("again", buys_again)
        ):  # fmt: skip
            return again, again.colours[draws.integer("again-colour", len(again.colours))]
        for attempt in range(_MAX_TRIES):
            key = step * _MAX_TRIES + attempt
            choice = draws.uniform("item", key)
            style = world.catalogue.choose_style(choice, tastes, self._today)
            size = SIZES[size_place] if style.category.is_sized else ""
            colour = sku = ""
            if world.prices.has_sku_prices(style):
                colour = self._draw_colour(style, key)
                sku = style.make_sku(size, colour)
            if not draws.is_hit("fits-plan", self._compute_fit(style, sku, intent), key):
                continue
            colour = colour or self._draw_colour(style, key)
            if intent is None and not self._is_affordable(style, size, colour):
                continue
            if self._is_offered(style, size, colour, key):
                break
            self.missed.append(Missed(key, style.make_sku(size, colour), style.style_id))
            if step > 0 and draws.is_hit("forgoes", _FORGONE, key):
                return None
        else:
            if step > 0 and intent is None:
                return None
        return style, colour or self._draw_colour(style, key)

    def _count_left_minor(self) -> float:
        """Return what is left of the budget; what is meant to go back takes none of it."""
        return self._budget_minor - sum(
            line.quantity * line.seen_price_minor for line in self.lines if line.intent is None
        )

    def _is_affordable(self, style: Style, size: str, colour: str) -> bool:
        sku = style.make_sku(size, colour)
        price = self._world.prices.quote(style, self._today, sku).unit_price_minor
        return price <= self._count_left_minor()

    def _draw_colour(self, style: Style, key: int) -> str:
        return style.colours[self._draws.integer("colour", len(style.colours), key)]

    def _compute_fit(self, style: Style, sku: str, intent: Pattern | None) -> float:
        """Return the probability that an item serves the plan of this line."""
        category = style.category
        prices = self._world.prices
        season = 1.0 + category.festive * (self._world.seasons.festive[self._today] / 1.9 - 1.0)
        if intent is None or intent is Pattern.SERIAL_RETURNER:
            sensitivity = self._agent.profile.price_sensitivity
            return season * prices.compute_appeal(style, self._today, sku, sensitivity)
        if intent is Pattern.WARDROBING:
            return float(0.9 * category.festive**1.5 * season)
        if intent is Pattern.BRACKETING:
            return season if category.is_sized else 0.0
        if intent in {Pattern.EMPTY_BOX, Pattern.RING}:
            is_worth_it = style.list_price_minor >= _CLAIM_FLOOR_MINOR
            return 0.3 + 0.5 * category.resale if is_worth_it else 0.1
        # Arbitrage needs a reduced price.
        return season if prices.quote(style, self._today, sku).unit_discount_minor > 0 else 0.0
