"""Removes a customer from a store: their own records, and their mark on shared identities.

What is left are tallies of products, regions and stores, in which nobody can be told
apart. Finding the marks reads all records, and takes seconds; each shard is then
changed in one step that is prepared on what it holds at that moment, so a stream
may write meanwhile and loses nothing. (Into a folder only its one writer writes.)
"""

from __future__ import annotations

from collections.abc import Callable
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
from features.store.port import FeatureStore, RecordCommit, ShardState

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
        StoreReplacedError: Another generation has taken over; begin again.
        StoreUnavailableError: It cannot be written; what is left is found next time.
    """
    member = compute_member(request.customer_key)
    # All reading before all writing: each shard that is touched makes a stream begin anew.
    named = [_find_named(store, shard, member) for shard in range(N_SHARDS)]
    n_customer = _delete(store, request.customer_key)
    n_activity = _delete(store, request.activity_key)
    n_identity = sum(
        _remove_member(store, shard, keys, member) for shard, keys in enumerate(named) if len(keys)
    )
    return ErasedRecords(n_customer, n_activity, n_identity)


def fence_off(store: FeatureStore) -> None:
    """Move the version of every shard, so that whatever is on its way to it is refused.

    For a store that others write to: call it between registering a customer and
    removing them. What was decoded before the registration then never arrives, and
    the stream reads again, with the register as it is now.

    Raises:
        StoreReplacedError: Another generation has taken over; begin again.
        StoreUnavailableError: It cannot be written.
    """
    nothing = np.empty((0, ENTITY_KEY_SIZE), np.uint8), PackedRecords.from_blobs([])
    for shard in range(N_SHARDS):

        def move(state: ShardState, shard: int = shard) -> None:
            store.commit_records([RecordCommit(shard, state.version, *nothing, state)])

        _change(store, shard, move)


def _change(store: FeatureStore, shard: int, step: Callable[[ShardState], None]) -> None:
    """Read a shard's state and change the shard, again for as long as the stream is faster."""
    while True:
        state = store.read_shard_state(shard)
        try:
            step(state)
        except StoreReplacedError:
            raise
        except CommitConflictError:
            continue  # Now it has another version, and maybe other records.
        return


def _delete(store: FeatureStore, key: bytes) -> int:
    """Delete one record; return how many there were."""
    if store.read_records([key]) == [None]:
        return 0
    shard = compute_shard(key)
    keys = np.frombuffer(key, np.uint8).reshape(1, -1)

    def delete(state: ShardState) -> None:
        store.delete_records(shard, state.version, keys)

    _change(store, shard, delete)
    return 1


def _find_named(store: FeatureStore, shard: int, member: int) -> npt.NDArray[np.uint8]:
    """Return the keys of a shard's identity records that name a member, ascending."""
    keys = [np.empty((0, ENTITY_KEY_SIZE), np.uint8)]
    for chunk_keys, packed in store.scan(shard):
        places, _ = _find_records(packed, member)
        keys.append(chunk_keys[places])
    return np.concatenate(keys)


def _remove_member(
    store: FeatureStore, shard: int, keys: npt.NDArray[np.uint8], member: int
) -> int:
    """Take a member out of a shard's identity records; return of how many."""

    def take_out(state: ShardState) -> None:
        packed = store.read_packed(keys)  # After the state: what is newer is refused.
        places, held = _find_records(packed, member)
        _take_out(held, np.uint64(member))
        fresh = pack_records(Layout.IDENTITY, held)
        store.commit_records([RecordCommit(shard, state.version, keys[places], fresh, state)])

    _change(store, shard, take_out)
    return len(keys)


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
