"""Bytes to accepted events: the compiled decoders, and the careful path for what they doubt.

The one way in for every source. Most rows never touch Python; a row in doubt costs
some hundred microseconds, and is accepted or refused with a full explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from features.embedding import EMBEDDERS, Embedder
from features.erasures import Erasures
from features.log.arrow_cells import from_arrow
from features.log.assemble import ColumnValueError, build_batch, stamp_ingest_time
from features.log.cell_checks import Fault
from features.log.cell_faults import explain_fault
from features.log.cells import EventCells, build_empty_cells, concat_cells
from features.log.customer_keys import compute_customer_keys
from features.log.draft_cells import CheckedCells
from features.log.envelope_rules import find_envelope_fault
from features.log.json_cells import decode_json
from features.log.jsonl import EventDecoder, ParsedEvents
from features.log.messages import parse_messages, refuse_misfits
from features.log.proto_cells import decode_proto
from features.log.rejections import Rejection
from features.log.validation import (
    DEFAULT_RULES,
    AcceptanceRules,
    reject_malformed,
    validate_batch,
)

_Parse = Callable[[Sequence[bytes], Sequence[int] | None], ParsedEvents]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedEvents:
    """What became of some rows: each is accepted, rejected, or an erased customer's.

    Attributes:
        cells: The accepted events, in the order given.
        places: Shape `(len(cells),)`, int64, ascending: their row numbers.
        rejected: By offset.
        last_ingest_us: Latest ingest time of an accepted event; 0 without any.
    """

    cells: EventCells
    places: npt.NDArray[np.int64]
    rejected: tuple[Rejection, ...]
    last_ingest_us: int


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Encoded rows and how to decide about them."""

    buffer: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    default_ingest_us: npt.NDArray[np.int64] | None
    rules: AcceptanceRules
    embedders: Sequence[Embedder]


def decode_lines(
    buffer: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    first_offset: int = 0,
    rules: AcceptanceRules = DEFAULT_RULES,
    default_ingest_us: npt.NDArray[np.int64] | None = None,
    *,
    erasures: Erasures | None = None,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> DecodedEvents:
    """Return the events of JSON lines.

    Args:
        buffer: The lines end to end, with or without line ends, uint8.
        ends: Shape `(n,)`: one past each line's last byte.
        first_offset: Offset of the first line; rejections name offsets.
        rules: Bounds of lateness.
        default_ingest_us: Shape `(n,)`: ingest time of events that say none, microseconds;
            0 or no array: their event time.
        erasures: Customers whose events leave no trace.
        embedders: All that events may name; texts are embedded by the one in force.
    """
    rows = _Rows(buffer, ends, default_ingest_us, rules, embedders)
    checked = decode_json(buffer, ends, default_ingest_us, rules, embedders)
    parse = EventDecoder(embedders).parse_carefully
    return drop_erased(_decide(checked, rows, parse, first_offset), erasures)


def decode_messages(
    buffer: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    first_offset: int = 0,
    rules: AcceptanceRules = DEFAULT_RULES,
    default_ingest_us: npt.NDArray[np.int64] | None = None,
    *,
    erasures: Erasures | None = None,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> DecodedEvents:
    """Return the events of serialized `hemostat.v1.Event` messages; see `decode_lines`.

    An empty message is what is left of an erased event: neither accepted nor rejected.
    """
    rows = _Rows(buffer, ends, default_ingest_us, rules, embedders)
    checked = decode_proto(buffer, ends, default_ingest_us, rules, embedders)
    is_empty = np.diff(ends, prepend=0) == 0
    decided = _decide(checked, rows, _parse_messages, first_offset, is_empty)
    return drop_erased(decided, erasures)


def _parse_messages(
    messages: Sequence[bytes], default_ingest_us: Sequence[int] | None
) -> ParsedEvents:
    parsed = parse_messages(messages, default_ingest_us)
    try:
        build_batch(parsed.events)
    except ColumnValueError:
        return refuse_misfits(messages, parsed)
    return parsed


def _decide(
    checked: CheckedCells,
    rows: _Rows,
    parse: _Parse,
    first_offset: int,
    is_left_out: npt.NDArray[np.bool_] | None = None,
) -> DecodedEvents:
    """Return vouched rows and what the careful path accepts of the others, in order."""
    cells, is_doubtful, faults = checked
    places = np.flatnonzero(~is_doubtful)
    asked = faults == Fault.UNCLEAR
    if is_left_out is not None:
        asked &= ~is_left_out
    rejected = [
        _shift(explain_fault(int(faults[row]), cells, row, rows.rules), first_offset + row)
        for row in np.flatnonzero(faults > Fault.UNCLEAR).tolist()
    ]
    cells = cells.close_gaps(places)
    if asked.any():
        chosen = np.flatnonzero(asked)
        accepted, index, refused = _ask(rows, chosen, parse, first_offset)
        rejected = sorted([*rejected, *refused], key=lambda rejection: rejection.offset)
        if len(accepted):
            places = np.concatenate([places, chosen[index]])
            order = np.argsort(places)
            cells, places = concat_cells([cells, accepted]).take(order), places[order]
    last_ingest_us = int(cells.head["ingest_us"].max(initial=0))
    return DecodedEvents(cells, places, tuple(rejected), last_ingest_us)


def _shift(rejection: Rejection, offset: int) -> Rejection:
    return msgspec.structs.replace(rejection, offset=offset)


def _ask(
    rows: _Rows, asked: npt.NDArray[np.int64], parse: _Parse, first_offset: int
) -> tuple[EventCells, npt.NDArray[np.int64], tuple[Rejection, ...]]:
    """Return what the careful path accepts of some rows, its indices, and why not the others."""
    starts = np.where(asked > 0, rows.ends[asked - 1], 0).tolist()
    ends = rows.ends[asked].tolist()
    encoded = [rows.buffer[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]
    ingest_us = rows.default_ingest_us
    parsed = parse(encoded, None if ingest_us is None else ingest_us[asked].tolist())
    rejected = {place: reject_malformed(place, error) for place, error in parsed.malformed}
    for place, event in enumerate(parsed.events):
        if place not in rejected and (fault := find_envelope_fault(event)):
            rejected[place] = fault
    whole = [place for place in range(len(asked)) if place not in rejected]
    accepted, index = build_empty_cells(), np.empty(0, np.int64)
    if whole:
        # Columns only of what may be right: they cost most.
        events = [parsed.events[place] for place in whole]
        batch = stamp_ingest_time(build_batch(events, rows.embedders, has_all_kinds=False))
        validated = validate_batch(batch, rules=rows.rules, embedders=rows.embedders)
        index = np.array(whole)[validated.valid_index]
        if len(index):
            accepted = from_arrow(validated.valid, rows.embedders)
        rejected |= {whole[each.offset]: each for each in validated.rejected}
    offsets = asked + first_offset
    refused = (_shift(rejected[place], int(offsets[place])) for place in sorted(rejected))
    return accepted, index, tuple(refused)


def drop_erased(decoded: DecodedEvents, erasures: Erasures | None) -> DecodedEvents:
    """Return the events without those of erased customers."""
    if erasures is None or not len(erasures) or not len(decoded.cells):
        return decoded
    head = decoded.cells.head
    is_erased = erasures.find_erased(compute_customer_keys(head), head["ingest_us"])
    if not is_erased.any():
        return decoded
    kept = np.flatnonzero(~is_erased)
    cells = decoded.cells.take(kept)
    # What an erased customer's event says of the log's progress is not about them.
    return replace(decoded, cells=cells, places=decoded.places[kept])
