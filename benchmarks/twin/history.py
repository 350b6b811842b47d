"""History features, one SQL per family. NULL is missing.

Every family is a table `family_<name>` with `query_id` and columns named as the
features; a question without a row there has none of the family's features. That a
new customer or a guest has no history feature at all is said once, in `twin`.
"""

from __future__ import annotations

from collections.abc import Iterator

# Name, length in days, hop in days. A window at T counts events from
# floor(T - length, hop) on; lifetime counts all.
_WINDOWS = (("7d", 7, 1), ("30d", 30, 1), ("90d", 90, 7), ("365d", 365, 7), ("lifetime", 0, 0))

STATE = """
CREATE TABLE family_state AS
WITH n AS (
    SELECT query_id FROM known_order UNION SELECT query_id FROM known_return
    UNION SELECT query_id FROM known_cancel UNION SELECT query_id FROM known_click
    UNION SELECT query_id FROM known_kept UNION SELECT query_id FROM known_label
)
SELECT query_id, CASE WHEN customer_id = '' THEN -1
                      WHEN query_id IN (FROM n) THEN 1
                      ELSE 0 END AS customer_state
FROM query;
"""


def _count_in(window: str, days: int, hop_days: int, table: str, columns: str) -> str:
    is_in = "true"
    if days:
        is_in = f"event_us >= floor_to(t - {days} * day_us(), {hop_days} * day_us())"
    return f"""
CREATE TABLE {table}_in_{window} AS
SELECT query_id, {columns} FROM known_{table} WHERE {is_in} GROUP BY query_id;
"""


def iterate_windowed() -> Iterator[str]:
    """Yield the SQL of counts, values and rates, window by window."""
    for window in _WINDOWS:
        yield _count_in(*window, "order", "count(*) AS orders, sum(line_count) AS order_lines, "
                                          "sum(value) AS order_value")  # fmt: skip
        yield _count_in(*window, "return", "count(*) AS returns, sum(value) AS return_value")
        yield _count_in(
            *window,
            "cancel",
            "count_if(is_by_customer) AS cancels, sum(value) AS cancel_value",
        )
        name = window[0]
        yield f"""
CREATE TABLE family_{name} AS
WITH n AS (
    SELECT query_id,
        coalesce(orders, 0) AS orders, coalesce(order_lines, 0) AS order_lines,
        coalesce(order_value, 0) AS order_value, coalesce(returns, 0) AS returns,
        coalesce(return_value, 0) AS return_value, coalesce(cancels, 0) AS cancels
    FROM query
    LEFT JOIN order_in_{name} USING (query_id)
    LEFT JOIN return_in_{name} USING (query_id)
    LEFT JOIN cancel_in_{name} USING (query_id)
)
SELECT query_id,
    orders AS order_count_{name},
    order_value AS order_value_{name}_minor,
    returns AS return_count_{name},
    return_value AS return_value_{name}_minor,
    cancels AS cancel_count_{name},
    CASE WHEN order_lines > 0 THEN returns::DOUBLE / order_lines END AS return_rate_{name},
    CASE WHEN order_value > 0 THEN return_value::DOUBLE / order_value END
        AS return_value_rate_{name},
    CASE WHEN orders > 0 THEN cancels::DOUBLE / orders END AS cancel_rate_{name}
FROM n;
"""


NET_VALUE = """
CREATE TABLE family_net_value AS
SELECT query_id,
    coalesce(order_value, 0) - coalesce(return_value, 0) - coalesce(cancel_value, 0)
        AS net_value_365d_minor
FROM query
LEFT JOIN order_in_365d USING (query_id)
LEFT JOIN return_in_365d USING (query_id)
LEFT JOIN cancel_in_365d USING (query_id);
"""

TOTALS = """
CREATE TABLE family_totals AS
WITH click AS (SELECT query_id, count(*) AS n FROM known_click GROUP BY query_id),
kept AS (
    SELECT query_id, count(*) AS n, count_if(is_offer_taken) AS n_taken
    FROM known_kept GROUP BY query_id
),
returned AS (
    SELECT query_id, count_if(is_no_receipt) AS n_no_receipt, count_if(is_gift_card) AS n_gift_card
    FROM known_return GROUP BY query_id
),
label AS (SELECT query_id, sum(confirmed) AS n FROM known_label GROUP BY query_id)
SELECT query_id,
    coalesce(click.n, 0) AS cancel_request_count_lifetime,
    coalesce(kept.n, 0) AS order_kept_count_lifetime,
    coalesce(kept.n_taken, 0) AS offer_taken_count_lifetime,
    coalesce(returned.n_no_receipt, 0) AS no_receipt_return_count_lifetime,
    coalesce(returned.n_gift_card, 0) AS gift_card_refund_count_lifetime,
    coalesce(label.n, 0) AS abuse_confirmed_count_lifetime
FROM query
LEFT JOIN click USING (query_id) LEFT JOIN kept USING (query_id)
LEFT JOIN returned USING (query_id) LEFT JOIN label USING (query_id);
"""

# A clock may run up to five minutes ahead, so an age may come out below 0: it is 0 then.
AGES = """
CREATE TABLE family_order_age AS
SELECT query_id,
    greatest(0, t - min(event_us)) / day_us()::DOUBLE AS tenure_lifetime_days,
    greatest(0, t - max(event_us)) / day_us()::DOUBLE AS order_recency_lifetime_days
FROM known_order GROUP BY query_id, t;

CREATE TABLE family_return_age AS
SELECT query_id,
    greatest(0, t - max(event_us)) / day_us()::DOUBLE AS return_recency_lifetime_days
FROM known_return GROUP BY query_id, t;
"""

