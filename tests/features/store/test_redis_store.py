"""What the Redis adapter adds to the port: servers that go, refuse, or answer late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.errors import (
    CommitConflictError,
    ConfigError,
    SchemaMismatchError,
    StoreUnavailableError,
)
from features.records.packing import PackedRecords
from features.store.key_codes import join_keys
from features.store.opening import (
    begin_generation,
    drop_generation,
    open_store,
    read_generations,
    swap_generation,
)
from features.store.port import FeatureStore, RecordCommit, ShardProgress
from features.store.redis_address import RedisOptions, parse_address
from features.store.redis_store import RedisFeatureReader
from features.store.redis_writer import RedisFeatureStore
from features.store.schema import CURRENT_SCHEMA
from tests.redis_servers import RedisServer, run_server

_KEY = bytes([2]) + bytes(15)
_OTHER = bytes([3]) + bytes(15)
_numbers = count()


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    return f"{redis_server.url}/?prefix=faults{next(_numbers)}"


@pytest.fixture
def own_server(redis_server: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, that keeps what it acknowledged."""
    assert redis_server.port
    with run_server(tmp_path / "own", is_durable=True) as server:
        yield server


def _commit(store: FeatureStore, record: bytes, key: bytes = _KEY) -> int:
    version = store.read_shard_state(2).version
    packed = PackedRecords.from_blobs([record])
    (version,) = store.commit_records(
        [RecordCommit(2, version, join_keys([key]), packed, ShardProgress())]
    )
    return version


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("redis://h", "redis://h:6379/?prefix=hemostat"),
        ("rediss://u:p@h:1/2?prefix=a", "rediss://h:1/2/?prefix=a"),
        ("redis+cluster://:p@h:7000", "redis+cluster://h:7000/?prefix=hemostat"),
        ("redis://h:7000/?cluster=true", "redis+cluster://h:7000/?prefix=hemostat"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, expected: str) -> None:
    assert parse_address(address).shown == expected


@pytest.mark.parametrize(
    "address", ["redis://h/?prefix={a}", "redis+cluster://h/3", "redis://h/x", "redis://h/?prefix="]
)
def test_a_wrong_address_is_refused_without_its_password(address: str) -> None:
    address = address.replace("//h", "//:secret@h")
    with pytest.raises(ConfigError) as caught:
        parse_address(address)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_restarted_in_between_loses_nothing(own_server: RedisServer) -> None:
    store = RedisFeatureStore.open_writer(own_server.url, RedisOptions(retry_for_s=20.0))
    reader = RedisFeatureReader.open_reader(own_server.url)
    _commit(store, b"before")
    own_server.kill()
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        reader.read_records([_KEY])
    restart = threading.Timer(0.5, own_server.start)
    restart.start()
    assert _commit(store, b"after") == 2  # It waited.
    restart.join()
    again = RedisFeatureReader.open_reader(own_server.url)
    assert again.read_records([_KEY]) == [b"after"]
    for each in (again, reader, store):
        each.close()


