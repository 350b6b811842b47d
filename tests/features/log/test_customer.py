"""A customer's records, refolded from the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from features.entities import Entity, Layout
from features.keys import compute_entity_key
from features.log.customer import read_records_at
from features.log.erasure_register import ErasureRegister
from features.log.reader import EventLog
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.packing import PackedRecords, unpack_records

_US = 1_772_366_400_000_000
_ENVELOPE = {
    "tenant": "demo", "event_time": "2026-03-01T12:00:00Z", "customer_id": "c1",
    "channel": "CHANNEL_WEB",
}  # fmt: skip
_ORDER = {
    **_ENVELOPE, "event_id": "e1",
    "order_placed": {"order_id": "o1", "lines": [{"quantity": 1, "unit_price_minor": "500"}]},
}  # fmt: skip
_VIEW = {**_ENVELOPE, "event_id": "e2", "product_viewed": {"sku": "a"}}


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    lines = [_ORDER, _ORDER, {**_ORDER, "event_id": "e3", "customer_id": "c2"}, _VIEW]
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return EventLog(tmp_path / "events.jsonl")


def _read_history(log: EventLog, at_us: int) -> Any:
    blob, _ = read_records_at(log, "demo", "c1", at_us)
    return unpack_records(Layout.HISTORY, PackedRecords.from_blobs([blob]), HISTORY_DTYPE)[0]


def test_a_record_holds_what_was_known_by_then_and_nothing_before_the_log(log: EventLog) -> None:
    counts = [int(_read_history(log, at_us)["event_count"]) for at_us in (_US, _US - 1, 1)]
    assert counts == [1, 0, 0]
    assert read_records_at(log, "demo", "c1", _US - 1) == [None, None]


def test_browsing_stands_in_a_record_of_its_own(log: EventLog) -> None:
    _, blob = read_records_at(log, "demo", "c1", _US)
    packed = PackedRecords.from_blobs([blob])
    assert unpack_records(Layout.ACTIVITY, packed, ACTIVITY_DTYPE)["last_event_us"][0] == _US
    assert read_records_at(log, "demo", "c2", _US)[1] is None


def test_an_erased_customer_has_no_record_but_of_what_came_later(log: EventLog) -> None:
    key = compute_entity_key("demo", Entity.CUSTOMER, "c1")
    ErasureRegister(log.path.parent).append(key, _US - 1)
    assert read_records_at(log, "demo", "c1", _US)[0] is not None
    ErasureRegister(log.path.parent).append(key, _US)
    assert read_records_at(log, "demo", "c1", _US) == [None, None]
    assert read_records_at(log, "demo", "c2", _US)[0] is not None
