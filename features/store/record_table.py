"""The records of the embedded store: mapped files that many processes read and one writes.

A batch changes tens of thousands of records at random places. In a tree of pages each
of them costs the search for its page and a copy of it; here one cache line of an index
and an append (see `features.store.record_words` for the layout).

| file | what it holds |
|---|---|
| `records.heap` | versions of records, in segments of 1 MiB |
| `records.index` | key to its newest version |

Which commits count is not said here: LMDB's transaction of the same store does that,
and its number is the commit's. A reader holds a read transaction, and sees the versions
up to its number, whatever is written meanwhile; the segments of versions that somebody
may still see are not used again.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import StoreUnavailableError
from features.keys import ENTITY_KEY_SIZE
from features.records.packing import PackedRecords
from features.store.record_lookup import copy_records, find_records, list_records
from features.store.record_words import DAMAGED, IS_RETIRED, MARK, N_USED, SEGMENT_BYTES, SLOT_WORDS

HEAP_NAME, INDEX_NAME = "records.heap", "records.index"

INDEX_MARK = 0x31_78_65_64_6E_69_68_00
MIN_SLOTS = 1 << 12
_N_SCANNED = 4_096
_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class RecordView:
    """The table's memory as it is mapped now.

    Attributes:
        slots: The index's words.
        heap: The heap's words.
        heap_bytes: The same, in bytes.
    """

    slots: npt.NDArray[np.uint64]
    heap: npt.NDArray[np.uint64]
    heap_bytes: npt.NDArray[np.uint8]


class RecordTable:
    """Reads records as of a commit. Safe to share between threads.

    Args:
        folder: Where the two files are.
        n_segments: How many segments the heap must have at least.

    Raises:
        OSError: A file cannot be opened.
        StoreUnavailableError: A file is cut off or is none of a record table.
    """

    def __init__(self, folder: Path, n_segments: int) -> None:
        self._folder = folder
        heap = map_file(folder / HEAP_NAME, n_segments * SEGMENT_BYTES)
        self._view = join_view(map_index(folder), heap)

    def read(self, keys: npt.NDArray[np.uint8], snapshot: int) -> PackedRecords:
        """Return the records of some keys as of a commit; length zero: there is none.

        Args:
            keys: Shape `(m, 16)`, uint8.
            snapshot: Number of the commit; the caller's read transaction holds it.

        Raises:
            StoreUnavailableError: A record is damaged.
        """
        words = to_words(keys)
        places, ends = np.empty(len(words), np.int64), np.empty(len(words), np.int64)
        view = self._get_view()
        while find_records(view.slots, view.heap, words, snapshot, places, ends) >= 0:
            view = self._map_what_grew(view)
        return _copy(view, places, ends)

    def scan(
        self, shard: int, snapshot: int
    ) -> Iterator[tuple[npt.NDArray[np.uint8], PackedRecords]]:
        """Yield the records of a shard as of a commit in chunks, ascending keys.

        Raises:
            StoreUnavailableError: A record is damaged.
        """
        keys, places, sizes = self._list(shard, snapshot)
        for start in range(0, len(keys), _N_SCANNED):
            chunk = slice(start, start + _N_SCANNED)
            yield keys[chunk], _copy(self._get_view(), places[chunk], np.cumsum(sizes[chunk]))

    def list_keys(self, shard: int, snapshot: int) -> npt.NDArray[np.uint8]:
        """Return the keys of a shard as of a commit, shape `(m, 16)`, ascending."""
        return self._list(shard, snapshot)[0]

    def count_bytes(self) -> int:
        """Return the size of both files."""
        view = self._get_view()
        return view.slots.nbytes + (self._folder / HEAP_NAME).stat().st_size

    def close(self) -> None:
        """Release the files; later calls do nothing."""
        self._let_go()

    def _let_go(self) -> None:
        """Drop the arrays: the memory goes with the last one over it."""
        nothing = np.zeros(0, np.uint64)
        self._view = RecordView(nothing, nothing, nothing.view(np.uint8))

    def _list(
        self, shard: int, snapshot: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return a shard's keys, where their records begin in the heap, and their sizes."""
        view = self._get_view()
        while (found := self._try_list(view, shard, snapshot)) is None:
            view = self._map_what_grew(view)
        words, places, sizes = found
        keys = words.view(np.uint8).reshape(-1, ENTITY_KEY_SIZE)
        # Big-endian words compare as bytes do.
        ordered = words.byteswap()
        order = np.lexsort((ordered[:, 1], ordered[:, 0]))
        return keys[order], places[order], sizes[order]

    @staticmethod
    def _try_list(
        view: RecordView, shard: int, snapshot: int
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
        room = int(view.slots[N_USED])
        words = np.empty((room, 2), np.uint64)
        places, sizes = np.empty(room, np.int64), np.empty(room, np.int64)
        n = list_records(view.slots, view.heap, shard, snapshot, words, places, sizes)
        return None if n == DAMAGED else (words[:n], places[:n], sizes[:n])

    def _get_view(self) -> RecordView:
        """Return the memory; to be called after the caller's read transaction has begun.

        Raises:
            StoreUnavailableError: Another thread has closed the store.
        """
        view = self._view
        self._check_mapped(view)
        if view.slots[IS_RETIRED]:
            return self._map_again()
        return view

    def _check_mapped(self, view: RecordView) -> None:
        if not len(view.slots):
            raise StoreUnavailableError(
                "the store is closed", field="store", value=str(self._folder), fix="open it again"
            )

    def _map_what_grew(self, view: RecordView) -> RecordView:
        """Return the memory again if the heap has grown behind what a look found wanting.

        However often that happens while somebody looks.

        Raises:
            StoreUnavailableError: It has not: what was found is damaged.
        """
        path = self._folder / HEAP_NAME
        if path.stat().st_size // 8 * 8 <= len(view.heap_bytes):
            raise describe_damage(path)
        return self._map_again()

    def _map_again(self) -> RecordView:
        heap = map_file(self._folder / HEAP_NAME)
        self._view = join_view(map_index(self._folder), heap)
        return self._view


def make_files(folder: Path) -> None:
    """Make the files of an empty table unless they are there.

    Raises:
        OSError: They cannot be written.
    """
    heap = folder / HEAP_NAME
    if not heap.exists():
        write_index(folder, MIN_SLOTS).close()
        (folder / f"{INDEX_NAME}.new").replace(folder / INDEX_NAME)
        heap.touch()


def write_index(folder: Path, n_slots: int) -> mmap.mmap:
    """Make an empty index under a temporary name and return its memory.

    Its room is taken on the disk before it is mapped: a full disk is an error, no signal.
    """
    path = folder / f"{INDEX_NAME}.new"
    with path.open("wb") as file:
        header = np.zeros(SLOT_WORDS, np.uint64)
        header[MARK] = INDEX_MARK
        file.write(header.tobytes())
        rest = 8 * SLOT_WORDS * (n_slots - 1)
        while rest:
            rest -= file.write(bytes(min(rest, SEGMENT_BYTES)))
    return map_file(path, is_writing=True)


def map_index(folder: Path, *, is_writing: bool = False) -> mmap.mmap:
    """Return the memory of the index in use.

    Raises:
        OSError: It cannot be opened.
        StoreUnavailableError: It is none.
    """
    path = folder / INDEX_NAME
    memory = map_file(path, 8 * SLOT_WORDS, is_writing=is_writing)
    n_slots = len(memory) // (8 * SLOT_WORDS)
    is_whole = n_slots >= MIN_SLOTS and not n_slots & (n_slots - 1)
    if not is_whole or int.from_bytes(memory[:8], "little") != INDEX_MARK:
        raise describe_damage(path)
    return memory


def map_file(path: Path, n_bytes: int = 0, *, is_writing: bool = False) -> mmap.mmap:
    """Return the memory of a whole file.

    Args:
        path: The file.
        n_bytes: How many bytes it must have at least.
        is_writing: Whether it may be written.

    Raises:
        OSError: It cannot be opened.
        StoreUnavailableError: It is shorter.
    """
    descriptor = os.open(path, (os.O_RDWR if is_writing else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if size < n_bytes:
            raise describe_damage(path)
        if not size:
            return mmap.mmap(-1, _WORD_BYTES)  # No empty file can be mapped.
        memory = mmap.mmap(
            descriptor, size, access=mmap.ACCESS_WRITE if is_writing else mmap.ACCESS_READ
        )
    finally:
        os.close(descriptor)
    # Places are random: reading ahead would fetch pages that nobody asks for.
    memory.madvise(mmap.MADV_RANDOM)
    return memory


def describe_damage(path: Path) -> StoreUnavailableError:
    """Return the error that says that a file of the store is not what it was."""
    return StoreUnavailableError(
        "the store's file is truncated or damaged",
        field="store",
        value=str(path),
        expectation="what the stream has written",
        fix="restore a backup, or rebuild: `hemostat store rebuild LOG --store PATH`",
    )


def to_words(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return keys of shape `(m, 16)` as words of shape `(m, 2)`."""
    return np.ascontiguousarray(keys).view(np.uint64)


def join_view(index: mmap.mmap, heap: mmap.mmap) -> RecordView:
    """Return the memory of both files as arrays."""
    heap_bytes = np.frombuffer(heap, np.uint8, len(heap) // 8 * 8)
    return RecordView(np.frombuffer(index, np.uint64), heap_bytes.view(np.uint64), heap_bytes)


def _copy(
    view: RecordView, places: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> PackedRecords:
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    copy_records(view.heap_bytes, places, ends, out)
    return PackedRecords(out, ends)
