"""Sorting a batch's rows by the record they change, in one compiled pass.

Keys are hashes, so buckets of their first bits are evenly full; the distinct keys
are found by a hash table first, so that one key with thousands of rows (a region,
a store) costs no more than many keys do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled, inlined, int64, int64_1d, uint64_2d
from features.keys import N_SHARDS

_BUCKET_BITS = 12  # 4 bits of the shard, then 8 more of the key.

_U8 = np.uint64(8)
_U4 = np.uint64(4)
_BYTE = np.uint64(0xFF)
_NIBBLE = np.uint64(0xF)


@dataclass(frozen=True, slots=True)
class GroupedRows:
    """The rows of a batch, by record.

    Attributes:
        order: Shape `(n,)`, int64: places of the rows so that those of one key stand
            together, keys ascending by shard and then by bytes.
        owners: Shape `(n,)`, int64, ascending: which distinct key each row of that
            order belongs to.
        firsts: Shape `(m,)`, int64: place of one row of each distinct key.
        shard_starts: Shape `(17,)`, int64: where the distinct keys of each shard begin.
    """

    order: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    shard_starts: npt.NDArray[np.int64]


def group_rows(keys: npt.NDArray[np.uint8]) -> GroupedRows:
    """Return rows by the shard and entity key they belong to.

    Args:
        keys: Shape `(n, 16)`, C order.

    >>> import numpy as np
    >>> keys = np.zeros((3, 16), np.uint8)
    >>> keys[:, 0] = [2, 1, 2]
    >>> grouped = group_rows(keys)
    >>> grouped.order.tolist(), grouped.owners.tolist(), grouped.firsts.tolist()
    ([1, 0, 2], [0, 1, 1], [1, 0])
    >>> grouped.shard_starts.tolist()[:4]
    [0, 0, 1, 2]
    """
    n = len(keys)
    order, owners, firsts = (np.empty(n, np.int64) for _ in range(3))
    shard_starts = np.zeros(N_SHARDS + 1, np.int64)
    words = np.ascontiguousarray(keys).view(np.uint64).reshape(n, 2)
    n_distinct = _group(words, order, owners, firsts, shard_starts)
    return GroupedRows(order, owners, firsts[:n_distinct], shard_starts)


@inlined
def _compute_bucket(word: Any) -> Any:
    """Return the bucket of a key: its shard, then the next bits in byte order."""
    first, second = word & _BYTE, (word >> _U8) & _BYTE
    return np.int64(((first & _NIBBLE) << _U8) | (first & ~_NIBBLE) | (second >> _U4))


@inlined
def _swap_bytes(word: Any) -> Any:
    """Return the number whose order is that of the word's bytes."""
    swapped = np.uint64(0)
    for _ in range(8):
        swapped = (swapped << _U8) | (word & _BYTE)
        word = word >> _U8
    return swapped


@inlined
def _find_distinct(words: Any, firsts: Any, ids: Any, counts: Any) -> Any:
    """Number the distinct keys in the order met, count their rows, return how many."""
    n = words.shape[0]
    size = 16
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, np.int64)
    mask = np.uint64(size - 1)
    n_distinct = 0
    for i in range(n):
        slot = np.int64(words[i, 1] & mask)
        number = table[slot]
        while number >= 0 and (
            words[firsts[number], 0] != words[i, 0] or words[firsts[number], 1] != words[i, 1]
        ):
            slot = (slot + 1) & (size - 1)
            number = table[slot]
        if number < 0:
            number = n_distinct
            table[slot] = number
            firsts[number] = i
            counts[number] = 0
            n_distinct += 1
        ids[i] = number
        counts[number] += 1
    return n_distinct


@inlined
def _sort_distinct(words: Any, firsts: Any, n_distinct: Any, shard_starts: Any) -> Any:
    """Return the numbers of the distinct keys in ascending order of shard and bytes."""
    n_buckets = 1 << _BUCKET_BITS
    ends = np.zeros(n_buckets + 1, np.int64)
    for number in range(n_distinct):
        ends[_compute_bucket(words[firsts[number], 0]) + 1] += 1
    for bucket in range(n_buckets):
        ends[bucket + 1] += ends[bucket]
    for shard in range(shard_starts.shape[0]):
        shard_starts[shard] = ends[shard << (_BUCKET_BITS - 4)]
    begins = ends[:-1].copy()
    fill = ends[:-1].copy()
    ranked = np.empty(n_distinct, np.int64)
    high = np.empty(n_distinct, np.uint64)
    low = np.empty(n_distinct, np.uint64)
    for number in range(n_distinct):
        word = words[firsts[number], 0]
        bucket = _compute_bucket(word)
        first, second = _swap_bytes(word), _swap_bytes(words[firsts[number], 1])
        place = fill[bucket]
        fill[bucket] += 1
        while place > begins[bucket] and (
            high[place - 1] > first or (high[place - 1] == first and low[place - 1] > second)
        ):
            high[place], low[place] = high[place - 1], low[place - 1]
            ranked[place] = ranked[place - 1]
            place -= 1
        high[place], low[place], ranked[place] = first, second, number
    return ranked


@compiled(int64(uint64_2d, int64_1d, int64_1d, int64_1d, int64_1d))
def _group(words: Any, order: Any, owners: Any, firsts: Any, shard_starts: Any) -> Any:
    """Fill `order`, `owners`, `firsts` and `shard_starts`; return how many keys there are."""
    n = words.shape[0]
    ids = np.empty(n, np.int64)
    counts = np.empty(n, np.int64)
    found = np.empty(n, np.int64)
    n_distinct = _find_distinct(words, found, ids, counts)
    ranked = _sort_distinct(words, found, n_distinct, shard_starts)
    begins = np.empty(n_distinct, np.int64)
    ranks = np.empty(n_distinct, np.int64)
    begin = 0
    for rank in range(n_distinct):
        number = ranked[rank]
        begins[number] = begin
        ranks[number] = rank
        firsts[rank] = found[number]
        begin += counts[number]
    for i in range(n):
        number = ids[i]
        place = begins[number]
        begins[number] += 1
        order[place] = i
        owners[place] = ranks[number]
    return n_distinct
