"""Which events are accepted: a pure function of the log, never of a clock.

Every row is either in `valid` or has exactly one `Rejection`. Acceptance compares
an event only with the `ingest_time` that stands beside it in the log, so a replay
decides as the first run did, and a historic import (`ingest_time == event_time`)
is accepted whatever its age.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import EMBEDDERS, Embedder
from features.errors import InvalidEventError
from features.log import envelope_rules
from features.log.arrow_access import find_envelope_enum, read_kind_index
from features.log.conform import compute_validity
from features.log.envelope_rules import END_US, MAX_ID_LENGTH, SEPARATOR
from features.log.json_walk import UNKNOWN_KIND, show_name
from features.log.kind_checks import KindChecker
from features.log.rejections import (
    Expectation,
    Rejection,
    RejectionCollector,
    RejectionReason,
)
from features.log.schema import EVENT_KINDS, KIND_COLUMN, MALFORMED_COLUMN

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class AcceptanceRules:
    """How far an event's times may lie from its ingest time.

    Attributes:
        max_late_us: Accept `event_time >= ingest_time - max_late_us`.
        max_future_us: Accept `event_time` and `known_at` up to `ingest_time + max_future_us`.
    """

    max_late_us: int = 30 * 86_400 * _SECOND_US
    max_future_us: int = 300 * _SECOND_US


DEFAULT_RULES = AcceptanceRules()


@dataclass(frozen=True, slots=True)
class ValidatedBatch:
    """A batch, split.

    Attributes:
        valid: The accepted rows, without the column `malformed`.
        valid_index: Shape `(n_valid,)`, int64: their indices in the batch given.
        rejected: One per other row, by offset.
        payloads: Kind to its struct column of the rows of that kind, in order; none of a
            batch that was not accepted whole.
    """

    valid: pa.RecordBatch
    valid_index: npt.NDArray[np.int64]
    rejected: tuple[Rejection, ...]
    payloads: Mapping[str, pa.StructArray]


def validate_batch(
    batch: pa.RecordBatch,
    offset: int = 0,
    rules: AcceptanceRules = DEFAULT_RULES,
    embedders: Sequence[Embedder] = EMBEDDERS,
) -> ValidatedBatch:
    """Return the batch's accepted rows and a rejection for each other one.

    The first fault found counts: the line itself, the envelope, the kind, the
    kind's own fields, then lateness. Conflicting repetitions are not found here
    (that takes memory of what was seen). Erased rows (empty events) are neither
    accepted nor rejected.

    Args:
        batch: As `reader.EventLog.read_batches` yields it; columns of kinds that
            were not read are not checked.
        offset: Offset of its first row.
        rules: Bounds of lateness.
        embedders: All that events may name.
    """
    collector = RejectionCollector(batch.num_rows, offset)
    _reject_malformed(batch, collector)
    collector.is_rejected |= find_erased_rows(batch)  # Without a rejection: nothing is wrong.
    _check_envelope(batch, collector)
    payloads = _check_kinds(batch, collector, embedders)
    _check_acceptance(batch, collector, rules)
    position = batch.schema.get_field_index(MALFORMED_COLUMN)
    valid = batch if position < 0 else batch.remove_column(position)
    valid_index = np.flatnonzero(~collector.is_rejected)
    if len(valid_index) < batch.num_rows:
        valid = valid.take(pa.array(valid_index))
        payloads = {}
    return ValidatedBatch(valid, valid_index, collector.build(), payloads)


def find_erased_rows(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Return which rows are empty events: what an erasure leaves in a log, shape `(n,)`."""
    is_erased = _to_mask(pc.is_null(batch.column("ingest_time")))
    if not is_erased.any():
        return is_erased
    for name in ("event_time", "known_at", KIND_COLUMN):
        is_erased &= _to_mask(pc.is_null(batch.column(name)))
    nothing = next(iter(find_envelope_enum("channel")))
    is_erased &= _to_mask(pc.equal(batch.column("channel"), nothing).fill_null(False))
    for name in ("tenant", "event_id", "customer_id"):
        is_erased &= _to_mask(pc.equal(batch.column(name), ""))
    position = batch.schema.get_field_index(MALFORMED_COLUMN)
    if position >= 0:
        is_erased &= ~compute_validity(batch.column(position))
    return is_erased


