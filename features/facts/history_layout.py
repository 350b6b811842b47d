"""How the facts of a customer's history stand in their slice."""

from __future__ import annotations

from enum import IntEnum

from features.definition import ALL_WINDOWS, LIFETIME, Window
from features.records.history import N_COUNTERS, N_LIFETIME_COUNTERS, HistoryCounter


class HistoryFact(IntEnum):
    """The facts that are no plain sums, by their place in the slice.

    "Last 16" are the newest 16 returns but the case.
    """

    CUSTOMER_STATE = 0
    DAYS_SINCE_FIRST_ORDER = 1
    DAYS_SINCE_LAST_ORDER = 2
    DAYS_SINCE_LAST_RETURN = 3
    DAYS_SINCE_LAST_CANCEL = 4
    DAYS_SINCE_LAST_CANCEL_REQUEST = 5
    NET_VALUE_365D = 6
    """Ordered minus returned minus cancelled value."""
    UNDISCOUNTED_VALUE = 7
    """Ordered value before discounts."""
    HOLD_LAST = 8
    HOLD_MEAN = 9
    HOLD_STD = 10
    HOLD_LATE_SHARE = 11
    HOLD_MEAN_LIFETIME = 12
    CROSS_CHANNEL_SHARE = 13
    OCCASION_SHARE = 14
    HIGH_RESALE_SHARE = 15
    NO_RECEIPT_SHARE = 16
    PHOTO_CHECKED_SHARE = 17
    VIDEO_PASSED_SHARE = 18
    TAG_OFF_SHARE = 19
    CLAIM_AFTER_DELIVERY_SHARE = 20
    STORE_COUNT = 21
    WARDROBING_COUNT = 22
    USED_CONDITION_RETURN_COUNT = 23
    WEIGHT_MISMATCH_COUNT = 24
    BRACKETING_SHARE = 25
    REBUY_COUNT = 26
    REQUEST_STYLE_RETURN_COUNT = 27
    REQUEST_STYLE_ORDER_COUNT = 28
    CONDITION_MEAN = 29
    USED_CONDITION_SHARE = 30
    SIMILARITY_SELF = 31
    SIMILARITY_REQUEST_MEAN = 32
    SIMILARITY_REQUEST_MAX = 33
    REASON_CODE_TOP_SHARE = 34
    REASON_CODE_REQUEST_SHARE = 35
    CANCEL_AFTER_SHIPMENT_SHARE = 36
    CANCEL_REASON_TOP_SHARE = 37
    CANCEL_PRICE_SHARE = 38
    CANCEL_REASON_REQUEST_SHARE = 39
    ORDER_CHANNEL_COUNT = 40
    RETURN_CHANNEL_COUNT = 41
    IS_CHANNEL_KNOWN = 42
    VALUE_TO_ORDER_MEAN = 43


SUMS = len(HistoryFact)
"""Where the sums begin: a row of `N_COUNTERS` per window, then the lifetime row."""
LIFETIME_ROW = len(ALL_WINDOWS) - 1
LIFETIME_SUMS = SUMS + LIFETIME_ROW * N_COUNTERS
N_HISTORY_FACTS = LIFETIME_SUMS + N_LIFETIME_COUNTERS


def find_sum_fact(counter: HistoryCounter, window: Window) -> int:
    """Return the number of the fact that is a counter over a window."""
    if window == LIFETIME:
        return LIFETIME_SUMS + int(counter)
    assert counter < N_COUNTERS, f"{counter.name} is kept for life only"
    return SUMS + ALL_WINDOWS.index(window) * N_COUNTERS + int(counter)
