"""One tiny world from seed to scores: nothing later than the cut, no truth, same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import worlds
from benchmarks.quality.contenders.rules import Rules
from benchmarks.quality.contenders.trees import Hemostat
from benchmarks.quality.frozen_policy import load_policy
from benchmarks.quality.history import read_return_facts
from benchmarks.quality.judging import measure_world
from benchmarks.quality.shops import judge_world
from benchmarks.quality.worlds import Shop, load_cases, prepare_shop
from features.definition import DAY_US
from features.definitions import FEATURES
from features.request_rows import Call
from training.evaluation.resampling import Resampling
from training.head_definitions import ABUSE_HEADS
from training.sources import open_source

SHOP = Shop(7_001, 0, 900, worlds.DAYS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a prepared shop, small, in a cache of its own."""
    cache = tmp_path_factory.mktemp("shops")
    patch = pytest.MonkeyPatch()
    patch.setattr(worlds, "find_cache", lambda: cache)
    found = prepare_shop(SHOP)
    patch.undo()
    return found


def test_a_prepared_shop_holds_its_cases_and_no_truth_beside_its_log(folder: Path) -> None:
    returns, orders = (load_cases(folder, call) for call in (Call.RETURN, Call.ORDER))
    assert not list(folder.rglob("truth"))
    assert 0.05 < returns.is_abuse.mean() < 0.4
    assert not (returns.is_abuse & returns.is_good).any()
    assert returns.rows.shape[0] == len(returns.time_us)
    assert orders.rows.shape == (len(orders.time_us), 0)
    abusers = set(returns.person[returns.is_abuse])
    assert not abusers & set(orders.person[orders.is_good])


def test_a_sibling_up_to_the_cut_is_the_beginning_of_a_longer_one() -> None:
    one, other = (Shop(7_001, 1, 900, days).to_config() for days in (worlds.CUT_DAY, worlds.DAYS))
    assert one == other.model_copy(update={"days": one.days})
    assert worlds.find_cut_us(one) == one.end_us // DAY_US * DAY_US + DAY_US


def test_a_shops_own_counts_are_those_of_the_feature_core(folder: Path) -> None:
    source = open_source(folder / "log", lambda *_: None, heads=ABUSE_HEADS)
    cases = source.cases.cases[Call.RETURN]
    facts = read_return_facts(cases, source.cases.facts)

    names = [feature.name for feature in FEATURES]
    known = ~cases.is_guest

    def column(name: str) -> np.ndarray:
        found: np.ndarray = np.nan_to_num(cases.rows[known, names.index(name)])
        return found

    assert (facts.n_returns[known] == column("return_count_lifetime")).mean() > 0.98
    assert (facts.n_orders[known] == column("order_count_lifetime")).mean() > 0.98
    assert (facts.value_minor == cases.rows[:, names.index("request_value_minor")]).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures(folder: Path) -> None:
    found = []
    for _ in range(2):
        world = judge_world(7_001, SHOP.to_config(), [folder], [Hemostat(), Rules()])
        figures = measure_world(world, load_policy(), Resampling(20, 7))
        found.append({key: (one.value, one.draws.tolist()) for key, one in figures.items()})
        cut_us = worlds.find_cut_us(SHOP.to_config())
        assert world.truth.time_us.min() >= cut_us
        assert world.order_truth.time_us.min() >= cut_us
    assert found[0] == found[1]