def reject_malformed(offset: int, fault: InvalidEventError) -> Rejection:
    """Return the rejection of a row that is no event.

    Args:
        offset: The row's offset.
        fault: What is wrong with it.
    """
    is_unknown = fault.message == UNKNOWN_KIND
    return Rejection(
        offset=offset,
        reason_code=RejectionReason.UNKNOWN_KIND if is_unknown else RejectionReason.MALFORMED,
        field=fault.field,
        value_shown=fault.value,
        expectation=fault.expectation,
        fix=fault.fix,
    )


def _reject_malformed(batch: pa.RecordBatch, collector: RejectionCollector) -> None:
    position = batch.schema.get_field_index(MALFORMED_COLUMN)
    if position < 0:
        return
    column = batch.column(position)
    for row in np.flatnonzero(compute_validity(column)).tolist():
        collector.add(row, reject_malformed(0, InvalidEventError(**column[row].as_py())))


def _check_envelope(batch: pa.RecordBatch, collector: RejectionCollector) -> None:
    """Reject rows without identity or time, or with an impossible one."""
    for rule in envelope_rules.NAMES:
        is_empty = _to_mask(pc.equal(pc.binary_length(batch.column(rule.field)), 0).fill_null(True))
        collector.reject(np.flatnonzero(is_empty), rule, envelope_rules.EMPTY)
    for rule in envelope_rules.SIZES:
        sizes = pc.utf8_length(batch.column(rule.field)).fill_null(0).to_numpy(zero_copy_only=False)
        too_long = np.flatnonzero(sizes > MAX_ID_LENGTH)
        collector.reject(too_long, rule, [f"{size} characters" for size in sizes[too_long]])
    for rules in envelope_rules.TIMES:
        is_absent = ~compute_validity(batch.column(rules.field))
        collector.reject(np.flatnonzero(is_absent), rules.present, envelope_rules.ABSENT)
        times_us = _read_us(batch, rules.field)
        early, late = np.flatnonzero(times_us < 1), np.flatnonzero(times_us >= END_US)
        collector.reject(early, rules.start, envelope_rules.BEFORE_1970)
        collector.reject(late, rules.end, envelope_rules.AFTER_2099)
    has_separator = pc.match_substring(batch.column("tenant"), SEPARATOR).fill_null(False)
    collector.reject(
        np.flatnonzero(_to_mask(has_separator)),
        envelope_rules.NO_SEPARATOR,
        "a name with a separator",
    )
    channels = pa.array(list(find_envelope_enum("channel")), pa.string())
    unknown = np.flatnonzero(~_to_mask(pc.is_in(batch.column("channel"), channels)))
    rule = Expectation(
        RejectionReason.BAD_VALUE, "channel", "a name of hemostat.v1.Channel", "correct the name"
    )
    collector.reject(unknown, rule, _show_names(batch.column("channel"), unknown))


