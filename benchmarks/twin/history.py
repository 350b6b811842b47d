"""A customer's orders, cancellations and labels, one SQL per family. NULL is missing.

Every family is a table `history_<name>` with `query_id` and columns named as the
features; a question without a row there has none of the family's features. That a
new customer or a guest has no history feature at all is said once, in `twin`.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.twin.windows import WINDOWS, Window

STATE = """
-- Not a feature of any family: it decides whether there are any.
CREATE TABLE family_state AS
WITH n AS (
    SELECT query_id FROM known_order UNION SELECT query_id FROM known_return
    UNION SELECT query_id FROM known_cancel UNION SELECT query_id FROM known_click
    UNION SELECT query_id FROM known_kept UNION SELECT query_id FROM known_label
    UNION SELECT query_id FROM known_processing UNION SELECT query_id FROM known_refund
    UNION SELECT query_id FROM known_exchange
)
SELECT query_id, CASE WHEN customer_id = '' THEN -1
                      WHEN query_id IN (FROM n) THEN 1
                      ELSE 0 END AS customer_state
FROM query;
"""

_COUNTED = {
    "order": "count(*) AS orders, sum(line_count) AS order_lines, sum(value) AS order_value, "
    "sum(multi_variant_count) AS multi_variant_lines, sum(discount) AS discount",
    "return": "count(*) AS returns, sum(value) AS return_value, "
    "count(*) FILTER (is_no_receipt) AS no_receipt, count(*) FILTER (is_gift_card) AS gift_card",
    "cancel": "count(*) FILTER (is_by_customer) AS cancels, sum(value) AS cancel_value",
}


def _iterate_counted(window: Window) -> Iterator[str]:
    """Yield the SQL of what happened in one window, and that of all kinds side by side."""
    for table, columns in _COUNTED.items():
        yield f"""
CREATE TABLE {table}_in_{window.name} AS
SELECT query_id, {columns} FROM known_{table} WHERE {window.contains("event_us", "t")}
GROUP BY query_id;
"""
    yield f"""
CREATE TABLE counted_{window.name} AS
SELECT query_id, coalesce(COLUMNS(* EXCLUDE query_id), 0)
FROM query_number
LEFT JOIN order_in_{window.name} USING (query_id)
LEFT JOIN return_in_{window.name} USING (query_id)
LEFT JOIN cancel_in_{window.name} USING (query_id);
"""


def iterate_windowed() -> Iterator[str]:
    """Yield the SQL of counts, values and rates, window by window."""
    for window in WINDOWS.values():
        yield from _iterate_counted(window)
        name = window.name
        yield f"""
CREATE TABLE history_count_{name} AS
SELECT query_id,
    orders AS order_count_{name},
    order_value AS order_value_{name}_minor,
    returns AS return_count_{name},
    return_value AS return_value_{name}_minor,
    cancels AS cancel_count_{name}
FROM counted_{name};
"""
    for name in ("7d", "30d", "90d", "365d", "lifetime"):
        yield f"""
CREATE TABLE history_rate_{name} AS
SELECT query_id,
    CASE WHEN order_lines > 0 THEN returns::DOUBLE / order_lines END AS return_rate_{name},
    CASE WHEN order_value > 0 THEN return_value::DOUBLE / order_value END
        AS return_value_rate_{name},
    CASE WHEN orders > 0 THEN cancels::DOUBLE / orders END AS cancel_rate_{name}
FROM counted_{name};
"""
    for name in ("30d", "365d", "lifetime"):
        yield f"""
CREATE TABLE history_return_way_{name} AS
SELECT query_id,
    no_receipt AS no_receipt_return_count_{name},
    gift_card AS gift_card_refund_count_{name}
FROM counted_{name};
"""
    for name in ("90d", "365d"):
        yield f"""
CREATE TABLE history_multi_variant_{name} AS
SELECT query_id,
    CASE WHEN order_lines > 0 THEN multi_variant_lines::DOUBLE / order_lines END
        AS multi_variant_line_share_{name}
FROM counted_{name};
"""


NET_VALUE = """
CREATE TABLE history_net_value AS
SELECT query_id, order_value - return_value - cancel_value AS net_value_365d_minor
FROM counted_365d;

CREATE TABLE history_discount AS
SELECT query_id, CASE WHEN discount + order_value > 0
    THEN discount::DOUBLE / (discount + order_value) END AS discount_share_lifetime
FROM counted_lifetime;
"""

TOTALS = """
CREATE TABLE history_totals AS
WITH click AS (SELECT query_id, count(*) AS n_click FROM known_click GROUP BY query_id),
kept AS (
    SELECT query_id, count(*) AS n_kept, count(*) FILTER (is_offer_taken) AS n_taken
    FROM known_kept GROUP BY query_id
),
refund AS (
    SELECT query_id, count(*) AS n_refund, count(*) FILTER (is_without_return) AS n_without_return
    FROM known_refund GROUP BY query_id
),
exchange AS (SELECT query_id, count(*) AS n_exchange FROM known_exchange GROUP BY query_id),
inspection AS (
    SELECT query_id, count(*) AS n_inspected, count(*) FILTER (is_wrong_item) AS n_wrong_item,
        count(*) FILTER (is_empty_box) AS n_empty_box
    FROM known_processing WHERE is_inspection GROUP BY query_id
),
label AS (
    SELECT query_id, sum(confirmed) AS n_confirmed, sum(chargeback) AS n_chargeback,
        sum(cleared) AS n_cleared, sum(upheld) AS n_upheld
    FROM known_label GROUP BY query_id
)
SELECT query_id,
    coalesce(n_click, 0) AS cancel_request_count_lifetime,
    coalesce(n_kept, 0) AS order_kept_count_lifetime,
    coalesce(n_taken, 0) AS offer_taken_count_lifetime,
    coalesce(n_refund, 0) AS refund_count_lifetime,
    coalesce(n_without_return, 0) AS refund_without_return_count_lifetime,
    coalesce(n_exchange, 0) AS exchange_count_lifetime,
    coalesce(n_inspected, 0) AS inspected_count_lifetime,
    coalesce(n_wrong_item, 0) AS wrong_item_count_lifetime,
    coalesce(n_empty_box, 0) AS empty_box_count_lifetime,
    coalesce(n_confirmed, 0) AS abuse_confirmed_count_lifetime,
    coalesce(n_chargeback, 0) AS chargeback_count_lifetime,
    coalesce(n_cleared, 0) AS abuse_cleared_count_lifetime,
    coalesce(n_upheld, 0) AS appeal_upheld_count_lifetime
