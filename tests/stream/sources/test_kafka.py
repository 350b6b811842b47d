"""A topic as a source: JSON, protobuf and both in one; messages that are gone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confluent_kafka as ck
import pytest
from google.protobuf.json_format import Parse

from features.errors import ConfigError, LogFormatError
from features.log.reader import EventLog
from features.store.memory_store import MemoryFeatureStore
from hemostat.v1 import event_pb2
from stream.options import StreamOptions
from stream.runner import run_stream
from stream.sources.kafka import KafkaReader, KafkaSource, TopicAddress
from tests.kafka_broker import KafkaBroker

_Dump = Callable[[Any], dict[str, Any]]
_N_PARTITIONS = 3
_STAMP_MS = 1_600_000_000_000
_numbers = itertools.count()


def _read_lines(log: Path) -> list[tuple[int, bytes, int]]:
    """Return all events of a log as messages, refused ones left out."""
    return [
        (partition, line, _STAMP_MS)
        for partition in EventLog(log).partitions
        for line in (log / "jsonl" / f"partition={partition:02d}" / "events.jsonl")
        .read_bytes()
        .splitlines()
    ]


def _to_protobuf(line: bytes) -> bytes:
    return Parse(line, event_pb2.Event()).SerializeToString()


def _publish(broker: KafkaBroker, messages: list[tuple[int, bytes, int]]) -> str:
    topic = f"encodings-{next(_numbers)}"
    broker.create_topic(topic, _N_PARTITIONS)
    broker.publish(topic, messages)
    return topic


@pytest.mark.parametrize("is_binary", [lambda n: True, lambda n: n % 2 == 0, lambda n: n % 7 == 0])
def test_protobuf_and_mixed_messages_leave_what_json_leaves(
    tmp_path: Path,
    troubled_log: Path,
    kafka_broker: KafkaBroker,
    dump_opened: _Dump,
    dump_files: Callable[[Path], dict[str, bytes]],
    is_binary: Callable[[int], bool],
) -> None:
    messages = [
        (partition, _to_protobuf(line) if is_binary(number) else line, stamp)
        for number, (partition, line, stamp) in enumerate(_read_lines(troubled_log))
    ]
    topic = _publish(kafka_broker, messages)
    store, whole = MemoryFeatureStore(), MemoryFeatureStore()
    summary = run_stream(kafka_broker.url(topic), store, StreamOptions(tmp_path / "a"))
    expected = run_stream(str(troubled_log), whole, StreamOptions(tmp_path / "b"))
    assert summary.events_read == len(messages)
    assert (summary.folded, summary.dead_letters) == (expected.folded, expected.dead_letters)
    assert dump_opened(store)["records"] == dump_opened(whole)["records"]


def test_messages_that_are_neither_are_dead_letters_and_the_rest_is_applied(
    tmp_path: Path, troubled_log: Path, kafka_broker: KafkaBroker
) -> None:
    good = [
        each
        for each in _read_lines(troubled_log)
        if b'"product_viewed"' in each[1] and b'"event_id"' in each[1]
    ][:20]
    broken = [(0, b"\xff\xfe\xfd", _STAMP_MS), (1, b"{", _STAMP_MS), (2, b"", _STAMP_MS)]
    topic = _publish(kafka_broker, [*broken, *good])
    options = StreamOptions(tmp_path)
    summary = run_stream(kafka_broker.url(topic), MemoryFeatureStore(), options)
    assert summary.dead_letters == {"malformed": 2}
    assert summary.accepted + summary.duplicates == len(good)
    assert summary.erased == 1  # A message without a value is a tombstone.


class _Trimmed:
    """A consumer of a topic whose retention has dropped messages; the broker keeps them all."""

    def __init__(self, consumer: ck.Consumer, low: int) -> None:
        self._consumer = consumer
        self._low = low

    def get_watermark_offsets(self, place: ck.TopicPartition, **options: Any) -> Any:
        return self._low, self._consumer.get_watermark_offsets(place, **options)[1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


@pytest.fixture
def trimmed(
    troubled_log: Path, kafka_broker: KafkaBroker
) -> Iterator[tuple[KafkaReader, list[bytes]]]:
    """A reader of partition 0 whose first five messages are gone, and the messages."""
    messages = [each for each in _read_lines(troubled_log) if each[0] == 0][:30]
    topic = _publish(kafka_broker, messages)
    source = KafkaSource(TopicAddress(kafka_broker.servers, topic))
    settings = {"bootstrap.servers": kafka_broker.servers, "group.id": "x", "log_level": "0"}
    consumer: Any = _Trimmed(ck.Consumer(settings), 5)
    yield KafkaReader(source, consumer, [], is_following=False), [each[1] for each in messages]
    consumer.close()


@pytest.mark.parametrize("start", [1, 4])
def test_messages_that_retention_dropped_are_refused(
    trimmed: tuple[KafkaReader, list[bytes]], start: int
) -> None:
    with pytest.raises(LogFormatError, match="no longer holds the messages that come next"):
        trimmed[0].assign({0: start})


@pytest.mark.parametrize(("start", "first"), [(0, 5), (5, 5), (7, 7)])
def test_a_new_store_begins_with_what_retention_left_and_others_go_on(
    trimmed: tuple[KafkaReader, list[bytes]], start: int, first: int
) -> None:
    reader, messages = trimmed
    reader.assign({0: start})
    deadline_s = time.monotonic() + 20.0
    raws: list[Any] = []
    while not raws and time.monotonic() < deadline_s:
        raws = list(reader.read(1))
    assert raws[0].offsets.tolist() == [first]
    assert raws[0].buffer.tobytes() == messages[first]


@pytest.mark.parametrize("url", ["kafka://", "kafka://host:1", "kafka://h:1/a/b", "kafka:///t"])
def test_an_address_without_broker_and_one_topic_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="SOURCE"):
        TopicAddress.parse(url)
