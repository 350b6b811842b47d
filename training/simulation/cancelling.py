"""When and why a customer clicks cancel, and whether an offer keeps the order.

Every risk node that holds for an order, and every pair of them, may make its
customer click (`drivers.RULES`); the earliest click counts. Competing ends (the
retailer gives up, the payment lapses) come first if they are earlier: then there
is no click.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.config import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S
from training.simulation.drivers import CODES, COMPARES, LEAVE_LOGIT, RULES, Node, Rule
from training.simulation.gestures import ANNOYED_LOGIT, ANNOYED_SHARE, Arm, find_click_power
from training.simulation.logistics import Fulfilment, Payment
from training.simulation.ordering import Order
from training.simulation.patterns import Driver, Pattern
from training.simulation.randomness import KeyedRandom
from training.simulation.traces import Traces
from training.simulation.world import World

_CHANNEL_HEAT: Final = {"CHANNEL_DOUYIN": 2.0, "CHANNEL_PDD": 1.5, "CHANNEL_WECHAT": 1.3}
"""How impulsively people buy on a channel: live streams and group buys above all."""
_NIGHT_HOURS: Final = frozenset({22, 23, 0, 1, 2, 3})
_DEAR_MINOR: Final = 60_000

_DEFAULT_CODE_SHARE: Final = 0.42
"""Clicks that keep the drop-down's first entry, changed mind, whatever the driver."""

_FISHED_MINOR: Final = 25_000
_FISHED_DEAR: Final = 1.1
"""Who fishes does so for orders of which a share is worth it."""
_FISHED_CHEAP: Final = 0.75
_NO_REPLY_US: Final = 10 * US_PER_MINUTE
_NO_TRACKING_US: Final = int(3.5 * US_PER_DAY)
_RECENT_US: Final = 60 * US_PER_DAY
_LISTING_OFF: Final = 0.05
_VERIFIED_WEIGHT: Final = 3.0
"""How much worse a recent return sits if one was verified."""
_TAKES_ANYWAY: Final = 0.85
"""Customers who would stay and yet take what is offered."""


class Click(NamedTuple):
    """A customer's click on cancel.

    Attributes:
        time_us: When.
        driver: The true cause.
        code: The reason code given.
        stage: Stage of the order then.
        delay_s: Delay of the promise known then.
        nodes: The risk node, or the pair, that caused it. Empty: none did.
    """

    time_us: int
    driver: Driver
    code: str
    stage: str
    delay_s: int
    nodes: tuple[Node, ...] = ()


class Course(NamedTuple):
    """An order and all that will happen around it if nobody stops it."""

    order: Order
    way: Fulfilment
    payment: Payment
    traces: Traces

    @property
    def last_us(self) -> int:
        """End of the time in which a click can end it: arrival, lapse or the retailer's end."""
        last_us = self.way.delivered_us or self.way.lost_us
        for end_us in (self.way.retailer_cancel_us, self.payment.lapsed_us):
            last_us = min(last_us, end_us) if end_us else last_us
        return last_us


class Candidate(NamedTuple):
    """A click that may happen.

    Attributes:
        time_us: When it would.
        driver: Its cause.
        nodes: The risk nodes behind it.
        share: Its probability.
        u: The uniform that decides: it happens if `u < share`.
    """

    time_us: int
    driver: Driver
    nodes: tuple[Node, ...]
    share: float
    u: float


class _Sign(NamedTuple):
    """A node that holds: from when on, how strong, and the how-manieth of its kind."""

    node: Node
    time_us: int
    strength: float = 1.0
    step: int = 0


class Outcome(NamedTuple):
    """How a click ends under one offer, or none.

    Attributes:
        leaves: The order ends.
        takes_offer: The offer is taken.
        p_leaves: Probability that it ends.
        p_takes: Probability that the offer is taken.
    """

    leaves: bool
    takes_offer: bool
    p_leaves: float
    p_takes: float


def plan_click(
    world: World, agent: Agent, draws: KeyedRandom, course: Course
) -> tuple[Click | None, float]:
    """Return the first click on cancel before delivery, if any, and how likely one was.

    The probability leaves aside what was not looked up (prices that nobody compared)
    and that some clicks would come too late.

    Args:
        world: Surroundings (prices).
        agent: Whose order it is; only read.
        draws: The order's draws.
        course: The order and what lies around it.
    """
    found, risk = list_candidates(world, agent, draws, course, is_full=False)
    return (describe_click(draws, course, min(found)) if found else None), risk


def describe_click(draws: KeyedRandom, course: Course, candidate: Candidate) -> Click:
    """Return a click as it would be seen."""
    time_us = candidate.time_us
    known = [slip.delay_us for slip in course.way.slips if slip.time_us <= time_us]
    return Click(
        time_us=time_us,
        driver=candidate.driver,
        code=_choose_code(draws, candidate.driver),
        stage=_find_stage(time_us, course),
        delay_s=known[-1] // US_PER_S if known else 0,
        nodes=candidate.nodes,
    )


