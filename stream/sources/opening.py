"""From what a user names to a source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.errors import ConfigError
from features.log.manifest import EMBEDDED, MANIFEST_NAME, read_manifest
from stream.sources.embedded import EmbeddedSource
from stream.sources.files import FileSource
from stream.sources.port import Source

_KAFKA = "kafka://"


def open_source(
    name: str, *, log_format: str | None = None, kafka: Mapping[str, str] | None = None
) -> Source:
    """Return the source of a name: a path, or `kafka://host:port/topic`.

    Args:
        name: An event log's folder, an embedded log's folder, a `.jsonl` file, a folder
            of them, or the address of a topic.
        log_format: For logs in several formats: `parquet` or `jsonl`.
        kafka: More settings of the Kafka client.

    Raises:
        LogFormatError: There is no log at the path, or it is broken.
        ConfigError: A wrong address, or a topic that does not exist.
        SourceUnavailableError: No broker answers.
    """
    if name.startswith(_KAFKA):
        try:
            from stream.sources.kafka import KafkaSource, TopicAddress
        except ImportError as error:
            raise ConfigError(
                "reading Kafka needs another package",
                field="SOURCE",
                value=name,
                expectation="the package confluent-kafka",
                fix="pip install 'hemostat[kafka]'",
            ) from error
        return KafkaSource(TopicAddress.parse(name), kafka)
    path = Path(name)
    if (path / MANIFEST_NAME).is_file() and EMBEDDED in read_manifest(path).formats:
        return EmbeddedSource(path)
    return FileSource(path, log_format)
