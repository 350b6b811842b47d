"""How far a log has come does not depend on where its batches were cut, malformed rows or not."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.erasures import Erasures
from features.store.port import ShardProgress, ShardTotals
from stream.batches import BatchId, PartitionRange
from stream.decoding import DecodingRules, decode_raws
from stream.progress import advance_progress, advance_seen_progress
from stream.sources.port import Encoding, RawRows

_N = 24
_START = datetime(2026, 3, 1, tzinfo=UTC)
_RULES = DecodingRules("log")


def _write_row(number: int, *, is_good: bool) -> bytes:
    time = (_START + timedelta(minutes=number)).isoformat()
    row = {
        "event_id": f"e{number}" if is_good else "",
        "tenant": "t",
        "event_time": time,
        "ingest_time": time,
        "channel": "CHANNEL_WEB",
        "product_viewed": {"sku": "s"},
    }
    return json.dumps(row).encode()


def _read(rows: list[bytes], stamps_us: list[int], first: int, after: int) -> PartitionRange:
    """Return what one stretch of the partition means."""
    chosen = rows[first:after]
    raw = RawRows(
        0,
        np.arange(first, after),
        np.frombuffer(bytearray(b"".join(chosen)), np.uint8),
        np.cumsum([len(row) for row in chosen]),
        Encoding.JSON,
        np.array(stamps_us[first:after]),
    )
    return decode_raws([raw], BatchId(0, 0), _RULES, Erasures.empty()).batch.ranges[0]


def _advance(
    states: tuple[ShardProgress, ShardProgress], passed: PartitionRange
) -> tuple[ShardProgress, ShardProgress]:
    records, seen = states
    return (
        advance_progress(records, [passed], [passed.source_id], ShardTotals()),
        advance_seen_progress(seen, [passed], 0, ShardTotals()),
    )


@pytest.mark.parametrize("stamp_hours", [-50_000, 0, 5], ids=["long before", "with", "after"])
@pytest.mark.parametrize("seed", range(8))
def test_the_time_passed_is_the_same_however_the_partition_is_cut(
    seed: int, stamp_hours: int
) -> None:
    rng = random.Random(seed)
    is_good = [rng.random() < 0.4 for _ in range(_N)]
    rows = [_write_row(number, is_good=good) for number, good in enumerate(is_good)]
    first_us = int((_START + timedelta(hours=stamp_hours)).timestamp() * 1e6)
    stamps_us = [first_us + number * 60_000_000 for number in range(_N)]
    nothing = (ShardProgress(), ShardProgress())
    for after in range(1, _N + 1):
        whole = _advance(nothing, _read(rows, stamps_us, 0, after))
        cuts = sorted({0, after, *rng.sample(range(after), rng.randrange(1, min(after, 6) + 1))})
        states, at = nothing, 0
        for cut in cuts[1:]:
            states = _advance(states, _read(rows, stamps_us, at, cut))
            # Read again from an earlier place, as after a crash.
            at = rng.choice([cut, max(cut - rng.randrange(4), 0)]) if cut < after else cut
        assert states == whole, (cuts, is_good)


def test_malformed_rows_behind_the_last_event_tell_when_the_source_took_them_in() -> None:
    rows = [_write_row(0, is_good=True), _write_row(1, is_good=False)]
    event_us = int(_START.timestamp() * 1e6)
    later = _read(rows, [event_us, event_us + 7], 0, 2)
    assert later.passed_ingest_us == event_us + 6, "other rows with that time may follow"
    earlier = _read(rows, [event_us, event_us - 10**12], 0, 2)
    assert earlier.passed_ingest_us == event_us - 1, (
        "a row that waited in between takes nothing back"
    )
