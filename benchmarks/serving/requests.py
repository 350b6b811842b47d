"""Score requests made of the cases of an event log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from google.protobuf import json_format

from features.log.columns import CASE_KINDS
from features.log.jsonl import encode_table
from features.log.reader import EventLog
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb

_CASE_FIELDS = {
    "order_placed": "order",
    "cancel_requested": "cancellation",
    "return_requested": "return_request",
}


def to_request(event: event_pb2.Event) -> pb.ScoreRequest:
    """Return what a caller would have asked about a case event."""
    request = pb.ScoreRequest(
        tenant=event.tenant,
        event_id=event.event_id,
        customer_id=event.customer_id,
        channel=event.channel,
    )
    kind = event.WhichOneof("kind") or ""
    getattr(request, _CASE_FIELDS[kind]).CopyFrom(getattr(event, kind))
    return request


def iterate_events(table: pa.Table | pa.RecordBatch) -> Iterator[event_pb2.Event]:
    """Yield the events of a table."""
    whole = pa.table(table) if isinstance(table, pa.RecordBatch) else table
    for line in encode_table(whole):
        yield json_format.Parse(line, event_pb2.Event())


def read_last_requests(log: Path, n: int) -> list[pb.ScoreRequest]:
    """Return requests for the last `n` cases of a log, all kinds mixed as they came."""
    table = EventLog(log).read_table(list(CASE_KINDS))
    return [to_request(event) for event in iterate_events(table.slice(max(0, len(table) - n)))]
