"""What is asked of the twin, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

QUERY_SCHEMA = pa.schema(
    [
        ("tenant", pa.string()),
        ("customer_id", pa.string()),  # Whose history; empty: a guest.
        ("time_us", pa.int64()),  # T, microseconds UTC.
        ("call", pa.int8()),  # `features.request_rows.Call`.
        ("case_row", pa.int64()),  # Row of the cases table that states the request's facts.
        ("line", pa.int64()),  # Number of the order line from 0; -1: the call is not about a line.
        ("own_event_id", pa.string()),  # The case's own event; empty: not published.
    ]
)
"""One question: this customer's vector at T, for a case that says what `case_row` says.

The facts and the history are drawn apart on purpose: any customer at any time can
be asked about any case, so times need not fall on events.
"""


@dataclass(frozen=True, slots=True)
class TwinVectors:
    """The twin's answer.

    Attributes:
        names: Feature names, in the order of the columns.
        values: Shape `(n_queries, n_features)`, float64; NaN is missing.
        n_newer_own: Shape `(n_queries,)`: how many events of the case's kind, known at T,
            are newer than the case's own event; 0 if that is not known. A bounded record
            can leave a case out only as long as it is among the newest.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    n_newer_own: npt.NDArray[np.int64]
