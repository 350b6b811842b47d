"""What the log says happened, as columns that labels are made of.

A `FactTable` holds one kind of event; `known_us` says from when on anybody could
know it. Labels see facts through `FactLog.as_of`, so an outcome that became known
later cannot reach them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.log.arrow_access import KindColumn, read_ints, read_kind_index
from features.log.schema import EVENT_KINDS

NEVER_US = int(np.iinfo(np.int64).max)

FACT_KINDS = (
    "order_placed",
    "order_delivered",
    "order_cancelled",
    "order_kept",
    "cancel_requested",
    "return_requested",
    "return_inspected",
    "label_set",
    "offer_made",
)
"""Kinds that cases and labels are made of."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Envelope:
    """Of every event of a batch; arrays of shape `(n,)`.

    Attributes:
        known_us: From when on it was known.
        group: Number of its customer: the place of the customer's first event, so that
            later events renumber nobody. Every guest's event is a group of its own.
    """

    known_us: Ints
    group: Ints


class FactTable(KindColumn):
    """Events of one kind, read field by field, in log order.

    Args:
        batch: Accepted events.
        kind: Name of the kind.
        rows: Which rows of the batch; all of that kind.
        envelope: What is read of all rows of the batch once.

    Attributes:
        event_us: When each of the events happened, shape `(n,)`.
        known_us: From when on each was known, shape `(n,)`.
        group: Number of each event's customer, shape `(n,)`, as in `CaseSet`.
    """

    def __init__(self, batch: pa.RecordBatch, kind: str, rows: Ints, envelope: Envelope) -> None:
        super().__init__(batch, kind, rows)
        self.event_us = read_ints(batch.column("event_time"), rows)
        self.known_us = envelope.known_us[rows]
        self.group = envelope.group[rows]
        self._batch = batch
        self._kind = kind
        self._envelope = envelope

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.rows)

    def get_event_ids(self) -> pa.Array:
        """Return the events' ids, a string array."""
        return self._batch.column("event_id").take(pa.array(self.rows))

    def floats(self, path: str) -> npt.NDArray[np.float64]:
        """Return a number field, shape `(n,)`; absent is NaN."""
        taken = self.column(path).take(pa.array(self.rows)).cast(pa.float64())
        return np.asarray(taken.to_numpy(zero_copy_only=False), np.float64)

    def get_texts(self, path: str) -> pa.Array:
        """Return a string field; absent is the empty string."""
        return pc.fill_null(self.column(path).take(pa.array(self.rows)), "")

    def select(self, is_wanted: Flags) -> FactTable:
        """Return some of the events, in the same order."""
        return FactTable(self._batch, self._kind, self.rows[is_wanted], self._envelope)


class FactLog:
    """The facts of one tenant by kind.

    Args:
        tables: One per kind of `FACT_KINDS`.
    """

    def __init__(self, tables: Mapping[str, FactTable]) -> None:
        self._tables = tables

    def __getitem__(self, kind: str) -> FactTable:
        """Return the facts of a kind."""
        return self._tables[kind]

    def as_of(self, time_us: int) -> FactLog:
        """Return what was known at a time, inclusive."""
        return FactLog({k: t.select(t.known_us <= time_us) for k, t in self._tables.items()})


def read_envelope(batch: pa.RecordBatch) -> Envelope:
    """Return when events were known, and whose they are."""
    everything = np.arange(batch.num_rows)
    ingest_us = read_ints(batch.column("ingest_time"), everything)
    # An event may say that it is known later than its ingest, never earlier.
    known_us = np.maximum(read_ints(batch.column("known_at"), everything), ingest_us)
    encoded = batch.column("customer_id").dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = np.full(len(encoded.dictionary), batch.num_rows)
    np.minimum.at(first, codes, everything)
    is_guest = codes == encoded.dictionary.index(pa.scalar("")).as_py()
    return Envelope(known_us, np.where(is_guest, everything, first[codes]))


def from_events(batch: pa.RecordBatch) -> FactLog:
    """Return the facts of accepted events of one tenant, each event once, in log order."""
    kind_index = read_kind_index(batch)
    envelope = read_envelope(batch)
    return FactLog(
        {
            kind: FactTable(
                batch, kind, np.flatnonzero(kind_index == EVENT_KINDS.index(kind)), envelope
            )
            for kind in FACT_KINDS
        }
    )


def find_first_us(case_ids: pa.Array, fact_ids: pa.Array, fact_us: Ints) -> Ints:
    """Return the earliest time of a fact about each case, `NEVER_US` if there is none.

    An empty id names nothing.

    >>> cases, facts = pa.array(["a", "b", ""]), pa.array(["a", "a", ""])
    >>> (find_first_us(cases, facts, np.array([7, 5, 1])) < NEVER_US).tolist()
    [True, False, False]
    """
    encoded = fact_ids.dictionary_encode()
    # One entry more, at the end: what place -1 (no such fact) finds.
    first = np.full(len(encoded.dictionary) + 1, NEVER_US)
    np.minimum.at(first, encoded.indices.to_numpy(zero_copy_only=False), fact_us)
    return first[find_places(case_ids, encoded.dictionary)]


def count_facts(case_ids: pa.Array, fact_ids: pa.Array) -> Ints:
    """Return how many facts there are about each case.

    >>> count_facts(pa.array(["a", "b", ""]), pa.array(["a", "a", ""])).tolist()
    [2, 0, 0]
    """
    encoded = fact_ids.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    counts = np.append(np.bincount(codes, minlength=len(encoded.dictionary)), 0)
    return counts[find_places(case_ids, encoded.dictionary)].astype(np.int64)


def find_places(ids: pa.Array, known: pa.Array) -> Ints:
    """Return where each id stands in `known`; -1 if it does not, and for the empty id."""
    found = pc.if_else(pc.equal(ids, ""), None, pc.index_in(ids, known))
    places: Ints = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return places
