"""The embedded log as a source: what was appended is in the store, once, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from features.errors import LogFormatError
from features.log.embedded_appender import EmbeddedAppender
from features.log.embedded_maintenance import trim
from features.store.memory_store import MemoryFeatureStore
from hemostat.v1 import common_pb2, event_pb2
from stream.options import StreamOptions
from stream.progress import find_start_offset, make_source_id
from stream.runner import StreamRun, run_stream
from stream.sources.embedded import EmbeddedSource

_Dump = Callable[[Any], dict[str, Any]]

_START_US = 1_795_000_000_000_000
_N_PARTITIONS = 3


class _Clock:
    """A millisecond passes at each look."""

    def __init__(self) -> None:
        self.now_us = _START_US

    def __call__(self) -> int:
        self.now_us += 1_000
        return self.now_us


def _make_event(number: int) -> event_pb2.Event:
    event = event_pb2.Event(event_id=f"e{number}", tenant="t", customer_id=f"c{number % 7}")
    event.event_time.FromMicroseconds(_START_US - (number % 50) * 1_000_000)
    event.channel = common_pb2.CHANNEL_WEB
    order = event.order_placed
    order.order_id = f"o{number}"
    order.lines.add(line_id="1", sku=f"s{number % 5}", quantity=1, unit_price_minor=500 + number)
    return event


def _open(log: Path) -> EmbeddedAppender:
    return EmbeddedAppender.open(
        log, n_partitions=_N_PARTITIONS, read_us=_Clock(), segment_bytes=4_096
    )


def _append(appender: EmbeddedAppender, numbers: Sequence[int]) -> list[str]:
    """Append ten at a time; return the events as lines of JSON, as the log stamped them."""
    lines = []
    for first in range(0, len(numbers), 10):
        events = [_make_event(number) for number in numbers[first : first + 10]]
        partitions = [number % _N_PARTITIONS for number in numbers[first : first + 10]]
        done = appender.append([event.SerializeToString() for event in events], partitions)
        for event in events:
            event.ingest_time.FromMicroseconds(done.ingest_us)
            text = MessageToJson(event, preserving_proto_field_name=True)
            lines.append(json.dumps(json.loads(text)) + "\n")
    return lines


def _stream(log: Path, store: MemoryFeatureStore, state: Path, batch_size: int = 7) -> Any:
    return run_stream(str(log), store, StreamOptions(state, batch_size=batch_size))


def test_the_store_is_the_same_as_from_lines_with_the_log_s_times(
    tmp_path: Path, dump_opened: _Dump
) -> None:
    appender = _open(tmp_path / "log")
    (tmp_path / "events.jsonl").write_text("".join(_append(appender, range(200))))
    appender.close()
    embedded, lines = MemoryFeatureStore(), MemoryFeatureStore()
    summary = _stream(tmp_path / "log", embedded, tmp_path / "a")
    _stream(tmp_path / "events.jsonl", lines, tmp_path / "b")
    assert (summary.events_read, summary.folded) == (200, 200)
    assert dump_opened(embedded)["records"] == dump_opened(lines)["records"]


def test_a_later_run_reads_only_what_was_appended_since(tmp_path: Path, dump_opened: _Dump) -> None:
    appender = _open(tmp_path / "log")
    _append(appender, range(60))
    twice, once = MemoryFeatureStore(), MemoryFeatureStore()
    assert _stream(tmp_path / "log", twice, tmp_path / "a").events_read == 60
    _append(appender, range(60, 95))
    appender.close()
    assert _stream(tmp_path / "log", twice, tmp_path / "a", 100).events_read == 35
    assert _stream(tmp_path / "log", twice, tmp_path / "a").events_read == 0
    _stream(tmp_path / "log", once, tmp_path / "b")
    assert dump_opened(twice)["records"] == dump_opened(once)["records"]


def test_events_appended_while_it_is_followed_are_applied(
    tmp_path: Path, dump_opened: _Dump
) -> None:
    appender = _open(tmp_path / "log")
    _append(appender, range(30))
    options = StreamOptions(tmp_path / "a", batch_size=8, is_following=True)
    store, whole = MemoryFeatureStore(), MemoryFeatureStore()
    is_appended = threading.Event()

    def note(progress: Any) -> None:
        if progress.rows_done == 30 and not is_appended.is_set():
            is_appended.set()
            _append(appender, range(30, 50))
        if progress.rows_done == 50:
            run.ask_to_stop()

    run = StreamRun(str(tmp_path / "log"), store, options, note)
    assert run.run().events_read == 50
    appender.close()
    _stream(tmp_path / "log", whole, tmp_path / "b")
    assert dump_opened(store)["records"] == dump_opened(whole)["records"]


def test_a_log_trimmed_beyond_the_store_s_position_is_refused(tmp_path: Path) -> None:
    appender = _open(tmp_path / "log")
    _append(appender, range(200))
    store = MemoryFeatureStore()
    first = StreamOptions(tmp_path / "a", until_us=_START_US + 5_000)
    run_stream(str(tmp_path / "log"), store, first)
    source = EmbeddedSource(tmp_path / "log")
    states = [store.read_shard_state(shard) for shard in range(16)]
    starts = [find_start_offset(make_source_id(source.incarnation, n), states) for n in range(3)]
    source.close()
    assert all(0 < start < 60 for start in starts)
    mark = appender.seal()
    appender.close()
    assert trim(tmp_path / "log", mark.last_ingest_us + 1, None).segments > 1
    with pytest.raises(LogFormatError, match="does not hold the events that come next"):
        _stream(tmp_path / "log", store, tmp_path / "a")


def test_a_run_that_does_not_follow_ends_where_the_log_was_durable_when_it_began(
    tmp_path: Path,
) -> None:
    appender = _open(tmp_path / "log")
    _append(appender, range(40))

    def note(_: Any) -> None:
        _append(appender, [1_000 + appender.manifest.n_partitions])

    options = StreamOptions(tmp_path / "a", batch_size=9)
    summary = run_stream(str(tmp_path / "log"), MemoryFeatureStore(), options, note)
    appender.close()
    assert summary.events_read == 40
