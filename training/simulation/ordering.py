"""What a customer puts into an order, honest or not: one plan per session."""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.basket import STORE, Basket, Line, Missed, fill_basket
from training.simulation.config import US_PER_HOUR, US_PER_MINUTE, US_PER_S
from training.simulation.patterns import Pattern
from training.simulation.population import ONLINE_CHANNELS, Profile
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.world import World

_DEAR_MINOR: Final = 40_000
_TENDERS: Final = (
    "TENDER_WALLET",
    "TENDER_CARD",
    "TENDER_PAY_LATER",
    "TENDER_CASH_ON_DELIVERY",
    "TENDER_GIFT_CARD",
)
_TENDER_SUMS: Final = accumulate_weights([0.55, 0.30, 0.08, 0.05, 0.02])
_STORE_TENDERS: Final = ("TENDER_WALLET", "TENDER_CARD", "TENDER_CASH")
_STORE_TENDER_SUMS: Final = accumulate_weights([0.5, 0.35, 0.15])


class Party(NamedTuple):
    """Who stands behind an order, as the shop sees it: hashes; empty in a store, but payment.

    Attributes:
        address_hash: Delivery address.
        device_hash: Device.
        ip_hash: IP address.
        payment_token_hash: Payment instrument.
    """

    address_hash: str
    device_hash: str
    ip_hash: str
    payment_token_hash: str


class Order(NamedTuple):
    """A planned order.

    Attributes:
        order_id: As written into events.
        session_us: When the customer came; browsing lies between this and the order.
        time_us: When it is placed.
        day: Day of the horizon on which it is placed.
        channel: Where.
        store_id: Store. Empty: online.
        customer_id: Empty for a store purchase without member card.
        party: Devices and addresses behind it.
        lines: What.
        short_line: Place of the line that the warehouse will not find. -1: it finds all.
        missed: What was wanted and sold out.
        cart_value_minor: What the lines cost when the customer came; prices may have moved since.
        discount_minor: Coupon value.
        coupon_hash: Empty: none.
        tender: How it is paid.
        gift_card_minor: Of this by gift card.
        promotion: Promotion of the day. Empty: none.
        chart_views: How often a size chart was opened.
        cart_age_s: Age of the cart at the order.
        asks_policy: Whether the return policy was asked about before.
        return_window_days: Terms of this order.
    """

    order_id: str
    session_us: int
    time_us: int
    day: int
    channel: str
    store_id: str
    customer_id: str
    party: Party
    lines: tuple[Line, ...]
    short_line: int
    missed: tuple[Missed, ...]
    cart_value_minor: int
    discount_minor: int
    coupon_hash: str
    tender: str
    gift_card_minor: int
    promotion: str
    chart_views: int
    cart_age_s: int
    asks_policy: bool
    return_window_days: int

    @property
    def value_minor(self) -> int:
        """What the customer pays."""
        total = sum(line.quantity * line.quote.unit_price_minor for line in self.lines)
        return max(total - self.discount_minor, 0)

    @property
    def kept_minor(self) -> int:
        """What the customer pays for lines that are not meant to go back, coupon left aside."""
        lines = (line for line in self.lines if line.intent is None)
        return sum(line.quantity * line.quote.unit_price_minor for line in lines)

    @property
    def cost_minor(self) -> int:
        """What the goods cost the shop."""
        return sum(line.quantity * line.style.unit_cost_minor for line in self.lines)

    @property
    def is_paid_later(self) -> bool:
        """Whether nothing is paid before delivery."""
        return self.tender == "TENDER_CASH_ON_DELIVERY"


def name_product(order: Order) -> dict[str, str]:
    """Return the product fields of an event that is about the whole order: its dearest line's.

    An order of one line is about that line; of several, the shop names what weighs most.
    """
    dearest = max(order.lines, key=lambda line: line.quantity * line.quote.unit_price_minor)
    return {
        "sku": dearest.sku,
        "style": dearest.style.style_id,
        "supplier": dearest.style.supplier_id,
        "batch": dearest.style.name_batch(order.day),
    }


def plan_order(world: World, agent: Agent, draws: KeyedRandom, session_us: int) -> Order:
    """Return the order of a session.

    Args:
        world: Surroundings.
        agent: Who shops; only read.
        draws: The session's draws.
        session_us: When the customer comes.
    """
    profile = agent.profile
    is_store = draws.is_hit("in-store", profile.store_share)
    cart_age_us = 0 if is_store else _draw_cart_age_us(draws, profile)
    time_us = session_us + cart_age_us
    day = world.seasons.day_of(time_us)
    intent = _choose_intent(world, agent, draws, time_us, is_store=is_store)
    channel = STORE if is_store else _choose_channel(draws, profile)
    basket = Basket(world, agent, draws, session_us, time_us, channel)
    fill_basket(basket, profile, draws, intent)
    lines = tuple(basket.lines)
    promotion = world.seasons.promotion[day]
    value = sum(line.quantity * line.quote.unit_price_minor for line in lines)
    has_coupon = draws.is_hit("coupon", 0.5 * profile.coupon_love)
    discount = round(value * (0.04 + 0.08 * draws.uniform("coupon-depth"))) if has_coupon else 0
    tender = _choose_tender(agent, draws, is_store=is_store)
    pays_by_card = tender == "TENDER_GIFT_CARD" or draws.is_hit("gift-card", 0.03)
    depth = 1.0 if tender == "TENDER_GIFT_CARD" else 0.2 + 0.6 * draws.uniform("gift-depth")
    cart_value = basket.value_minor
    return Order(
        order_id=f"o{draws.token('order')[:16]}",
        session_us=session_us,
        time_us=time_us,
        day=day,
        channel=channel,
        store_id=world.name_store(profile.region, draws.uniform("store")) if is_store else "",
        customer_id=_identify(agent, draws, is_store=is_store),
        party=_name_party(agent, draws, is_store=is_store),
        lines=lines,
        short_line=basket.find_short_line(),
        missed=tuple(basket.missed),
        cart_value_minor=cart_value,
        discount_minor=discount,
        coupon_hash=_name_coupon(draws, day) if has_coupon else "",
        tender=tender,
        gift_card_minor=int((value - discount) * depth) if pays_by_card else 0,
        promotion="" if promotion is None else promotion.name,
        chart_views=0 if is_store else _count_chart_views(draws, profile, lines),
        cart_age_s=cart_age_us // US_PER_S,
        # By what the customer saw: the question comes before the order, and so its price.
        asks_policy=draws.is_hit(
            "asks", profile.asks_policy * (2.0 if cart_value > _DEAR_MINOR else 0.6)
        ),
        return_window_days=world.terms.find_return_window_days(day),
    )


