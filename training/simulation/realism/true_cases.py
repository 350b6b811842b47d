"""The cases of a simulated log, each with its vector and with what it really was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.bulk import ToldEvents, compute_vectors_at
from features.log.arrow_cells import from_arrow
from features.log.columns import to_fold_rows, to_request_rows
from features.log.reader import EventLog
from training.simulation.config import US_PER_DAY
from training.simulation.truth import TRUTH_FILE

_CASE_KINDS: Final = {
    "order": "order_placed",
    "cancellation": "cancel_requested",
    "return": "return_requested",
}

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrueCases:
    """All cases of one call with what a scorer would see and what they were.

    Attributes:
        call: Which call.
        vectors: Shape `(n, N_FEATURES)`, float32, as of each case's own time.
        embeddings: Shape `(n, 64)`, int8: the reason; zeros without text.
        is_abuse: Shape `(n,)`.
        would_leave: Shape `(n,)`: 1 or 0; NaN where it does not apply.
        patterns: Length n: `Pattern` or `LookAlike` values.
        customers: Length n: who acts, in truth: one person under all accounts and as a guest.
        customer_ids: Length n: as the log names them, a guest's case by its own event id.
        event_ids: Length n.
        time_us: Shape `(n,)`: event time.
        ingest_us: Shape `(n,)`.
        order_in_day: Shape `(n,)`: where the row stands in its partition's file among the rows
            ingested on the same UTC day, from 0 to below 1.
    """

    call: str
    vectors: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.int8]
    is_abuse: Flags
    would_leave: Floats
    patterns: list[str]
    customers: list[str]
    customer_ids: list[str]
    event_ids: list[str]
    time_us: npt.NDArray[np.int64]
    ingest_us: npt.NDArray[np.int64]
    order_in_day: Floats

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.is_abuse)


def read_true_cases(path: Path) -> dict[str, TrueCases]:
    """Return the cases of a simulated log by call, joined with their truth.

    Args:
        path: A log written by `hemostat simulate`.
    """
    log = EventLog(path)
    table = log.read_table()
    batch = table.combine_chunks().to_batches()[0]
    cells = from_arrow(batch)
    fold = to_fold_rows(cells)
    requests = to_request_rows(cells)
    vectors = compute_vectors_at(
        fold.rows,
        fold.entity_keys,
        cells.embeddings,
        requests.rows,
        requests.entity_keys,
        requests.is_named,
        events=ToldEvents(fold.event_index, fold.event_keys, cells.head["ingest_us"]),
    )
    truth = pq.read_table(path / TRUTH_FILE)
    ids = batch.column("event_id").take(pa.array(requests.event_index))
    order_in_day = _read_order_in_day(log, ids)
    places = pc.index_in(truth.column("case_event_id"), ids).to_numpy()
    cases = {}
    for call, kind in _CASE_KINDS.items():
        is_call = pc.equal(truth.column("call"), call).to_numpy()
        chosen = places[is_call]
        cases[call] = _select(
            call, kind, batch, requests.event_index[chosen], vectors[chosen],
            requests.rows["embedding"][chosen], truth.filter(pa.array(is_call)),
            order_in_day[chosen],
        )  # fmt: skip
    return cases


def _select(
    call: str, kind: str, batch: pa.RecordBatch, rows: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.float32], embeddings: npt.NDArray[np.int8], truth: pa.Table,
    order_in_day: Floats,
) -> TrueCases:  # fmt: skip
    taken = batch.take(pa.array(rows))
    assert set(taken.column("kind").to_pylist()) == {kind}
    event_ids = taken.column("event_id").to_pylist()
    names = taken.column("customer_id").to_pylist()
    leaves = truth.column("would_leave_without_offer").cast(pa.float64())
    return TrueCases(
        call=call,
        vectors=vectors,
        embeddings=embeddings,
        is_abuse=truth.column("is_abuse").to_numpy(),
        would_leave=leaves.to_numpy(),
        patterns=truth.column("pattern").to_pylist(),
        customers=truth.column("person").to_pylist(),
        customer_ids=[name or event for name, event in zip(names, event_ids, strict=True)],
        event_ids=event_ids,
        time_us=taken.column("event_time").cast(pa.int64()).to_numpy(),
        ingest_us=taken.column("ingest_time").cast(pa.int64()).to_numpy(),
        order_in_day=order_in_day,
    )


def _read_order_in_day(log: EventLog, event_ids: pa.Array) -> Floats:
    """Return where each event first stands in its file, relative to the rows of its day.

    Within the day: behaviour may drift from month to month, and a file in order of
    time shows that honestly. What must not show is an order of its own.
    """
    ids, places = [], []
    for partition in log.partitions:
        batches = [batch for _, batch in log.read_batches(partition, kinds=())]
        if not batches:
            continue
        rows = pa.Table.from_batches(batches)
        day = rows.column("ingest_time").cast(pa.int64()).to_numpy() // US_PER_DAY
        first = np.searchsorted(day, day, "left")
        n_of_day = np.searchsorted(day, day, "right") - first
        ids.append(rows.column("event_id").combine_chunks())
        places.append((np.arange(len(day)) - first) / n_of_day)
    known = pc.index_in(event_ids, pa.concat_arrays(ids)).to_numpy()
    order: Floats = np.concatenate(places)[known]
    return order


def find_abusers(cases: Mapping[str, TrueCases]) -> frozenset[str]:
    """Return the customers who abused at least once, in any call: all others are good ones."""
    return frozenset(
        name
        for one in cases.values()
        for name, is_abuse in zip(one.customers, one.is_abuse, strict=True)
        if is_abuse
    )


def number_customers(customers: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a number from 0 per customer, shape `(n,)`."""
    return np.unique(np.array(customers), return_inverse=True)[1].astype(np.int64)
