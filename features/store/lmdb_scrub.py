"""Overwrites what LMDB has let go: deleted records leave their bytes in the file.

LMDB never changes a page that somebody may read: it writes a new one and keeps the
old one, with all it held, until it is used again; and a page in use keeps the bytes
of deleted nodes in the gap between its two ends. Both are filled with zeros here,
under LMDB's own write lock, so that nobody allocates meanwhile, and only while no
reader still looks at an older state.

A deleted key may also live on as the separator between two pages; there the first key
behind it takes its place.

Pages are found as LMDB 0.9 lays them out (`mdb.c`: `MDB_page`, `MDB_node`,
`MDB_db`, `MDB_meta`); anything else is left alone with an error.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb
import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled, inlined, int64_1d
from features.errors import StoreUnavailableError
from features.store.lmdb_environment import find_oldest_reader

_DATA_NAME = "data.mdb"
_MAGIC, _DATA_VERSION = 0xBEEFC0DE, 1
_META = struct.Struct("<IIQQ48s48sQQ")
_DB_PAGE_SIZE = struct.Struct("<I")  # The first word of the free list's `MDB_db`.
_DB_ROOT = struct.Struct("<Q")
_DB_ROOT_OFFSET = 40
_NO_PAGE = 0xFFFF_FFFF_FFFF_FFFF

_HEADER = 16
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_BIG_DATA, _SUB_DATA, _PLAIN = 1, 2, 0
_NODE_HEADER = 8
_KEY_SIZE = 16

_TRIES, _PAUSE_S = 100, 0.05

_bytes_1d = numba.types.Array(numba.uint8, 1, "C")


def scrub(
    folder: Path, keys: Sequence[bytes] = (), sleep: Callable[[float], None] = time.sleep
) -> int:
    """Fill all that holds no live data with zeros and return how many bytes that changed.

    Safe while others read and write; a writer waits for its end (a second per GB).

    Args:
        folder: An LMDB environment that this process has not open.
        keys: Deleted keys, 16 bytes each, in databases of such keys only, that shall
            not stay as separators either.
        sleep: How to wait for readers.

    Raises:
        StoreUnavailableError: A reader holds an old state for long, or the file is
            laid out in another way; nothing was changed.
    """
    with lock_out_others(folder, sleep):
        return _scrub_file(folder / _DATA_NAME, keys)


@contextmanager
def lock_out_others(folder: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Hold LMDB's write lock while nobody reads an older state; yield the last commit's number.

    Args:
        folder: An LMDB environment that this process has not open.
        sleep: How to wait for readers.

    Raises:
        StoreUnavailableError: A reader holds an old state for long.
    """
    environment = lmdb.open(str(folder), map_size=0, create=False, max_dbs=16)
    try:
        for _ in range(_TRIES):
            environment.reader_check()
            with environment.begin(write=True) as transaction:
                last_commit = transaction.id() - 1
                if find_oldest_reader(environment) >= last_commit:
                    yield last_commit
                    return
            sleep(_PAUSE_S)
    finally:
        environment.close()
    raise StoreUnavailableError(
        "a process reads an old state of the store and does not let go of it",
        field="store",
        value=str(folder),
        fix="stop the processes that read this store, then run it again",
    )