def _choose_channel(draws: KeyedRandom, profile: Profile) -> str:
    return ONLINE_CHANNELS[draws.index("channel", profile.channel_sums)]


def _identify(agent: Agent, draws: KeyedRandom, *, is_store: bool) -> str:
    if is_store and not draws.is_hit("member-card", agent.profile.shows_member_card):
        return ""
    return agent.customer_id


def _name_party(agent: Agent, draws: KeyedRandom, *, is_store: bool) -> Party:
    """Return what the shop sees of who orders; households and rings share some of it."""
    profile = agent.profile
    home = KeyedRandom(draws.seed, profile.home)
    shares = profile.is_ring or profile.is_household
    payer = home if shares and draws.is_hit("home-payer", 0.35) else agent.payment_draws
    payment_token = payer.token("payment")[:16]
    if is_store:
        return Party("", "", "", payment_token)
    device = home if shares and draws.is_hit("home-device", 0.5) else agent.device_draws
    address = draws if draws.is_hit("other-address", 0.05) else home
    ip = home if draws.is_hit("home-ip", 0.6) else draws
    return Party(
        address_hash=address.token("address")[:16],
        device_hash=device.token("device")[:16],
        ip_hash=ip.token("ip")[:16],
        payment_token_hash=payment_token,
    )


def _draw_cart_age_us(draws: KeyedRandom, profile: Profile) -> int:
    if draws.is_hit("dawdles", profile.cart_dawdle):
        return int(draws.exponential("cart-days", 50.0) * US_PER_HOUR) + US_PER_HOUR
    return int(draws.exponential("cart-minutes", 25.0) * US_PER_MINUTE) + US_PER_MINUTE


_INSTEAD: Final = {
    Pattern.WARDROBING: Pattern.SERIAL_RETURNER,
    Pattern.BRACKETING: Pattern.SERIAL_RETURNER,
    Pattern.SERIAL_RETURNER: Pattern.BRACKETING,
    Pattern.EMPTY_BOX: Pattern.WARDROBING,
    Pattern.PRICE_ARBITRAGE: Pattern.SERIAL_RETURNER,
}
"""What who was verified does instead, where the type shifts at all."""


def _choose_intent(
    world: World, agent: Agent, draws: KeyedRandom, time_us: int, *, is_store: bool
) -> Pattern | None:
    """Return the abuse that this order is placed for, usually none."""
    appetite = agent.compute_appetite()
    if appetite == 0.0:
        return None
    profile = agent.profile
    chances = (
        (Pattern.WARDROBING, profile.wear),
        (Pattern.BRACKETING, profile.hoard),
        (Pattern.SERIAL_RETURNER, profile.churn),
        (Pattern.EMPTY_BOX, 0.0 if is_store else profile.empty_box),
        (Pattern.PRICE_ARBITRAGE, profile.arbitrage),
    )
    for usual, propensity in chances:
        if draws.is_hit(usual.value, propensity * appetite):
            shifts = not is_store and agent.shifts(draws, "shifts-pattern")
            pattern = _INSTEAD[usual] if shifts else usual
            known = Pattern.RING if pattern is Pattern.EMPTY_BOX and profile.is_ring else pattern
            return known if world.is_invented(known, time_us) else None
    return None


def _choose_tender(agent: Agent, draws: KeyedRandom, *, is_store: bool) -> str:
    if is_store:
        return _STORE_TENDERS[draws.index("store-tender", _STORE_TENDER_SUMS)]
    # Most pay as they always do.
    source = agent.draws if draws.is_hit("usual-tender", 0.88) else draws
    return _TENDERS[source.index("tender", _TENDER_SUMS)]


def _name_coupon(draws: KeyedRandom, day: int) -> str:
    """Return the hash of the week's public coupon."""
    return KeyedRandom(draws.seed, f"coupon{day // 7}").token("code")[:16]


def _count_chart_views(draws: KeyedRandom, profile: Profile, lines: tuple[Line, ...]) -> int:
    if not any(line.style.category.is_sized for line in lines):
        return 0
    if not draws.is_hit("opens-chart", 0.10 + 0.6 * profile.size_doubt):
        return 0
    return 1 + min(int(draws.exponential("chart-views", 0.9 + 3.0 * profile.size_doubt)), 6)
