"""When and why a customer clicks cancel, and whether an offer keeps the order.

Each driver of DOMAIN 5 that applies to an order may fire; the earliest click
counts. Competing ends (the retailer gives up, the payment lapses) come first if
they are earlier: then there is no click.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.config import US_PER_DAY, US_PER_HOUR, US_PER_S, OfferSettings
from training.simulation.logistics import Fulfilment, Payment
from training.simulation.ordering import Order
from training.simulation.patterns import Driver, Gesture, Pattern
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.world import World

_CODES: Final[dict[Driver, tuple[str, ...]]] = {
    Driver.IMPULSE: (
        "REASON_CODE_IMPULSE",
        "REASON_CODE_ORDERED_BY_MISTAKE",
        "REASON_CODE_ORDERED_BY_MISTAKE",
    ),
    Driver.PAYMENT: ("REASON_CODE_OTHER", "REASON_CODE_CHANGED_MIND"),
    Driver.SIZE_DOUBT: ("REASON_CODE_SIZE_TOO_SMALL", "REASON_CODE_SIZE_TOO_LARGE"),
    Driver.LONG_CART: ("REASON_CODE_CHANGED_MIND",),
    Driver.PRICE_DROP: ("REASON_CODE_BETTER_PRICE",),
    Driver.PROMISE_SLIPPED: ("REASON_CODE_LATE_DELIVERY",),
    Driver.SLOW_SERVICE: ("REASON_CODE_LATE_DELIVERY", "REASON_CODE_OTHER"),
    Driver.FISHING: (
        "REASON_CODE_BETTER_PRICE",
        "REASON_CODE_LATE_DELIVERY",
        "REASON_CODE_ORDERED_BY_MISTAKE",
        "REASON_CODE_IMPULSE",
        "REASON_CODE_OTHER",
    ),
}
"""Codes that say the driver, by whoever bothers to choose one."""

_CHANNEL_HEAT: Final = {"CHANNEL_DOUYIN": 2.0, "CHANNEL_PDD": 1.5, "CHANNEL_WECHAT": 1.3}
"""How impulsively people buy on a channel: live streams and group buys above all."""
_NIGHT_HOURS: Final = frozenset({22, 23, 0, 1, 2, 3})
_DEAR_MINOR: Final = 60_000

_DEFAULT_CODE_SHARE: Final = 0.42
"""Clicks that keep the drop-down's first entry, changed mind, whatever the driver."""

_LEAVE_LOGIT: Final[dict[Driver, float]] = {
    Driver.IMPULSE: 1.3,
    Driver.PAYMENT: 1.0,
    Driver.SIZE_DOUBT: 0.6,
    Driver.LONG_CART: 0.9,
    Driver.PRICE_DROP: 0.5,
    Driver.PROMISE_SLIPPED: 0.9,
    Driver.SLOW_SERVICE: 0.5,
    Driver.FISHING: -2.6,
}
"""Logit of leaving when nothing is offered, of an average customer before shipment."""

_KEEPING_POWER: Final[dict[Gesture, dict[Driver, float]]] = {
    Gesture.COUPON: {
        Driver.IMPULSE: 0.8,
        Driver.LONG_CART: 1.3,
        Driver.PRICE_DROP: 1.4,
        Driver.PROMISE_SLIPPED: 0.8,
        Driver.SLOW_SERVICE: 1.2,
        Driver.SIZE_DOUBT: 0.5,
        Driver.FISHING: 3.0,
    },
    Gesture.PRICE_PROTECTION: {
        Driver.PRICE_DROP: 3.0,
        Driver.LONG_CART: 0.8,
        Driver.IMPULSE: 0.2,
        Driver.FISHING: 3.0,
    },
    Gesture.SHIPPING_UPGRADE: {
        Driver.PROMISE_SLIPPED: 2.2,
        Driver.SLOW_SERVICE: 1.5,
        Driver.FISHING: 0.6,
    },
    Gesture.EXCHANGE: {Driver.SIZE_DOUBT: 2.4, Driver.IMPULSE: 0.4},
}
"""How far an offer lowers that logit; absent: not at all."""

_GESTURE_COST: Final = {
    Gesture.COUPON: 0.10,
    Gesture.PRICE_PROTECTION: 0.12,
    Gesture.SHIPPING_UPGRADE: 0.05,
    Gesture.EXCHANGE: 0.04,
}
"""Cost of a taken offer, share of the order's value."""

