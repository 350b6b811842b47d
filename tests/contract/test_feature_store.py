"""What every online store promises: one suite, all adapters."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from features.errors import CommitConflictError, StoreUnavailableError
from features.keys import N_SHARDS, compute_shard
from features.records.packing import PackedRecords
from features.store.key_codes import join_keys, split_keys
from features.store.memory_store import MemoryFeatureStore
from features.store.opening import open_store
from features.store.port import (
    DEDUP_HORIZON_US,
    SEEN_DTYPE,
    SEEN_GENERATION_US,
    FeatureReader,
    FeatureStore,
    RecordCommit,
    SeenCommit,
    ShardProgress,
    ShardState,
    ShardTotals,
)

_START_US = 600 * SEEN_GENERATION_US
_numbers = itertools.count()


@pytest.fixture(params=["memory", "lmdb", "redis", "redis cluster"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], FeatureStore]:
    """Open the test's own store; two calls give the same store where the kind allows it."""
    if request.param == "memory":
        store = MemoryFeatureStore()
        return lambda: store
    if request.param == "lmdb":
        return lambda: open_store(tmp_path / "store", "write")
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
    else:
        url = request.getfixturevalue("redis_cluster_url")
    url = f"{url}/?prefix=contract{next(_numbers)}"
    return lambda: open_store(url, "write")


@pytest.fixture
def store(open_again: Callable[[], FeatureStore]) -> Iterator[FeatureStore]:
    opened = open_again()
    yield opened
    opened.close()


def _key(shard: int, number: int = 0) -> bytes:
    return bytes([shard]) + number.to_bytes(15, "big")


def _records(
    shard: int,
    expected_version: int,
    records: dict[bytes, bytes],
    progress: ShardProgress | None = None,
) -> RecordCommit:
    keys = sorted(records)
    packed = PackedRecords.from_blobs([records[key] for key in keys])
    array = join_keys(keys) if keys else np.zeros((0, 16), np.uint8)
    return RecordCommit(shard, expected_version, array, packed, progress or ShardProgress())


def _seen(
    shard: int,
    expected_version: int,
    entries: dict[int, tuple[int, int]],
    ingest_us: int = _START_US,
    applied_us: int = _START_US,
) -> SeenCommit:
    return SeenCommit(
        shard,
        expected_version,
        np.array(list(entries), np.uint64),
        np.array(list(entries.values()), SEEN_DTYPE),
        np.full(len(entries), ingest_us, np.int64),
        ShardProgress(applied_ingest_us=applied_us),
    )


def _look(store: FeatureStore, *event_keys: int) -> list[tuple[int, int]]:
    entries: list[tuple[int, int]] = store.read_seen(np.array(event_keys, np.uint64)).tolist()
    return entries


def _scan(store: FeatureStore, shard: int) -> list[tuple[bytes, bytes]]:
    return [
        pair
        for keys, packed in store.scan(shard)
        for pair in zip(split_keys(keys), packed.to_blobs(), strict=True)
    ]


def _many_keys(shard: int, n: int, seed: int = 1) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    keys[:, 0] = (keys[:, 0] & 0xF0) | shard
    return join_keys(sorted(split_keys(keys)))


def test_a_new_store_holds_no_record_no_seen_event_and_no_progress(store: FeatureStore) -> None:
    assert store.read_records([_key(0), _key(15)]) == [None, None]
    assert store.read_packed(join_keys([_key(0), _key(15)])).sizes.tolist() == [0, 0]
    assert _look(store, 1, 2**64 - 1) == [(0, 0), (0, 0)]
    assert [store.read_shard_state(shard) for shard in range(N_SHARDS)] == [ShardState()] * N_SHARDS
    assert store.read_seen_state(3) == ShardState()
    assert list(store.scan(0)) == []


def test_a_commit_of_records_is_read_back_whole(store: FeatureStore) -> None:
    progress = ShardProgress(
        applied_ingest_us=7,
        next_offsets={"log-a/00": 10, "log-a/01": 2**40},
        partition_ingest_us={"log-a/00": 7, "log-a/01": 2**60},
        totals=ShardTotals(folded=4, not_folded=3, duplicates=2, conflicts=1),
    )
    records = {_key(5, 1): b"one", _key(5, 2): b"\x00" * 5000}
    assert store.commit_records([_records(5, 0, records, progress)]) == [1]
    asked = [_key(5, 2), _key(5, 3), _key(5, 1)]
    assert store.read_records(asked) == [b"\x00" * 5000, None, b"one"]
    assert store.read_packed(join_keys(asked)).to_blobs() == [b"\x00" * 5000, b"", b"one"]
    assert store.read_shard_state(5) == ShardState.from_progress(1, progress)
    assert store.read_seen_state(5) == ShardState()


