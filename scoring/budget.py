"""What may be spent to keep a customer: pure integer arithmetic in minor units.

    margin = value - cost                        if every unit cost is known, at least 0
           = floor(value * default margin)       else
    budget = min(floor(margin * share cap), tier cap)
    budget = 0 for flagged abuse, and where the customer would have stayed anyway

Shares are basis points, so results are exact; rounding is always down: a cap is
never exceeded by a fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES
from features.rfm import compute_rfm_score
from hemostat.v1 import scoring_pb2 as pb
from scoring.policy import BASIS_POINTS, Policy

TierName = Literal["high", "ordinary", "new"]

_RFM_COLUMNS = [
    FEATURE_NAMES.index(name)
    for name in ("order_recency_lifetime_days", "order_count_365d", "net_value_365d_minor")
]


@dataclass(frozen=True, slots=True)
class Margin:
    """Gross margin of a case.

    Attributes:
        amount_minor: At least 0.
        source: Where it comes from.
    """

    amount_minor: int
    source: pb.MarginSource


@dataclass(frozen=True, slots=True)
class Tier:
    """How valuable the customer is.

    Attributes:
        name: `high`, `ordinary` or `new` (also guests, and while the store is down).
        rfm_score: 0 to 100; None: no history is known.
    """

    name: TierName
    rfm_score: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `amount_minor` may be spent, bounded by `limit`."""

    amount_minor: int
    limit: pb.BudgetLimit


def compute_margin(value_minor: int, cost_minor: int | None, policy: Policy) -> Margin:
    """Return the gross margin of a case.

    Args:
        value_minor: Value at stake, after discounts.
        cost_minor: What all its units cost the retailer; None: some cost is missing.
        policy: Its default margin stands in for a missing cost.
    """
    if cost_minor is None:
        amount_minor = value_minor * policy.default_margin_bp // BASIS_POINTS
        return Margin(amount_minor, pb.MARGIN_SOURCE_POLICY_DEFAULT)
    return Margin(max(0, value_minor - cost_minor), pb.MARGIN_SOURCE_UNIT_COST)


def compute_tier(state: pb.CustomerState, vector: npt.NDArray[np.float32], policy: Policy) -> Tier:
    """Return the tier of a customer from the case's row of features, shape `(F,)`."""
    if state != pb.CUSTOMER_STATE_KNOWN:
        return Tier("new", None)
    recency_days, order_count, net_value_minor = (vector.item(c) for c in _RFM_COLUMNS)
    score = compute_rfm_score(recency_days, order_count, net_value_minor, policy.rfm)
    is_high = score > policy.rules.budget.high_tier_above
    return Tier("high" if is_high else "ordinary", score)


def compute_budget(
    margin_minor: int,
    tier: Tier,
    policy: Policy,
    *,
    is_abuse_flagged: bool,
    p_cancel: float | None,
) -> Budget:
    """Return what may be spent on a case, and what bounds it.

    Args:
        margin_minor: Gross margin.
        tier: The customer's.
        policy: Share cap, tier caps, keep threshold.
        is_abuse_flagged: By a live head; one in shadow leaves the budget alone.
        p_cancel: P(cancel) of a live head; None: not known, so nobody can say that
            the customer would stay.
    """
    rules = policy.rules.budget
    if is_abuse_flagged:
        return Budget(0, pb.BUDGET_LIMIT_FLAGGED_ABUSE)
    if p_cancel is not None and p_cancel < rules.keep_threshold:
        return Budget(0, pb.BUDGET_LIMIT_WOULD_STAY)
    share_minor = margin_minor * policy.margin_share_cap_bp // BASIS_POINTS
    cap_minor = int(getattr(rules.tier_caps_minor, tier.name))
    if share_minor <= cap_minor:
        return Budget(share_minor, pb.BUDGET_LIMIT_MARGIN_CAP)
    return Budget(cap_minor, pb.BUDGET_LIMIT_TIER_CAP)
