"""A customer's counts, values and ages: window frames over the customer's own events.

A question is its case's row in `customer_event`, so EXCLUDE CURRENT ROW leaves the case
out. Events of one microsecond are peers and see each other.
"""

from __future__ import annotations

from benchmarks.twin.windows import WINDOWS

EVENTS = """
CREATE TABLE customer_event AS
SELECT tenant, customer_id, event_id, event_us, 1 AS orders, line_count AS order_lines,
    value AS order_value, multi_variant_count AS multi_variant_lines, discount,
    channel AS order_channel
FROM order_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, 1 AS returns, value AS return_value,
    is_no_receipt::INT AS no_receipt, is_gift_card::INT AS gift_card,
    hold_s, channel AS return_channel
FROM return_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, value AS cancel_value,
    CASE WHEN is_by_customer THEN 1 END AS cancels
FROM cancel_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, 1 AS clicks
FROM click_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, 1 AS kept, is_offer_taken::INT AS offers_taken
FROM kept_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, 1 AS refunds, value AS refund_value,
    CASE WHEN is_gift_card THEN value ELSE 0 END AS gift_card_value,
    is_without_return::INT AS refunds_without_return
FROM refund_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, 1 AS exchanges
FROM exchange_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, is_inspection::INT AS inspections,
    is_wrong_item::INT AS wrong_items, is_empty_box::INT AS empty_boxes
FROM processing_event WHERE customer_id <> ''
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_us, confirmed, chargeback, cleared, upheld
FROM label_event WHERE customer_id <> '';
"""

_COUNTED = (
    "orders", "order_lines", "order_value", "multi_variant_lines", "returns", "return_value",
    "no_receipt", "gift_card", "cancels", "cancel_value",
)  # fmt: skip
_TOTALS = (
    "discount", "clicks", "kept", "offers_taken", "refunds", "refund_value", "gift_card_value",
    "refunds_without_return", "exchanges", "inspections", "wrong_items", "empty_boxes",
    "confirmed", "chargeback", "cleared", "upheld",
)  # fmt: skip


def build_frame(name: str) -> str:
    """Return the named window of `WINDOWS[name]`: from its start to now, but not the case."""
    start = "UNBOUNDED PRECEDING"
    window = WINDOWS[name]
    if window.length_h:
        length_us, hop_us = window.length_h * 3_600_000_000, window.hop_h * 3_600_000_000
        start = f"event_us - floor_to(event_us - {length_us}, {hop_us}) PRECEDING"
    return (
        f"w_{name} AS (PARTITION BY tenant, customer_id ORDER BY event_us "
        f"RANGE BETWEEN {start} AND CURRENT ROW EXCLUDE CURRENT ROW)"
    )


def build_sums() -> str:
    """Return the SQL of all sums: a column per counter and window."""
    sums = [
        f"coalesce(sum({counter}) OVER w_{name}, 0) AS {counter}_{name}"
        for name in WINDOWS
        for counter in _COUNTED
    ]
    sums += [f"coalesce(sum({counter}) OVER w_lifetime, 0) AS {counter}" for counter in _TOTALS]
    frames = ",\n    ".join(map(build_frame, WINDOWS))
    return f"""
CREATE TABLE summed AS
SELECT tenant, event_id, event_us AS t,
    {", ".join(sums)},
    count(*) OVER w_lifetime AS n_known,
    min(event_us) FILTER (orders > 0) OVER w_lifetime AS first_order_us,
    max(event_us) FILTER (orders > 0) OVER w_lifetime AS last_order_us,
    max(event_us) FILTER (returns > 0) OVER w_lifetime AS last_return_us,
    max(event_us) FILTER (cancels > 0) OVER w_lifetime AS last_cancel_us,
    max(event_us) FILTER (clicks > 0) OVER w_lifetime AS last_click_us,
    avg(hold_s) OVER w_lifetime AS hold_mean_s,
    list(DISTINCT nullif(order_channel, 0)) OVER w_lifetime AS order_channels,
    list(DISTINCT order_channel) OVER w_lifetime AS all_order_channels,
    list(DISTINCT nullif(return_channel, 0)) OVER w_lifetime AS return_channels
FROM customer_event
WINDOW {frames}
QUALIFY event_id IN (SELECT own_event_id FROM query);
"""


