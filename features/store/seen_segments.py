"""The compiled part of the seen table: an extendible hash over mapped memory.

A table is an array of segments of `N_SLOTS` slots of four words. Slot 0 of a
segment is its header; the others hold event key, content hash, telling and a
check word, which tells a slot that was being written when the process died.
A directory says which segment keeps the keys whose mixed bits begin with a prefix.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    compiled,
    inlined,
    int64,
    int64_1d,
    uint64_1d,
    uint64_1d_readonly,
    void,
)
from features.store.port import SEEN_DTYPE

N_SLOTS = 4096
"""Slots of a segment, the header among them; a power of two."""

N_WORDS = 4
SEGMENT_BYTES = N_SLOTS * N_WORDS * 8
# A segment that holds between a half and four fifths of its slots is split before the
# next key. Each has a limit of its own: keys spread evenly, so that with one limit all
# segments would be split at the same time and a batch would wait for thousands of them.
_MIN_LIMIT = N_SLOTS // 2
_LIMIT_RANGE = 3 * N_SLOTS // 10
_SPREAD = 2_654_435_761

KEY, CONTENT_HASH, TELLING, CHECK = range(N_WORDS)
MARK, DEPTH, PREFIX, N_FILLED = range(N_WORDS)  # Words of the header slot.

_U0 = np.uint64(0)
_CHECK = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
_SLOT_MASK = np.uint64(N_SLOTS - 1)

seen_1d = array_of(SEEN_DTYPE)


@inlined
def _mix(key: np.uint64) -> np.uint64:
    """Return MurmurHash3's finaliser: one to one, every bit depends on every bit."""
    key = (key ^ (key >> _SHIFT)) * _MIX_1
    key = (key ^ (key >> _SHIFT)) * _MIX_2
    return key ^ (key >> _SHIFT)


@inlined
def _find_segment(mixed: np.uint64, directory: npt.NDArray[np.int64], depth: int) -> int:
    # Shifting by all 64 bits is undefined: a directory of depth 0 has one place.
    place = int(np.int64(mixed >> np.uint64(64 - depth))) if depth else 0
    return int(directory[place])


@inlined
def _find_slot(words: npt.NDArray[np.uint64], base: int, mixed: np.uint64, key: np.uint64) -> int:
    """Return the first word of the key's slot, or of the empty one where it belongs."""
    slot = int(np.int64(mixed & _SLOT_MASK))
    while True:
        if slot == 0:  # The header.
            slot = 1
        at = base + N_WORDS * slot
        if words[at] == key or words[at] == _U0:
            return at
        slot = (slot + 1) & (N_SLOTS - 1)


@inlined
def _find_limit(segment: int) -> int:
    return _MIN_LIMIT + ((segment * _SPREAD) >> 7) % _LIMIT_RANGE


@compiled(void(uint64_1d, int64_1d, int64, uint64_1d, seen_1d))
def find_entries(
    words: npt.NDArray[np.uint64],
    directory: npt.NDArray[np.int64],
    depth: int,
    keys: npt.NDArray[np.uint64],
    entries: npt.NDArray[np.void],
) -> None:
    """Fill in the entries that the table holds; leave the others as they are."""
    for n in range(keys.shape[0]):
        key = keys[n]
        mixed = _mix(key)
        base = _find_segment(mixed, directory, depth) * (N_SLOTS * N_WORDS)
        at = _find_slot(words, base, mixed, key)
        content_hash, telling = words[at + CONTENT_HASH], words[at + TELLING]
        if words[at] == key and words[at + CHECK] == key ^ content_hash ^ telling ^ _CHECK:
            entries[n]["content_hash"] = content_hash
            entries[n]["telling"] = telling


@compiled(int64(uint64_1d, int64_1d, int64, uint64_1d, seen_1d, int64))
def insert_entries(
    words: npt.NDArray[np.uint64],
    directory: npt.NDArray[np.int64],
    depth: int,
    keys: npt.NDArray[np.uint64],
    entries: npt.NDArray[np.void],
    start: int,
) -> int:
    """Insert from place `start` on; return the place of the first key that found no room.

    `len(keys)` if all did. Entries that are there already are written again.
    """
    for n in range(start, keys.shape[0]):
        key = keys[n]
        mixed = _mix(key)
        segment = _find_segment(mixed, directory, depth)
        base = segment * (N_SLOTS * N_WORDS)
        at = _find_slot(words, base, mixed, key)
        if words[at] == _U0:
            if words[base + N_FILLED] >= np.uint64(_find_limit(segment)):
                return n
            words[base + N_FILLED] += np.uint64(1)
        content_hash, telling = entries[n]["content_hash"], entries[n]["telling"]
        words[at + CONTENT_HASH] = content_hash
        words[at + TELLING] = telling
        words[at + CHECK] = key ^ content_hash ^ telling ^ _CHECK
        words[at] = key
    n_keys: int = keys.shape[0]
    return n_keys


@compiled(int64(uint64_1d, int64_1d, int64))
def locate_segment(
    keys: npt.NDArray[np.uint64], directory: npt.NDArray[np.int64], depth: int
) -> int:
    """Return the segment that keeps the first of some keys."""
    segment: int = _find_segment(_mix(keys[0]), directory, depth)
    return segment


@compiled(void(uint64_1d, int64, int64, int64))
def split_segment(words: npt.NDArray[np.uint64], source: int, low: int, depth: int) -> None:
    """Copy the slots of a segment to the two segments from `low` on, by their next bit.

    Args:
        words: The table.
        source: The full segment.
        low: The first of the two new segments; their headers get counts only.
        depth: Leading bits that all keys of `source` share.
    """
    size = N_SLOTS * N_WORDS
    words[low * size : (low + 2) * size] = _U0
    shift = np.uint64(63 - depth)
    for slot in range(1, N_SLOTS):
        at = source * size + slot * N_WORDS
        key = words[at]
        if key == _U0 or words[at + CHECK] != key ^ words[at + 1] ^ words[at + 2] ^ _CHECK:
            continue
        mixed = _mix(key)
        base = (low + int(np.int64((mixed >> shift) & np.uint64(1)))) * size
        to = _find_slot(words, base, mixed, key)
        words[to : to + N_WORDS] = words[at : at + N_WORDS]
        words[base + N_FILLED] += np.uint64(1)


@compiled(int64(uint64_1d_readonly, int64, uint64_1d, seen_1d))
def list_entries(
    words: npt.NDArray[np.uint64],
    segment: int,
    keys: npt.NDArray[np.uint64],
    entries: npt.NDArray[np.void],
) -> int:
    """Write a segment's keys and entries to the arrays (of `N_SLOTS`); return how many."""
    n = 0
    for slot in range(1, N_SLOTS):
        at = (segment * N_SLOTS + slot) * N_WORDS
        key, content_hash, telling = words[at], words[at + CONTENT_HASH], words[at + TELLING]
        if key != _U0 and words[at + CHECK] == key ^ content_hash ^ telling ^ _CHECK:
            keys[n] = key
            entries[n]["content_hash"] = content_hash
            entries[n]["telling"] = telling
            n += 1
    return n
