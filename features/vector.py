"""The vector: a record and a request become the model's row, as of a time.

The one code for serving, training and the tests of the stream. Everything is
evaluated at read time (a window keeps moving when nothing happens), in double
precision, and cast to float32 at the end. The case's own event is taken out
again wherever the record has counted it, so a case never counts itself, whether
its event was published before or after the call. This holds as long as the event
is among the customer's 8 newest orders, 4 newest cancel requests or 17 newest
returns: a call belongs to its moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import array_of, compiled, float32_2d, inlined, int8_1d, int64_1d, void
from features.definition import Aggregation
from features.definitions import N_FEATURES
from features.own_case import N_SUM_COLUMNS, N_SUM_ROWS, compute_sums, subtract_own_case
from features.plan import PLAN, PLAN_DTYPE
from features.record import RECORD_DTYPE
from features.request_rows import REQUEST_ROW_DTYPE
from features.vector_history import N_SCANNED, compute_history, scan_returns
from features.vector_request import compute_request

STATE_KNOWN = 1
STATE_NEW = 0
STATE_GUEST = -1
STATE_UNAVAILABLE = -2

_CUSTOMER_STATE = int(Aggregation.CUSTOMER_STATE)


@inlined
def fill_row(
    record: Any,
    state: int,
    request: Any,
    plan: Any,
    sums: npt.NDArray[np.int64],
    found: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write one row; `record` is read only if the customer is known."""
    own = (-1, -1, -1)
    if state == STATE_KNOWN:
        now_us = request["time_us"]
        compute_sums(record, now_us, sums)
        own = subtract_own_case(record, request["case_key"], now_us, sums)
        n_own = (own[0] >= 0) + (own[1] >= 0) + (own[2] >= 0)
        if record["event_count"] - n_own <= 0:
            state = STATE_NEW  # The record holds nothing but the case itself.
        else:
            scan_returns(record, own[1], request, found)
    call_bit = 1 << int(request["call"])
    for column in range(plan.shape[0]):
        step = plan[column]
        value = np.nan
        if step["calls"] & call_bit:
            if step["is_request"]:
                value = compute_request(request, step["aggregation"])
            elif step["aggregation"] == _CUSTOMER_STATE:
                value = float(state) if state != STATE_UNAVAILABLE else np.nan
            elif state == STATE_KNOWN:
                value = compute_history(record, request, step, sums, found, own)
        out[column] = value


@compiled(
    void(
        array_of(RECORD_DTYPE),
        int64_1d,
        int8_1d,
        array_of(REQUEST_ROW_DTYPE),
        array_of(PLAN_DTYPE),
        float32_2d,
    )
)
def _fill_rows(
    records: npt.NDArray[Any],
    record_index: npt.NDArray[np.int64],
    states: npt.NDArray[np.int8],
    requests: npt.NDArray[Any],
    plan: npt.NDArray[Any],
    out: npt.NDArray[np.float32],
) -> None:
    sums = np.zeros((N_SUM_ROWS, N_SUM_COLUMNS), np.int64)
    found = np.zeros(N_SCANNED, np.float64)
    for i in range(requests.shape[0]):
        record = records[max(record_index[i], 0)]
        fill_row(record, int(states[i]), requests[i], plan, sums, found, out[i])


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
    _fill_rows(records, record_index, states, requests, PLAN, out)
    return out