def _build_columns() -> list[str]:
    columns: list[str] = []
    for name in WINDOWS:
        columns += [
            f"orders_{name} AS order_count_{name}",
            f"order_value_{name} AS order_value_{name}_minor",
            f"returns_{name} AS return_count_{name}",
            f"return_value_{name} AS return_value_{name}_minor",
            f"cancels_{name} AS cancel_count_{name}",
        ]
    for name in ("7d", "30d", "90d", "365d", "lifetime"):
        columns += [
            f"returns_{name}::DOUBLE / nullif(order_lines_{name}, 0) AS return_rate_{name}",
            (
                f"return_value_{name}::DOUBLE / nullif(order_value_{name}, 0)"
                f" AS return_value_rate_{name}"
            ),
            f"cancels_{name}::DOUBLE / nullif(orders_{name}, 0) AS cancel_rate_{name}",
        ]
    for name in ("30d", "365d", "lifetime"):
        columns += [
            f"no_receipt_{name} AS no_receipt_return_count_{name}",
            f"gift_card_{name} AS gift_card_refund_count_{name}",
        ]
    for name in ("90d", "365d"):
        columns.append(
            f"multi_variant_lines_{name}::DOUBLE / nullif(order_lines_{name}, 0)"
            f" AS multi_variant_line_share_{name}"
        )
    return columns


_LIFETIME = """
    order_value_365d - return_value_365d - cancel_value_365d AS net_value_365d_minor,
    s.discount::DOUBLE / nullif(s.discount + order_value_lifetime, 0) AS discount_share_lifetime,
    clicks AS cancel_request_count_lifetime,
    kept AS order_kept_count_lifetime,
    offers_taken AS offer_taken_count_lifetime,
    refunds AS refund_count_lifetime,
    gift_card_value::DOUBLE / nullif(refund_value, 0) AS refund_gift_card_share_lifetime,
    refunds_without_return AS refund_without_return_count_lifetime,
    exchanges AS exchange_count_lifetime,
    inspections AS inspected_count_lifetime,
    wrong_items AS wrong_item_count_lifetime,
    empty_boxes AS empty_box_count_lifetime,
    confirmed AS abuse_confirmed_count_lifetime,
    chargeback AS chargeback_count_lifetime,
    cleared AS abuse_cleared_count_lifetime,
    upheld AS appeal_upheld_count_lifetime,
    (s.t - first_order_us) / day_us()::DOUBLE AS tenure_lifetime_days,
    (s.t - last_order_us) / day_us()::DOUBLE AS order_recency_lifetime_days,
    (s.t - last_return_us) / day_us()::DOUBLE AS return_recency_lifetime_days,
    (s.t - last_cancel_us) / day_us()::DOUBLE AS cancel_recency_lifetime_days,
    (s.t - last_click_us) / day_us()::DOUBLE AS cancel_request_recency_lifetime_days,
    hold_mean_s / 86400.0::DOUBLE AS time_to_return_mean_lifetime_days,
    len(list_filter(order_channels, lambda c: c IS NOT NULL)) AS order_channel_count_lifetime,
    len(list_filter(return_channels, lambda c: c IS NOT NULL)) AS return_channel_count_lifetime,
    CASE WHEN orders_lifetime > 0 THEN list_contains(all_order_channels, request.channel) END
        AS request_channel_known_lifetime,
    request.value::DOUBLE * orders_lifetime / nullif(order_value_lifetime, 0)
        AS request_value_to_order_mean_lifetime
"""


def build_features() -> str:
    """Return the SQL of the history features that are sums; the state beside them."""
    columns = ",\n    ".join(_build_columns())
    return f"""
CREATE TABLE history_sum AS
SELECT query.query_id, {columns},
{_LIFETIME}
FROM query JOIN request USING (query_id)
JOIN summed AS s ON s.tenant = query.tenant AND s.event_id = query.own_event_id;

CREATE TABLE family_state AS
SELECT query_id, CASE WHEN customer_id = '' THEN -1 WHEN n_known > 0 THEN 1 ELSE 0 END
    AS customer_state
FROM query LEFT JOIN summed AS s ON s.tenant = query.tenant AND s.event_id = query.own_event_id;
"""


STATEMENTS = (EVENTS, build_sums(), build_features())
