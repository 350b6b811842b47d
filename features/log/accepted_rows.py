"""What of a log's accepted events counts, where it is read as Arrow batches.

The stream decides the same on cells: an erased customer's events are dropped, and
of several tellings of one event the first holds.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.entities import Entity
from features.erasures import Erasures
from features.log.arrow_access import read_ints
from features.log.erasure_register import ErasureRegister
from features.log.partitioning import compute_entity_keys, compute_event_keys
from features.log.reader import EventLog


def read_erasures(log: EventLog) -> Erasures:
    """Return who is registered as erased in a log's folder."""
    folder = log.path if log.path.is_dir() else log.path.parent
    return ErasureRegister(folder).read()


def drop_erased(batch: pa.RecordBatch, erasures: Erasures) -> pa.RecordBatch:
    """Return the events but those of erased customers up to their erasure.

    Args:
        batch: Accepted events.
        erasures: Who was erased, and when.
    """
    if not len(erasures):
        return batch
    customers = batch.column("customer_id")
    keys = compute_entity_keys(batch.column("tenant"), Entity.CUSTOMER, customers)
    ingest_us = read_ints(batch.column("ingest_time"))
    # A guest's key is that of the empty id, which nobody registers.
    return batch.filter(pa.array(~erasures.find_erased(keys, ingest_us)))


def take_first_tellings(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return each event once, as it was told first, in log order.

    Log order over partitions is by ingest time, then partition, then offset: a
    customer's events share a partition, so this is the order of the stream.

    Args:
        batch: Accepted events, partition by partition.
    """
    ingest_us = read_ints(batch.column("ingest_time"))
    order = np.argsort(ingest_us, kind="stable")
    keys = compute_event_keys(batch.column("tenant"), batch.column("event_id"))[order]
    chosen = order[np.sort(np.unique(keys, return_index=True)[1])]
    return batch.take(pa.array(chosen))
