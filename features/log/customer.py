"""One customer's history, read from the event log: what a record was at a past time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.fold import fold_rows
from features.fold_rows import FOLD_ROW_DTYPE, FOLDED_KINDS
from features.log.columns import to_fold_rows
from features.log.reader import EventLog
from features.log.validation import validate_batch
from features.record import new_records


def read_record_at(log: EventLog, tenant: str, customer_id: str, at_us: int) -> npt.NDArray[Any]:
    """Return a customer's record as the store held it at a time, refolded from the log.

    Args:
        log: The event log; read once through, only the customer's rows are kept.
        tenant: The retailer.
        customer_id: As in the events.
        at_us: Events with `ingest_time <= at_us` count; microseconds UTC.

    Returns:
        Shape `(1,)` of `RECORD_DTYPE`; `event_count` 0 if nothing was known by then.
    """
    parts = [_read_rows(log, partition, tenant, customer_id, at_us) for partition in log.partitions]
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["ingest_time_us"], kind="stable")]
    first = np.sort(np.unique(rows["event_key"], return_index=True)[1])
    record = new_records(1)
    fold_rows(record, np.zeros(len(first), np.int64), np.ascontiguousarray(rows[first]))
    return record


def _read_rows(
    log: EventLog, partition: int, tenant: str, customer_id: str, at_us: int
) -> npt.NDArray[Any]:
    """Return the customer's accepted rows of one partition, in log order."""
    found = []
    for offset, batch in log.read_batches(partition, until_us=at_us, kinds=tuple(FOLDED_KINDS)):
        is_theirs = pc.and_(
            pc.equal(batch.column("tenant"), tenant),
            pc.equal(batch.column("customer_id"), customer_id),
        )
        theirs: pa.RecordBatch = batch.filter(is_theirs)
        if theirs.num_rows:
            found.append(to_fold_rows(validate_batch(theirs, offset).valid).rows)
    return np.concatenate(found) if found else np.empty(0, FOLD_ROW_DTYPE)
