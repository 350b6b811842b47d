"""The layout of the record table: a hash index over an append-only heap.

Both are arrays of 8-byte words over mapped files.

The *heap* is cut into segments. A version of a record is a header of `HEADER_WORDS`
words and the stored form behind it, filled up to whole words; it never lies in two
segments, and is never changed once its commit counts. The header names the key, the
version before it, the commit that wrote it, the stored form's size and a check.

The *index* has slots of `SLOT_WORDS` words: the key, and where its newest version
stands. Slot 0 is the header. A reader of an older state follows the versions back.

What is written for one commit becomes reachable last and word by word: a process may
die anywhere, and another may read all the while.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded

SEGMENT_WORDS = 1 << 17
SEGMENT_BYTES = 8 * SEGMENT_WORDS

HEADER_WORDS = 5
KEY_LOW, KEY_HIGH, PREVIOUS, COMMIT, SIZE = range(HEADER_WORDS)

SLOT_WORDS = 4
POSITION = 2
MARK, N_USED, IS_RETIRED = range(3)  # Words of the index's header slot.

NOWHERE = 0
"""A slot without a key; the heap's first words are never used."""
GONE = 1
"""A slot whose key has no record any more."""

MAX_RECORD_BYTES = SEGMENT_BYTES // 2
"""Half a segment: what does not fit behind others wastes no more than that."""

DAMAGED = -2

NO_WORD = np.uint64(0)
NO_KEY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # Both halves of what was overwritten.
LOW_HALF = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_MIX_3 = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(33)


@welded
def signed(word: Any) -> Any:
    """Return a word as a place or a number: an unsigned and a signed one make a float."""
    return np.int64(word)


@welded
def mix(low: np.uint64, high: np.uint64) -> np.uint64:
    """Return MurmurHash3's finaliser of both halves of a key."""
    mixed = low * _MIX_3 ^ high
    mixed = (mixed ^ (mixed >> _SHIFT)) * _MIX_1
    mixed = (mixed ^ (mixed >> _SHIFT)) * _MIX_2
    return mixed ^ (mixed >> _SHIFT)


@welded
def find_slot(slots: npt.NDArray[np.uint64], low: np.uint64, high: np.uint64) -> int:
    """Return the first word of the key's slot, or of the empty one where it belongs."""
    n_slots = slots.shape[0] // SLOT_WORDS
    slot = np.int64(mix(low, high) & np.uint64(n_slots - 1))
    while True:
        if slot == 0:  # The header.
            slot = np.int64(1)
        at = slot * SLOT_WORDS
        if slots[at + POSITION] == NO_WORD or (slots[at] == low and slots[at + 1] == high):
            return int(at)
        slot = (slot + 1) & (n_slots - 1)


@welded
def make_check(
    low: np.uint64, high: np.uint64, previous: np.uint64, commit: np.uint64, size: np.uint64
) -> np.uint64:
    """Return what stands in the upper half of a header's last word."""
    return mix(low ^ previous * _MIX_1, high ^ commit * _MIX_2 ^ size) << _HALF


@welded
def is_whole(heap: npt.NDArray[np.uint64], at: int) -> bool:
    """Return whether a header stands at a place and what follows lies within the heap."""
    if at < 0 or at + HEADER_WORDS > heap.shape[0]:
        return False
    size = heap[at + SIZE] & LOW_HALF
    check = make_check(
        heap[at + KEY_LOW], heap[at + KEY_HIGH], heap[at + PREVIOUS], heap[at + COMMIT], size
    )
    n_words = HEADER_WORDS + ((np.int64(size) + 7) >> 3)
    return bool(heap[at + SIZE] == (check | size) and at + n_words <= heap.shape[0])


@welded
def count_words(heap: npt.NDArray[np.uint64], at: int) -> int:
    """Return how many words a version takes, header and all."""
    return int(HEADER_WORDS + ((np.int64(heap[at + SIZE] & LOW_HALF) + 7) >> 3))


@welded
def resolve(
    heap: npt.NDArray[np.uint64], at: int, low: np.uint64, high: np.uint64, snapshot: np.uint64
) -> int:
    """Return where the version stands that a state sees; 0 or 1: none; `DAMAGED`."""
    while at != NOWHERE and at != GONE:
        if not is_whole(heap, at) or heap[at + KEY_LOW] != low or heap[at + KEY_HIGH] != high:
            return DAMAGED
        if heap[at + COMMIT] <= snapshot:
            return at
        at = signed(heap[at + PREVIOUS])
    return at
