"""Reads the embedded log as columns, as far as it is durable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from features.log.embedded_log import EmbeddedLog
from features.log.jsonl_source import append_malformed
from features.log.messages import decode_messages_carefully


def read_embedded_batches(
    path: Path, partition: int, start_offset: int, batch_size: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows from an offset on, up to what is durable by then."""
    with EmbeddedLog(path) as log:
        cursor = log.follow(partition, max(start_offset, log.first_offsets()[partition]))
        try:
            while (read := cursor.read(batch_size)) is not None:
                decoded = decode_messages_carefully(read.to_messages())
                yield append_malformed(decoded.batch.select(list(columns)), decoded.malformed)
        finally:
            cursor.close()
