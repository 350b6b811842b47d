"""Where a partition's rows begin that were taken in after a given time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from stream.batches import EventColumns
from stream.sources.port import Raw, RawRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Times(msgspec.Struct):
    """The times of a row that is no acceptable event otherwise."""

    ingest_time: datetime | None = None
    event_time: datetime | None = None


def find_cut(number: int, raw: Raw, events: EventColumns, until_us: int) -> int | None:
    """Return the offset of the first row taken in after `until_us`; None if there is none.

    Args:
        number: Which range of the batch the rows are.
        raw: The rows.
        events: The batch's acceptable events, which tell their times.
        until_us: Last `ingest_time` wanted, microseconds UTC.
    """
    if not isinstance(raw, RawRows):
        times = raw.table.column("ingest_time").cast("int64").fill_null(0).to_numpy()
        later = np.flatnonzero(times > until_us)
        return int(raw.offsets[later[0]]) if len(later) else None
    if raw.ingest_us is not None:
        later = np.flatnonzero(raw.ingest_us > until_us)
        return int(raw.offsets[later[0]]) if len(later) else None
    own = events.range_index == number
    offsets, times = events.offsets[own], events.ingest_us[own]
    later = np.flatnonzero(times > until_us)
    n_before = int(later[0]) if len(later) else len(offsets)
    # Between the last event before and the first one behind stand rows that are no events.
    first = int(offsets[n_before - 1]) + 1 if n_before else int(raw.offsets[0])
    last = int(offsets[later[0]]) if len(later) else int(raw.offsets[-1]) + 1
    begin, end = np.searchsorted(raw.offsets, [first, last])
    for place in range(int(begin), int(end)):
        if _read_ingest_us(raw, place) > until_us:
            return int(raw.offsets[place])
    return last if len(later) else None


def _read_ingest_us(raw: RawRows, place: int) -> int:
    """Return when a row was taken in, as it says itself; 0 if it does not."""
    start = int(raw.ends[place - 1]) if place else 0
    try:
        times = msgspec.json.decode(raw.buffer[start : int(raw.ends[place])].tobytes(), type=_Times)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    time = times.ingest_time or times.event_time
    if time is None or time.tzinfo is None:
        return 0
    return (time - _EPOCH) // timedelta(microseconds=1)
