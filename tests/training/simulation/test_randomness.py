"""Draws are pure functions of their names, and look random over names."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.simulation.randomness import KeyedRandom, accumulate_weights

names = st.text(min_size=1, max_size=12)


@given(seed=st.integers(0, 2**64 - 1), scope=names, purpose=names, step=st.integers(0, 2**40))
def test_a_draw_depends_on_nothing_but_its_name(
    seed: int, scope: str, purpose: str, step: int
) -> None:
    draws = KeyedRandom(seed, scope)
    before = draws.uniform(purpose, step)
    draws.uniform("another")
    assert draws.uniform(purpose, step) == before
    assert 0.0 <= before < 1.0


@given(seed=st.integers(0, 2**64 - 1), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_probability_never_undoes_a_hit(seed: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    draws = KeyedRandom(seed, "c1")
    assert draws.is_hit("event", high) or not draws.is_hit("event", low)


@pytest.mark.parametrize("part", ["seed", "scope", "purpose", "step"])
def test_each_part_of_the_name_gives_independent_draws(part: str) -> None:
    pairs = []
    for n in range(4_000):
        changed = {
            "seed": KeyedRandom(8, f"c{n}").uniform("hold"),
            "scope": KeyedRandom(7, f"c{n}/l").uniform("hold"),
            "purpose": KeyedRandom(7, f"c{n}").uniform("hold-end"),
            "step": KeyedRandom(7, f"c{n}").uniform("hold", 1),
        }[part]
        pairs.append((KeyedRandom(7, f"c{n}").uniform("hold"), changed))
    mean = sum((x - 0.5) * (y - 0.5) for x, y in pairs) / len(pairs)
    correlation = 12.0 * mean  # The variance of a uniform is 1/12.
    assert abs(correlation) < 5.0 / math.sqrt(len(pairs))


def test_neighbouring_seeds_scopes_and_steps_never_give_the_same_draw() -> None:
    drawn = [
        KeyedRandom(seed, scope).narrow(part).uniform(purpose, step)
        for seed in range(12)
        for scope in ("c1", "c2", "c3", "c10", "c11")
        for part in ("a", "b", "s1", "s2")
        for purpose in ("a", "b", "is", "it", "seen", "seem")
        for step in range(6)
    ]
    assert len(set(drawn)) == len(drawn)


def test_draws_have_the_distribution_they_name() -> None:
    draws = KeyedRandom(7, "sample")
    n = 20_000
    normal = [draws.normal("normal", step) for step in range(n)]
    waiting = [draws.exponential("waiting", 3.0, step) for step in range(n)]
    median = sorted(draws.lognormal("size", 10.0, 0.5, step) for step in range(n))[n // 2]
    assert math.fsum(normal) / n == pytest.approx(0.0, abs=0.03)
    assert math.fsum(x * x for x in normal) / n == pytest.approx(1.0, abs=0.04)
    assert math.fsum(waiting) / n == pytest.approx(3.0, rel=0.03)
    assert median == pytest.approx(10.0, rel=0.02)


def test_an_index_follows_its_weights() -> None:
    sums = accumulate_weights([1.0, 0.0, 3.0])
    draws = KeyedRandom(7, "sample")
    chosen = [draws.index("choice", sums, step) for step in range(8_000)]
    assert set(chosen) == {0, 2}
    assert chosen.count(2) / len(chosen) == pytest.approx(0.75, abs=0.02)


def test_weights_without_mass_are_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="positive sum"):
        accumulate_weights([0.0, 0.0])
