"""What a customer does around an order that shows in the log, planned before it is told.

The same plan moves the customer (a question without reply may end in a click on
cancel) and is told: what causes a click can be found in the log.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.agent import Agent
from training.simulation.config import US_PER_HOUR, US_PER_S
from training.simulation.logistics import Fulfilment
from training.simulation.ordering import Order
from training.simulation.randomness import KeyedRandom
from training.simulation.service import ASKS, ASKS_LATE
from training.simulation.world import World

_ASKS_H: Final = 10.0
_HAGGLES_H: Final = 4.0
"""Mean hours until a question (after the promise slipped, if it did) and until a haggler asks."""
_SERVICE_WAIT_S: Final = 330.0
"""Median wait for an answer while nothing queues (chosen)."""


class Traces(NamedTuple):
    """What shows of a customer's doubts.

    Attributes:
        left_checkout: Left the checkout page before ordering.
        flips_address: Changed the address right after ordering.
        asked_us: When customer service was asked. 0: never.
        haggles: It was asked for a better price.
        waited_s: How long the answer took.
    """

    left_checkout: bool
    flips_address: bool
    asked_us: int
    haggles: bool
    waited_s: int


def plan_traces(
    world: World, agent: Agent, draws: KeyedRandom, order: Order, way: Fulfilment
) -> Traces:
    """Return what a customer does around an order.

    Args:
        world: Surroundings (queues at the service desks).
        agent: Whose order it is; only read.
        draws: The order's draws.
        order: The order.
        way: What carriers and warehouse do; delays make people ask.
    """
    left = order.cart_age_s > 3_600 and draws.is_hit("left-before", 0.5)
    flips = draws.is_hit("flips-address", 0.25 if order.asks_policy else 0.012)
    haggles = draws.is_hit("haggles", agent.profile.haggles)
    if not haggles and not draws.is_hit("writes-service", ASKS_LATE if way.slips else ASKS):
        return Traces(left, flips, 0, False, 0)
    asked_us = way.slips[0].time_us if way.slips and not haggles else order.time_us
    asked_us += int(
        draws.exponential("asks-after", _HAGGLES_H if haggles else _ASKS_H) * US_PER_HOUR
    )
    day = world.seasons.day_of(asked_us)
    queue = world.service.compute_wait_factor(agent.profile.region, day)
    waited_s = int(draws.lognormal("service-wait", _SERVICE_WAIT_S, 1.2) * queue)
    return Traces(left, flips, asked_us, haggles, max(waited_s, 1))


def find_reply_us(traces: Traces) -> int:
    """Return when the answer came."""
    return traces.asked_us + traces.waited_s * US_PER_S
