"""Where events go besides a log: a growing file of JSON lines, a Kafka topic, at a pace.

All of them write one proto3 JSON document per event, its reason as embedding and code as in
a log, and keep the simulated times: whoever reads from there reads what a log would hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from features.errors import ConfigError, StoreUnavailableError
from features.log.assemble import build_batch
from features.log.jsonl import encode_batch
from features.log.kafka_appender import parse_target
from features.log.partitioning import compute_partitions
from training.simulation.config import US_PER_S
from training.simulation.outbox import EventSink

KAFKA: Final = "kafka://"
_GRAIN_S: Final = 0.05
"""Events that are due within so short a time go together."""
_TIMEOUT_S: Final = 30.0
_CONNECT_S: Final = 5.0


class ClosingSink(EventSink, Protocol):
    """A sink that must be closed: what it took is safe only then."""

    def close(self) -> None:
        """Return when everything has arrived.

        Raises:
            StoreUnavailableError: Something has not.
        """
        ...


class LineSink:
    """Appends to a file of JSON lines, which `hemostat stream --follow` may read meanwhile.

    Args:
        path: The file; must not exist.

    Raises:
        ConfigError: It exists.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("xb")
        except FileExistsError as error:
            raise ConfigError(
                "the file is there already",
                field="--to",
                value=str(path),
                expectation="a new file: one run, one file",
                fix="name another file or remove it",
            ) from error

    def append_structs(self, events: Sequence[Any]) -> None:
        """Append events; whole lines are visible on return."""
        self._file.write(b"".join(encode_batch(build_batch(events))))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class KafkaSink:
    """Publishes to a Kafka topic, a customer's events to one partition in order.

    A message's time is the event's ingest time. The producer is idempotent: its own
    retries write nothing twice.

    Args:
        target: `kafka://HOST:PORT[,HOST:PORT]/TOPIC`.

    Raises:
        ConfigError: The address has another form, or Kafka support is not installed.
        StoreUnavailableError: No broker answers, or there is no such topic.
    """

    def __init__(self, target: str) -> None:
        servers, topic = parse_target(target)
        try:
            import confluent_kafka
        except ImportError as error:
            raise ConfigError(
                "publishing to Kafka is not installed",
                field="--to",
                value=target,
                expectation="the extra `kafka`",
                fix="pip install 'hemostat[kafka]'",
            ) from error
        self._target, self._topic = target, topic
        self._faults: list[str] = []
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 20,
                "delivery.timeout.ms": int(_TIMEOUT_S * 1_000),
                "log_level": 0,  # Faults are told by the calls.
            }
        )
        try:
            found = self._producer.list_topics(topic, timeout=_CONNECT_S).topics[topic]
        except confluent_kafka.KafkaException as error:
            raise self._describe(str(error)) from error
        if found.error is not None or not found.partitions:
            raise self._describe(f"no such topic ({found.error})")
        self._n_partitions = len(found.partitions)

    def append_structs(self, events: Sequence[Any]) -> None:
        """Hand events to the producer; faults of earlier ones are raised here or by `close`.

        Raises:
            StoreUnavailableError: An earlier event was not acknowledged in time.
        """
        batch = build_batch(events)
        partitions = compute_partitions(batch, self._n_partitions).tolist()
        for event, line, partition in zip(events, encode_batch(batch), partitions, strict=True):
            self._produce(line.rstrip(b"\n"), partition, event.ingest_time // 1_000)
        self._producer.poll(0.0)
        self._check()

    def close(self) -> None:
        """Return when all events are acknowledged.

        Raises:
            StoreUnavailableError: Some are not.
        """
        if self._producer.flush(_TIMEOUT_S):
            self._faults.append("no answer in time")
        self._check()

    def _produce(self, value: bytes, partition: int, timestamp_ms: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, value, partition=partition, timestamp=timestamp_ms,
                    on_delivery=self._note,
                )  # fmt: skip
            except BufferError:  # The queue is full: wait until some are delivered.
                self._producer.poll(0.1)
            else:
                return

    def _note(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._faults.append(str(error))

    def _check(self) -> None:
        if self._faults:
            raise self._describe(self._faults[0])

    def _describe(self, why: str) -> StoreUnavailableError:
        return StoreUnavailableError(
            "the simulated events cannot be published",
            field="--to",
            value=f"{self._target}: {why}",
            expectation="a broker that acknowledges, and a topic that exists",
            fix="start the broker, make the topic, then simulate again into a new topic",
        )


class PacedSink:
    """Holds events back until their time has come, simulated time running `factor` times as fast.

    The first event goes at once. A sink that is slower than the pace is never hurried
    by more than it is behind: what is due goes out together.

    Args:
        sink: Where they go.
        factor: Simulated seconds per second.
        read_s: A clock that only moves forward, seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        sink: EventSink,
        factor: float,
        read_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._sink = sink
        self._us_per_s = factor * US_PER_S
        self._read_s = read_s
        self._sleep = sleep
        self._began: tuple[float, int] | None = None

    def append_structs(self, events: Sequence[Any]) -> None:
        """Pass on events, in order of ingest time, each when it is due."""
        first = 0
        while first < len(events):
            self._wait_for(events[first].ingest_time)
            now_us = self._compute_now_us() + int(_GRAIN_S * self._us_per_s)
            end = first + 1
            while end < len(events) and events[end].ingest_time <= now_us:
                end += 1
            self._sink.append_structs(list(events[first:end]))
            first = end

    def _wait_for(self, due_us: int) -> None:
        if self._began is None:
            self._began = self._read_s(), due_us
        ahead_s = (due_us - self._compute_now_us()) / self._us_per_s
        if ahead_s > 0.0:
            self._sleep(ahead_s)

    def _compute_now_us(self) -> int:
        assert self._began is not None
        began_s, began_us = self._began
        return began_us + int((self._read_s() - began_s) * self._us_per_s)


def open_sink(target: str) -> ClosingSink:
    """Return the sink of an address: a Kafka topic, or a file of JSON lines."""
    return KafkaSink(target) if target.startswith(KAFKA) else LineSink(Path(target))


def parse_pace(pace: str) -> float:
    """Return simulated seconds per second.

    >>> parse_pace("x100"), parse_pace("0.5")
    (100.0, 0.5)

    Raises:
        ConfigError: No factor above 0.
    """
    try:
        factor = float(pace.removeprefix("x"))
    except ValueError:
        factor = 0.0
    if not 0.0 < factor < float("inf"):
        raise ConfigError(
            "this is no pace",
            field="--pace",
            value=pace[:40],
            expectation="simulated seconds per second, above 0",
            fix="for example --pace x100",
        )
    return factor
