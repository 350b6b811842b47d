"""Cases: what would have been scored, each with the vector that serving would have seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bulk import ToldEvents, compute_vectors_at
from features.entities import Entity
from features.log.arrow_access import KindColumn, read_ints
from features.log.arrow_cells import from_arrow
from features.log.cells import KIND_NUMBER, EventCells
from features.log.columns import to_fold_rows, to_line_rows, to_request_rows
from features.request_rows import Call
from training.facts import FactLog, Flags, Ints, from_events, read_envelope
from training.log_reading import AcceptedEvents

_EVENT_OF_CALL = {
    Call.ORDER: "order_placed",
    Call.CANCELLATION: "cancel_requested",
    Call.RETURN: "return_requested",
    Call.ORDER_LINE: "order_placed",
}


@dataclass(frozen=True, eq=False)
class CaseSet:
    """Cases of one call in log order; arrays of `n` entries.

    Attributes:
        call: Which question is asked.
        rows: Shape `(n, F)`, float32: the vector as of the case's own time.
        time_us: When the case happened.
        event_id: The case's event.
        order_id: Its order; empty: none (a return without receipt).
        item_id: Order line: the line's id. Cancellation: the cancel id. Else empty.
        group: Number of the customer, the same in all case sets of a log (see
            `facts.Envelope`); every case of a guest is a group of its own.
        is_guest: The case has no customer.
        price_minor: Price of one unit.
        attributes: The retailer's own fields of the case, JSON; None: never asked for.
        customer_attributes: Those of its customer.
    """

    call: Call
    rows: npt.NDArray[np.float32]
    time_us: Ints
    event_id: pa.Array
    order_id: pa.Array
    item_id: pa.Array
    group: Ints
    is_guest: Flags
    price_minor: Ints
    attributes: pa.Array | None = None
    customer_attributes: pa.Array | None = None

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.time_us)

    def select(self, is_wanted: Flags) -> CaseSet:
        """Return some of the cases, in the same order."""
        mask = pa.array(is_wanted)
        return replace(
            self,
            rows=self.rows[is_wanted],
            time_us=self.time_us[is_wanted],
            event_id=self.event_id.filter(mask),
            order_id=self.order_id.filter(mask),
            item_id=self.item_id.filter(mask),
            group=self.group[is_wanted],
            is_guest=self.is_guest[is_wanted],
            price_minor=self.price_minor[is_wanted],
            attributes=None if self.attributes is None else self.attributes.filter(mask),
            customer_attributes=None
            if self.customer_attributes is None
            else self.customer_attributes.filter(mask),
        )


@dataclass(frozen=True, eq=False)
class LearningSet:
    """All cases of a tenant's log, and the facts that label them.

    Attributes:
        cases: Per call.
        facts: What happened.
        start_us: Ingest time of the first event.
        end_us: Ingest time of the last event: nothing later is known.
    """

    cases: dict[Call, CaseSet]
    facts: FactLog
    start_us: int
    end_us: int


@dataclass(frozen=True, eq=False)
class _Requests:
    """Request rows and where they come from; arrays of `n` entries.

    Attributes:
        rows: Shape `(n,)` of `REQUEST_ROW_DTYPE`.
        entity_keys: Shape `(n, N_ENTITIES, 16)`, uint8.
        is_named: Shape `(n, N_ENTITIES)`, bool.
        source_index: Shape `(n,)`, int64: each one's event.
        item_id: As in `CaseSet`, but for cancellations.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    is_named: Flags
    source_index: Ints
    item_id: pa.Array


def build_learning_set(events: AcceptedEvents, calls: frozenset[Call]) -> LearningSet:
    """Return the cases of some calls with their point-in-time vectors, and the facts.

    One pass over history computes the vectors of all calls: events with
    `ingest_time` up to a case's time count, its own event does not.
    """
    batch = events.batch
    cells = from_arrow(batch)
    requests = {call: _read_requests(batch, cells, call) for call in sorted(calls)}
    vectors = _compute_vectors(cells, list(requests.values()))
    groups = read_envelope(batch).group
    cases = {
        call: _build_cases(batch, call, part, rows, groups)
        for (call, part), rows in zip(requests.items(), vectors, strict=True)
    }
    ingest_us = read_ints(batch.column("ingest_time"), np.arange(batch.num_rows))
    return LearningSet(
        cases=cases,
        facts=from_events(batch),
        start_us=int(ingest_us[0]) if len(ingest_us) else 0,
        end_us=int(ingest_us[-1]) if len(ingest_us) else 0,
    )


def _read_requests(batch: pa.RecordBatch, cells: EventCells, call: Call) -> _Requests:
    if call is Call.ORDER_LINE:
        found = to_line_rows(cells)
        orders = np.flatnonzero(cells.head["kind"] == KIND_NUMBER["order_placed"])
        _, lines = KindColumn(batch, "order_placed", orders).lists("lines")
        item_id = lines.field("line_id")
        is_wanted = np.ones(len(found.rows), np.bool_)
    else:
        found = to_request_rows(cells)
        is_wanted = found.rows["call"] == call
        item_id = pa.array(np.full(np.count_nonzero(is_wanted), ""), pa.string())
    return _Requests(
        found.rows[is_wanted],
        found.entity_keys[is_wanted],
        found.is_named[is_wanted],
        found.event_index[is_wanted],
        item_id,
    )


def _compute_vectors(cells: EventCells, parts: list[_Requests]) -> list[npt.NDArray[np.float32]]:
    """Return the vectors of each part, computed in one walk over history."""
    folded = to_fold_rows(cells)
    vectors = compute_vectors_at(
        folded.rows,
        folded.entity_keys,
        cells.embeddings,
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.entity_keys for part in parts]),
        np.concatenate([part.is_named for part in parts]),
        events=ToldEvents(folded.event_index, folded.event_keys, cells.head["ingest_us"]),
    )
    return np.split(vectors, np.cumsum([len(part.rows) for part in parts])[:-1])


def _build_cases(
    batch: pa.RecordBatch,
    call: Call,
    requests: _Requests,
    rows: npt.NDArray[np.float32],
    groups: Ints,
) -> CaseSet:
    events = KindColumn(batch, _EVENT_OF_CALL[call], requests.source_index)
    taken = pa.array(requests.source_index)
    item_id = requests.item_id
    if call is Call.CANCELLATION:
        item_id = events.column("cancel_id").take(taken)
    return CaseSet(
        call=call,
        rows=rows,
        time_us=requests.rows["time_us"].copy(),
        event_id=batch.column("event_id").take(taken),
        order_id=events.column("order_id").take(taken),
        item_id=item_id,
        group=groups[requests.source_index],
        is_guest=~requests.is_named[:, Entity.CUSTOMER],
        price_minor=requests.rows["unit_price_minor"].copy(),
        attributes=events.column("attributes").take(taken),
        customer_attributes=events.column("customer_attributes").take(taken),
    )
