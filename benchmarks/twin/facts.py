"""Raw log to facts: which events count, and what each says.

Times are integers, microseconds UTC; values are 128-bit integers, minor units,
so that nothing rounds or overflows before the last step. Ids stay what they are:
the twin hashes nothing, and an empty id names nothing.
"""

from __future__ import annotations

from hemostat.v1 import common_pb2, event_pb2

_CODES = {
    name: number
    for enum in (
        common_pb2.Channel,
        common_pb2.ReasonCode,
        common_pb2.Tender,
        common_pb2.OrderStage,
        event_pb2.Condition,
    )
    for name, number in enum.items()
}

MACROS = f"""
CREATE MACRO code_of(name) AS coalesce(MAP {_CODES}[name], 0);
CREATE MACRO floor_to(us, step) AS us - ((us % step) + step) % step;
CREATE MACRO hour_us() AS 3600000000;
CREATE MACRO day_us() AS 86400000000;
CREATE MACRO hold_s(us) AS greatest(0, floor_to(us, 1000000) // 1000000);
"""

ACCEPTED = """
-- Accepted events, each once: the first copy in log order. 30 days late at most,
-- 5 minutes early at most.
CREATE OR REPLACE TABLE accepted AS
SELECT
    tenant, event_id, customer_id, kind::VARCHAR AS kind, code_of(channel) AS channel,
    epoch_us(event_time) AS event_us, epoch_us(ingest_time) AS known_us,
    order_placed, cancel_requested, order_cancelled, order_kept, return_requested,
    return_received, return_inspected, refund_issued, item_exchanged, label_set,
    size_chart_viewed, checkout_abandoned, service_message, service_replied, review_posted,
    order_shipped, delivery_delayed, order_delivered, parcel_lost,
    price_changed, competitor_price_seen, offer_closed
FROM read_parquet($parquet_glob, filename = true, file_row_number = true)
WHERE epoch_us(event_time) >= epoch_us(ingest_time) - 30 * day_us()
  AND epoch_us(event_time) <= epoch_us(ingest_time) + 5 * 60 * 1000000
  AND epoch_us(coalesce(known_at, ingest_time)) <= epoch_us(ingest_time) + 5 * 60 * 1000000
QUALIFY 1 = row_number() OVER (
    PARTITION BY tenant, event_id ORDER BY ingest_time, filename, file_row_number
);
"""

# `event_key`, `member` and `vector` are made in between, from the ids and embeddings met.
EMBEDDINGS = """
SELECT DISTINCT embedding FROM (
    SELECT return_requested.reason.embedding AS embedding FROM accepted
    UNION ALL SELECT return_requested.reason.embedding FROM cases
    UNION ALL SELECT cancel_requested.reason.embedding FROM cases
) WHERE octet_length(embedding) = 64;
"""

ORDER_EVENTS = """
CREATE TABLE order_line AS
SELECT *, style <> '' AND style_lines > 1 AS is_multi_variant
FROM (
    SELECT *, count(*) OVER (PARTITION BY tenant, event_id, style) AS style_lines
    FROM (
        SELECT tenant, customer_id, event_id, event_key, event_us, known_us,
            order_placed.order_id AS order_id,
            unnest(range(len(order_placed.lines))) AS line,
            unnest(order_placed.lines, max_depth := 2)
        FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'order_placed'
    )
);

CREATE TABLE order_event AS
WITH summed AS (
    SELECT tenant, event_id, count(*) AS line_count,
        count(*) FILTER (is_multi_variant) AS multi_variant_count,
        sum(quantity::HUGEINT * unit_price_minor) AS line_value,
        sum(quantity::HUGEINT * unit_discount_minor) AS line_discount
    FROM order_line GROUP BY tenant, event_id
)
SELECT
    tenant, customer_id, event_id, event_key, event_us, known_us, channel,
    coalesce(line_count, 0) AS line_count,
    coalesce(multi_variant_count, 0) AS multi_variant_count,
    greatest(0, coalesce(line_value, 0) - order_placed.discount_minor) AS value,
    coalesce(line_discount, 0) + order_placed.discount_minor AS discount,
    order_placed.region AS region, order_placed.store_id AS store,
    order_placed.device_hash AS device, order_placed.address_hash AS address,
    order_placed.payment_token_hash AS payment_token
FROM accepted JOIN event_key USING (tenant, event_id) LEFT JOIN summed USING (tenant, event_id)
WHERE kind = 'order_placed';
"""

