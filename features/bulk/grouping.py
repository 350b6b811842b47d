"""Rows and requests brought together by entity key, without sorting by key.

First both are parted by entity and a byte of the key; the parts are independent,
so threads can share them, and the tables of one part stay in the cache. Within a
part the keys that are asked about are numbered by a hash table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.bulk.sorting import NO_CODE, sort_by_code
from features.compiled import (
    array_of,
    bool_2d,
    compiled,
    int64,
    int64_1d,
    uint8_2d,
    uint64_2d,
    void,
    welded,
)
from features.entities import N_ENTITIES
from features.fold_rows import FOLD_ROW_DTYPE
from features.prefetching import prefetch

# The table below takes the key's first half: the byte is of the other.
_PART_BYTE = 15
_MAX_PART_BITS = 6
_PART_ROWS = 1 << 15
_N_AHEAD = 16  # So many keys ahead memory is asked for.

_uint16_1d = numba.types.Array(numba.uint16, 1, "C")


@compiled(void(array_of(FOLD_ROW_DTYPE), uint8_2d, int64, _uint16_1d))
def _code_rows(
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint8],
    n_bits: int,
    codes: npt.NDArray[np.uint16],
) -> None:
    for r in range(rows.shape[0]):
        entity = int(rows[r]["entity"])
        part = int(keys[r, _PART_BYTE]) >> (8 - n_bits)
        codes[r] = entity << n_bits | part


@compiled(void(int64_1d, uint8_2d, bool_2d, int64, _uint16_1d))
def _code_asks(
    by_time: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint8],
    is_named: npt.NDArray[np.bool_],
    n_bits: int,
    codes: npt.NDArray[np.uint16],
) -> None:
    """Write a code per (request in order of time, entity)."""
    for i in range(by_time.shape[0]):
        q = by_time[i]
        for entity in range(N_ENTITIES):
            part = int(keys[q * N_ENTITIES + entity, _PART_BYTE]) >> (8 - n_bits)
            named = is_named[q, entity]
            codes[i * N_ENTITIES + entity] = entity << n_bits | part if named else NO_CODE


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows and requests of one entity that no other part needs.

    Attributes:
        entity: Number of the `Entity`.
        rows: Places of rows, in log order.
        asks: Places of (request in order of time) * N_ENTITIES + entity.
    """

    entity: int
    rows: npt.NDArray[np.int64]
    asks: npt.NDArray[np.int64]


