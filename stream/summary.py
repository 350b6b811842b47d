"""What a run did, counted while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from features.log.manifest import LogManifest
from features.log.validation import Rejection, RejectionReason
from features.store.port import ShardTotals
from stream.batches import PartitionRange, ShardOutcome

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PartitionSummary(msgspec.Struct, frozen=True):
    """How far one partition of the log was read.

    Attributes:
        partition: Its number.
        next_offset: Offset behind the last row read.
        passed_ingest_time: All its rows up to this `ingest_time` were read; None: none.
    """

    partition: int
    next_offset: int
    passed_ingest_time: datetime | None


class RejectionExample(msgspec.Struct, frozen=True):
    """The first row of this run that was rejected for a reason."""

    reason: str
    partition: int
    offset: int
    field: str
    value: str
    expectation: str
    fix: str


class StreamSummary(msgspec.Struct, frozen=True):
    """What one run did; every row read is in exactly one of the counts below.

    `events_read = folded + not_folded + duplicates + sum(dead_letters) + already_applied`.

    Attributes:
        log: Path of the log.
        incarnation: The log's incarnation.
        events_read: Rows read in this run.
        accepted: `folded + not_folded`.
        folded: Rows folded into customers' records.
        not_folded: Accepted rows that change no record: other kinds, or no customer.
        duplicates: Exact repetitions, dropped.
        dead_letters: Rows that were not applied, by reason.
        already_applied: Rows that an earlier run had applied; read again because
            another shard had not.
        kinds: Valid rows read by kind of event (repetitions and conflicts included).
        examples: The first rejected row of each reason.
        partitions: How far each partition was read.
        applied_ingest_time: All events up to here are in the store; None: none.
        rows_behind: Rows of the log that were not read (after `--until`); None if
            the log does not count its rows.
        seconds: Time of the run.
        events_per_s: `events_read / seconds`.
        unfinished: Partitions whose file ends in the middle of a line; that line is
            read by a later run, when its end has come.
    """

    log: str
    incarnation: str
    events_read: int
    accepted: int
    folded: int
    not_folded: int
    duplicates: int
    dead_letters: dict[str, int]
    already_applied: int
    kinds: dict[str, int]
    examples: tuple[RejectionExample, ...]
    partitions: tuple[PartitionSummary, ...]
    applied_ingest_time: datetime | None
    rows_behind: int | None
    seconds: float
    events_per_s: float
    unfinished: tuple[int, ...] = ()


class StreamProgress(msgspec.Struct, frozen=True):
    """Where a run stands; what a progress bar shows.

    Attributes:
        rows_done: Rows of the log that are behind the readers, earlier runs' included.
        rows_total: Rows of the log; None if it does not count them.
        events_read: Rows read in this run.
        events_per_s: Mean rate of this run.
        lag: The log's last ingest time minus what all shards have applied; None if
            the log does not say or nothing is applied yet.
    """

    rows_done: int
    rows_total: int | None
    events_read: int
    events_per_s: float
    lag: timedelta | None


class StreamTally:
    """Counts what passes through the flow.

    Args:
        log_path: For the summary.
        manifest: The log's.
        start_offsets: Where each partition is read on.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        log_path: str,
        manifest: LogManifest,
        start_offsets: Sequence[int],
        clock: Callable[[], float],
    ) -> None:
        self._log_path = log_path
        self._manifest = manifest
        self._clock = clock
        self._started_s = clock()
        self._next_offsets = list(start_offsets)
        self._passed_us = [0] * len(self._next_offsets)
        self._events_read = 0
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, RejectionExample] = {}
        self._kinds: Counter[str] = Counter()
        self._totals = ShardTotals()
        self._already_applied = 0
        self._applied_us: dict[int, int] = {}

    def count_range(
        self, passed: PartitionRange, rejections: Sequence[Rejection], kinds: dict[str, int]
    ) -> None:
        """Count a range that was read and validated."""
        self._events_read += passed.next_offset - passed.start_offset
        self._next_offsets[passed.partition] = passed.next_offset
        self._passed_us[passed.partition] = passed.passed_ingest_us
        self._kinds.update(kinds)
        for each in rejections:
            reason = each.reason_code.value
            self._reasons[reason] += 1
            if reason not in self._examples:
                self._examples[reason] = RejectionExample(
                    reason=reason,
                    partition=passed.partition,
                    offset=each.offset,
                    field=each.field,
                    value=each.value_shown,
                    expectation=each.expectation,
                    fix=each.fix,
                )

    def count_outcome(self, outcome: ShardOutcome) -> None:
        """Count what a shard did with its rows."""
        self._totals += outcome.totals
        self._already_applied += outcome.already_applied
        self._applied_us[outcome.shard] = outcome.applied_ingest_us

    def to_progress(self) -> StreamProgress:
        """Return where the run stands."""
        last, applied_us = self._manifest.last_ingest_time, self._find_applied_us()
        elapsed_s = max(self._clock() - self._started_s, 1e-9)
        return StreamProgress(
            rows_done=sum(self._next_offsets),
            rows_total=self._manifest.n_events,
            events_read=self._events_read,
            events_per_s=self._events_read / elapsed_s,
            lag=max(last - to_time(applied_us), timedelta()) if last and applied_us else None,
        )

    def to_summary(self) -> StreamSummary:
        """Return what the run did."""
        seconds = max(self._clock() - self._started_s, 1e-9)
        reasons = self._reasons + Counter({RejectionReason.CONFLICT.value: self._totals.conflicts})
        total = self._manifest.n_events
        applied_us = self._find_applied_us()
        return StreamSummary(
            log=self._log_path,
            incarnation=self._manifest.incarnation,
            events_read=self._events_read,
            accepted=self._totals.folded + self._totals.not_folded,
            folded=self._totals.folded,
            not_folded=self._totals.not_folded,
            duplicates=self._totals.duplicates,
            dead_letters=dict(reasons.most_common()),
            already_applied=self._already_applied,
            kinds=dict(self._kinds.most_common()),
            examples=tuple(self._examples.values()),
            partitions=tuple(
                PartitionSummary(number, offset, to_time(us) if us else None)
                for number, (offset, us) in enumerate(
                    zip(self._next_offsets, self._passed_us, strict=True)
                )
            ),
            applied_ingest_time=to_time(applied_us) if applied_us else None,
            rows_behind=None if total is None else total - sum(self._next_offsets),
            seconds=round(seconds, 3),
            events_per_s=round(self._events_read / seconds, 1),
        )

    def _find_applied_us(self) -> int:
        """Return what the slowest shard heard of so far has applied; 0: nothing."""
        return min(self._applied_us.values(), default=0)


def to_time(time_us: int) -> datetime:
    """Return microseconds since the epoch as a time in UTC."""
    return _EPOCH + timedelta(microseconds=time_us)
