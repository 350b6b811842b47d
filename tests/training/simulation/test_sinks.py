"""Events keep their pace, and arrive in files and topics as a log would hold them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigError, StoreUnavailableError
from features.log.reader import EventLog
from tests.kafka_broker import KafkaBroker, find_free_port
from training.simulation import SimulationConfig, simulate
from training.simulation.sinks import KafkaSink, LineSink, PacedSink, parse_pace

WORLD = SimulationConfig(seed=3, n_customers=60, days=40)


class _Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def read(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class _Noted:
    """A sink that notes when each event came."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self.events: list[Any] = []
        self.came_s: list[float] = []

    def append_structs(self, events: list[Any]) -> None:
        self.events += events
        self.came_s += [self._clock.now_s] * len(events)


def test_paced_events_come_when_they_are_due() -> None:
    clock = _Clock()
    noted = _Noted(clock)
    simulate(WORLD, PacedSink(noted, 100.0, clock.read, clock.sleep))
    assert len(noted.events) > 150
    first_us = noted.events[0].ingest_time
    for event, came_s in zip(noted.events, noted.came_s, strict=True):
        due_s = 100.0 + (event.ingest_time - first_us) / 100e6
        assert due_s - 0.051 <= came_s <= due_s + 0.001
    span_s = (noted.events[-1].ingest_time - first_us) / 1e6
    assert clock.now_s - 100.0 == pytest.approx(span_s / 100.0, abs=0.06)


def test_a_pace_changes_no_event() -> None:
    clock = _Clock()
    paced, plain = _Noted(clock), _Noted(clock)
    simulate(WORLD, PacedSink(paced, 1e4, clock.read, clock.sleep))
    simulate(WORLD, plain)
    assert paced.events == plain.events


def test_a_late_sink_is_given_at_once_what_is_due() -> None:
    clock = _Clock()

    class _Slow(_Noted):
        def append_structs(self, events: list[Any]) -> None:
            super().append_structs(events)
            clock.now_s += 3600.0

    slow = _Slow(clock)
    simulate(WORLD, PacedSink(slow, 100.0, clock.read, clock.sleep))
    span_s = (slow.events[-1].ingest_time - slow.events[0].ingest_time) / 1e6
    assert len(set(slow.came_s)) < span_s / 100.0 / 3600.0 + 5.0


@pytest.mark.parametrize("pace", ["", "x0", "fast", "-3", "inf", "nan"])
def test_a_pace_is_a_factor_above_zero(pace: str) -> None:
    with pytest.raises(ConfigError, match="pace"):
        parse_pace(pace)


def test_lines_hold_the_events_and_are_read_as_a_log(tmp_path: Path) -> None:
    clock = _Clock()
    noted = _Noted(clock)
    simulate(WORLD, noted)
    file = tmp_path / "events.jsonl"
    sink = LineSink(file)
    simulate(WORLD, sink)
    sink.close()
    table = EventLog(file).read_table()
    assert table.column("event_id").to_pylist() == [event.event_id for event in noted.events]
    with pytest.raises(ConfigError, match="there already"):
        LineSink(file)


def test_a_topic_holds_the_events_by_customer(kafka_broker: KafkaBroker) -> None:
    import confluent_kafka

    topic = f"simulated-{uuid.uuid4().hex[:8]}"
    kafka_broker.create_topic(topic, 2)
    sink = KafkaSink(kafka_broker.url(topic))
    summary = simulate(WORLD, sink)
    sink.close()
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka_broker.servers, "group.id": topic,
         "auto.offset.reset": "earliest"}
    )  # fmt: skip
    consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in (0, 1)])
    n_events = summary.n_events + summary.n_repeated
    messages = [consumer.poll(10.0) for _ in range(n_events)]
    consumer.close()
    partitions: dict[str, set[int]] = {}
    for message in messages:
        assert message is not None
        event = json.loads(message.value() or b"")
        if event.get("customer_id"):
            partitions.setdefault(event["customer_id"], set()).add(message.partition() or 0)
    assert len(partitions) > 5
    assert all(len(found) == 1 for found in partitions.values())


def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be published"):
        KafkaSink(f"kafka://127.0.0.1:{find_free_port()}/events")
