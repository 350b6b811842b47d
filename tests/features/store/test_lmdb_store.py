"""What the LMDB adapter adds to the port: files, processes and their faults."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.errors import SchemaMismatchError, StoreLockedError, StoreUnavailableError
from features.store.lmdb_environment import LmdbOptions
from features.store.lmdb_store import LmdbFeatureReader, LmdbFeatureStore
from features.store.port import SeenEvents, ShardProgress
from features.store.schema import CURRENT_SCHEMA

_KEY = bytes([2]) + bytes(15)


def _write(path: Path, record: bytes = b"record", n_more: int = 0) -> None:
    with LmdbFeatureStore.open_writer(path) as store:
        version = store.read_shard_state(2).version
        more = [(bytes([2]) + n.to_bytes(15, "big"), bytes(500)) for n in range(1, n_more + 1)]
        store.commit(2, version, [(_KEY, record), *more], SeenEvents.empty(), ShardProgress())


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    imports = (
        "import sys\n"
        "from features.errors import *\n"
        "from features.store.lmdb_store import LmdbFeatureReader, LmdbFeatureStore\n"
        "from features.store.port import *\n"
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


def test_the_file_takes_the_room_of_its_content_not_of_its_map(tmp_path: Path) -> None:
    _write(tmp_path)
    assert (tmp_path / "features" / "data.mdb").stat().st_size < 200_000


def test_a_reader_in_another_process_sees_each_commit_while_the_writer_runs(tmp_path: Path) -> None:
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        store.commit(2, 0, [(_KEY, b"first")], SeenEvents.empty(), ShardProgress())
        with _start_reader(tmp_path) as ask:
            answers = [ask(_KEY)]
            for version, record in enumerate([b"second", b"third"], start=1):
                store.commit(2, version, [(_KEY, record)], SeenEvents.empty(), ShardProgress())
                answers.append(ask(_KEY))
    assert answers == ["b'first'", "b'second'", "b'third'"]


def test_a_reader_follows_when_a_later_writer_enlarges_the_map(tmp_path: Path) -> None:
    with LmdbFeatureStore.open_writer(tmp_path, LmdbOptions(map_size_bytes=1 << 20)) as store:
        store.commit(2, 0, [(_KEY, b"small")], SeenEvents.empty(), ShardProgress())
    with _start_reader(tmp_path) as ask:
        answers = [ask(_KEY)]
        with LmdbFeatureStore.open_writer(tmp_path, LmdbOptions(map_size_bytes=32 << 20)) as store:
            other = bytes([2]) + b"\x01" * 15
            store.commit(2, 1, [(other, bytes(8 << 20))], SeenEvents.empty(), ShardProgress())
            store.commit(2, 2, [(_KEY, b"large")], SeenEvents.empty(), ShardProgress())
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
        f"store.commit(2, 0, [({_KEY!r}, b'kept')], SeenEvents.empty(), ShardProgress())\n"
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
        assert "hemostat stream LOG --store NEW" in caught.value.fix
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
def test_a_truncated_file_is_an_error_and_not_a_crash(tmp_path: Path, keep: float) -> None:
    _write(tmp_path, n_more=500)
    file = tmp_path / "features" / "data.mdb"
    os.truncate(file, int(file.stat().st_size * keep))
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        if keep == 0.0 and opener == LmdbFeatureStore.open_writer:
            continue  # An empty file is how LMDB begins: a new store.
        with pytest.raises(StoreUnavailableError):
            opener(tmp_path)


def test_a_file_of_garbage_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "features" / "data.mdb").write_bytes(b"no LMDB file " * 5000)
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError, match=r"data\.mdb|not an LMDB"):
            opener(tmp_path)


def test_garbage_in_a_page_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    _write(tmp_path, n_more=500)
    file = tmp_path / "features" / "data.mdb"
    content = bytearray(file.read_bytes())
    for start in range(3 * 4096, len(content), 4096):  # Every page but the meta pages.
        content[start : start + 64] = b"\xa5" * 64
    file.write_bytes(content)
    for opener in (LmdbFeatureReader.open_reader, LmdbFeatureStore.open_writer):
        with pytest.raises(StoreUnavailableError, match="truncated or damaged"):
            opener(tmp_path)


def test_a_full_map_refuses_the_batch_and_keeps_what_was_there(tmp_path: Path) -> None:
    options = LmdbOptions(map_size_bytes=1 << 20)
    with LmdbFeatureStore.open_writer(tmp_path, options) as store:
        store.commit(2, 0, [(_KEY, b"kept")], SeenEvents.empty(), ShardProgress())
        with pytest.raises(StoreUnavailableError, match="--map-size-gib"):
            store.commit(2, 1, [(_KEY, bytes(2 << 20))], SeenEvents.empty(), ShardProgress())
        assert store.read_records([_KEY]) == [b"kept"]
        assert store.read_shard_state(2).version == 1
    with LmdbFeatureStore.open_writer(tmp_path, LmdbOptions(map_size_bytes=8 << 20)) as store:
        assert store.commit(2, 1, [(_KEY, bytes(2 << 20))], SeenEvents.empty(), ShardProgress())


def test_a_full_disk_refuses_the_batch_and_the_store_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    # A limit on file sizes stands in for a full disk: the same failing writes.
    outcome = _run(
        "import resource\n"
        f"key = {_KEY!r}\n"
        "store = LmdbFeatureStore.open_writer(sys.argv[1])\n"
        "store.commit(2, 0, [(key, b'kept')], SeenEvents.empty(), ShardProgress())\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    store.commit(2, 1, [(key, bytes(1 << 20))], SeenEvents.empty(), ShardProgress())\n"
        "except StoreUnavailableError as error:\n"
        "    print('refused', error)\n"
        "assert store.read_records([key]) == [b'kept']\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))\n"
        "store.commit(2, 1, [(key, bytes(1 << 20))], SeenEvents.empty(), ShardProgress())\n"
        "store.close()\n",
        str(tmp_path),
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("refused the disk is full")
    with LmdbFeatureReader.open_reader(tmp_path) as reader:
        assert reader.read_records([_KEY]) == [bytes(1 << 20)]


def test_opening_a_store_twice_in_one_process_says_what_to_do_instead(tmp_path: Path) -> None:
    twice = pytest.raises(StoreUnavailableError, match="pass the open one on")
    with LmdbFeatureStore.open_writer(tmp_path), twice:
        LmdbFeatureReader.open_reader(tmp_path)
    with LmdbFeatureReader.open_reader(tmp_path), pytest.raises(StoreUnavailableError):
        LmdbFeatureStore.open_writer(tmp_path)
    _write(tmp_path)


def test_seen_keys_at_the_ends_of_their_range_survive(tmp_path: Path) -> None:
    keys = np.array([2**64 - 1, 1, 2**63], np.uint64)
    seen = SeenEvents(keys, np.array([1, 2, 2**64 - 1], np.uint64), np.zeros(3, np.int64))
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        store.commit(15, 0, [], seen, ShardProgress())
        assert store.read_seen(15, keys).tolist() == [1, 2, 2**64 - 1]
