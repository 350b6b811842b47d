"""The newest few of something, as of each question: a running list and an ASOF join.

`list(...) OVER (ROWS BETWEEN n PRECEDING ...)` keeps the last n events at each event;
the question takes the list of the last event before it, leaves its own case out and
unnests what remains into the tables whose features `benchmarks.twin.returns` states.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Newest:
    """One table of newest events.

    Attributes:
        table: The table made: `query_id`, `place` from 1 and the columns.
        facts: Where the events stand, with what condition.
        columns: What is kept of each.
        n: How many the features read.
        n_kept: How many are kept, so that the case itself can be left out.
        order: By what they are ordered, oldest first.
    """

    table: str
    facts: str
    columns: tuple[str, ...]
    n: int
    n_kept: int
    order: str = "event_us, event_key"


_RETURN = (
    "channel", "hold_s", "is_late_in_window", "is_cross_channel", "is_no_receipt", "is_occasion",
    "is_high_resale", "is_photo_checked", "is_video_passed", "is_claim_after_delivery",
    "is_tag_on", "reason_code", "embedding", "embedder", "weight_g", "return_id", "order_id",
    "style", "store",
)  # fmt: skip

NEWEST = (
    Newest("last16", "return_event", _RETURN, 16, 17),
    Newest("last24_line", "order_line WHERE line < 8", ("order_id", "style", "is_multi_variant"),
           24, 32, "event_us, event_key, line"),
    Newest("last24_processing", "processing_event",
           ("return_id", "weight_g", "condition", "is_inspection"), 24, 24),
    Newest("cancel_last8", "cancel_event WHERE is_by_customer",
           ("reason_code", "is_after_shipment"), 8, 8),
    Newest("last8_sentiment", "activity_event WHERE sentiment IS NOT NULL", ("sentiment",), 8, 8),
    Newest("last8_size_chart", "activity_event WHERE kind = 'size_chart_viewed'", ("style",), 8, 8),
    Newest("last_abandoned", "activity_event WHERE kind = 'checkout_abandoned'", ("cart_age_s",),
           1, 1),
)  # fmt: skip


def build_newest(newest: Newest) -> str:
    """Return the SQL of one table of newest events."""
    packed = ", ".join(f"{name} := {name}" for name in (*newest.columns, "event_us", "event_id"))
    return f"""
CREATE TABLE {newest.table} AS
WITH running AS (
    SELECT tenant, customer_id, event_us, list(struct_pack({packed})) OVER (
        PARTITION BY tenant, customer_id ORDER BY {newest.order}
        ROWS BETWEEN {newest.n_kept - 1} PRECEDING AND CURRENT ROW
    ) AS kept
    FROM (FROM {newest.facts})
    -- Of events of one instant the last one has seen all.
    QUALIFY event_us IS DISTINCT FROM lead(event_us) OVER (
        PARTITION BY tenant, customer_id ORDER BY {newest.order})
),
asked AS (
    SELECT query_id, list_reverse(list_filter(kept, lambda e: e.event_id <> own_event_id))
        [1:{newest.n}] AS newest
    FROM query ASOF JOIN running
        ON query.tenant = running.tenant AND query.customer_id = running.customer_id
        AND query.t >= running.event_us
    WHERE query.customer_id <> ''
)
SELECT query_id, unnest(newest, max_depth := 2), generate_subscripts(newest, 1) AS place
FROM asked;
"""


STATEMENTS = tuple(map(build_newest, NEWEST))