_POLICY_WEIGHT: Final[dict[str, tuple[float, float, float, float]]] = {
    "REASON_CODE_BETTER_PRICE": (0.25, 0.55, 0.10, 0.10),
    "REASON_CODE_LATE_DELIVERY": (0.25, 0.10, 0.55, 0.10),
    "REASON_CODE_SIZE_TOO_SMALL": (0.20, 0.10, 0.10, 0.60),
    "REASON_CODE_SIZE_TOO_LARGE": (0.20, 0.10, 0.10, 0.60),
}
"""The shop's rule of thumb: weights of coupon, price protection, upgrade, exchange by reason."""
_POLICY_DEFAULT: Final = (0.45, 0.20, 0.20, 0.15)


class Click(NamedTuple):
    """A customer's click on cancel.

    Attributes:
        time_us: When.
        driver: The true cause.
        code: The reason code given.
        stage: Stage of the order then.
        delay_s: Delay of the promise known then.
    """

    time_us: int
    driver: Driver
    code: str
    stage: str
    delay_s: int


class Offer(NamedTuple):
    """An offer made on a click: gesture, cost if taken, probability of this choice."""

    gesture: Gesture
    cost_minor: int
    propensity: float


class Outcome(NamedTuple):
    """How a click ends, and how it would have ended.

    Attributes:
        leaves: What happens.
        takes_offer: Whether the offer made is taken.
        leaves_without_offer: What would happen if nothing were offered.
        kept_by: Gestures that would keep the order of a customer who leaves without one.
    """

    leaves: bool
    takes_offer: bool
    leaves_without_offer: bool
    kept_by: tuple[Gesture, ...]


def plan_click(
    world: World, agent: Agent, draws: KeyedRandom, order: Order, way: Fulfilment, payment: Payment
) -> Click | None:
    """Return the first click on cancel before delivery, if any driver fires.

    Args:
        world: Surroundings (prices).
        agent: Whose order it is; only read.
        draws: The order's draws.
        order: The order.
        way: What carriers and warehouse do if nobody stops the order.
        payment: How it was paid.
    """
    candidates = [
        *_find_early_regrets(agent, draws, order, payment, way.promise_us - order.time_us),
        *_find_later_doubts(world, agent, draws, order, way),
    ]
    last_us = way.delivered_us or way.lost_us
    for end_us in (way.retailer_cancel_us, payment.lapsed_us):
        last_us = min(last_us, end_us) if end_us else last_us
    in_time = [item for item in candidates if order.time_us < item[0] < last_us]
    if not in_time:
        return None
    time_us, driver = min(in_time)
    known = [slip.delay_us for slip in way.slips if slip.time_us <= time_us]
    return Click(
        time_us=time_us,
        driver=driver,
        code=_choose_code(draws, driver),
        stage=_find_stage(time_us, way, payment, is_paid_later=order.is_paid_later),
        delay_s=known[-1] // US_PER_S if known else 0,
    )


