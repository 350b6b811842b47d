"""The seen ledger of the embedded store: growth, splits, crashes and generations."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from features.errors import StoreUnavailableError
from features.store.port import SEEN_DTYPE, SEEN_GENERATION_US
from features.store.seen_segments import N_SLOTS, SEGMENT_BYTES
from features.store.seen_table import SeenLedger, SeenTable, list_generations, scan_ledger


def _make_entries(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
    entries = np.zeros(len(keys), SEEN_DTYPE)
    entries["content_hash"], entries["telling"] = keys | np.uint64(1), ~keys | np.uint64(1)
    return entries


def _find(table: SeenTable, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
    entries = np.zeros(len(keys), SEEN_DTYPE)
    table.find(keys, entries)
    return entries


def _insert(table: SeenTable, keys: npt.NDArray[np.uint64]) -> None:
    table.insert(keys, _make_entries(keys))


@pytest.mark.parametrize("kind", ["random", "ascending", "multiples of a power of two"])
def test_keys_of_any_pattern_are_found_again_and_no_others(tmp_path: Path, kind: str) -> None:
    n = 60_000
    keys = {
        "random": np.random.default_rng(1).integers(1, 2**64, n, dtype=np.uint64),
        "ascending": np.arange(1, n + 1, dtype=np.uint64),
        "multiples of a power of two": np.arange(1, n + 1, dtype=np.uint64) << np.uint64(40),
    }[kind]
    table = SeenTable(tmp_path / "0.seen")
    for start in range(0, n, 7_000):
        _insert(table, keys[start : start + 7_000])
    others = np.setdiff1d(keys + np.uint64(1), keys)
    assert (_find(table, keys) == _make_entries(keys)).all()
    assert not _find(table, others)["telling"].any()
    assert table.n_entries == n
    table.close()
    again = SeenTable(tmp_path / "0.seen")
    assert (_find(again, keys) == _make_entries(keys)).all()
    assert again.n_entries == n
    again.close()


def test_a_key_that_is_told_again_takes_no_room(tmp_path: Path) -> None:
    keys = np.arange(1, 1_001, dtype=np.uint64)
    table = SeenTable(tmp_path / "0.seen")
    for _ in range(20):
        _insert(table, keys)
    assert table.n_entries == 1_000
    assert (tmp_path / "0.seen").stat().st_size == 8 * SEGMENT_BYTES
    table.close()


def test_room_of_split_segments_is_given_back(tmp_path: Path) -> None:
    table = SeenTable(tmp_path / "0.seen")
    _insert(table, np.arange(1, 200_001, dtype=np.uint64))
    before = (tmp_path / "0.seen").stat().st_blocks
    table.release_emptied()
    assert (tmp_path / "0.seen").stat().st_blocks < 0.7 * before
    keys = np.arange(1, 200_001, dtype=np.uint64)
    assert (_find(table, keys) == _make_entries(keys)).all()
    table.close()


def test_a_process_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from features.store.port import SEEN_DTYPE\n"
        "from features.store.seen_table import SeenTable\n"
        "table = SeenTable(Path(sys.argv[1]))\n"
        "for start in range(1, 10**9, 1_000):\n"
        "    keys = np.arange(start, start + 1_000, dtype=np.uint64)\n"
        "    entries = np.zeros(1_000, SEEN_DTYPE)\n"
        "    entries['content_hash'] = keys | np.uint64(1)\n"
        "    entries['telling'] = ~keys | np.uint64(1)\n"
        "    table.insert(keys, entries)\n"
        "    table.release_emptied()\n"
        "    print(start + 999, flush=True)\n"
    )
    path = tmp_path / "0.seen"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        last = 0
        while last < 100_000:
            last = int(process.stdout.readline())
        process.kill()
        last = max([last, *(int(line) for line in process.stdout.read().split("\n")[:-1] if line)])
    table = SeenTable(path)
    keys = np.arange(1, last + 1, dtype=np.uint64)
    assert (_find(table, keys) == _make_entries(keys)).all()
    more = np.arange(last + 5_000, last + 50_000, dtype=np.uint64)
    _insert(table, more)
    assert (_find(table, more) == _make_entries(more)).all()
    table.close()


def test_a_slot_that_was_being_written_at_a_crash_counts_as_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "0.seen"
    table = SeenTable(path)
    _insert(table, np.array([7], np.uint64))
    table.close()
    words = np.fromfile(path, np.uint64)
    (place,) = np.flatnonzero(words[: N_SLOTS * 4].reshape(-1, 4)[1:, 0] == 7) + 1
    words[4 * place + 2] ^= np.uint64(0xFFFF)  # Half of the entry is an old one.
    words.tofile(path)
    again = SeenTable(path)
    assert not _find(again, np.array([7], np.uint64))["telling"].any()
    _insert(again, np.array([7], np.uint64))
    assert _find(again, np.array([7], np.uint64)) == _make_entries(np.array([7], np.uint64))
    again.close()


def test_a_split_that_a_crash_left_half_done_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "0.seen"
    table = SeenTable(path)
    keys = np.arange(1, 2_001, dtype=np.uint64)
    _insert(table, keys)
    table.close()
    whole = path.read_bytes()
    split = bytearray(whole)
    # Both halves written, the mark of the first not yet: what stands there is worth nothing.
    split[SEGMENT_BYTES : 3 * SEGMENT_BYTES] = b"\xa5" * (2 * SEGMENT_BYTES)
    split[SEGMENT_BYTES : SEGMENT_BYTES + 8] = bytes(8)
    path.write_bytes(split)
    again = SeenTable(path)
    more = np.arange(1, 20_001, dtype=np.uint64)
    _insert(again, more)
    assert (_find(again, more) == _make_entries(more)).all()
    again.close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.seen").write_bytes(b"no table" * 100_000)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        SeenTable(tmp_path / "0.seen")


def test_generations_are_files_of_their_own_and_dropped_whole(tmp_path: Path) -> None:
    ledger = SeenLedger(tmp_path / "seen")
    keys = np.arange(1, 4, dtype=np.uint64)
    times = np.array([0, SEEN_GENERATION_US, 5 * SEEN_GENERATION_US])
    ledger.insert(keys, _make_entries(keys), times)
    assert list_generations(tmp_path / "seen") == [0, 1, 5]
    ledger.drop_before(2)
    assert list_generations(tmp_path / "seen") == [5]
    assert ledger.find(keys)["telling"].astype(bool).tolist() == [False, False, True]
    ledger.close()


def test_a_scan_beside_the_writer_holds_all_that_was_there_when_it_began(tmp_path: Path) -> None:
    ledger = SeenLedger(tmp_path / "seen")
    first = np.arange(1, 30_001, dtype=np.uint64)
    ledger.insert(first, _make_entries(first), np.zeros(len(first), np.int64))
    found: dict[int, tuple[int, int]] = {}
    later = 40_000
    for _, keys, entries in scan_ledger(tmp_path / "seen"):
        found.update(zip(keys.tolist(), entries.tolist(), strict=True))
        more = np.arange(later, later + 3_000, dtype=np.uint64)
        if later < 200_000:  # Splits what has not been read yet.
            ledger.insert(more, _make_entries(more), np.zeros(len(more), np.int64))
            ledger.release_emptied()
            later += 3_000
    expected = dict(zip(first.tolist(), _make_entries(first).tolist(), strict=True))
    assert expected.items() <= found.items()
    ledger.close()


def test_a_ledger_that_was_copied_whole_is_the_same(tmp_path: Path) -> None:
    ledger = SeenLedger(tmp_path / "seen")
    keys = np.arange(1, 50_001, dtype=np.uint64)
    ledger.insert(keys, _make_entries(keys), np.zeros(len(keys), np.int64))
    ledger.flush()
    ledger.close()
    shutil.copytree(tmp_path / "seen", tmp_path / "copy")
    copy = SeenLedger(tmp_path / "copy")
    assert (copy.find(keys) == _make_entries(keys)).all()
    copy.close()
