"""Raw log to facts: which events count, and what each says.

Times are integers, microseconds UTC; values are 128-bit integers, minor units,
so that nothing rounds or overflows before the last step.
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
    )
    for name, number in enum.items()
}

MACROS = f"""
CREATE MACRO code_of(name) AS coalesce(MAP {_CODES}[name], 0);
CREATE MACRO floor_to(us, step) AS us - ((us % step) + step) % step;
CREATE MACRO day_us() AS 86400000000;
CREATE MACRO hold_s(us) AS greatest(0, floor_to(us, 1000000) // 1000000);
"""

ACCEPTED = """
-- Accepted events, each once: the first copy in log order. 30 days late at most,
-- 5 minutes early at most. Events without customer belong to no history.
CREATE TABLE accepted AS
SELECT
    tenant, event_id, customer_id, kind::VARCHAR AS kind, code_of(channel) AS channel,
    epoch_us(event_time) AS event_us, epoch_us(ingest_time) AS known_us,
    order_placed, cancel_requested, order_cancelled, order_kept, return_requested, label_set
FROM read_parquet($parquet_glob, filename = true, file_row_number = true)
WHERE epoch_us(event_time) >= epoch_us(ingest_time) - 30 * day_us()
  AND epoch_us(event_time) <= epoch_us(ingest_time) + 5 * 60 * 1000000
  AND epoch_us(coalesce(known_at, ingest_time)) <= epoch_us(ingest_time) + 5 * 60 * 1000000
  AND customer_id <> ''
QUALIFY 1 = row_number() OVER (
    PARTITION BY tenant, event_id ORDER BY ingest_time, filename, file_row_number
);
"""

# `event_key` and `vector` are made in between, from the ids and the embeddings met.
EMBEDDINGS = """
SELECT DISTINCT embedding FROM (
    SELECT return_requested.reason.embedding AS embedding FROM accepted
    UNION ALL SELECT return_requested.reason.embedding FROM cases
    UNION ALL SELECT cancel_requested.reason.embedding FROM cases
) WHERE octet_length(embedding) = 64;
"""

ORDER_EVENTS = """
CREATE TABLE order_event AS
SELECT
    tenant, customer_id, event_id, event_key, event_us, known_us, channel,
    len(order_placed.lines) AS line_count,
    greatest(0,
        list_sum([l.quantity::HUGEINT * l.unit_price_minor FOR l IN order_placed.lines])
        - order_placed.discount_minor) AS value
FROM accepted JOIN event_key USING (tenant, event_id)
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
    r.reason.embedding AS embedding
FROM held;
"""

CANCEL_EVENTS = """
-- Only the customer's own count; what the retailer cancels says nothing of the customer.
CREATE TABLE cancel_event AS
SELECT
    tenant, customer_id, event_id, event_us, known_us,
    order_cancelled.quantity::HUGEINT * order_cancelled.unit_price_minor AS value,
    order_cancelled.initiator = 'CANCEL_INITIATOR_CUSTOMER' AS is_by_customer
FROM accepted WHERE kind = 'order_cancelled';
"""

OTHER_EVENTS = f"""
CREATE TABLE click_event AS
SELECT tenant, customer_id, event_id, event_key, event_us, known_us
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'cancel_requested';

CREATE TABLE kept_event AS
SELECT tenant, customer_id, event_id, event_us, known_us, order_kept.is_offer_taken
FROM accepted WHERE kind = 'order_kept';

-- +1 for confirmed abuse or a chargeback, -1 where one is taken back.
CREATE TABLE label_event AS
SELECT tenant, customer_id, event_id, event_us, known_us,
    CASE WHEN label_set.label NOT IN (
             '{event_pb2.LabelKind.Name(event_pb2.LABEL_KIND_ABUSE_CONFIRMED)}',
             '{event_pb2.LabelKind.Name(event_pb2.LABEL_KIND_CHARGEBACK)}') THEN 0
         WHEN label_set.is_reversal THEN -1
         ELSE 1 END AS confirmed
FROM accepted WHERE kind = 'label_set';
"""

EVENT_TABLES = ("order", "return", "cancel", "click", "kept", "label")


def build_known(table: str) -> str:
    """Return the SQL that pairs each question with the events known at its time.

    Known means in the log by T; the case's own event is left out.
    """
    return f"""
CREATE TABLE known_{table} AS
SELECT q.query_id, q.t, e.* EXCLUDE (tenant, customer_id, event_id, known_us)
FROM query AS q JOIN {table}_event AS e USING (tenant, customer_id)
WHERE e.known_us <= q.t AND e.event_id <> q.own_event_id;
"""
