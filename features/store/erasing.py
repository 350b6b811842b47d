"""Removes a customer from a store: their own records, and their mark on shared identities.

To be called by the store's one writer. What is left are tallies of products,
regions and stores, in which nobody can be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.entities import Layout
from features.erasures import ErasureRequest
from features.errors import CommitConflictError, StoreReplacedError
from features.keys import ENTITY_KEY_SIZE, N_SHARDS, compute_member, compute_shard
from features.records.identity import IDENTITY_DTYPE
from features.records.packing import PackedRecords, pack_records, unpack_records
from features.store.port import FeatureStore, RecordCommit

_LAYOUT_BYTE = 1  # Of a stored form; see `records.packing`.


@dataclass(frozen=True, slots=True)
class ErasedRecords:
    """What was removed from a store.

    Attributes:
        customer: Histories, 0 or 1.
        activity: Activity records, 0 or 1.
        identity: Devices, addresses and payment tokens that no longer name the customer.
    """

    customer: int
    activity: int
    identity: int


def erase_customer(store: FeatureStore, request: ErasureRequest) -> ErasedRecords:
    """Remove a customer from all records; once more changes nothing.

    Progress stays, versions of the touched shards move on: drop what is cached.

    Raises:
        CommitConflictError: Somebody else writes to the store; begin again.
        StoreUnavailableError: It cannot be written; what is left is found next time.
    """
    n_customer = _delete(store, request.customer_key)
    n_activity = _delete(store, request.activity_key)
    member = compute_member(request.customer_key)
    n_identity = sum(_remove_member(store, shard, member) for shard in range(N_SHARDS))
    return ErasedRecords(n_customer, n_activity, n_identity)


def fence_off(store: FeatureStore) -> None:
    """Move the version of every shard, so that whatever is on its way to it is refused.

    For a store that others write to: call it between registering a customer and
    removing them. What was decoded before the registration then never arrives, and
    the stream reads again, with the register as it is now.

    Raises:
        StoreUnavailableError: It cannot be written.
    """
    nothing = np.empty((0, ENTITY_KEY_SIZE), np.uint8), PackedRecords.from_blobs([])
    for shard in range(N_SHARDS):
        is_moved = False
        while not is_moved:
            state = store.read_shard_state(shard)
            try:
                store.commit_records([RecordCommit(shard, state.version, *nothing, state)])
                is_moved = True
            except StoreReplacedError:
                raise
            except CommitConflictError:
                continue  # The stream was faster: now it has another version to be moved.


def _delete(store: FeatureStore, key: bytes) -> int:
    """Delete one record; return how many there were."""
    if store.read_records([key]) == [None]:
        return 0
    shard = compute_shard(key)
    keys = np.frombuffer(key, np.uint8).reshape(1, -1)
    store.delete_records(shard, store.read_shard_state(shard).version, keys)
    return 1


def _remove_member(store: FeatureStore, shard: int, member: int) -> int:
    """Take a member out of a shard's identity records; return of how many."""
    keys: list[npt.NDArray[np.uint8]] = []
    records: list[npt.NDArray[Any]] = []
    for chunk_keys, packed in store.scan(shard):
        places, found = _find_records(packed, member)
        if len(places):
            keys.append(chunk_keys[places])
            records.append(found)
    if not keys:
        return 0
    all_keys, held = np.concatenate(keys), np.concatenate(records)
    _take_out(held, np.uint64(member))
    state = store.read_shard_state(shard)
    commit = RecordCommit(
        shard, state.version, all_keys, pack_records(Layout.IDENTITY, held), state
    )
    store.commit_records([commit])
    return len(held)


def _find_records(
    packed: PackedRecords, member: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return which of a chunk's records are identities that name a member, and these."""
    is_identity = packed.buffer[packed.starts + _LAYOUT_BYTE] == Layout.IDENTITY
    places = np.flatnonzero(is_identity)
    if not len(places):
        return places, np.empty(0, IDENTITY_DTYPE)
    records = unpack_records(Layout.IDENTITY, packed.take(places), IDENTITY_DTYPE)
    is_named = (records["member"] == np.uint64(member)).any(axis=1)
    return places[is_named], records[is_named]


def _take_out(records: npt.NDArray[Any], member: np.uint64) -> None:
    """Close the gap that a member leaves; the order of the others stays."""
    is_out = records["member"] == member
    order = np.argsort(is_out, axis=1, kind="stable")  # What is out comes last.
    columns = [name for name in IDENTITY_DTYPE.names or () if records[name].ndim == 2]
    for name in columns:
        column = np.take_along_axis(records[name], order, axis=1)
        column[:, -1] = np.where(is_out.any(axis=1), 0, column[:, -1])
        records[name] = column
