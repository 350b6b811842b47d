"""Raw rows to batches: decode, check, fan out to entities. Pure but for the clock of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from features.erasures import Erasures
from features.log.cells import build_empty_cells
from features.log.content_hash import compute_content_hashes
from features.log.decode import DecodedEvents, decode_lines, decode_messages
from features.log.fan_out import FoldRows, to_fold_rows
from features.log.rejections import Rejection
from features.log.schema import EVENT_KINDS
from features.log.validation import DEFAULT_RULES, AcceptanceRules
from stream.batches import (
    BatchId,
    EntityRows,
    EventColumns,
    PartitionRange,
    RowBatch,
    join_rows,
    take_rows,
)
from stream.progress import make_source_id
from stream.sources.port import Encoding, Raw, RawRows, RawTable
from stream.until import find_cut

_NO_TIMES = np.zeros(1_000_000, np.int64)
_BRACE = ord("{")


@dataclass(frozen=True, slots=True)
class PartitionRejection:
    """A row that is no acceptable event, and the partition it stands in."""

    range_index: int
    rejection: Rejection


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """One read of a source, ready for dedup.

    Attributes:
        batch: The acceptable events and their rows.
        rejected: The other rows, but for erased ones.
        n_read: Rows read.
        erased: Rows of erased customers, which left no trace.
        kinds: Number of acceptable events by kind.
        ended: Partitions that hold nothing more that is wanted (`until`).
    """

    batch: RowBatch
    rejected: tuple[PartitionRejection, ...]
    n_read: int
    erased: int
    kinds: dict[str, int]
    ended: frozenset[int]


@dataclass(frozen=True, slots=True)
class DecodingRules:
    """What decoding needs to know beside the rows.

    Attributes:
        incarnation: Names the source partitions.
        acceptance: Bounds of lateness.
        until_us: Last `ingest_time` wanted; None: all.
        make_source_id: Names a partition, from the incarnation and its number.
    """

    incarnation: str
    acceptance: AcceptanceRules = DEFAULT_RULES
    until_us: int | None = None
    make_source_id: Callable[[str, int], str] = make_source_id


@dataclass(frozen=True, slots=True)
class _Segment:
    """Rows that are decoded by one call, whatever partitions they are of."""

    range_index: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    decoded: DecodedEvents
    fold: FoldRows


def decode_raws(
    raws: Sequence[Raw], batch_id: BatchId, rules: DecodingRules, erasures: Erasures
) -> DecodedBatch:
    """Return what a read of a source holds.

    Args:
        raws: At most one stretch of each partition.
        batch_id: The batch's name.
        rules: See there.
        erasures: Customers whose events leave no trace.
    """
    segments = _decode_segments(raws, rules, erasures)
    events = _join_events(segments, raws, rules)
    entities = _join_entities(segments)
    if any(isinstance(raw, RawRows) and raw.encoding is Encoding.MIXED for raw in raws):
        events, entities = _restore_order(events, entities)
    rejected = tuple(
        PartitionRejection(
            int(segment.range_index[each.offset]),
            msgspec.structs.replace(each, offset=int(segment.offsets[each.offset])),
        )
        for segment in segments
        for each in segment.decoded.rejected
    )
    ranges = tuple(_make_range(number, raw, events, rules) for number, raw in enumerate(raws))
    kinds: Counter[str] = Counter()
    for segment in segments:
        counts = np.bincount(segment.decoded.cells.head["kind"], minlength=len(EVENT_KINDS) + 1)
        kinds.update({EVENT_KINDS[n - 1]: int(counts[n]) for n in np.flatnonzero(counts)})
    n_read = sum(map(len, raws))
    erased = n_read - len(events) - len(rejected)
    whole = DecodedBatch(
        RowBatch(batch_id, ranges, events, entities), rejected, n_read, erased, kinds, frozenset()
    )
    return whole if rules.until_us is None else _cut(whole, raws, rules.until_us)


def compute_tellings(source_id: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return a number for each row of a partition, never 0: which row tells an event.

    >>> int(compute_tellings("a/00", np.array([7]))[0]) > 0
    True
    """
    seed = np.uint64(xxhash.xxh3_64_intdigest(source_id.encode()))
    mixed = offsets.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seed
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.maximum(mixed ^ (mixed >> np.uint64(31)), np.uint64(1))


def _decode_segments(
    raws: Sequence[Raw], rules: DecodingRules, erasures: Erasures
) -> list[_Segment]:
    """Decode all rows of one encoding together: a call costs more than many rows."""
    by_encoding: dict[Encoding, list[tuple[int, RawRows]]] = {}
    segments = []
    for number, raw in enumerate(raws):
        if isinstance(raw, RawTable):
            segments.append(_decode_table(number, raw, rules, erasures))
        elif raw.encoding is Encoding.MIXED:
            for part in _split_mixed(raw):
                by_encoding.setdefault(part.encoding, []).append((number, part))
        else:
            by_encoding.setdefault(raw.encoding, []).append((number, raw))
    for encoding, those in by_encoding.items():
        segments.append(_decode_rows(encoding, those, rules, erasures))
    return segments


