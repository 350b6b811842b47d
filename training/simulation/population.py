"""Customers: each a row of own parameters, drawn around its type's.

A profile is a pure function of (configuration, index): no customer's draw
touches another's. Neighbours in index form households and rings, which is how
they come to share devices and addresses.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Final

import msgspec

from features.errors import ConfigError
from training.simulation.agent_types import ABUSIVE_TYPES, HONEST_TYPES, RING_TYPE, AgentType
from training.simulation.catalogue import CATEGORIES, SIZES
from training.simulation.config import US_PER_DAY, SimulationConfig
from training.simulation.logistics import REGION_SUMS
from training.simulation.randomness import KeyedRandom, accumulate_weights

_RATES: Final = frozenset(
    {"orders_per_year", "walk_ins_per_year", "dissatisfaction", "basket", "budget_minor"}
)
_TEMPERS: Final = frozenset({"impulse", "impatience", "price_sensitivity", "payment_friction"})
_NOT_PERSONAL: Final = frozenset(
    {"name", "share", "on_days", "off_days", "when_caught", "when_verified"}
)
_PERSONAL: Final = tuple(f.name for f in fields(AgentType) if f.name not in _NOT_PERSONAL)

_RATE_SPREAD: Final = 0.45
_SHARE_SPREAD: Final = 0.6
_TEMPER_SPREAD: Final = 1.1
"""Log or logit standard deviation of a member's value around its type's."""

HOUSEHOLD_SIZE: Final = 4
_HOUSEHOLD_SHARE: Final = 0.12
DORMITORY_SIZE: Final = 8
_DORMITORY_SHARE: Final = 0.07
"""Share of blocks of neighbours at one address: dormitories, offices, parcel shops."""
RING_SIZE: Final = 6
RING_BLOCK_SHARE: Final = 0.005
_RING_JOIN_SPREAD_DAYS: Final = 6.0

_EXISTING_SHARE: Final = 0.62
"""Customers who were there before the first day; the others join, the most of them early."""
_JOIN_MEAN_DAYS: Final = 400.0
_STAY_MEAN_DAYS: Final = 900.0

ONLINE_CHANNELS: Final = (
    "CHANNEL_WEB",
    "CHANNEL_APP",
    "CHANNEL_TMALL",
    "CHANNEL_TAOBAO",
    "CHANNEL_JD",
    "CHANNEL_DOUYIN",
    "CHANNEL_WECHAT",
    "CHANNEL_PDD",
)
_CHANNEL_SHARES: Final = (0.20, 0.24, 0.18, 0.12, 0.10, 0.08, 0.05, 0.03)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One customer's parameters; see `AgentType` for the shares.

    Attributes:
        index: Place in the population.
        customer_id: Pseudonym as written into events, until an account is closed.
        person: Name in the truth, under all accounts; written into no event.
        type_name: For tables only.
        is_chinese: Writes Chinese, else English.
        region: Index into `logistics.REGIONS`.
        size: Index into `catalogue.SIZES`.
        join_us: From when the customer shops here.
        leave_us: Until when.
        channel_sums: Running shares of `ONLINE_CHANNELS`.
        taste_sums: Running shares of `catalogue.CATEGORIES`.
        home: Who shares device and address: a token of the household, ring or customer.
        is_household: Shares `home` with honest relatives.
        is_ring: Shares `home` with a ring.
        ring: Name of the ring in the truth, empty for all others; written into no event.
    """

    index: int
    customer_id: str
    person: str
    type_name: str
    is_chinese: bool
    region: int
    size: int
    join_us: int
    leave_us: int
    channel_sums: tuple[float, ...]
    taste_sums: tuple[float, ...]
    home: str
    is_household: bool
    is_ring: bool
    ring: str
    on_days: float
    off_days: float
    when_caught: float
    when_verified: float
    orders_per_year: float
    basket: float
    budget_minor: float
    dissatisfaction: float
    size_doubt: float
    lateness: float
    writes: float
    repeats_words: float
    store_share: float
    returns_in_store: float
    keeps_receipts: float
    gift_card: float
    walk_ins_per_year: float
    shows_member_card: float
    price_sensitivity: float
    impatience: float
    impulse: float
    cart_dawdle: float
    payment_friction: float
    coupon_love: float
    haggles: float
    asks_policy: float
    wear: float
    hoard: float
    churn: float
    empty_box: float
    arbitrage: float
    receiptless: float
    fish: float
    covers_tracks: float
    shift_on_verify: float
    insulted: float


