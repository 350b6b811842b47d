"""A customer's record, refolded from the log."""

from __future__ import annotations

import json
from pathlib import Path

from features.log.customer import read_record_at
from features.log.reader import EventLog

_ORDER = {
    "event_id": "e1", "tenant": "demo", "event_time": "2026-03-01T12:00:00Z",
    "customer_id": "c1", "channel": "CHANNEL_WEB",
    "order_placed": {"order_id": "o1", "lines": [{"quantity": 1, "unit_price_minor": "500"}]},
}  # fmt: skip
_ORDERED_US = 1_772_366_400_000_000


def test_a_record_holds_what_was_known_by_then_and_nothing_before_the_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(_ORDER) + "\n")
    counts = [
        int(read_record_at(EventLog(path), "demo", "c1", at_us)["event_count"][0])
        for at_us in (_ORDERED_US, _ORDERED_US - 1, 1)
    ]
    assert counts == [1, 0, 0]
