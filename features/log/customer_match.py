"""Which events are one customer's: what erasing from a log looks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.log.spool import read_ingest_us
from hemostat.v1 import event_pb2


class _Envelope(msgspec.Struct):
    """What of a JSON line says whose it is."""

    tenant: str = ""
    customer_id: str = ""
    ingest_time: datetime | None = None
    event_time: datetime | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True)
class CustomerMatch:
    """A customer's events that the log took in up to a time.

    Attributes:
        tenant: The retailer.
        customer_id: The customer, not empty.
        until_us: The erasure, microseconds UTC.
    """

    tenant: str
    customer_id: str
    until_us: int

    def find_rows(self, batch: pa.RecordBatch | pa.Table) -> npt.NDArray[np.int64]:
        """Return the rows that match; needs tenant, customer_id and ingest_time."""
        is_theirs = pc.and_(
            pc.equal(batch.column("customer_id"), self.customer_id),
            pc.equal(batch.column("tenant"), self.tenant),
        )
        rows = np.flatnonzero(is_theirs.fill_null(False).to_numpy(zero_copy_only=False))
        if not len(rows):
            return rows
        some = batch.take(pa.array(rows))
        return rows[read_ingest_us(some) <= self.until_us]

    @property
    def message_needle(self) -> bytes:
        """Bytes that stand in every serialized event of this customer."""
        return self.customer_id.encode()

    def matches_message(self, message: bytes) -> bool:
        """Return whether a serialized event is theirs; the caller has looked at its time."""
        if self.message_needle not in message:
            return False
        event = event_pb2.Event.FromString(message)
        return event.customer_id == self.customer_id and event.tenant == self.tenant

    @property
    def line_needle(self) -> bytes:
        """Bytes that stand in every JSON line of this customer that hemostat wrote."""
        return msgspec.json.encode(self.customer_id)[1:-1]

    def matches_line(self, line: bytes) -> bool:
        """Return whether a JSON line that hemostat wrote is theirs."""
        if self.line_needle not in line:
            return False
        envelope = _decode_envelope(line)
        time = envelope.ingest_time or envelope.event_time
        if envelope.tenant != self.tenant or envelope.customer_id != self.customer_id:
            return False
        return time is None or round(time.timestamp() * 1e6) <= self.until_us
