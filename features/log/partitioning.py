"""Keys of whole columns: which partition, entity and event a row belongs to.

They equal the scalar functions of `features.keys` (tested).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.compiled import compiled, uint64_1d, uint64_2d
from features.entities import Entity
from features.hashing import hash_spans
from features.keys import mix_entity_key, mix_event_key


def hash_strings(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Return (h1, h2) of each string of a column, shape `(n, 2)`; null is as the empty string."""
    if column.null_count:
        column = pc.fill_null(column, "")
    column = column.cast(pa.large_string())
    out = np.zeros((len(column), 2), np.uint64)
    if not len(column):
        return out
    _, offsets, content = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    strings = np.frombuffer(content or b"", np.uint8)[bounds[0] : bounds[-1]]
    hash_spans(strings, bounds[1:] - bounds[0], out)
    return out


@compiled(numba.void(uint64_2d, uint64_2d, uint64_1d))
def _mix_event_keys(tenants: Any, events: Any, keys: Any) -> None:
    for i in range(len(keys)):
        keys[i] = mix_event_key(tenants[i, 0], tenants[i, 1], events[i, 0], events[i, 1])


@compiled(numba.void(uint64_2d, numba.int64, uint64_2d, uint64_2d))
def _mix_entity_keys(tenants: Any, entity: int, ids: Any, keys: Any) -> None:
    for i in range(len(keys)):
        h1, h2 = mix_entity_key(tenants[i, 0], tenants[i, 1], entity, ids[i, 0], ids[i, 1])
        keys[i, 0] = h1
        keys[i, 1] = h2


def compute_event_keys(tenants: pa.Array, event_ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Return `keys.compute_event_key` of each row, shape `(n,)`."""
    keys = np.empty(len(event_ids), np.uint64)
    _mix_event_keys(hash_strings(tenants), hash_strings(event_ids), keys)
    return keys


def compute_entity_keys(tenants: pa.Array, entity: Entity, ids: pa.Array) -> npt.NDArray[np.uint8]:
    """Return `keys.compute_entity_key` of each row, shape `(n, 16)`.

    Rows without an id get the key of the empty id; the caller knows better than to use it.
    """
    keys = np.empty((len(ids), 2), np.uint64)
    _mix_entity_keys(hash_strings(tenants), int(entity), hash_strings(ids), keys)
    return keys.view(np.uint8)


def compute_partitions(batch: pa.RecordBatch, n_partitions: int) -> npt.NDArray[np.int64]:
    """Return each row's partition, shape `(n,)`.

    A customer's rows share a partition: the first byte of the entity key, modulo
    the number of partitions. Rows without customer go by the event key's low byte.
    """
    tenants, customers = batch.column("tenant"), batch.column("customer_id")
    keys = compute_entity_keys(tenants, Entity.CUSTOMER, customers)[:, 0].astype(np.int64)
    is_guest = pc.equal(customers, "").to_numpy(zero_copy_only=False)
    if is_guest.any():
        mask = pa.array(is_guest)
        event_keys = compute_event_keys(tenants.filter(mask), batch.column("event_id").filter(mask))
        keys[is_guest] = (event_keys & np.uint64(0xFF)).astype(np.int64)
    return keys % n_partitions


def compute_customer_keys(batch: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    """Return the CUSTOMER entity key of each row, shape `(n, 16)`; zeros for guests."""
    customers = batch.column("customer_id")
    keys = compute_entity_keys(batch.column("tenant"), Entity.CUSTOMER, customers)
    keys[pc.equal(customers, "").to_numpy(zero_copy_only=False)] = 0
    return keys
