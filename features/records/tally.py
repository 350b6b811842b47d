"""The tally record: how often things happened to a product, a region or a store.

One layout for six entities: nine counters whose meaning depends on the entity's
role, per hour, day and week and for life, and two sums for means. A vector reads
closed hours only (see `features.facts.tally`), which is why the sums and the
prices are kept by the hour, too.
"""

from __future__ import annotations

import numpy as np

from features.definition import N_DAILY, N_HOURLY, N_WEEKLY
from features.entities import Entity

PRODUCT_COUNTERS = (
    "order_line_count",
    "return_count",
    "cancel_count",
    "size_small_count",
    "size_large_count",
    "defect_count",
    "mismatch_count",
    "inspected_count",
    "bad_condition_count",
)
"""Counters of SKUs, styles, suppliers and batches: lines, not units."""

REGION_COUNTERS = (
    "order_count",
    "shipped_count",
    "delivered_count",
    "delayed_count",
    "lost_count",
    "cancel_count",
)

STORE_COUNTERS = (
    "order_count",
    "return_count",
    "no_receipt_return_count",
    "gift_card_refund_count",
    "abuse_count",
    "cancel_count",
)

PRODUCTS = (Entity.SKU, Entity.STYLE, Entity.SUPPLIER, Entity.BATCH)

COUNTERS: dict[Entity, tuple[str, ...]] = {
    **dict.fromkeys(PRODUCTS, PRODUCT_COUNTERS),
    Entity.REGION: REGION_COUNTERS,
    Entity.STORE: STORE_COUNTERS,
}
"""Names of an entity's counters, by their place in its tiles."""

N_COUNTERS = len(PRODUCT_COUNTERS)

EXTRAS: dict[Entity, tuple[str, str]] = {
    **dict.fromkeys((Entity.SKU, Entity.STYLE), ("rating_sum", "rating_count")),
    Entity.REGION: ("delay_sum_s", "delay_count"),
}
"""The sum and the count of an entity's mean."""

N_EXTRAS = 2
# A vector wants the newest price of a closed hour. At most two hours are open
# (clocks run up to 5 minutes ahead), so the newest price of each of the three
# newest hours always holds it.
N_PRICES = 3

TALLY_DTYPE = np.dtype(
    [
        ("hourly_head", "<i8"),  # Newest hourly bucket + 1; 0: none yet.
        ("daily_head", "<i8"),
        ("weekly_head", "<i8"),
        # Buckets of each ring that hold something: bit k is bucket head - 1 - k.
        ("hourly_filled", "<u8"),
        ("daily_filled", "<u8"),
        ("weekly_filled", "<u8"),
        # Half words: no bucket has 2^31 events, and the tiles are most of the record.
        ("hourly", "<i4", (N_HOURLY, N_COUNTERS)),
        ("daily", "<i4", (N_DAILY, N_COUNTERS)),
        ("weekly", "<i4", (N_WEEKLY, N_COUNTERS)),
        ("hourly_extra", "<i8", (N_HOURLY, N_EXTRAS)),
        ("lifetime", "<i8", (N_COUNTERS,)),
        ("lifetime_extra", "<i8", (N_EXTRAS,)),
        # SKU: newest price of an hour by (time, key), newest hour first; key 0: empty.
        ("price_us", "<i8", (N_PRICES,)),
        ("price_key", "<u8", (N_PRICES,)),
        ("price_minor", "<i8", (N_PRICES,)),
        ("competitor_us", "<i8", (N_PRICES,)),
        ("competitor_key", "<u8", (N_PRICES,)),
        ("competitor_minor", "<i8", (N_PRICES,)),
    ]
)
"""One product's, region's or store's record in memory; money in minor units."""
