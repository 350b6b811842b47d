"""Finding and copying records of a record table; see `features.store.record_words`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import (
    compiled_without_allocation,
    int64,
    int64_1d,
    uint8_1d,
    uint8_1d_readonly,
    uint64_1d_readonly,
    uint64_2d,
    uint64_2d_readonly,
    void,
)
from features.store.record_words import (
    DAMAGED,
    GONE,
    HEADER_WORDS,
    LOW_HALF,
    NO_WORD,
    NOWHERE,
    POSITION,
    SIZE,
    SLOT_WORDS,
    find_slot,
    resolve,
    signed,
)


@compiled_without_allocation(
    int64(uint64_1d_readonly, uint64_1d_readonly, uint64_2d_readonly, int64, int64_1d, int64_1d)
)
def find_records(
    slots: npt.NDArray[np.uint64],
    heap: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
    snapshot: int,
    places: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> int:
    """Find the versions that a state sees.

    Args:
        slots: The index.
        heap: The heap.
        keys: Shape `(m, 2)`.
        snapshot: Commits up to this one are seen.
        places: Shape `(m,)`: gets the byte of the heap where each stored form begins.
        ends: Shape `(m,)`: gets where each would end, end to end; as the one before it
            if there is none.

    Returns:
        -1, or the number of the first key whose versions are damaged or lie outside.
    """
    end = np.int64(0)
    for n in range(keys.shape[0]):
        low, high = keys[n, 0], keys[n, 1]
        at = signed(slots[find_slot(slots, low, high) + POSITION])
        at = resolve(heap, at, low, high, np.uint64(snapshot))
        if at == DAMAGED:
            return n
        places[n] = 8 * (at + HEADER_WORDS)
        if at > GONE:
            end += np.int64(heap[at + SIZE] & LOW_HALF)
        ends[n] = end
    return -1


@compiled_without_allocation(void(uint8_1d_readonly, int64_1d, int64_1d, uint8_1d))
def copy_records(
    heap: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
) -> None:
    """Copy stored forms from their places in the heap's bytes, end to end."""
    start = np.int64(0)
    for n in range(places.shape[0]):
        size = ends[n] - start
        source = heap[places[n] : places[n] + size]
        target = out[start : start + size]
        for i in range(size):
            target[i] = source[i]
        start = ends[n]


@compiled_without_allocation(
    int64(uint64_1d_readonly, uint64_1d_readonly, int64, int64, uint64_2d, int64_1d, int64_1d)
)
def list_records(
    slots: npt.NDArray[np.uint64],
    heap: npt.NDArray[np.uint64],
    shard: int,
    snapshot: int,
    keys: npt.NDArray[np.uint64],
    places: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
) -> int:
    """Write keys, places and sizes of a shard's records, in no order; return how many.

    Keys that were added since the arrays were made may be left out. `DAMAGED` instead
    if some version is.
    """
    n = 0
    for slot in range(1, slots.shape[0] // SLOT_WORDS):
        base = slot * SLOT_WORDS
        at, low, high = signed(slots[base + POSITION]), slots[base], slots[base + 1]
        # The shard is the low half of the key's first byte, as words are little endian.
        if at in (NOWHERE, GONE) or np.int64(low & np.uint64(15)) != shard:
            continue
        at = resolve(heap, at, low, high, np.uint64(snapshot))
        if at == DAMAGED:
            return DAMAGED
        if at > GONE and n < keys.shape[0] and heap[at + SIZE] & LOW_HALF != NO_WORD:
            keys[n, 0], keys[n, 1] = low, high
            places[n] = 8 * (at + HEADER_WORDS)
            sizes[n] = np.int64(heap[at + SIZE] & LOW_HALF)
            n += 1
    return n
