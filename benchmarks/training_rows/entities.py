"""Activity, products, places and prices: window frames over events and questions together.

A question is a row of its own among the events of its entity; the frame of a product
ends before the hour of the question.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.twin.activity import COUNTS
from benchmarks.twin.tallies import TALLIES, Tally
from benchmarks.twin.windows import WINDOWS

_HOUR_US = 3_600_000_000


def _build_frame(name: str, keys: str, end: str) -> str:
    start = "UNBOUNDED PRECEDING"
    window = WINDOWS[name]
    if window.length_h:
        length_us, hop_us = window.length_h * _HOUR_US, window.hop_h * _HOUR_US
        start = f"event_us - floor_to(event_us - {length_us}, {hop_us}) PRECEDING"
    return f"w_{name} AS (PARTITION BY {keys} ORDER BY event_us RANGE BETWEEN {start} AND {end})"


def build_activity() -> str:
    """Return the SQL of a customer's activity counts."""
    columns = [
        f"coalesce(count(*) FILTER ({is_of}) OVER w_{window}, 0) AS {name}_count_{window}"
        for name, is_of, windows in COUNTS
        for window in windows
    ]
    names = {window for _, _, windows in COUNTS for window in windows} | {"lifetime"}
    keys = "tenant, customer_id"
    frames = ",\n    ".join(_build_frame(name, keys, "CURRENT ROW") for name in sorted(names))
    closed = "result IN ('OFFER_RESULT_ACCEPTED', 'OFFER_RESULT_REFUSED', 'OFFER_RESULT_EXPIRED')"
    return f"""
CREATE TABLE family_activity AS
SELECT * EXCLUDE (tenant, customer_id) FROM (
    SELECT tenant, customer_id, query_id,
    {", ".join(columns)},
    count(*) FILTER (result = 'OFFER_RESULT_ACCEPTED') OVER w_lifetime
        / nullif(count(*) FILTER ({closed}) OVER w_lifetime, 0)::DOUBLE
        AS offer_accept_rate_lifetime,
    coalesce(sum(cost_minor) FILTER (result = 'OFFER_RESULT_ACCEPTED') OVER w_lifetime, 0)
        AS offer_cost_lifetime_minor,
    avg(waited_s) OVER w_lifetime AS service_wait_mean_lifetime_s,
    avg(stars) OVER w_lifetime AS rating_mean_lifetime,
    (event_us - max(event_us) FILTER (query_id IS NULL) OVER w_lifetime) / day_us()::DOUBLE
        AS activity_recency_lifetime_days
    FROM (
        SELECT tenant, customer_id, event_us, kind, result, cost_minor, waited_s, stars
        FROM activity_event
        UNION ALL BY NAME
        SELECT tenant, customer_id, t AS event_us, query_id FROM query WHERE customer_id <> ''
    )
    WINDOW {frames}
) WHERE query_id IS NOT NULL;
"""


def build_tally(tally: Tally) -> str:
    """Return the SQL of one entity's counts, shares and means."""
    columns = []
    for feature in tally.counted:
        count = f"coalesce(sum({feature.what}) OVER w_{feature.window}, 0)"
        if feature.of:
            count = f"{count}::DOUBLE / nullif(sum({feature.of}) OVER w_{feature.window}, 0)"
        columns.append(f"{count} AS {feature.name}")
    columns += [
        f"avg({mean.what}) OVER w_lifetime / {mean.units} AS {mean.name}" for mean in tally.means
    ]
    names = sorted({feature.window for feature in tally.counted} | {"lifetime"})
    keys = ", ".join(("tenant", *tally.keys))
    end = f"event_us - floor_to(event_us, {_HOUR_US}) + 1 PRECEDING"
    frames = ",\n    ".join(_build_frame(name, keys, end) for name in names)
    facts = {c.what for c in tally.counted} | {c.of for c in tally.counted if c.of}
    facts |= {mean.what for mean in tally.means}
    return f"""
CREATE TABLE family_{tally.entity} AS
SELECT * FROM (
    SELECT query_id, {", ".join(columns)}
    FROM (
        SELECT {keys}, event_us, {", ".join(sorted(facts))}
        FROM {tally.facts} WHERE {tally.entity} <> ''
        UNION ALL BY NAME
        SELECT {keys}, t AS event_us, query_id FROM request WHERE {tally.entity} <> ''
    )
    WINDOW {frames}
) WHERE query_id IS NOT NULL;
"""


PRICES = """
CREATE TABLE price_asked AS
SELECT query_id, tenant, sku, floor_to(t, hour_us()) AS closed_us, product_price
FROM request WHERE sku <> '' AND product_price > 0;

-- Of prices of one instant the one with the greatest key is the newest.
CREATE TABLE price_newest AS
FROM price_event QUALIFY 1 = row_number() OVER (
    PARTITION BY tenant, sku, is_competitor, event_us ORDER BY event_key DESC);

CREATE TABLE family_own_price AS
SELECT query_id, price::DOUBLE / product_price - 1 AS sku_price_change_ratio
FROM price_asked AS q ASOF JOIN (FROM price_newest WHERE NOT is_competitor) AS p
    ON q.tenant = p.tenant AND q.sku = p.sku AND q.closed_us > p.event_us;

CREATE TABLE family_competitor_price AS
SELECT query_id, price::DOUBLE / product_price - 1 AS sku_competitor_price_ratio
FROM price_asked AS q ASOF JOIN (FROM price_newest WHERE is_competitor) AS p
    ON q.tenant = p.tenant AND q.sku = p.sku AND q.closed_us > p.event_us;
"""


def iterate_statements() -> Iterator[str]:
    """Yield the SQL in an order that can be executed."""
    yield build_activity()
    yield from map(build_tally, TALLIES)
    yield PRICES
