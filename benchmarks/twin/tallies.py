"""Products, regions and stores: how often things happened with them, to whomever.

All of them count closed hours only: events before floor(T, 1 h), in every window and
for life. So a case never counts itself, published or not. Tables `family_<name>`
as in `activity`: missing if the request does not name the entity.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    nullif(delivery_delayed.delay_s, 0) AS delay_s  -- 0: not said.
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
class Counted:
    """One feature: how often something happened, or its share in how often another did.

    Attributes:
        name: The feature.
        window: Name of its window.
        what: Column of the facts that is summed.
        of: Column that it is divided by; empty: it is a count.
    """

    name: str
    window: str
    what: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Mean:
    """One feature: the mean of a column for life, over a number of its units."""

    name: str
    what: str
    units: float = 1.0


@dataclass(frozen=True, slots=True)
class Tally:
    """The features of one entity.

    Attributes:
        entity: Its column in `request`, and its name.
        facts: The table of what happened.
        keys: Columns that name it beside the tenant.
        counted: Its counts and shares.
        means: Its means.
    """

    entity: str
    facts: str
    keys: tuple[str, ...]
    counted: tuple[Counted, ...]
    means: tuple[Mean, ...] = ()


TALLIES = (
    Tally("sku", "product_fact", ("sku",), (
        Counted("sku_return_rate_30d", "30d", "return", "order_line"),
        Counted("sku_return_rate_365d", "365d", "return", "order_line"),
        Counted("sku_cancel_rate_30d", "30d", "cancel", "order_line"),
        Counted("sku_return_count_24h", "24h", "return"),
    )),
    Tally("style", "product_fact", ("style",), (
        Counted("style_return_rate_30d", "30d", "return", "order_line"),
        Counted("style_return_rate_90d", "90d", "return", "order_line"),
        Counted("style_return_rate_365d", "365d", "return", "order_line"),
        Counted("style_cancel_rate_90d", "90d", "cancel", "order_line"),
        Counted("style_order_line_count_90d", "90d", "order_line"),
        Counted("style_size_small_share_365d", "365d", "is_size_small", "return"),
        Counted("style_size_large_share_365d", "365d", "is_size_large", "return"),
        Counted("style_size_bias_365d", "365d", "size_bias", "return"),
        Counted("style_defect_share_90d", "90d", "is_defect", "return"),
        Counted("style_mismatch_share_90d", "90d", "is_mismatch", "return"),
        Counted("style_bad_condition_share_365d", "365d", "is_bad_condition", "inspection"),
    ), (Mean("style_rating_mean_lifetime", "stars"),)),
    Tally("supplier", "product_fact", ("supplier",), (
        Counted("supplier_return_rate_90d", "90d", "return", "order_line"),
        Counted("supplier_defect_share_90d", "90d", "is_defect", "return"),
        Counted("supplier_bad_condition_share_365d", "365d", "is_bad_condition", "inspection"),
    )),
    Tally("batch", "product_fact", ("batch", "supplier"), (
        Counted("batch_return_rate_90d", "90d", "return", "order_line"),
        Counted("batch_defect_share_90d", "90d", "is_defect", "return"),
        Counted("batch_order_line_count_lifetime", "lifetime", "order_line"),
        Counted("batch_return_count_7d", "7d", "return"),
    )),
    Tally("region", "region_fact", ("region",), (
        Counted("region_delay_rate_7d", "7d", "delayed", "shipped"),
        Counted("region_delay_rate_30d", "30d", "delayed", "shipped"),
        Counted("region_loss_rate_30d", "30d", "lost", "shipped"),
        Counted("region_loss_rate_365d", "365d", "lost", "shipped"),
        Counted("region_cancel_rate_30d", "30d", "cancel", "orders"),
        Counted("region_shipped_count_30d", "30d", "shipped"),
    ), (Mean("region_delay_mean_lifetime_hours", "delay_s", 3_600.0),)),
    Tally("store", "store_fact", ("store",), (
        Counted("store_return_count_24h", "24h", "return"),
        Counted("store_return_rate_30d", "30d", "return", "orders"),
        Counted("store_no_receipt_share_30d", "30d", "is_no_receipt", "return"),
        Counted("store_gift_card_share_30d", "30d", "is_gift_card", "return"),
        Counted("store_abuse_share_365d", "365d", "confirmed", "return"),
    )),
)  # fmt: skip


def _count(what: str, window: str) -> str:
    is_in = WINDOWS[window].contains("f.event_us", "q.t")
    return f"coalesce(sum(f.{what}) FILTER ({is_in}), 0)"


def _build_column(feature: Counted) -> str:
    """Return the SQL of one column; a share is missing if there is nothing to divide by."""
    count = _count(feature.what, feature.window)
    if not feature.of:
        return f"{count} AS {feature.name}"
    of_count = _count(feature.of, feature.window)
    return f"CASE WHEN {of_count} > 0 THEN {count}::DOUBLE / {of_count} END AS {feature.name}"


def build_tally(tally: Tally) -> str:
    """Return the SQL of one entity's features: every event of it, counted per question."""
    columns = [_build_column(feature) for feature in tally.counted]
    columns += [f"avg(f.{mean.what}) / {mean.units} AS {mean.name}" for mean in tally.means]
    selected = ",\n    ".join(columns)
    is_same = " AND ".join(f"f.{key} = q.{key}" for key in ("tenant", *tally.keys))
    return f"""
CREATE TABLE family_{tally.entity} AS
SELECT q.query_id,
    {selected}
FROM request AS q LEFT JOIN {tally.facts} AS f
    ON {is_same} AND f.known_us <= q.t AND f.event_us < floor_to(q.t, hour_us())
WHERE q.{tally.entity} <> '' GROUP BY q.query_id;
"""


PRICE_FACTS = """
CREATE TABLE price_event AS
SELECT tenant, price_changed.sku AS sku, event_key, event_us, known_us,
    price_changed.unit_price_minor AS price, false AS is_competitor
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'price_changed'
UNION ALL
SELECT tenant, competitor_price_seen.sku, event_key, event_us, known_us,
    competitor_price_seen.unit_price_minor, true
FROM accepted JOIN event_key USING (tenant, event_id) WHERE kind = 'competitor_price_seen';
"""

PRICES = """
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
    yield PRICE_FACTS
    yield PRICES
