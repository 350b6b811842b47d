"""Erasing a customer from records: their own go, shared ones lose them, and nothing else moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from features.entities import Entity, Layout
from features.erasures import ErasureRequest
from features.keys import compute_entity_key, compute_member, compute_shard
from features.records.identity import IDENTITY_DTYPE
from features.records.packing import PackedRecords, pack_records, unpack_records
from features.store.erasing import ErasedRecords, erase_customer, fence_off
from features.store.memory_store import MemoryFeatureStore
from features.store.port import RecordChunk, RecordCommit

GONE, KEPT, LATER = (
    compute_entity_key("t", Entity.CUSTOMER, name) for name in ("gone", "kept", "later")
)
DEVICE, OTHER = (compute_entity_key("t", Entity.DEVICE, name) for name in ("shared", "other"))
REQUEST = ErasureRequest(GONE, compute_entity_key("t", Entity.ACTIVITY, "gone"), 1_000)


def _put(store: MemoryFeatureStore, key: bytes, blob: bytes) -> None:
    """Write a record as a stream would, without a change of its progress."""
    state = store.read_shard_state(compute_shard(key))
    keys = np.frombuffer(key, np.uint8).reshape(1, 16)
    packed = PackedRecords.from_blobs([blob])
    store.commit_records([RecordCommit(compute_shard(key), state.version, keys, packed, state)])


def _pack_device(*customers: bytes) -> bytes:
    """Return the record of a device that some customers share, each with orders of their own."""
    record = np.zeros(1, IDENTITY_DTYPE)
    members = sorted((compute_member(key), number) for number, key in enumerate(customers))
    for place, (member, number) in enumerate(members):
        record["member"][0, place] = member
        record["first_us"][0, place] = 10 + number
        record["order_count"][0, place] = 3 + number
    return pack_records(Layout.IDENTITY, record).to_blobs()[0]


def _read_counts(store: MemoryFeatureStore, key: bytes) -> dict[int, int]:
    packed = store.read_packed(np.frombuffer(key, np.uint8).reshape(1, 16))
    (record,) = unpack_records(Layout.IDENTITY, packed, IDENTITY_DTYPE)
    pairs = zip(record["member"].tolist(), record["order_count"].tolist(), strict=True)
    return {member: count for member, count in pairs if member}


def _fill(store: MemoryFeatureStore) -> None:
    for key in (GONE, KEPT, REQUEST.activity_key):
        _put(store, key, b"\x00\x00record")
    _put(store, DEVICE, _pack_device(GONE, KEPT))
    _put(store, OTHER, _pack_device(KEPT))


def test_a_customers_records_go_and_shared_ones_keep_the_others() -> None:
    store = MemoryFeatureStore()
    _fill(store)
    assert erase_customer(store, REQUEST) == ErasedRecords(1, 1, 1)
    assert store.read_records([GONE, REQUEST.activity_key]) == [None, None]
    assert store.read_records([KEPT, OTHER]) == [b"\x00\x00record", _pack_device(KEPT)]
    assert _read_counts(store, DEVICE) == {compute_member(KEPT): 4}
    assert erase_customer(store, REQUEST) == ErasedRecords(0, 0, 0)


class _Written(MemoryFeatureStore):
    """A store to which a stream writes the shared device's record while a customer is removed.

    Args:
        when: `scanned`: behind the look for marks; `read`: between a look at what is to be
            changed and the change.
    """

    def __init__(self, when: str) -> None:
        super().__init__()
        self._when = when
        self.is_due = False

    def scan(self, shard: int) -> Iterator[RecordChunk]:
        yield from super().scan(shard)
        if shard == compute_shard(DEVICE):
            self._write("scanned")

    def read_packed(self, keys: np.ndarray) -> PackedRecords:
        packed = super().read_packed(keys)
        self._write("read")
        return packed

    def _write(self, when: str) -> None:
        if self.is_due and when == self._when:
            self.is_due = False
            _put(self, DEVICE, _pack_device(GONE, KEPT, LATER))


@pytest.mark.parametrize("when", ["scanned", "read"])
def test_what_a_stream_writes_meanwhile_is_kept(when: str) -> None:
    store = _Written(when)
    _fill(store)
    store.is_due = True
    assert erase_customer(store, REQUEST).identity == 1
    assert not store.is_due
    assert _read_counts(store, DEVICE) == {compute_member(KEPT): 4, compute_member(LATER): 5}


def test_a_fence_moves_each_shards_version_and_nothing_else() -> None:
    store = MemoryFeatureStore()
    _fill(store)
    before = [store.read_shard_state(shard) for shard in range(16)]
    held = store.read_records([GONE, KEPT, DEVICE])
    fence_off(store)
    after = [store.read_shard_state(shard) for shard in range(16)]
    assert [b.version for b in after] == [a.version + 1 for a in before]
    assert [b.next_offsets for b in after] == [a.next_offsets for a in before]
    assert store.read_records([GONE, KEPT, DEVICE]) == held