def _decode_table(number: int, raw: RawTable, rules: DecodingRules, erasures: Erasures) -> _Segment:
    # Imported here: only logs in Parquet need Arrow.
    from features.log.decode_batch import decode_batch

    decoded = decode_batch(raw.table, 0, rules.acceptance, erasures=erasures)
    return _Segment(np.full(len(raw), number), raw.offsets, decoded, to_fold_rows(decoded.cells))


def _decode_rows(
    encoding: Encoding,
    those: Sequence[tuple[int, RawRows]],
    rules: DecodingRules,
    erasures: Erasures,
) -> _Segment:
    raws = [raw for _, raw in those]
    buffer = raws[0].buffer if len(raws) == 1 else np.concatenate([raw.buffer for raw in raws])
    begins = np.cumsum([0, *(len(raw.buffer) for raw in raws[:-1])])
    ends = np.concatenate([raw.ends + begin for raw, begin in zip(raws, begins, strict=True)])
    ingest_us = None
    if any(raw.ingest_us is not None for raw in raws):
        ingest_us = np.concatenate(
            [
                np.zeros(len(raw), np.int64) if raw.ingest_us is None else raw.ingest_us
                for raw in raws
            ]
        )
    decode = decode_lines if encoding is Encoding.JSON else decode_messages
    decoded = decode(
        np.ascontiguousarray(buffer), ends, 0, rules.acceptance, ingest_us, erasures=erasures
    )
    return _Segment(
        np.repeat([number for number, _ in those], [len(raw) for raw in raws]),
        np.concatenate([raw.offsets for raw in raws]),
        decoded,
        to_fold_rows(decoded.cells),
    )


def _split_mixed(raw: RawRows) -> list[RawRows]:
    """Return the JSON rows and the protobuf rows of a stretch; empty rows are protobuf."""
    starts = np.zeros(len(raw), np.int64)
    starts[1:] = raw.ends[:-1]
    is_empty = starts == raw.ends
    first = (
        raw.buffer[np.minimum(starts, max(0, len(raw.buffer) - 1))] if len(raw.buffer) else starts
    )
    is_json = (first == _BRACE) & ~is_empty
    if is_json.all():
        return [replace(raw, encoding=Encoding.JSON)]
    if not is_json.any():
        return [replace(raw, encoding=Encoding.PROTOBUF)]
    return [
        _take(raw, np.flatnonzero(is_json), Encoding.JSON),
        _take(raw, np.flatnonzero(~is_json), Encoding.PROTOBUF),
    ]


def take_raw(raw: Raw, places: npt.NDArray[np.int64]) -> Raw:
    """Return the rows at the places."""
    if isinstance(raw, RawRows):
        return _take(raw, places, raw.encoding)
    import pyarrow as pa

    return RawTable(raw.partition, raw.offsets[places], raw.table.take(pa.array(places)))


def _take(raw: RawRows, places: npt.NDArray[np.int64], encoding: Encoding) -> RawRows:
    content, ends = raw.buffer.tobytes(), raw.ends
    rows = [content[int(ends[p - 1]) if p else 0 : int(ends[p])] for p in places]
    return RawRows(
        raw.partition,
        raw.offsets[places],
        np.frombuffer(bytearray(b"".join(rows)), np.uint8),
        np.cumsum([len(row) for row in rows], dtype=np.int64),
        encoding,
        None if raw.ingest_us is None else raw.ingest_us[places],
        raw.is_strict,
    )


def _join_events(
    segments: Sequence[_Segment], raws: Sequence[Raw], rules: DecodingRules
) -> EventColumns:
    range_index = _join([each.range_index[each.decoded.places] for each in segments], np.int64)
    offsets = _join([each.offsets[each.decoded.places] for each in segments], np.int64)
    tellings = np.zeros(len(offsets), np.uint64)
    for number, raw in enumerate(raws):
        places = np.flatnonzero(range_index == number)
        source_id = rules.make_source_id(rules.incarnation, raw.partition)
        tellings[places] = compute_tellings(source_id, offsets[places])
    keys = [each.fold.customer_keys for each in segments]
    hashes = [compute_content_hashes(each.decoded.cells) for each in segments]
    return EventColumns(
        range_index=range_index,
        offsets=offsets,
        event_keys=_join([each.fold.event_keys for each in segments], np.uint64),
        content_hashes=_join(hashes, np.uint64),
        tellings=tellings,
        ingest_us=_join([each.decoded.cells.head["ingest_us"] for each in segments], np.int64),
        customer_keys=np.concatenate(keys) if keys else np.empty((0, 16), np.uint8),
    )