# The case's own return is left out before the newest 16 are taken.
LAST16 = """
CREATE TABLE last16 AS
SELECT *, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC
) AS place
FROM known_return QUALIFY place <= 16;
"""

HOLDS = """
CREATE TABLE family_hold AS
SELECT query_id,
    first(hold_s ORDER BY place) / 86400.0::DOUBLE AS time_to_return_last_days,
    avg(hold_s) / 86400.0::DOUBLE AS time_to_return_mean_last16_days,
    CASE WHEN count(*) >= 2 THEN stddev_pop(hold_s) / 86400.0::DOUBLE END
        AS time_to_return_std_last16_days,
    count_if(is_late_in_window)::DOUBLE / count(*) AS time_to_return_late_share_last16
FROM last16 WHERE hold_s IS NOT NULL GROUP BY query_id;

CREATE TABLE family_hold_lifetime AS
SELECT query_id, avg(hold_s) / 86400.0::DOUBLE AS time_to_return_mean_lifetime_days
FROM known_return WHERE hold_s IS NOT NULL GROUP BY query_id;
"""

CHANNELS = """
CREATE TABLE family_cross_channel AS
SELECT query_id,
    count_if(is_cross_channel)::DOUBLE / count(*) AS cross_channel_return_share_last16
FROM last16 GROUP BY query_id;

-- "Not said" (0) is no channel.
CREATE TABLE family_channel_count AS
SELECT query_id,
    (SELECT count(DISTINCT channel) FROM known_order AS o
     WHERE o.query_id = query.query_id AND channel <> 0) AS order_channel_count_lifetime,
    (SELECT count(DISTINCT channel) FROM known_return AS r
     WHERE r.query_id = query.query_id AND channel <> 0) AS return_channel_count_lifetime
FROM query;

CREATE TABLE family_channel_known AS
SELECT query_id, bool_or(o.channel = request.channel)::INT AS request_channel_known_lifetime
FROM known_order AS o JOIN request USING (query_id) GROUP BY query_id;
"""

REASON_CODES = """
CREATE TABLE family_reason_top AS
WITH counted AS (
    SELECT query_id, count(*) AS n FROM last16 WHERE reason_code <> 0
    GROUP BY query_id, reason_code
)
SELECT query_id, max(n)::DOUBLE / sum(n) AS reason_code_top_share_last16
FROM counted GROUP BY query_id;

-- Of all 16, those without a code included.
CREATE TABLE family_reason_request AS
SELECT query_id,
    count_if(last16.reason_code = request.reason_code)::DOUBLE / count(*)
        AS request_reason_code_share_last16
FROM last16 JOIN request USING (query_id)
WHERE request.reason_code <> 0 GROUP BY query_id;
"""

# `vector` holds no all-zero embedding: a text without letter or digit is none.
SIMILARITIES = """
CREATE TABLE last16_text AS
SELECT query_id, place, vector FROM last16 JOIN vector USING (embedding);

CREATE TABLE family_similarity_self AS
SELECT query_id, avg(array_cosine_similarity(a.vector, b.vector)) AS reason_similarity_mean_last16
FROM last16_text AS a JOIN last16_text AS b USING (query_id)
WHERE a.place < b.place GROUP BY query_id;

CREATE TABLE family_similarity_request AS
SELECT query_id,
    avg(array_cosine_similarity(past.vector, now.vector)) AS request_reason_similarity_mean_last16,
    max(array_cosine_similarity(past.vector, now.vector)) AS request_reason_similarity_max_last16
FROM last16_text AS past JOIN request USING (query_id)
JOIN vector AS now ON now.embedding = request.embedding
GROUP BY query_id;
"""

ORDER_MEAN = """
CREATE TABLE family_order_mean AS
SELECT query_id,
    request.value / (past.order_value::DOUBLE / past.orders)
        AS request_value_to_order_mean_lifetime
FROM order_in_lifetime AS past JOIN request USING (query_id)
WHERE past.order_value > 0;
"""


# Not a feature: how many known events of the case's kind are newer than the case.
OWN_RANK = """
CREATE TABLE own_rank AS
WITH told AS (
    SELECT 'order' AS kind, tenant, customer_id, event_id, event_key, event_us, known_us
    FROM order_event
    UNION ALL
    SELECT 'return', tenant, customer_id, event_id, event_key, event_us, known_us
    FROM return_event
    UNION ALL
    SELECT 'click', tenant, customer_id, event_id, event_key, event_us, known_us
    FROM click_event
)
SELECT query_id, count(*) AS n_newer
FROM query AS q
JOIN told AS own ON own.tenant = q.tenant AND own.event_id = q.own_event_id
    AND own.known_us <= q.t
JOIN told AS other ON other.tenant = q.tenant AND other.customer_id = own.customer_id
    AND other.kind = own.kind AND other.known_us <= q.t
    AND (other.event_us, other.event_key) > (own.event_us, own.event_key)
GROUP BY query_id;
"""


def iterate_families() -> Iterator[str]:
    """Yield the SQL of all families in an order that can be executed."""
    yield STATE
    yield from iterate_windowed()
    yield from (NET_VALUE, TOTALS, AGES, LAST16, HOLDS, CHANNELS, REASON_CODES, SIMILARITIES)
    yield from (ORDER_MEAN, OWN_RANK)
