"""Request features: what the case itself says. NULL is missing."""

from __future__ import annotations

CASE_LINES = """
CREATE TABLE case_line AS
SELECT case_row, line, quantity::HUGEINT AS quantity, unit_price_minor AS unit_price,
    unit_discount_minor AS unit_discount, sku, style, supplier, batch
FROM (
    SELECT case_row, unnest(range(len(order_placed.lines))) AS line,
        unnest(order_placed.lines, max_depth := 2)
    FROM cases WHERE kind = 'order_placed'
);

-- The product of an order is that of its dearest line, the first of equals.
CREATE TABLE case_dearest AS
SELECT case_row, sku, style, supplier, batch, unit_price AS product_price
FROM case_line QUALIFY 1 = row_number() OVER (
    PARTITION BY case_row ORDER BY quantity * unit_price DESC, line
);

CREATE TABLE case_order AS
SELECT case_row, code_of(channel) AS channel, o.gift_card_minor AS gift_card,
    epoch_us(o.promised_delivery_time) AS promised_us, code_of(o.tender) AS tender,
    n.* EXCLUDE (case_row, line_value, line_discount),
    greatest(0, line_value - o.discount_minor) AS order_value,
    line_discount + o.discount_minor AS discount,
    o.region AS region, o.store_id AS store, o.device_hash AS device, o.address_hash AS address,
    o.payment_token_hash AS payment_token
FROM (SELECT *, order_placed AS o FROM cases WHERE kind = 'order_placed')
JOIN (
    SELECT case_row, count(*) AS line_count, sum(quantity) AS quantity,
        max(unit_price) AS unit_price, sum(quantity * unit_price) AS line_value,
        sum(quantity * unit_discount) AS line_discount,
        count(*) FILTER (style <> '' AND style_lines > 1) AS multi_variant_lines
    FROM (SELECT *, count(*) OVER (PARTITION BY case_row, style) AS style_lines FROM case_line)
    GROUP BY case_row
) AS n USING (case_row);
"""

REQUESTS = """
CREATE TABLE request AS
WITH asked AS (SELECT query_id, tenant, customer_id, t, call, case_row, line FROM query)

SELECT asked.* EXCLUDE (case_row, line), o.* EXCLUDE (case_row), order_value AS value,
    d.* EXCLUDE (case_row), gift_card > 0 OR tender = code_of('TENDER_GIFT_CARD') AS is_gift_card
FROM asked JOIN case_order AS o USING (case_row) JOIN case_dearest AS d USING (case_row)
WHERE call = 1

UNION ALL BY NAME
-- An order line is asked about with its order's facts.
SELECT asked.* EXCLUDE (case_row, line), o.* EXCLUDE (case_row, quantity, unit_price),
    l.quantity, l.unit_price, l.quantity * l.unit_price AS value,
    l.sku, l.style, l.supplier, l.batch, l.unit_price AS product_price,
    gift_card > 0 OR tender = code_of('TENDER_GIFT_CARD') AS is_gift_card
FROM asked JOIN case_order AS o USING (case_row)
JOIN case_line AS l USING (case_row, line) WHERE call = 4

UNION ALL BY NAME
SELECT asked.* EXCLUDE (case_row, line), code_of(channel) AS channel,
    c.quantity::HUGEINT AS quantity, c.unit_price_minor AS unit_price,
    quantity * unit_price AS value, code_of(c.order_channel) AS order_channel,
    epoch_us(c.order_time) AS order_us, code_of(c.stage) AS stage, c.delay_s AS delay_s,
    code_of(c.reason.code) AS reason_code, c.reason.embedding AS embedding,
    c.reason.embedder AS embedder,
    c.sku AS sku, c.style AS style, c.supplier AS supplier, c.batch AS batch,
    unit_price AS product_price, c.region AS region, c.store_id AS store,
    c.device_hash AS device, c.address_hash AS address, c.payment_token_hash AS payment_token
FROM asked JOIN (SELECT *, cancel_requested AS c FROM cases) USING (case_row) WHERE call = 2

UNION ALL BY NAME
SELECT asked.* EXCLUDE (case_row, line), code_of(channel) AS channel,
    r.quantity::HUGEINT AS quantity, r.unit_price_minor AS unit_price,
    quantity * unit_price AS value, code_of(r.order_channel) AS order_channel,
    epoch_us(r.order_time) AS order_us, epoch_us(r.delivery_time) AS delivery_us,
    code_of(r.refund_tender) AS tender, r.return_window_days AS window_days,
    code_of(r.reason.code) AS reason_code, r.reason.embedding AS embedding,
    r.reason.embedder AS embedder,
    r.has_receipt AS has_receipt, r.order_id <> '' AS has_order,
    r.evidence.is_tag_on AS is_tag_on,
    coalesce(r.evidence.is_photo_checked, false) AS is_photo_checked,
    coalesce(r.evidence.is_video_passed, false) AS is_video_passed,
    r.refund_tender = 'TENDER_GIFT_CARD' AS is_gift_card,
    r.sku AS sku, r.style AS style, r.supplier AS supplier, r.batch AS batch,
    unit_price AS product_price, r.store_id AS store,
    r.device_hash AS device, r.address_hash AS address, r.payment_token_hash AS payment_token
FROM asked JOIN (SELECT *, return_requested AS r FROM cases) USING (case_row) WHERE call = 3;

-- The embedder whose vectors are compared at T: the last one to come into force.
CREATE TABLE embedder_in_force AS
SELECT query_id, arg_max(name, since_us) AS name
FROM query JOIN embedder ON embedder.since_us <= t GROUP BY query_id;
"""

