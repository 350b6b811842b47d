"""The customer's history: orders, cancellations, returns and labels, in bounded memory.

Three rings of time buckets (tiles), lifetime totals, and short rings of the newest
events of each kind that features look into. Every field is an integer and every
ring is kept in a canonical order, so equal sets of events give equal bytes in any
order.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from features.definition import N_DAILY, N_HOURLY, N_WEEKLY
from features.embedding import DIM


class HistoryCounter(IntEnum):
    """What a history counts, for life; the first `N_COUNTERS` per time bucket, too.

    Values are in minor units. `CANCEL_COUNT` counts the customer's own cancellations,
    `CANCEL_VALUE` everybody's: an order that the retailer cancelled says nothing of the
    customer, but is no sale. Counts of labels lose one when a label is taken back.
    """

    ORDER_COUNT = 0
    ORDER_LINE_COUNT = 1
    ORDER_VALUE = 2
    RETURN_COUNT = 3
    RETURN_VALUE = 4
    CANCEL_COUNT = 5
    CANCEL_VALUE = 6
    NO_RECEIPT_RETURN_COUNT = 7
    GIFT_CARD_REFUND_COUNT = 8
    MULTI_VARIANT_LINE_COUNT = 9
    # From here on: for life only.
    CANCEL_REQUEST_COUNT = 10
    ORDER_KEPT_COUNT = 11
    OFFER_TAKEN_COUNT = 12
    HOLD_COUNT = 13
    HOLD_SUM_S = 14
    DISCOUNT_VALUE = 15
    REFUND_COUNT = 16
    REFUND_VALUE = 17
    REFUND_GIFT_CARD_VALUE = 18
    REFUND_WITHOUT_RETURN_COUNT = 19
    EXCHANGE_COUNT = 20
    INSPECTED_COUNT = 21
    USED_CONDITION_COUNT = 22
    WRONG_ITEM_COUNT = 23
    EMPTY_BOX_COUNT = 24
    ABUSE_CONFIRMED_COUNT = 25
    CHARGEBACK_COUNT = 26
    ABUSE_CLEARED_COUNT = 27
    APPEAL_UPHELD_COUNT = 28


N_COUNTERS = 10
N_LIFETIME_COUNTERS = len(HistoryCounter)

N_CHANNELS = 16
N_FIRST = 2
N_ORDERS = 8
N_CANCEL_REQUESTS = 8
N_CANCELS = 8
# Features look at 16 returns; one more, since the case itself may be among them.
N_RETURNS_READ = 16
N_RETURNS_KEPT = N_RETURNS_READ + 1
# More are remembered without what only those features need: a case is found among them
# and taken out again, even when a whole basket comes back in one minute (46 on real data).
N_RETURNS = 64
# Of one order the first 8 lines at most, so that no order pushes all others out; features
# look at 24 lines, and the case's own may stand before them.
N_LINES_PER_ORDER = 8
N_LINES_READ = 24
N_LINES = N_LINES_READ + N_LINES_PER_ORDER
N_PROCESSINGS = 24

HISTORY_DTYPE = np.dtype(
    [
        ("event_count", "<i8"),
        ("last_event_us", "<i8"),
        ("hourly_head", "<i8"),  # newest bucket + 1; 0: none yet
        ("daily_head", "<i8"),
        ("weekly_head", "<i8"),
        # Buckets of each ring that hold something: bit k is bucket head - 1 - k.
        ("hourly_filled", "<u8"),
        ("daily_filled", "<u8"),
        ("weekly_filled", "<u8"),
        # Before the rest: sums read 16 counters whatever a row's length.
        ("hourly", "<i8", (N_HOURLY, N_COUNTERS)),
        ("daily", "<i8", (N_DAILY, N_COUNTERS)),
        ("weekly", "<i8", (N_WEEKLY, N_COUNTERS)),
        ("lifetime", "<i8", (N_LIFETIME_COUNTERS,)),
        ("order_channel_count", "<i8", (N_CHANNELS,)),
        ("return_channel_count", "<i8", (N_CHANNELS,)),
        # The two oldest orders, oldest first (two: the case may be the first).
        ("first_order_us", "<i8", (N_FIRST,)),
        ("first_order_key", "<u8", (N_FIRST,)),
        # Rings, newest first, by (time, key); key 0: empty.
        ("order_us", "<i8", (N_ORDERS,)),
        ("order_key", "<u8", (N_ORDERS,)),
        ("order_value", "<i8", (N_ORDERS,)),
        ("order_line_count", "<i8", (N_ORDERS,)),
        ("order_multi_variant_count", "<i8", (N_ORDERS,)),
        ("order_discount", "<i8", (N_ORDERS,)),
        ("order_channel", "<i8", (N_ORDERS,)),
        ("cancel_request_us", "<i8", (N_CANCEL_REQUESTS,)),
        ("cancel_request_key", "<u8", (N_CANCEL_REQUESTS,)),
        # Cancellations by the customer.
        ("cancel_us", "<i8", (N_CANCELS,)),
        ("cancel_key", "<u8", (N_CANCELS,)),
        ("cancel_reason", "<i8", (N_CANCELS,)),
        ("cancel_stage", "<i8", (N_CANCELS,)),
        # Order lines, by (time, key, number); only an order's first 8.
        ("line_us", "<i8", (N_LINES,)),
        ("line_key", "<u8", (N_LINES,)),  # the order's event
        ("line_number", "<i8", (N_LINES,)),
        ("line_order", "<u8", (N_LINES,)),  # link; 0: none
        ("line_style", "<u8", (N_LINES,)),  # link; 0: none
        ("line_is_multi_variant", "<i8", (N_LINES,)),
        # What the warehouse said of returned parcels: received or inspected.
        ("processing_us", "<i8", (N_PROCESSINGS,)),
        ("processing_key", "<u8", (N_PROCESSINGS,)),
        ("processing_return", "<u8", (N_PROCESSINGS,)),  # link; 0: none
        ("processing_condition", "<i8", (N_PROCESSINGS,)),  # `hemostat.v1.Condition`; 0: none
        ("processing_weight_g", "<i8", (N_PROCESSINGS,)),  # 0: not weighed
        ("return_us", "<i8", (N_RETURNS,)),
        ("return_key", "<u8", (N_RETURNS,)),
        ("return_value", "<i8", (N_RETURNS,)),
        ("return_hold_s", "<i8", (N_RETURNS,)),
        ("return_flags", "<i8", (N_RETURNS,)),  # `FoldFlag`
        ("return_channel", "<i8", (N_RETURNS,)),
        # As far as features look.
        ("return_reason", "<i8", (N_RETURNS_KEPT,)),
        ("return_link", "<u8", (N_RETURNS_KEPT,)),
        ("return_order", "<u8", (N_RETURNS_KEPT,)),
        ("return_style", "<u8", (N_RETURNS_KEPT,)),
        ("return_store", "<u8", (N_RETURNS_KEPT,)),
        ("return_weight_g", "<i8", (N_RETURNS_KEPT,)),
        ("return_embedder", "<i8", (N_RETURNS_KEPT,)),
        ("return_embedding", "i1", (N_RETURNS_KEPT, DIM)),
    ]
)
"""One customer's history in memory; times in microseconds UTC, money in minor units."""

assert HISTORY_DTYPE.itemsize % 8 == 0
