"""Names of the truth: what a case really is, and which agents exist."""

from __future__ import annotations

from enum import StrEnum


class Pattern(StrEnum):
    """Kinds of abuse that the simulation plants."""

    WARDROBING = "wardrobing"
    """Worn once, returned near the window's end."""
    BRACKETING = "bracketing"
    """Sizes and colours hoarded for try-on, all or most sent back, again and again."""
    SERIAL_RETURNER = "serial_returner"
    """Bought to be sent back, far above the rate of peers."""
    RECEIPTLESS_REFUND = "receiptless_refund"
    """Money for goods that were never bought, at the counter, without an order."""
    EMPTY_BOX = "empty_box"
    """An empty box, another item, or "not received" after a confirmed delivery."""
    RING = "ring"
    """As `EMPTY_BOX`, by one of several new accounts with shared device and address."""
    PRICE_ARBITRAGE = "price_arbitrage"
    """Bought on promotion, returned without receipt for the full price."""
    OFFER_FISHING = "offer_fishing"
    """A cancel click that only wants the offer."""


class LookAlike(StrEnum):
    """Honest cases that resemble a pattern in its marginals, and plain ones."""

    PLAIN = "plain"
    """Nothing special."""
    BAD_BATCH = "bad_batch"
    """The product's fault: a defective batch. Resembles serial returns, quality claims."""
    SIZE_CHART = "size_chart"
    """The product's fault: the style runs far off its chart. Resembles bracketing."""
    LATE_PARCEL = "late_parcel"
    """The carrier's fault: it came days after the promise."""
    NO_RECEIPT = "no_receipt"
    """A customer who lost the receipt of a real store purchase. Resembles receipt-less refunds."""
    HEAVY_BUYER = "heavy_buyer"
    """Returns much because of buying much, at an ordinary rate. Resembles serial returns."""
    LATE_RETURNER = "late_returner"
    """Sends back unworn goods on the window's last days. Resembles wardrobing."""
    OCCASION_CANCELLED = "occasion_cancelled"
    """Festive clothes returned late, unworn: the event fell through. Resembles wardrobing."""
    SIZE_UNSURE = "size_unsure"
    """Ordered two sizes and keeps one. Resembles bracketing."""
    PARCEL_STOLEN = "parcel_stolen"
    """Confirmed as delivered, never seen. Resembles empty-box claims."""
    WAREHOUSE_MIXUP = "warehouse_mixup"
    """The warehouse packed another item. Resembles swaps."""
    HOUSEHOLD = "household"
    """Shares device and address with relatives. Resembles rings."""
    PRICE_DROPPED = "price_dropped"
    """A cancel click because the price fell; stays with price protection. Resembles fishing."""


class Driver(StrEnum):
    """Why an honest customer clicks cancel (first form of the risk nodes)."""

    IMPULSE = "impulse"
    """Regret, a mistake, or an order placed twice, within hours."""
    PAYMENT = "payment"
    """Gave up after a failed payment."""
    SIZE_DOUBT = "size_doubt"
    """Opened the size chart again and again and is still unsure."""
    LONG_CART = "long_cart"
    """The cart was older than 48 hours."""
    PRICE_DROP = "price_drop"
    """The own price fell, or a competitor's lies below, before delivery."""
    PROMISE_SLIPPED = "promise_slipped"
    """The delivery promise slipped."""
    SLOW_SERVICE = "slow_service"
    """Waited long for customer service."""
    FISHING = "fishing"
    """Not honest: the click wants the offer."""


class Gesture(StrEnum):
    """Offers that the simulated shop makes on a cancel click."""

    COUPON = "coupon"
    PRICE_PROTECTION = "price_protection"
    SHIPPING_UPGRADE = "shipping_upgrade"
    EXCHANGE = "exchange"
