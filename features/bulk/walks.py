"""The walk along an entity's time: fold what was known by each request, then look.

One kernel per layout. Each goes through its keys one by one with one record at
hand, so the record stays in the cache, and writes only its entity's columns of
the shared output; folds and facts are those of the live path.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    bool_2d,
    compiled_without_allocation,
    float32_2d,
    float64_1d,
    int8_2d,
    int64,
    int64_1d,
    int64_2d,
    void,
    welded,
)
from features.definition import HOUR_US
from features.entities import N_ENTITIES, Entity
from features.facts.activity import fill_activity_facts
from features.facts.identity import fill_identity_facts
from features.facts.request import fill_request_facts
from features.facts.tally import fill_tally_facts, fill_tally_prices
from features.fold_rows import FOLD_ROW_DTYPE
from features.folds.activity import fold_activity
from features.folds.history import fold_history
from features.folds.identity import fold_identity
from features.folds.tally import fold_tally
from features.plan import COLUMN_STARTS, REQUEST_SLICE, SLICE_PLACES
from features.prefetching import prefetch
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.identity import IDENTITY_DTYPE
from features.records.tally import TALLY_DTYPE
from features.request_rows import REQUEST_ROW_DTYPE
from features.vector import (
    clear_customer_slice,
    clear_slice,
    fill_customer_slice,
    pick_columns,
)

_CUSTOMER = int(Entity.CUSTOMER)
_ACTIVITY = int(Entity.ACTIVITY)
_SKU = int(Entity.SKU)
_ACTIVITY_PLACE = int(SLICE_PLACES[_ACTIVITY])
_REQUEST_PLACE = int(SLICE_PLACES[REQUEST_SLICE])

ASK_FIELDS = ("time_us", "style_link", "member", "product_price_minor", "call")
ASK_DTYPE = np.dtype(
    [*((name, REQUEST_ROW_DTYPE[name]) for name in ASK_FIELDS), ("padding", "u1", (31,))]
)
"""What other entities than the customer want of a request: one line of the cache."""

_ROWS, _REQUESTS, _ASKS = map(array_of, (FOLD_ROW_DTYPE, REQUEST_ROW_DTYPE, ASK_DTYPE))
_GROUPS = (int64_1d, int64_1d, int64_1d, int64_1d)  # row_starts, row_order, ask_starts, ask_order
_SCRATCH = (int64_2d, float64_1d, float32_2d)  # sums, facts, out

_LINE = 64  # Bytes that are fetched at once.
_ROW_SIZE = FOLD_ROW_DTYPE.itemsize
_REQUEST_SIZE = REQUEST_ROW_DTYPE.itemsize
_N_AHEAD = 6  # So many rows and requests ahead memory is asked for.


def _find_span(number: int) -> tuple[int, int]:
    """Return the first byte of a slice's columns in a row of the output, and the last."""
    return 4 * int(COLUMN_STARTS[number]), 4 * int(COLUMN_STARTS[number + 1]) - 1


_SPANS = np.array([_find_span(number) for number in range(N_ENTITIES)], np.int64)


@welded
def _fetch_row(rows: npt.NDArray[Any], order: npt.NDArray[np.int64], r: int, n: int) -> None:
    """Ask for a row to come."""
    if r + _N_AHEAD < n:
        for byte in range(0, _ROW_SIZE + _LINE, _LINE):
            prefetch(rows, order[r + _N_AHEAD], min(byte, _ROW_SIZE - 1))


@welded
def _fetch_ask(
    requests: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    a: int,
    entity: int,
    size: int,
    out: npt.NDArray[np.float32],
) -> None:
    """Ask for a request of `size` bytes, and for the part of the output that it will fill."""
    if a + _N_AHEAD < order.shape[0]:
        q = order[a + _N_AHEAD]
        for byte in range(0, size, _LINE):
            prefetch(requests, q, byte)
        for byte in range(_SPANS[entity, 0], _SPANS[entity, 1] + _LINE, _LINE):
            prefetch(out, q, min(byte, _SPANS[entity, 1]))


