"""Why orders are cancelled, as data: risk nodes, and the rules by which they make people click.

A node is something that shows in the log (DOMAIN 5). A rule says how likely a
node, or a *pair* of nodes, makes a customer click cancel, and how long after.
A pair's rule adds to what its nodes do alone: that is the interaction which a
search for causes should find. All numbers are chosen.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from training.simulation.patterns import Driver


class Node(StrEnum):
    """A risk node; in brackets, what shows it in the log."""

    ORDERED = "ordered"
    """Every order; hour, channel, promotion, value and promise heat or cool (order placed)."""
    PAYMENT_FAILED = "payment_failed"
    """(payment failed)"""
    CHART_OPENED = "chart_opened"
    """The size chart three times or more (size-chart view)."""
    CART_OLD = "cart_old"
    """Cart older than 48 hours (product views, checkout page left with its age)."""
    CHECKOUT_LEFT = "checkout_left"
    """(checkout page left)"""
    ADDRESS_FLIPPED = "address_flipped"
    """(delivery address changed)"""
    POLICY_ASKED = "policy_asked"
    """(return-policy question)"""
    PRICE_DROPPED = "price_dropped"
    """Own price or a competitor's at least 6 % below (price changed, competitor price seen)."""
    PROMISE_SLIPPED = "promise_slipped"
    """The later, the stronger (delay, with the new promise)."""
    NO_REPLY = "no_reply"
    """Service has not answered within ten minutes (message, late or no reply)."""
    NO_TRACKING = "no_tracking"
    """Shipped, and nothing heard for over three and a half days (shipped, no delay told)."""
    STOCK_SHORT = "stock_short"
    """(stock shortage)"""
    LISTING_OFF = "listing_off"
    """The article is not what its listing says (others return it as not as described)."""
    RETURNED_LATELY = "returned_lately"
    """A return in the 60 days before, worse if it was verified (return requested)."""


class Rule(NamedTuple):
    """How nodes make a customer click.

    Attributes:
        name: Of its draws; never renamed.
        driver: What the truth calls the cause.
        nodes: One node, or the two of a pair.
        share: Probability of a click, times the temper and the nodes' strength.
        temper: Parameter of the customer that multiplies it. Empty: none.
        after_hours: From the (later) node to the click: median, or mean if `sigma` is 0.
        sigma: Log standard deviation. 0: exponential.
    """

    name: str
    driver: Driver
    nodes: tuple[Node, ...]
    share: float
    temper: str
    after_hours: float
    sigma: float

    @property
    def is_pair(self) -> bool:
        """Whether two nodes together do it."""
        return len(self.nodes) == 2


COMPARES: Final = Rule(
    "compares", Driver.PRICE_DROP, (Node.PRICE_DROPPED,), 0.60, "price_sensitivity", 8.0, 0.9
)
"""Who does not compare need not be told of prices: they are dear to look up."""

_SINGLES: Final = (
    Rule("regrets", Driver.IMPULSE, (Node.ORDERED,), 0.92, "impulse", 4.0, 1.8),
    Rule("gives-up-paying", Driver.PAYMENT, (Node.PAYMENT_FAILED,), 0.22, "", 2.0, 0.0),
    Rule("size-doubt", Driver.SIZE_DOUBT, (Node.CHART_OPENED,), 0.20, "", 9.0, 1.2),
    Rule("long-cart", Driver.LONG_CART, (Node.CART_OLD,), 0.12, "", 12.0, 1.2),
    Rule("checkout-left", Driver.CHECKOUT_LEFT, (Node.CHECKOUT_LEFT,), 0.05, "", 5.0, 0.9),
    Rule("address-flipped", Driver.ADDRESS_FLIPPED, (Node.ADDRESS_FLIPPED,), 0.10, "", 4.0, 0.9),
    Rule("policy-worry", Driver.POLICY_WORRY, (Node.POLICY_ASKED,), 0.08, "", 10.0, 0.8),
    COMPARES,
    Rule("loses-patience", Driver.PROMISE_SLIPPED, (Node.PROMISE_SLIPPED,), 0.85, "impatience",
         14.0, 0.0),
    Rule("slow-service", Driver.SLOW_SERVICE, (Node.NO_REPLY,), 0.70, "impatience", 3.0, 0.8),
    Rule("no-tracking", Driver.NO_TRACKING, (Node.NO_TRACKING,), 0.20, "impatience", 16.0, 0.0),
    Rule("will-not-wait", Driver.STOCK_SHORT, (Node.STOCK_SHORT,), 0.30, "", 8.0, 0.8),
    Rule("product-doubt", Driver.PRODUCT_DOUBT, (Node.LISTING_OFF,), 0.25, "", 16.0, 0.8),
    Rule("return-experience", Driver.RETURN_EXPERIENCE, (Node.RETURNED_LATELY,), 0.04,
         "impatience", 8.0, 0.9),
)  # fmt: skip

