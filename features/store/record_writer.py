"""The one writer of a record table: appends, publishes, and makes room again.

A commit goes through three steps. `append` writes versions that nothing names yet.
`publish` lets the index name them; readers pass them over, since their commit does not
count yet. Then the caller commits LMDB's transaction, and they count. Whatever comes
between, `settle` takes the index back to the last commit that counts.

Room: a segment whose last version was replaced is free once nobody reads a state from
before. When less than `_MIN_FILLING` of the segments in use is still the newest, the
emptiest ones are cleaned: what is left in them is appended again.
"""

from __future__ import annotations

import mmap
import os
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import StoreFullError
from features.records.packing import PackedRecords
from features.store.record_changes import (
    append_records,
    blank_segment,
    copy_index,
    describe_versions,
    list_live,
    publish_records,
    settle_index,
)
from features.store.record_table import (
    HEAP_NAME,
    INDEX_NAME,
    MIN_SLOTS,
    RecordTable,
    RecordView,
    describe_damage,
    join_view,
    make_files,
    map_file,
    map_index,
    to_words,
    write_index,
)
from features.store.record_words import (
    DAMAGED,
    GONE,
    HEADER_WORDS,
    IS_RETIRED,
    MAX_RECORD_BYTES,
    N_USED,
    NO_KEY,
    POSITION,
    SEGMENT_BYTES,
    SEGMENT_WORDS,
    SLOT_WORDS,
)

_MIN_FILLING = 0.6
_SPARE_SEGMENTS = 8
_MAX_LOAD = 0.6  # Of the index's slots: beyond, searches become long.
_NEW_LOAD = 0.35
_IN_USE = -1
_EMPTY_SEGMENT = bytes(SEGMENT_BYTES)


