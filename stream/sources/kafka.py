"""A Kafka topic as a source.

Positions are never kept in a consumer group: partitions are assigned by hand and
read from where the store stands. Topics come and go under one name, so a source
partition is named by the cluster's and the topic's own ids: a broker that lost its
log, or a topic that was made anew, is another incarnation and is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import confluent_kafka as ck
import numpy as np
import xxhash
from confluent_kafka.admin import AdminClient

from features.errors import ConfigError, LogFormatError, SourceUnavailableError
from stream.sources.port import Encoding, Raw, RawRows

SCHEME = "kafka://"
_CALL_S = 5.0
_CHECK_EVERY_S = 5.0
_IDLE_SLACK_US = 1_000_000
_POLL_S = 0.002

# librdkafka's own faults begin with an underscore; they are its public interface.
_UNREACHABLE = frozenset(
    getattr(ck.KafkaError, name) for name in ("_ALL_BROKERS_DOWN", "_TRANSPORT", "_TIMED_OUT")
)
_PARTITION_EOF = getattr(ck.KafkaError, "_PARTITION_EOF")  # noqa: B009 - as above

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TopicAddress:
    """Where a topic is.

    Attributes:
        servers: `host:port`, several separated by commas.
        topic: Its name.
    """

    servers: str
    topic: str

    @classmethod
    def parse(cls, url: str) -> TopicAddress:
        """Return the address in `kafka://host:port[,host:port]/topic`.

        Raises:
            ConfigError: It is none.

        >>> TopicAddress.parse("kafka://127.0.0.1:9092/events")
        TopicAddress(servers='127.0.0.1:9092', topic='events')
        """
        servers, _, topic = url.removeprefix(SCHEME).partition("/")
        if not url.startswith(SCHEME) or not servers or not topic or "/" in topic:
            raise ConfigError(
                "not the address of a topic",
                field="SOURCE",
                value=url,
                expectation="kafka://host:port/topic",
                fix="name a broker and one topic",
            )
        return cls(servers, topic)


class KafkaSource:
    """A topic.

    Args:
        address: Where it is.
        settings: More settings of librdkafka (`security.protocol`, `sasl.*`, ...).

    Raises:
        SourceUnavailableError: No broker answers.
        ConfigError: There is no such topic.
    """

    def __init__(self, address: TopicAddress, settings: Mapping[str, str] | None = None) -> None:
        self.address = address
        self.name = f"{SCHEME}{address.servers}/{address.topic}"
        self._settings = {"bootstrap.servers": address.servers, **(settings or {})}
        self._admin = AdminClient({**self._settings, "log_level": "0"})
        identity = self.read_identity()
        self.incarnation, self.n_partitions = identity.incarnation, identity.n_partitions
        self.n_rows: int | None = None
        self.last_ingest_us = 0
        self.is_finite = False

    def read_identity(self) -> TopicIdentity:
        """Return what the brokers say of the topic now.

        Raises:
            SourceUnavailableError: No broker answers.
            ConfigError: There is no such topic.
        """
        topics = ck.TopicCollection([self.address.topic])
        try:
            cluster = self._admin.describe_cluster(request_timeout=_CALL_S).result(_CALL_S + 1)
            found = self._admin.describe_topics(topics, request_timeout=_CALL_S)
            topic = found[self.address.topic].result(_CALL_S + 1)
        except (ck.KafkaException, TimeoutError) as error:
            raise self.explain(error) from error
        identity = f"{cluster.cluster_id}\0{self.address.topic}\0{topic.topic_id}"
        digest = xxhash.xxh3_64_hexdigest(identity.encode())
        return TopicIdentity(f"{self.address.topic}-{digest}", len(topic.partitions))

    def open_reader(
        self, starts: Mapping[int, int], *, is_following: bool, batch_size: int
    ) -> KafkaReader:
        """Return a reader; one that does not follow ends where a partition is read to its end.

        Not where a broker says that it ends: what it says may be behind what it holds.
        """
        faults: list[ck.KafkaError] = []
        consumer = ck.Consumer(
            {
                **self._settings,
                "group.id": "hemostat",  # Asked for by the library; never joined.
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 20,
                "queued.min.messages": max(1_000, 2 * batch_size),
                "reconnect.backoff.max.ms": 1_000,
                "log_level": "0",
                "error_cb": faults.append,
            }
        )
        reader = KafkaReader(self, consumer, faults, is_following=is_following)
        try:
            reader.assign(starts)
        except BaseException:
            consumer.close()
            raise
        return reader

    def check_identity(self) -> None:
        """Refuse to go on if the topic is no longer the one that was opened.

        Raises:
            ConfigError: It is another incarnation, or has got more partitions.
        """
        identity = self.read_identity()
        if identity.incarnation != self.incarnation:
            raise ConfigError(
                "the topic is a new incarnation: its log was lost or made anew",
                field=self.name,
                value=identity.incarnation,
                expectation=self.incarnation,
                fix="restore the broker's log; or stream into a new store: --store NEW",
            )
        if identity.n_partitions != self.n_partitions:
            raise SourceUnavailableError(
                "the topic has got more partitions; they are read from now on",
                field=self.name,
                value=str(identity.n_partitions),
                expectation=str(self.n_partitions),
            )

    def find_unfinished(self) -> Sequence[int]:
        """Return nothing: messages are whole."""
        return ()

    def close(self) -> None:
        """Do nothing: readers have connections of their own."""

    def explain(self, error: Exception) -> SourceUnavailableError | ConfigError:
        """Return what a fault of the client means."""
        code = error.args[0].code() if isinstance(error, ck.KafkaException) else None
        if code == ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
            return ConfigError(
                "there is no such topic; a restarted broker without its log has none",
                field=self.name,
                value="unknown to the broker",
                expectation="the topic that the events are in",
                fix="check the name; create the topic first if it is new",
            )
        return SourceUnavailableError(
            "the Kafka brokers cannot be reached",
            field=self.name,
            value=str(error) or type(error).__name__,
            expectation="a broker that answers",
            fix="check address and network; the stream goes on where it was",
        )


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which log a topic's name stands for at a moment."""

    incarnation: str
    n_partitions: int


