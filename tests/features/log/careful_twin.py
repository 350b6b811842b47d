"""What the careful path alone makes of rows, and cells in a form that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.embedding import EMBEDDERS, Embedder
from features.log.arrow_cells import from_arrow
from features.log.assemble import ColumnValueError, build_batch, stamp_ingest_time
from features.log.cells import EventCells
from features.log.jsonl import EventDecoder, ParsedEvents
from features.log.jsonl_source import append_malformed
from features.log.messages import parse_messages, refuse_misfits
from features.log.rejections import Rejection
from features.log.validation import validate_batch

Comparable = dict[int, tuple[Any, ...]]
"""Row number to all that its cells hold."""


def join(rows: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return rows as the decoders take them."""
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    return np.frombuffer(b"".join(rows), np.uint8), ends


def to_comparable(cells: EventCells, places: npt.NDArray[np.int64]) -> Comparable:
    """Return the cells of each row; places of lines and embeddings are resolved."""
    found = {}
    for place, head, row in zip(places.tolist(), cells.head, cells.cells, strict=True):
        lines = cells.lines[head["first_line"] : head["first_line"] + head["line_count"]]
        embedding = cells.embeddings[head["embedding"]].tolist() if head["embedding"] >= 0 else []
        fields = [
            int(head[name])
            for name in head.dtype.names
            if name not in {"first_line", "embedding", "padding"}
        ]
        found[place] = (fields, row.tolist(), lines.tolist(), embedding)
    return found


def parse_all(
    rows: Sequence[bytes],
    *,
    is_json: bool,
    default_ingest_us: Sequence[int] | None,
    embedders: Sequence[Embedder],
) -> ParsedEvents:
    if is_json:
        return EventDecoder(embedders).parse_carefully(rows, default_ingest_us)
    parsed = parse_messages(rows, default_ingest_us)
    try:
        build_batch(parsed.events)
    except ColumnValueError:
        return refuse_misfits(rows, parsed)
    return parsed


def decide_carefully(
    rows: Sequence[bytes],
    *,
    is_json: bool = True,
    default_ingest_us: Sequence[int] | None = None,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> tuple[Comparable, tuple[Rejection, ...]]:
    """Return the accepted rows' cells and the rejections, without any compiled decoder."""
    parsed = parse_all(
        rows, is_json=is_json, default_ingest_us=default_ingest_us, embedders=embedders
    )
    batch = append_malformed(
        stamp_ingest_time(build_batch(parsed.events, embedders)), parsed.malformed
    )
    validated = validate_batch(batch, embedders=embedders)
    cells = from_arrow(validated.valid, embedders)
    return to_comparable(cells, validated.valid_index), validated.rejected
