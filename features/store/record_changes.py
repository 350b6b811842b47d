"""Changing a record table: the kernels of its one writer; see `features.store.record_words`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import (
    compiled_without_allocation,
    int64,
    int64_1d,
    int64_1d_readonly,
    uint8_1d,
    uint8_1d_readonly,
    uint64_1d,
    uint64_1d_readonly,
    uint64_2d,
    uint64_2d_readonly,
    void,
    welded,
)
from features.store.record_words import (
    COMMIT,
    DAMAGED,
    GONE,
    HEADER_WORDS,
    KEY_HIGH,
    KEY_LOW,
    LOW_HALF,
    N_USED,
    NO_KEY,
    NO_WORD,
    NOWHERE,
    POSITION,
    PREVIOUS,
    SEGMENT_WORDS,
    SIZE,
    SLOT_WORDS,
    count_words,
    find_slot,
    is_whole,
    make_check,
    resolve,
    signed,
)


@welded
def _end_segment(heap: npt.NDArray[np.uint64], first: int, used: int) -> None:
    """Make sure that no header of an earlier use stands behind the last version."""
    if used + HEADER_WORDS <= SEGMENT_WORDS:
        heap[first + used + SIZE] = NO_WORD


@compiled_without_allocation(
    void(
        uint64_1d,
        uint64_1d,
        uint8_1d,
        uint64_2d_readonly,
        uint8_1d_readonly,
        int64_1d_readonly,
        int64_1d_readonly,
        int64,
        int64_1d,
        int64_1d,
        int64_1d,
    )
)
def append_records(
    slots: npt.NDArray[np.uint64],
    heap: npt.NDArray[np.uint64],
    heap_bytes: npt.NDArray[np.uint8],
    keys: npt.NDArray[np.uint64],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    commit: int,
    segments: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int64],
) -> None:
    """Write versions that nothing names yet.

    Args:
        slots: The index.
        heap: The heap.
        heap_bytes: The same, in bytes.
        keys: Shape `(m, 2)`, distinct.
        data: Where the stored forms come from; may be the heap itself.
        starts: Shape `(m,)`: where each begins in `data`.
        ends: Shape `(m,)`: where each ends; an empty one says that the record is gone.
        commit: The commit that they belong to.
        segments: Segments to fill, in this order; enough for all.
        state: Place in `segments`, words used of that segment, keys that are new; moved on.
        positions: Shape `(m,)`: gets where each version stands.
    """
    number, used, n_new = state[0], state[1], state[2]
    for n in range(keys.shape[0]):
        low, high, size = keys[n, 0], keys[n, 1], ends[n] - starts[n]
        n_words = HEADER_WORDS + ((size + 7) >> 3)
        if used + n_words > SEGMENT_WORDS:
            _end_segment(heap, segments[number] * SEGMENT_WORDS, used)
            number += 1
            used = np.int64(0)
        at = segments[number] * SEGMENT_WORDS + used
        if at == NOWHERE:  # The heap's first words would read as none.
            used = np.int64(HEADER_WORDS)
            at = used
        previous = slots[find_slot(slots, low, high) + POSITION]
        if previous == NO_WORD:
            n_new += 1
        heap[at + n_words - 1] = NO_WORD  # What fills the last word up.
        target = heap_bytes[8 * (at + HEADER_WORDS) : 8 * (at + HEADER_WORDS) + size]
        source = data[starts[n] : ends[n]]
        for i in range(size):
            target[i] = source[i]
        heap[at + KEY_LOW], heap[at + KEY_HIGH] = low, high
        heap[at + PREVIOUS], heap[at + COMMIT] = previous, np.uint64(commit)
        whole_size = np.uint64(size)
        check = make_check(low, high, previous, np.uint64(commit), whole_size)
        heap[at + SIZE] = check | whole_size
        positions[n] = at
        used += n_words
    if number < segments.shape[0]:
        _end_segment(heap, segments[number] * SEGMENT_WORDS, used)
    state[0], state[1], state[2] = number, used, n_new


@compiled_without_allocation(
    void(uint64_1d, uint64_1d_readonly, uint64_2d_readonly, int64_1d, int64_1d)
)
def publish_records(
    slots: npt.NDArray[np.uint64],
    heap: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
    positions: npt.NDArray[np.int64],
    n_live: npt.NDArray[np.int64],
) -> None:
    """Let the index name versions that `append_records` has written.

    Args:
        slots: The index, with room for all keys.
        heap: The heap.
        keys: Shape `(m, 2)`.
        positions: Shape `(m,)`.
        n_live: Shape `(segments,)`: words of each that are the newest; brought up to date.
    """
    for n in range(keys.shape[0]):
        low, high = keys[n, 0], keys[n, 1]
        base = find_slot(slots, low, high)
        before = signed(slots[base + POSITION])
        if before == NOWHERE:
            slots[base], slots[base + 1] = low, high
            slots[N_USED] += np.uint64(1)
        elif before > GONE:
            n_live[before // SEGMENT_WORDS] -= count_words(heap, before)
        slots[base + POSITION] = np.uint64(positions[n])
        n_live[positions[n] // SEGMENT_WORDS] += count_words(heap, positions[n])


@welded
def _is_torn(
    slots: npt.NDArray[np.uint64],
    base: int,
    heap: npt.NDArray[np.uint64],
    at: int,
    last_commit: int,
) -> bool:
    """Return whether a process died while it gave a new key its slot."""
    return bool(
        is_whole(heap, at)
        and heap[at + PREVIOUS] == NO_WORD
        and np.int64(heap[at + COMMIT]) > last_commit
        and (slots[base] != heap[at + KEY_LOW] or slots[base + 1] != heap[at + KEY_HIGH])
    )


@compiled_without_allocation(int64(uint64_1d, uint64_1d_readonly, int64, int64_1d))
def settle_index(
    slots: npt.NDArray[np.uint64],
    heap: npt.NDArray[np.uint64],
    last_commit: int,
    n_live: npt.NDArray[np.int64],
) -> int:
    """Take back what belongs to no commit, and count the words that are the newest.

    Args:
        slots: The index.
        heap: The heap.
        last_commit: The last one that counts.
        n_live: Shape `(segments,)`, zeros: gets the words of each.

    Returns:
        The number of keys, or `DAMAGED`.
    """
    n_used = 0
    for slot in range(1, slots.shape[0] // SLOT_WORDS):
        base = slot * SLOT_WORDS
        before = signed(slots[base + POSITION])
        if before == NOWHERE:
            continue
        n_used += 1
        if before > GONE and _is_torn(slots, base, heap, before, last_commit):
            slots[base], slots[base + 1] = heap[before + KEY_LOW], heap[before + KEY_HIGH]
        at = resolve(heap, before, slots[base], slots[base + 1], np.uint64(last_commit))
        if at == DAMAGED:
            return DAMAGED
        if at != before:
            # A key stays where it is, or others behind it would no longer be found.
            slots[base + POSITION] = np.uint64(max(at, GONE))
        if at > GONE:
            n_live[at // SEGMENT_WORDS] += count_words(heap, at)
    slots[N_USED] = np.uint64(n_used)
    return n_used


@compiled_without_allocation(void(uint64_1d_readonly, uint64_1d))
def copy_index(slots: npt.NDArray[np.uint64], larger: npt.NDArray[np.uint64]) -> None:
    """Enter all keys that are not gone into an empty index."""
    n_used = 0
    for slot in range(1, slots.shape[0] // SLOT_WORDS):
        base = slot * SLOT_WORDS
        if np.int64(slots[base + POSITION]) > GONE:
            to = find_slot(larger, slots[base], slots[base + 1])
            for word in range(SLOT_WORDS):
                larger[to + word] = slots[base + word]
            n_used += 1
    larger[N_USED] = np.uint64(n_used)


@compiled_without_allocation(int64(uint64_1d, uint64_1d_readonly, int64, int64, int64_1d))
def list_live(
    slots: npt.NDArray[np.uint64],
    heap: npt.NDArray[np.uint64],
    segment: int,
    oldest: int,
    positions: npt.NDArray[np.int64],
) -> int:
    """Write where the newest versions of a segment stand; return how many.

    Keys that are gone for every reader leave the index.

    Args:
        slots: The index.
        heap: The heap.
        segment: Number of the segment.
        oldest: No reader sees a state before this commit.
        positions: With room for all that a segment can hold.
    """
    at = segment * SEGMENT_WORDS
    end = at + SEGMENT_WORDS
    if at == NOWHERE:
        at = signed(HEADER_WORDS)
    n = 0
    while at + HEADER_WORDS <= end and is_whole(heap, at):
        base = find_slot(slots, heap[at + KEY_LOW], heap[at + KEY_HIGH])
        if np.int64(slots[base + POSITION]) == at:
            is_empty = heap[at + SIZE] & LOW_HALF == NO_WORD
            if is_empty and np.int64(heap[at + COMMIT]) <= oldest:
                slots[base + POSITION] = np.uint64(GONE)
            else:
                positions[n] = at
                n += 1
        at += count_words(heap, at)
    return n


@compiled_without_allocation(int64(uint64_1d, uint64_1d, int64))
def blank_segment(slots: npt.NDArray[np.uint64], heap: npt.NDArray[np.uint64], segment: int) -> int:
    """Overwrite all of a segment that is not the newest; return how many words that changed.

    Versions stay countable: a blank one keeps its size. Only while nobody reads an
    older state, and after `settle_index`.
    """
    at = segment * SEGMENT_WORDS
    end = at + SEGMENT_WORDS
    if at == NOWHERE:
        at = signed(HEADER_WORDS)
    n_changed = 0
    while at + HEADER_WORDS <= end and is_whole(heap, at):
        n_words = count_words(heap, at)
        size = heap[at + SIZE] & LOW_HALF
        base = find_slot(slots, heap[at + KEY_LOW], heap[at + KEY_HIGH])
        is_newest = np.int64(slots[base + POSITION]) == at
        if is_newest and size == NO_WORD:
            slots[base + POSITION] = np.uint64(GONE)
            slots[base] = slots[base + 1] = NO_KEY
        if not is_newest or size == NO_WORD:
            for word in range(at, at + n_words):
                n_changed += signed(heap[word] != NO_WORD and word != at + SIZE)
                if word != at + SIZE:
                    heap[word] = NO_WORD
            heap[at + SIZE] = make_check(NO_WORD, NO_WORD, NO_WORD, NO_WORD, size) | size
        at += n_words
    for word in range(at, end):
        if heap[word] != NO_WORD:
            heap[word] = NO_WORD
            n_changed += 1
    return n_changed


@compiled_without_allocation(void(uint64_1d_readonly, int64_1d, uint64_2d, int64_1d, int64_1d))
def describe_versions(
    heap: npt.NDArray[np.uint64],
    positions: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> None:
    """Write keys of some versions and where their stored forms lie in the heap's bytes."""
    for n in range(positions.shape[0]):
        at = positions[n]
        keys[n, 0], keys[n, 1] = heap[at + KEY_LOW], heap[at + KEY_HIGH]
        starts[n] = 8 * (at + HEADER_WORDS)
        ends[n] = starts[n] + np.int64(heap[at + SIZE] & LOW_HALF)
