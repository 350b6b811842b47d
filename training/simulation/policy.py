"""What the simulated shop decides: which returns to verify, what to offer.

A policy sees what a shop knows at that moment and nothing of the truth. Every
decision carries the probability with which it was taken, and part of both is
decided by lot, so that what a decision changed can be told from the log.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple, Protocol

from training.simulation.config import SimulationConfig
from training.simulation.gestures import (
    COUPON_LARGE,
    COUPON_SMALL,
    EXCHANGE,
    FREIGHT_INSURANCE,
    POINTS,
    PREORDER_DISCOUNT,
    PRICE_PROTECTION,
    REFUND_LARGE,
    REFUND_SMALL,
    SHIPPING_UPGRADE,
    Arm,
    compute_cost_minor,
    list_arms,
)
from training.simulation.patterns import Gesture
from training.simulation.randomness import KeyedRandom, accumulate_weights
from training.simulation.terms import Terms

_MAX_VERIFY_SHARE: Final = 0.92
_DEAR_MINOR: Final = 60_000
_MANY_RETURNS: Final = 4

NOT_DELIVERED: Final = "REASON_CODE_NOT_DELIVERED"


class CaseView(NamedTuple):
    """What a shop knows of a case when it decides.

    Attributes:
        call: `order`, `cancellation` or `return`.
        time_us: When.
        customer_id: Who, as recognised. Empty: nobody.
        value_minor: What was paid for it.
        cost_minor: What it cost the shop.
        code: Reason code given. Empty: an order.
        stage: Stage of the order. Empty: a return.
        is_order_found: Whether an order stands behind it.
        has_receipt: Whether a receipt or an order was shown.
        n_returns_90d: Returns of this customer in the 90 days before.
        n_clicks: Cancel clicks of this customer before.
        is_tag_on: Whether the tag is on. None: nobody looked.
        region: Index into `logistics.REGIONS`.
        delay_s: Delay of the promise known so far.
        is_sized: Whether it has articles with sizes.
        is_short: Whether something of it is known to be short of stock.
    """

    call: str
    time_us: int
    customer_id: str
    value_minor: int
    cost_minor: int
    code: str
    stage: str
    is_order_found: bool
    has_receipt: bool
    n_returns_90d: int
    n_clicks: int
    is_tag_on: bool | None
    region: int
    delay_s: int
    is_sized: bool
    is_short: bool


class Action(NamedTuple):
    """How a return is treated.

    Attributes:
        ask_verify: Verify it before the money goes back.
        check: The one check asked for: `photo`, `video`, `weigh` or `receipt`. Empty: none.
        propensity: Probability of this decision.
        is_randomised: Decided by lot, whatever the case looks like.
    """

    ask_verify: bool
    check: str
    propensity: float
    is_randomised: bool


class Offer(NamedTuple):
    """An offer: gesture, level, cost if taken, probability of this choice."""

    gesture: Gesture
    level: int
    cost_minor: int
    propensity: float

    @property
    def arm(self) -> Arm:
        """The gesture at its level."""
        return Arm(self.gesture, self.level)


class RetailerPolicy(Protocol):
    """A shop's rules; `DefaultPolicy` is one.

    A decision is a pure function of the view and of draws named by the case, so
    that it may be asked for what would have happened. It is never told the truth.
    """

    def decide_return(self, case: CaseView, draws: KeyedRandom) -> Action:
        """Return whether a return is verified, and how. Called once per return."""
        ...

    def choose_offer(self, case: CaseView, draws: KeyedRandom) -> Offer | None:
        """Return what is offered, None for nothing. For a click or a return."""
        ...


_ArmWeights = dict[Arm, float]

_ON_CLICK: Final[_ArmWeights] = {
    COUPON_SMALL: 0.20, COUPON_LARGE: 0.20, PRICE_PROTECTION: 0.18, SHIPPING_UPGRADE: 0.16,
    FREIGHT_INSURANCE: 0.08, POINTS: 0.08, EXCHANGE: 0.10, PREORDER_DISCOUNT: 0.20,
}  # fmt: skip
_ON_CLICK_BY_CODE: Final[dict[str, _ArmWeights]] = {
    "REASON_CODE_BETTER_PRICE": {
        COUPON_SMALL: 0.11, COUPON_LARGE: 0.11, PRICE_PROTECTION: 0.50, SHIPPING_UPGRADE: 0.08,
        FREIGHT_INSURANCE: 0.06, POINTS: 0.07, EXCHANGE: 0.07, PREORDER_DISCOUNT: 0.15,
    },
    "REASON_CODE_LATE_DELIVERY": {
        COUPON_SMALL: 0.11, COUPON_LARGE: 0.11, PRICE_PROTECTION: 0.08, SHIPPING_UPGRADE: 0.50,
        FREIGHT_INSURANCE: 0.06, POINTS: 0.07, EXCHANGE: 0.07, PREORDER_DISCOUNT: 0.40,
    },
    "REASON_CODE_SIZE_TOO_SMALL": {
        COUPON_SMALL: 0.08, COUPON_LARGE: 0.08, PRICE_PROTECTION: 0.08, SHIPPING_UPGRADE: 0.08,
        FREIGHT_INSURANCE: 0.13, POINTS: 0.06, EXCHANGE: 0.49, PREORDER_DISCOUNT: 0.15,
    },
}  # fmt: skip
_ON_CLICK_BY_CODE["REASON_CODE_SIZE_TOO_LARGE"] = _ON_CLICK_BY_CODE["REASON_CODE_SIZE_TOO_SMALL"]
"""The shop's rule of thumb for clicks: weights of the arms by the reason given."""

