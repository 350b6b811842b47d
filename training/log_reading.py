"""Reads what the stream would have accepted: the same checks, the first telling of each event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import ConfigError
from features.fold_rows import FOLDED_KINDS
from features.log.arrow_access import read_ints, to_batch
from features.log.partitioning import compute_event_keys
from features.log.reader import EventLog, select_columns
from features.log.schema import EVENT_SCHEMA
from features.log.validation import validate_batch
from training.facts import FACT_KINDS

READ_KINDS = tuple(sorted({*FACT_KINDS, *FOLDED_KINDS}))
"""Kinds that vectors or labels need; of others only the envelope is read."""


@dataclass(frozen=True, eq=False)
class AcceptedEvents:
    """One tenant's accepted events in log order, each event once.

    Attributes:
        tenant: Whose they are.
        batch: The events.
        n_read: Rows of the log.
        n_rejected: Rows that go to the dead letters.
        n_repeated: Accepted rows of this tenant whose event had been told before.
    """

    tenant: str
    batch: pa.RecordBatch
    n_read: int
    n_rejected: int
    n_repeated: int


def read_accepted_events(
    log: EventLog, tenant: str, progress: Callable[[int], None] | None = None
) -> AcceptedEvents:
    """Return a tenant's events as the stream would fold them.

    Log order over partitions is by ingest time, then partition, then offset: a
    customer's events share a partition, so this is the order of the stream.

    Args:
        log: The event log.
        tenant: Whose events; see `choose_tenant`.
        progress: Told how many rows were read since the last call.
    """
    schema = pa.schema([EVENT_SCHEMA.field(name) for name in select_columns(READ_KINDS)])
    parts: list[pa.RecordBatch] = []
    n_read = n_rejected = 0
    for partition in log.partitions:
        for offset, batch in log.read_batches(partition, kinds=READ_KINDS):
            checked = validate_batch(batch, offset)
            n_read += batch.num_rows
            n_rejected += len(checked.rejected)
            parts.append(checked.valid.filter(pc.equal(checked.valid.column("tenant"), tenant)))
            if progress:
                progress(batch.num_rows)
    merged = to_batch(pa.Table.from_batches(parts, schema))
    chosen = _find_first_tellings(merged)
    return AcceptedEvents(
        tenant=tenant,
        batch=merged.take(pa.array(chosen)),
        n_read=n_read,
        n_rejected=n_rejected,
        n_repeated=merged.num_rows - len(chosen),
    )


def choose_tenant(tenants: Sequence[str], wanted: str | None) -> str:
    """Return the tenant to train for: the one wanted, or the only one.

    Args:
        tenants: Those that the log's manifest names; none for a retailer's own files.
        wanted: The one asked for.

    Raises:
        ConfigError: It is not in the log, or several are and none is named.
    """
    if wanted is not None and (wanted in tenants or not tenants):
        return wanted
    if wanted is None and len(tenants) == 1:
        return tenants[0]
    raise ConfigError(
        "the tenant is not in the log" if wanted else "the log has not exactly one tenant",
        field="--tenant",
        value=wanted or "not given",
        expectation=f"one of {', '.join(tenants)}" if tenants else "the tenant of its events",
        fix="name one with --tenant",
    )


def _find_first_tellings(batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the places of first tellings, in log order."""
    ingest_us = read_ints(batch.column("ingest_time"), np.arange(batch.num_rows))
    order = np.argsort(ingest_us, kind="stable")
    keys = compute_event_keys(batch.column("tenant"), batch.column("event_id"))[order]
    return order[np.sort(np.unique(keys, return_index=True)[1])]
