"""The seen ledger of the embedded store: which event told what, 32 bytes an event.

An event is looked up once and remembered once, at a random place of a ledger that
holds thirty days of them. In an LMDB tree that costs a page copied per event; here
it is one cache line. The ledger need not be atomic with the store's progress: an
entry that outlives its commit names its own row by its telling, and that row is
still new when it is read again.

A file per generation (`GENERATION.seen`), written through a memory map. It only
grows: a full segment is split into two new ones at the end, its own room is given
back to the file system. The pair counts once the first one's mark is written, so a
process may die anywhere. Room is allocated before it is mapped: a full disk is an
error, not a signal.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import StoreUnavailableError
from features.store.port import SEEN_DTYPE, SEEN_GENERATION_US
from features.store.seen_segments import (
    DEPTH,
    MARK,
    N_FILLED,
    N_SLOTS,
    N_WORDS,
    PREFIX,
    SEGMENT_BYTES,
    find_entries,
    insert_entries,
    list_entries,
    locate_segment,
    split_segment,
)

_SUFFIX = ".seen"
# What a segment is: the first of all, or the one or other half of a split.
_ROOT, _LOW, _HIGH = (0x31_30_6E_65_65_73_00 + kind for kind in range(3))
_MIN_GROWTH = 8
_PAGE = mmap.PAGESIZE
_EMPTY_SEGMENT = bytes(SEGMENT_BYTES)
_MAX_DEPTH = 40


class SeenTable:
    """One generation of event keys in one file. One process writes it; no locks.

    Args:
        path: The file; made if absent unless `readonly`.
        readonly: For a copy taken while another process writes.

    Raises:
        OSError: The file cannot be opened or grown.
        StoreUnavailableError: It is no seen table.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._path = path
        self._readonly = readonly
        flags = os.O_RDONLY if readonly else os.O_RDWR | os.O_CREAT
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
        try:
            self._n_segments = 0
            self._emptied: list[int] = []
            n_there = os.fstat(self._descriptor).st_size // SEGMENT_BYTES
            self._map(n_there)
            self._depth, self._directory = 0, np.zeros(1, np.int64)
            self._read_directory()
            if not self._n_segments and not readonly:
                self._make_root()
        except BaseException:
            self.close()
            raise

    def find(self, keys: npt.NDArray[np.uint64], entries: npt.NDArray[np.void]) -> None:
        """Fill in the entries that the table holds; leave the others as they are."""
        find_entries(self._words, self._directory, self._depth, keys, entries)

    def insert(self, keys: npt.NDArray[np.uint64], entries: npt.NDArray[np.void]) -> None:
        """Remember keys; visible at once.

        Raises:
            OSError: The disk is full; some keys may have been written.
        """
        place = 0
        while True:
            place = insert_entries(self._words, self._directory, self._depth, keys, entries, place)
            if place == len(keys):
                return
            self._split(locate_segment(keys[place:], self._directory, self._depth))

    def scan(self) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.void]]]:
        """Yield keys and entries, some of them more than once if the table is being written.

        All that was there when the scan began is among them: segments are only ever
        split to the end of the file, which is read last.
        """
        segment = 0
        while segment < self._n_mapped:
            keys, entries = np.zeros(N_SLOTS, np.uint64), np.zeros(N_SLOTS, SEEN_DTYPE)
            n = list_entries(self._words, segment, keys, entries)
            if n:
                yield keys[:n], entries[:n]
            segment += 1
            if segment == self._n_mapped:
                self._map(os.fstat(self._descriptor).st_size // SEGMENT_BYTES)

    @property
    def n_entries(self) -> int:
        """Number of keys; may be off by the few that were being written at a crash."""
        live = np.unique(self._directory)
        return int(self._words.reshape(-1, N_SLOTS, N_WORDS)[live, 0, N_FILLED].sum())

    def flush(self) -> None:
        """Return once everything is on the disk."""
        self._memory.flush()

    def release_emptied(self) -> None:
        """Give back the room of split segments; after `flush` if the disk must keep the new."""
        for segment in self._emptied:
            with suppress(OSError):  # Not every file system can; then the room stays taken.
                # The first page stays: its mark vouches for the segment behind it.
                start, size = segment * SEGMENT_BYTES + _PAGE, SEGMENT_BYTES - _PAGE
                self._memory.madvise(mmap.MADV_REMOVE, start, size)
        self._emptied.clear()

    def close(self) -> None:
        """Release the file; later calls do nothing."""
        if self._descriptor >= 0:
            # The map goes with the last array over it.
            self._words = np.zeros(0, np.uint64)
            os.close(self._descriptor)
            self._descriptor = -1

    def _map(self, n_segments: int) -> None:
        self._n_mapped = n_segments
        if not n_segments:
            self._words = np.zeros(0, np.uint64)
            return
        access = mmap.ACCESS_READ if self._readonly else mmap.ACCESS_WRITE
        self._memory = mmap.mmap(self._descriptor, n_segments * SEGMENT_BYTES, access=access)
        # Places are random: reading ahead would fetch pages that nobody asks for.
        self._memory.madvise(mmap.MADV_RANDOM)
        self._words = np.frombuffer(self._memory, np.uint64)

    def _grow(self, n_more: int) -> None:
        """Make room for segments, on the disk before in the map."""
        if self._n_segments + n_more <= self._n_mapped:
            return
        n_segments = self._n_mapped + max(_MIN_GROWTH, self._n_mapped // 16)
        # Zeros written are room reserved, and cheaper to map than room that is allocated.
        for segment in range(self._n_mapped, n_segments):
            os.pwrite(self._descriptor, _EMPTY_SEGMENT, segment * SEGMENT_BYTES)
        if not self._n_mapped:
            self._map(n_segments)
            return
        self._words = np.zeros(0, np.uint64)  # The map moves: no array may point into it.
        self._memory.resize(n_segments * SEGMENT_BYTES)
        self._words = np.frombuffer(self._memory, np.uint64)
        self._n_mapped = n_segments

    def _make_root(self) -> None:
        self._grow(1)
        header = self._words[:N_WORDS]
        header[[DEPTH, PREFIX, N_FILLED]] = 0
        header[MARK] = _ROOT
        self._n_segments = 1

    def _split(self, source: int) -> None:
        """Make two segments of a full one."""
        self._grow(2)
        words = self._words
        header = words[source * N_SLOTS * N_WORDS :][:N_WORDS]
        depth, prefix = int(header[DEPTH]), int(header[PREFIX])
        if depth == _MAX_DEPTH:
            raise StoreUnavailableError(
                "event ids collide on purpose",
                field="seen ledger",
                value=str(self._path),
                fix="find out who makes these event ids; see the newest events of the source",
            )
        low = self._n_segments
        split_segment(words, source, low, depth)
        for half, mark in ((1, _HIGH), (0, _LOW)):  # The low one's mark makes both count.
            child = words[(low + half) * N_SLOTS * N_WORDS :][:N_WORDS]
            child[DEPTH], child[PREFIX] = depth + 1, 2 * prefix + half
            child[MARK] = mark
        self._n_segments = low + 2
        self._enter(low, depth + 1, 2 * prefix)
        self._enter(low + 1, depth + 1, 2 * prefix + 1)
        self._emptied.append(source)

    def _enter(self, segment: int, depth: int, prefix: int) -> None:
        while self._depth < depth:
            self._directory = np.repeat(self._directory, 2)
            self._depth += 1
        rest = self._depth - depth
        self._directory[prefix << rest : (prefix + 1) << rest] = segment

    def _read_directory(self) -> None:
        headers = self._words.reshape(-1, N_SLOTS * N_WORDS)[:, :N_WORDS]
        marks = headers[:, MARK]
        is_valid = (marks == _ROOT) | (marks == _LOW)
        is_valid[1:] |= (marks[1:] == _HIGH) & (marks[:-1] == _LOW)
        valid = np.flatnonzero(is_valid)
        if len(headers) and not len(valid) and headers.any():
            raise StoreUnavailableError(
                "the ledger of seen events is damaged",
                field="store",
                value=str(self._path),
                fix="restore a backup, or rebuild: `hemostat store rebuild LOG --store PATH`",
            )
        # Halves after what they came from.
        for segment in valid[np.argsort(headers[valid, DEPTH], kind="stable")].tolist():
            self._enter(segment, int(headers[segment, DEPTH]), int(headers[segment, PREFIX]))
        self._n_segments = int(valid[-1]) + 1 if len(valid) else 0


class SeenLedger:
    """All live generations of seen event keys, in one folder.

    Args:
        folder: Made if absent.

    Raises:
        OSError: From any call: the files cannot be read or grown.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._tables: dict[int, SeenTable] = {}
        for generation in list_generations(folder):
            self._tables[generation] = SeenTable(folder / f"{generation}{_SUFFIX}")

    def find(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
        """Return what is remembered of each key, zeros where nothing is."""
        entries = np.zeros(len(keys), SEEN_DTYPE)
        keys = np.ascontiguousarray(keys)
        for table in self._tables.values():
            table.find(keys, entries)
        return entries

    def insert(
        self,
        keys: npt.NDArray[np.uint64],
        entries: npt.NDArray[np.void],
        ingest_us: npt.NDArray[np.int64],
    ) -> None:
        """Remember keys; see `SeenTable.insert`."""
        if not len(keys):
            return
        generations = ingest_us // SEEN_GENERATION_US
        first = int(generations[0])
        if (generations == first).all():  # A batch rarely spans two.
            self._get_table(first).insert(np.ascontiguousarray(keys), np.ascontiguousarray(entries))
            return
        for generation in np.unique(generations).tolist():
            mine = generations == generation
            self._get_table(generation).insert(keys[mine], entries[mine])

    def drop_before(self, generation: int) -> None:
        """Forget all generations before one."""
        for number in [number for number in self._tables if number < generation]:
            self._tables.pop(number).close()
            (self._folder / f"{number}{_SUFFIX}").unlink()

    def release_emptied(self) -> None:
        """See `SeenTable.release_emptied`."""
        for table in self._tables.values():
            table.release_emptied()

    def flush(self) -> None:
        """Return once everything is on the disk."""
        for table in self._tables.values():
            table.flush()

    def close(self) -> None:
        """Release the files."""
        for table in self._tables.values():
            table.close()

    def _get_table(self, generation: int) -> SeenTable:
        table = self._tables.get(generation)
        if table is None:
            table = SeenTable(self._folder / f"{generation}{_SUFFIX}")
            self._tables[generation] = table
        return table


def list_generations(folder: Path) -> list[int]:
    """Return the numbers of the generations kept in a folder, ascending."""
    return sorted(int(path.name.removesuffix(_SUFFIX)) for path in folder.glob(f"*{_SUFFIX}"))


def scan_ledger(folder: Path) -> Iterator[tuple[int, npt.NDArray[np.uint64], npt.NDArray[np.void]]]:
    """Yield generation, keys and entries of a ledger, also while another process writes it.

    All that was there when the scan began is among them; see `SeenTable.scan`.
    """
    for generation in list_generations(folder):
        try:
            table = SeenTable(folder / f"{generation}{_SUFFIX}", readonly=True)
        except FileNotFoundError:  # Dropped meanwhile: nothing of it can arrive any more.
            continue
        for keys, entries in table.scan():
            yield generation, keys, entries
        table.close()
