"""Visits to a counter without any order: lost receipts, and goods never bought."""

from __future__ import annotations

from typing import Final

from training.simulation.agent import Agent, StoreGood
from training.simulation.catalogue import CATEGORIES
from training.simulation.config import US_PER_HOUR
from training.simulation.patterns import LookAlike, Pattern
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.return_causes import Cause, Verdict
from training.simulation.returning import Return, plan_walk_in
from training.simulation.world import World

_MAX_ITEMS: Final = 4
_RESALE_SUMS: Final = accumulate_weights(
    [category.demand * (0.05 + category.resale**1.5) for category in CATEGORIES]
)


def plan_walk_ins(
    world: World, agent: Agent, draws: KeyedRandom, time_us: int
) -> list[tuple[KeyedRandom, Return]]:
    """Return the returns of one errand, each with its draws; none if there is nothing to bring.

    Args:
        world: Surroundings.
        agent: Who goes; only read.
        draws: The session's draws.
        time_us: When the customer sets out.
    """
    appetite = agent.compute_appetite()
    is_abuse = (
        appetite > 0.0
        and draws.is_hit("receiptless", agent.profile.receiptless * appetite)
        and world.is_invented(Pattern.RECEIPTLESS_REFUND, time_us)
    )
    if is_abuse:
        return _plan_tour(world, agent, draws, time_us)
    if not agent.store_goods:
        return []
    good = agent.store_goods[draws.integer("which-good", len(agent.store_goods))]
    verdict = Verdict(Cause.WALK_IN, LookAlike.NO_RECEIPT)
    item_draws = draws.narrow("i0")
    return [(item_draws, plan_walk_in(world, agent, item_draws, time_us, good, verdict))]


def _plan_tour(
    world: World, agent: Agent, draws: KeyedRandom, time_us: int
) -> list[tuple[KeyedRandom, Return]]:
    """Return refunds for goods never bought: a few stores in a few days."""
    verdict = Verdict(Cause.NEVER_BOUGHT, Pattern.RECEIPTLESS_REFUND)
    n_items = 1 + min(int(draws.exponential("items", 0.9)), _MAX_ITEMS - 1)
    found = []
    for step in range(n_items):
        item_draws = draws.narrow(f"i{step}")
        day = world.seasons.day_of(time_us)
        category = item_draws.index("category", _RESALE_SUMS)
        style = world.catalogue.draw_style(item_draws, category, step, day)
        size = "M" if style.category.is_sized else ""
        colour = style.colours[item_draws.integer("colour", len(style.colours))]
        sku = style.make_sku(size, colour)
        good = StoreGood(style, sku, world.prices.quote(style, day, sku).unit_price_minor)
        found.append((item_draws, plan_walk_in(world, agent, item_draws, time_us, good, verdict)))
        # The next counter: later that day or in the days after.
        time_us += int((1.0 + draws.exponential("next-counter", 20.0, step)) * US_PER_HOUR)
    return found
