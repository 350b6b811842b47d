"""What a customer did between orders, and what was done for them. NULL is missing.

Tables `family_<name>` hold what stands in the answer as it is: a guest's features
are missing, a named customer to whom nothing happened has counts of 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.twin.windows import WINDOWS

FACTS = """
CREATE TABLE activity_event AS
SELECT tenant, customer_id, event_id, event_key, event_us, known_us, kind,
    size_chart_viewed.style AS style,
    checkout_abandoned.cart_age_s AS cart_age_s,
    service_replied.waited_s AS waited_s,
    nullif(review_posted.rating, 0) AS stars,
    coalesce(service_message.message.sentiment, review_posted.review.sentiment) AS sentiment,
    offer_closed.result AS result, offer_closed.cost_minor AS cost_minor
FROM accepted JOIN event_key USING (tenant, event_id)
WHERE customer_id <> '' AND kind IN (
    'payment_failed', 'payment_timed_out', 'product_viewed', 'size_chart_viewed',
    'cart_item_added', 'cart_item_removed', 'checkout_abandoned', 'address_changed',
    'return_policy_asked', 'service_message', 'service_replied', 'review_posted',
    'stock_short', 'order_shipped', 'delivery_delayed', 'order_delivered', 'parcel_lost',
    'offer_made', 'offer_closed');
"""

KNOWN = """
CREATE TABLE known_activity AS
SELECT q.query_id, q.t, e.* EXCLUDE (tenant, customer_id, event_id, known_us)
FROM query AS q JOIN activity_event AS e USING (tenant, customer_id) WHERE e.known_us <= q.t;
"""

COUNTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("view", "kind = 'product_viewed'", ("1h", "24h", "7d", "30d")),
    ("size_chart_view", "kind = 'size_chart_viewed'", ("24h", "7d")),
    ("cart_add", "kind = 'cart_item_added'", ("24h", "7d")),
    ("cart_remove", "kind = 'cart_item_removed'", ("24h", "7d")),
    ("checkout_abandoned", "kind = 'checkout_abandoned'", ("24h", "30d")),
    ("address_changed", "kind = 'address_changed'", ("24h", "30d")),
    ("policy_asked", "kind = 'return_policy_asked'", ("24h", "30d")),
    ("service_message", "kind = 'service_message'", ("24h", "30d")),
    ("slow_reply", "kind = 'service_replied' AND waited_s > 600", ("7d", "30d")),
    ("payment_failed", "kind IN ('payment_failed', 'payment_timed_out')", ("1h", "24h", "30d")),
    ("delayed", "kind = 'delivery_delayed'", ("30d", "lifetime")),
    ("lost", "kind = 'parcel_lost'", ("lifetime",)),
    ("stock_short", "kind = 'stock_short'", ("30d",)),
    ("offer_made", "kind = 'offer_made'", ("30d", "lifetime")),
    ("offer_accepted", "result = 'OFFER_RESULT_ACCEPTED'", ("30d", "lifetime")),
    ("offer_refused", "result = 'OFFER_RESULT_REFUSED'", ("lifetime",)),
)
"""Counts: first part of the name, SQL of what is counted, windows."""


def build_counts() -> str:
    """Return the SQL of all counts."""
    columns = ",\n    ".join(
        f"count(*) FILTER ({is_of} AND {WINDOWS[window].contains('event_us', 'query.t')})"
        f" AS {name}_count_{window}"
        for name, is_of, windows in COUNTS
        for window in windows
    )
    return f"""
CREATE TABLE family_activity_count AS
SELECT query_id,
    {columns}
FROM query LEFT JOIN known_activity USING (query_id)
WHERE customer_id <> '' GROUP BY query_id;
"""


MEANS = """
CREATE TABLE family_activity_mean AS
SELECT query_id,
    count(*) FILTER (result = 'OFFER_RESULT_ACCEPTED')::DOUBLE
        / nullif(count(*) FILTER (result IN ('OFFER_RESULT_ACCEPTED', 'OFFER_RESULT_REFUSED',
                                     'OFFER_RESULT_EXPIRED')), 0) AS offer_accept_rate_lifetime,
    coalesce(sum(cost_minor) FILTER (result = 'OFFER_RESULT_ACCEPTED'), 0)
        AS offer_cost_lifetime_minor,
    avg(waited_s) AS service_wait_mean_lifetime_s,
    avg(stars) AS rating_mean_lifetime,
    CASE WHEN max(event_us) IS NOT NULL
        THEN greatest(0, query.t - max(event_us)) / day_us()::DOUBLE END
        AS activity_recency_lifetime_days
FROM query LEFT JOIN known_activity USING (query_id)
WHERE customer_id <> '' GROUP BY query_id, query.t;
"""

NEWEST = """
CREATE TABLE last8_sentiment AS
SELECT query_id, sentiment, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC
) AS place
FROM known_activity WHERE sentiment IS NOT NULL QUALIFY place <= 8;

CREATE TABLE last8_size_chart AS
SELECT query_id, style, event_us, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC
) AS place
FROM known_activity WHERE kind = 'size_chart_viewed' QUALIFY place <= 8;

CREATE TABLE last_abandoned AS
SELECT query_id, first(cart_age_s ORDER BY event_us DESC, event_key DESC) AS cart_age_s
FROM known_activity WHERE kind = 'checkout_abandoned' GROUP BY query_id;
"""

SAID = """
CREATE TABLE family_sentiment AS
SELECT query_id, first(sentiment ORDER BY place) AS sentiment_last,
    avg(sentiment) AS sentiment_mean_last8
FROM last8_sentiment GROUP BY query_id;

CREATE TABLE family_cart_age AS
SELECT query_id, cart_age_s / 3600.0::DOUBLE AS cart_age_last_hours FROM last_abandoned;

-- To the microsecond: the ring keeps times.
CREATE TABLE family_request_size_chart AS
SELECT query_id, count(*) FILTER (chart.event_us >= request.t - 7 * day_us())
    AS request_size_chart_view_count_last8
FROM request LEFT JOIN last8_size_chart AS chart USING (query_id, style)
WHERE customer_id <> '' AND style <> '' GROUP BY query_id;
"""


def iterate_families() -> Iterator[str]:
    """Yield the SQL of all families in an order that can be executed."""
    yield FACTS
    yield KNOWN
    yield build_counts()
    yield from (MEANS, NEWEST, SAID)