def _scrub_file(path: Path, keys: Sequence[bytes]) -> int:
    deleted = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_SIZE).copy()
    data = np.memmap(path, np.uint8, "r+")
    page_size, roots, last_page = _read_meta(data, path)
    # A mapped file may be as long as the map, with nothing but holes behind the last page.
    n_pages = min(last_page + 1, len(data) // page_size)
    is_live = np.zeros(n_pages, np.uint8)
    is_live[:2] = 1
    n_changed = 0
    # Twice: the first pass changes nothing, so that a file that is not understood stays whole.
    for is_changing in (False, True):
        found = np.array([root for root in roots if root != _NO_PAGE], np.int64)
        stack = np.zeros(n_pages + len(found), np.int64)
        stack[: len(found)] = found
        n_changed = _walk(
            data, page_size, n_pages, stack, len(found), is_live, deleted, is_changing
        )
        if n_changed < 0:
            raise StoreUnavailableError(
                "the store's file is not laid out as expected; nothing was overwritten",
                field="store",
                value=str(path),
                expectation="pages of LMDB 0.9",
                fix="rebuild the store from the log, then delete this one",
            )
    for page in np.flatnonzero(is_live == 0):
        n_changed += _zero(data[page * page_size : (page + 1) * page_size])
    for start, end in _find_extents(path, n_pages * page_size):
        n_changed += _zero(data[start:end])
    data.flush()
    return n_changed


def _zero(place: npt.NDArray[np.uint8]) -> int:
    """Fill a place with zeros unless it is; return how many bytes that changed."""
    n_changed = int(np.count_nonzero(place))
    if n_changed:
        place[:] = 0
    return n_changed


def _find_extents(path: Path, start: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a file from a place on that are no holes."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while start < size:
            try:
                start = file.seek(start, os.SEEK_DATA)
            except OSError:  # Only a hole is left.
                return
            end = file.seek(start, os.SEEK_HOLE)
            yield start, end
            start = end


def _read_meta(data: npt.NDArray[np.uint8], path: Path) -> tuple[int, tuple[int, int], int]:
    """Return page size, the roots of free list and main database, and the last page."""
    metas = []
    page_size = 4096
    for place in (0, 1):
        content = data[place * page_size + _HEADER :][: _META.size].tobytes()
        magic, version, _, _, free, main, last_page, transaction = _META.unpack(content)
        if magic != _MAGIC or version != _DATA_VERSION:
            raise StoreUnavailableError(
                "the store's file is not laid out as expected; nothing was overwritten",
                field="store",
                value=str(path),
                expectation="LMDB 0.9, little-endian",
                fix="rebuild the store from the log, then delete this one",
            )
        (page_size,) = _DB_PAGE_SIZE.unpack_from(free)
        (free_root,) = _DB_ROOT.unpack_from(free, _DB_ROOT_OFFSET)
        (main_root,) = _DB_ROOT.unpack_from(main, _DB_ROOT_OFFSET)
        metas.append((transaction, page_size, (free_root, main_root), last_page))
    _, page_size, roots, last_page = max(metas)
    return page_size, roots, last_page


@inlined
def _read_word(data: Any, place: Any) -> Any:
    """Return 8 little-endian bytes; all ones (no page) come out negative."""
    word = np.int64(0)
    for byte in range(8):
        word |= np.int64(data[place + byte]) << (8 * byte)
    return word


@inlined
def _clear(data: Any, start: Any, end: Any) -> Any:
    """Zero some bytes and return how many were not; a clean page is not written to."""
    n_changed = 0
    for place in range(start, end):
        if data[place] != 0:
            data[place] = 0
            n_changed += 1
    return n_changed


@inlined
def _find_node(data: Any, page_start: Any) -> Any:
    """Return where the first node of a page stands."""
    place = page_start + _HEADER
    return page_start + (data[place] | (np.int64(data[place + 1]) << 8))


@inlined
def _replace_separator(data: Any, page_size: Any, node: Any, child: Any, deleted: Any) -> Any:
    """Put the first key below a branch node in the place of a deleted one; return the change."""
    key = node + _NODE_HEADER
    is_deleted = False
    for one in range(len(deleted)):
        is_equal = True
        for byte in range(_KEY_SIZE):
            is_equal &= data[key + byte] == deleted[one, byte]
        is_deleted |= is_equal
    if not is_deleted:
        return 0
    first = _find_node(data, child * page_size)
    while data[child * page_size + 10] == _BRANCH:
        child = np.int64(0)
        for byte in range(6):
            # Low half, high half and the flags: 48 bits of a page number.
            child |= np.int64(data[first + byte]) << (8 * byte)
        first = _find_node(data, child * page_size)
    # From behind: in between it still separates, since keys are hashes.
    for byte in range(_KEY_SIZE - 1, -1, -1):
        data[key + byte] = data[first + _NODE_HEADER + byte]
    return _KEY_SIZE


@compiled(
    numba.int64(
        _bytes_1d,
        numba.int64,
        numba.int64,
        int64_1d,
        numba.int64,
        _bytes_1d,
        numba.types.Array(numba.uint8, 2, "C"),
        numba.boolean,
    )
)
def _walk(  # noqa: C901  # One page format, one loop; a kernel pays for calls.
    data: Any,
    page_size: Any,
    n_pages: Any,
    stack: Any,
    n_stack: Any,
    is_live: Any,
    deleted: Any,
    is_changing: Any,
) -> Any:
    """Mark the pages below the roots and clear their gaps; -1: not understood."""
    n_changed = 0
    while n_stack > 0:
        n_stack -= 1
        page = stack[n_stack]
        if page < 2 or page >= n_pages:
            return -1
        is_live[page] = 1
        start = page * page_size
        flags = data[start + 10] | (np.int64(data[start + 11]) << 8)
        lower = data[start + 12] | (np.int64(data[start + 13]) << 8)
        upper = data[start + 14] | (np.int64(data[start + 15]) << 8)
        if flags not in (_BRANCH, _LEAF) or lower < _HEADER or lower > upper or upper > page_size:
            return -1
        if is_changing:
            n_changed += _clear(data, start + lower, start + upper)
        for place in range(start + _HEADER, start + lower, 2):
            node = start + (data[place] | (np.int64(data[place + 1]) << 8))
            if node + _NODE_HEADER > start + page_size:
                return -1
            low = np.int64(0)
            for byte in range(4):
                low |= np.int64(data[node + byte]) << (8 * byte)
            node_flags = data[node + 4] | (np.int64(data[node + 5]) << 8)
            key_size = data[node + 6] | (np.int64(data[node + 7]) << 8)
            if flags == _BRANCH:
                child = low | (node_flags << 32)
                stack[n_stack] = child
                n_stack += 1
                if is_changing and key_size == _KEY_SIZE and len(deleted) > 0:
                    n_changed += _replace_separator(data, page_size, node, child, deleted)
                continue
            content = node + _NODE_HEADER + key_size
            if node_flags == _SUB_DATA:
                root = _read_word(data, content + _DB_ROOT_OFFSET)
                if root >= 0:
                    stack[n_stack] = root
                    n_stack += 1
            elif node_flags == _BIG_DATA:
                first = _read_word(data, content)
                if first < 2 or first >= n_pages:
                    return -1
                size = np.int64(0)
                for byte in range(4):
                    size |= np.int64(data[first * page_size + 12 + byte]) << (8 * byte)
                if data[first * page_size + 10] != _OVERFLOW or first + size > n_pages:
                    return -1
                is_live[first : first + size] = 1
                if is_changing:
                    begin = first * page_size + _HEADER + low
                    n_changed += _clear(data, begin, (first + size) * page_size)
            elif node_flags != _PLAIN:
                return -1
    return n_changed
