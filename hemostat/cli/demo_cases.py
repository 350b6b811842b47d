"""Which cases the demo scores: real ones of the log, from after the stream's cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import json_format

from hemostat.v1 import event_pb2, scoring_pb2

if TYPE_CHECKING:
    import pyarrow as pa

    from features.log.reader import EventLog

_CASE_FIELDS = {
    "order_placed": "order",
    "cancel_requested": "cancellation",
    "return_requested": "return_request",
}
_CALL_NAMES = {"order": "order", "cancellation": "cancellation", "return_request": "return"}
_N_PER_KIND = 60
_SPAN = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class DemoCase:
    """One case to score.

    Attributes:
        request: What is asked.
        call: `order`, `cancellation` or `return`.
        summary: What it is, for a person.
        truth: What the simulation knows of it; empty for real data.
    """

    request: scoring_pb2.ScoreRequest
    call: str
    summary: str
    truth: str = ""


def choose_cut(log: EventLog) -> datetime:
    """Return the time at which the demo's stream stops and its server's clock starts."""
    last = log.manifest.last_ingest_time
    assert last is not None, "an event log with events has a last ingest time"
    return last - _SPAN


def choose_cases(log: EventLog, log_path: Path, cut: datetime) -> list[DemoCase]:
    """Return the first cases of each kind after the cut."""
    truth = _read_truth(log_path)
    chosen: list[DemoCase] = []
    for kind, field in _CASE_FIELDS.items():
        events = islice(_iterate_events(log.read_table([kind]), cut), _N_PER_KIND)
        chosen.extend(_to_case(event, field, truth) for event in events)
    return chosen


def _iterate_events(table: pa.Table, cut: datetime) -> Iterator[event_pb2.Event]:
    """Yield the log's events of known customers after the cut."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from features.log.jsonl import encode_table

    is_later = pc.greater(
        table.column("ingest_time"), pa.scalar(cut, table.schema.field("ingest_time").type)
    )
    has_customer = pc.not_equal(table.column("customer_id"), "")
    for line in encode_table(table.filter(pc.and_(is_later, has_customer))):
        yield json_format.Parse(line, event_pb2.Event())


def _to_case(event: event_pb2.Event, field: str, truth: dict[str, str]) -> DemoCase:
    request = scoring_pb2.ScoreRequest(
        request_id=f"demo-{event.event_id}",
        tenant=event.tenant,
        event_id=event.event_id,
        customer_id=event.customer_id,
        channel=event.channel,
    )
    payload = getattr(event, event.WhichOneof("kind") or "")
    getattr(request, field).CopyFrom(payload)
    return DemoCase(
        request=request,
        call=_CALL_NAMES[field],
        summary=_summarise(event, field),
        truth=truth.get(event.event_id, ""),
    )


def _summarise(event: event_pb2.Event, field: str) -> str:
    if field == "order":
        lines = event.order_placed.lines
        value = sum(line.quantity * line.unit_price_minor for line in lines)
        plural = "" if len(lines) == 1 else "s"
        return f"{len(lines)} line{plural} {value / 100:,.0f}"
    if field == "cancellation":
        cancel = event.cancel_requested
        return f"{cancel.quantity * cancel.unit_price_minor / 100:,.0f}"
    returned = event.return_requested
    value = returned.quantity * returned.unit_price_minor
    receipt = "" if returned.has_receipt else ", no receipt"
    units = "" if returned.quantity == 1 else f"{returned.quantity} x "
    what = "/".join((returned.category or returned.sku).split("/")[-2:])
    return f"{units}{what} {value / 100:,.0f}{receipt}"


def _read_truth(log_path: Path) -> dict[str, str]:
    """Return what the simulation knows of each case, by event id; empty for real data."""
    path = log_path / "truth" / "cases.parquet"
    if not path.exists():
        return {}
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    rows = table.select(["case_event_id", "pattern", "is_abuse"]).to_pylist()
    return {row["case_event_id"]: row["pattern"] if row["is_abuse"] else "honest" for row in rows}
