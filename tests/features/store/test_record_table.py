"""Records in mapped files: what a reader sees, what a crash leaves, what room is used again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from features.records.packing import PackedRecords
from features.store.key_codes import join_keys, split_keys
from features.store.lmdb_store import LmdbFeatureReader
from features.store.lmdb_writer import LmdbFeatureStore
from features.store.port import RecordCommit, ShardProgress
from features.store.record_scrub import scrub_records
from features.store.record_table import HEAP_NAME, INDEX_NAME, RecordTable
from features.store.record_words import MAX_RECORD_BYTES, SEGMENT_BYTES
from features.store.record_writer import RecordTableWriter

_LARGE = 1 << 40
_SHARD = 5


def _make_keys(n: int, seed: int = 1) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    keys[:, 0] = (keys[:, 0] & 0xF0) | _SHARD
    return join_keys(sorted(split_keys(keys)))


def _make_blobs(n: int, seed: int, size: int = 300) -> list[bytes]:
    draws = random.Random(seed)
    return [draws.randbytes(draws.randrange(1, 2 * size)) for _ in range(n)]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[RecordTableWriter]:
    opened = RecordTableWriter(tmp_path, 0, _LARGE, is_synced=False)
    yield opened
    opened.close()


def _commit(
    table: RecordTableWriter,
    commit: int,
    keys: npt.NDArray[np.uint8],
    blobs: list[bytes],
    oldest: int | None = None,
) -> None:
    oldest = commit - 1 if oldest is None else oldest
    table.append(commit, keys, PackedRecords.from_blobs(blobs), oldest)
    table.publish(commit, oldest)
    table.finish()


def _read(table: RecordTable, keys: npt.NDArray[np.uint8], snapshot: int) -> list[bytes]:
    return table.read(keys, snapshot).to_blobs()


def test_each_state_stays_readable_while_somebody_may_read_it(table: RecordTableWriter) -> None:
    keys = _make_keys(200)
    states = [_make_blobs(200, seed) for seed in range(1, 40)]
    for commit, blobs in enumerate(states, 1):
        _commit(table, commit, keys, blobs, oldest=0)
    for commit, blobs in enumerate(states, 1):
        assert _read(table, keys, commit) == blobs
    assert _read(table, keys, 0) == [b""] * 200


def test_a_reader_of_its_own_sees_the_same_also_of_files_that_grew_since(
    table: RecordTableWriter, tmp_path: Path
) -> None:
    reader = RecordTable(tmp_path, 0)
    for commit, n in enumerate([1, 50, 20_000], 1):  # The last needs a larger index and heap.
        keys, blobs = _make_keys(n, seed=n), _make_blobs(n, commit)
        _commit(table, commit, keys, blobs)
        assert _read(reader, keys, commit) == blobs
        assert _read(reader, keys, commit - 1) == [b""] * n
        found = [split_keys(chunk) for chunk, _ in reader.scan(_SHARD, commit)]
        assert set(split_keys(keys)) <= {key for chunk in found for key in chunk}
    reader.close()


def test_a_scan_yields_all_records_of_a_shard_in_order_and_no_other(
    table: RecordTableWriter,
) -> None:
    keys, others = _make_keys(9_000), _make_keys(100, seed=3)
    others = others ^ np.array([1] + 15 * [0], np.uint8)
    blobs = _make_blobs(9_000, 1, size=20)
    _commit(table, 1, np.concatenate([keys, others]), blobs + _make_blobs(100, 2))
    chunks = list(table.scan(_SHARD, 1))
    assert np.array_equal(np.concatenate([chunk for chunk, _ in chunks]), keys)
    assert [blob for _, packed in chunks for blob in packed.to_blobs()] == blobs
    assert [len(chunk) for chunk, _ in table.scan(_SHARD ^ 1, 1)] == [100]
    assert list(table.scan(_SHARD, 0)) == []


@pytest.mark.parametrize("is_published", [False, True])
def test_what_was_written_for_a_commit_that_never_came_is_taken_back(
    table: RecordTableWriter, tmp_path: Path, is_published: bool
) -> None:
    keys, blobs = _make_keys(500), _make_blobs(500, 1)
    _commit(table, 1, keys[:400], blobs[:400])
    table.append(2, keys[200:], PackedRecords.from_blobs(_make_blobs(300, 2)), 1)
    if is_published:
        table.publish(2, 1)
    assert _read(table, keys, 1) == blobs[:400] + [b""] * 100
    table.close()  # As if the process had died.

    again = RecordTableWriter(tmp_path, 1, _LARGE, is_synced=False)
    assert _read(again, keys, 2) == blobs[:400] + [b""] * 100
    # The next commit gets the number of the one that never came.
    newer = _make_blobs(500, 3)
    _commit(again, 2, keys, newer)
    assert _read(again, keys, 2) == newer
    again.close()


def test_a_new_key_whose_slot_was_half_written_is_no_damage(
    table: RecordTableWriter, tmp_path: Path
) -> None:
    keys, blobs = _make_keys(50), _make_blobs(50, 1)
    _commit(table, 1, keys[:49], blobs[:49])
    table.append(2, keys[49:], PackedRecords.from_blobs(blobs[49:]), 1)
    table.publish(2, 1)
    slots = table._view.slots.reshape(-1, 4)
    (place,) = np.flatnonzero((slots[:, :2] == keys[49:].view(np.uint64)).all(axis=1))
    slots[place, 1] = 0
    table.close()
    again = RecordTableWriter(tmp_path, 1, _LARGE, is_synced=False)
    assert _read(again, keys, 1) == [*blobs[:49], b""]
    _commit(again, 2, keys[49:], blobs[49:])
    assert _read(again, keys, 2) == blobs
    again.close()


def test_records_written_over_and_over_take_bounded_room(
    table: RecordTableWriter, tmp_path: Path
) -> None:
    keys, draws = _make_keys(20_000), random.Random(4)
    held = _make_blobs(20_000, 0)
    _commit(table, 1, keys, held)
    n_live = sum(map(len, held))
    for commit in range(2, 400):
        places = sorted(draws.sample(range(20_000), 1_000))
        blobs = _make_blobs(1_000, commit)
        for place, blob in zip(places, blobs, strict=True):
            held[place] = blob
        _commit(table, commit, keys[places], blobs)
    assert _read(table, keys, 399) == held
    written = n_live + 398 * 300_000
    size = (tmp_path / HEAP_NAME).stat().st_size
    assert written > 3 * size
    assert size < 2 * n_live + 16 * SEGMENT_BYTES


def test_room_is_not_used_again_while_a_reader_needs_it(
    table: RecordTableWriter, tmp_path: Path
) -> None:
    keys, first = _make_keys(10_000), _make_blobs(10_000, 1)
    _commit(table, 1, keys, first)
    for commit in range(2, 30):
        _commit(table, commit, keys, _make_blobs(10_000, commit), oldest=1)
    assert _read(table, keys, 1) == first
    grown = (tmp_path / HEAP_NAME).stat().st_size
    for commit in range(30, 60):
        _commit(table, commit, keys, _make_blobs(10_000, commit))
    assert (tmp_path / HEAP_NAME).stat().st_size == grown


def test_deleted_records_are_gone_for_later_states_only(
    table: RecordTableWriter, tmp_path: Path
) -> None:
    keys, blobs = _make_keys(100), _make_blobs(100, 1)
    _commit(table, 1, keys, blobs)
    _commit(table, 2, keys[::2], [b""] * 50, oldest=0)
    assert _read(table, keys, 1) == blobs
    assert _read(table, keys, 2)[::2] == [b""] * 50
    assert len(table.list_keys(_SHARD, 2)) == 50
    table.close()
    again = RecordTableWriter(tmp_path, 2, _LARGE, is_synced=False)
    assert _read(again, keys, 2)[1::2] == blobs[1::2]
    _commit(again, 3, keys[:1], [b"back"])
    assert _read(again, keys[:2], 3) == [b"back", blobs[1]]
    again.close()


def test_keys_that_come_and_go_do_not_fill_the_index(
    table: RecordTableWriter, tmp_path: Path
) -> None:
    for commit in range(1, 200, 2):
        keys = _make_keys(500, seed=commit)
        _commit(table, commit, keys, _make_blobs(500, commit, size=2_000))
        _commit(table, commit + 1, keys, [b""] * 500)
    assert (tmp_path / INDEX_NAME).stat().st_size <= 32 * 65_536
    assert len(table.list_keys(_SHARD, 200)) == 0


def test_a_record_larger_than_any_can_be_is_refused(table: RecordTableWriter) -> None:
    with pytest.raises(ValueError, match=str(MAX_RECORD_BYTES)):
        table.append(1, _make_keys(1), PackedRecords.from_blobs([bytes(MAX_RECORD_BYTES + 1)]), 0)
    _commit(table, 1, _make_keys(3), [bytes(MAX_RECORD_BYTES)] * 3)
    assert _read(table, _make_keys(3), 1) == [bytes(MAX_RECORD_BYTES)] * 3


def _put(store: LmdbFeatureStore, keys: npt.NDArray[np.uint8], blobs: list[bytes]) -> None:
    version = store.read_shard_state(_SHARD).version
    packed = PackedRecords.from_blobs(blobs)
    store.commit_records([RecordCommit(_SHARD, version, keys, packed, ShardProgress())])


@pytest.mark.parametrize("moment", ["_publish", "_find_free", "_clean"])
def test_a_writer_killed_within_a_commit_leaves_the_state_before(
    tmp_path: Path, moment: str
) -> None:
    keys, blobs = _make_keys(3_000), _make_blobs(3_000, 1)
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        _put(store, keys, blobs)
    code = (
        "import os, signal, sys\n"
        "import numpy as np\n"
        "from features.records.packing import PackedRecords\n"
        "from features.store.lmdb_writer import LmdbFeatureStore\n"
        "from features.store.port import RecordCommit, ShardProgress\n"
        "from features.store.record_writer import RecordTableWriter\n"
        "keys = np.load(sys.argv[2])\n"
        "store = LmdbFeatureStore.open_writer(sys.argv[1])\n"
        f"step = RecordTableWriter.{moment}\n"
        "def die(self, *args):\n"
        "    step(self, *args)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"RecordTableWriter.{moment} = die\n"
        "packed = PackedRecords.from_blobs([b'lost' * 50] * len(keys))\n"
        f"version = store.read_shard_state({_SHARD}).version\n"
        f"store.commit_records([RecordCommit({_SHARD}, version, keys, packed, ShardProgress())])\n"
    )
    np.save(tmp_path / "keys.npy", keys)
    for _ in range(2):  # The second one gets the same number of commit.
        words = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "keys.npy")]
        killed = subprocess.run(words, capture_output=True, check=False, timeout=120)
        assert killed.returncode == -9, killed.stderr
        with LmdbFeatureReader.open_reader(tmp_path) as reader:  # Before anybody repairs it.
            assert reader.read_packed(keys).to_blobs() == blobs
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        assert store.read_packed(keys).to_blobs() == blobs
        assert store.read_shard_state(_SHARD).version == 1


def _find(folder: Path, *wanted: bytes) -> list[str]:
    return [
        path.name
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(each in path.read_bytes() for each in wanted)
    ]


def test_nothing_of_deleted_and_replaced_records_is_left_after_a_scrub(tmp_path: Path) -> None:
    keys, old = _make_keys(4_000), _make_blobs(4_000, 1)
    new = _make_blobs(4_000, 2)
    folder = tmp_path / "generations" / "0001"
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        _put(store, keys, old)
        _put(store, keys, new)
        version = store.read_shard_state(_SHARD).version
        store.delete_records(_SHARD, version, keys[:40])
    gone = [key.tobytes() for key in keys[:40]]
    traces = [blob[-24:] for blob in old + new[:40] if len(blob) >= 24]
    assert _find(folder, *gone) == [HEAP_NAME, INDEX_NAME]

    assert scrub_records(folder) > 0

    assert _find(folder, *gone, *traces) == []
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        assert store.read_packed(keys).to_blobs() == [b""] * 40 + new[40:]
        _put(store, keys, old)  # It is written on as before.
        _put(store, keys, new)
        assert store.read_packed(keys).to_blobs() == new
    assert scrub_records(folder) > 0
    assert scrub_records(folder) == 0


def test_a_writer_goes_on_while_another_process_scrubs(tmp_path: Path) -> None:
    keys = _make_keys(2_000)
    folder = tmp_path / "generations" / "0001"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from features.store.record_scrub import scrub_records\n"
        "print(scrub_records(Path(sys.argv[1])))\n"
    )
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        for seed in range(5):
            _put(store, keys, _make_blobs(2_000, seed))
        with subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE
        ) as scrubbing:
            seed = 5
            while scrubbing.poll() is None:
                _put(store, keys, _make_blobs(2_000, seed))
                assert store.read_packed(keys).to_blobs() == _make_blobs(2_000, seed)
                seed += 1
            assert scrubbing.stdout is not None
            assert int(scrubbing.stdout.read()) > 0
        for more in range(seed, seed + 20):
            _put(store, keys, _make_blobs(2_000, more))
            assert store.read_packed(keys).to_blobs() == _make_blobs(2_000, more)
    with LmdbFeatureReader.open_reader(tmp_path) as reader:
        assert reader.read_packed(keys).to_blobs() == _make_blobs(2_000, seed + 19)


def test_readers_in_other_processes_see_whole_commits_only(tmp_path: Path) -> None:
    keys = _make_keys(300)
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from features.store.lmdb_store import LmdbFeatureReader\n"
        "keys = np.load(sys.argv[2])\n"
        "reader = LmdbFeatureReader.open_reader(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "states = set()\n"
        "while len(states) == 0 or max(states) < 199:\n"
        "    found = {blob[:8] for blob in reader.read_packed(keys).to_blobs()}\n"
        "    assert len(found) == 1, found\n"
        "    states.add(int.from_bytes(found.pop(), 'little'))\n"
        "print(len(states))\n"
    )
    np.save(tmp_path / "keys.npy", keys)
    with LmdbFeatureStore.open_writer(tmp_path) as store:
        _put(store, keys, [bytes(8)] * 300)
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "keys.npy")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as reading:
            assert reading.stdout is not None
            assert reading.stderr is not None
            assert reading.stdout.readline() == b"open\n", reading.stderr.read()
            for number in range(1, 200):
                _put(store, keys, [number.to_bytes(8, "little") * (1 + number % 90)] * 300)
            seen = reading.stdout.read()
            assert reading.wait() == 0, reading.stderr.read()
    assert int(seen) > 3


def test_a_disk_that_is_full_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from features.records.packing import PackedRecords\n"
        "from features.store.record_writer import RecordTableWriter\n"
        "table = RecordTableWriter(Path(sys.argv[1]), 0, 1 << 40, is_synced=False)\n"
        "keys = np.random.default_rng(1).integers(0, 256, (40_000, 16), dtype=np.uint8)\n"
        "table.append(1, keys[:9], PackedRecords.from_blobs([b'kept'] * 9), 0)\n"
        "table.publish(1, 0)\n"
        "table.finish()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))\n"
        "packed = PackedRecords.from_blobs([bytes(600)] * len(keys))\n"
        "try:\n"
        "    table.append(2, keys, packed, 1)\n"
        "    table.publish(2, 1)\n"
        "except OSError as error:\n"
        "    print('full', error.errno)\n"
        "    table.settle(1)\n"
        "assert table.read(keys[:10], 1).to_blobs() == [b'kept'] * 9 + [b'']\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))\n"
        "table.append(2, keys, packed, 1)\n"
        "table.publish(2, 1)\n"
        "assert table.read(keys, 2).to_blobs() == [bytes(600)] * len(keys)\n"
    )
    # Room for nothing more, for half of the heap, for the heap but not for a larger index.
    for number, limit in enumerate([100_000, 15 << 20, 1 << 17]):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = subprocess.run(
            [sys.executable, "-c", code, str(folder), str(limit)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ},
        )
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == "full 27\n"
