"""The store behind an answer: read once, damaged in one record, away, of some age."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.serving.world import (
    SHOP,
)
from features.entities import Entity
from features.keys import compute_entity_key, compute_shard
from features.records.packing import PackedRecords
from features.store.memory_store import MemoryFeatureStore
from features.store.port import RecordCommit, ShardProgress
from hemostat.v1 import scoring_pb2 as pb
from tests.scoring.scorer_bench import Bench

RequestOf = Callable[..., pb.ScoreRequest]


def test_a_closed_store_degrades_the_answer_and_never_raises(
    bench: Bench, request_of: RequestOf
) -> None:
    bench.store = MemoryFeatureStore()
    bench.store.close()
    answer, guest = bench.score_all(request_of(), request_of(customer_id=""))
    assert isinstance(answer, pb.ScoreResponse)
    assert isinstance(guest, pb.ScoreResponse)
    assert list(answer.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
    assert answer.freshness.customer_state == pb.CUSTOMER_STATE_UNAVAILABLE
    assert answer.hint == pb.HINT_APPROVE
    assert answer.HasField("p_abuse")
    assert not guest.degradations  # A guest who names nothing needs no store.


def test_one_damaged_record_does_not_blind_the_cases_beside_it(
    bench: Bench, request_of: RequestOf
) -> None:
    store = MemoryFeatureStore()
    key = compute_entity_key(SHOP, Entity.CUSTOMER, "damaged")
    keys = np.frombuffer(key, np.uint8).reshape(1, 16)
    packed = PackedRecords.from_blobs([b"x" * 64])
    progress = ShardProgress(applied_ingest_us=bench.now_us)
    store.commit_records([RecordCommit(compute_shard(key), 0, keys, packed, progress)])
    bench.store = store
    damaged, new = bench.score_all(request_of(customer_id="damaged"), request_of(customer_id="n"))
    assert isinstance(damaged, pb.ScoreResponse)
    assert isinstance(new, pb.ScoreResponse)
    assert damaged.freshness.customer_state == pb.CUSTOMER_STATE_UNAVAILABLE
    assert list(damaged.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
    assert new.freshness.customer_state == pb.CUSTOMER_STATE_NEW
    assert pb.DEGRADATION_STORE_UNAVAILABLE not in new.degradations


def _put(store: MemoryFeatureStore, key: bytes, blob: bytes, applied_us: int) -> None:
    keys = np.frombuffer(key, np.uint8).reshape(1, 16)
    progress = ShardProgress(applied_ingest_us=applied_us)
    packed = PackedRecords.from_blobs([blob])
    version = store.read_shard_state(compute_shard(key)).version
    store.commit_records([RecordCommit(compute_shard(key), version, keys, packed, progress)])


def test_a_damaged_product_blinds_the_cases_that_name_it_and_no_other(
    bench: Bench, request_of: RequestOf
) -> None:
    store = MemoryFeatureStore()
    _put(store, compute_entity_key(SHOP, Entity.SKU, "damaged"), b"x" * 64, bench.now_us)
    bench.store = store
    blind, sound, guest = bench.score_all(
        request_of(sku="damaged"),
        request_of(sku="sound"),
        request_of(sku="damaged", customer_id=""),
    )
    assert isinstance(blind, pb.ScoreResponse)
    assert isinstance(sound, pb.ScoreResponse)
    assert isinstance(guest, pb.ScoreResponse)
    is_blind = [
        pb.DEGRADATION_STORE_UNAVAILABLE in answer.degradations for answer in (blind, sound, guest)
    ]
    assert is_blind == [True, False, True]
    assert guest.freshness.customer_state == pb.CUSTOMER_STATE_GUEST


def test_a_guests_answer_is_as_fresh_as_the_oldest_shard_that_it_read(
    bench: Bench, request_of: RequestOf
) -> None:
    store = MemoryFeatureStore()
    names = [f"s{number}" for number in range(64)]
    keys = {compute_shard(compute_entity_key(SHOP, Entity.SKU, name)): name for name in names}
    (old_shard, old), (new_shard, new), *_ = keys.items()
    styles = {compute_shard(compute_entity_key(SHOP, Entity.STYLE, name)): name for name in names}
    for shard, age_us in ((old_shard, 7_000_000), (new_shard, 3_000_000)):
        key = compute_entity_key(SHOP, Entity.SKU, keys[shard])
        packed = PackedRecords.from_blobs([])
        progress = ShardProgress(applied_ingest_us=bench.now_us - age_us)
        empty = np.zeros((0, 16), np.uint8)
        store.commit_records([RecordCommit(compute_shard(key), 0, empty, packed, progress)])
    bench.store = store
    lags = [
        bench.score(request_of(customer_id="", **more)).freshness.shard_lag_s
        for more in (
            {"sku": old},
            {"sku": new},
            {"sku": old, "style": styles[new_shard]},
            {"sku": new, "style": styles[old_shard]},
        )
    ]
    assert lags == [7.0, 3.0, 7.0, 7.0]


class _CountedStore(MemoryFeatureStore):
    """A store that tells how often records were read."""

    def __init__(self) -> None:
        super().__init__()
        self.n_keys: list[int] = []

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        self.n_keys.append(len(entity_keys))
        return super().read_records(entity_keys)


def test_all_entities_of_all_cases_are_read_at_once(bench: Bench, request_of: RequestOf) -> None:
    store = _CountedStore()
    bench.store = store
    named = {"sku": "a", "style": "b", "supplier": "c", "batch": "d", "store_id": "e",
             "device_hash": "f", "address_hash": "g", "payment_token_hash": "h"}  # fmt: skip
    bench.score_all(
        request_of("cancellation", region="i", **named),
        request_of("return_request", **named),
        request_of("return_request", customer_id="", sku="other"),
    )
    assert store.n_keys == [12]
