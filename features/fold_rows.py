"""The flat row that the fold reads: one event, reduced to what features need.

Rows are made from the event log by `features.log.columns`. A row holds facts of
its own event only (a fold joins nothing), integers only (stored aggregates are
integers), and no identifier: the event id is a 64-bit key.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from features.embedding import DIM


class FoldKind(IntEnum):
    """Kinds of event that change a customer's record. 0 is no event."""

    ORDER_PLACED = 1
    CANCEL_REQUESTED = 2
    ORDER_CANCELLED = 3
    ORDER_KEPT = 4
    RETURN_REQUESTED = 5
    LABEL_SET = 6


FOLDED_KINDS: dict[str, FoldKind] = {kind.name.lower(): kind for kind in FoldKind}
"""Name of the event's oneof field (`return_requested`, ...) to its fold kind."""


class FoldFlag(IntEnum):
    """Bits of a row's `flags`."""

    HAS_HOLD = 1
    """`hold_s` is known: the event carries a delivery or an order time."""
    IS_LATE_IN_WINDOW = 2
    """Held for at least four fifths of the return window (5 * hold_s >= 4 * window)."""
    IS_CROSS_CHANNEL = 4
    """Both channels are known and the return's differs from the order's."""
    IS_NO_RECEIPT = 8
    """A return without receipt or order."""
    HAS_EMBEDDING = 16
    """The reason came with a text."""
    IS_GIFT_CARD = 32
    """The customer wants the refund on a gift card."""
    IS_BY_CUSTOMER = 64
    """`order_cancelled` with the customer as initiator."""
    IS_OFFER_TAKEN = 128
    """`order_kept` with the offer taken."""
    IS_ABUSE_CONFIRMED = 256
    """`label_set` with abuse confirmed or chargeback."""
    IS_REVERSAL = 512
    """`label_set` that takes back an earlier one."""


FOLD_ROW_DTYPE = np.dtype(
    [
        ("event_time_us", "<i8"),
        ("ingest_time_us", "<i8"),
        ("event_key", "<u8"),
        # Orders: sum of line values minus the order's discount, not below 0.
        # Returns and cancels: quantity * unit price.
        ("value_minor", "<i8"),
        # Returns: event time - (delivery time, else order time), clamped at 0. Valid with HAS_HOLD.
        ("hold_s", "<i8"),
        ("line_count", "<i4"),
        ("flags", "<u2"),
        ("kind", "u1"),
        ("channel", "u1"),  # `hemostat.v1.Channel` number of the event
        ("reason_code", "u1"),  # `hemostat.v1.ReasonCode` number
        ("padding", "u1", (7,)),
        ("embedding", "i1", (DIM,)),
    ]
)
"""One folded event; 120 bytes, times in microseconds UTC, money in minor units."""
