"""Columns of the event log to accepted events: as `decode`, for rows read from Parquet."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from features.embedding import EMBEDDERS, Embedder
from features.erasures import Erasures
from features.log.arrow_access import to_batch
from features.log.arrow_cells import from_arrow
from features.log.decode import DecodedEvents, drop_erased
from features.log.validation import DEFAULT_RULES, AcceptanceRules, validate_batch


def decode_batch(
    source: pa.Table | pa.RecordBatch,
    first_offset: int = 0,
    rules: AcceptanceRules = DEFAULT_RULES,
    *,
    erasures: Erasures | None = None,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> DecodedEvents:
    """Return the events of some rows of a log; see `decode.decode_lines`.

    Args:
        source: Rows of the event schema with ingest times, malformed ones told apart.
        first_offset: Offset of the first row; rejections name offsets.
        rules: Bounds of lateness.
        erasures: Customers whose events leave no trace.
        embedders: All that events may name.
    """
    validated = validate_batch(to_batch(source), first_offset, rules, embedders)
    cells = from_arrow(validated.valid, embedders, validated.payloads)
    last_ingest_us = int(cells.head["ingest_us"].max(initial=0))
    decoded = DecodedEvents(cells, validated.valid_index, validated.rejected, last_ingest_us)
    return drop_erased(decoded, erasures)
