"""What training asks: each case of the log at its own event time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.twin.schema import QUERY_SCHEMA
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.request_rows import Call

_CALLS = {
    "order_placed": Call.ORDER,
    "cancel_requested": Call.CANCELLATION,
    "return_requested": Call.RETURN,
}


def build_questions(cases: pa.Table) -> pa.Table:
    """Return one question per case, columns of `twin.schema.QUERY_SCHEMA`.

    Args:
        cases: Case events of a log in which each event stands once.
    """
    calls = [int(_CALLS[kind]) for kind in cases["kind"].cast(pa.string()).to_pylist()]
    n = cases.num_rows
    columns = {
        "tenant": cases["tenant"],
        "customer_id": cases["customer_id"],
        "time_us": cases["event_time"].cast(pa.int64()),
        "call": pa.array(calls, pa.int8()),
        "case_row": pa.array(np.arange(n)),
        "line": pa.array(np.full(n, -1)),
        "own_event_id": cases["event_id"],
    }
    return pa.table(columns).cast(QUERY_SCHEMA)


def is_never_late(events: pa.Table) -> bool:
    """Return whether every event was known when it happened."""
    return bool(pc.all(pc.equal(events["event_time"], events["ingest_time"])).as_py())


def write_prompt_copy(log: Path, out: Path) -> Path:
    """Write a copy of a log in which everything is known when it happens; return its folder.

    Of an event that is told twice the first telling stays, so each stands once.
    """
    events = EventLog(log).read_table()
    event_time = events.column_names.index("event_time")
    ids = pc.binary_join_element_wise(events["tenant"], events["event_id"], "\x1f")
    first = np.unique(ids.to_numpy(zero_copy_only=False).astype(str), return_index=True)[1]
    events = events.take(pa.array(np.sort(first)))
    for name in ("ingest_time", "known_at"):
        place = events.column_names.index(name)
        events = events.set_column(place, name, events.column(event_time))
    order = pc.sort_indices(events, [("event_time", "ascending"), ("event_id", "ascending")])
    with EventLogWriter(out, n_partitions=2, formats=("parquet",)) as writer:
        writer.append_table(events.take(order))
    return out
