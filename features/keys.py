"""Keys: how events, entities and shards are named inside.

A key is a hash of the tenant and the identifier, so two tenants never meet and
no identifier stands in a record. Event keys have 64 bits (they only need to be
unique within one shard and the dedup horizon), entity keys 128 bits: with 10^9
customers the chance of one collision is below 2e-21 (birthday bound), so a read
never returns another customer's record.
"""

from __future__ import annotations

import xxhash

N_SHARDS = 16
ENTITY_KEY_SIZE = 16

_SEPARATOR = "\x1f"


def compute_event_key(tenant: str, event_id: str) -> int:
    """Return the 64-bit key of an event; identity is (tenant, event id).

    >>> compute_event_key("demo", "e1") == compute_event_key("demo", "e1")
    True
    >>> compute_event_key("demo", "e1") == compute_event_key("other", "e1")
    False
    """
    # 0 means "no event" in records and requests.
    return xxhash.xxh3_64_intdigest(f"{tenant}{_SEPARATOR}{event_id}".encode()) or 1


def compute_entity_key(tenant: str, entity: str, entity_id: str) -> bytes:
    """Return the 16-byte store key of an entity, e.g. of a customer.

    >>> len(compute_entity_key("demo", "customer", "c1"))
    16
    """
    name = f"{tenant}{_SEPARATOR}{entity}{_SEPARATOR}{entity_id}"
    return xxhash.xxh3_128_digest(name.encode())


def compute_shard(entity_key: bytes) -> int:
    """Return the shard, 0 to 15, that owns an entity key."""
    return entity_key[0] & (N_SHARDS - 1)