def test_a_server_that_stays_away_is_told_by_its_address_without_password(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with run_server(tmp_path / "own", ["--requirepass", "secret"]) as server:
        url = f"redis://:secret@127.0.0.1:{server.port}"
        with pytest.raises(StoreUnavailableError, match="password") as refused:
            RedisFeatureStore.open_writer(url.replace("secret", "guessed"))
        assert "guessed" not in str(refused.value)
        store = RedisFeatureStore.open_writer(url, RedisOptions(retry_for_s=0.2))
    with pytest.raises(StoreUnavailableError, match="cannot be reached") as caught:
        store.read_shard_state(2)
    assert "secret" not in str(caught.value)
    assert f"127.0.0.1:{server.port}" in str(caught.value)
    store.close()


def test_an_answer_that_comes_late_is_never_taken_for_anothers(
    url: str, redis_server: RedisServer
) -> None:
    store = open_store(url, "write")
    other = bytes([2]) + b"\x01" * 15
    _commit(store, b"one")
    _commit(store, b"two", other)
    reader = RedisFeatureReader.open_reader(url, RedisOptions(timeout_s=0.2, retry_for_s=0.0))
    assert reader.read_records([_KEY]) == [b"one"]
    with redis_server.connect() as client:
        client.execute_command("CLIENT PAUSE", 600, "ALL")
        with pytest.raises(StoreUnavailableError, match="in time"):
            reader.read_records([_KEY])
        client.execute_command("CLIENT UNPAUSE")
    answers: set[bytes | None] = set()
    while answers != {b"two"}:  # Refused at once until the next attempt is due.
        try:
            (answer,) = reader.read_records([other])
        except StoreUnavailableError:
            continue
        answers.add(answer)
        assert answer == b"two"
    reader.close()
    store.close()


def test_a_commit_whose_answer_was_lost_is_known_as_ones_own(own_server: RedisServer) -> None:
    store = RedisFeatureStore.open_writer(
        own_server.url, RedisOptions(timeout_s=0.3, retry_for_s=20.0)
    )
    _commit(store, b"before")
    version = store.read_shard_state(2).version
    with own_server.connect() as client:
        # The script runs when the pause ends, but its answer goes to nobody.
        client.execute_command("CLIENT PAUSE", 700, "WRITE")
    packed = PackedRecords.from_blobs([b"after"])
    commit = RecordCommit(2, version, join_keys([_KEY]), packed, ShardProgress())
    assert store.commit_records([commit]) == [2]
    assert store.read_records([_KEY]) == [b"after"]
    assert store.read_shard_state(2).version == 2
    with pytest.raises(CommitConflictError):
        store.commit_records([commit])
    store.close()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_throws_keys_away_is_refused_with_the_fix(
    tmp_path: Path, redis_server: RedisServer, policy: str
) -> None:
    options = ["--maxmemory-policy", policy]
    with run_server(tmp_path / "own", options) as server, pytest.raises(ConfigError) as caught:
        RedisFeatureStore.open_writer(server.url)
    assert policy in caught.value.value
    assert "noeviction" in caught.value.fix


def test_a_server_without_memory_refuses_the_batch_whole_and_goes_on(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with run_server(tmp_path / "own") as server, server.connect() as client:
        store = RedisFeatureStore.open_writer(server.url, RedisOptions(retry_for_s=0.3))
        _commit(store, b"kept")
        client.config_set("maxmemory", "100kb")
        with pytest.raises(StoreUnavailableError, match="no memory left"):
            _commit(store, b"lost")
        assert store.read_records([_KEY]) == [b"kept"]
        client.config_set("maxmemory", "0")
        assert _commit(store, b"after") == 2
        store.close()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [("min-replicas-to-write", "1", "too few replicas"), (None, "", "is a replica")],
)
def test_a_server_that_takes_no_writes_says_why(
    tmp_path: Path, redis_server: RedisServer, setting: str | None, value: str, message: str
) -> None:
    with run_server(tmp_path / "own") as server, server.connect() as client:
        store = RedisFeatureStore.open_writer(server.url, RedisOptions(retry_for_s=0.3))
        _commit(store, b"kept")
        if setting is None:
            client.replicaof("127.0.0.1", "1")
        else:
            client.config_set(setting, value)
        with pytest.raises(StoreUnavailableError, match=message):
            _commit(store, b"lost")
        assert store.read_records([_KEY]) == [b"kept"]
        store.close()


def test_a_store_of_another_schema_is_refused(url: str) -> None:
    open_store(url, "write").close()
    version = CURRENT_SCHEMA.record_version + 1
    newer = msgspec.structs.replace(CURRENT_SCHEMA, record_version=version)
    for opener in (RedisFeatureStore.open_writer, RedisFeatureReader.open_reader):
        with pytest.raises(SchemaMismatchError, match="record_version"):
            opener(url, schema=newer)


def test_reading_where_there_is_no_store_says_how_to_make_one(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="hemostat stream"):
        RedisFeatureReader.open_reader(url)


def test_stores_of_two_prefixes_never_meet(redis_server: RedisServer) -> None:
    one, two = (
        open_store(f"{redis_server.url}/?prefix=apart{next(_numbers)}", "write") for _ in range(2)
    )
    _commit(one, b"one")
    assert two.read_records([_KEY]) == [None]
    one.close()
    two.close()


def test_a_generation_that_is_dropped_ends_within_a_minute_one_never_used_at_once(
    url: str, redis_server: RedisServer
) -> None:
    store = open_store(url, "write")
    _commit(store, b"old")
    number = begin_generation(url)
    assert read_generations(url).numbers == (1, 2)
    swap_generation(url, number)
    with pytest.raises(CommitConflictError, match="has taken over"):
        _commit(store, b"too late")
    store.close()
    with pytest.raises(ConfigError, match="in use"):
        drop_generation(url, number)
    drop_generation(url, 1)
    prefix = parse_address(url).prefix
    with redis_server.connect() as client:
        left = list(client.scan_iter(f"*{prefix}.g1s*", count=10_000))
        assert left
        assert all(0 < client.ttl(key) <= 60 for key in left)
        unused = begin_generation(url)
        with open_store(url, "write", generation=unused) as store:
            _commit(store, b"unused")
        drop_generation(url, unused)
        assert list(client.scan_iter(f"*{prefix}.g{unused}s*", count=10_000)) == []
    with open_store(url, "write"):
        assert read_generations(url).numbers == (number,)  # Opening brings no old one back.
    assert read_generations(url).numbers == (2,)


def test_a_cluster_sends_commands_to_the_node_that_has_the_slot(redis_cluster_url: str) -> None:
    url = f"{redis_cluster_url}/?prefix=moved{next(_numbers)}"
    with RedisFeatureStore.open_writer(url) as store:
        nodes = list(store._links._get_slots())
        _commit(store, b"record")
        # As if the slots had moved since: every node but the right one answers MOVED.
        store._links._slots = [nodes[0]] * len(nodes)
        assert store.read_records([_KEY]) == [b"record"]
        store._links._slots = [nodes[-1]] * len(nodes)
        assert _commit(store, b"second") == 2


def test_the_register_of_erasures_keeps_the_latest_time_and_no_key(url: str) -> None:
    keys = np.frombuffer(_KEY + _OTHER, np.uint8).reshape(2, -1)
    with RedisFeatureStore.open_writer(url) as store, RedisFeatureReader.open_reader(url) as reader:
        assert len(reader.read_erasures()) == 0
        store.add_erasure(_KEY, 5)
        store.add_erasure(_KEY, 3)
        assert reader.read_erasures().find_erased(keys, np.array([5, 5])).tolist() == [True, False]
        store.add_erasure(_OTHER, 7)
        erasures = reader.read_erasures()
        assert erasures.find_erased(keys, np.array([6, 7])).tolist() == [False, True]
        assert reader.read_erasures() is erasures  # Nothing is new: nothing is read.
        assert _KEY not in store.read_erasures().to_tombstones()