def _compute_heat(order: Order, lead_us: int) -> float:
    """Return how much the moment of buying makes for regret: where, when, and how long to wait."""
    heat = _CHANNEL_HEAT.get(order.channel, 0.85)
    if order.promotion:
        heat *= 1.35
    if (order.time_us // US_PER_HOUR + 8) % 24 in _NIGHT_HOURS:
        heat *= 1.5
    if order.value_minor > _DEAR_MINOR:
        heat *= 1.35
    return heat * min(max(lead_us / (4.0 * US_PER_DAY), 0.6), 2.0)


def _find_early_regrets(
    agent: Agent, draws: KeyedRandom, order: Order, payment: Payment, lead_us: int
) -> list[tuple[int, Driver]]:
    """Return clicks whose cause is there when the order is placed."""
    profile, found = agent.profile, []
    if draws.is_hit("regrets", profile.impulse * _compute_heat(order, lead_us)):
        after = draws.lognormal("regrets-after", 2.5, 1.2) * US_PER_HOUR
        found.append((order.time_us + int(after), Driver.IMPULSE))
    if payment.failed_us and draws.is_hit("gives-up-paying", 0.22):
        after = draws.exponential("gives-up-after", 2.0) * US_PER_HOUR
        found.append((payment.failed_us + int(after), Driver.PAYMENT))
    if order.chart_views >= 3 and draws.is_hit("size-doubt", 0.16):
        after = draws.lognormal("size-doubt-after", 6.0, 0.9) * US_PER_HOUR
        found.append((order.time_us + int(after), Driver.SIZE_DOUBT))
    if order.cart_age_s > 48 * 3600 and draws.is_hit("long-cart", 0.14):
        after = draws.lognormal("long-cart-after", 9.0, 0.9) * US_PER_HOUR
        found.append((order.time_us + int(after), Driver.LONG_CART))
    appetite = agent.compute_appetite()
    if appetite and draws.is_hit(Pattern.OFFER_FISHING.value, profile.fish * appetite):
        after = draws.lognormal("fishes-after", 16.0, 1.2) * US_PER_HOUR
        found.append((order.time_us + int(after), Driver.FISHING))
    return found


def _find_later_doubts(
    world: World, agent: Agent, draws: KeyedRandom, order: Order, way: Fulfilment
) -> list[tuple[int, Driver]]:
    """Return clicks whose cause comes while the order is on its way."""
    profile, found = agent.profile, []
    if draws.is_hit("compares", profile.price_sensitivity):
        end_day = world.seasons.day_of(way.delivered_us or way.lost_us)
        drops = [
            world.prices.find_price_drop(line.style, order.day, end_day, line.sku)
            for line in order.lines
        ]
        days = [day for day in drops if day >= 0]
        if days and draws.is_hit("cancels-for-price", 0.6):
            into_day = draws.uniform("notices") * 1.5 * US_PER_DAY
            day_us = world.config.start_us + min(days) * US_PER_DAY
            found.append((day_us + int(into_day), Driver.PRICE_DROP))
    for step, slip in enumerate(way.slips):
        days_late = slip.delay_us / US_PER_DAY
        leaves = profile.impatience * min(0.4 + 0.5 * days_late, 2.2)
        if draws.is_hit("loses-patience", leaves, step):
            after = draws.exponential("loses-patience-after", 14.0, step) * US_PER_HOUR
            found.append((slip.time_us + int(after), Driver.PROMISE_SLIPPED))
    if draws.is_hit("slow-service", 0.02 * profile.impatience):
        after = draws.lognormal("slow-service-after", 30.0, 0.6) * US_PER_HOUR
        found.append((order.time_us + int(after), Driver.SLOW_SERVICE))
    return found


def _choose_code(draws: KeyedRandom, driver: Driver) -> str:
    if draws.is_hit("default-cancel-code", _DEFAULT_CODE_SHARE):
        return "REASON_CODE_CHANGED_MIND"
    codes = _CODES[driver]
    return codes[draws.integer("cancel-code", len(codes))]


def _find_stage(time_us: int, way: Fulfilment, payment: Payment, *, is_paid_later: bool) -> str:
    if time_us >= way.shipped_us:
        return "ORDER_STAGE_SHIPPED"
    if not is_paid_later and not 0 < payment.paid_us <= time_us:
        return "ORDER_STAGE_UNPAID"
    if time_us >= way.shipped_us - 4 * US_PER_HOUR:
        return "ORDER_STAGE_FULFILMENT"
    return "ORDER_STAGE_PAID"


def choose_offer(
    draws: KeyedRandom, settings: OfferSettings, order: Order, click: Click
) -> Offer | None:
    """Return the shop's offer on a click, None in the fair share without one.

    The shop sees the reason code, never the driver.
    """
    if draws.is_hit("no-offer", settings.no_offer_share):
        return None
    weights = _POLICY_WEIGHT.get(click.code, _POLICY_DEFAULT)
    place = draws.index("gesture", accumulate_weights(weights))
    gesture = tuple(Gesture)[place]
    cost = round(order.value_minor * _GESTURE_COST[gesture])
    return Offer(gesture, cost, (1.0 - settings.no_offer_share) * weights[place])


def decide_outcome(
    agent: Agent, draws: KeyedRandom, order: Order, click: Click, offer: Offer | None
) -> Outcome:
    """Return whether the customer leaves, now and under every other offer.

    One uniform decides all of them, so offers only ever keep (monotone response).
    """
    base = _LEAVE_LOGIT[click.driver]
    if click.driver is not Driver.FISHING:
        base += 0.5 * agent.draws.normal("stubborn")
        base += 0.25 * (math.log1p(order.value_minor / 20_000) - 0.7)
        base += 0.3 * min(click.delay_s / 86_400, 4.0)
        base -= 0.9 if click.stage == "ORDER_STAGE_SHIPPED" else 0.0
        base += 0.6 if click.stage == "ORDER_STAGE_UNPAID" else 0.0
    u = draws.uniform("leaves")

    def leaves(gesture: Gesture | None) -> bool:
        power = _KEEPING_POWER[gesture].get(click.driver, 0.0) if gesture else 0.0
        return u < 1.0 / (1.0 + math.exp(power - base))

    leaves_without = leaves(None)
    kept_by = tuple(g for g in Gesture if leaves_without and not leaves(g))
    gone = leaves(offer.gesture if offer else None)
    takes = offer is not None and not gone and (leaves_without or draws.is_hit("takes", 0.85))
    return Outcome(gone, takes, leaves_without, kept_by)
