"""What is wrong with events, by the very decoder of the log's readers.

The one module of the scorer that needs the extra `log`; loaded only where events
are published.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.log.decode import decode_messages
from features.log.rejections import Rejection
from hemostat.v1 import scoring_pb2 as pb

_EMPTY = pb.EventError(
    reason="missing_field",
    field="tenant",
    value="empty",
    expectation="a non-empty string",
    fix="every event names it",
)


def check_events(messages: Sequence[bytes], now_us: int) -> dict[int, pb.EventError]:
    """Return the error of each event that the log's readers would refuse, by its place.

    Args:
        messages: Serialized events without ingest time.
        now_us: When they come in, microseconds UTC.
    """
    if not messages:
        return {}
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    decoded = decode_messages(
        np.frombuffer(bytearray().join(messages), np.uint8),
        np.cumsum(lengths),
        default_ingest_us=np.full(len(messages), now_us, np.int64),
    )
    errors = {rejection.offset: _to_error(rejection) for rejection in decoded.rejected}
    # In a log an empty message is an erased event, and no fault.
    errors.update((place, _EMPTY) for place in np.flatnonzero(lengths == 0).tolist())
    return errors


def _to_error(rejection: Rejection) -> pb.EventError:
    return pb.EventError(
        reason=rejection.reason_code.value,
        field=rejection.field,
        value=rejection.value_shown,
        expectation=rejection.expectation,
        fix=rejection.fix,
    )
