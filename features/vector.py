"""The vector: the records of a case's entities and the request become the model's row.

The one code for serving, training and the tests of the stream. Everything is
evaluated at read time T (a window keeps moving when nothing happens), in double
precision, and cast to float32 at the end. A case never counts itself, whether its
event was published before or after the call: a customer's history takes it out
again (`features.facts.own_case`), products, regions and stores count closed hours
only, shared identities leave the asking customer out, activity holds no cases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    bool_2d,
    compiled,
    compiled_without_allocation,
    float32_2d,
    float64_1d,
    int8_1d,
    int64,
    int64_1d,
    int64_2d,
    uint8_1d_readonly,
    welded,
)
from features.definitions import N_FEATURES
from features.embedding import DIM
from features.entities import LAYOUTS, N_ENTITIES, Entity
from features.facts.activity import fill_activity_facts
from features.facts.history import fill_history_facts
from features.facts.history_layout import HistoryFact
from features.facts.identity import fill_identity_facts
from features.facts.request import fill_request_facts
from features.facts.tally import fill_tally_facts
from features.plan import (
    COLUMN_STARTS,
    N_FACTS,
    N_SLICES,
    PLAN_RATIOS,
    PLAN_SOURCES,
    RATIO_STARTS,
    REQUEST_SLICE,
    SLICE_PLACES,
    SUMS_SHAPE,
)
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.identity import IDENTITY_DTYPE
from features.records.layouts import (
    ACTIVITY,
    HISTORY,
    LAYOUT_OF,
    N_ACTIVITY_WORDS,
    N_HISTORY_WORDS,
    N_IDENTITY_WORDS,
    N_TALLY_WORDS,
    SCRATCH_TYPES,
    TALLY,
    new_words,
    pick_words,
)
from features.records.packing import PackedRecords, clear_words, explain_damage, unpack_words
from features.records.tally import TALLY_DTYPE
from features.request_rows import REQUEST_ROW_DTYPE

STATE_OK = 0
"""Of a request: the store answered."""
STATE_UNAVAILABLE = -2
"""Of a request: it did not; only what the request says is known."""

STATE_KNOWN = 1
"""Value of the column `customer_state`: the customer has a history."""
STATE_NEW = 0
"""Value of `customer_state`: named, but nothing is known of them but the case."""
STATE_GUEST = -1
"""Value of `customer_state`: the case names no customer."""

_CUSTOMER = int(Entity.CUSTOMER)
_STATE_PLACE = int(SLICE_PLACES[_CUSTOMER]) + int(HistoryFact.CUSTOMER_STATE)
_CUSTOMER_PLACE = int(SLICE_PLACES[_CUSTOMER])
_REQUEST_PLACE = int(SLICE_PLACES[REQUEST_SLICE])


@welded
def clear_slice(number: int, facts: npt.NDArray[np.float64]) -> None:
    """Make all facts of a slice missing."""
    facts[SLICE_PLACES[number] : SLICE_PLACES[number + 1]] = np.nan


@welded
def fill_customer_slice(
    record: Any,
    request: Any,
    sums: npt.NDArray[np.int64],
    unit_sum: npt.NDArray[np.float64],
    facts: npt.NDArray[np.float64],
) -> None:
    """Write the facts of a named customer, state included; an empty record: a new one."""
    if fill_history_facts(record, request, sums, unit_sum, facts, _CUSTOMER_PLACE):
        facts[_STATE_PLACE] = STATE_KNOWN
    else:
        clear_slice(_CUSTOMER, facts)
        facts[_STATE_PLACE] = STATE_NEW


@welded
def clear_customer_slice(is_available: bool, facts: npt.NDArray[np.float64]) -> None:
    """Write the facts of a guest, or of anybody while the store is down."""
    clear_slice(_CUSTOMER, facts)
    facts[_STATE_PLACE] = STATE_GUEST if is_available else np.nan


@welded
def pick_columns(
    number: int, call: int | np.int64, facts: npt.NDArray[np.float64], out: npt.NDArray[np.float32]
) -> None:
    """Write the columns of one slice from its facts, and the ratios of these.

    Args:
        number: The slice: number of the `Entity`, or `plan.REQUEST_SLICE`.
        call: Number of the `Call`.
        facts: Shape `(N_FACTS,)`; place 0 is NaN.
        out: Shape `(N_FEATURES,)`; only the slice's columns are written.
    """
    for r in range(RATIO_STARTS[number], RATIO_STARTS[number + 1]):
        whole = facts[PLAN_RATIOS[r, 1]]
        ratio = facts[PLAN_RATIOS[r, 0]] / whole if whole > 0.0 else np.nan
        facts[PLAN_RATIOS[r, 2]] = ratio
    for column in range(COLUMN_STARTS[number], COLUMN_STARTS[number + 1]):
        out[column] = facts[PLAN_SOURCES[call, column]]


_STORED = (uint8_1d_readonly, int64_1d, bool_2d, int8_1d, array_of(REQUEST_ROW_DTYPE))


@compiled_without_allocation(
    int64(*_STORED, *SCRATCH_TYPES, int64_2d, float64_1d, float64_1d, float32_2d)
)
def _fill_rows_with(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    is_named: npt.NDArray[np.bool_],
    states: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
    history_words: npt.NDArray[np.uint64],
    activity_words: npt.NDArray[np.uint64],
    tally_words: npt.NDArray[np.uint64],
    identity_words: npt.NDArray[np.uint64],
    histories: npt.NDArray[Any],
    activities: npt.NDArray[Any],
    tallies: npt.NDArray[Any],
    identities: npt.NDArray[Any],
    sums: npt.NDArray[np.int64],
    unit_sum: npt.NDArray[np.float64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> int:
    """Return the number of the first damaged record, or -1."""
    history, activity, tally, identity = histories[0], activities[0], tallies[0], identities[0]
    start = 0
    for i in range(requests.shape[0]):
        request = requests[i]
        is_available = states[i] != STATE_UNAVAILABLE
        for entity in range(N_ENTITIES):
            number = i * N_ENTITIES + entity
            first, start = start, ends[number]
            if not (is_available and is_named[i, entity]):
                if entity == _CUSTOMER:
                    clear_customer_slice(is_available, facts)
                else:
                    clear_slice(entity, facts)
                continue
            layout, place = LAYOUT_OF[entity], SLICE_PLACES[entity]
            words = pick_words(layout, history_words, activity_words, tally_words, identity_words)
            if start > first and not unpack_words(data, first, start, layout, words):
                return number
            if layout == HISTORY:
                fill_customer_slice(history, request, sums, unit_sum, facts)
            elif layout == ACTIVITY:
                fill_activity_facts(activity, request, sums, facts, place)
            elif layout == TALLY:
                fill_tally_facts(tally, entity, request, sums, facts, place)
            else:
                fill_identity_facts(identity, request["member"], request, facts, place)
            if start > first:
                clear_words(words, data, first)
        fill_request_facts(request, facts, _REQUEST_PLACE)
        for number in range(N_SLICES):
            pick_columns(number, np.int64(request["call"]), facts, out[i])
    return -1


@compiled(int64(*_STORED, float32_2d))
def _fill_rows(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    is_named: npt.NDArray[np.bool_],
    states: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
    out: npt.NDArray[np.float32],
) -> int:
    """Return the number of the first damaged record, or -1."""
    history, activity = new_words(N_HISTORY_WORDS), new_words(N_ACTIVITY_WORDS)
    tally, identity = new_words(N_TALLY_WORDS), new_words(N_IDENTITY_WORDS)
    return int(
        _fill_rows_with(
            data,
            ends,
            is_named,
            states,
            requests,
            history,
            activity,
            tally,
            identity,
            history.view(HISTORY_DTYPE),
            activity.view(ACTIVITY_DTYPE),
            tally.view(TALLY_DTYPE),
            identity.view(IDENTITY_DTYPE),
            np.zeros(SUMS_SHAPE, np.int64),
            np.zeros(DIM, np.float64),
            np.full(N_FACTS, np.nan),
            out,
        )
    )


def compute_vectors(
    packed: PackedRecords,
    is_named: npt.NDArray[np.bool_],
    states: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
) -> npt.NDArray[np.float32]:
    """Return the model's rows for some requests.

    Args:
        packed: The `n * N_ENTITIES` stored records, request by request, in each in
            the order of `Entity`; a missing one is an entity without events. They
            must hold exactly the events known by each request's T, but for the
            case's own.
        is_named: Shape `(n, N_ENTITIES)`: which entities the request names; the
            records of others are not looked at.
        states: Shape `(n,)`: `STATE_OK` or `STATE_UNAVAILABLE`.
        requests: Shape `(n,)` of `REQUEST_ROW_DTYPE`; `time_us` is the time T.

    Returns:
        Shape `(n, N_FEATURES)`, float32, columns as in `features.definitions`;
        NaN is missing.

    Raises:
        SchemaMismatchError: A stored form is not a record of its entity's layout
            and of this version.
    """
    out = np.empty((len(requests), N_FEATURES), np.float32)
    damaged = _fill_rows(packed.buffer, packed.ends, is_named, states, requests, out)
    if damaged >= 0:
        raise explain_damage(packed.get_blob(damaged), LAYOUTS[damaged % N_ENTITIES])
    return out