_ON_RETURN: Final[_ArmWeights] = {
    REFUND_SMALL: 0.22, REFUND_LARGE: 0.15, COUPON_SMALL: 0.15, COUPON_LARGE: 0.12,
    PRICE_PROTECTION: 0.12, POINTS: 0.08, EXCHANGE: 0.16,
}  # fmt: skip


class DefaultPolicy:
    """The shop of the default world: rules of thumb and lots.

    A return is verified by lot (`LabelSettings.audit_share`) or because of what
    is seen at the request. Half of the cancel clicks get no offer, whatever they
    are; the others one by a rule of thumb. Few returns get one, those that are
    verified never.

    Args:
        config: Shares, and the changes of a what-if.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self._labels = config.labels
        self._terms = Terms(config)
        self._sums: dict[tuple[str, bool, bool], tuple[tuple[Arm, float], ...]] = {}

    def decide_return(self, case: CaseView, draws: KeyedRandom) -> Action:
        """Return whether a return is verified, by lot or by what is seen."""
        audit = self._labels.audit_share
        suspicion = compute_request_suspicion(case) * self._labels.referral_scale
        referral = min(suspicion, _MAX_VERIFY_SHARE)
        share = 1.0 - (1.0 - audit) * (1.0 - referral)
        is_audit = draws.is_hit("audit", audit)
        if not is_audit and not draws.is_hit("referral", referral):
            return Action(ask_verify=False, check="", propensity=1.0 - share, is_randomised=False)
        return Action(True, choose_check(case), share, is_randomised=is_audit)

    def choose_offer(self, case: CaseView, draws: KeyedRandom) -> Offer | None:
        """Return an offer by a rule of thumb on the reason, None in the fair share without one."""
        settings = self._terms.find_offers(case.time_us)
        share = 1.0 - settings.no_offer_share
        if case.call == "return":
            share = settings.return_offer_share if case.is_order_found else 0.0
        if not draws.is_hit("is-offered", share):
            return None
        arms = self._weigh(case)
        place = draws.index("gesture", accumulate_weights([weight for _, weight in arms]))
        arm, weight = arms[place]
        cost_minor = compute_cost_minor(arm, case.value_minor)
        return Offer(arm.gesture, arm.level, cost_minor, share * weight)

    def _weigh(self, case: CaseView) -> tuple[tuple[Arm, float], ...]:
        """Return the arms that make sense, with weights that sum to one."""
        key = f"{case.call}/{case.code}", case.is_sized, case.is_short
        found = self._sums.get(key)
        if found is None:
            table = _ON_RETURN
            if case.call != "return":
                table = _ON_CLICK_BY_CODE.get(case.code, _ON_CLICK)
            arms = list_arms(case.call, is_sized=case.is_sized, is_short=case.is_short)
            total = math.fsum(table[arm] for arm in arms)
            found = tuple((arm, table[arm] / total) for arm in arms)
            self._sums[key] = found
        return found


def compute_request_suspicion(case: CaseView) -> float:
    """Return how likely a return is verified for what is seen when it is requested."""
    suspicion = 0.03
    if case.code == NOT_DELIVERED:
        suspicion += 0.55
    if case.is_tag_on is False:
        suspicion += 0.20
    if not case.is_order_found:
        suspicion += 0.35
    if case.value_minor > _DEAR_MINOR:
        suspicion += 0.08
    if case.n_returns_90d >= _MANY_RETURNS:
        suspicion += 0.40
    elif case.n_returns_90d >= 2:
        suspicion += 0.10
    return suspicion


def choose_check(case: CaseView) -> str:
    """Return the one check that tells most of a return."""
    if not case.is_order_found:
        return "receipt"
    if case.code == NOT_DELIVERED:
        return "photo"
    return "weigh" if case.value_minor > _DEAR_MINOR else "video"
