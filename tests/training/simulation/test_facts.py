"""What is told is valid, in order, complete, and never ahead of its cause."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from features.log.reader import EventLog
from features.log.schema import EVENT_KINDS
from features.log.validation import validate_batch
from training.simulation.config import US_PER_DAY

Run = Any


def test_every_event_is_accepted(default_log: Path) -> None:
    log = EventLog(default_log)
    n_valid = 0
    rejected: list[Any] = []
    for partition in log.partitions:
        for offset, batch in log.read_batches(partition):
            checked = validate_batch(batch, offset)
            n_valid += checked.valid.num_rows
            rejected += checked.rejected
    assert rejected == []
    assert n_valid == log.manifest.n_events


def test_the_log_holds_no_words(default_log: Path) -> None:
    table = EventLog(default_log).read_table(kinds=["return_requested"])
    reason = table.schema.field("return_requested").type.field("reason").type
    assert {field.name for field in reason} == {"code", "embedding", "embedder", "sentiment"}


def test_events_leave_in_order_of_ingest_within_the_horizon(default_run: Run) -> None:
    times = [event.ingest_time for event in default_run.events]
    assert times == sorted(times)
    assert times[-1] < default_run.config.end_us
    assert default_run.config.start_us <= min(e.event_time for e in default_run.events)


def test_ingest_comes_seconds_to_minutes_later_and_sometimes_days(default_run: Run) -> None:
    lags_s = sorted((e.ingest_time - e.event_time) / 1e6 for e in default_run.events)
    assert lags_s[0] >= 0
    assert 5 < lags_s[len(lags_s) // 2] < 120
    assert lags_s[-1] < 30 * 86_400
    share_late = sum(lag >= 43_200 for lag in lags_s) / len(lags_s)
    assert 0.002 < share_late < 0.01


def test_some_facts_are_told_twice_word_for_word(default_run: Run) -> None:
    tellings: dict[str, list[Any]] = {}
    for event in default_run.events:
        tellings.setdefault(event.event_id, []).append(event)
    repeated = [pair for pair in tellings.values() if len(pair) > 1]
    assert 0.0005 < len(repeated) / len(tellings) < 0.005
    for first, second in repeated:
        assert second.ingest_time > first.ingest_time
        again = msgspec.structs.replace(second, ingest_time=first.ingest_time)
        assert msgspec.json.encode(again) == msgspec.json.encode(first)


def test_the_summary_counts_what_was_told(default_run: Run) -> None:
    told = Counter(
        kind
        for event in {e.event_id: e for e in default_run.events}.values()
        for kind in EVENT_KINDS
        if getattr(event, kind) is not None
    )
    assert dict(told) == dict(default_run.summary.n_by_kind)
    assert len(default_run.events) == sum(told.values()) + default_run.summary.n_repeated
    assert 60_000 <= len(default_run.events) <= 125_000


def test_no_fact_comes_before_its_cause(default_run: Run) -> None:
    placed = {e.order_placed.order_id: e.event_time for e in default_run.of_kind("order_placed")}
    for kind in ("order_paid", "order_shipped", "order_delivered", "order_cancelled"):
        for event in default_run.of_kind(kind):
            order_us = placed.get(getattr(event, kind).order_id)
            assert order_us is None or event.event_time > order_us, kind
    delivered = {
        e.order_delivered.order_id: e.event_time for e in default_run.of_kind("order_delivered")
    }
    for event in default_run.of_kind("return_requested"):
        request = event.return_requested
        if request.order_id:
            assert request.order_time < event.event_time
            assert request.delivery_time == delivered.get(request.order_id, request.delivery_time)
            assert request.order_time <= request.delivery_time < event.event_time


def test_an_ended_order_is_neither_shipped_nor_delivered_after(default_run: Run) -> None:
    ended = {
        e.order_cancelled.order_id: e.event_time for e in default_run.of_kind("order_cancelled")
    }
    for kind in ("order_shipped", "order_delivered", "parcel_lost"):
        late = [
            event
            for event in default_run.of_kind(kind)
            if event.event_time > ended.get(getattr(event, kind).order_id, event.event_time)
        ]
        assert late == []
    assert len(ended) == len(default_run.of_kind("order_cancelled"))


def test_returns_and_clicks_carry_what_a_fold_needs(default_run: Run) -> None:
    for event in default_run.of_kind("cancel_requested"):
        click = event.cancel_requested
        assert click.order_time
        assert click.unit_price_minor > 0
        assert click.return_window_days == 30
        assert click.unit_cost_minor > 0
    for event in default_run.of_kind("return_requested"):
        request = event.return_requested
        assert request.unit_price_minor > 0
        assert request.unit_cost_minor > 0
        assert bool(request.order_time) == bool(request.order_id) == bool(request.delivery_time)
        hold_us = event.event_time - (request.delivery_time or event.event_time)
        assert hold_us <= 45 * US_PER_DAY