def test_a_commit_of_seen_events_is_read_back_whole(store: FeatureStore) -> None:
    entries = {0x15: (99, 1), 0xFFFF_FFFF_FFFF_FFF5: (2**64 - 1, 2**64 - 1), 0x05: (1, 7)}
    assert store.commit_seen([_seen(5, 0, entries)]) == [1]
    assert _look(store, 0x15, 0x25, 0xFFFF_FFFF_FFFF_FFF5, 5) == [
        (99, 1),
        (0, 0),
        (2**64 - 1, 2**64 - 1),
        (1, 7),
    ]
    assert store.read_seen_state(5).applied_ingest_us == _START_US
    assert store.read_seen_state(5).version == 1
    assert store.read_shard_state(5) == ShardState()


def test_records_may_be_asked_for_in_any_order_of_any_shard_and_again(store: FeatureStore) -> None:
    store.commit_records(
        [
            _records(1, 0, {_key(1, 1): b"a", _key(1, 2): b"b"}),
            _records(2, 0, {_key(2, 2): b"c"}),
        ]
    )
    asked = [_key(1, 2), _key(2, 2), _key(1, 1), _key(1, 2), _key(2, 3)]
    assert store.read_records(asked) == [b"b", b"c", b"a", b"b", None]
    assert store.read_records([]) == []


def test_keys_and_records_of_any_bytes_stay_distinct(store: FeatureStore) -> None:
    records = {
        bytes(16): b"\x00",
        bytes(15) + b"\x01": b"\xff",
        b"\x00\x01" + bytes(14): b"\r\n$-1\r\n",
        b"\xf0" + b"\xff" * 15: bytes(range(256)),
        b"\xf0" + b"\xff" * 14 + b"\x00": b"\x00\x00",
        b"\x10\r\n" + bytes(13): b"'\"",
    }
    store.commit_records([_records(0, 0, records)])
    assert store.read_records(list(records)) == list(records.values())
    assert _scan(store, 0) == sorted(records.items())


def test_a_later_commit_replaces_records_and_keeps_the_others(store: FeatureStore) -> None:
    store.commit_records([_records(1, 0, {_key(1, 1): b"a", _key(1, 2): b"b"})])
    store.commit_records([_records(1, 1, {_key(1, 1): b"longer than before"})])
    assert store.read_records([_key(1, 1), _key(1, 2)]) == [b"longer than before", b"b"]


def test_an_empty_commit_advances_the_progress_of_its_shard_only(store: FeatureStore) -> None:
    store.commit_records([_records(2, 0, {}, ShardProgress(applied_ingest_us=1))])
    store.commit_seen([_seen(3, 0, {}, applied_us=2)])
    assert store.read_shard_state(2) == ShardState(applied_ingest_us=1, version=1)
    assert store.read_seen_state(3) == ShardState(applied_ingest_us=2, version=1)
    assert store.read_shard_state(3) == ShardState()
    assert store.read_seen_state(2) == ShardState()


def test_all_shards_are_committed_by_one_call(store: FeatureStore) -> None:
    for version in range(2):
        commits = [
            _records(shard, version, {_key(shard, version): b"%d" % shard})
            for shard in range(N_SHARDS)
        ]
        assert store.commit_records(commits) == [version + 1] * N_SHARDS
        seen = [_seen(shard, version, {shard + 16: (1, 1)}) for shard in range(N_SHARDS)]
        assert store.commit_seen(seen) == [version + 1] * N_SHARDS
    assert store.read_records([_key(shard, 1) for shard in range(N_SHARDS)]) == [
        b"%d" % shard for shard in range(N_SHARDS)
    ]
    assert _look(store, *range(16, 32)) == [(1, 1)] * N_SHARDS


