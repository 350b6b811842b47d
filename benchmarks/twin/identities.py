"""Devices, addresses and payment tokens that several customers share.

Of one identity the 16 customers with the least member hashes count; the asking one is
left out of all but the saturation. Tables `family_<name>` as in `activity`: missing if
the request does not name the identity.
"""

from __future__ import annotations

from collections.abc import Iterator

IDENTITIES = ("device", "address", "payment_token")

FACTS = """
CREATE TABLE identity_fact AS
SELECT tenant, customer_id, device, address, payment_token, event_us, known_us,
    1 AS orders, 0 AS returns, 0 AS confirmed FROM order_event
UNION ALL
SELECT tenant, customer_id, device, address, payment_token, event_us, known_us,
    0, 1, 0 FROM return_event
UNION ALL
SELECT tenant, customer_id, device, address, payment_token, event_us, known_us,
    0, 0, confirmed FROM label_event;
"""


def build_members(identity: str) -> str:
    """Return the SQL of one identity's features."""
    return f"""
CREATE TABLE family_{identity} AS
WITH met AS (
    SELECT query_id, q.customer_id AS asking_id, f.customer_id, min(f.event_us) AS first_us,
        sum(orders) AS orders, sum(returns) AS returns, sum(confirmed) AS confirmed
    FROM request AS q JOIN identity_fact AS f USING (tenant, {identity})
    WHERE q.{identity} <> '' AND f.customer_id <> '' AND f.known_us <= q.t
    GROUP BY query_id, q.tenant, q.customer_id, f.customer_id
),
placed AS (
    SELECT met.*, row_number() OVER (PARTITION BY query_id ORDER BY member) AS place
    FROM met JOIN query USING (query_id)
    JOIN member ON member.tenant = query.tenant AND member.customer_id = met.customer_id
),
other AS (FROM placed WHERE place <= 16 AND customer_id <> asking_id),
size AS (SELECT query_id, max(place) AS n FROM placed GROUP BY query_id)
SELECT query_id,
    count(o.place) AS {identity}_other_customer_count_lifetime,
    count(*) FILTER (o.first_us >= floor_to(t - 7 * day_us(), day_us()))
        AS {identity}_new_customer_count_7d,
    coalesce(sum(o.orders), 0) AS {identity}_other_order_count_lifetime,
    coalesce(sum(o.returns), 0) AS {identity}_other_return_count_lifetime,
    coalesce(sum(o.confirmed), 0) AS {identity}_other_abuse_count_lifetime,
    coalesce(any_value(n) > 16, false)::INT AS {identity}_is_saturated
FROM request LEFT JOIN other AS o USING (query_id) LEFT JOIN size USING (query_id)
WHERE {identity} <> '' GROUP BY query_id;
"""


def iterate_families() -> Iterator[str]:
    """Yield the SQL of all families in an order that can be executed."""
    yield FACTS
    yield from map(build_members, IDENTITIES)
