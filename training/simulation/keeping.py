"""Whether an offer makes a customer keep what was to come back, and who stays away for good.

All numbers are chosen. The field's claims (65 % of customers who cancel never
come back; repurchase 8 % against 53 % after a saved cancellation) come without a
method; the shares here point the same way and are milder.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.gestures import ANNOYED_SHARE, Arm, find_return_power
from training.simulation.patterns import Gesture
from training.simulation.randomness import KeyedRandom
from training.simulation.return_causes import Cause
from training.simulation.returning import EXCHANGE_SHARE, Return

_RESISTANCE: Final[dict[Cause, float]] = {
    Cause.MIND: 1.6,
    Cause.SIZE: 1.6,
    Cause.PRICE: 1.4,
    Cause.LISTING: 1.9,
    Cause.LATE: 1.8,
    Cause.MIXUP: 2.0,
    Cause.DEFECT: 2.2,
    Cause.DAMAGED: 2.2,
    Cause.GIFT: 2.6,
    Cause.HOARDED: 2.8,
}
_RESISTANCE_DEFAULT: Final = 2.4
"""Logit that an offer must overcome, by cause of the return."""

AWAY_LEFT: Final = 0.12
"""Never comes back after a cancelled order."""
AWAY_STAYED: Final = 0.02
"""The same after a click that ended with the order kept, nothing given."""
AWAY_WON: Final = 0.01
"""The same when an offer was taken."""
AWAY_RETURNED: Final = 0.003
"""Never comes back after a return."""
AWAY_KEPT: Final = 0.001
"""The same if the article was kept or exchanged."""
AWAY_ANNOYED: Final = 0.03
"""Added for the annoyed if anything was offered."""


class Keeping(NamedTuple):
    """What becomes of a return under an offer.

    Attributes:
        keeps: The article is kept or exchanged.
        takes_offer: The offer is taken.
        is_exchange: What was offered is an exchange.
        p_keeps: Probability that it is kept or exchanged.
        p_takes: Probability that the offer is taken.
        p_away: Probability that the customer never comes back.
        share_away: The same, given what happens.
    """

    keeps: bool
    takes_offer: bool
    is_exchange: bool
    p_keeps: float
    p_takes: float
    p_away: float
    share_away: float


class Resistance(NamedTuple):
    """What decides a return under every offer: the same for all of them.

    Attributes:
        owns: Takes another size without any offer.
        p_owns: Probability of that.
        logit: What an offer must overcome.
        u: An offer wins if it lies below the probability of that.
        is_annoyed: Bargaining annoys.
    """

    owns: bool
    p_owns: float
    logit: float
    u: float
    is_annoyed: bool


def draw_resistance(agent: Agent, draws: KeyedRandom, plan: Return) -> Resistance:
    """Return what decides a return.

    Args:
        agent: Whose return; only read.
        draws: The return's draws.
        plan: The return.
    """
    cause = plan.verdict.cause
    is_sized = plan.style.category.is_sized
    logit = _RESISTANCE.get(cause, _RESISTANCE_DEFAULT)
    logit += 0.4 * agent.draws.normal("stubborn")
    logit += 0.2 * (math.log1p(plan.quantity * plan.unit_price_minor / 20_000) - 0.7)
    return Resistance(
        owns=plan.wants_exchange and is_sized,
        p_owns=EXCHANGE_SHARE if cause is Cause.SIZE and is_sized else 0.0,
        logit=logit,
        u=draws.uniform("is-won"),
        is_annoyed=draws.is_hit("annoyed", ANNOYED_SHARE),
    )


def decide_keeping(resistance: Resistance, cause: Cause, arm: Arm | None) -> Keeping:
    """Return whether an article is kept or exchanged under an offer.

    Who wants another size takes it without any offer, too. One uniform decides
    all offers.

    Args:
        resistance: The case's draws.
        cause: Why it comes back.
        arm: The offer. None: nothing is offered.
    """
    owns, p_own = resistance.owns, resistance.p_owns
    if arm is None:
        return _conclude(owns, False, p_own, 0.0, False, 0.0, is_exchange=False)
    power = find_return_power(arm, cause)
    p_won = 1.0 / (1.0 + math.exp(resistance.logit - power)) if power else 0.0
    is_won = resistance.u < p_won
    keeps = owns or is_won
    p_keeps = 1.0 - (1.0 - p_own) * (1.0 - p_won)
    is_exchange = arm.gesture is Gesture.EXCHANGE
    return _conclude(
        keeps, keeps if is_exchange else is_won, p_keeps, p_keeps if is_exchange else p_won,
        resistance.is_annoyed, ANNOYED_SHARE, is_exchange=is_exchange,
    )  # fmt: skip


def compute_click_away(
    p_leaves: float, p_takes: float, *, is_offered: bool
) -> float:  # fmt: skip
    """Return the probability that a customer never comes back after a click."""
    p_away = p_leaves * AWAY_LEFT + p_takes * AWAY_WON
    p_away += (1.0 - p_leaves - p_takes) * AWAY_STAYED
    return p_away + (ANNOYED_SHARE * AWAY_ANNOYED if is_offered else 0.0)


def find_click_away(*, leaves: bool, takes: bool, is_annoyed: bool) -> float:
    """Return the share of customers who never come back after a click that ended so."""
    away = AWAY_LEFT if leaves else AWAY_WON if takes else AWAY_STAYED
    return away + AWAY_ANNOYED if is_annoyed else away


def _conclude(
    keeps: bool, takes: bool, p_keeps: float, p_takes: float, is_annoyed: bool, p_annoyed: float,
    *, is_exchange: bool,
) -> Keeping:  # fmt: skip
    share = (AWAY_KEPT if keeps else AWAY_RETURNED) + AWAY_ANNOYED * is_annoyed
    p_away = p_keeps * AWAY_KEPT + (1.0 - p_keeps) * AWAY_RETURNED + p_annoyed * AWAY_ANNOYED
    return Keeping(keeps, takes, is_exchange, p_keeps, p_takes, p_away, share)
