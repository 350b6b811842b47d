"""Backups of any store into any other, taken while it is written; what a verification finds."""

from __future__ import annotations

import threading
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from features.entities import Layout
from features.errors import ConfigError, StoreUnavailableError
from features.keys import N_SHARDS
from features.records.packing import PackedRecords, pack_records
from features.store.backup import read_manifest, restore_backup, write_backup
from features.store.key_codes import join_keys
from features.store.opening import Place, open_store, read_generations
from features.store.port import (
    SEEN_DTYPE,
    FeatureStore,
    RecordCommit,
    SeenCommit,
    ShardProgress,
)
from features.store.schema import LAYOUT_DTYPES
from features.store.verification import verify_store
from tests.redis_servers import RedisServer

_numbers = count()
_PER_SHARD = 20


def _make_place(kind: str, redis_server: RedisServer, tmp_path: Path) -> Place:
    number = next(_numbers)
    if kind == "redis":
        return f"{redis_server.url}/?prefix=backup{number}"
    return tmp_path / f"store{number}"


def _pack(value: int, n: int = 1) -> list[bytes]:
    blobs = []
    for number in range(n):
        layout = Layout(number % len(Layout))
        record = np.zeros(1, LAYOUT_DTYPES[layout])
        record.view(np.uint64)[:3] = value + number
        blobs.append(pack_records(layout, record).get_blob(0))
    return blobs


def _fill(store: FeatureStore, shard: int, value: int) -> None:
    """Write one batch to a shard; all of its records and its progress say `value`."""
    keys = join_keys([bytes([shard]) + n.to_bytes(15, "big") for n in range(_PER_SHARD)])
    packed = PackedRecords.from_blobs(_pack(value, _PER_SHARD))
    progress = ShardProgress(applied_ingest_us=value, next_offsets={"log/0": value})
    event_keys = np.array([value << 4 | shard], np.uint64)
    entries = np.array([(value, value)], SEEN_DTYPE)
    version = store.read_seen_state(shard).version
    times = np.full(1, value, np.int64)
    store.commit_seen([SeenCommit(shard, version, event_keys, entries, times, progress)])
    version = store.read_shard_state(shard).version
    store.commit_records([RecordCommit(shard, version, keys, packed, progress)])


@pytest.mark.parametrize(
    ("source", "target"),
    [("lmdb", "lmdb"), ("lmdb", "redis"), ("redis", "redis"), ("redis", "lmdb")],
)
def test_a_backup_restores_records_progress_and_seen_events_into_any_store(
    tmp_path: Path, redis_server: RedisServer, source: str, target: str
) -> None:
    one = _make_place(source, redis_server, tmp_path)
    two = _make_place(target, redis_server, tmp_path)
    with open_store(one, "write") as store:
        for shard in range(N_SHARDS):
            _fill(store, shard, 1_000 + shard)
    with open_store(one, "read") as reader:
        written = write_backup(reader, tmp_path / "backup", now_us=lambda: 5_000)
    assert (written.applied_ingest_us, written.created_us) == (1_000, 5_000)
    assert read_manifest(tmp_path / "backup") == written
    restore_backup(tmp_path / "backup", two)
    with open_store(two, "write") as restored:
        for shard in range(N_SHARDS):
            state, seen = restored.read_shard_state(shard), restored.read_seen_state(shard)
            for each in (state, seen):
                assert each.applied_ingest_us == 1_000 + shard
                assert each.next_offsets == {"log/0": 1_000 + shard}
            keys = np.array([(1_000 + shard) << 4 | shard], np.uint64)
            assert restored.read_seen(keys).tolist() == [(1_000 + shard, 1_000 + shard)]
    with open_store(one, "read") as first, open_store(two, "read") as second:
        found = verify_store(second, first)
    assert (found.records, found.faults, found.compared) == (_PER_SHARD * N_SHARDS, 0, True)
    assert [each.records for each in found.layouts] == [_PER_SHARD // 4 * N_SHARDS] * 4
    with pytest.raises(ConfigError, match="a store already"):
        restore_backup(tmp_path / "backup", two)
    restore_backup(tmp_path / "backup", two, is_replacing=True)
    assert read_generations(two).current == 2


@pytest.mark.parametrize("kind", ["lmdb", "redis"])
def test_each_shard_of_a_backup_is_of_one_moment_while_the_store_is_written(
    tmp_path: Path, redis_server: RedisServer, kind: str
) -> None:
    place = _make_place(kind, redis_server, tmp_path)
    store = open_store(place, "write")
    for shard in range(N_SHARDS):
        _fill(store, shard, 1)
    done = threading.Event()

    def write() -> None:
        value = 2
        while not done.is_set():
            for shard in range(N_SHARDS):
                _fill(store, shard, value)
            value += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        # A folder has one environment per process: the writer is the reader, too.
        reader = store if kind == "lmdb" else open_store(place, "read")
        write_backup(reader, tmp_path / "backup", now_us=lambda: 0)
    finally:
        done.set()
        writer.join()
        store.close()
    restore_backup(tmp_path / "backup", tmp_path / "restored")
    with open_store(tmp_path / "restored", "write") as restored:
        for shard in range(N_SHARDS):
            value = restored.read_shard_state(shard).applied_ingest_us
            ((_, packed),) = restored.scan(shard)
            assert packed.to_blobs() == _pack(value, _PER_SHARD)
            # The seen ledger is never behind the records.
            seen = restored.read_seen_state(shard).applied_ingest_us
            assert seen >= value
            keys = np.arange(1, seen + 1, dtype=np.uint64) << np.uint64(4) | np.uint64(shard)
            assert restored.read_seen(keys)["telling"].all()


def test_a_damaged_backup_is_refused_and_leaves_no_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", "write") as store:
        _fill(store, 3, 7)
        write_backup(store, tmp_path / "backup", now_us=lambda: 0)
    file = tmp_path / "backup" / "records-03.bin"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        restore_backup(tmp_path / "backup", tmp_path / "restored")
    with pytest.raises(ConfigError, match="no backup"):
        restore_backup(tmp_path, tmp_path / "restored")
    assert read_generations(tmp_path / "restored").current == 0


def test_a_backup_never_mixes_with_what_is_in_a_folder(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigError, match="holds something")
    with open_store(tmp_path / "store", "write") as store, refused:
        write_backup(store, tmp_path, now_us=lambda: 0)


def test_a_verification_finds_damaged_records_and_differences(tmp_path: Path) -> None:
    damaged = _pack(5)[0][:-1] + b"\xff\xff"
    keys = join_keys([bytes(15) + b"\x01", bytes(15) + b"\x02", bytes(15) + b"\x03"])
    blobs = [_pack(1)[0], damaged, b"\x00\x63rest"]
    with (
        open_store(tmp_path / "one", "write") as one,
        open_store(tmp_path / "two", "write") as two,
    ):
        packed = PackedRecords.from_blobs(blobs)
        one.commit_records([RecordCommit(0, 0, keys, packed, ShardProgress())])
        other = PackedRecords.from_blobs([_pack(2)[0], damaged])
        two.commit_records([RecordCommit(0, 0, keys[:2], other, ShardProgress())])
        found = verify_store(one)
        assert (found.records, found.faults) == (3, 2)
        assert any("unknown layout 99" in example for example in found.fault_examples)
        # One differs, one is absent there; and the numbers differ by one.
        assert verify_store(one, two).faults == found.faults + 3
