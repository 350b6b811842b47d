"""When customers come: at counters, at sites, to buy or on an errand."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from training.simulation.agent import Agent
from training.simulation.config import US_PER_DAY, US_PER_S
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.world import World

_HOUR_SUMS: Final = accumulate_weights(
    [
        2.0, 1.0, 0.6, 0.4, 0.3, 0.4, 0.8, 1.6, 2.6, 3.6, 4.6, 4.8,
        4.6, 4.4, 4.2, 4.2, 4.2, 4.0, 4.2, 5.2, 7.0, 7.6, 6.2, 4.0,
    ]
)  # fmt: skip
"""Visits by hour of the shop's day (chosen: lunch and late evening are busy)."""

_MOST_AHEAD: Final = 40
"""Visits looked through for the next order; who comes more often has come by then."""


def find_next_visit(world: World, agent: Agent, day: int, ahead: int = 0) -> int:
    """Return the next visit after a day, or -1 if there is none within the horizon.

    A Poisson process on the clock of accumulated demand, one visit a day at most.

    Args:
        world: Surroundings (demand, horizon).
        agent: Whose visit; only read.
        day: Day of the visit before. -1: there was none.
        ahead: Visits that lie between now and that day; 0: the coming one.
    """
    profile, config = agent.profile, world.config
    rate = profile.orders_per_year + profile.walk_ins_per_year
    if rate <= 0.0:
        return -1
    demand_until = world.seasons.demand_until
    first_day = day + 1
    if day < 0:
        first_day = max((profile.join_us - config.start_us) // US_PER_DAY, 0)
    if first_day >= config.days:
        return -1
    wait = agent.draws.exponential("wait", 365.25 / rate, agent.n_sessions + ahead)
    found = bisect_right(demand_until, demand_until[first_day] + wait) - 1
    time_us = config.start_us + found * US_PER_DAY + _draw_time_of_day_us(agent, ahead)
    if found >= config.days or time_us >= agent.leave_us:
        return -1
    return time_us


def _draw_time_of_day_us(agent: Agent, ahead: int) -> int:
    hour = agent.draws.index("hour", _HOUR_SUMS, agent.n_sessions + ahead)
    within = agent.draws.uniform("within-hour", agent.n_sessions + ahead)
    return int((hour + within) * 3_600 * US_PER_S)


def is_errand(agent: Agent, draws: KeyedRandom) -> bool:
    """Return whether a visit is an errand at a counter, not for an order.

    Args:
        agent: Who comes.
        draws: The session's draws.
    """
    profile = agent.profile
    rate = profile.orders_per_year + profile.walk_ins_per_year
    return draws.is_hit("errand", profile.walk_ins_per_year / rate)


def find_next_order_visit(world: World, agent: Agent, today: int, after_us: int) -> int:
    """Return the first visit after a time on which the customer comes to order, or -1.

    As things stand now: what is still to happen may make the customer stay away.

    Args:
        world: Surroundings.
        agent: Whose visit; only read.
        today: Day of the visit that goes on.
        after_us: Time from which on it counts.
    """
    day = today
    for ahead in range(_MOST_AHEAD):
        time_us = find_next_visit(world, agent, day, ahead)
        if time_us < 0:
            return -1
        draws = agent.draws.narrow(f"s{agent.n_sessions + ahead}")
        if time_us > after_us and not is_errand(agent, draws):
            return time_us
        day = world.seasons.day_of(time_us)
    return -1