RETURN_EVENTS = """
-- The hold is counted from delivery, or from the order if delivery is not known.
CREATE TABLE return_event AS
WITH said AS (
    SELECT *, return_requested AS r FROM accepted JOIN event_key USING (tenant, event_id)
    WHERE kind = 'return_requested'
),
held AS (
    SELECT *, coalesce(r.delivery_time, r.order_time) AS held_from,
        CASE WHEN held_from IS NOT NULL THEN hold_s(event_us - epoch_us(held_from)) END AS hold_s
    FROM said
)
SELECT
    tenant, customer_id, event_id, event_key, event_us, known_us, channel, hold_s,
    r.quantity::HUGEINT * r.unit_price_minor AS value,
    hold_s IS NOT NULL AND r.return_window_days > 0
        AND 5 * hold_s >= 4 * r.return_window_days * 86400 AS is_late_in_window,
    code_of(r.order_channel) AS order_channel,
    channel <> 0 AND order_channel <> 0 AND channel <> order_channel AS is_cross_channel,
    NOT r.has_receipt AND r.order_id = '' AS is_no_receipt,
    r.refund_tender = 'TENDER_GIFT_CARD' AS is_gift_card,
    code_of(r.reason.code) AS reason_code,
    r.reason.embedding AS embedding,
    r.reason.embedder AS embedder,
    r.is_occasion_wear AS is_occasion,
    r.is_high_resale AS is_high_resale,
    coalesce(r.evidence.is_photo_checked, false) AS is_photo_checked,
    coalesce(r.evidence.is_video_passed, false) AS is_video_passed,
    r.evidence.is_tag_on AS is_tag_on,  -- NULL: nobody looked.
    coalesce(r.evidence.weight_g, 0) AS weight_g,
    reason_code = code_of('REASON_CODE_NOT_DELIVERED') AND r.delivery_time IS NOT NULL
        AS is_claim_after_delivery,
    r.return_id AS return_id, r.order_id AS order_id,
    r.sku AS sku, r.style AS style, r.supplier AS supplier, r.batch AS batch,
    r.store_id AS store, r.device_hash AS device, r.address_hash AS address,
    r.payment_token_hash AS payment_token
FROM held;

-- What the warehouse saw of a return.
CREATE TABLE processing_event AS
SELECT tenant, customer_id, event_id, event_key, event_us, known_us,
    return_received.return_id AS return_id, coalesce(return_received.weight_g, 0) AS weight_g,
    0 AS condition, false AS is_wrong_item, false AS is_empty_box, false AS is_inspection,
    '' AS sku, '' AS style, '' AS supplier, '' AS batch
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'return_received'
UNION ALL BY NAME
SELECT tenant, customer_id, event_id, event_key, event_us, known_us, i.return_id AS return_id,
    0 AS weight_g, code_of(i.condition) AS condition, i.is_wrong_item AS is_wrong_item,
    i.is_empty_box AS is_empty_box, true AS is_inspection,
    i.sku AS sku, i.style AS style, i.supplier AS supplier, i.batch AS batch
FROM (SELECT *, return_inspected AS i FROM accepted) JOIN event_key USING (tenant, event_id)
WHERE kind = 'return_inspected';
"""

CANCEL_EVENTS = """
-- Only the customer's own count; what the retailer cancels says nothing of the customer.
CREATE TABLE cancel_event AS
SELECT
    tenant, customer_id, event_id, event_key, event_us, known_us,
    c.quantity::HUGEINT * c.unit_price_minor AS value,
    c.initiator = 'CANCEL_INITIATOR_CUSTOMER' AS is_by_customer,
    code_of(c.reason.code) AS reason_code,
    c.stage IN ('ORDER_STAGE_SHIPPED', 'ORDER_STAGE_DELIVERED') AS is_after_shipment,
    c.sku AS sku, c.style AS style, c.supplier AS supplier, c.batch AS batch,
    c.region AS region, c.store_id AS store
FROM (SELECT *, order_cancelled AS c FROM accepted) JOIN event_key USING (tenant, event_id)
WHERE kind = 'order_cancelled';

CREATE TABLE click_event AS
SELECT tenant, customer_id, event_id, event_key, event_us, known_us
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'cancel_requested';
"""

OTHER_EVENTS = """
CREATE TABLE kept_event AS
SELECT tenant, customer_id, event_id, event_us, known_us, order_kept.is_offer_taken
FROM accepted WHERE kind = 'order_kept';

CREATE TABLE refund_event AS
SELECT tenant, customer_id, event_id, event_us, known_us,
    refund_issued.amount_minor::HUGEINT AS value,
    refund_issued.tender = 'TENDER_GIFT_CARD' AS is_gift_card,
    refund_issued.return_id = '' AS is_without_return
FROM accepted WHERE kind = 'refund_issued';

CREATE TABLE exchange_event AS
SELECT tenant, customer_id, event_id, event_us, known_us
FROM accepted WHERE kind = 'item_exchanged';

-- A label counts +1, and -1 where one of its kind is taken back.
CREATE TABLE label_event AS
SELECT tenant, customer_id, event_id, event_us, known_us,
    CASE WHEN l.is_reversal THEN -1 ELSE 1 END AS n,
    CASE WHEN l.label IN ('LABEL_KIND_ABUSE_CONFIRMED', 'LABEL_KIND_CHARGEBACK')
        THEN n ELSE 0 END AS confirmed,
    CASE WHEN l.label = 'LABEL_KIND_CHARGEBACK' THEN n ELSE 0 END AS chargeback,
    CASE WHEN l.label = 'LABEL_KIND_ABUSE_CLEARED' THEN n ELSE 0 END AS cleared,
    CASE WHEN l.label = 'LABEL_KIND_APPEAL_UPHELD' THEN n ELSE 0 END AS upheld,
    l.store_id AS store, l.device_hash AS device, l.address_hash AS address,
    l.payment_token_hash AS payment_token
FROM (SELECT *, label_set AS l FROM accepted) WHERE kind = 'label_set';
"""

STATEMENTS = (ORDER_EVENTS, RETURN_EVENTS, CANCEL_EVENTS, OTHER_EVENTS)

HISTORY_TABLES = (
    "order_event", "order_line", "return_event", "processing_event", "cancel_event",
    "click_event", "kept_event", "refund_event", "exchange_event", "label_event",
)  # fmt: skip
"""Facts of which a customer's history is made."""


def build_known(table: str) -> str:
    """Return the SQL that pairs each question with the events known at its time.

    Known means in the log by T; the case's own event is left out. A guest has no events.
    """
    return f"""
CREATE TABLE known_{table.removesuffix("_event")} AS
SELECT q.query_id, q.t, e.* EXCLUDE (tenant, customer_id, event_id, known_us)
FROM query AS q JOIN {table} AS e USING (tenant, customer_id)
WHERE q.customer_id <> '' AND e.known_us <= q.t AND e.event_id <> q.own_event_id;
"""
