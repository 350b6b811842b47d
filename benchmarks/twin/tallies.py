"""Products, regions and stores: how often things happened with them, to whomever.

All of them count closed hours only: events before floor(T, 1 h), in every window and
for life. So a case never counts itself, published or not. Tables `family_<name>`
as in `activity`: missing if the request does not name the entity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.twin.windows import WINDOWS

PRODUCT_FACTS = """
CREATE TABLE product_fact AS
SELECT tenant, sku, style, supplier, batch, event_us, known_us, 1 AS order_line
FROM order_line
UNION ALL BY NAME
SELECT tenant, sku, style, supplier, batch, event_us, known_us, 1 AS cancel
FROM cancel_event WHERE is_by_customer
UNION ALL BY NAME
SELECT tenant, sku, style, supplier, batch, event_us, known_us, 1 AS return,
    reason_code = code_of('REASON_CODE_SIZE_TOO_SMALL') AS is_size_small,
    reason_code = code_of('REASON_CODE_SIZE_TOO_LARGE') AS is_size_large,
    is_size_large::INT - is_size_small::INT AS size_bias,
    reason_code IN (code_of('REASON_CODE_QUALITY_DEFECT'),
                    code_of('REASON_CODE_DAMAGED_IN_TRANSIT')) AS is_defect,
    reason_code IN (code_of('REASON_CODE_NOT_AS_DESCRIBED'),
                    code_of('REASON_CODE_WRONG_ITEM')) AS is_mismatch
FROM return_event
UNION ALL BY NAME
SELECT tenant, sku, style, supplier, batch, event_us, known_us, 1 AS inspection,
    condition >= 3 AS is_bad_condition
FROM processing_event WHERE is_inspection
UNION ALL BY NAME
SELECT tenant, review_posted.sku AS sku, review_posted.style AS style, '' AS supplier,
    '' AS batch, event_us, known_us, nullif(review_posted.rating, 0) AS stars
FROM accepted WHERE kind = 'review_posted';
"""

PLACE_FACTS = """
CREATE TABLE region_fact AS
SELECT tenant, region, event_us, known_us, 1 AS orders FROM order_event
UNION ALL BY NAME
SELECT tenant, region, event_us, known_us, 1 AS cancel FROM cancel_event WHERE is_by_customer
UNION ALL BY NAME
SELECT tenant, order_shipped.region AS region, event_us, known_us, 1 AS shipped
FROM accepted WHERE kind = 'order_shipped'
UNION ALL BY NAME
SELECT tenant, delivery_delayed.region AS region, event_us, known_us, 1 AS delayed,
    delivery_delayed.delay_s AS delay_s
FROM accepted WHERE kind = 'delivery_delayed'
UNION ALL BY NAME
SELECT tenant, parcel_lost.region AS region, event_us, known_us, 1 AS lost
FROM accepted WHERE kind = 'parcel_lost';

CREATE TABLE store_fact AS
SELECT tenant, store, event_us, known_us, 1 AS orders FROM order_event
UNION ALL BY NAME
SELECT tenant, store, event_us, known_us, 1 AS return, is_no_receipt, is_gift_card
FROM return_event
UNION ALL BY NAME
SELECT tenant, store, event_us, known_us, confirmed FROM label_event;
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """The features of one entity.

    Attributes:
        entity: Its column in `request` and, with `facts`, its name.
        facts: The table of what happened.
        keys: Columns that name it beside the tenant.
        features: Name and SQL; `{window:...}` counts what lies in that window.
    """

    entity: str
    facts: str
    keys: tuple[str, ...]
    features: Sequence[tuple[str, str]]


def _count(what: str, window: str) -> str:
    is_in = WINDOWS[window].contains("f.event_us", "q.t")
    return f"coalesce(sum(f.{what}) FILTER ({is_in}), 0)"


def _rate(what: str, of: str, window: str) -> str:
    """Return the SQL of a ratio; missing if there is nothing to divide by."""
    of_count = _count(of, window)
    return f"CASE WHEN {of_count} > 0 THEN {_count(what, window)}::DOUBLE / {of_count} END"