def _check_kinds(
    batch: pa.RecordBatch, collector: RejectionCollector, embedders: Sequence[Embedder]
) -> dict[str, pa.StructArray]:
    """Reject rows without exactly one known kind, then check each kind's own fields.

    Returns:
        Kind to the struct column of its rows that were checked.
    """
    kind_column = batch.column(KIND_COLUMN)
    is_none = ~compute_validity(kind_column)
    collector.reject(np.flatnonzero(is_none), envelope_rules.ONE_KIND, envelope_rules.NONE)
    kind_index = read_kind_index(batch)
    unknown = np.flatnonzero(kind_index < 0)
    rule = Expectation(
        RejectionReason.UNKNOWN_KIND,
        KIND_COLUMN,
        "a kind of hemostat.v1.Event",
        "write the log with this version, or leave the event out",
    )
    collector.reject(unknown, rule, _show_names(kind_column, unknown))
    event_times = _read_us(batch, "event_time")
    n_rows = batch.num_rows
    payloads = {}
    for number, kind in enumerate(EVENT_KINDS):
        if kind not in batch.schema.names:
            continue
        column = batch.column(kind)
        is_named = kind_index == number
        if column.null_count == n_rows and not is_named.any():
            continue
        is_set = compute_validity(column)
        wrong = np.flatnonzero(is_set != is_named)
        rule = Expectation(
            RejectionReason.BAD_VALUE,
            kind,
            "set if and only if `kind` names it",
            "write exactly one kind per event",
        )
        collector.reject(wrong, rule, ["set" if is_set[row] else "absent" for row in wrong])
        rows = np.flatnonzero(is_set & is_named & ~collector.is_rejected)
        if len(rows):
            checker = KindChecker(collector, kind, rows, event_times[rows], embedders)
            payloads[kind] = column if len(rows) == n_rows else column.take(pa.array(rows))
            checker.check(payloads[kind])
    return payloads


def _check_acceptance(
    batch: pa.RecordBatch, collector: RejectionCollector, rules: AcceptanceRules
) -> None:
    """Reject events too late, from the future, or not known when they came in."""
    event_us, ingest_us = _read_us(batch, "event_time"), _read_us(batch, "ingest_time")
    known_us = _read_us(batch, "known_at")
    is_late = ingest_us - event_us > rules.max_late_us
    is_early = np.maximum(event_us, known_us) - ingest_us > rules.max_future_us
    for row in np.flatnonzero(is_late | is_early).tolist():
        fault = find_untimely(int(event_us[row]), int(known_us[row]), int(ingest_us[row]), rules)
        if fault is not None:
            collector.add(row, fault)


def find_untimely(
    event_us: int, known_us: int, ingest_us: int, rules: AcceptanceRules
) -> Rejection | None:
    """Return why an event's times are not acceptable, its offset 0; None if they are.

    Args:
        event_us: When it happened, microseconds UTC.
        known_us: When it could be known; 0: not said.
        ingest_us: When the log took it in.
        rules: Bounds of lateness.
    """
    bounds = (
        (RejectionReason.LATE, "event_time", ingest_us - event_us, rules.max_late_us),
        (RejectionReason.FUTURE, "event_time", event_us - ingest_us, rules.max_future_us),
        (RejectionReason.NOT_YET_KNOWN, "known_at", known_us - ingest_us, rules.max_future_us),
    )
    for reason, field, distance_us, limit_us in bounds:
        if distance_us <= limit_us:
            continue
        is_late = reason is RejectionReason.LATE
        side = "before" if is_late else "after"
        return Rejection(
            offset=0,
            reason_code=reason,
            field=field,
            value_shown=f"{distance_us // _SECOND_US} s {side} ingest_time",
            expectation=f"at most {limit_us // _SECOND_US} s {side} ingest_time",
            fix="import history without ingest_time" if is_late else "check the source's clock",
        )
    return None


def _read_us(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    """Return a time column in microseconds; absent is 0."""
    column = batch.column(name).cast(pa.int64()).fill_null(0)
    times: npt.NDArray[np.int64] = column.to_numpy(zero_copy_only=False)
    return times


def _show_names(column: pa.Array, rows: npt.NDArray[np.int64]) -> list[str]:
    """Return enum-like names as they may stand in a rejection."""
    return [show_name(str(value)) for value in column.take(pa.array(rows)).to_pylist()]


def _to_mask(column: pa.Array) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
    return mask


__all__ = [
    "DEFAULT_RULES",
    "AcceptanceRules",
    "Rejection",
    "RejectionReason",
    "ValidatedBatch",
    "validate_batch",
]
