"""Why a delivered line comes back: the honest causes, the intents, the words for them.

Honest causes compete in a fixed order, the first that fires counts. An intent of
the order beats them. The reason code is what the customer says, which for many
is only the first entry of the drop-down.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.basket import STORE, Line
from training.simulation.catalogue import SIZES
from training.simulation.config import US_PER_DAY
from training.simulation.ordering import Order
from training.simulation.patterns import LookAlike, Pattern
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.world import World

DEFAULT_CODE: Final = "REASON_CODE_CHANGED_MIND"
"""First entry of every drop-down."""


class Cause(StrEnum):
    """Why a line comes back."""

    STOLEN = "stolen"
    MIXUP = "mixup"
    DAMAGED = "damaged"
    DEFECT = "defect"
    SIZE = "size"
    LISTING = "listing"
    LATE = "late"
    EVENT_CANCELLED = "event_cancelled"
    GIFT = "gift"
    PRICE = "price"
    MIND = "mind"
    WORN = "worn"
    HOARDED = "hoarded"
    CHURNED = "churned"
    NOT_RECEIVED_CLAIM = "not_received_claim"
    EMPTY_BOX = "empty_box"
    SWAP = "swap"
    ARBITRAGE = "arbitrage"
    NEVER_BOUGHT = "never_bought"
    WALK_IN = "walk_in"


class Verdict(NamedTuple):
    """Why a line comes back, and what that case is in truth.

    Attributes:
        cause: What moves the customer.
        kind: Pattern of abuse, or what an honest case resembles.
        not_before_us: When the cause arose, if that was after the delivery. 0: before.
    """

    cause: Cause
    kind: Pattern | LookAlike
    not_before_us: int = 0

    @property
    def is_abuse(self) -> bool:
        """Whether it is abuse in truth."""
        return isinstance(self.kind, Pattern)


class _CodeMix(NamedTuple):
    default_share: float
    codes: tuple[str, ...]
    sums: tuple[float, ...]


def _mix(default_share: float, **weights: float) -> _CodeMix:
    codes = tuple(f"REASON_CODE_{name.upper()}" for name in weights)
    return _CodeMix(default_share, codes, accumulate_weights(tuple(weights.values())))


_EVERYDAY: Final = _mix(
    0.50, changed_mind=0.30, size_too_small=0.19, size_too_large=0.14, not_as_described=0.12,
    quality_defect=0.10, impulse=0.06, other=0.06, gift=0.03,
)  # fmt: skip
"""What people say who would rather not say: the ordinary mix."""

_MIXES: Final[dict[Cause, _CodeMix]] = {
    Cause.STOLEN: _mix(0.05, not_delivered=1.0),
    Cause.MIXUP: _mix(0.10, wrong_item=0.9, not_as_described=0.1),
    Cause.DAMAGED: _mix(0.10, damaged_in_transit=0.85, quality_defect=0.15),
    Cause.DEFECT: _mix(0.15, quality_defect=0.9, not_as_described=0.1),
    Cause.LISTING: _mix(0.35, not_as_described=0.8, quality_defect=0.2),
    Cause.LATE: _mix(0.25, late_delivery=0.9, other=0.1),
    Cause.EVENT_CANCELLED: _mix(0.55, other=0.6, changed_mind=0.4),
    Cause.GIFT: _mix(0.35, gift=1.0),
    Cause.PRICE: _mix(0.45, better_price=0.9, changed_mind=0.1),
    Cause.MIND: _mix(0.60, changed_mind=0.50, impulse=0.16, other=0.10, not_as_described=0.10,
                     size_too_small=0.07, size_too_large=0.07),
    Cause.NOT_RECEIVED_CLAIM: _mix(0.05, not_delivered=1.0),
    Cause.EMPTY_BOX: _mix(0.35, not_delivered=0.15, quality_defect=0.35, not_as_described=0.3,
                          damaged_in_transit=0.2),
    Cause.SWAP: _mix(0.30, quality_defect=0.45, wrong_item=0.2, not_as_described=0.35),
}  # fmt: skip

_CLAIM_CAUSES: Final = (Cause.NOT_RECEIVED_CLAIM, Cause.EMPTY_BOX, Cause.SWAP)
_CLAIM_SUMS: Final = accumulate_weights([0.3, 0.35, 0.35])
_HEAVY_ORDERS_PER_YEAR: Final = 14.0


def choose_code(draws: KeyedRandom, cause: Cause, misfit: float) -> str:
    """Return the reason code that a customer gives."""
    if cause is Cause.SIZE:
        if draws.is_hit("default-code", 0.35):
            return DEFAULT_CODE
        return "REASON_CODE_SIZE_TOO_SMALL" if misfit < 0.0 else "REASON_CODE_SIZE_TOO_LARGE"
    mix = _MIXES.get(cause, _EVERYDAY)
    if draws.is_hit("default-code", mix.default_share):
        return DEFAULT_CODE
    return mix.codes[draws.index("code", mix.sums)]


def compute_misfit(agent: Agent, line: Line) -> float:
    """Return by how many sizes a line is too large (> 0) or too small (< 0) for its buyer.

    A body meets a cut the same way each time, so another size of the style may fit.
    """
    if not line.size:
        return 0.0
    body = 0.36 * agent.draws.normal("fit", line.style.place)
    return line.style.size_bias + body + SIZES.index(line.size) - agent.profile.size


def find_cause(
    world: World, agent: Agent, draws: KeyedRandom, order: Order, line: Line, late_us: int
) -> Verdict | None:
    """Return why a line comes back, or None if it is kept.

    Args:
        world: Surroundings.
        agent: Whose line it is; only read.
        draws: The line's draws.
        order: Its order.
        line: The line.
        late_us: By how much it came after the promise; negative: before.
    """
    if line.intent is not None:
        return _follow_intent(draws, line, line.intent)
    fault = _find_fault(draws, order, line, late_us, agent.profile.impatience)
    if fault is not None:
        return fault
    fit = _find_size_trouble(agent, draws, order, line)
    if fit is not None:
        return fit
    return _find_change_of_mind(world, agent, draws, order, line)


_INTENT_SHARE: Final = {
    Pattern.WARDROBING: 0.92,
    Pattern.BRACKETING: 0.86,
    Pattern.SERIAL_RETURNER: 0.80,
    Pattern.PRICE_ARBITRAGE: 0.85,
    Pattern.EMPTY_BOX: 0.95,
    Pattern.RING: 0.95,
}
_INTENT_CAUSE: Final = {
    Pattern.WARDROBING: Cause.WORN,
    Pattern.BRACKETING: Cause.HOARDED,
    Pattern.SERIAL_RETURNER: Cause.CHURNED,
    Pattern.PRICE_ARBITRAGE: Cause.ARBITRAGE,
}


def _follow_intent(draws: KeyedRandom, line: Line, intent: Pattern) -> Verdict | None:
    """Return the planned return; plans sometimes come to nothing."""
    if not draws.is_hit("goes-through", _INTENT_SHARE[intent]):
        return None
    cause = _INTENT_CAUSE.get(intent)
    if cause is None:
        cause = _CLAIM_CAUSES[draws.index("claim", _CLAIM_SUMS)]
    return Verdict(cause, intent)


def _find_fault(
    draws: KeyedRandom, order: Order, line: Line, late_us: int, impatience: float
) -> Verdict | None:
    """Return a cause that is the carrier's, the warehouse's or the product's."""
    style = line.style
    if order.channel != STORE:
        if draws.is_hit("stolen", 0.0028):
            return Verdict(Cause.STOLEN, LookAlike.PARCEL_STOLEN)
        if draws.is_hit("mixup", 0.0055):
            return Verdict(Cause.MIXUP, LookAlike.WAREHOUSE_MIXUP)
        if draws.is_hit("damaged", 0.006):
            return Verdict(Cause.DAMAGED, LookAlike.PLAIN)
        days_late = late_us / US_PER_DAY
        if days_late > 1.0 and draws.is_hit("too-late", impatience * min(0.25 * days_late, 1.2)):
            return Verdict(Cause.LATE, LookAlike.LATE_PARCEL)
    if style.is_bad_batch(order.day) and draws.is_hit("batch", style.batch_defect):
        return Verdict(Cause.DEFECT, LookAlike.BAD_BATCH)
    if draws.is_hit("defect", 0.010):
        return Verdict(Cause.DEFECT, LookAlike.PLAIN)
    if draws.is_hit("listing", style.listing_gap):
        return Verdict(Cause.LISTING, LookAlike.PLAIN)
    return None