class KafkaReader:
    """A `SourceReader` of some partitions of a topic. Made by `KafkaSource.open_reader`."""

    def __init__(
        self,
        source: KafkaSource,
        consumer: ck.Consumer,
        faults: list[ck.KafkaError],
        *,
        is_following: bool,
    ) -> None:
        self._source = source
        self._consumer = consumer
        self._is_following = is_following
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        # Faults since the last check: who answers next may be another broker.
        self._faults = faults
        self._checked_s = time.monotonic()

    def assign(self, starts: Mapping[int, int]) -> None:
        """Begin to read; refuse what the broker does not hold.

        Raises:
            LogFormatError: Retention has dropped the next message.
        """
        places = []
        for partition, start in starts.items():
            low, high = self._find_bounds(partition)
            if start < low and start > 0:
                raise LogFormatError(
                    "the broker no longer holds the messages that come next",
                    field=f"{self._source.name} partition {partition}",
                    value=f"messages from offset {low} on",
                    expectation=f"offset {start}",
                    fix="keep messages longer than the stream may stand still; rebuild the store "
                    "from an archive of the events",
                )
            begin = max(start, low)
            self._next[partition], self._ends[partition] = begin, max(begin, high)
            places.append(ck.TopicPartition(self._source.address.topic, partition, begin))
        self._consumer.assign(places)

    def read(self, max_rows: int) -> Sequence[Raw]:
        """Return the messages that have come."""
        try:
            messages = self._consumer.consume(max_rows, timeout=_POLL_S)
        except ck.KafkaException as error:
            raise self._source.explain(error) from error
        good: dict[int, list[Any]] = {}
        for message in messages:
            fault = message.error()
            partition = int(message.partition() or 0)
            if fault is None:
                self._ended.pop(partition, None)
                good.setdefault(partition, []).append(message)
            elif fault.code() == _PARTITION_EOF:
                self._ended[partition] = self._read_idle_us()
            else:
                self._faults.append(fault)
        self._check(has_messages=bool(good))
        return [self._to_rows(partition, those) for partition, those in good.items()]

    def find_ended(self) -> Mapping[int, int]:
        """Return the partitions that were read to their end, and up to when."""
        return self._ended

    def read_ends(self) -> Mapping[int, int]:
        """Return the offsets behind the last messages, as far as heard of."""
        topic = self._source.address.topic
        for partition in self._next:
            place = ck.TopicPartition(topic, partition)
            bounds: Any = self._consumer.get_watermark_offsets(place, cached=True)
            if bounds and bounds[1] >= 0:
                self._ends[partition] = max(bounds[1], self._next[partition])
        return self._ends

    def stop(self, partition: int) -> None:
        """Read no more of a partition."""
        place = ck.TopicPartition(self._source.address.topic, partition)
        self._consumer.incremental_unassign([place])
        self._ended[partition] = 0

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def _check(self, *, has_messages: bool) -> None:
        """Make sure that the same topic answers after a fault, and now and then.

        Raises:
            ConfigError: It is another one.
            SourceUnavailableError: Nobody answers.
        """
        now_s = time.monotonic()
        faults = [each for each in self._faults if each.code() not in _UNREACHABLE]
        is_due = has_messages and now_s - self._checked_s > _CHECK_EVERY_S
        if not self._faults and not is_due:
            return
        self._faults.clear()
        self._checked_s = now_s
        self._source.check_identity()
        if faults:
            raise LogFormatError(
                "the broker does not give the messages that come next",
                field=self._source.name,
                value=faults[0].str(),
                expectation="messages from the store's position on",
                fix="check the topic's retention; rebuild the store if messages are gone",
            )

    def _to_rows(self, partition: int, messages: Sequence[Any]) -> RawRows:
        """Return messages as one buffer."""
        values = [message.value() or b"" for message in messages]
        offsets = np.array([message.offset() for message in messages], np.int64)
        stamps = np.array([message.timestamp()[1] for message in messages], np.int64)
        self._next[partition] = int(offsets[-1]) + 1
        return RawRows(
            partition,
            offsets,
            np.frombuffer(bytearray(b"".join(values)), np.uint8),
            np.cumsum([len(value) for value in values], dtype=np.int64),
            Encoding.MIXED,
            np.maximum(stamps, 0) * 1_000,
        )

    def _find_bounds(self, partition: int) -> tuple[int, int]:
        """Return the least offset and the next one, which may be behind what is there.

        So a position beyond the end is refused when the broker refuses to read there.
        """
        place = ck.TopicPartition(self._source.address.topic, partition)
        try:
            bounds: Any = self._consumer.get_watermark_offsets(place, timeout=_CALL_S)
        except ck.KafkaException as error:
            raise self._source.explain(error) from error
        return (int(bounds[0]), int(bounds[1])) if bounds else (0, 0)

    def _read_idle_us(self) -> int:
        """Return a moment ago: what came in before has been read."""
        return time.time_ns() // 1_000 - _IDLE_SLACK_US if self._is_following else 0