@pytest.mark.parametrize("expected_version", [0, 2])
def test_a_commit_on_another_version_is_refused_and_leaves_its_shard_alone(
    store: FeatureStore, expected_version: int
) -> None:
    store.commit_records([_records(4, 0, {_key(4): b"kept"}, ShardProgress(applied_ingest_us=1))])
    store.commit_seen([_seen(4, 0, {0x14: (1, 1)})])
    before, seen_before = store.read_shard_state(4), store.read_seen_state(4)
    lost = {_key(4): b"lost", _key(4, 1): b"lost"}
    progress = ShardProgress(applied_ingest_us=2)
    with pytest.raises(CommitConflictError, match="shard 4"):
        store.commit_records([_records(4, expected_version, lost, progress)])
    with pytest.raises(CommitConflictError, match="shard 4"):
        store.commit_seen([_seen(4, expected_version, {0x24: (2, 2)})])
    with pytest.raises(CommitConflictError, match="shard 4"):
        store.delete_records(4, expected_version, join_keys([_key(4)]))
    assert store.read_records([_key(4), _key(4, 1)]) == [b"kept", None]
    assert _look(store, 0x14, 0x24) == [(1, 1), (0, 0)]
    assert (store.read_shard_state(4), store.read_seen_state(4)) == (before, seen_before)


def test_a_conflict_of_one_shard_leaves_that_shard_alone_within_a_group(
    store: FeatureStore,
) -> None:
    store.commit_records([_records(1, 0, {_key(1): b"kept"})])
    group = [_records(0, 0, {_key(0): b"a"}), _records(1, 0, {_key(1): b"lost"})]
    with pytest.raises(CommitConflictError):
        store.commit_records(group)
    assert store.read_records([_key(1)]) == [b"kept"]
    # The other one is there as a whole or not at all.
    state, record = store.read_shard_state(0), store.read_records([_key(0)])[0]
    assert (state.version, record) in [(0, None), (1, b"a")]


def test_records_and_seen_events_of_another_shard_are_programmer_errors(
    store: FeatureStore,
) -> None:
    stranger = _key(3)
    assert compute_shard(stranger) != 4
    with pytest.raises(ValueError, match="shard 3"):
        store.commit_records([_records(4, 0, {stranger: b"x"})])
    with pytest.raises(ValueError, match="shard 4"):
        store.commit_seen([_seen(4, 0, {0x13: (1, 1)})])
    with pytest.raises(ValueError, match="shard 3"):
        store.delete_records(4, 0, join_keys([stranger]))
    with pytest.raises(ValueError, match="twice"):
        store.commit_records([_records(4, 0, {}), _records(4, 1, {})])
    with pytest.raises(ValueError, match="without bytes"):
        store.commit_records([_records(4, 0, {_key(4): b""})])
    assert store.read_records([stranger]) == [None]
    assert store.read_shard_state(4) == ShardState()


def test_deleted_records_are_gone_and_the_progress_stays(store: FeatureStore) -> None:
    progress = ShardProgress(applied_ingest_us=5, next_offsets={"a": 1})
    store.commit_records([_records(6, 0, {_key(6, n): b"%d" % n for n in range(4)}, progress)])
    assert store.delete_records(6, 1, join_keys([_key(6, 1), _key(6, 2), _key(6, 99)])) == 2
    assert [key for key, _ in _scan(store, 6)] == [_key(6, 0), _key(6, 3)]
    assert store.read_records([_key(6, 1)]) == [None]
    assert store.read_shard_state(6) == ShardState.from_progress(2, progress)


def test_a_scan_yields_every_record_of_its_shard_in_ascending_order(store: FeatureStore) -> None:
    for shard in (0, 7, 15):
        keys = split_keys(_many_keys(shard, 9_000, seed=shard))
        store.commit_records([_records(shard, 0, {key: key + b"!" for key in keys})])
    for shard in (0, 7, 15):
        keys = split_keys(_many_keys(shard, 9_000, seed=shard))
        assert _scan(store, shard) == [(key, key + b"!") for key in keys]
    assert _scan(store, 1) == []


def test_large_batches_survive_whole(store: FeatureStore) -> None:
    rng = np.random.default_rng(2)
    n = 20_000
    keys = _many_keys(8, n)
    sizes = rng.integers(1, 400, n)
    packed = PackedRecords(
        rng.integers(0, 256, sizes.sum(), dtype=np.uint8), np.cumsum(sizes).astype(np.int64)
    )
    store.commit_records([RecordCommit(8, 0, keys, packed, ShardProgress())])
    order = rng.permutation(n)
    assert store.read_packed(keys[order]).to_blobs() == packed.take(order).to_blobs()
    event_keys = (rng.integers(0, 2**60, n, dtype=np.uint64) << np.uint64(4)) | np.uint64(8)
    entries = rng.integers(1, 2**64, (n, 2), dtype=np.uint64).view(SEEN_DTYPE).reshape(-1)
    ingest_us = np.full(n, _START_US)
    store.commit_seen([SeenCommit(8, 0, event_keys, entries, ingest_us, ShardProgress())])
    assert (store.read_seen(event_keys[order]) == entries[order]).all()


