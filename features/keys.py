"""Keys: how events, entities and shards are named inside.

A key is a hash of the tenant's hash and the identifier's hash, so two tenants
never meet and no identifier stands in a record. Event keys have 64 bits (they
only need to be unique within the dedup horizon), entity keys 128 bits: with 10^9
customers the chance of one collision is below 2e-21 (birthday bound), so a read
never returns another customer's record.

The compiled forms (`mix_*`) take hashes that a decoder has made already; the
Python forms take strings and give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numba
import numpy as np

from features.compiled import compiled, int64_1d, uint64_2d, welded
from features.entities import N_ENTITIES, Entity
from features.hashing import (
    Hash,
    hash_bytes,
    hash_numbered,
    hash_pair,
    hash_span,
    to_bytes_array,
    uint8_1d_readonly,
)

N_SHARDS = 16
ENTITY_KEY_SIZE = 16

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_BATCH = int(Entity.BATCH)
_STYLE = int(Entity.STYLE)
_SUPPLIER = int(Entity.SUPPLIER)


@welded
def mix_entity_key(tenant_h1: Any, tenant_h2: Any, entity: Any, id_h1: Any, id_h2: Any) -> Any:
    """Return the halves of an entity's key; a key's bytes are both, little-endian."""
    return hash_numbered(tenant_h1, tenant_h2, np.uint64(entity), id_h1, id_h2)


@welded
def mix_batch_id(supplier_h1: Any, supplier_h2: Any, batch_h1: Any, batch_h2: Any) -> Any:
    """Return what takes the place of a batch's id hash: batches are numbered per supplier."""
    return hash_pair(supplier_h1, supplier_h2, batch_h1, batch_h2)


@welded
def mix_event_key(tenant_h1: Any, tenant_h2: Any, event_h1: Any, event_h2: Any) -> Any:
    """Return an event's key; never 0, which means "no event" in records and requests."""
    h1, _ = hash_pair(tenant_h1, tenant_h2, event_h1, event_h2)
    return _ONE if h1 == _ZERO else h1


@welded
def mix_link(tenant_h1: Any, tenant_h2: Any, id_h1: Any, id_h2: Any) -> Any:
    """Return the link of an id (order, return, style, store); 0 if and only if the id is empty."""
    if id_h1 == _ZERO and id_h2 == _ZERO:
        return _ZERO
    h1, _ = hash_pair(tenant_h1, tenant_h2, id_h1, id_h2)
    return _ONE if h1 == _ZERO else h1


@compiled(numba.void(uint8_1d_readonly, int64_1d, uint64_2d, uint64_2d))
def _compute_case_names(names: Any, ends: Any, keys: Any, others: Any) -> None:
    """Write all keys, and (event key, style link) of each case.

    The names stand end to end: the tenant's, the event's, then each case's ids.
    """
    tenant_h1, tenant_h2 = hash_span(names, 0, ends[0])
    event_h1, event_h2 = hash_span(names, ends[0], ends[1])
    event_key = mix_event_key(tenant_h1, tenant_h2, event_h1, event_h2)
    for case in range(len(others)):
        first = 1 + case * N_ENTITIES
        supplier_h1, supplier_h2 = _ZERO, _ZERO
        others[case, 0] = event_key
        for entity in range(N_ENTITIES):
            h1, h2 = hash_span(names, ends[first + entity], ends[first + entity + 1])
            if entity == _STYLE:
                others[case, 1] = mix_link(tenant_h1, tenant_h2, h1, h2)
            elif entity == _SUPPLIER:
                supplier_h1, supplier_h2 = h1, h2
            elif entity == _BATCH:
                h1, h2 = mix_batch_id(supplier_h1, supplier_h2, h1, h2)
            key_h1, key_h2 = mix_entity_key(tenant_h1, tenant_h2, entity, h1, h2)
            keys[first - 1 + entity, 0] = key_h1
            keys[first - 1 + entity, 1] = key_h2


