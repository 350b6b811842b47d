"""How a customer returns: the newest 16 returns but the case, and what surrounds them.

Tables `history_<name>` as in `history`. The rings of the definition are part of it:
16 returns, 24 reports of the warehouse, 24 order lines.
"""

from __future__ import annotations

# The case's own return is left out before the newest 16 are taken.
LAST16 = """
CREATE TABLE last16 AS
SELECT *, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC
) AS place
FROM known_return QUALIFY place <= 16;
"""

# Of one order the first eight lines at most, so that no order pushes all others out.
LAST_LINES = """
CREATE TABLE last24_line AS
SELECT query_id, order_id, style, is_multi_variant, event_us, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC, line DESC
) AS place
FROM known_order_line WHERE line < 8 QUALIFY place <= 24;
"""

LAST_PROCESSING = """
CREATE TABLE last24_processing AS
SELECT *, row_number() OVER (
    PARTITION BY query_id ORDER BY event_us DESC, event_key DESC
) AS place
FROM known_processing QUALIFY place <= 24;
"""

HOLDS = """
CREATE TABLE history_hold AS
SELECT query_id,
    first(hold_s ORDER BY place) / 86400.0::DOUBLE AS time_to_return_last_days,
    avg(hold_s) / 86400.0::DOUBLE AS time_to_return_mean_last16_days,
    CASE WHEN count(*) >= 2 THEN stddev_pop(hold_s) / 86400.0::DOUBLE END
        AS time_to_return_std_last16_days,
    count(*) FILTER (is_late_in_window)::DOUBLE / count(*) AS time_to_return_late_share_last16
FROM last16 WHERE hold_s IS NOT NULL GROUP BY query_id;
"""

HOLDS_LIFETIME = """
CREATE TABLE history_hold_lifetime AS
SELECT query_id, avg(hold_s) / 86400.0::DOUBLE AS time_to_return_mean_lifetime_days
FROM known_return WHERE hold_s IS NOT NULL GROUP BY query_id;
"""

SHARES = """
CREATE TABLE history_return_share AS
SELECT query_id,
    count(*) FILTER (is_cross_channel)::DOUBLE / count(*) AS cross_channel_return_share_last16,
    count(*) FILTER (is_occasion)::DOUBLE / count(*) AS occasion_return_share_last16,
    count(*) FILTER (is_high_resale)::DOUBLE / count(*) AS high_resale_return_share_last16,
    count(*) FILTER (is_no_receipt)::DOUBLE / count(*) AS no_receipt_return_share_last16,
    count(*) FILTER (is_photo_checked)::DOUBLE / count(*) AS photo_checked_share_last16,
    count(*) FILTER (is_video_passed)::DOUBLE / count(*) AS video_passed_share_last16,
    count(*) FILTER (is_claim_after_delivery)::DOUBLE / count(*)
        AS claim_after_delivery_share_last16
FROM last16 GROUP BY query_id;

CREATE TABLE history_tag AS
SELECT query_id, count(*) FILTER (NOT is_tag_on)::DOUBLE / count(*) AS tag_off_share_last16
FROM last16 WHERE is_tag_on IS NOT NULL GROUP BY query_id;
"""

REASON_CODES = """
CREATE TABLE history_reason_top AS
WITH counted AS (
    SELECT query_id, count(*) AS n FROM last16 WHERE reason_code <> 0
    GROUP BY query_id, reason_code
)
SELECT query_id, max(n)::DOUBLE / sum(n) AS reason_code_top_share_last16
FROM counted GROUP BY query_id;

-- Of all 16, those without a code included.
CREATE TABLE history_reason_request AS
SELECT query_id,
    count(*) FILTER (last16.reason_code = request.reason_code)::DOUBLE / count(*)
        AS request_reason_code_share_last16
FROM last16 JOIN request USING (query_id)
WHERE request.call IN (2, 3) AND request.reason_code <> 0 GROUP BY query_id;
"""

