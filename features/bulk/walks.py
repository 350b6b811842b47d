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
    compiled,
    float32_2d,
    float64_1d,
    inlined,
    int8_2d,
    int64,
    int64_1d,
    int64_2d,
    void,
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
from features.plan import REQUEST_SLICE, SLICE_PLACES
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

_ROWS, _REQUESTS = array_of(FOLD_ROW_DTYPE), array_of(REQUEST_ROW_DTYPE)
# rows, row_starts, row_order, requests, ask_starts, ask_order
_GROUPED = (_ROWS, int64_1d, int64_1d, _REQUESTS, int64_1d, int64_1d)
# sums, facts, out
_SCRATCH = (int64_2d, float64_1d, float32_2d)


@inlined
def _is_known(rows: npt.NDArray[Any], row: int, now_us: int) -> bool:
    return bool(rows[row]["ingest_time_us"] <= now_us)


@compiled(void(array_of(HISTORY_DTYPE), int8_2d, float64_1d, *_GROUPED, *_SCRATCH))
def walk_histories(
    scratch: npt.NDArray[Any],
    embeddings: npt.NDArray[np.int8],
    unit_sum: npt.NDArray[np.float64],
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write the customer's columns; `scratch` is the record at hand and an empty one."""
    record = scratch[0]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        for a in range(ask_starts[group], ask_starts[group + 1]):
            q = ask_order[a]
            request = requests[q]
            while r < end and _is_known(rows, row_order[r], request["time_us"]):
                fold_history(record, rows[row_order[r]], embeddings)
                r += 1
            fill_customer_slice(record, request, sums, unit_sum, facts)
            pick_columns(_CUSTOMER, int(request["call"]), facts, out[q])


@compiled(void(array_of(ACTIVITY_DTYPE), *_GROUPED, *_SCRATCH))
def walk_activities(
    scratch: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write the activity's columns; see `walk_histories`."""
    record = scratch[0]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        for a in range(ask_starts[group], ask_starts[group + 1]):
            q = ask_order[a]
            request = requests[q]
            while r < end and _is_known(rows, row_order[r], request["time_us"]):
                fold_activity(record, rows[row_order[r]])
                r += 1
            fill_activity_facts(record, request, sums, facts, _ACTIVITY_PLACE)
            pick_columns(_ACTIVITY, int(request["call"]), facts, out[q])


@compiled(void(array_of(TALLY_DTYPE), int64, *_GROUPED, *_SCRATCH))
def walk_tallies(
    scratch: npt.NDArray[Any],
    entity: int,
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write a product's, region's or store's columns; see `walk_histories`.

    Facts of closed hours hold for all requests of an hour, as long as nothing of
    another hour is folded: a region is asked about far more often than that.
    """
    record = scratch[0]
    place = SLICE_PLACES[entity]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        facts_hour_us = np.int64(-1)
        for a in range(ask_starts[group], ask_starts[group + 1]):
            q = ask_order[a]
            request = requests[q]
            hour_us = request["time_us"] // HOUR_US * HOUR_US
            while r < end and _is_known(rows, row_order[r], request["time_us"]):
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


@compiled(void(array_of(IDENTITY_DTYPE), int64, *_GROUPED, *_SCRATCH))
def walk_identities(
    scratch: npt.NDArray[Any],
    entity: int,
    rows: npt.NDArray[Any],
    row_starts: npt.NDArray[np.int64],
    row_order: npt.NDArray[np.int64],
    requests: npt.NDArray[Any],
    ask_starts: npt.NDArray[np.int64],
    ask_order: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write a shared identity's columns; see `walk_histories`. `sums` is not used."""
    record = scratch[0]
    place = SLICE_PLACES[entity]
    for group in range(row_starts.shape[0] - 1):
        r, end = row_starts[group], row_starts[group + 1]
        scratch[0] = scratch[1]
        for a in range(ask_starts[group], ask_starts[group + 1]):
            q = ask_order[a]
            request = requests[q]
            while r < end and _is_known(rows, row_order[r], request["time_us"]):
                fold_identity(record, rows[row_order[r]])
                r += 1
            fill_identity_facts(record, request["member"], request, facts, place)
            pick_columns(entity, int(request["call"]), facts, out[q])


@compiled(void(_REQUESTS, bool_2d, int64, int64, float64_1d, float32_2d))
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
