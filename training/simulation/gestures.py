"""The gestures: what they cost, where they make sense, and what they change. All chosen.

An arm is a gesture at a level. Its power is the logit by which it lowers a
customer's wish to leave (a cancel click) or to send back (a return); its reach
is the share of later clicks of a cause that it prevents when it is made with
the order. What stands in no table has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from training.simulation.patterns import Driver, Gesture
from training.simulation.return_causes import Cause


class Arm(NamedTuple):
    """A gesture at a level, from 1."""

    gesture: Gesture
    level: int


COUPON_SMALL: Final = Arm(Gesture.COUPON, 1)
COUPON_LARGE: Final = Arm(Gesture.COUPON, 2)
PRICE_PROTECTION: Final = Arm(Gesture.PRICE_PROTECTION, 1)
SHIPPING_UPGRADE: Final = Arm(Gesture.SHIPPING_UPGRADE, 1)
EXCHANGE: Final = Arm(Gesture.EXCHANGE, 1)
FREIGHT_INSURANCE: Final = Arm(Gesture.FREIGHT_INSURANCE, 1)
POINTS: Final = Arm(Gesture.POINTS, 1)
PREORDER_DISCOUNT: Final = Arm(Gesture.PREORDER_DISCOUNT, 1)
REFUND_SMALL: Final = Arm(Gesture.PARTIAL_REFUND, 1)
REFUND_LARGE: Final = Arm(Gesture.PARTIAL_REFUND, 2)

_COST_SHARE: Final[dict[Arm, float]] = {
    COUPON_SMALL: 0.06,
    COUPON_LARGE: 0.14,
    PRICE_PROTECTION: 0.12,
    SHIPPING_UPGRADE: 0.05,
    EXCHANGE: 0.04,
    FREIGHT_INSURANCE: 0.025,
    POINTS: 0.02,
    PREORDER_DISCOUNT: 0.08,
    REFUND_SMALL: 0.15,
    REFUND_LARGE: 0.30,
}
"""Cost of a taken offer, share of what was paid."""

_LEVEL_FACTOR: Final[dict[Arm, float]] = {
    COUPON_SMALL: 0.75, COUPON_LARGE: 1.35, REFUND_SMALL: 0.8, REFUND_LARGE: 1.4,
}  # fmt: skip
"""Power of a level, relative to the gesture's."""

_ORDER_ARMS: Final = (
    COUPON_SMALL, COUPON_LARGE, PRICE_PROTECTION, SHIPPING_UPGRADE, FREIGHT_INSURANCE, POINTS,
)  # fmt: skip
_RETURN_ARMS: Final = (
    REFUND_SMALL, REFUND_LARGE, COUPON_SMALL, COUPON_LARGE, PRICE_PROTECTION, POINTS,
)  # fmt: skip

ANNOYED_SHARE: Final = 0.13
"""Cases in which being bargained with annoys: any offer then raises the wish to leave."""
ANNOYED_LOGIT: Final = 2.2
"""By how much, on the logit scale."""

_ON_CLICK: Final[dict[Gesture, dict[Driver, float]]] = {
    Gesture.COUPON: {
        Driver.IMPULSE: 1.0,
        Driver.LONG_CART: 1.7,
        Driver.PRICE_DROP: 1.8,
        Driver.PROMISE_SLIPPED: 1.0,
        Driver.SLOW_SERVICE: 1.6,
        Driver.SIZE_DOUBT: 0.7,
        Driver.CHECKOUT_LEFT: 1.7,
        Driver.NO_TRACKING: 0.8,
        Driver.STOCK_SHORT: 0.8,
        Driver.PRODUCT_DOUBT: 1.2,
        Driver.RETURN_EXPERIENCE: 1.6,
        Driver.FISHING: 3.0,
    },
    Gesture.PRICE_PROTECTION: {
        Driver.PRICE_DROP: 3.9,
        Driver.LONG_CART: 1.0,
        Driver.CHECKOUT_LEFT: 0.9,
        Driver.IMPULSE: 0.3,
        Driver.FISHING: 3.0,
    },
    Gesture.SHIPPING_UPGRADE: {
        Driver.PROMISE_SLIPPED: 2.9,
        Driver.SLOW_SERVICE: 2.0,
        Driver.NO_TRACKING: 2.6,
        Driver.STOCK_SHORT: 1.0,
        Driver.ADDRESS_FLIPPED: 1.3,
        Driver.FISHING: 0.6,
    },
    Gesture.EXCHANGE: {
        Driver.SIZE_DOUBT: 3.1,
        Driver.PRODUCT_DOUBT: 1.0,
        Driver.STOCK_SHORT: 1.6,
        Driver.IMPULSE: 0.5,
    },
    Gesture.FREIGHT_INSURANCE: {
        Driver.POLICY_WORRY: 3.4,
        Driver.SIZE_DOUBT: 1.8,
        Driver.RETURN_EXPERIENCE: 1.8,
        Driver.PRODUCT_DOUBT: 1.3,
        Driver.CHECKOUT_LEFT: 0.8,
    },
    Gesture.POINTS: {
        Driver.IMPULSE: 0.3,
        Driver.LONG_CART: 0.5,
        Driver.SLOW_SERVICE: 0.7,
        Driver.RETURN_EXPERIENCE: 0.7,
        Driver.FISHING: 0.8,
    },
    Gesture.PREORDER_DISCOUNT: {
        Driver.STOCK_SHORT: 3.4,
        Driver.PROMISE_SLIPPED: 1.3,
        Driver.FISHING: 2.0,
    },
}

