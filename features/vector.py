"""The vector: a record and a request become the model's row, as of a time.

The one code for serving, training and the tests of the stream. Everything is
evaluated at read time (a window keeps moving when nothing happens), in double
precision, and cast to float32 at the end. The case's own event is taken out
again wherever the record has counted it, so a case never counts itself, whether
its event was published before or after the call. This holds as long as the event
is among the customer's 8 newest orders, 4 newest cancel requests or 64 newest
returns: a call belongs to its moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    compiled,
    float32_2d,
    inlined,
    int8_1d,
    int64_1d,
    int64_2d,
    void,
)
from features.definition import Aggregation
from features.definitions import N_FEATURES
from features.own_case import compute_sums, subtract_own_case
from features.plan import (
    MISSING_PLACE,
    N_FACTS,
    N_SUM_COLUMNS,
    N_SUM_ROWS,
    NET_VALUES_PLACE,
    PLAN_RATIOS,
    PLAN_SOURCES,
    RATIOS_PLACE,
    SUMS_PLACE,
)
from features.record import COUNTERS, RECORD_DTYPE
from features.request_rows import REQUEST_ROW_DTYPE
from features.vector_history import fill_history_facts
from features.vector_request import fill_request_facts

STATE_KNOWN = 1
STATE_NEW = 0
STATE_GUEST = -1
STATE_UNAVAILABLE = -2

_CUSTOMER_STATE = int(Aggregation.CUSTOMER_STATE)
_ORDER_VALUE = COUNTERS.index("order_value")
_RETURN_VALUE = COUNTERS.index("return_value")
_CANCEL_VALUE = COUNTERS.index("cancel_value")


@inlined
def _fill_sums(
    sums: npt.NDArray[np.int64], ratios: npt.NDArray[np.int64], facts: npt.NDArray[np.float64]
) -> None:
    """Write window sums, net values and ratios to their places among the facts."""
    for window in range(N_SUM_ROWS):
        place = SUMS_PLACE + window * N_SUM_COLUMNS
        for counter in range(N_SUM_COLUMNS):
            facts[place + counter] = float(sums[window, counter])
        given_back = sums[window, _RETURN_VALUE] + sums[window, _CANCEL_VALUE]
        facts[NET_VALUES_PLACE + window] = float(sums[window, _ORDER_VALUE] - given_back)
    for r in range(ratios.shape[0]):
        part, whole = sums[ratios[r, 0], ratios[r, 1]], sums[ratios[r, 0], ratios[r, 2]]
        facts[RATIOS_PLACE + r] = float(part) / float(whole) if whole > 0 else np.nan


@inlined
def fill_row(
    record: Any,
    state: int,
    request: Any,
    ratios: npt.NDArray[np.int64],
    sources: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write one row; `record` is read only if the customer is known.

    `sums` and `facts` are scratch, `ratios` and `sources` are from `features.plan`.
    """
    if state == STATE_KNOWN:
        now_us = request["time_us"]
        compute_sums(record, now_us, sums)
        own = subtract_own_case(record, request["case_key"], now_us, sums)
        n_own = (own[0] >= 0) + (own[1] >= 0) + (own[2] >= 0)
        if record["event_count"] - n_own > 0:
            _fill_sums(sums, ratios, facts)
            fill_history_facts(record, request, own, sums, facts)
        else:
            state = STATE_NEW  # The record holds nothing but the case itself.
    fill_request_facts(request, facts)
    facts[MISSING_PLACE] = np.nan
    facts[_CUSTOMER_STATE] = float(state) if state != STATE_UNAVAILABLE else np.nan
    row = 2 * int(request["call"]) + (1 if state == STATE_KNOWN else 0)
    for column in range(sources.shape[1]):
        out[column] = facts[sources[row, column]]


@compiled(
    void(
        array_of(RECORD_DTYPE),
        int64_1d,
        int8_1d,
        array_of(REQUEST_ROW_DTYPE),
        int64_2d,
        int64_2d,
        float32_2d,
    )
)
def _fill_rows(
    records: npt.NDArray[Any],
    record_index: npt.NDArray[np.int64],
    states: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
    ratios: npt.NDArray[np.int64],
    sources: npt.NDArray[np.int64],
    out: npt.NDArray[np.float32],
) -> None:
    sums = np.zeros((N_SUM_ROWS, N_SUM_COLUMNS), np.int64)
    facts = np.zeros(N_FACTS, np.float64)
    for i in range(requests.shape[0]):
        record = records[max(record_index[i], 0)]
        fill_row(record, int(states[i]), requests[i], ratios, sources, sums, facts, out[i])


def compute_vectors(
    records: npt.NDArray[Any],
    record_index: npt.NDArray[np.int64],
    states: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
) -> npt.NDArray[np.float32]:
    """Return the model's rows for some requests.

    Args:
        records: Shape `(n_records,)` of `RECORD_DTYPE`, at least one (an empty
            one if nobody is known).
        record_index: Shape `(n,)`: each request's record; ignored unless known.
        states: Shape `(n,)`: `STATE_KNOWN`, `STATE_NEW`, `STATE_GUEST` or
            `STATE_UNAVAILABLE`.
        requests: Shape `(n,)` of `REQUEST_ROW_DTYPE`; `time_us` is the time T of
            the row. The record must hold exactly the events known by T, but for
            the case's own.

    Returns:
        Shape `(n, N_FEATURES)`, float32, columns as in `features.definitions`;
        NaN is missing.
    """
    out = np.empty((len(requests), N_FEATURES), np.float32)
    _fill_rows(records, record_index, states, requests, PLAN_RATIOS, PLAN_SOURCES, out)
    return out
