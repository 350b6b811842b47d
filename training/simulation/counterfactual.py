"""What each offer would have changed: potential outcomes of orders at risk, clicks and returns.

Plans are pure functions of draws named by the case, so what would have happened
is the same plan under another offer, by the same draws. Nothing here is told.
Worth is counted in minor units: the margin of what stays sold, less what an
offer and the handling of what comes back cost, plus what the next order is
worth (all chosen).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.cancelling import (
    Candidate,
    Click,
    Course,
    Temper,
    compute_leave_logit,
    decide_outcome,
    describe_click,
    draw_temper,
    list_candidates,
)
from training.simulation.config import US_PER_DAY
from training.simulation.gestures import Arm, compute_cost_minor, find_reach, list_arms
from training.simulation.keeping import (
    compute_click_away,
    decide_keeping,
    draw_resistance,
    find_click_away,
)
from training.simulation.ordering import Order
from training.simulation.policy import CaseView, Offer
from training.simulation.randomness import KeyedRandom
from training.simulation.returning import Return, plan_returns
from training.simulation.stage import Stage
from training.simulation.truth import NO_GESTURE, OfferTruth
from training.simulation.visits import find_next_order_visit

RETURN_HANDLING_MINOR: Final = 1_200
"""Freight and work of what comes back."""
RESALE_LOSS: Final = 0.15
"""Share of its cost that returned goods lose."""
REPURCHASE_SHARE: Final = 0.4
"""What coming back within 90 days is worth, relative to the margin at hand."""
_KEPT_US: Final = 60 * US_PER_DAY
_REPURCHASE_US: Final = 90 * US_PER_DAY

AT_RISK: Final = 0.3
"""Orders are at risk from this probability of a click on."""
SAMPLED_SHARE: Final = 0.02
"""Share of the other orders that is told as well, with weight 1 / share."""


class Worth(NamedTuple):
    """What a case is worth to the shop, by how it ends; minor units."""

    kept: int
    lost: int
    next_order: int


class _Return(NamedTuple):
    """When the customer would come again, and until when that counts."""

    next_us: int
    until_us: int

    def happens(self, away_us: int, *, is_away: bool) -> bool:
        """Return whether the customer buys again, staying away from a time on or not."""
        is_in_time = 0 <= self.next_us <= self.until_us
        return is_in_time and not (is_away and self.next_us >= away_us)

    def compute_p(self, away_us: int, p_away: float) -> float:
        """Return the probability of that."""
        stays = self.happens(away_us, is_away=True)
        return 1.0 if stays else (1.0 - p_away) * self.happens(away_us, is_away=False)


def view_click(agent: Agent, order: Order, click: Click, *, is_short: bool) -> CaseView:
    """Return what the shop knows when a customer clicks cancel.

    Args:
        agent: Who clicks; only read.
        order: The order.
        click: The click.
        is_short: Whether the shop has found it short of stock by then.
    """
    return CaseView(
        call="cancellation", time_us=click.time_us, customer_id=order.customer_id,
        value_minor=order.value_minor, cost_minor=order.cost_minor, code=click.code,
        stage=click.stage, is_order_found=True, has_receipt=True, n_returns_90d=0,
        n_clicks=agent.n_cancel_clicks, is_tag_on=None, region=agent.profile.region,
        delay_s=click.delay_s, is_sized=is_sized(order), is_short=is_short,
    )  # fmt: skip


def is_sized(order: Order) -> bool:
    """Return whether an article with sizes is in an order."""
    return any(line.style.category.is_sized for line in order.lines)


def list_click_arms(order: Order, *, is_short: bool) -> tuple[Arm, ...]:
    """Return the arms that make sense for a click."""
    return list_arms("cancellation", is_sized=is_sized(order), is_short=is_short)


def compute_click_outcomes(
    stage: Stage, agent: Agent, draws: KeyedRandom, course: Course, click: Click, case_id: str,
    offer: Offer | None,
) -> list[OfferTruth]:  # fmt: skip
    """Return how a click would end under each offer.

    Args:
        stage: The world.
        agent: Who clicks; only read.
        draws: The order's draws.
        course: The order and what lies around it.
        click: The click.
        case_id: Its event.
        offer: What was offered.
    """
    order = course.order
    temper = draw_temper(draws)
    base = compute_leave_logit(agent, order, click)
    next_us = find_next_order_visit(stage.world, agent, stage.day, click.time_us)
    again = _Return(next_us, click.time_us + _REPURCHASE_US)
    is_returned = _is_returned(stage, agent, draws, course)
    worth = _value_order(course, is_returned=is_returned, is_shipped="SHIPPED" in click.stage)
    rows = []
    value_minor = order.value_minor
    away_u = draws.uniform("stays-away")
    is_short = is_known_short(course, click.time_us)
    for arm in (None, *list_click_arms(order, is_short=is_short)):
        end = decide_outcome(temper, base, click.driver, arm)
        away = find_click_away(
            leaves=end.leaves, takes=end.takes_offer,
            is_annoyed=arm is not None and temper.is_annoyed,
        )  # fmt: skip
        p_away = compute_click_away(end.p_leaves, end.p_takes, is_offered=arm is not None)
        rows.append(
            _make_row(
                case_id, "cancellation", arm, value_minor, worth, 1.0 - end.p_leaves,
                not end.leaves, end.p_takes, end.takes_offer,
                is_returned=is_returned and not end.leaves,
                comes_again=again.happens(
                    click.time_us, is_away=away_u < away
                ),
                p_again=again.compute_p(click.time_us, p_away),
                is_factual=arm == (offer.arm if offer else None), weight=1.0,
            )
        )  # fmt: skip
    return rows


def compute_order_outcomes(
    stage: Stage, agent: Agent, draws: KeyedRandom, course: Course, case_id: str, weight: float
) -> list[OfferTruth]:
    """Return how an order would end if an offer had been made with it.

    Clicks that still happen are answered as the shop answers clicks.

    Args:
        stage: The world.
        agent: Whose order; only read.
        draws: The order's draws.
        course: The order and what lies around it.
        case_id: Its event.
        weight: Orders that it stands for.
    """
    order = course.order
    found, _ = list_candidates(stage.world, agent, draws, course, is_full=True)
    temper = draw_temper(draws)
    ends = [_end_click(stage, agent, draws, course, temper, item) for item in sorted(found)]
    next_us = find_next_order_visit(stage.world, agent, stage.day, order.time_us)
    again = _Return(next_us, order.time_us + _REPURCHASE_US)
    is_returned = _is_returned(stage, agent, draws, course)
    worth = _value_order(course, is_returned=is_returned, is_shipped=False)
    is_short = course.way.short_us > 0
    arms = list_arms("order", is_sized=is_sized(order), is_short=is_short)
    value_minor = order.value_minor
    return [
        _follow(case_id, value_minor, worth, ends, arm, again, weight, is_returned=is_returned)
        for arm in (None, *arms)
    ]


class _ClickEnd(NamedTuple):
    """A click that may happen, and how it would end under the shop's answer."""

    candidate: Candidate
    leaves: bool
    p_leaves: float
    cost_minor: int
    p_cost_minor: float
    is_away: bool
    p_away: float


