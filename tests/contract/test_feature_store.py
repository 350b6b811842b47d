"""What every online store promises: one suite, all adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from features.errors import CommitConflictError, StoreUnavailableError
from features.keys import N_SHARDS, compute_shard
from features.store.lmdb_store import LmdbFeatureStore
from features.store.memory_store import MemoryFeatureStore
from features.store.port import (
    DEDUP_HORIZON_US,
    FeatureStore,
    SeenEvents,
    ShardProgress,
    ShardState,
    ShardTotals,
)

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FeatureStore]:
    makers: dict[str, Callable[[], FeatureStore]] = {
        "memory": MemoryFeatureStore,
        "lmdb": lambda: LmdbFeatureStore.open_writer(tmp_path / "store"),
    }
    opened = makers[request.param]()
    yield opened
    opened.close()


def _key(shard: int, number: int = 0) -> bytes:
    return bytes([shard]) + number.to_bytes(15, "big")


def _seen(ingest_us: int, **hashes_by_key: int) -> SeenEvents:
    keys = [int(name.removeprefix("e")) for name in hashes_by_key]
    return SeenEvents(
        np.array(keys, np.uint64),
        np.array(list(hashes_by_key.values()), np.uint64),
        np.full(len(keys), ingest_us, np.int64),
    )


def _look(store: FeatureStore, shard: int, *event_keys: int) -> list[int]:
    hashes: list[int] = store.read_seen(shard, np.array(event_keys, np.uint64)).tolist()
    return hashes


def test_a_new_store_holds_no_record_no_seen_event_and_no_progress(store: FeatureStore) -> None:
    assert store.read_records([_key(0), _key(15)]) == [None, None]
    assert _look(store, 3, 1, 2**64 - 1) == [0, 0]
    assert [store.read_shard_state(shard) for shard in range(N_SHARDS)] == [ShardState()] * N_SHARDS


def test_a_commit_is_read_back_whole(store: FeatureStore) -> None:
    progress = ShardProgress(
        applied_ingest_us=7,
        next_offsets={"log-a/00": 10, "log-a/01": 2**40},
        partition_ingest_us={"log-a/00": 7, "log-a/01": 2**60},
        totals=ShardTotals(folded=4, not_folded=3, duplicates=2, conflicts=1),
    )
    records = [(_key(5, 1), b"one"), (_key(5, 2), b"\x00" * 5000)]
    version = store.commit(5, 0, records, _seen(7, e9=99, e8=2**64 - 1), progress)
    assert version == 1
    assert store.read_records([_key(5, 2), _key(5, 3), _key(5, 1)]) == [
        b"\x00" * 5000,
        None,
        b"one",
    ]
    assert _look(store, 5, 8, 9, 10) == [2**64 - 1, 99, 0]
    assert store.read_shard_state(5) == ShardState.from_progress(1, progress)


def test_keys_may_be_asked_for_in_any_order_and_again(store: FeatureStore) -> None:
    store.commit(
        1, 0, [(_key(1, 1), b"a"), (_key(1, 2), b"b")], SeenEvents.empty(), ShardProgress()
    )
    asked = [_key(1, 2), _key(1, 1), _key(1, 2), _key(2, 2)]
    assert store.read_records(asked) == [b"b", b"a", b"b", None]
    assert store.read_records([]) == []


def test_keys_and_ids_that_end_in_zero_bytes_stay_distinct(store: FeatureStore) -> None:
    keys = [bytes(16), bytes(15) + b"\x01", b"\x00\x01" + bytes(14)]
    records = sorted((key, bytes([number])) for number, key in enumerate(keys))
    store.commit(0, 0, records, SeenEvents.empty(), ShardProgress())
    assert store.read_records(keys) == [b"\x00", b"\x01", b"\x02"]


def test_a_later_commit_replaces_records_and_keeps_the_others(store: FeatureStore) -> None:
    store.commit(1, 0, [(_key(1, 1), b"a"), (_key(1, 2), b"b")], _seen(1, e1=11), ShardProgress())
    store.commit(1, 1, [(_key(1, 1), b"longer than before")], _seen(2, e2=22), ShardProgress())
    assert store.read_records([_key(1, 1), _key(1, 2)]) == [b"longer than before", b"b"]
    assert _look(store, 1, 1, 2) == [11, 22]


def test_an_empty_commit_advances_the_progress_of_its_shard_only(store: FeatureStore) -> None:
    store.commit(2, 0, [], SeenEvents.empty(), ShardProgress(applied_ingest_us=1))
    assert store.read_shard_state(2).version == 1
    assert store.read_shard_state(2).applied_ingest_us == 1
    assert store.read_shard_state(3) == ShardState()


@pytest.mark.parametrize("expected_version", [0, 2])
def test_a_commit_on_another_version_is_refused_and_writes_nothing(
    store: FeatureStore, expected_version: int
) -> None:
    store.commit(4, 0, [(_key(4), b"kept")], _seen(1, e1=11), ShardProgress(applied_ingest_us=1))
    before = store.read_shard_state(4)
    records = [(_key(4), b"lost"), (_key(4, 1), b"lost")]
    progress = ShardProgress(applied_ingest_us=2)
    with pytest.raises(CommitConflictError):
        store.commit(4, expected_version, records, _seen(2, e1=12, e2=22), progress)
    assert store.read_records([_key(4), _key(4, 1)]) == [b"kept", None]
    assert _look(store, 4, 1, 2) == [11, 0]
    assert store.read_shard_state(4) == before


def test_versions_of_shards_are_independent(store: FeatureStore) -> None:
    for shard in range(N_SHARDS):
        assert store.commit(shard, 0, [], SeenEvents.empty(), ShardProgress()) == 1
    assert store.commit(0, 1, [], SeenEvents.empty(), ShardProgress()) == 2


def test_a_record_of_another_shard_is_a_programmer_error(store: FeatureStore) -> None:
    stranger = _key(3)
    assert compute_shard(stranger) != 4
    with pytest.raises(ValueError, match="shard 3"):
        store.commit(4, 0, [(stranger, b"x")], SeenEvents.empty(), ShardProgress())
    assert store.read_records([stranger]) == [None]


def test_each_shard_remembers_seen_events_for_itself(store: FeatureStore) -> None:
    store.commit(0, 0, [], _seen(1, e1=11), ShardProgress())
    assert _look(store, 1, 1) == [0]


def test_an_id_that_can_still_arrive_is_never_forgotten(store: FeatureStore) -> None:
    store.commit(0, 0, [], _seen(1_000 * _DAY_US, e1=11), ShardProgress())
    # Refused as late only from L after the event's own time, which may be 5 minutes ahead.
    applied_us = 1_000 * _DAY_US + DEDUP_HORIZON_US + 300_000_000
    for version in range(1, 20):
        progress = ShardProgress(applied_ingest_us=applied_us)
        store.commit(0, version, [], SeenEvents.empty(), progress)
    assert _look(store, 0, 1) == [11]


def test_ids_that_cannot_arrive_again_are_forgotten_after_a_while(store: FeatureStore) -> None:
    start_us, n = 1_000 * _DAY_US, 500
    old = SeenEvents(
        np.arange(1, n + 1, dtype=np.uint64), np.full(n, 7, np.uint64), np.full(n, start_us)
    )
    store.commit(0, 0, [], old, ShardProgress(applied_ingest_us=start_us))
    store.commit(1, 0, [], old, ShardProgress(applied_ingest_us=start_us))
    progress = ShardProgress(applied_ingest_us=start_us + DEDUP_HORIZON_US + _HOUR_US)
    rng = np.random.default_rng(1)
    for version in range(1, 60):
        fresh = SeenEvents(
            rng.integers(n + 1, 2**64, 10, np.uint64),
            np.full(10, 8, np.uint64),
            np.full(10, progress.applied_ingest_us),
        )
        store.commit(0, version, [], fresh, progress)
        assert store.read_seen(0, fresh.event_keys).tolist() == [8] * 10
    assert not store.read_seen(0, old.event_keys).any()
    assert store.read_seen(1, old.event_keys).all()


def test_a_closed_store_says_so_and_closing_twice_is_harmless(store: FeatureStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError):
        store.read_records([_key(0)])
    with pytest.raises(StoreUnavailableError):
        store.read_shard_state(0)
    with pytest.raises(StoreUnavailableError):
        store.commit(0, 0, [], SeenEvents.empty(), ShardProgress())
