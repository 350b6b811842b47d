"""A case: a request as the core sees it, without transport, identifiers and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from features.entities import Entity
from features.request_rows import Call
from scoring.row_packing import unpack_rows


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One validated case.

    Attributes:
        tenant: Whose it is.
        request_id: Chosen by the caller; empty: a retry is a new case.
        request_hash: Hash of all that was asked; a retry must have the same.
        call: Which question.
        entity_keys: `N_ENTITIES` per row, in the order of the rows: the key of each entity
            that the row names; None: it names none.
        packed_rows: `1 + n_lines` rows of `REQUEST_ROW_DTYPE`: the case, then the lines
            of an order if its tenant has heads for lines. Times that depend on the
            moment of scoring are 0 until `unpack_cases`.
        line_ids: One per line row.
        value_minor: Value at stake after discounts.
        cost_minor: Purchase cost of all units; None: some cost is missing.
        received_s: When its request was decoded, by the monotonic clock
            (`time.perf_counter`).
        attributes: The retailer's own fields of the case, JSON; empty: none.
        customer_attributes: Those of its customer.
        event_id: Of the event that tells this case; empty: it is not published.
        names: What a label of a published case has to name; see `outcome_labels.pack_names`.
    """

    tenant: str
    request_id: str
    request_hash: bytes
    call: Call
    entity_keys: tuple[bytes | None, ...]
    packed_rows: bytes
    line_ids: tuple[str, ...]
    value_minor: int
    cost_minor: int | None
    received_s: float
    attributes: str = ""
    customer_attributes: str = ""
    event_id: str = ""
    names: bytes = b""

    @property
    def n_rows(self) -> int:
        """How many rows the model has to see."""
        return 1 + len(self.line_ids)

    @property
    def customer_key(self) -> bytes | None:
        """Key of the customer's history; None: a guest."""
        return self.entity_keys[Entity.CUSTOMER]


def unpack_cases(cases: Sequence[Case], now_us: int) -> tuple[npt.NDArray[Any], list[int]]:
    """Return the rows of some cases, as of now, and where each case's begin.

    Args:
        cases: In their order.
        now_us: The time at which they are evaluated, microseconds UTC. An order is
            placed at that moment.

    Returns:
        Shape `(n_rows,)` of `REQUEST_ROW_DTYPE`, and offsets: case `i` has rows
        `offsets[i]` to `offsets[i + 1] - 1`.
    """
    rows = unpack_rows(b"".join([case.packed_rows for case in cases]))
    rows["time_us"] = now_us
    order_times = rows["order_time_us"]
    offsets = [0]
    for case in cases:
        start, end = offsets[-1], offsets[-1] + case.n_rows
        if case.call is Call.ORDER:
            order_times[start:end] = now_us
        offsets.append(end)
    return rows, offsets
