"""Worlds with names: the default one, and four in which other things are hard.

A preset is the default configuration with a few fields of its own; everything else,
the seed and the horizon above all, is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from features.errors import ConfigError
from training.simulation.config import PatternStart, SimulationConfig
from training.simulation.patterns import Pattern

DEFAULT_WORLD: Final = "default"

_PRESETS: Final[dict[str, dict[str, Any]]] = {
    DEFAULT_WORLD: {},
    # Nobody knew these until then: what was learned before does not name them.
    "drift": {
        "pattern_starts": (
            PatternStart(pattern=Pattern.EMPTY_BOX, from_day=270),
            PatternStart(pattern=Pattern.PRICE_ARBITRAGE, from_day=330),
        ),
    },
    # Deep, well-attended sales: more impulse, more honest returns, more to gain by arbitrage.
    "promotions": {"promotion_scale": 1.8},
    # Six times as many rings, fewer lone abusers, who cover their tracks no better.
    "rings": {"ring_scale": 6.0, "abuser_scale": 0.7},
    # Clothes and shoes above all, and returns as in Germany, Austria and Switzerland.
    # More abusers, for the same share of more returns.
    "fashion-dach": {
        "fashion_scale": 4.0,
        "dissatisfaction_scale": 2.4,
        "abuser_scale": 1.2,
        "chinese_share": 0.0,
    },
}

WORLDS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(_PRESETS)
"""Fields of `SimulationConfig` that each world sets."""


def make_config(world: str = DEFAULT_WORLD, **settings: Any) -> SimulationConfig:
    """Return the configuration of a named world.

    Args:
        world: One of `WORLDS`.
        settings: Further fields; they win over the world's own.

    Raises:
        ConfigError: There is no such world.
        pydantic.ValidationError: A field is out of range.

    >>> make_config("rings", seed=3).ring_scale
    6.0
    """
    if world not in WORLDS:
        raise ConfigError(
            "there is no such world",
            field="--world",
            value=world[:40],
            expectation="one of " + ", ".join(WORLDS),
            fix="name one of these",
        )
    return SimulationConfig.model_validate({**WORLDS[world], **settings})
