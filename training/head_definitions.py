"""Which heads there are, and which of them a log can teach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.definition import DAY_US
from features.request_rows import Call
from training.facts import FactLog
from training.labels import HeadDefinition
from training.outcomes import (
    find_abusive_orders,
    find_abusive_returns,
    find_cancelled_bookings,
    find_cancelled_orders,
    find_credited_lines,
    find_left_clicks,
    find_promised_us,
    find_returned_orders,
)

_BOOKED_AHEAD_US = 30 * DAY_US
_BOOKED_SHARE = 0.25

CREDIT_HEADS: Sequence[HeadDefinition] = (
    HeadDefinition(
        "return_or_cancel_30d",
        Call.ORDER_LINE,
        30,
        "1: a return or cancellation linked to the line within 30 days of the order. 0: none. "
        "Lines of guests and free lines are out: credits are linked by customer.",
        find_credited_lines,
    ),
)
"""For a log without deliveries."""

FULL_HEADS: Sequence[HeadDefinition] = (
    HeadDefinition(
        "cancel",
        Call.ORDER,
        30,
        "1: the customer cancels the order or a line before delivery, within 30 days. 0: delivered "
        "or still open without that. Out: the retailer cancelled or the payment lapsed first.",
        find_cancelled_orders,
    ),
    HeadDefinition(
        "return",
        Call.ORDER,
        60,
        "1: a return of any line is requested within 60 days of the order. 0: none. Out: the "
        "retailer cancelled or the payment lapsed.",
        find_returned_orders,
    ),
    HeadDefinition(
        "cancel",
        Call.CANCELLATION,
        30,
        "1: the cancel click ends with the order cancelled. 0: with the order kept. Learned on "
        "clicks without an offer, weighted by the inverse of the chance of getting none. "
        "Out: no end within 30 days.",
        find_left_clicks,
    ),
)
"""For a log with deliveries."""

BOOKING_HEAD = HeadDefinition(
    "cancel",
    Call.ORDER,
    0,
    "1: the customer cancels (or does not come) before the promised time, however far away that "
    "is. 0: delivered. Out: not yet due, or ended in another way.",
    find_cancelled_bookings,
    find_due=find_promised_us,
    tree_factor=2,
    extra_depth=2,
)
"""What `cancel__order` means where orders are bookings."""

ABUSE_HEADS: Sequence[HeadDefinition] = (
    HeadDefinition(
        "abuse",
        Call.ORDER,
        120,
        "1: abuse is confirmed (or charged back) within 120 days for the order, a return or a "
        "cancel click of it, and not taken back. 0: cleared, or nothing to check happened. "
        "Orders whose returns and clicks nobody checked are unknown; the checked ones stand for "
        "them by the inverse of the chance of a check.",
        find_abusive_orders,
        gives_hint=True,
    ),
    HeadDefinition(
        "abuse",
        Call.RETURN,
        60,  # Verdicts on goods in hand come within weeks; a longer wait costs the newest cases.
        "1: abuse is confirmed (or charged back) within 60 days of the return and not taken "
        "back. 0: checked and cleared. Unchecked returns are unknown; the checked ones stand for "
        "them by the inverse of the chance of a check.",
        find_abusive_returns,
        gives_hint=True,
    ),
)
"""For a log with verdicts."""


def choose_heads(facts: FactLog) -> tuple[HeadDefinition, ...]:
    """Return what a log can teach, by the kinds of event that it holds."""
    own = FULL_HEADS if len(facts["order_delivered"]) else CREDIT_HEADS
    if has_bookings(facts):
        own = (BOOKING_HEAD, *(head for head in own if head.name != BOOKING_HEAD.name))
    abuse = ABUSE_HEADS if len(facts["label_set"]) else ()
    return (*own, *abuse)


def has_bookings(facts: FactLog) -> bool:
    """Return whether orders are bookings: a quarter is promised for more than 30 days ahead.

    A customer who books a room for summer cancels in spring: 30 days after the
    order say little, and until the promised day nobody knows who comes.
    """
    placed = facts["order_placed"]
    if not len(placed) or not len(facts["order_delivered"]):
        return False
    ahead_us = placed.ints("promised_delivery_time") - placed.event_us
    return bool(np.mean(ahead_us > _BOOKED_AHEAD_US) >= _BOOKED_SHARE)