def test_an_event_told_again_by_its_own_row_may_be_committed_again(store: FeatureStore) -> None:
    store.commit_seen([_seen(1, 0, {0x11: (5, 6)})])
    store.commit_seen([_seen(1, 1, {0x11: (5, 6), 0x21: (7, 8)})])
    assert _look(store, 0x11, 0x21) == [(5, 6), (7, 8)]


def test_an_id_that_can_still_arrive_is_never_forgotten(store: FeatureStore) -> None:
    # The last of its generation, which is refused as late 30 days and 5 minutes later.
    last_us = _START_US + SEEN_GENERATION_US - 1
    for shard in range(N_SHARDS):
        store.commit_seen([_seen(shard, 0, {16 + shard: (1, 1)}, ingest_us=last_us)])
    applied_us = last_us + DEDUP_HORIZON_US + 300_000_000
    for shard in range(N_SHARDS):
        fresh = {32 + shard: (2, 2)}
        store.commit_seen([_seen(shard, 1, fresh, ingest_us=applied_us, applied_us=applied_us)])
    assert _look(store, 16, 31, 32) == [(1, 1), (1, 1), (2, 2)]


def test_a_generation_of_ids_is_dropped_once_none_of_it_can_arrive(store: FeatureStore) -> None:
    for shard in range(N_SHARDS):
        store.commit_seen([_seen(shard, 0, {16 + shard: (1, 1)})])
    applied_us = _START_US + SEEN_GENERATION_US + DEDUP_HORIZON_US + 300_000_000
    for shard in range(N_SHARDS):
        fresh = {32 + shard: (2, 2)}
        store.commit_seen([_seen(shard, 1, fresh, ingest_us=applied_us, applied_us=applied_us)])
    assert _look(store, *range(16, 32)) == [(0, 0)] * N_SHARDS
    assert _look(store, *range(32, 48)) == [(2, 2)] * N_SHARDS


def test_a_batch_may_span_generations_of_ids(store: FeatureStore) -> None:
    entries = {0x12: (1, 1), 0x22: (2, 2), 0x32: (3, 3)}
    commit = _seen(2, 0, entries)
    ingest_us = _START_US + np.array([-1, 0, SEEN_GENERATION_US])
    store.commit_seen(
        [SeenCommit(2, 0, commit.event_keys, commit.entries, ingest_us, commit.progress)]
    )
    assert _look(store, 0x32, 0x12, 0x22, 0x42) == [(3, 3), (1, 1), (2, 2), (0, 0)]


def test_a_reader_sees_whole_commits_while_the_store_is_written(store: FeatureStore) -> None:
    keys = _many_keys(9, 200)
    names = split_keys(keys)
    done = threading.Event()
    torn: list[set[bytes | None]] = []

    def write() -> None:
        try:
            for version in range(40):
                value = b"%03d" % version * 50
                store.commit_records([_records(9, version, dict.fromkeys(names, value))])
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found = set(store.read_records(names))
        if len(found) > 1:
            torn.append(found)
    writer.join()
    assert torn == []
    assert set(store.read_records(names)) == {b"039" * 50}


@pytest.mark.parametrize("open_again", ["lmdb", "redis", "redis cluster"], indirect=True)
def test_what_was_committed_is_there_when_the_store_is_opened_again(
    open_again: Callable[[], FeatureStore],
) -> None:
    store = open_again()
    store.commit_records([_records(4, 0, {_key(4): b"kept"})])
    store.commit_seen([_seen(4, 0, {0x14: (3, 4)})])
    store.close()
    again = open_again()
    assert again.read_records([_key(4)]) == [b"kept"]
    assert _look(again, 0x14) == [(3, 4)]
    assert (again.read_shard_state(4).version, again.read_seen_state(4).version) == (1, 1)
    again.close()


def test_a_closed_store_says_so_and_closing_twice_is_harmless(store: FeatureStore) -> None:
    store.close()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.read_records([_key(0)]),
        lambda: store.read_packed(join_keys([_key(0)])),
        lambda: store.read_shard_state(0),
        lambda: store.read_seen(np.ones(1, np.uint64)),
        lambda: store.commit_records([_records(0, 0, {})]),
        lambda: store.commit_seen([_seen(0, 0, {})]),
        lambda: list(store.scan(0)),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailableError):
            call()


def test_a_store_is_a_reader_too(store: FeatureStore) -> None:
    reader: FeatureReader = store
    assert reader.read_records([_key(0)]) == [None]