def list_candidates(
    world: World, agent: Agent, draws: KeyedRandom, course: Course, *, is_full: bool
) -> tuple[list[Candidate], float]:
    """Return the clicks in time, those that happen or all that might, and the risk of any.

    Args:
        world: Surroundings (prices).
        agent: Whose order it is; only read.
        draws: The order's draws.
        course: The order and what lies around it.
        is_full: Also those that do not happen, for their probabilities.
    """
    profile, order = agent.profile, course.order
    signs = _find_signs(world, agent, draws, course, is_full=is_full)
    last_us = course.last_us
    found = []
    calm = 1.0
    for rule in _list_applying(signs):
        temper = getattr(profile, rule.temper) if rule.temper else 1.0
        of_node = signs[rule.nodes[0]]
        for sign in of_node[:1] if rule.is_pair else of_node:
            share = min(rule.share * temper * sign.strength, 0.95)
            u = draws.uniform(rule.name, sign.step)
            calm *= 1.0 - share
            if u >= share and not is_full:
                continue
            since_us = sign.time_us
            if rule.is_pair:
                since_us = max(since_us, signs[rule.nodes[1]][0].time_us)
            time_us = since_us + _draw_after_us(draws, rule, sign.step)
            if order.time_us < time_us < last_us:
                found.append(Candidate(time_us, rule.driver, rule.nodes, share, u))
    appetite = agent.compute_appetite()
    if appetite:
        worth = _FISHED_DEAR if order.value_minor >= _FISHED_MINOR else _FISHED_CHEAP
        share = min(profile.fish * appetite * worth, 0.95)
        calm *= 1.0 - share
        u = draws.uniform(Pattern.OFFER_FISHING.value)
        if u < share or is_full:
            after_us = int(draws.lognormal("fishes-after", 32.0, 1.4) * US_PER_HOUR)
            if 0 < after_us < last_us - order.time_us:
                found.append(Candidate(order.time_us + after_us, Driver.FISHING, (), share, u))
    return found, 1.0 - calm


_RULES_OF: Final = {node: tuple(r for r in RULES if r.nodes[0] is node) for node in Node}


def _list_applying(signs: dict[Node, list[_Sign]]) -> list[Rule]:
    """Return the rules of which all nodes hold."""
    return [
        rule
        for node in signs
        for rule in _RULES_OF[node]
        if not rule.is_pair or rule.nodes[1] in signs
    ]


def _draw_after_us(draws: KeyedRandom, rule: Rule, step: int) -> int:
    if rule.sigma:
        hours = draws.lognormal(f"{rule.name}-after", rule.after_hours, rule.sigma, step)
    else:
        hours = draws.exponential(f"{rule.name}-after", rule.after_hours, step)
    return int(hours * US_PER_HOUR)


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


def _find_signs(
    world: World, agent: Agent, draws: KeyedRandom, course: Course, *, is_full: bool
) -> dict[Node, list[_Sign]]:
    """Return the nodes that hold, each with its first time and strength."""
    signs = {sign.node: [sign] for sign in _list_early_signs(agent, course)}
    signs.update((sign.node, [sign]) for sign in _list_later_signs(course))
    if course.way.slips:
        signs[Node.PROMISE_SLIPPED] = [
            _Sign(Node.PROMISE_SLIPPED, slip.time_us, _compute_urgency(slip.delay_us), step)
            for step, slip in enumerate(course.way.slips)
        ]
    watches = draws.is_hit(COMPARES.name, COMPARES.share * agent.profile.price_sensitivity)
    if is_full or watches or Node.CART_OLD in signs:
        drop_us = _find_price_drop_us(world, draws, course)
        if drop_us:
            signs[Node.PRICE_DROPPED] = [_Sign(Node.PRICE_DROPPED, drop_us)]
    return signs


def _compute_urgency(delay_us: int) -> float:
    return min(0.4 + 0.5 * delay_us / US_PER_DAY, 2.2)


def _list_early_signs(agent: Agent, course: Course) -> list[_Sign]:
    """Return the nodes that hold when the order is placed or right after."""
    order, traces, start_us = course.order, course.traces, course.order.time_us
    heat = _compute_heat(order, course.way.promise_us - start_us)
    found = [_Sign(Node.ORDERED, start_us, heat)]
    if order.chart_views >= 3:
        found.append(_Sign(Node.CHART_OPENED, start_us))
    if order.cart_age_s > 48 * 3_600:
        found.append(_Sign(Node.CART_OLD, start_us))
    if traces.left_checkout:
        found.append(_Sign(Node.CHECKOUT_LEFT, start_us))
    if traces.flips_address:
        found.append(_Sign(Node.ADDRESS_FLIPPED, start_us + 5 * US_PER_MINUTE))
    if order.asks_policy:
        found.append(_Sign(Node.POLICY_ASKED, start_us))
    gap = max(line.style.listing_gap for line in order.lines)
    if gap > _LISTING_OFF:
        found.append(_Sign(Node.LISTING_OFF, start_us, gap))
    n_lately = agent.count_returns(start_us - _RECENT_US, start_us)
    if n_lately:
        strength = n_lately * (_VERIFIED_WEIGHT if agent.n_verified else 1.0)
        found.append(_Sign(Node.RETURNED_LATELY, start_us, strength))
    return found