def _join_entities(segments: Sequence[_Segment]) -> EntityRows:
    if len(segments) == 1:
        fold = segments[0].fold
        return EntityRows(
            fold.rows, fold.entity_keys, fold.event_index, segments[0].decoded.cells.embeddings
        )
    if not segments:
        nothing = to_fold_rows(build_empty_cells())
        return EntityRows(
            nothing.rows, nothing.entity_keys, nothing.event_index, np.empty((0, 64), np.int8)
        )
    indices = []
    n_events = n_embeddings = 0
    for each in segments:
        places = each.fold.rows["embedding"]
        places[places >= 0] += n_embeddings
        indices.append(each.fold.event_index + n_events)
        n_events += len(each.fold.event_keys)
        n_embeddings += len(each.decoded.cells.embeddings)
    return EntityRows(
        join_rows([each.fold.rows for each in segments]),
        np.concatenate([each.fold.entity_keys for each in segments]),
        np.concatenate(indices),
        np.concatenate([each.decoded.cells.embeddings for each in segments]),
    )


def _join(columns: Sequence[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    if len(columns) == 1:
        return np.ascontiguousarray(columns[0])
    return np.concatenate(columns) if columns else np.empty(0, dtype)


def _restore_order(events: EventColumns, entities: EntityRows) -> tuple[EventColumns, EntityRows]:
    """Return events by partition and offset, after two decoders had a part of them each."""
    order = np.lexsort((events.offsets, events.range_index))
    if (np.diff(order) > 0).all():
        return events, entities
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    index = ranks[entities.event_index]
    row_order = np.argsort(index, kind="stable")
    moved = EntityRows(
        take_rows(entities.rows, row_order),
        take_rows(entities.keys, row_order),
        index[row_order],
        entities.embeddings,
    )
    return events.take(order), moved


def _make_range(
    number: int, raw: Raw, events: EventColumns, rules: DecodingRules
) -> PartitionRange:
    """Return what applying a stretch of rows means, however the partition is cut into stretches."""
    is_inside = events.range_index == number
    times, offsets = events.ingest_us[is_inside], events.offsets[is_inside]
    # In a log rows stand in the order of this time. One that is ahead of those behind it
    # has a wrong one, so the last row tells how far the log has come. Of malformed rows
    # behind it only the source knows when they came.
    last_us = int(times[-1]) if len(times) else 0
    first, last = int(raw.offsets[0]), int(raw.offsets[-1])
    is_strict = isinstance(raw, RawRows) and raw.is_strict
    if isinstance(raw, RawRows) and raw.ingest_us is not None:
        is_behind = raw.offsets > (offsets[-1] if len(offsets) else -1)
        last_us = max(last_us, int(raw.ingest_us[is_behind].max(initial=0)))
    # Unless the source says otherwise, more rows with the last row's time may follow.
    return PartitionRange(
        source_id=rules.make_source_id(rules.incarnation, raw.partition),
        partition=raw.partition,
        start_offset=first,
        next_offset=last + 1,
        passed_ingest_us=max(0, last_us - (not is_strict)),
        least_ingest_us=int(times.min()) if len(times) else 0,
    )


def _cut(whole: DecodedBatch, raws: Sequence[Raw], until_us: int) -> DecodedBatch:
    """Leave out what was taken in after `until_us`, partition by partition."""
    batch, events = whole.batch, whole.batch.events
    cuts = {
        number: cut
        for number, raw in enumerate(raws)
        if (cut := find_cut(number, raw, events, until_us)) is not None
    }
    if not cuts:
        return whole
    limits = np.full(len(raws), np.iinfo(np.int64).max)
    limits[list(cuts)] = list(cuts.values())
    places = np.flatnonzero(events.offsets < limits[events.range_index])
    moved = np.full(len(events), -1, np.int64)
    moved[places] = np.arange(len(places))
    index = moved[batch.entities.event_index]
    row_places = np.flatnonzero(index >= 0)
    entities = EntityRows(
        take_rows(batch.entities.rows, row_places),
        take_rows(batch.entities.keys, row_places),
        index[row_places],
        batch.entities.embeddings,
    )
    ranges = tuple(
        replace(each, next_offset=min(each.next_offset, int(limits[number])))
        if number in cuts
        else each
        for number, each in enumerate(batch.ranges)
    )
    ranges = tuple(replace(r, passed_ingest_us=min(r.passed_ingest_us, until_us)) for r in ranges)
    rejected = tuple(
        each for each in whole.rejected if each.rejection.offset < limits[each.range_index]
    )
    n_left_out = sum(int((raws[n].offsets >= limits[n]).sum()) for n in cuts)
    return replace(
        whole,
        batch=RowBatch(batch.id, ranges, events.take(places), entities),
        rejected=rejected,
        n_read=whole.n_read - n_left_out,
        ended=frozenset(raws[number].partition for number in cuts),
    )