# What a call does not know is NULL in `request`, so each feature is missing where it
# does not apply (`greatest` skips NULL, hence the CASEs). 1970-01-01 was a Thursday,
# day 3 of a week that starts on Monday.
FEATURES = """
CREATE TABLE family_request AS
WITH held AS (
    SELECT *,
        coalesce(delivery_us, order_us) AS held_from_us,
        CASE WHEN call = 3 AND held_from_us IS NOT NULL
            THEN hold_s(t - held_from_us) / 86400.0::DOUBLE END AS hold_days
    FROM request
)
SELECT query_id,
    value AS request_value_minor,
    quantity AS request_quantity,
    unit_price AS request_unit_price_minor,
    line_count AS request_line_count,
    multi_variant_lines::DOUBLE / line_count AS request_multi_variant_share,
    CASE WHEN call = 4 AND order_value > 0 THEN value::DOUBLE / order_value END
        AS request_order_value_share,
    CASE WHEN order_value + discount > 0 THEN discount::DOUBLE / (order_value + discount) END
        AS request_discount_share,
    CASE WHEN order_value > 0 THEN gift_card::DOUBLE / order_value END AS request_gift_card_share,
    (promised_us - t) / day_us()::DOUBLE AS request_promised_lead_days,
    (t // hour_us()) % 24 AS request_hour_of_day,
    (t // day_us() + 3) % 7 AS request_day_of_week,
    channel AS request_channel,
    nullif(order_channel, 0) AS request_order_channel,
    CASE WHEN order_channel <> 0 AND channel <> 0 THEN channel <> order_channel END
        AS request_is_cross_channel,
    nullif(tender, 0) AS request_tender,
    nullif(reason_code, 0) AS request_reason_code,
    CASE WHEN call IN (2, 3) THEN embedding IN (SELECT embedding FROM vector) IS TRUE END
        AS request_has_reason_text,
    nullif(stage, 0) AS request_stage,
    delay_s / 3600.0::DOUBLE AS request_delay_hours,
    CASE WHEN order_us IS NOT NULL THEN greatest(0, t - order_us) / day_us()::DOUBLE END
        AS request_order_age_days,
    hold_days AS request_hold_days,
    CASE WHEN window_days > 0 THEN hold_days / window_days END AS request_window_used_share,
    has_receipt AS request_has_receipt,
    has_order AS request_has_order,
    is_tag_on AS request_is_tag_on,
    is_photo_checked AS request_is_photo_checked,
    is_video_passed AS request_is_video_passed,
    is_gift_card AS request_is_gift_card
FROM held;
"""

STATEMENTS = (CASE_LINES, REQUESTS, FEATURES)