@compiled_without_allocation(
    void(array_of(HISTORY_DTYPE), int8_2d, float64_1d, _ROWS, *_GROUPS, _REQUESTS, *_SCRATCH)
)
def walk_histories(
    scratch: npt.NDArray[Any],
    embeddings: npt.NDArray[np.int8],
    unit_sum: npt.NDArray[np.float64],
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write the customer's columns; `scratch` is the record at hand and an empty one."""
    record, n_rows = scratch[0], row_starts[-1]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        for a in range(ask_starts[group], ask_starts[group + 1]):
            _fetch_ask(requests, ask_order, a, _CUSTOMER, _REQUEST_SIZE, out)
            q = ask_order[a]
            request = requests[q]
            while r < end and rows[row_order[r]]["ingest_time_us"] <= request["time_us"]:
                _fetch_row(rows, row_order, r, n_rows)
                fold_history(record, rows[row_order[r]], embeddings)
                r += 1
            fill_customer_slice(record, request, sums, unit_sum, facts)
            pick_columns(_CUSTOMER, int(request["call"]), facts, out[q])


@compiled_without_allocation(void(array_of(ACTIVITY_DTYPE), _ROWS, *_GROUPS, _ASKS, *_SCRATCH))
def walk_activities(
    scratch: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write the activity's columns; see `walk_histories`."""
    record, n_rows = scratch[0], row_starts[-1]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        for a in range(ask_starts[group], ask_starts[group + 1]):
            _fetch_ask(requests, ask_order, a, _ACTIVITY, _LINE, out)
            q = ask_order[a]
            request = requests[q]
            while r < end and rows[row_order[r]]["ingest_time_us"] <= request["time_us"]:
                _fetch_row(rows, row_order, r, n_rows)
                fold_activity(record, rows[row_order[r]])
                r += 1
            fill_activity_facts(record, request, sums, facts, _ACTIVITY_PLACE)
            pick_columns(_ACTIVITY, int(request["call"]), facts, out[q])


@compiled_without_allocation(void(array_of(TALLY_DTYPE), int64, _ROWS, *_GROUPS, _ASKS, *_SCRATCH))
def walk_tallies(
    scratch: npt.NDArray[Any],
    entity: int,
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write a product's, region's or store's columns; see `walk_histories`.

    Facts of closed hours hold for all requests of an hour, as long as nothing of
    another hour is folded: a region is asked about far more often than that.
    """
    record, n_rows = scratch[0], row_starts[-1]
    place = SLICE_PLACES[entity]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        facts_hour_us = np.int64(-1)
        for a in range(ask_starts[group], ask_starts[group + 1]):
            _fetch_ask(requests, ask_order, a, entity, _LINE, out)
            q = ask_order[a]
            request = requests[q]
            hour_us = request["time_us"] // HOUR_US * HOUR_US
            while r < end and rows[row_order[r]]["ingest_time_us"] <= request["time_us"]:
                _fetch_row(rows, row_order, r, n_rows)
                row = rows[row_order[r]]
                fold_tally(record, row)
                # This hour and the next (clocks run ahead) are open and not in the facts.
                if not hour_us <= row["event_time_us"] < hour_us + 2 * HOUR_US:
                    facts_hour_us = np.int64(-1)
                r += 1
            if facts_hour_us != hour_us:
                fill_tally_facts(record, entity, request, sums, facts, place)
                facts_hour_us = hour_us
            elif entity == _SKU:
                fill_tally_prices(record, request, facts, place)
            pick_columns(entity, int(request["call"]), facts, out[q])


@compiled_without_allocation(
    void(array_of(IDENTITY_DTYPE), int64, _ROWS, *_GROUPS, _ASKS, *_SCRATCH)
)
def walk_identities(
    scratch: npt.NDArray[Any],
    entity: int,
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write a shared identity's columns; see `walk_histories`. `sums` is not used."""
    record, n_rows = scratch[0], row_starts[-1]
    place = SLICE_PLACES[entity]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        for a in range(ask_starts[group], ask_starts[group + 1]):
            _fetch_ask(requests, ask_order, a, entity, _LINE, out)
            q = ask_order[a]
            request = requests[q]
            while r < end and rows[row_order[r]]["ingest_time_us"] <= request["time_us"]:
                _fetch_row(rows, row_order, r, n_rows)
                fold_identity(record, rows[row_order[r]])
                r += 1
            fill_identity_facts(record, request["member"], request, facts, place)
            pick_columns(entity, int(request["call"]), facts, out[q])


@compiled_without_allocation(void(_REQUESTS, bool_2d, int64, int64, float64_1d, float32_2d))
def write_known_columns(
    requests: npt.NDArray[Any],
    is_named: npt.NDArray[np.bool_],
    first: int,
    end: int,
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write what needs no history for some requests: their own columns, what they do not name."""
    for q in range(first, end):
        request = requests[q]
        call = int(request["call"])
        fill_request_facts(request, facts, _REQUEST_PLACE)
        pick_columns(REQUEST_SLICE, call, facts, out[q])
        for entity in range(N_ENTITIES):
            if not is_named[q, entity]:
                if entity == _CUSTOMER:
                    clear_customer_slice(True, facts)
                else:
                    clear_slice(entity, facts)
                pick_columns(entity, call, facts, out[q])
