"""How a line comes back: when, where, with which papers, in which state."""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.agent import Agent, StoreGood
from training.simulation.basket import STORE, Line
from training.simulation.catalogue import Category, Style
from training.simulation.config import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from training.simulation.ordering import Order
from training.simulation.patterns import LookAlike, Pattern
from training.simulation.population import Profile
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.return_causes import (
    Cause,
    Verdict,
    choose_code,
    compute_misfit,
    find_cause,
)
from training.simulation.world import World

_HOLD_MEDIAN_DAYS: Final[dict[Cause, float]] = {
    Cause.STOLEN: 2.5,
    Cause.NOT_RECEIVED_CLAIM: 3.0,
    Cause.MIXUP: 3.0,
    Cause.EMPTY_BOX: 4.0,
    Cause.SWAP: 4.0,
    Cause.DAMAGED: 1.5,
    Cause.DEFECT: 7.0,
    Cause.SIZE: 5.0,
    Cause.LATE: 1.5,
    Cause.GIFT: 14.0,
    Cause.EVENT_CANCELLED: 15.0,
    Cause.PRICE: 7.0,
}
_HOLD_DEFAULT_DAYS: Final = 6.5

EXCHANGE_SHARE: Final = 0.2
"""Customers with a bad fit who want another size instead of the money."""

_USED: Final = frozenset({Cause.WORN})
_CONDITIONS: Final = ("CONDITION_A", "CONDITION_B", "CONDITION_C", "CONDITION_D")
_UNUSED_SUMS: Final = accumulate_weights([0.70, 0.24, 0.05, 0.01])
_USED_SUMS: Final = accumulate_weights([0.15, 0.38, 0.40, 0.07])
_FAULTY_SUMS: Final = accumulate_weights([0.03, 0.17, 0.45, 0.35])
_FAULTY: Final = frozenset({Cause.DAMAGED, Cause.DEFECT})
_PHOTO_CODES: Final = frozenset(
    {
        "REASON_CODE_QUALITY_DEFECT",
        "REASON_CODE_DAMAGED_IN_TRANSIT",
        "REASON_CODE_WRONG_ITEM",
        "REASON_CODE_NOT_AS_DESCRIBED",
    }
)


class Evidence(NamedTuple):
    """What is known of the item when the return is requested; None: nobody looked."""

    is_photo_checked: bool
    is_video_passed: bool
    is_tag_on: bool | None
    weight_g: int | None


class Inspection(NamedTuple):
    """What is found when the item is there."""

    condition: str
    is_wrong_item: bool
    is_empty_box: bool

    @property
    def is_anomalous(self) -> bool:
        """Whether the box did not hold the item."""
        return self.is_wrong_item or self.is_empty_box


class Return(NamedTuple):
    """A planned return of one line or of something never bought.

    Attributes:
        time_us: When it is requested.
        verdict: Why, in truth.
        order: The order shown or found. None: none.
        line: Its line. None: none.
        delivered_us: When that was delivered. 0: no order.
        customer_id: Who is recognised. Empty: nobody.
        style: Style of the item.
        sku: SKU of the item.
        quantity: Units.
        unit_price_minor: Price of one unit as the shop assumes it.
        channel: Where it is returned.
        store_id: Store. Empty: by parcel.
        has_receipt: Whether a receipt or an order was shown.
        refund_tender: How the money is wanted.
        code: Reason code given.
        evidence: Known at the request.
        inspection: Found later. None: nothing comes back.
        wants_exchange: Takes another size instead of money.
    """

    time_us: int
    verdict: Verdict
    order: Order | None
    line: Line | None
    delivered_us: int
    customer_id: str
    style: Style
    sku: str
    quantity: int
    unit_price_minor: int
    channel: str
    store_id: str
    has_receipt: bool
    refund_tender: str
    code: str
    evidence: Evidence
    inspection: Inspection | None
    wants_exchange: bool


def plan_returns(
    world: World, agent: Agent, draws: KeyedRandom, order: Order, delivered_us: int, late_us: int
) -> list[tuple[KeyedRandom, Return]]:
    """Return what comes back of a delivered order, with the draws of each line.

    Args:
        world: Surroundings.
        agent: Whose order it is; only read.
        draws: The order's draws.
        order: The order.
        delivered_us: When it arrived.
        late_us: By how much after the promise; negative: before.
    """
    found = []
    for line in order.lines:
        line_draws = draws.narrow(f"l{line.line_id}")
        verdict = find_cause(world, agent, line_draws, order, line, late_us)
        if verdict is not None:
            plan = _plan_line(world, agent, draws, line_draws, order, line, verdict, delivered_us)
            found.append((line_draws, plan))
    return found


