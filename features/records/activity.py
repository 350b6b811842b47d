"""The activity record: what a customer did between orders, and what was done for them.

Counts per hour and day, lifetime totals, and short rings of what the newest
events said. Browsing is most of the traffic and needs no long windows, hence no
weekly tiles.
"""

from __future__ import annotations

import numpy as np

from features.definition import N_DAILY, N_HOURLY

WINDOWED_COUNTERS = (
    "view_count",
    "size_chart_view_count",
    "cart_add_count",
    "cart_remove_count",
    "checkout_abandoned_count",
    "address_changed_count",
    "policy_asked_count",
    "service_message_count",
    "slow_reply_count",
    "payment_failed_count",
    "delayed_count",
    "lost_count",
    "stock_short_count",
    "offer_made_count",
    "offer_accepted_count",
)
"""Counters kept per time bucket and for life."""

LIFETIME_COUNTERS = (
    *WINDOWED_COUNTERS,
    "offer_refused_count",
    "offer_expired_count",
    "offer_cost_minor",
    "reply_count",
    "waited_s",
    "rating_count",
    "rating_sum",
    "shipped_count",
    "delivered_count",
)

N_SIZE_CHARTS = 8
N_SENTIMENTS = 8
SENTIMENT_OFFSET = 128
"""Added to a sentiment in the record: stored words with leading zeros are short."""

ACTIVITY_DTYPE = np.dtype(
    [
        ("last_event_us", "<i8"),  # Newest event of any kind; 0: none.
        ("hourly_head", "<i8"),  # Newest hourly bucket + 1; 0: none yet.
        ("daily_head", "<i8"),
        # Buckets of each ring that hold something: bit k is bucket head - 1 - k.
        ("hourly_filled", "<u8"),
        ("daily_filled", "<u8"),
        # Half words: no hour has 2^31 events, and the tiles are most of the record.
        ("hourly", "<i4", (N_HOURLY, len(WINDOWED_COUNTERS))),
        ("daily", "<i4", (N_DAILY, len(WINDOWED_COUNTERS))),
        ("lifetime", "<i8", (len(LIFETIME_COUNTERS),)),
        # Rings: newest first, by (time, key); key 0: empty.
        ("size_chart_us", "<i8", (N_SIZE_CHARTS,)),
        ("size_chart_key", "<u8", (N_SIZE_CHARTS,)),
        ("size_chart_style", "<u8", (N_SIZE_CHARTS,)),
        ("sentiment_us", "<i8", (N_SENTIMENTS,)),
        ("sentiment_key", "<u8", (N_SENTIMENTS,)),
        ("sentiment", "<i8", (N_SENTIMENTS,)),  # -100 to 100, plus `SENTIMENT_OFFSET`
        # The newest checkout that was left; key 0: none.
        ("abandoned_us", "<i8"),
        ("abandoned_key", "<u8"),
        ("abandoned_cart_age_s", "<i8"),
    ]
)
"""One customer's activity in memory; times in microseconds UTC, money in minor units."""