def _list_later_signs(course: Course) -> list[_Sign]:
    """Return the nodes that come to hold while the order is on its way, delays left aside."""
    way, traces = course.way, course.traces
    found = []
    if course.payment.failed_us:
        found.append(_Sign(Node.PAYMENT_FAILED, course.payment.failed_us))
    if traces.asked_us and traces.waited_s * US_PER_S > _NO_REPLY_US:
        found.append(_Sign(Node.NO_REPLY, traces.asked_us + _NO_REPLY_US))
    if way.short_us:
        found.append(_Sign(Node.STOCK_SHORT, way.short_us))
    quiet_us = way.shipped_us + _NO_TRACKING_US
    if course.last_us > quiet_us and not any(slip.time_us < quiet_us for slip in way.slips):
        found.append(_Sign(Node.NO_TRACKING, quiet_us))
    return found


def _find_price_drop_us(world: World, draws: KeyedRandom, course: Course) -> int:
    """Return when the customer would notice a lower price, 0 if there is none."""
    order = course.order
    end_day = world.seasons.day_of(course.way.delivered_us or course.way.lost_us)
    drops = [
        world.prices.find_price_drop(line.style, order.day, end_day, line.sku)
        for line in order.lines
    ]
    days = [day for day in drops if day >= 0]
    if not days:
        return 0
    into_day_us = int(draws.uniform("notices") * US_PER_DAY)
    return world.config.start_us + min(days) * US_PER_DAY + into_day_us


def _choose_code(draws: KeyedRandom, driver: Driver) -> str:
    if draws.is_hit("default-cancel-code", _DEFAULT_CODE_SHARE):
        return "REASON_CODE_CHANGED_MIND"
    codes = CODES[driver]
    return codes[draws.integer("cancel-code", len(codes))]


def _find_stage(time_us: int, course: Course) -> str:
    if time_us >= course.way.shipped_us:
        return "ORDER_STAGE_SHIPPED"
    if not course.order.is_paid_later and not 0 < course.payment.paid_us <= time_us:
        return "ORDER_STAGE_UNPAID"
    if time_us >= course.way.shipped_us - 4 * US_PER_HOUR:
        return "ORDER_STAGE_FULFILMENT"
    return "ORDER_STAGE_PAID"


def compute_leave_logit(agent: Agent, order: Order, click: Click) -> float:
    """Return the logit of leaving after a click if nothing is offered."""
    base = LEAVE_LOGIT[click.driver]
    if click.driver is not Driver.FISHING:
        base += 0.5 * agent.draws.normal("stubborn")
        base += 0.25 * (math.log1p(order.value_minor / 20_000) - 0.7)
        base += 0.3 * min(click.delay_s / 86_400, 4.0)
        base -= 0.9 if click.stage == "ORDER_STAGE_SHIPPED" else 0.0
        base += 0.6 if click.stage == "ORDER_STAGE_UNPAID" else 0.0
    return base


class Temper(NamedTuple):
    """What decides a click under every offer: the same draws for all of them.

    Attributes:
        u: The customer leaves if it lies below the probability of that.
        is_annoyed: Bargaining annoys.
        grabs: Takes an offer even if staying anyway.
    """

    u: float
    is_annoyed: bool
    grabs: bool


def draw_temper(draws: KeyedRandom) -> Temper:
    """Return what decides a click; equal for equal draws."""
    return Temper(
        draws.uniform("leaves"), draws.is_hit("annoyed", ANNOYED_SHARE),
        draws.is_hit("takes", _TAKES_ANYWAY),
    )  # fmt: skip


def decide_outcome(temper: Temper, base: float, driver: Driver, arm: Arm | None) -> Outcome:
    """Return whether a customer leaves under an offer.

    One uniform decides all offers: a stronger one keeps whom a weaker one keeps.
    Only the annoyed may be driven away by one.

    Args:
        temper: The case's draws.
        base: Logit of leaving if nothing is offered.
        driver: Cause of the click.
        arm: The offer. None: nothing is offered.
    """
    p_none = _squash(base)
    if arm is None:
        return Outcome(temper.u < p_none, False, p_none, 0.0)
    calm = base - find_click_power(arm, driver)
    p_calm = _squash(calm)
    p_annoyed = _squash(calm + ANNOYED_LOGIT)
    leaves = temper.u < (p_annoyed if temper.is_annoyed else p_calm)
    takes = not leaves and (temper.u < p_none or temper.grabs)
    p_leaves = ANNOYED_SHARE * p_annoyed + (1.0 - ANNOYED_SHARE) * p_calm
    p_won = ANNOYED_SHARE * max(p_none - p_annoyed, 0.0)
    p_won += (1.0 - ANNOYED_SHARE) * max(p_none - p_calm, 0.0)
    p_takes = p_won + _TAKES_ANYWAY * (1.0 - p_leaves - p_won)
    return Outcome(leaves, takes, p_leaves, p_takes)


def _squash(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
