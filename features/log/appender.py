"""The seam behind `PublishEvents`: whatever takes events in durably."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from features.log.embedded_appender import Appended, EmbeddedAppender, read_wall_us

KAFKA_PREFIX = "kafka://"


class EventAppender(Protocol):
    """Appends serialized events. Called from one thread at a time; blocks while it syncs.

    Raises:
        StoreUnavailableError: From any call: it cannot be reached or written now. Some
            events of a failed append may stand in the log; telling them again is harmless.
    """

    @property
    def n_partitions(self) -> int:
        """Return the number of the log's partitions."""
        ...

    def append(self, messages: Sequence[bytes], partitions: Sequence[int]) -> Appended:
        """Append events and return when they are durable.

        Args:
            messages: Serialized events without ingest time and raw text, not empty.
            partitions: The partition of each, by `embedded_appender.compute_partition`.
        """
        ...

    def close(self) -> None:
        """Release what is held; later calls do nothing."""
        ...


def open_appender(target: str, read_us: Callable[[], int] = read_wall_us) -> EventAppender:
    """Return the appender that a setting names.

    Args:
        target: A folder (an embedded log, made if it is not there) or
            `kafka://HOST:PORT/TOPIC`.
        read_us: The wall clock.

    Raises:
        ConfigError: The target is no log, or what it needs is not installed.
        StoreUnavailableError: It cannot be reached or written.
        LogFormatError: The log is damaged.
    """
    if target.startswith(KAFKA_PREFIX):
        from features.log.kafka_appender import KafkaAppender

        return KafkaAppender.open(target, read_us=read_us)
    return EmbeddedAppender.open(Path(target), read_us=read_us)
