"""What the LMDB adapter adds to the port: files, processes and their faults."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from features.errors import (
    CommitConflictError,
    SchemaMismatchError,
    StoreFullError,
    StoreLockedError,
    StoreUnavailableError,
)
from features.records.packing import PackedRecords
from features.store.generations import begin_generation, swap_generation
from features.store.key_codes import join_keys
from features.store.lmdb_environment import LmdbOptions
from features.store.lmdb_store import BOOT_KEY, LmdbFeatureReader
from features.store.lmdb_writer import LmdbFeatureStore
from features.store.port import FeatureStore, RecordCommit, ShardProgress
from features.store.schema import CURRENT_SCHEMA

_KEY = bytes([2]) + bytes(15)


def _put(store: FeatureStore, *records: tuple[bytes, bytes]) -> None:
    keys, blobs = zip(*records, strict=True)
    version = store.read_shard_state(2).version
    packed = PackedRecords.from_blobs(blobs)
    store.commit_records([RecordCommit(2, version, join_keys(keys), packed, ShardProgress())])


def _write(path: Path, record: bytes = b"record", n_more: int = 0) -> None:
    with LmdbFeatureStore.open_writer(path) as store:
        more = [(bytes([2]) + n.to_bytes(15, "big"), bytes(500)) for n in range(1, n_more + 1)]
        _put(store, (_KEY, record), *more)


def _file(path: Path, name: str = "data.mdb") -> Path:
    return path / "generations" / "0001" / name


def _make_large(n: int) -> list[tuple[bytes, bytes]]:
    """Return `n` MiB of records."""
    return [(bytes([2, 1]) + number.to_bytes(14, "big"), bytes(1 << 18)) for number in range(4 * n)]


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    imports = (
        "import sys\n"
        "import numpy as np\n"
        "from features.errors import *\n"
        "from features.records.packing import PackedRecords\n"
        "from features.store.key_codes import join_keys\n"
        "from features.store.lmdb_store import LmdbFeatureReader\n"
        "from features.store.lmdb_writer import LmdbFeatureStore\n"
        "from features.store.lmdb_environment import LmdbOptions\n"
        "from features.store.port import *\n"
        "def put(store, key, record, n=1):\n"
        "    version = store.read_shard_state(2).version\n"
        "    keys = [key] + [bytes([2, 1]) + k.to_bytes(14, 'big') for k in range(1, n)]\n"
        "    packed = PackedRecords.from_blobs([record] * n)\n"
        "    store.commit_records(\n"
        "        [RecordCommit(2, version, join_keys(keys), packed, ShardProgress())])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", imports + code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def _start_reader(path: Path) -> Iterator[Callable[[bytes], str]]:
    """Start a process that reads the store; call what is yielded to have it read a record."""
    code = (
        "import sys\n"
        "from features.store.lmdb_store import LmdbFeatureReader\n"
        "reader = LmdbFeatureReader.open_reader(sys.argv[1])\n"
        "for line in sys.stdin:\n"
        "    print(reader.read_records([bytes.fromhex(line)])[0], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def ask(key: bytes) -> str:
            questions.write(key.hex() + "\n")
            questions.flush()
            return answers.readline().strip()

        yield ask
        questions.close()


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    _write(tmp_path)
    with LmdbFeatureReader.open_reader(tmp_path) as reader:
        assert reader.read_records([_KEY]) == [b"record"]
        assert reader.read_shard_state(2).version == 1


def test_the_files_take_the_room_of_their_content_not_of_the_upper_bound(tmp_path: Path) -> None:
    _write(tmp_path)
    assert _file(tmp_path).stat().st_size < 1 << 20
    assert _file(tmp_path, "records.heap").stat().st_size == 2 << 20


def test_a_reader_in_another_process_sees_each_commit_while_the_writer_runs(tmp_path: Path) -> None:
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        _put(store, (_KEY, b"first"))
        with _start_reader(tmp_path) as ask:
            answers = [ask(_KEY)]
            for record in (b"second", b"third"):
                _put(store, (_KEY, record))
                answers.append(ask(_KEY))
    assert answers == ["b'first'", "b'second'", "b'third'"]


def test_a_reader_follows_when_a_later_writer_enlarges_the_map(tmp_path: Path) -> None:
    with LmdbFeatureStore.open_writer(tmp_path, LmdbOptions(map_size_bytes=8 << 20)) as store:
        _put(store, (_KEY, b"small"))
    with _start_reader(tmp_path) as ask:
        answers = [ask(_KEY)]
        with LmdbFeatureStore.open_writer(tmp_path, LmdbOptions(map_size_bytes=32 << 20)) as store:
            _put(store, *_make_large(12))
            _put(store, (_KEY, b"large"))
        answers.append(ask(_KEY))
    assert answers == ["b'small'", "b'large'"]


def test_a_second_writer_is_refused_with_the_first_ones_process_id(tmp_path: Path) -> None:
    with LmdbFeatureStore.open_writer(tmp_path):
        second = _run(
            "try:\n    LmdbFeatureStore.open_writer(sys.argv[1])\n"
            "except StoreLockedError as error:\n    print(error)\n",
            str(tmp_path),
        )
        assert f"held by process {os.getpid()}" in second.stdout, second.stderr
        with pytest.raises(StoreLockedError, match="wait for process"):
            LmdbFeatureStore.open_writer(tmp_path)
    _write(tmp_path)  # The lock went with the first writer.


def test_the_lock_of_a_killed_writer_does_not_bar_the_next(tmp_path: Path) -> None:
    killed = _run(
        "import os, signal\n"
        "store = LmdbFeatureStore.open_writer(sys.argv[1])\n"
        f"put(store, {_KEY!r}, b'kept')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
        str(tmp_path),
    )
    assert killed.returncode == -9
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        assert store.read_records([_KEY]) == [b"kept"]


def test_a_store_of_another_schema_is_refused_with_the_way_to_rebuild(tmp_path: Path) -> None:
    _write(tmp_path)
    version = CURRENT_SCHEMA.record_version + 1
    newer = msgspec.structs.replace(CURRENT_SCHEMA, record_version=version, record_layout="other")
    for opener in (LmdbFeatureStore.open_writer, LmdbFeatureReader.open_reader):
        with pytest.raises(SchemaMismatchError) as caught:
            opener(tmp_path, schema=newer)
        assert caught.value.field == "record_version, record_layout"
        assert caught.value.expectation == f"{version}, other"
        assert "hemostat store rebuild" in caught.value.fix
    _write(tmp_path)  # Refusing changed nothing, and let go of the lock.


def test_reading_where_there_is_no_store_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(StoreUnavailableError, match="hemostat stream"):
            LmdbFeatureReader.open_reader(path)
    assert list(tmp_path.iterdir()) == []


def test_a_store_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailableError, match="Not a directory"):
        LmdbFeatureStore.open_writer(tmp_path / "file" / "store")


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["records.heap", "records.index"])
def test_a_truncated_file_of_records_is_an_error_and_not_a_crash(
    tmp_path: Path, name: str, keep: float
) -> None:
    _write(tmp_path, n_more=500)
    file = _file(tmp_path, name)
    os.truncate(file, int(file.stat().st_size * keep))
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError, match="truncated or damaged"):
            opener(tmp_path)


@pytest.mark.parametrize("name", ["records.heap", "records.index"])
def test_a_file_of_records_that_has_gone_is_an_error(tmp_path: Path, name: str) -> None:
    _write(tmp_path, n_more=500)
    _file(tmp_path, name).unlink()
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError):
            opener(tmp_path)


@pytest.mark.parametrize("name", ["records.heap", "records.index"])
def test_garbage_among_the_records_is_an_error_and_not_a_crash(tmp_path: Path, name: str) -> None:
    _write(tmp_path, n_more=500)
    file = _file(tmp_path, name)
    content = bytearray(file.read_bytes())
    for start in range(64, len(content), 512):
        content[start : start + 64] = b"\xa5" * 64
    file.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="truncated or damaged"):
        LmdbFeatureStore.open_writer(tmp_path)
    with LmdbFeatureReader.open_reader(tmp_path) as reader:
        for number in range(1, 501):
            try:
                found = reader.read_records([bytes([2]) + number.to_bytes(15, "big")])
            except StoreUnavailableError as error:
                assert "truncated or damaged" in str(error)  # noqa: PT017
            else:
                # A stored form's own bytes are for whoever unpacks it to doubt.
                assert found == [None] or len(found[0] or b"") == 500


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_an_error_and_not_a_crash(tmp_path: Path, keep: float) -> None:
    _write(tmp_path, n_more=500)
    file = _file(tmp_path)
    with LmdbFeatureReader.open_reader(tmp_path) as reader:  # The rest is room, not content.
        used = 4096 * (reader._environment.info()["last_pgno"] + 1)
    os.truncate(file, int(used * keep))
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        if keep == 0.0 and opener == LmdbFeatureStore.open_writer:
            continue  # An empty file is how LMDB begins: a new store.
        with pytest.raises(StoreUnavailableError):
            opener(tmp_path)


def test_a_file_of_garbage_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path)
    _file(tmp_path).write_bytes(b"no LMDB file " * 5000)
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError, match=r"data\.mdb|not an LMDB"):
            opener(tmp_path)


def test_garbage_in_a_page_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    _write(tmp_path, n_more=500)
    file = _file(tmp_path)
    content = bytearray(file.read_bytes())
    for start in range(3 * 4096, len(content), 4096):  # Every page but the meta pages.
        content[start : start + 64] = b"\xa5" * 64
    file.write_bytes(content)
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError, match="truncated or damaged"):
            opener(tmp_path)


def test_a_full_map_refuses_the_batch_and_keeps_what_was_there(tmp_path: Path) -> None:
    options = LmdbOptions(map_size_bytes=8 << 20)
    batch = [(_KEY, b"new"), *_make_large(10)]
    with LmdbFeatureStore.open_writer(tmp_path, options) as store:
        _put(store, (_KEY, b"kept"))
        with pytest.raises(StoreFullError, match="--map-size-gib"):
            _put(store, *batch)
        assert store.read_records([_KEY, batch[1][0]]) == [b"kept", None]
        assert store.read_shard_state(2).version == 1
    with LmdbFeatureStore.open_writer(tmp_path, LmdbOptions(map_size_bytes=32 << 20)) as store:
        _put(store, *batch)
        assert store.read_records([_KEY, batch[1][0]]) == [b"new", bytes(1 << 18)]
        assert store.read_shard_state(2).version == 2


@pytest.mark.parametrize("durable", ["", "durable"])
def test_a_full_disk_refuses_the_batch_and_the_store_goes_on_once_there_is_room(
    tmp_path: Path, durable: str
) -> None:
    # A limit on file sizes stands in for a full disk: the same failing writes.
    outcome = _run(
        "import resource\n"
        f"key = {_KEY!r}\n"
        "options = LmdbOptions(is_synced=bool(sys.argv[2]))\n"
        "store = LmdbFeatureStore.open_writer(sys.argv[1], options)\n"
        "put(store, key, b'kept')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    put(store, key, bytes(1 << 18), 64)\n"
        "except StoreUnavailableError as error:\n"
        "    print('refused', error)\n"
        "assert store.read_records([key]) == [b'kept']\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))\n"
        "put(store, key, bytes(1 << 18), 64)\n"
        "store.close()\n",
        str(tmp_path),
        durable,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("refused the disk is full")
    with LmdbFeatureReader.open_reader(tmp_path) as reader:
        assert reader.read_records([_KEY]) == [bytes(1 << 18)]


def test_seen_events_survive_a_full_disk_and_go_on_once_there_is_room(tmp_path: Path) -> None:
    outcome = _run(
        "import resource\n"
        "def remember(store, version, first):\n"
        "    keys = np.arange(first, first + 20_000, dtype=np.uint64) << np.uint64(4)\n"
        "    entries = np.ones(len(keys), SEEN_DTYPE)\n"
        "    times = np.zeros(len(keys), np.int64)\n"
        "    store.commit_seen([SeenCommit(0, version, keys, entries, times, ShardProgress())])\n"
        "store = LmdbFeatureStore.open_writer(sys.argv[1])\n"
        "remember(store, 0, 1)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    remember(store, 1, 50_000)\n"
        "except StoreUnavailableError as error:\n"
        "    print('refused', error)\n"
        "assert store.read_seen_state(0).version == 1\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))\n"
        "remember(store, 1, 50_000)\n"
        "keys = np.arange(1, 70_000, dtype=np.uint64) << np.uint64(4)\n"
        "assert (store.read_seen(keys)['telling'] == 1).sum() == 40_000\n"
        "store.close()\n",
        str(tmp_path),
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("refused the disk is full")


def test_a_store_that_was_written_when_the_machine_went_down_is_refused(tmp_path: Path) -> None:
    environment = LmdbFeatureStore.open_writer(tmp_path)
    with environment._environment.begin(write=True, db=environment._meta) as transaction:
        transaction.put(BOOT_KEY, b"an earlier run of the machine")
    environment._environment.close()
    environment._lock.release()
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError, match="the machine went down"):
            opener(tmp_path)


def test_a_store_that_was_closed_is_not_marked_as_unsafe(tmp_path: Path) -> None:
    _write(tmp_path)
    with LmdbFeatureReader.open_reader(tmp_path) as reader:
        assert reader._environment.begin(db=reader._meta).get(BOOT_KEY) is None


def test_a_durable_writer_follows_one_that_was_not_and_the_reverse(tmp_path: Path) -> None:
    for number, is_synced in enumerate([False, True, False, True]):
        key = bytes([2]) + number.to_bytes(15, "big")
        options = LmdbOptions(is_synced=is_synced)
        with LmdbFeatureStore.open_writer(tmp_path, options) as store:
            _put(store, (key, bytes(3 << 17)))
            assert store.read_shard_state(2).version == number + 1


def test_a_writer_of_a_generation_that_was_replaced_is_refused(tmp_path: Path) -> None:
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        _put(store, (_KEY, b"old"))
        swap_generation(tmp_path, begin_generation(tmp_path))
        with pytest.raises(CommitConflictError, match="has taken over"):
            _put(store, (_KEY, b"too late"))
        assert store.read_records([_KEY]) == [b"old"]
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        assert store.read_records([_KEY]) == [None]
        _put(store, (_KEY, b"new"))


def test_opening_a_store_twice_in_one_process_says_what_to_do_instead(tmp_path: Path) -> None:
    twice = pytest.raises(StoreUnavailableError, match="pass the open one on")
    with LmdbFeatureStore.open_writer(tmp_path), twice:
        LmdbFeatureReader.open_reader(tmp_path)
    with LmdbFeatureReader.open_reader(tmp_path), pytest.raises(StoreUnavailableError):
        LmdbFeatureStore.open_writer(tmp_path)
    _write(tmp_path)