@dataclass(frozen=True, slots=True)
class CaseNames:
    """What some cases of one event are called inside.

    Attributes:
        entity_keys: `N_ENTITIES` keys of 16 bytes per case, in the order of the cases;
            where an id is empty, the key means nothing.
        event_key: Of the event that tells them.
        style_links: One per case.
    """

    entity_keys: list[bytes]
    event_key: int
    style_links: list[int]


def compute_case_names(tenant: str, event_id: str, ids: Sequence[str]) -> CaseNames:
    """Return all keys and links of some cases (an order and its lines) in one compiled call.

    Args:
        tenant: The retailer.
        event_id: The event that tells them.
        ids: Per case one per `Entity`, in its order; empty where the case names none.
            The batch is the supplier's at its place.

    >>> names = compute_case_names("demo", "e1", ["c1", "c1", "sku1"] + [""] * 8)
    >>> names.entity_keys[2] == compute_entity_key("demo", Entity.SKU, "sku1")
    True
    """
    n_cases, rest = divmod(len(ids), N_ENTITIES)
    if rest:
        raise ValueError(f"{len(ids)} ids, expected {N_ENTITIES} per case")
    names = [name.encode() for name in (tenant, event_id, *ids)]
    ends = np.array(list(accumulate(map(len, names))), np.int64)
    keys = np.empty((len(ids), 2), np.uint64)
    others = np.empty((n_cases, 2), np.uint64)
    _compute_case_names(to_bytes_array(b"".join(names)), ends, keys, others)
    content = keys.tobytes()
    size = ENTITY_KEY_SIZE
    return CaseNames(
        entity_keys=[content[at : at + size] for at in range(0, len(content), size)],
        event_key=int(others[0, 0]),
        style_links=others[:, 1].tolist(),
    )


def compute_event_key(tenant: str, event_id: str) -> int:
    """Return the 64-bit key of an event; identity is (tenant, event id).

    >>> compute_event_key("demo", "e1") == compute_event_key("demo", "e1")
    True
    >>> compute_event_key("demo", "e1") == compute_event_key("other", "e1")
    False
    """
    return _hash_words(*hash_bytes(tenant.encode()), *hash_bytes(event_id.encode()))[0] or 1


def compute_entity_key(tenant: str, entity: Entity, entity_id: str) -> bytes:
    """Return the 16-byte store key of an entity; of a batch, use `compute_batch_key`.

    >>> len(compute_entity_key("demo", Entity.CUSTOMER, "c1"))
    16
    """
    if entity is Entity.BATCH:
        raise ValueError("a batch is named by supplier and batch: use compute_batch_key")
    return _compute_key(tenant, entity, hash_bytes(entity_id.encode()))


def compute_batch_key(tenant: str, supplier: str, batch: str) -> bytes:
    """Return the 16-byte store key of a supplier's production batch; the supplier may be empty."""
    names = *hash_bytes(supplier.encode()), *hash_bytes(batch.encode())
    return _compute_key(tenant, Entity.BATCH, _hash_words(*names))


def compute_link(tenant: str, name: str) -> int:
    """Return the 64-bit link of an order, return, style or store id; 0 if it is empty.

    >>> compute_link("demo", "")
    0
    """
    if not name:
        return 0
    return _hash_words(*hash_bytes(tenant.encode()), *hash_bytes(name.encode()))[0] or 1


def compute_member(customer_key: bytes) -> int:
    """Return what a customer is in the record of a shared identity: half of their key."""
    return int.from_bytes(customer_key[:8], "little")


def compute_shard(entity_key: bytes) -> int:
    """Return the shard, 0 to 15, that owns an entity key."""
    return entity_key[0] & (N_SHARDS - 1)


def _compute_key(tenant: str, entity: Entity, name: Hash) -> bytes:
    halves = _hash_words(*hash_bytes(tenant.encode()), int(entity), *name)
    return b"".join(half.to_bytes(8, "little") for half in halves)


def _hash_words(*words: int) -> Hash:
    return hash_bytes(b"".join(word.to_bytes(8, "little") for word in words))