def _end_click(
    stage: Stage, agent: Agent, draws: KeyedRandom, course: Course, temper: Temper,
    candidate: Candidate,
) -> _ClickEnd:  # fmt: skip
    click = describe_click(draws, course, candidate)
    is_short = is_known_short(course, click.time_us)
    view = view_click(agent, course.order, click, is_short=is_short)
    offer = stage.policy.choose_offer(view, draws)
    base = compute_leave_logit(agent, course.order, click)
    end = decide_outcome(temper, base, click.driver, offer.arm if offer else None)
    away = find_click_away(
        leaves=end.leaves, takes=end.takes_offer,
        is_annoyed=offer is not None and temper.is_annoyed,
    )  # fmt: skip
    cost_minor = offer.cost_minor if offer else 0
    return _ClickEnd(
        candidate, end.leaves, end.p_leaves, cost_minor * end.takes_offer,
        cost_minor * end.p_takes, draws.is_hit("stays-away", away),
        compute_click_away(end.p_leaves, end.p_takes, is_offered=offer is not None),
    )  # fmt: skip


def _follow(
    case_id: str, value_minor: int, worth: Worth, ends: list[_ClickEnd], arm: Arm | None,
    again: _Return, weight: float, *, is_returned: bool,
) -> OfferTruth:  # fmt: skip
    """Return the row of an order under one offer: the first click that is left counts."""
    p_none, p_leaves, spent_p, p_lost_again = 1.0, 0.0, 0.0, 0.0
    first: _ClickEnd | None = None
    for end in ends:
        reach = find_reach(arm, end.candidate.driver) if arm else 0.0
        share = end.candidate.share * (1.0 - reach)
        if first is None and end.candidate.u < share:
            first = end
        p_first = p_none * share
        p_leaves += p_first * end.p_leaves
        spent_p += p_first * end.p_cost_minor
        p_lost_again += p_first * (1.0 - again.compute_p(end.candidate.time_us, end.p_away))
        p_none *= 1.0 - share
    in_time = again.happens(0, is_away=False)
    leaves = first is not None and first.leaves
    comes_again = in_time
    if first is not None:
        comes_again = again.happens(first.candidate.time_us, is_away=first.is_away)
    spent = first.cost_minor if first else 0
    row = _make_row(
        case_id, "order", arm, value_minor, worth, 1.0 - p_leaves, not leaves, 1.0 - p_leaves,
        not leaves, is_returned=is_returned and not leaves, comes_again=comes_again,
        p_again=1.0 - p_lost_again if in_time else 0.0, is_factual=arm is None, weight=weight,
    )  # fmt: skip
    return row._replace(
        net_value_minor=row.net_value_minor - spent,
        expected_value_minor=row.expected_value_minor - spent_p,
    )