def draw_profile(config: SimulationConfig, index: int) -> Profile:
    """Return a customer of the world.

    Raises:
        ConfigError: An override names a parameter that customers do not have.
    """
    draws = KeyedRandom(config.seed, f"c{index}")
    ring = KeyedRandom(config.seed, f"ring{index // RING_SIZE}")
    is_ring = ring.is_hit("is", RING_BLOCK_SHARE * config.abuser_scale * config.ring_scale)
    family = KeyedRandom(config.seed, f"family{index // HOUSEHOLD_SIZE}")
    is_household = family.is_hit("is", _HOUSEHOLD_SHARE)
    dormitory = KeyedRandom(config.seed, f"dormitory{index // DORMITORY_SIZE}")
    if dormitory.is_hit("is", _DORMITORY_SHARE):
        family, is_household = dormitory, True
    is_household = is_household and not is_ring
    agent_type = RING_TYPE if is_ring else _draw_type(draws, config.abuser_scale)
    shared = ring if is_ring else family if is_household else draws
    join_us, leave_us = _draw_stay(config, draws, ring if is_ring else None)
    profile = Profile(
        index=index,
        customer_id=f"c{draws.token('id')[:16]}",
        person=f"p{draws.token('person')[:16]}",
        type_name=agent_type.name,
        is_chinese=shared.is_hit("chinese", config.chinese_share),
        region=shared.index("region", REGION_SUMS),
        size=min(max(round(2.3 + 1.2 * draws.normal("size")), 0), len(SIZES) - 1),
        join_us=join_us,
        leave_us=leave_us,
        channel_sums=_vary(draws, "channel", _CHANNEL_SHARES, 1.2),
        taste_sums=_vary(draws, "taste", _list_demand(config), 0.7),
        home=shared.token("home"),
        is_household=is_household,
        is_ring=is_ring,
        ring=f"ring{index // RING_SIZE}" if is_ring else "",
        on_days=agent_type.on_days,
        off_days=agent_type.off_days,
        when_caught=agent_type.when_caught,
        when_verified=agent_type.when_verified,
        **{name: _draw_parameter(draws, agent_type, name) for name in _PERSONAL},
    )
    dissatisfaction = profile.dissatisfaction * config.dissatisfaction_scale
    profile = msgspec.structs.replace(profile, dissatisfaction=dissatisfaction)
    return _apply_overrides(config, profile)


def _list_demand(config: SimulationConfig) -> list[float]:
    return [c.demand * (config.fashion_scale if c.is_sized else 1.0) for c in CATEGORIES]


def _draw_type(draws: KeyedRandom, abuser_scale: float) -> AgentType:
    """Return a type by share; abusers' shares are scaled, the honest fill the rest."""
    u = draws.uniform("type")
    for agent_type in ABUSIVE_TYPES:
        u -= agent_type.share * abuser_scale
        if u < 0.0:
            return agent_type
    sums = accumulate_weights([agent_type.share for agent_type in HONEST_TYPES])
    return HONEST_TYPES[draws.index("honest-type", sums)]


def _draw_parameter(draws: KeyedRandom, agent_type: AgentType, name: str) -> float:
    """Return a member's own value: rates vary log-normally, shares on the logit scale."""
    center = float(getattr(agent_type, name))
    if center == 0.0:
        return 0.0
    if name in _RATES:
        return center * math.exp(_RATE_SPREAD * draws.normal(name))
    spread = _TEMPER_SPREAD if name in _TEMPERS else _SHARE_SPREAD
    logit = math.log(center / (1.0 - center)) + spread * draws.normal(name)
    return 1.0 / (1.0 + math.exp(-logit))


def _draw_stay(
    config: SimulationConfig, draws: KeyedRandom, ring: KeyedRandom | None
) -> tuple[int, int]:
    """Return when a customer comes and goes; a ring's accounts are new and come together."""
    if ring is not None:
        spread_us = int(draws.exponential("join", _RING_JOIN_SPREAD_DAYS) * US_PER_DAY)
        join_us = config.start_us + _draw_join_us(ring) + spread_us
    elif draws.is_hit("existing", _EXISTING_SHARE):
        join_us = config.start_us - int(draws.exponential("before", 500.0) * US_PER_DAY)
    else:
        join_us = config.start_us + _draw_join_us(draws)
    # Exponential stays have no memory, so that of an existing customer starts afresh.
    stay_us = int(draws.exponential("stay", _STAY_MEAN_DAYS) * US_PER_DAY)
    return join_us, max(join_us, config.start_us) + stay_us


def _draw_join_us(draws: KeyedRandom) -> int:
    """Return how long after the first day somebody new comes, whatever the horizon."""
    return int(draws.exponential("join", _JOIN_MEAN_DAYS) * US_PER_DAY)


def _vary(
    draws: KeyedRandom, purpose: str, shares: list[float] | tuple[float, ...], sigma: float
) -> tuple[float, ...]:
    return accumulate_weights(
        [draws.lognormal(purpose, share, sigma, step) for step, share in enumerate(shares)]
    )


def _apply_overrides(config: SimulationConfig, profile: Profile) -> Profile:
    for override in config.customer_overrides:
        if override.customer != profile.index:
            continue
        if override.parameter not in _PERSONAL:
            raise ConfigError(
                "unknown customer parameter",
                field="customer_overrides.parameter",
                value=override.parameter[:40],
                expectation="one of " + ", ".join(_PERSONAL),
                fix="name one of these",
            )
        profile = msgspec.structs.replace(profile, **{override.parameter: override.value})
    return profile
