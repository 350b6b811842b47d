"""Types of customer: one row of parameters each, one behaviour for all.

Nothing in the behaviour asks for a type. A row says where its members' own
parameters lie; `population` draws each member around it. Abusers differ from
honest customers by propensities above zero, and shop honestly besides. All
values are chosen, then calibrated to the rates in `docs/SIMULATION.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentType:
    """Where the parameters of a type's members lie.

    Shares are probabilities per opportunity.

    Attributes:
        name: For the tables of the docs; never written into an event.
        share: Share of customers.
        orders_per_year: Median number of orders.
        basket: Mean number of further lines in an order.
        budget_minor: Median money for this shop per 30 days, for what is to be kept.
        dissatisfaction: Factor on changing one's mind.
        size_doubt: Orders two sizes of one style.
        lateness: Waits with a return until the window's last part.
        writes: Writes own words instead of the drop-down's default.
        repeats_words: Uses the own earlier wording again.
        store_share: Buys in a store.
        returns_in_store: Brings back to a store what was bought elsewhere.
        keeps_receipts: Has the receipt of a store purchase at hand.
        gift_card: Takes a refund as gift card.
        walk_ins_per_year: Returns of store purchases without a receipt (honest), or of goods
            never bought (with `receiptless`).
        shows_member_card: Is recognised at the counter.
        price_sensitivity, impatience, impulse, cart_dawdle: Weight of the cancel drivers.
        payment_friction: Trouble with paying.
        coupon_love: Uses a coupon or buys on promotion.
        haggles: Asks the service for a better price right after ordering.
        asks_policy: Asks about the return policy, changes the address, before dear orders.
        wear, hoard, churn, empty_box, arbitrage, receiptless, fish: Abuse per opportunity while
            the customer is in an abusive phase.
        on_days, off_days: Mean length of abusive and honest phases.
        when_caught: Factor on all abuse after a confirmed case.
        covers_tracks: Uses another device, or another payment instrument, with a new account.
        when_verified: Factor on all abuse per return that was verified in the last 120 days.
        shift_on_verify: Takes another pattern or another channel while that lasts.
        insulted: Never comes back after a return was verified.
    """

    name: str
    share: float
    orders_per_year: float = 4.6
    basket: float = 0.5
    budget_minor: float = 150_000.0
    dissatisfaction: float = 1.0
    size_doubt: float = 0.02
    lateness: float = 0.10
    writes: float = 0.28
    repeats_words: float = 0.3
    store_share: float = 0.12
    returns_in_store: float = 0.18
    keeps_receipts: float = 0.94
    gift_card: float = 0.12
    walk_ins_per_year: float = 0.0
    shows_member_card: float = 0.75
    price_sensitivity: float = 0.15
    impatience: float = 0.20
    impulse: float = 0.030
    cart_dawdle: float = 0.12
    payment_friction: float = 0.045
    coupon_love: float = 0.25
    haggles: float = 0.015
    asks_policy: float = 0.03
    wear: float = 0.0
    hoard: float = 0.0
    churn: float = 0.0
    empty_box: float = 0.0
    arbitrage: float = 0.0
    receiptless: float = 0.0
    fish: float = 0.0
    on_days: float = 420.0
    off_days: float = 90.0
    when_caught: float = 0.8
    covers_tracks: float = 0.3
    when_verified: float = 0.94
    shift_on_verify: float = 0.0
    insulted: float = 0.02


HONEST_TYPES: Final = (
    AgentType(name="regular", share=0.50),
    AgentType(
        name="rare", share=0.11, orders_per_year=1.6, budget_minor=100_000.0, keeps_receipts=0.85,
    ),
    AgentType(
        name="heavy buyer", share=0.075, orders_per_year=19.0, basket=0.9, budget_minor=300_000.0,
        dissatisfaction=1.25, writes=0.35, coupon_love=0.4,
    ),
    AgentType(name="size unsure", share=0.08, size_doubt=0.22, orders_per_year=5.5, basket=0.6),
    AgentType(
        name="late returner", share=0.07, lateness=0.75, dissatisfaction=1.5, orders_per_year=5.5,
    ),
    AgentType(
        name="loyal, loses receipts", share=0.05, store_share=0.6, keeps_receipts=0.45,
        walk_ins_per_year=0.8, orders_per_year=8.0, gift_card=0.35, insulted=0.04,
    ),
    AgentType(
        name="price hunter", share=0.055, price_sensitivity=0.75, coupon_love=0.75, haggles=0.12,
        orders_per_year=6.5, cart_dawdle=0.3,
    ),
    AgentType(
        name="impulsive", share=0.06, impulse=0.13, dissatisfaction=1.8, impatience=0.35,
        orders_per_year=6.5, payment_friction=0.08, repeats_words=0.55,
    ),
)  # fmt: skip

ABUSIVE_TYPES: Final = (
    AgentType(
        name="wardrober", share=0.0075, wear=0.82, orders_per_year=10.0, dissatisfaction=0.8,
        lateness=0.25,
        shift_on_verify=0.2, insulted=0.005,
    ),
    AgentType(
        name="hoarder", share=0.0034, hoard=0.74, size_doubt=0.06, orders_per_year=9.0, basket=0.6,
        dissatisfaction=0.8,
        shift_on_verify=0.2, insulted=0.005,
    ),
    AgentType(
        name="serial returner", share=0.0036, churn=0.82, orders_per_year=11.0, basket=0.6,
        writes=0.45, repeats_words=0.85, dissatisfaction=0.9,
        shift_on_verify=0.25, insulted=0.005,
    ),
    AgentType(
        name="receipt-less refunder", share=0.0045, receiptless=0.94, walk_ins_per_year=7.0,
        store_share=0.35, gift_card=0.5, orders_per_year=4.5, keeps_receipts=0.7,
        shows_member_card=0.7, dissatisfaction=0.8,
        shift_on_verify=0.3, insulted=0.005,
    ),
    AgentType(
        name="claimant", share=0.0060, empty_box=0.80, orders_per_year=10.0, asks_policy=0.12,
        dissatisfaction=0.8,
        shift_on_verify=0.35, insulted=0.005,
    ),
    AgentType(
        name="arbitrageur", share=0.0034, arbitrage=0.90, coupon_love=0.8, store_share=0.3,
        orders_per_year=10.0, price_sensitivity=0.5, dissatisfaction=0.8,
        shift_on_verify=0.3, insulted=0.005,
    ),
    AgentType(
        name="offer fisher", share=0.0140, fish=0.88, price_sensitivity=0.5, coupon_love=0.6,
        haggles=0.6, orders_per_year=10.0,
    ),
    AgentType(
        name="mixed", share=0.0050, wear=0.25, churn=0.20, empty_box=0.20, fish=0.2, hoard=0.10,
        orders_per_year=11.0, shift_on_verify=0.5, insulted=0.005,
    ),
)  # fmt: skip

RING_TYPE: Final = AgentType(
    name="ring account", share=0.0, empty_box=0.75, orders_per_year=11.0, coupon_love=0.7,
    writes=0.4, repeats_words=0.8, on_days=150.0, off_days=60.0, asks_policy=0.12,
    covers_tracks=0.5, dissatisfaction=0.8,
    shift_on_verify=0.35, insulted=0.005,
)  # fmt: skip
"""Ring accounts come in blocks of neighbours, see `population.RING_BLOCK_SHARE`."""
