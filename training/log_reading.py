"""Reads what the stream would have accepted: the same checks, the first telling of each event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import ConfigError
from features.fold_rows import FOLDED_KINDS
from features.log.accepted_rows import drop_erased, read_erasures, take_first_tellings
from features.log.arrow_access import to_batch
from features.log.batch_work import map_batches
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

    Who is erased in the log's register is left out, as if never seen.

    Args:
        log: The event log.
        tenant: Whose events; see `choose_tenant`.
        progress: Told how many rows were read since the last call.
    """
    schema = pa.schema([EVENT_SCHEMA.field(name) for name in select_columns(READ_KINDS)])
    erasures = read_erasures(log)
    parts: list[pa.RecordBatch] = []
    n_read = n_rejected = 0

    def check(offset: int, batch: pa.RecordBatch) -> tuple[int, int, pa.RecordBatch]:
        checked = validate_batch(batch, offset)
        own = checked.valid.filter(pc.equal(checked.valid.column("tenant"), tenant))
        return batch.num_rows, len(checked.rejected), drop_erased(own, erasures)

    for n_rows, n_refused, own in map_batches(log, check, kinds=READ_KINDS):
        n_read += n_rows
        n_rejected += n_refused
        parts.append(own)
        if progress:
            progress(n_rows)
    merged = to_batch(pa.Table.from_batches(parts, schema))
    told_once = take_first_tellings(merged)
    return AcceptedEvents(
        tenant=tenant,
        batch=told_once,
        n_read=n_read,
        n_rejected=n_rejected,
        n_repeated=merged.num_rows - told_once.num_rows,
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