_PAIRS: Final = (
    Rule("left-and-no-reply", Driver.CHECKOUT_LEFT, (Node.CHECKOUT_LEFT, Node.NO_REPLY), 0.50, "",
         2.0, 0.7),
    Rule("late-and-no-reply", Driver.SLOW_SERVICE, (Node.PROMISE_SLIPPED, Node.NO_REPLY), 0.22, "",
         4.0, 0.7),
    Rule("size-and-policy", Driver.SIZE_DOUBT, (Node.CHART_OPENED, Node.POLICY_ASKED), 0.35, "",
         6.0, 0.8),
    Rule("cart-and-price", Driver.PRICE_DROP, (Node.CART_OLD, Node.PRICE_DROPPED), 0.35, "",
         10.0, 0.8),
    Rule("payment-and-address", Driver.PAYMENT, (Node.PAYMENT_FAILED, Node.ADDRESS_FLIPPED), 0.45,
         "", 2.0, 0.7),
    Rule("late-and-policy", Driver.PROMISE_SLIPPED, (Node.PROMISE_SLIPPED, Node.POLICY_ASKED),
         0.25, "", 8.0, 0.8),
)  # fmt: skip

RULES: Final = _SINGLES + _PAIRS
"""All of them; fishing, which no node causes, stands in `cancelling`."""

LEAVE_LOGIT: Final[dict[Driver, float]] = {
    Driver.IMPULSE: 1.0,
    Driver.PAYMENT: 0.7,
    Driver.SIZE_DOUBT: 0.3,
    Driver.LONG_CART: 0.6,
    Driver.PRICE_DROP: 0.2,
    Driver.PROMISE_SLIPPED: 0.6,
    Driver.SLOW_SERVICE: 0.2,
    Driver.NO_TRACKING: 0.1,
    Driver.CHECKOUT_LEFT: 0.6,
    Driver.ADDRESS_FLIPPED: 0.5,
    Driver.POLICY_WORRY: 0.1,
    Driver.STOCK_SHORT: 0.4,
    Driver.PRODUCT_DOUBT: 0.6,
    Driver.RETURN_EXPERIENCE: 0.2,
    Driver.FISHING: -3.0,
}
"""Logit of leaving when nothing is offered, of an average customer before shipment."""

CODES: Final[dict[Driver, tuple[str, ...]]] = {
    Driver.IMPULSE: (
        "REASON_CODE_IMPULSE",
        "REASON_CODE_ORDERED_BY_MISTAKE",
        "REASON_CODE_ORDERED_BY_MISTAKE",
    ),
    Driver.PAYMENT: ("REASON_CODE_OTHER", "REASON_CODE_CHANGED_MIND"),
    Driver.SIZE_DOUBT: ("REASON_CODE_SIZE_TOO_SMALL", "REASON_CODE_SIZE_TOO_LARGE"),
    Driver.LONG_CART: ("REASON_CODE_CHANGED_MIND",),
    Driver.PRICE_DROP: ("REASON_CODE_BETTER_PRICE",),
    Driver.PROMISE_SLIPPED: ("REASON_CODE_LATE_DELIVERY",),
    Driver.SLOW_SERVICE: ("REASON_CODE_LATE_DELIVERY", "REASON_CODE_OTHER"),
    Driver.NO_TRACKING: ("REASON_CODE_LATE_DELIVERY", "REASON_CODE_OTHER"),
    Driver.CHECKOUT_LEFT: ("REASON_CODE_CHANGED_MIND", "REASON_CODE_OTHER"),
    Driver.ADDRESS_FLIPPED: ("REASON_CODE_ORDERED_BY_MISTAKE", "REASON_CODE_OTHER"),
    Driver.POLICY_WORRY: ("REASON_CODE_CHANGED_MIND", "REASON_CODE_OTHER"),
    Driver.STOCK_SHORT: ("REASON_CODE_LATE_DELIVERY", "REASON_CODE_OTHER"),
    Driver.PRODUCT_DOUBT: ("REASON_CODE_NOT_AS_DESCRIBED", "REASON_CODE_CHANGED_MIND"),
    Driver.RETURN_EXPERIENCE: ("REASON_CODE_OTHER", "REASON_CODE_CHANGED_MIND"),
    Driver.FISHING: (
        "REASON_CODE_BETTER_PRICE",
        "REASON_CODE_BETTER_PRICE",
        "REASON_CODE_BETTER_PRICE",
        "REASON_CODE_LATE_DELIVERY",
        "REASON_CODE_ORDERED_BY_MISTAKE",
        "REASON_CODE_IMPULSE",
        "REASON_CODE_OTHER",
    ),
}
"""Codes that say the driver, by whoever bothers to choose one."""
