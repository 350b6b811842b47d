"""Keys of whole columns: which partition, entity and event a row belongs to.

A customer's id is hashed once per batch, an event's id once per row; both equal
the scalar functions of `features.keys` (tested).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from features.keys import ENTITY_KEY_SIZE

_SEPARATOR = b"\x1f"
CUSTOMER = "customer"
"""Name of the customer entity in entity keys."""


def compute_event_keys(tenants: pa.Array, event_ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Return `keys.compute_event_key` of each row, shape `(n,)`."""
    names = pc.binary_join_element_wise(
        tenants.cast(pa.binary()), event_ids.cast(pa.binary()), pa.scalar(_SEPARATOR, pa.binary())
    )
    hash_name = xxhash.xxh3_64_intdigest
    keys = np.fromiter((hash_name(name) for name in names.to_pylist()), np.uint64, len(names))
    keys[keys == 0] = 1
    return keys


def compute_entity_keys(tenants: pa.Array, entity: str, ids: pa.Array) -> npt.NDArray[np.uint8]:
    """Return `keys.compute_entity_key` of each row, shape `(n, 16)`.

    Rows without an id get the key of the empty id; the caller knows better than to use it.
    """
    if not len(ids):
        return np.zeros((0, ENTITY_KEY_SIZE), np.uint8)
    names = pc.binary_join_element_wise(
        tenants.cast(pa.binary()),
        pa.scalar(entity.encode(), pa.binary()),
        ids.cast(pa.binary()),
        pa.scalar(_SEPARATOR, pa.binary()),
    ).dictionary_encode()
    digest = xxhash.xxh3_128_digest
    joined = b"".join([digest(name) for name in names.dictionary.to_pylist()])
    unique = np.frombuffer(joined, np.uint8).reshape(-1, ENTITY_KEY_SIZE)
    keys: npt.NDArray[np.uint8] = unique[names.indices.to_numpy()]
    return keys


def compute_partitions(batch: pa.RecordBatch, n_partitions: int) -> npt.NDArray[np.int64]:
    """Return each row's partition, shape `(n,)`.

    A customer's rows share a partition: the first byte of the entity key, modulo
    the number of partitions. Rows without customer go by the event key's low byte.
    """
    tenants, customers = batch.column("tenant"), batch.column("customer_id")
    keys = compute_entity_keys(tenants, CUSTOMER, customers)[:, 0].astype(np.int64)
    is_guest = pc.equal(customers, "").to_numpy(zero_copy_only=False)
    if is_guest.any():
        mask = pa.array(is_guest)
        event_keys = compute_event_keys(tenants.filter(mask), batch.column("event_id").filter(mask))
        keys[is_guest] = (event_keys & np.uint64(0xFF)).astype(np.int64)
    return keys % n_partitions
