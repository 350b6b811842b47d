"""A case: a request as the core sees it, without transport, identifiers and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from features.request_rows import Call


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One validated case.

    Attributes:
        tenant: Whose it is.
        request_id: Chosen by the caller; empty: a retry is a new case.
        request_hash: Hash of all that was asked; a retry must have the same.
        call: Which question.
        customer_key: Entity key; None: a guest.
        packed_rows: `1 + n_lines` rows of `REQUEST_ROW_DTYPE`: the case, then the lines
            of an order if its tenant has heads for lines. Times that depend on the
            moment of scoring are 0 until `stamp_time`.
        line_ids: One per line row.
        value_minor: Value at stake after discounts.
        cost_minor: Purchase cost of all units; None: some cost is missing.
        received_s: When its request was decoded, by the monotonic clock
            (`time.perf_counter`).
    """

    tenant: str
    request_id: str
    request_hash: bytes
    call: Call
    customer_key: bytes | None
    packed_rows: bytes
    line_ids: tuple[str, ...]
    value_minor: int
    cost_minor: int | None
    received_s: float

    @property
    def n_rows(self) -> int:
        """How many rows the model has to see."""
        return 1 + len(self.line_ids)


def stamp_time(rows: npt.NDArray[Any], now_us: int) -> None:
    """Set the time at which rows are evaluated; an order is placed at that moment.

    Args:
        rows: Shape `(n,)` of `REQUEST_ROW_DTYPE`, changed in place.
        now_us: Microseconds UTC.
    """
    rows["time_us"] = now_us
    is_order = (rows["call"] == Call.ORDER) | (rows["call"] == Call.ORDER_LINE)
    rows["order_time_us"][is_order] = now_us