def _plan_line(
    world: World, agent: Agent, order_draws: KeyedRandom, draws: KeyedRandom, order: Order,
    line: Line, verdict: Verdict, delivered_us: int,
) -> Return:  # fmt: skip
    profile, cause = agent.profile, verdict.cause
    hold_us, is_late = _draw_hold_us(order, profile, order_draws, draws, cause)
    if is_late and verdict.kind is LookAlike.PLAIN and cause in {Cause.MIND, Cause.SIZE}:
        verdict = verdict._replace(kind=LookAlike.LATE_RETURNER)
    is_in_store = _goes_to_store(draws, agent, order, cause)
    has_receipt = order.channel != STORE or draws.is_hit("has-receipt", profile.keeps_receipts)
    has_receipt = has_receipt and cause is not Cause.ARBITRAGE
    customer_id = order.customer_id
    if not customer_id and is_in_store and draws.is_hit("shows-card", profile.shows_member_card):
        customer_id = agent.customer_id
    # Without a receipt the clerk may still find the order of a member.
    is_found = has_receipt or (
        bool(order.customer_id) and cause is not Cause.ARBITRAGE and draws.is_hit("found", 0.3)
    )
    if not has_receipt and not is_found and verdict.kind is LookAlike.PLAIN:
        verdict = verdict._replace(kind=LookAlike.NO_RECEIPT)
    code = choose_code(draws, cause, compute_misfit(agent, line))
    # What the till assumes: the price paid, or the list price where no order is found.
    list_price = line.quote.unit_price_minor + line.quote.unit_discount_minor
    return Return(
        time_us=max(delivered_us + hold_us, verdict.not_before_us),
        verdict=verdict,
        order=order if is_found else None,
        line=line if is_found else None,
        delivered_us=delivered_us if is_found else 0,
        customer_id=customer_id,
        style=line.style,
        sku=line.sku,
        quantity=_draw_quantity(draws, line),
        unit_price_minor=line.quote.unit_price_minor if is_found else list_price,
        channel=STORE if is_in_store else _name_online_channel(order),
        store_id=world.name_store(profile.region, draws.uniform("store")) if is_in_store else "",
        has_receipt=has_receipt,
        refund_tender=_choose_refund(draws, profile, order.tender, has_receipt=is_found),
        code=code,
        evidence=_look(draws, line.style.category, verdict, code, is_in_store=is_in_store),
        inspection=_inspect(draws, cause),
        wants_exchange=cause is Cause.SIZE and draws.is_hit("exchanges", EXCHANGE_SHARE),
    )


def plan_walk_in(
    world: World, agent: Agent, draws: KeyedRandom, time_us: int, good: StoreGood, verdict: Verdict
) -> Return:
    """Return a return at a counter without any order.

    Args:
        world: Surroundings.
        agent: Who walks in; only read.
        draws: The item's draws.
        time_us: When.
        good: What is brought.
        verdict: Bought once and without its receipt, or never bought.
    """
    profile = agent.profile
    code = choose_code(draws, verdict.cause, 0.0)
    is_elsewhere = draws.is_hit("other-region", 0.3 if verdict.is_abuse else 0.08)
    region = draws.integer("region", 8) if is_elsewhere else profile.region
    return Return(
        time_us=time_us,
        verdict=verdict,
        order=None,
        line=None,
        delivered_us=0,
        customer_id=agent.customer_id
        if draws.is_hit("shows-card", profile.shows_member_card)
        else "",
        style=good.style,
        sku=good.sku,
        quantity=1,
        unit_price_minor=good.unit_price_minor,
        channel=STORE,
        store_id=world.name_store(region, draws.uniform("store")),
        has_receipt=False,
        refund_tender=_choose_refund(draws, profile, "TENDER_CASH", has_receipt=False),
        code=code,
        evidence=_look(draws, good.style.category, verdict, code, is_in_store=True),
        inspection=_inspect(draws, verdict.cause),
        wants_exchange=False,
    )