class RecordTableWriter(RecordTable):
    """Reads and writes records. One per table. One thread writes; others may read meanwhile.

    Args:
        folder: Where the two files are; made if absent.
        last_commit: Number of the last commit that counts; later versions are taken back.
        max_bytes: Upper bound of the heap.
        is_synced: Whether versions are on the disk before anything names them.

    Raises:
        OSError: The files cannot be made or opened.
        StoreUnavailableError: They are damaged.
    """

    def __init__(self, folder: Path, last_commit: int, max_bytes: int, *, is_synced: bool) -> None:
        make_files(folder)
        self._folder = folder
        self._moving = threading.Lock()
        self._max_bytes = max_bytes
        self._is_synced = is_synced
        self._index = map_index(folder, is_writing=True)
        self._heap = map_file(folder / HEAP_NAME, is_writing=True)
        self._view = join_view(self._index, self._heap)
        self._n_segments = (folder / HEAP_NAME).stat().st_size // SEGMENT_BYTES
        self._versions = np.empty(SEGMENT_WORDS // HEADER_WORDS + 1, np.int64)
        self.settle(last_commit)

    @property
    def n_segments(self) -> int:
        """How many segments the heap has."""
        return self._n_segments

    @property
    def is_settled(self) -> bool:
        """Whether nothing was appended since the last `settle` or `finish`."""
        return self._is_settled

    def settle(self, last_commit: int) -> None:
        """Forget all that was appended and published for later commits.

        Raises:
            StoreUnavailableError: The files are damaged.
        """
        self._n_live = np.zeros(self._n_segments, np.int64)
        if settle_index(self._view.slots, self._view.heap, last_commit, self._n_live) == DAMAGED:
            raise describe_damage(self._folder / HEAP_NAME)
        # By the commit from which on nobody needs what a segment holds.
        self._free_since = np.where(self._n_live == 0, last_commit, _IN_USE)
        self._taken = np.zeros(0, np.int64)
        self._state = np.zeros(3, np.int64)
        self._n_filled = 0  # Segments that the commit has filled so far.
        self._pending: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]] = []
        self._is_settled = True

    def append(
        self, commit: int, keys: npt.NDArray[np.uint8], packed: PackedRecords, oldest: int
    ) -> None:
        """Write new versions of records; one of length zero says that there is none any more.

        Args:
            commit: Number of the commit that they belong to.
            keys: Shape `(m, 16)`, distinct, and none twice in a commit.
            packed: Their stored forms.
            oldest: No reader sees a state before this commit.

        Raises:
            OSError: The disk is full; nothing was written.
            StoreFullError: The heap has reached its upper bound; nothing was written.
            ValueError: A record is larger than any can be.
        """
        self._append(commit, to_words(keys), packed.buffer, packed.starts, packed.ends, oldest)

    def publish(self, commit: int, oldest: int) -> None:
        """Let the index name all that was appended, then clean segments if it is time.

        Raises:
            OSError: The disk is full; to be taken back by `settle`.
            StoreFullError: The heap has reached its upper bound; to be taken back as well.
        """
        self._publish()
        self._find_free(commit)
        self._clean(commit, oldest)
        self._n_filled = 0
        if self._is_synced:
            self._index.flush()

    def finish(self) -> None:
        """Say that the commit counts."""
        self._is_settled = True

    def scrub(self) -> int:
        """Overwrite all that is not the newest; return how many bytes that changed.

        Only while nobody reads an older state, and just after `settle`.
        """
        view = self._view
        n_words = sum(
            blank_segment(view.slots, view.heap, segment) for segment in range(self._n_segments)
        )
        slots = view.slots.reshape(-1, SLOT_WORDS)[1:]
        slots[slots[:, POSITION] == GONE, :POSITION] = NO_KEY
        self.flush()
        return 8 * n_words

    def flush(self) -> None:
        """Return once everything is on the disk."""
        if self._n_segments:
            self._heap.flush()
        self._index.flush()

    def _append(
        self,
        commit: int,
        keys: npt.NDArray[np.uint64],
        data: npt.NDArray[np.uint8] | None,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        oldest: int,
    ) -> None:
        """Append from some bytes; None: from the heap itself."""
        if not len(keys):
            return
        sizes = ends - starts
        largest = int(sizes.max())
        if largest > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {largest} bytes; at most {MAX_RECORD_BYTES}")
        n_words = len(keys) * (HEADER_WORDS + 1) + int(sizes.sum()) // 8
        least_filled = SEGMENT_WORDS - HEADER_WORDS - 1 - largest // 8
        self._take_segments(1 + n_words // least_filled, oldest)
        self._is_settled = False
        positions = np.empty(len(keys), np.int64)
        view = self._view  # Only now: taking segments may move the map.
        append_records(
            view.slots,
            view.heap,
            view.heap_bytes,
            keys,
            view.heap_bytes if data is None else data,
            starts,
            ends,
            commit,
            self._taken,
            self._state,
            positions,
        )
        self._pending.append((keys, positions))

    def _publish(self) -> None:
        if self._is_synced:
            self._heap.flush()
        n_new = int(self._state[2])
        slots = self._view.slots
        if int(slots[N_USED]) + n_new > _MAX_LOAD * (len(slots) // SLOT_WORDS):
            self._replace_index(n_new)
        for keys, positions in self._pending:
            publish_records(self._view.slots, self._view.heap, keys, positions, self._n_live)
        self._pending.clear()
        self._state[2] = 0

    def _find_free(self, commit: int) -> None:
        is_free = (self._n_live == 0) & (self._free_since == _IN_USE)
        is_free[self._taken[self._state[0] :]] = False
        self._free_since[is_free] = commit

    def _clean(self, commit: int, oldest: int) -> None:
        """Append again what is left in the emptiest segments, if too little is left in all."""
        in_use = np.flatnonzero(self._free_since == _IN_USE)
        in_use = in_use[~np.isin(in_use, self._taken[self._state[0] :])]
        n_needed = int(self._n_live[in_use].sum()) / (_MIN_FILLING * SEGMENT_WORDS)
        n_excess = int(len(in_use) - n_needed) - _SPARE_SEGMENTS
        if n_excess <= 0:
            return
        # Twice what a commit adds: it catches up, and no commit waits for long.
        n_cleaned = min(n_excess, 2 * (1 + self._n_filled + int(self._state[0])))
        emptiest = in_use[np.argsort(self._n_live[in_use], kind="stable")[:n_cleaned]]
        for segment in emptiest.tolist():
            self._append(commit, *self._describe(segment, oldest), oldest)
        self._publish()
        self._n_live[emptiest] = 0  # Keys that are gone were counted until now.
        self._find_free(commit)

    def _describe(
        self, segment: int, oldest: int
    ) -> tuple[npt.NDArray[np.uint64], None, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return keys of the newest versions in a segment and where they lie in the heap."""
        view = self._view
        n = list_live(view.slots, view.heap, segment, oldest, self._versions)
        keys = np.empty((n, 2), np.uint64)
        starts, ends = np.empty(n, np.int64), np.empty(n, np.int64)
        describe_versions(view.heap, self._versions[:n], keys, starts, ends)
        return keys, None, starts, ends

    def _take_segments(self, n: int, oldest: int) -> None:
        """Have at least so many segments to fill behind the one that is being filled."""
        n_filled, self._state[0] = int(self._state[0]), 0
        self._n_filled += n_filled
        self._taken = self._taken[n_filled:]
        n_missing = n + 1 - len(self._taken)
        if n_missing <= 0:
            return
        is_free = (self._free_since >= 0) & (self._free_since <= oldest)
        free = np.flatnonzero(is_free)[:n_missing]
        if len(free) < n_missing:
            first = self._n_segments
            self._grow(n_missing - len(free))
            free = np.concatenate([free, np.arange(first, first + n_missing - len(free))])
        self._free_since[free] = _IN_USE
        self._taken = np.concatenate([self._taken, free])

    def _grow(self, n_more: int) -> None:
        """Make the heap longer, on the disk before in the map."""
        first = self._n_segments
        n_most = self._max_bytes // SEGMENT_BYTES
        n_segments = min(first + max(n_more, first // 8), n_most)
        if n_segments < first + n_more:
            raise StoreFullError(
                "the store has reached its maximum size; the batch was not written",
                field="store",
                value=str(self._folder),
                fix="stream again with a larger --map-size-gib; it goes on where it was",
            )
        self._reserve(first * SEGMENT_BYTES, n_segments * SEGMENT_BYTES)
        with self._moving:
            try:
                self._heap = self._enlarge_map(n_segments * SEGMENT_BYTES)
            finally:
                self._view = join_view(self._index, self._heap)
        n_added = n_segments - first
        self._n_live = np.concatenate([self._n_live, np.zeros(n_added, np.int64)])
        self._free_since = np.concatenate([self._free_since, np.zeros(n_added, np.int64)])
        self._n_segments = n_segments

    def _reserve(self, start: int, end: int) -> None:
        """Fill a stretch of the file with zeros: room reserved, and cheap to map."""
        with (self._folder / HEAP_NAME).open("r+b") as file:
            while start < end:
                start += os.pwrite(file.fileno(), _EMPTY_SEGMENT[: end - start], start)

    def _enlarge_map(self, n_bytes: int) -> mmap.mmap:
        if not self._n_segments:
            return map_file(self._folder / HEAP_NAME, n_bytes, is_writing=True)
        self._let_go()  # No array may point into what moves.
        try:
            self._heap.resize(n_bytes)
        except BufferError:  # Somebody still reads a chunk of it.
            return map_file(self._folder / HEAP_NAME, n_bytes, is_writing=True)
        return self._heap

    def _replace_index(self, n_new: int) -> None:
        """Put a larger index in the place of the one in use; readers notice by its mark."""
        slots = self._view.slots
        n_slots = MIN_SLOTS
        while (int(slots[N_USED]) + n_new) > _NEW_LOAD * n_slots:
            n_slots *= 2
        index = write_index(self._folder, n_slots)
        copy_index(slots, np.frombuffer(index, np.uint64))
        if self._is_synced:
            index.flush()
        (self._folder / f"{INDEX_NAME}.new").replace(self._folder / INDEX_NAME)
        slots[IS_RETIRED] = 1
        self._index = index
        self._view = join_view(index, self._heap)

    def _get_view(self) -> RecordView:
        with self._moving:  # In between there is nothing to look at.
            view = self._view
        self._check_mapped(view)
        return view

    def _map_again(self) -> RecordView:
        return self._get_view()