def _find_size_trouble(
    agent: Agent, draws: KeyedRandom, order: Order, line: Line
) -> Verdict | None:
    """Return a cause that lies in sizes: a bad fit, or the spare one of two."""
    misfit = abs(compute_misfit(agent, line))
    siblings = [other for other in order.lines if other.style is line.style and other is not line]
    if siblings:
        best = min(abs(compute_misfit(agent, other)) for other in siblings)
        is_worse = misfit > best or (misfit == best and line.is_variant)
        if is_worse and draws.is_hit("sends-spare", 0.92):
            return Verdict(Cause.SIZE, LookAlike.SIZE_UNSURE)
    if misfit > 1.05 and draws.is_hit("sends-misfit", min(0.42 + 0.25 * (misfit - 1.05), 0.95)):
        has_fault = line.style.has_size_fault()
        return Verdict(Cause.SIZE, LookAlike.SIZE_CHART if has_fault else LookAlike.PLAIN)
    return None


def _find_change_of_mind(
    world: World, agent: Agent, draws: KeyedRandom, order: Order, line: Line
) -> Verdict | None:
    """Return a cause that lies in the customer's own mind or circumstances."""
    profile, style = agent.profile, line.style
    if draws.is_hit("event-cancelled", 0.030 * style.category.festive):
        return Verdict(Cause.EVENT_CANCELLED, LookAlike.OCCASION_CANCELLED)
    if world.seasons.gift[order.day] and draws.is_hit("gift", 0.05):
        return Verdict(Cause.GIFT, LookAlike.PLAIN)
    if draws.is_hit("compares-after", profile.price_sensitivity * 0.22):
        drop_day = world.prices.find_price_drop(style, order.day, order.day + 12, line.sku)
        if drop_day >= 0:
            noticed_us = int((drop_day + draws.uniform("notices-drop")) * US_PER_DAY)
            return Verdict(Cause.PRICE, LookAlike.PLAIN, world.config.start_us + noticed_us)
    rate = style.category.change_of_mind * profile.dissatisfaction
    if not draws.is_hit("mind", min(rate * (1.2 if order.promotion else 1.0), 0.9)):
        return None
    if profile.orders_per_year >= _HEAVY_ORDERS_PER_YEAR:
        return Verdict(Cause.MIND, LookAlike.HEAVY_BUYER)
    return Verdict(Cause.MIND, LookAlike.HOUSEHOLD if profile.is_household else LookAlike.PLAIN)