def compute_return_outcomes(
    stage: Stage, agent: Agent, draws: KeyedRandom, plan: Return, case_id: str,
    offer: Offer | None,
) -> list[OfferTruth]:  # fmt: skip
    """Return how a return would end under each offer.

    Args:
        stage: The world.
        agent: Whose return; only read.
        draws: The return's draws.
        plan: The return.
        case_id: Its event.
        offer: What was offered.
    """
    next_us = find_next_order_visit(stage.world, agent, stage.day, plan.time_us)
    again = _Return(next_us, plan.time_us + _REPURCHASE_US)
    value_minor = plan.quantity * plan.unit_price_minor
    cost_minor = plan.quantity * plan.style.unit_cost_minor
    is_back = plan.inspection is not None and not plan.inspection.is_anomalous
    lost = -RETURN_HANDLING_MINOR - round(cost_minor * (RESALE_LOSS if is_back else 1.0))
    margin = value_minor - cost_minor
    worth = Worth(margin, lost, round(REPURCHASE_SHARE * max(margin, 0)))
    arms = list_arms("return", is_sized=plan.style.category.is_sized, is_short=False)
    rows = []
    resistance = draw_resistance(agent, draws, plan)
    away_u = draws.uniform("stays-away")
    for arm in (None, *arms):
        end = decide_keeping(resistance, plan.verdict.cause, arm)
        is_away = away_u < end.share_away
        rows.append(
            _make_row(
                case_id, "return", arm, value_minor, worth, end.p_keeps, end.keeps, end.p_takes,
                end.takes_offer, is_returned=not end.keeps,
                comes_again=again.happens(plan.time_us, is_away=is_away),
                p_again=again.compute_p(plan.time_us, end.p_away),
                is_factual=arm == (offer.arm if offer else None), weight=1.0,
            )
        )  # fmt: skip
    return rows


def is_known_short(course: Course, time_us: int) -> bool:
    """Return whether the shop knows at a time that something of an order is missing."""
    return 0 < course.way.short_us <= time_us


def _is_returned(stage: Stage, agent: Agent, draws: KeyedRandom, course: Course) -> bool:
    """Return whether something comes back within 60 days of the delivery, if it is delivered."""
    way = course.way
    if not _is_delivered(course):
        return False
    late_us = way.delivered_us - way.promise_us
    plans = plan_returns(stage.world, agent, draws, course.order, way.delivered_us, late_us)
    return any(plan.time_us - way.delivered_us <= _KEPT_US for _, plan in plans)


def _is_delivered(course: Course) -> bool:
    ends = course.way.lost_us or course.way.retailer_cancel_us or course.payment.lapsed_us
    return not ends


def _value_order(course: Course, *, is_returned: bool, is_shipped: bool) -> Worth:
    order = course.order
    margin = order.value_minor - order.cost_minor
    kept = margin if _is_delivered(course) else 0
    if is_returned:
        kept = -RETURN_HANDLING_MINOR - round(order.cost_minor * RESALE_LOSS)
    lost = -RETURN_HANDLING_MINOR if is_shipped else 0
    return Worth(kept, lost, round(REPURCHASE_SHARE * max(margin, 0)))


def _make_row(
    case_id: str, call: str, arm: Arm | None, value_minor: int, worth: Worth, p_keeps: float,
    keeps: bool, p_takes: float, takes: bool, *, is_returned: bool, comes_again: bool,
    p_again: float, is_factual: bool, weight: float,
) -> OfferTruth:  # fmt: skip
    cost_minor = compute_cost_minor(arm, value_minor) if arm else 0
    net = (worth.kept if keeps else worth.lost) - cost_minor * (takes and arm is not None)
    expected = p_keeps * worth.kept + (1.0 - p_keeps) * worth.lost - p_takes * cost_minor
    return OfferTruth(
        case_event_id=case_id,
        call=call,
        gesture=arm.gesture.value if arm else NO_GESTURE,
        level=arm.level if arm else 0,
        p_keeps=p_keeps,
        keeps=keeps,
        p_takes=p_takes if arm else 0.0,
        takes=takes and arm is not None,
        returned_60d=is_returned,
        repurchase_90d=comes_again,
        cost_minor=cost_minor,
        net_value_minor=net + worth.next_order * comes_again,
        expected_value_minor=expected + worth.next_order * p_again,
        is_factual=is_factual,
        weight=weight,
    )
