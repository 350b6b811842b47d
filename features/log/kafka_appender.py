"""Appends to a Kafka topic, acknowledged by all its replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from features.errors import ConfigError, StoreUnavailableError
from features.log.embedded_appender import Appended, read_wall_us
from hemostat.v1 import event_pb2

_PREFIX = "kafka://"
_TIMEOUT_S = 10.0
_FIX = "start the broker, or check address and topic of HEMOSTAT_EVENTS; then send again"


class KafkaAppender:
    """Appends to one topic. Make it with `open`, after any fork.

    The producer is idempotent: a retry of its own writes nothing twice. Each
    message's time is the ingest time, which stands in the event, too.
    """

    def __init__(
        self, producer: Any, topic: str, n_partitions: int, read_us: Callable[[], int]
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._read_us = read_us
        self.n_partitions = n_partitions

    @classmethod
    def open(cls, target: str, *, read_us: Callable[[], int] = read_wall_us) -> KafkaAppender:
        """Return an appender to `kafka://HOST:PORT[,HOST:PORT]/TOPIC`.

        Raises:
            ConfigError: The address has another form, or Kafka support is not installed.
            StoreUnavailableError: No broker answers, or there is no such topic.
        """
        servers, topic = parse_target(target)
        try:
            import confluent_kafka
        except ImportError as error:
            raise ConfigError(
                "publishing to Kafka is not installed",
                field="HEMOSTAT_EVENTS",
                value=target,
                expectation="the extra `kafka`",
                fix="pip install 'hemostat[kafka]'",
            ) from error
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,  # Groups are made by the caller.
                "delivery.timeout.ms": int(_TIMEOUT_S * 1000),
                "log_level": 0,  # Faults are told by the calls.
            }
        )
        try:
            found = producer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        except confluent_kafka.KafkaException as error:
            raise _describe(target, str(error)) from error
        if found.error is not None or not found.partitions:
            raise _describe(target, f"no such topic ({found.error})")
        return cls(producer, topic, len(found.partitions), read_us)

    def append(self, messages: Sequence[bytes], partitions: Sequence[int]) -> Appended:
        """Append events and return when all replicas have them.

        Raises:
            StoreUnavailableError: Some or all could not be delivered in time.
        """
        ingest_us = self._read_us()
        stamp = event_pb2.Event()
        stamp.ingest_time.FromMicroseconds(ingest_us)
        suffix = stamp.SerializeToString()
        offsets = [-1] * len(messages)
        faults: list[str] = []

        def note(place: int) -> Callable[[Any, Any], None]:
            def on_delivery(error: Any, message: Any) -> None:
                if error is not None:
                    faults.append(str(error))
                else:
                    offsets[place] = message.offset()

            return on_delivery

        for place, (message, partition) in enumerate(zip(messages, partitions, strict=True)):
            self._produce(message + suffix, partition, ingest_us, note(place))
        if self._producer.flush(_TIMEOUT_S):
            faults.append("no answer in time")
        if faults:
            raise _describe(self._topic, faults[0])
        return Appended(offsets, ingest_us)

    def close(self) -> None:
        """Wait for what is under way."""
        self._producer.flush(_TIMEOUT_S)

    def _produce(
        self, value: bytes, partition: int, ingest_us: int, on_delivery: Callable[[Any, Any], None]
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    partition=partition,
                    timestamp=ingest_us // 1000,
                    on_delivery=on_delivery,
                )
            except BufferError:  # The queue is full: wait until some are delivered.
                self._producer.poll(0.1)
            else:
                return


def parse_target(target: str) -> tuple[str, str]:
    """Return servers and topic of a Kafka address.

    >>> parse_target("kafka://127.0.0.1:9092/events")
    ('127.0.0.1:9092', 'events')

    Raises:
        ConfigError: It has another form.
    """
    servers, _, topic = target.removeprefix(_PREFIX).partition("/")
    if not target.startswith(_PREFIX) or not servers or not topic or "/" in topic:
        raise ConfigError(
            "this is no Kafka address",
            field="HEMOSTAT_EVENTS",
            value=target,
            expectation="kafka://HOST:PORT/TOPIC",
            fix="for example kafka://127.0.0.1:9092/events",
        )
    return servers, topic


def _describe(target: str, why: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        "the events cannot be published to Kafka",
        field="HEMOSTAT_EVENTS",
        value=f"{target}: {why}",
        expectation="a broker that acknowledges",
        fix=_FIX,
    )
