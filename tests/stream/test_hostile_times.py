"""Events of wrong clocks: they hide nothing that comes after them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.store.memory_store import MemoryFeatureStore
from stream.applied_clock import AppliedClock
from stream.dead_letters import count_by_reason, read_dead_letters
from stream.options import StreamOptions
from stream.runner import run_stream

_NOW = datetime.now(UTC).replace(microsecond=0)
_CUSTOMERS = 5


def _order(event_id: str, happened: datetime, ingested: datetime | None, customer: int) -> str:
    event: dict[str, Any] = {
        "event_id": event_id,
        "tenant": "t",
        "event_time": happened.isoformat().replace("+00:00", "Z"),
        "customer_id": f"c{customer}",
        "channel": "CHANNEL_WEB",
        "order_placed": {
            "order_id": event_id,
            "lines": [{"line_id": "1", "quantity": 1, "unit_price_minor": "500"}],
        },
    }
    if ingested is not None:
        event["ingest_time"] = ingested.isoformat().replace("+00:00", "Z")
    return json.dumps(event) + "\n"


def _stream(path: Path, lines: list[str], store: Any, state: Path, batch_size: int = 7) -> Any:
    path.write_text("".join(lines))
    return run_stream(str(path), store, StreamOptions(state, batch_size=batch_size))


def test_events_up_to_a_year_ahead_are_dead_letters_and_later_events_still_count(
    tmp_path: Path, dump_opened: Callable[[Any], dict[str, Any]]
) -> None:
    good: list[str] = []
    lines: list[str] = []
    ahead_at: list[int] = []
    for number in range(200):
        ingested = _NOW - timedelta(days=20) + timedelta(hours=number)
        if number % 4 == 1:
            ahead_at.append(len(lines))
            ahead = ingested + timedelta(seconds=301 if number == 1 else number * 150_000)
            lines.append(_order(f"z{number}", ahead, ingested, number % _CUSTOMERS))
        good.append(_order(f"e{number}", ingested, ingested, number % _CUSTOMERS))
        lines.append(good[-1])
    store, expected = MemoryFeatureStore(), MemoryFeatureStore()
    summary = _stream(tmp_path / "events.jsonl", lines, store, tmp_path / "state")
    _stream(tmp_path / "good.jsonl", good, expected, tmp_path / "good")
    assert (summary.accepted, summary.dead_letters) == (200, {"future": 50})
    letters = list(read_dead_letters(tmp_path / "state" / "dead_letters"))
    assert [letter.offset for letter in letters] == ahead_at
    assert all(letter.field == "event_time" and letter.fix for letter in letters)
    assert dump_opened(store)["records"] == dump_opened(expected)["records"]


def test_rows_that_say_they_came_in_next_year_make_the_store_forget_no_id(tmp_path: Path) -> None:
    lines = [_order(f"e{n}", _NOW - timedelta(days=9, hours=-n), None, 1) for n in range(20)]
    lines.insert(10, _order("z", _NOW + timedelta(days=360), None, 1))
    store = MemoryFeatureStore()
    assert _stream(tmp_path / "events.jsonl", lines, store, tmp_path).accepted == 21
    # Runs of their own: what may be forgotten is looked up anew in each.
    for _ in range(3):
        again = lines[:10]
        lines += again
        summary = _stream(tmp_path / "events.jsonl", lines, store, tmp_path)
        assert (summary.accepted, summary.duplicates) == (0, 10)
    assert count_by_reason(tmp_path / "dead_letters") == {}


@pytest.mark.parametrize(("now_us", "expected_us"), [(900, 900), (2_000, 1_000)])
def test_forgetting_goes_by_the_slowest_shard_and_never_beyond_now(
    now_us: int, expected_us: int
) -> None:
    class Shards(MemoryFeatureStore):
        def read_shard_state(self, shard: int) -> Any:
            state = super().read_shard_state(shard)
            return type(state)(version=1, applied_ingest_us=1_000 + shard)

    assert AppliedClock(Shards(), lambda: 0.0, lambda: now_us).read() == expected_us


def _read_applied(store: MemoryFeatureStore) -> datetime:
    applied_us = {store.read_shard_state(shard).applied_ingest_us for shard in range(16)}
    return datetime.fromtimestamp(min(applied_us) / 1e6, UTC)


@pytest.mark.parametrize("batch_size", [1, 7, 1_000])
def test_a_row_that_says_it_came_in_next_year_hides_no_lag(tmp_path: Path, batch_size: int) -> None:
    times = [_NOW - timedelta(days=9, hours=-n) for n in range(20)]
    lines = [_order(f"e{n}", time, time, 1) for n, time in enumerate(times)]
    lines.insert(10, _order("z", _NOW + timedelta(days=360), None, 1))
    store = MemoryFeatureStore()
    _stream(tmp_path / "events.jsonl", lines, store, tmp_path, batch_size)
    assert _read_applied(store) == times[-1]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_row_of_another_year_in_a_historic_import_makes_the_store_forget_no_id(
    tmp_path: Path, batch_size: int
) -> None:
    start = _NOW - timedelta(days=900)
    lines = [_order(f"e{n}", start + timedelta(hours=n), None, 1) for n in range(20)]
    lines.insert(10, _order("z", start + timedelta(days=300), None, 1))
    store = MemoryFeatureStore()
    assert _stream(tmp_path / "events.jsonl", lines, store, tmp_path, batch_size).accepted == 21
    for _ in range(3):  # Each run looks up anew what may be forgotten.
        lines += lines[:9]
        summary = _stream(tmp_path / "events.jsonl", lines, store, tmp_path, batch_size)
        assert (summary.accepted, summary.duplicates) == (0, 9)


def test_a_stretch_of_an_earlier_year_behind_a_later_one_is_remembered(tmp_path: Path) -> None:
    later, earlier = (
        [_order(f"{year}-{n}", _NOW - timedelta(days=days, hours=-n), None, 1) for n in range(40)]
        for year, days in (("b", 100), ("a", 800))
    )
    store, path = MemoryFeatureStore(), tmp_path / "events.jsonl"
    lines = later
    _stream(path, lines, store, tmp_path)
    for more, expected in ((later[-1:], (0, 1)), (earlier, (40, 0)), (earlier, (0, 40))):
        lines = lines + more
        summary = _stream(path, lines, store, tmp_path)
        assert (summary.accepted, summary.duplicates) == expected
