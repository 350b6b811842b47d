"""The loop: whoever comes next shops or returns, and time moves on.

All customers do the same; who they are stands in their parameters. The clock is
a heap of next visits, so facts leave in time order and memory does not grow
with the horizon.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from features.log import structs
from training.simulation.agent import Agent
from training.simulation.config import US_PER_DAY, US_PER_HOUR, SimulationConfig
from training.simulation.order_story import OrderStory
from training.simulation.ordering import plan_order
from training.simulation.outbox import EventSink, Outbox
from training.simulation.policy import DefaultPolicy, RetailerPolicy
from training.simulation.population import draw_profile
from training.simulation.randomness import KeyedRandom
from training.simulation.return_story import ReturnStory
from training.simulation.returning import plan_returns
from training.simulation.reviews import tell_reviews
from training.simulation.stage import CaseCounts, Stage
from training.simulation.truth import TruthSink
from training.simulation.visits import find_next_visit, is_errand
from training.simulation.walk_in import plan_walk_ins
from training.simulation.world import World

ProgressCallback = Callable[[int], None]
"""Called with the number of simulated days, about once a day."""


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What a run wrote.

    Attributes:
        n_events: Events told, repetitions not counted.
        n_repeated: Events told twice.
        n_late: Events that came at least half a day late.
        n_by_kind: Events by kind.
        cases: Cases by call, in truth.
    """

    n_events: int
    n_repeated: int
    n_late: int
    n_by_kind: Mapping[str, int]
    cases: Mapping[str, CaseCounts]


def simulate(
    config: SimulationConfig,
    sink: EventSink,
    truth: TruthSink | None = None,
    on_progress: ProgressCallback | None = None,
    policy: RetailerPolicy | None = None,
) -> SimulationSummary:
    """Tell the facts of a simulated shop to a sink and return what was told.

    Args:
        config: The world.
        sink: Takes the events, in order of ingest time; the caller closes it.
        truth: Takes the truth of each case; the caller closes it. None: not wanted.
        on_progress: Told the day reached.
        policy: The shop's decisions. None: those of `policy.DefaultPolicy`.

    Raises:
        ConfigError: An override names an unknown parameter.
    """
    world = World(config)
    outbox = Outbox(config, sink)
    stage = Stage(world, outbox, truth, policy or DefaultPolicy(config))
    _tell_prices(world, outbox)
    agents = [
        Agent(
            draw_profile(config, index),
            config.seed,
            config.start_us,
            config.labels.closing_verdicts,
        )
        for index in range(config.n_customers)
    ]
    visits = [(time_us, agent.profile.index) for agent in agents
              if (time_us := find_next_visit(world, agent, -1)) >= 0]  # fmt: skip
    heapq.heapify(visits)
    day = 0
    while visits:
        time_us, index = visits[0]
        if (today := world.seasons.day_of(time_us)) > day:
            day = today
            outbox.release(time_us)
            if on_progress is not None:
                on_progress(day)
        agent = agents[index]
        stage.day = today
        _live(stage, agent, time_us)
        next_us = find_next_visit(world, agent, today)
        if next_us >= 0:
            heapq.heapreplace(visits, (next_us, index))
        else:
            heapq.heappop(visits)
    outbox.close()
    return SimulationSummary(
        n_events=sum(outbox.n_by_kind.values()),
        n_repeated=outbox.n_repeated,
        n_late=outbox.n_late,
        n_by_kind=dict(sorted(outbox.n_by_kind.items())),
        cases=dict(sorted(stage.counts.items())),
    )


def _tell_prices(world: World, outbox: Outbox) -> None:
    """Tell all price changes; they are the shop's, known from the start of their day."""
    config = world.config
    for change in world.prices.iterate_changes():
        draws = KeyedRandom(config.seed, f"price/{change.sku}/{change.day}")
        kind = "competitor_price_seen" if change.is_rival else "price_changed"
        struct = structs.CompetitorPriceSeen if change.is_rival else structs.PriceChanged
        within_us = int(draws.uniform("within") * US_PER_HOUR)
        time_us = config.start_us + change.day * US_PER_DAY + within_us
        payload = struct(sku=change.sku, unit_price_minor=change.unit_price_minor)
        outbox.tell(draws, kind, time_us, payload, customer_id="", channel="CHANNEL_WEB")


def _live(stage: Stage, agent: Agent, time_us: int) -> None:
    """Let a customer act: an errand at a counter, or an order and what becomes of it."""
    draws = agent.draws.narrow(f"s{agent.n_sessions}")
    agent.n_sessions += 1
    agent.advance(time_us)
    if is_errand(agent, draws):
        for item_draws, walk_in in plan_walk_ins(stage.world, agent, draws, time_us):
            ReturnStory(stage, agent, item_draws, walk_in).tell()
        return
    order = plan_order(stage.world, agent, draws, time_us)
    agent.spend(order.kept_minor, order.time_us)
    arrival = OrderStory(stage, agent, draws, order).tell()
    if arrival is None:
        return
    delivered_us, late_us = arrival
    returns = plan_returns(stage.world, agent, draws, order, delivered_us, late_us)
    tell_reviews(stage, agent, draws, order, arrival, returns)
    for line_draws, plan in returns:
        ReturnStory(stage, agent, line_draws, plan).tell()
