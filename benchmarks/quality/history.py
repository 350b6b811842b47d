"""What a shop's own system shows of a customer when a return is asked: plain counts.

For contenders that do not use hemostat's features. Only what was known by then counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from features.definition import DAY_US
from training.cases import CaseSet
from training.facts import FactLog, FactTable, Ints, find_places

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReturnFacts:
    """Returns as a clerk sees them; arrays of `n` entries.

    Attributes:
        customer: Number of the customer.
        n_orders: Orders before.
        n_returns: Returns before.
        n_returns_90d: Of them within 90 days.
        n_confirmed: Returns before that were confirmed as abuse.
        returned_minor: Value of the returns before.
        n_changed_mind: Returns before with that reason.
        value_minor: Of this return.
        held_days: From delivery to this request; NaN: not known.
        since_order_days: From the order; NaN: none found.
        has_receipt: Shown.
        is_gift_card: The customer wants a gift card.
        reason: Name of the reason's code.
        is_guest: No customer is known.
        time_us: When it was asked.
    """

    customer: Ints
    n_orders: Ints
    n_returns: Ints
    n_returns_90d: Ints
    n_confirmed: Ints
    returned_minor: Floats
    n_changed_mind: Ints
    value_minor: Floats
    held_days: Floats
    since_order_days: Floats
    has_receipt: npt.NDArray[np.bool_]
    is_gift_card: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.str_]
    is_guest: npt.NDArray[np.bool_]
    time_us: Ints


def read_return_facts(cases: CaseSet, facts: FactLog) -> ReturnFacts:
    """Return what is known of each return when it is asked."""
    returns, orders = facts["return_requested"], facts["order_placed"]
    place = find_places(cases.event_id, returns.get_event_ids())
    value = (returns.ints("quantity") * returns.ints("unit_price_minor")).astype(np.float64)
    reason = np.array(returns.get_texts("reason.code").to_pylist())
    changed = reason == "REASON_CODE_CHANGED_MIND"
    n_returns, returned, n_changed = (
        _sum_before(cases, returns, amount)
        for amount in (np.ones(len(returns)), value, changed.astype(np.float64))
    )
    old = _sum_before(cases, returns, np.ones(len(returns)), 90 * DAY_US)
    event_us = cases.time_us
    delivered, ordered = (returns.ints(name)[place] for name in ("delivery_time", "order_time"))
    tender = np.array(returns.get_texts("refund_tender").to_pylist())
    return ReturnFacts(
        customer=cases.group,
        n_orders=_sum_before(cases, orders, np.ones(len(orders))).astype(np.int64),
        n_returns=n_returns.astype(np.int64),
        n_returns_90d=(n_returns - old).astype(np.int64),
        n_confirmed=_count_confirmed(cases, facts).astype(np.int64),
        returned_minor=returned,
        n_changed_mind=n_changed.astype(np.int64),
        value_minor=value[place],
        held_days=np.where(delivered > 0, (event_us - delivered) / DAY_US, np.nan),
        since_order_days=np.where(ordered > 0, (event_us - ordered) / DAY_US, np.nan),
        has_receipt=returns.bools("has_receipt")[place],
        is_gift_card=(tender == "TENDER_GIFT_CARD")[place],
        reason=reason[place],
        is_guest=cases.is_guest,
        time_us=event_us,
    )


def _count_confirmed(cases: CaseSet, facts: FactLog) -> Floats:
    labels = facts["label_set"]
    is_confirmed = np.asarray(pc.equal(labels.get_texts("label"), "LABEL_KIND_ABUSE_CONFIRMED"))
    signs = np.where(labels.bools("is_reversal"), -1.0, 1.0)
    return np.maximum(_sum_before(cases, labels, np.where(is_confirmed, signs, 0.0)), 0.0)


def _sum_before(cases: CaseSet, events: FactTable, amount: Floats, lag_us: int = 0) -> Floats:
    """Return the sum over the customer's events known a while before each case.

    The case's own event is left out: only what was known strictly before counts.
    """
    order = np.lexsort((events.known_us, events.group))
    group, known = events.group[order], events.known_us[order]
    total = np.concatenate([[0.0], np.cumsum(amount[order])])
    start = np.searchsorted(group, cases.group, side="left")
    end = _find_ends(group, known, cases.group, cases.time_us - lag_us)
    found: Floats = np.where(cases.is_guest, 0.0, total[end] - total[start])
    return found


def _find_ends(group: Ints, known: Ints, wanted: Ints, time_us: Ints) -> Ints:
    """Return the place behind the last event of each wanted group known before a time."""
    n = len(group)
    merged = np.lexsort(
        (
            np.repeat([1, 0], [n, len(wanted)]),
            np.concatenate([known, time_us]),
            np.concatenate([group, wanted]),
        )
    )
    n_events = np.cumsum(merged < n)
    found = np.empty(len(wanted), np.int64)
    is_case = merged >= n
    found[merged[is_case] - n] = n_events[is_case]
    return found