TALLIES = (
    Tally("sku", "product_fact", ("sku",), (
        ("sku_return_rate_30d", _rate("return", "order_line", "30d")),
        ("sku_return_rate_365d", _rate("return", "order_line", "365d")),
        ("sku_cancel_rate_30d", _rate("cancel", "order_line", "30d")),
        ("sku_return_count_24h", _count("return", "24h")),
    )),
    Tally("style", "product_fact", ("style",), (
        ("style_return_rate_30d", _rate("return", "order_line", "30d")),
        ("style_return_rate_90d", _rate("return", "order_line", "90d")),
        ("style_return_rate_365d", _rate("return", "order_line", "365d")),
        ("style_cancel_rate_90d", _rate("cancel", "order_line", "90d")),
        ("style_order_line_count_90d", _count("order_line", "90d")),
        ("style_size_small_share_365d", _rate("is_size_small", "return", "365d")),
        ("style_size_large_share_365d", _rate("is_size_large", "return", "365d")),
        ("style_size_bias_365d", _rate("size_bias", "return", "365d")),
        ("style_defect_share_90d", _rate("is_defect", "return", "90d")),
        ("style_mismatch_share_90d", _rate("is_mismatch", "return", "90d")),
        ("style_bad_condition_share_365d", _rate("is_bad_condition", "inspection", "365d")),
        ("style_rating_mean_lifetime", "avg(f.stars)"),
    )),
    Tally("supplier", "product_fact", ("supplier",), (
        ("supplier_return_rate_90d", _rate("return", "order_line", "90d")),
        ("supplier_defect_share_90d", _rate("is_defect", "return", "90d")),
        ("supplier_bad_condition_share_365d", _rate("is_bad_condition", "inspection", "365d")),
    )),
    Tally("batch", "product_fact", ("batch", "supplier"), (
        ("batch_return_rate_90d", _rate("return", "order_line", "90d")),
        ("batch_defect_share_90d", _rate("is_defect", "return", "90d")),
        ("batch_order_line_count_lifetime", _count("order_line", "lifetime")),
        ("batch_return_count_7d", _count("return", "7d")),
    )),
    Tally("region", "region_fact", ("region",), (
        ("region_delay_rate_7d", _rate("delayed", "shipped", "7d")),
        ("region_delay_rate_30d", _rate("delayed", "shipped", "30d")),
        ("region_loss_rate_30d", _rate("lost", "shipped", "30d")),
        ("region_loss_rate_365d", _rate("lost", "shipped", "365d")),
        ("region_cancel_rate_30d", _rate("cancel", "orders", "30d")),
        ("region_delay_mean_lifetime_hours", "avg(f.delay_s) / 3600.0::DOUBLE"),
        ("region_shipped_count_30d", _count("shipped", "30d")),
    )),
    Tally("store", "store_fact", ("store",), (
        ("store_return_count_24h", _count("return", "24h")),
        ("store_return_rate_30d", _rate("return", "orders", "30d")),
        ("store_no_receipt_share_30d", _rate("is_no_receipt", "return", "30d")),
        ("store_gift_card_share_30d", _rate("is_gift_card", "return", "30d")),
        ("store_abuse_share_365d", _rate("confirmed", "return", "365d")),
    )),
)  # fmt: skip


def build_tally(tally: Tally) -> str:
    """Return the SQL of one entity's features: every event of it, counted per question."""
    columns = ",\n    ".join(f"{sql} AS {name}" for name, sql in tally.features)
    is_same = " AND ".join(f"f.{key} = q.{key}" for key in ("tenant", *tally.keys))
    return f"""
CREATE TABLE family_{tally.entity} AS
SELECT q.query_id,
    {columns}
FROM request AS q LEFT JOIN {tally.facts} AS f
    ON {is_same} AND f.known_us <= q.t AND f.event_us < floor_to(q.t, hour_us())
WHERE q.{tally.entity} <> '' GROUP BY q.query_id;
"""


PRICES = """
CREATE TABLE price_event AS
SELECT tenant, price_changed.sku AS sku, event_key, event_us, known_us,
    price_changed.unit_price_minor AS price, false AS is_competitor
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'price_changed'
UNION ALL
SELECT tenant, competitor_price_seen.sku, event_key, event_us, known_us,
    competitor_price_seen.unit_price_minor, true
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'competitor_price_seen';

CREATE TABLE family_price AS
WITH newest AS (
    SELECT query_id,
        first(price ORDER BY event_us DESC, event_key DESC) FILTER (NOT is_competitor) AS own,
        first(price ORDER BY event_us DESC, event_key DESC) FILTER (is_competitor) AS competitor
    FROM request AS q JOIN price_event AS p USING (tenant, sku)
    WHERE q.sku <> '' AND p.known_us <= q.t AND p.event_us < floor_to(q.t, hour_us())
    GROUP BY query_id
)
SELECT query_id,
    own::DOUBLE / product_price - 1 AS sku_price_change_ratio,
    competitor::DOUBLE / product_price - 1 AS sku_competitor_price_ratio
FROM newest JOIN request USING (query_id) WHERE product_price > 0;
"""


def iterate_families() -> Iterator[str]:
    """Yield the SQL of all families in an order that can be executed."""
    yield PRODUCT_FACTS
    yield PLACE_FACTS
    yield from map(build_tally, TALLIES)
    yield PRICES