# `vector` holds no all-zero embedding: a text without letter or digit is none. Only
# embeddings of the embedder that is in force at T are compared.
SIMILARITIES = """
CREATE TABLE last16_text AS
SELECT query_id, place, vector
FROM last16 JOIN vector USING (embedding) JOIN embedder_in_force AS e USING (query_id)
WHERE last16.embedder = e.name;

CREATE TABLE history_similarity_self AS
SELECT query_id, avg(array_cosine_similarity(a.vector, b.vector)) AS reason_similarity_mean_last16
FROM last16_text AS a JOIN last16_text AS b USING (query_id)
WHERE a.place < b.place GROUP BY query_id;

CREATE TABLE history_similarity_request AS
SELECT query_id,
    avg(array_cosine_similarity(past.vector, now.vector)) AS request_reason_similarity_mean_last16,
    max(array_cosine_similarity(past.vector, now.vector)) AS request_reason_similarity_max_last16
FROM last16_text AS past JOIN request USING (query_id)
JOIN vector AS now ON now.embedding = request.embedding
JOIN embedder_in_force AS e USING (query_id)
WHERE request.call IN (2, 3) AND request.embedder = e.name
GROUP BY query_id;
"""

# An empty return id names no return.
USE = """
CREATE TABLE return_seen AS
SELECT r.query_id, r.place,
    bool_or(p.is_inspection AND p.condition >= 3) AS is_used,
    bool_or(r.weight_g > 0 AND p.weight_g > 0
        AND 5 * abs(p.weight_g::BIGINT - r.weight_g) > r.weight_g) AS is_other_weight
FROM last16 AS r JOIN last24_processing AS p USING (query_id, return_id)
WHERE r.return_id <> '' GROUP BY r.query_id, r.place;

CREATE TABLE history_use AS
SELECT query_id,
    count(*) FILTER (is_used) AS used_condition_return_count_last16,
    count(*) FILTER (is_used AND is_occasion AND is_late_in_window)
        AS wardrobing_return_count_last16,
    count(*) FILTER (is_other_weight) AS weight_mismatch_count_last16,
    count(DISTINCT store) FILTER (store <> '') AS return_store_count_last16
FROM query_number LEFT JOIN last16 USING (query_id)
LEFT JOIN return_seen USING (query_id, place) GROUP BY query_id;

CREATE TABLE history_condition AS
SELECT query_id, avg(condition) AS condition_mean_last24,
    count(*) FILTER (condition >= 3)::DOUBLE / count(*) AS used_condition_share_last24
FROM last24_processing WHERE condition > 0 GROUP BY query_id;
"""

# Bracketing: several variants of one style in one order, one of them sent back.
# Rebuying: the style is ordered again within 60 days after its return.
STYLES = """
CREATE TABLE history_bracketing AS
SELECT query_id,
    count(*) FILTER (order_id <> '' AND style <> '' AND EXISTS (
        FROM last24_line AS l
        WHERE l.query_id = r.query_id AND l.order_id = r.order_id AND l.style = r.style
            AND l.is_multi_variant
    ))::DOUBLE / count(*) AS bracketing_return_share_last16
FROM last16 AS r GROUP BY query_id;

CREATE TABLE rebuy AS
SELECT DISTINCT query_id, l.place
FROM last24_line AS l JOIN last16 AS r USING (query_id, style)
WHERE style <> '' AND l.event_us - r.event_us BETWEEN 0 AND 60 * day_us();

CREATE TABLE history_rebuy AS
SELECT query_id, count(place) AS rebuy_after_return_count_last24
FROM query_number LEFT JOIN rebuy USING (query_id) GROUP BY query_id;

CREATE TABLE history_request_style AS
SELECT query_id,
    count(r.place) AS request_style_return_count_last16
FROM request LEFT JOIN last16 AS r USING (query_id, style)
WHERE style <> '' GROUP BY query_id;

CREATE TABLE history_request_style_line AS
SELECT query_id, count(l.place) AS request_style_order_count_last24
FROM request LEFT JOIN last24_line AS l USING (query_id, style)
WHERE style <> '' GROUP BY query_id;
"""

NEWEST = (LAST16, LAST_LINES, LAST_PROCESSING)
"""What the features look at."""

FEATURES = (HOLDS, SHARES, REASON_CODES, SIMILARITIES, USE, STYLES)
"""What they make of it."""

FAMILIES = (*NEWEST, *FEATURES, HOLDS_LIFETIME)
"""In an order that can be executed."""