def make_parts(
    rows: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    row_keys: npt.NDArray[np.uint8],
    by_time: npt.NDArray[np.int64],
    request_keys: npt.NDArray[np.uint8],
    is_named: npt.NDArray[np.bool_],
) -> list[Part]:
    """Return the parts in which something is asked, the largest first.

    Args:
        rows: Shape `(n,)` of `FOLD_ROW_DTYPE`.
        order: Shape `(m,)`: places of the rows that count, in log order.
        row_keys: Shape `(n, 16)`.
        by_time: Shape `(q,)`: the requests in order of time.
        request_keys: Shape `(q * N_ENTITIES, 16)`.
        is_named: Shape `(q, N_ENTITIES)`.
    """
    n_bits = min(_MAX_PART_BITS, max(0, (len(rows) // _PART_ROWS).bit_length()))
    n_codes = N_ENTITIES << n_bits
    row_codes = np.empty(len(rows), np.uint16)
    _code_rows(rows, row_keys, n_bits, row_codes)
    row_starts, row_places = sort_by_code(row_codes, n_codes, order)
    ask_codes = np.empty(len(by_time) * N_ENTITIES, np.uint16)
    _code_asks(by_time, request_keys, is_named, n_bits, ask_codes)
    ask_starts, ask_places = sort_by_code(ask_codes, n_codes, np.arange(len(ask_codes)))
    parts = [
        Part(
            code >> n_bits,
            row_places[row_starts[code] : row_starts[code + 1]],
            ask_places[ask_starts[code] : ask_starts[code + 1]],
        )
        for code in range(n_codes)
        if ask_starts[code] < ask_starts[code + 1]
    ]
    return sorted(parts, key=lambda part: -len(part.rows) - len(part.asks))


@welded
def _find_slot(
    table: npt.NDArray[np.int64], halves: npt.NDArray[np.uint64], h1: np.uint64, h2: np.uint64
) -> np.uint64:
    """Return the slot of a key's number; the slot holds -1 if the key has none yet."""
    mask = np.uint64(table.shape[0] - 1)
    slot = h1 & mask
    while table[slot] >= 0 and (halves[table[slot], 0] != h1 or halves[table[slot], 1] != h2):
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled(int64(uint64_2d, int64_1d, uint64_2d, int64_1d, int64_1d, int64_1d, int64_1d))
def _number_keys(
    row_keys: npt.NDArray[np.uint64],
    rows: npt.NDArray[np.int64],
    ask_keys: npt.NDArray[np.uint64],
    asks: npt.NDArray[np.int64],
    table: npt.NDArray[np.int64],
    row_groups: npt.NDArray[np.int64],
    ask_groups: npt.NDArray[np.int64],
) -> int:
    """Number the keys that are asked about from 0; return how many there are.

    Writes each row's and each ask's number; -1 for rows of other keys. `table` is a
    power of 2 of places, all -1, of which at least half stay free.
    """
    halves = np.empty((asks.shape[0], 2), np.uint64)
    n = 0
    for i in range(asks.shape[0]):
        prefetch(ask_keys, asks[min(i + _N_AHEAD, asks.shape[0] - 1)], 0)
        h1, h2 = ask_keys[asks[i], 0], ask_keys[asks[i], 1]
        slot = _find_slot(table, halves, h1, h2)
        if table[slot] < 0:
            halves[n, 0], halves[n, 1] = h1, h2
            table[slot] = n
            n += 1
        ask_groups[i] = table[slot]
    for i in range(rows.shape[0]):
        prefetch(row_keys, rows[min(i + _N_AHEAD, rows.shape[0] - 1)], 0)
        h1, h2 = row_keys[rows[i], 0], row_keys[rows[i], 1]
        row_groups[i] = table[_find_slot(table, halves, h1, h2)]
    return n


@compiled(void(int64_1d, int64_1d, int64_1d, int64_1d, int64_1d))
def _sort_by_group(
    groups: npt.NDArray[np.int64],
    values: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
) -> None:
    """Write the values by group, in the order given within it; groups below 0 are left out."""
    for i in range(groups.shape[0]):
        if groups[i] >= 0:
            starts[groups[i] + 1] += 1
    for group in range(ends.shape[0]):
        starts[group + 1] += starts[group]
        ends[group] = starts[group]
    for i in range(groups.shape[0]):
        if groups[i] >= 0:
            order[ends[groups[i]]] = values[i]
            ends[groups[i]] += 1


@dataclass(frozen=True, slots=True)
class Groups:
    """A part's rows and requests by entity key.

    Attributes:
        row_starts: Where each key's rows begin in `row_order`, and the end of the last.
        row_order: Places of rows, in log order within a key.
        ask_starts: The same for requests.
        ask_order: Places of requests, in order of time within a key.
    """

    row_starts: npt.NDArray[np.int64]
    row_order: npt.NDArray[np.int64]
    ask_starts: npt.NDArray[np.int64]
    ask_order: npt.NDArray[np.int64]


def _sort_groups(
    groups: npt.NDArray[np.int64], values: npt.NDArray[np.int64], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    starts, order = np.zeros(n + 1, np.int64), np.empty(len(values), np.int64)
    _sort_by_group(groups, values, starts, np.empty(n, np.int64), order)
    return starts, order


def group_part(
    part: Part,
    row_keys: npt.NDArray[np.uint8],
    by_time: npt.NDArray[np.int64],
    request_keys: npt.NDArray[np.uint8],
) -> Groups:
    """Return a part's rows and requests by entity key; rows that nobody asks about drop out.

    Args:
        part: As `make_parts` returned it for the same arrays.
        row_keys: Shape `(n, 16)`.
        by_time: Shape `(q,)`.
        request_keys: Shape `(q * N_ENTITIES, 16)`.
    """
    asking = by_time[part.asks // N_ENTITIES]
    table = np.full(1 << (2 * len(asking)).bit_length(), -1, np.int64)
    row_groups = np.empty(len(part.rows), np.int64)
    ask_groups = np.empty(len(asking), np.int64)
    n = _number_keys(
        row_keys.view(np.uint64),
        part.rows,
        request_keys.view(np.uint64),
        asking * N_ENTITIES + part.entity,
        table,
        row_groups,
        ask_groups,
    )
    return Groups(*_sort_groups(row_groups, part.rows, n), *_sort_groups(ask_groups, asking, n))
