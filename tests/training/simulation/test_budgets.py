"""Customers spend what they have: a month's money, saved up again, and small treats besides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from training.simulation import SimulationConfig
from training.simulation.agent import Agent
from training.simulation.config import US_PER_DAY, CustomerOverride
from training.simulation.population import draw_profile

Run = Any
START_US = SimulationConfig().start_us
BUDGET = 100_000.0


@pytest.fixture
def agent() -> Agent:
    override = CustomerOverride(customer=3, parameter="budget_minor", value=BUDGET)
    config = SimulationConfig(customer_overrides=(override,))
    return Agent(draw_profile(config, 3), config.seed, config.start_us)


def _find_left(agent: Agent, days: float) -> float:
    return agent.find_budget_minor(START_US + int(days * US_PER_DAY))


def test_what_was_spent_comes_back_evenly_over_a_month(agent: Agent) -> None:
    assert _find_left(agent, 0) == BUDGET
    agent.spend(60_000, START_US)
    assert _find_left(agent, 0) == pytest.approx(40_000.0)
    assert _find_left(agent, 9) == pytest.approx(70_000.0)
    assert _find_left(agent, 40) == BUDGET


def test_what_was_overspent_is_saved_up_for_but_a_treat_is_always_left(agent: Agent) -> None:
    agent.spend(180_000, START_US)
    agent.spend(20_000, START_US + 15 * US_PER_DAY)
    assert _find_left(agent, 15) == pytest.approx(0.25 * BUDGET)
    assert _find_left(agent, 45) == pytest.approx(50_000.0)
    assert _find_left(agent, 60) == BUDGET


def test_time_never_runs_back_for_an_order_that_is_told_ahead(agent: Agent) -> None:
    agent.spend(50_000, START_US + 5 * US_PER_DAY)
    assert _find_left(agent, 2) == pytest.approx(50_000.0)


def test_who_has_less_to_spend_buys_less_and_cheaper(run_world: Callable[..., Run]) -> None:
    def override(value: float) -> tuple[CustomerOverride, ...]:
        return tuple(
            CustomerOverride(customer=index, parameter="budget_minor", value=value)
            for index in range(150)
        )

    spent = {}
    for budget in (30_000.0, 10_000_000.0):
        run = run_world(n_customers=150, days=150, seed=11, customer_overrides=override(budget))
        lines = [line for event in run.of_kind("order_placed") for line in event.order_placed.lines]
        dearest = max(line.unit_price_minor for line in lines)
        per_customer: dict[str, int] = defaultdict(int)
        for event in run.of_kind("order_placed"):
            per_customer[event.customer_id] += 1
        prices = [line.unit_price_minor for line in lines]
        spent[budget] = (sum(prices) / len(prices), len(lines) / len(per_customer), dearest)
    poor, rich = spent[30_000.0], spent[10_000_000.0]
    assert poor[0] < 0.7 * rich[0]
    assert poor[1] < rich[1]
