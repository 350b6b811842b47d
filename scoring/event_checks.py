"""What is wrong with events, by the very checks of the log's decoders.

The one module of the scorer that needs the extra `log`; loaded only where events
are published.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from features.log.jsonl_source import append_malformed
from features.log.messages import decode_messages_carefully
from features.log.rejections import Rejection
from features.log.validation import validate_batch
from hemostat.v1 import scoring_pb2 as pb


def check_events(messages: Sequence[bytes], now_us: int) -> dict[int, pb.EventError]:
    """Return the error of each event that the log's readers would refuse, by its place.

    Args:
        messages: Serialized events without ingest time.
        now_us: When they come in, microseconds UTC.
    """
    if not messages:
        return {}
    decoded = decode_messages_carefully(messages)
    ingest = pa.array([now_us] * len(messages), pa.timestamp("us", tz="UTC"))
    position = decoded.batch.schema.get_field_index("ingest_time")
    batch = decoded.batch.set_column(position, decoded.batch.schema.field(position), ingest)
    rejected = validate_batch(append_malformed(batch, decoded.malformed)).rejected
    return {rejection.offset: _to_error(rejection) for rejection in rejected}


def _to_error(rejection: Rejection) -> pb.EventError:
    return pb.EventError(
        reason=rejection.reason_code.value,
        field=rejection.field,
        value=rejection.value_shown,
        expectation=rejection.expectation,
        fix=rejection.fix,
    )