def _draw_hold_us(
    order: Order, profile: Profile, order_draws: KeyedRandom, draws: KeyedRandom, cause: Cause
) -> tuple[int, bool]:
    """Return how long an item is kept, and whether an honest customer took all the time.

    Lines of one order that come back for like causes come on one trip: the long
    part is drawn per order, minutes per line.
    """
    window_days = float(order.return_window_days)
    minutes_us = int(draws.exponential("trip", 4.0) * US_PER_MINUTE)
    patient_causes = {Cause.MIND, Cause.SIZE, Cause.EVENT_CANCELLED, Cause.GIFT, Cause.CHURNED}
    is_late = cause in patient_causes and order_draws.is_hit("late-return", profile.lateness)
    if cause is Cause.WORN and not order_draws.is_hit("soon-after-event", 0.2):
        days = window_days * (0.60 + 0.38 * order_draws.kumaraswamy("hold-worn", 1.9, 1.1))
    elif is_late:
        days = window_days * (0.60 + 0.385 * order_draws.kumaraswamy("hold-late", 1.9, 1.1))
    else:
        median = _HOLD_MEDIAN_DAYS.get(cause, _HOLD_DEFAULT_DAYS)
        days = order_draws.lognormal(f"hold-{median:g}", median, 0.75)
        days = min(days, window_days * (0.9 + 0.09 * order_draws.uniform("hold-end")))
    hold_us = int(days * US_PER_DAY) + minutes_us
    return max(hold_us, US_PER_HOUR), is_late


def _goes_to_store(draws: KeyedRandom, agent: Agent, order: Order, cause: Cause) -> bool:
    if cause is Cause.ARBITRAGE:
        return True
    if cause in {Cause.STOLEN, Cause.NOT_RECEIVED_CLAIM}:
        return False
    share = 0.95 if order.channel == STORE else agent.profile.returns_in_store
    # Who was verified one way may try the other.
    return draws.is_hit("to-store", share) is not agent.shifts(draws, "shifts-channel")


def _name_online_channel(order: Order) -> str:
    return "CHANNEL_WEB" if order.channel == STORE else order.channel


def _draw_quantity(draws: KeyedRandom, line: Line) -> int:
    if line.quantity == 1 or draws.is_hit("all-units", 0.6):
        return line.quantity
    return 1 + draws.integer("units", line.quantity)


def _choose_refund(draws: KeyedRandom, profile: Profile, paid_by: str, *, has_receipt: bool) -> str:
    """Return how the money is wanted; shops prefer gift cards where no order is found."""
    if draws.is_hit("gift-card-refund", profile.gift_card):
        return "TENDER_GIFT_CARD"
    if not has_receipt and draws.is_hit("store-credit", 0.6):
        return "TENDER_GIFT_CARD"
    return "TENDER_CARD" if paid_by == "TENDER_CASH_ON_DELIVERY" else paid_by


def _look(
    draws: KeyedRandom, category: Category, verdict: Verdict, code: str, *, is_in_store: bool
) -> Evidence:
    """Return what clerk or customer shows at the request."""
    cause = verdict.cause
    if cause in {Cause.STOLEN, Cause.NOT_RECEIVED_CLAIM}:
        return Evidence(False, False, None, None)
    is_photo = not is_in_store and draws.is_hit("photo", 0.7 if code in _PHOTO_CODES else 0.1)
    is_video = is_photo and draws.is_hit("video", 0.12)
    is_video = is_video and draws.is_hit("video-passed", 0.6 if verdict.is_abuse else 0.93)
    tag_seen = draws.is_hit("tag-seen", 0.75 if is_in_store else 0.25 * is_photo)
    tag_share = 0.45 if cause in _USED or cause is Cause.DEFECT else 0.92
    weight: int | None = None
    if not is_in_store and draws.is_hit("weighed", 0.35):
        true_share = 0.60 if cause is Cause.EMPTY_BOX else 1.0
        weight = max(round(draws.lognormal("weight", category.weight_g * true_share, 0.18)), 20)
    return Evidence(
        is_photo, is_video, draws.is_hit("tag-on", tag_share) if tag_seen else None, weight
    )


def _inspect(draws: KeyedRandom, cause: Cause) -> Inspection | None:
    """Return what the warehouse or the clerk finds. None: nothing comes back."""
    if cause in {Cause.STOLEN, Cause.NOT_RECEIVED_CLAIM}:
        return None
    sums = _USED_SUMS if cause in _USED else _FAULTY_SUMS if cause in _FAULTY else _UNUSED_SUMS
    return Inspection(
        condition=_CONDITIONS[draws.index("condition", sums)],
        is_wrong_item=cause is Cause.MIXUP
        or cause is Cause.SWAP
        or draws.is_hit("miscount", 0.004),
        is_empty_box=cause is Cause.EMPTY_BOX,
    )


def find_intent(order: Order) -> Pattern | None:
    """Return the abuse that an order was placed for, or None."""
    for line in order.lines:
        if line.intent is not None:
            return line.intent
    return None
