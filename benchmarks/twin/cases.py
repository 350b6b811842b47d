"""Cases to ask about: those of a log, and cancel clicks where a log has none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.log.conform import conform_batch
from features.log.reader import EventLog
from features.log.schema import KIND_SPECS

CASE_KINDS = ("order_placed", "cancel_requested", "return_requested")
_MADE_UP = "made-up-click-"


def read_cases(log: Path) -> tuple[pa.Table, pa.Table]:
    """Return all events of a log and the cases to ask about, both with its columns.

    A log of a shop that knows no cancel click (Online Retail) gets one for each
    cancellation, so that this call is asked about, too; its event is not in the log.
    """
    events = EventLog(log).read_table()
    kinds = events["kind"].cast(pa.string())
    cases = events.filter(pc.is_in(kinds, pa.array(CASE_KINDS)))
    if not pc.any(pc.equal(kinds, "cancel_requested")).as_py():
        cancelled = events.filter(pc.equal(kinds, "order_cancelled"))
        if cancelled.num_rows:
            cases = pa.concat_tables([cases, _make_clicks(cancelled)]).unify_dictionaries()
    return events, cases.combine_chunks()


def _make_clicks(cancelled: pa.Table) -> pa.Table:
    """Return a cancel click for each cancellation, saying what both kinds of event say."""
    said = cancelled["order_cancelled"].combine_chunks()
    known = {field.name for field in KIND_SPECS["cancel_requested"].fields}
    names = [field.name for field in said.type if field.name in known]
    clicks = pa.StructArray.from_arrays([said.field(name) for name in names], names)
    columns = {
        name: cancelled[name].combine_chunks()
        for name in ("tenant", "event_time", "ingest_time", "customer_id", "channel")
    }
    ids = pc.binary_join_element_wise(_MADE_UP, cancelled["event_id"].combine_chunks(), "")
    batch = pa.RecordBatch.from_pydict({"event_id": ids, **columns, "cancel_requested": clicks})
    return pa.Table.from_batches([conform_batch(batch)])