FROM query_number
LEFT JOIN click USING (query_id) LEFT JOIN kept USING (query_id)
LEFT JOIN refund USING (query_id) LEFT JOIN exchange USING (query_id)
LEFT JOIN inspection USING (query_id) LEFT JOIN label USING (query_id);

CREATE TABLE history_refund_value AS
SELECT query_id, sum(CASE WHEN is_gift_card THEN value ELSE 0 END)::DOUBLE / sum(value)
    AS refund_gift_card_share_lifetime
FROM known_refund GROUP BY query_id HAVING sum(value) > 0;
"""

# A clock may run up to five minutes ahead, so an age may come out below 0: it is 0 then.
AGES = """
CREATE TABLE history_order_age AS
SELECT query_id,
    greatest(0, t - min(event_us)) / day_us()::DOUBLE AS tenure_lifetime_days,
    greatest(0, t - max(event_us)) / day_us()::DOUBLE AS order_recency_lifetime_days
FROM known_order GROUP BY query_id, t;

CREATE TABLE history_return_age AS
SELECT query_id,
    greatest(0, t - max(event_us)) / day_us()::DOUBLE AS return_recency_lifetime_days
FROM known_return GROUP BY query_id, t;

CREATE TABLE history_cancel_age AS
SELECT query_id,
    greatest(0, t - max(event_us)) / day_us()::DOUBLE AS cancel_recency_lifetime_days
FROM known_cancel WHERE is_by_customer GROUP BY query_id, t;

CREATE TABLE history_click_age AS
SELECT query_id,
    greatest(0, t - max(event_us)) / day_us()::DOUBLE AS cancel_request_recency_lifetime_days
FROM known_click GROUP BY query_id, t;
"""

CHANNELS = """
-- "Not said" (0) is no channel.
CREATE TABLE order_channels AS
SELECT query_id, count(DISTINCT channel) FILTER (channel <> 0) AS n
FROM known_order GROUP BY query_id;

CREATE TABLE return_channels AS
SELECT query_id, count(DISTINCT channel) FILTER (channel <> 0) AS n
FROM known_return GROUP BY query_id;

CREATE TABLE history_channel_count AS
SELECT query_id,
    coalesce(o.n, 0) AS order_channel_count_lifetime,
    coalesce(r.n, 0) AS return_channel_count_lifetime
FROM query_number
LEFT JOIN order_channels AS o USING (query_id)
LEFT JOIN return_channels AS r USING (query_id);

CREATE TABLE history_channel_known AS
SELECT query_id, bool_or(o.channel = request.channel)::INT AS request_channel_known_lifetime
FROM known_order AS o JOIN request USING (query_id) GROUP BY query_id;
"""

ORDER_MEAN = """
CREATE TABLE history_order_mean AS
SELECT query_id,
    request.value / (past.order_value::DOUBLE / past.orders)
        AS request_value_to_order_mean_lifetime
FROM counted_lifetime AS past JOIN request USING (query_id)
WHERE past.order_value > 0;
"""

LAST_CANCELLATIONS = """
CREATE TABLE cancel_last8 AS
SELECT *, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC
) AS place
FROM known_cancel WHERE is_by_customer QUALIFY place <= 8;
"""

CANCELLATIONS = """
CREATE TABLE history_cancel_way AS
SELECT query_id,
    count(*) FILTER (is_after_shipment)::DOUBLE / count(*) AS cancel_after_shipment_share_last8,
    count(*) FILTER (reason_code = code_of('REASON_CODE_BETTER_PRICE'))::DOUBLE / count(*)
        AS cancel_price_share_last8
FROM cancel_last8 GROUP BY query_id;

CREATE TABLE history_cancel_reason_top AS
WITH counted AS (
    SELECT query_id, count(*) AS n FROM cancel_last8 WHERE reason_code <> 0
    GROUP BY query_id, reason_code
)
SELECT query_id, max(n)::DOUBLE / sum(n) AS cancel_reason_top_share_last8
FROM counted GROUP BY query_id;

-- Of all 8, those without a code included.
CREATE TABLE history_cancel_reason_request AS
SELECT query_id,
    count(*) FILTER (past.reason_code = request.reason_code)::DOUBLE / count(*)
        AS request_cancel_reason_share_last8
FROM cancel_last8 AS past JOIN request USING (query_id)
WHERE request.call = 2 AND request.reason_code <> 0 GROUP BY query_id;
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
WHERE own.customer_id <> ''
GROUP BY query_id;
"""


def iterate_families() -> Iterator[str]:
    """Yield the SQL of all families in an order that can be executed."""
    yield STATE
    yield from iterate_windowed()
    yield from (NET_VALUE, TOTALS, AGES, CHANNELS, ORDER_MEAN)
    yield from (LAST_CANCELLATIONS, CANCELLATIONS, OWN_RANK)
