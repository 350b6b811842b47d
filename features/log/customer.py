"""One customer's records, refolded from the event log: what the store held at a past time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.entities import Entity
from features.fold_rows import FOLDED_KINDS
from features.log.accepted_rows import drop_erased, read_erasures, take_first_tellings
from features.log.arrow_access import to_batch
from features.log.arrow_cells import from_arrow
from features.log.fan_out import to_fold_rows
from features.log.reader import EventLog, select_columns
from features.log.schema import EVENT_SCHEMA
from features.log.validation import validate_batch
from features.records.packing import PackedRecords
from features.refold import refold

CUSTOMER_ENTITIES = (Entity.CUSTOMER, Entity.ACTIVITY)
"""The records that are one customer's own."""

_KINDS = tuple(FOLDED_KINDS)


def read_records_at(log: EventLog, tenant: str, customer_id: str, at_us: int) -> list[bytes | None]:
    """Return a customer's records as the store held them at a time, refolded from the log.

    Args:
        log: The event log; read once through, only the customer's events are kept.
        tenant: The retailer.
        customer_id: As in the events.
        at_us: Events with `ingest_time <= at_us` count; microseconds UTC.

    Returns:
        One stored form per `CUSTOMER_ENTITIES`; None: nothing was known by then.
    """
    cells = from_arrow(_read_events(log, tenant, customer_id, at_us))
    rows = to_fold_rows(cells).rows
    rows = rows[rows["entity"] <= CUSTOMER_ENTITIES[-1]]
    rows = rows[np.argsort(rows["entity"], kind="stable")]
    packed = refold(
        PackedRecords.from_blobs([None] * len(CUSTOMER_ENTITIES)),
        np.array(CUSTOMER_ENTITIES, np.uint8),
        rows,
        rows["entity"].astype(np.int64),
        cells.embeddings,
    )
    return [blob or None for blob in packed.to_blobs()]


def _read_events(log: EventLog, tenant: str, customer_id: str, at_us: int) -> pa.RecordBatch:
    """Return the customer's accepted events, each once, in log order."""
    erasures = read_erasures(log)
    found = []
    for partition in log.partitions:
        for offset, batch in log.read_batches(partition, until_us=at_us, kinds=_KINDS):
            is_theirs = pc.and_(
                pc.equal(batch.column("tenant"), tenant),
                pc.equal(batch.column("customer_id"), customer_id),
            )
            theirs: pa.RecordBatch = batch.filter(is_theirs)
            if theirs.num_rows:
                found.append(drop_erased(validate_batch(theirs, offset).valid, erasures))
    schema = pa.schema([EVENT_SCHEMA.field(name) for name in select_columns(_KINDS)])
    return take_first_tellings(to_batch(pa.Table.from_batches(found, schema)))