_ON_RETURN: Final[dict[Gesture, dict[Cause, float]]] = {
    Gesture.PARTIAL_REFUND: {
        Cause.MIND: 1.6,
        Cause.LISTING: 2.2,
        Cause.DEFECT: 2.0,
        Cause.DAMAGED: 1.8,
        Cause.LATE: 1.8,
        Cause.PRICE: 2.6,
        Cause.SIZE: 0.6,
        Cause.WORN: 1.0,
        Cause.CHURNED: 1.2,
        Cause.HOARDED: 0.6,
    },
    Gesture.COUPON: {
        Cause.MIND: 1.2,
        Cause.LISTING: 1.0,
        Cause.LATE: 1.4,
        Cause.PRICE: 1.6,
        Cause.CHURNED: 0.8,
    },
    Gesture.PRICE_PROTECTION: {Cause.PRICE: 3.4, Cause.MIND: 0.6},
    Gesture.POINTS: {Cause.MIND: 0.6, Cause.LATE: 0.8, Cause.PRICE: 0.5},
    Gesture.EXCHANGE: {
        Cause.SIZE: 2.6,
        Cause.DEFECT: 1.6,
        Cause.DAMAGED: 1.4,
        Cause.MIXUP: 1.8,
        Cause.LISTING: 0.7,
        Cause.GIFT: 0.9,
        Cause.MIND: 0.5,
    },
}

_PREVENTED: Final[dict[Gesture, dict[Driver, float]]] = {
    Gesture.COUPON: {
        Driver.IMPULSE: 0.20,
        Driver.LONG_CART: 0.35,
        Driver.PRICE_DROP: 0.25,
        Driver.CHECKOUT_LEFT: 0.35,
    },
    Gesture.PRICE_PROTECTION: {
        Driver.PRICE_DROP: 0.80,
        Driver.LONG_CART: 0.15,
        Driver.CHECKOUT_LEFT: 0.20,
    },
    Gesture.SHIPPING_UPGRADE: {
        Driver.PROMISE_SLIPPED: 0.55,
        Driver.NO_TRACKING: 0.60,
        Driver.IMPULSE: 0.10,
    },
    Gesture.FREIGHT_INSURANCE: {
        Driver.POLICY_WORRY: 0.70,
        Driver.SIZE_DOUBT: 0.45,
        Driver.RETURN_EXPERIENCE: 0.40,
        Driver.PRODUCT_DOUBT: 0.20,
    },
    Gesture.POINTS: {Driver.IMPULSE: 0.05, Driver.LONG_CART: 0.10},
    Gesture.PREORDER_DISCOUNT: {Driver.STOCK_SHORT: 0.65},
}


def list_arms(call: str, *, is_sized: bool, is_short: bool) -> tuple[Arm, ...]:
    """Return the arms that make sense for a case; no offer at all is not among them.

    Args:
        call: `order`, `cancellation` or `return`.
        is_sized: Whether an article with sizes is in it.
        is_short: Whether something of the order is known to be short of stock.
    """
    if call == "return":
        return (*_RETURN_ARMS, EXCHANGE) if is_sized else _RETURN_ARMS
    arms: tuple[Arm, ...] = _ORDER_ARMS
    if call == "cancellation" and is_sized:
        arms = (*arms, EXCHANGE)
    return (*arms, PREORDER_DISCOUNT) if is_short else arms


def compute_cost_minor(arm: Arm, value_minor: int) -> int:
    """Return what an offer costs if it is taken, for something paid with `value_minor`."""
    return round(value_minor * _COST_SHARE[arm])


def find_click_power(arm: Arm, driver: Driver) -> float:
    """Return by how much an arm lowers the logit of leaving after a click."""
    return _ON_CLICK.get(arm.gesture, _NOTHING).get(driver, 0.0) * _LEVEL_FACTOR.get(arm, 1.0)


def find_return_power(arm: Arm, cause: Cause) -> float:
    """Return the logit that an arm adds to keeping what was to come back. 0: no effect."""
    return _ON_RETURN.get(arm.gesture, _NO_CAUSE).get(cause, 0.0) * _LEVEL_FACTOR.get(arm, 1.0)


def find_reach(arm: Arm, driver: Driver) -> float:
    """Return the share of clicks of a cause that an arm prevents when made with the order."""
    reach = _PREVENTED.get(arm.gesture, _NOTHING).get(driver, 0.0)
    return min(reach * _LEVEL_FACTOR.get(arm, 1.0), 0.95)


_NOTHING: Final[Mapping[Driver, float]] = {}
_NO_CAUSE: Final[Mapping[Cause, float]] = {}
