"""What a run did, counted while it runs."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from features.log.rejections import RejectionReason
from features.store.port import ShardTotals
from stream.batches import BatchId
from stream.decoding import DecodedBatch
from stream.record_step import RecordOutcome
from stream.seen_step import SeenOutcome
from stream.sources.port import Source
from stream.visibility import VisibilityHistogram

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RATE_WINDOW_S = 10.0


class PartitionSummary(msgspec.Struct, frozen=True):
    """How far one partition of the source was read.

    Attributes:
        partition: Its number.
        next_offset: Offset behind the last row read.
        passed_ingest_time: All its rows up to this `ingest_time` were read; None: none.
        end_offset: Offset behind the last row that is there; None: not known.
    """

    partition: int
    next_offset: int
    passed_ingest_time: datetime | None
    end_offset: int | None = None

    @property
    def rows_behind(self) -> int | None:
        """Return the rows that are there and not read; None: not known."""
        return None if self.end_offset is None else max(0, self.end_offset - self.next_offset)


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

    `events_read = folded + not_folded + duplicates + sum(dead_letters) + erased +
    already_applied`.

    Attributes:
        log: Name of the source.
        incarnation: The source's incarnation.
        events_read: Rows read in this run.
        accepted: `folded + not_folded`.
        folded: Events that changed the records of some entity.
        not_folded: Accepted events that change no record.
        duplicates: Exact repetitions, dropped.
        dead_letters: Rows that were not applied, by reason.
        erased: Rows of erased customers, dropped without a trace.
        already_applied: Events that an earlier run had counted; read again because
            some record had not got them.
        rows_folded: Changes of records: an event changes one record per entity it names.
        kinds: Acceptable events read by kind (repetitions and conflicts included).
        examples: The first rejected row of each reason.
        partitions: How far each partition was read.
        applied_ingest_time: All events up to here are in the store; None: none.
        rows_behind: Rows of the log that were not read (after `--until`); None if
            the log does not count its rows.
        seconds: Time of the run.
        events_per_s: `events_read / seconds`.
        restarts: How often the run began anew from the store (a store or broker was away).
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
    erased: int
    already_applied: int
    rows_folded: int
    kinds: dict[str, int]
    examples: tuple[RejectionExample, ...]
    partitions: tuple[PartitionSummary, ...]
    applied_ingest_time: datetime | None
    rows_behind: int | None
    seconds: float
    events_per_s: float
    restarts: int = 0
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
    """Counts what passes through one process's flow. Used by the flow's thread.

    Args:
        name: The source's name, for the summary.
        clock: Seconds, monotonic.
        read_us: Returns the wall clock in microseconds, to measure visibility.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        read_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self.name = name
        self.incarnation = ""
        self.read_us = read_us
        self.restarts = 0
        self.commits = 0
        self.events_read = 0
        self.erased = 0
        self.already_applied = 0
        self.rows_folded = 0
        self.totals = ShardTotals()
        self.rejected: Counter[str] = Counter()
        self.visibility = VisibilityHistogram()
        self.last_commit_s = clock()
        self.applied_us = 0
        self._clock = clock
        self._started_s = clock()
        self._rates: deque[tuple[float, int]] = deque([(self._started_s, 0)])
        self._kinds: Counter[str] = Counter()
        self._examples: dict[str, RejectionExample] = {}
        self._next_offsets: dict[int, int] = {}
        self._passed_us: dict[int, int] = {}
        self._ends: Mapping[int, int] = {}
        self._rows_total: int | None = None
        self._last_ingest_us = 0
        self._pending: dict[BatchId, tuple[DecodedBatch, Mapping[int, int]]] = {}

    def begin(self, source: Source, starts: Sequence[int]) -> None:
        """Note where reading begins (again)."""
        self.incarnation = source.incarnation
        self._rows_total, self._last_ingest_us = source.n_rows, source.last_ingest_us
        self._next_offsets = dict(enumerate(starts))
        self._pending.clear()

    def expect(self, decoded: DecodedBatch, ends: Mapping[int, int]) -> None:
        """Note a batch that was read; it counts when dedup is through with it.

        What fails before is read again, and counts then.
        """
        self._pending[decoded.batch.id] = decoded, ends

    def _count_batch(self, decoded: DecodedBatch, ends: Mapping[int, int]) -> None:
        self.events_read += decoded.n_read
        self.erased += decoded.erased
        self._kinds.update(decoded.kinds)
        self._ends = ends
        for each in decoded.batch.ranges:
            held_us = self._passed_us.get(each.partition, 0)
            self._next_offsets[each.partition] = each.next_offset
            self._passed_us[each.partition] = max(held_us, each.visible_us)
        for rejected in decoded.rejected:
            rejection = rejected.rejection
            reason = rejection.reason_code.value
            self.rejected[reason] += 1
            if reason not in self._examples:
                self._examples[reason] = RejectionExample(
                    reason=reason,
                    partition=decoded.batch.ranges[rejected.range_index].partition,
                    offset=rejection.offset,
                    field=rejection.field,
                    value=rejection.value_shown,
                    expectation=rejection.expectation,
                    fix=rejection.fix,
                )

    def count_seen(self, outcome: SeenOutcome) -> None:
        """Count what dedup found."""
        if (read := self._pending.pop(outcome.new_rows.id, None)) is not None:
            self._count_batch(*read)
        self.totals += outcome.totals
        self.already_applied += outcome.already_counted
        self.erased += outcome.erased

    def count_records(self, outcome: RecordOutcome, applied_us: int) -> None:
        """Count what was committed."""
        now_s = self._clock()
        self.commits += 1
        self.rows_folded += outcome.n_rows
        self.applied_us = applied_us
        self.last_commit_s = now_s
        self.visibility.add(outcome.ingest_us, self.read_us())
        self._rates.append((now_s, self.events_read))
        while len(self._rates) > 2 and now_s - self._rates[0][0] > _RATE_WINDOW_S:
            self._rates.popleft()

    @property
    def dead_letters(self) -> dict[str, int]:
        """Return the dead letters of this run by reason, most frequent first."""
        found = self.rejected + Counter({RejectionReason.CONFLICT.value: self.totals.conflicts})
        return dict(found.most_common())

    def compute_recent_rate(self) -> float:
        """Return the events per second of the last seconds."""
        first_s, first = self._rates[0]
        last_s = self._clock()
        return (self.events_read - first) / max(last_s - first_s, 1e-9)

    def list_partitions(self) -> tuple[PartitionSummary, ...]:
        """Return how far each partition was read."""
        return tuple(
            PartitionSummary(
                number,
                offset,
                to_time(us) if (us := self._passed_us.get(number, 0)) else None,
                self._ends.get(number),
            )
            for number, offset in sorted(self._next_offsets.items())
        )

    def to_progress(self) -> StreamProgress:
        """Return where the run stands."""
        elapsed_s = max(self._clock() - self._started_s, 1e-9)
        lag = None
        if self._last_ingest_us and self.applied_us:
            lag = timedelta(microseconds=max(0, self._last_ingest_us - self.applied_us))
        return StreamProgress(
            rows_done=sum(self._next_offsets.values()),
            rows_total=self._rows_total,
            events_read=self.events_read,
            events_per_s=self.events_read / elapsed_s,
            lag=lag,
        )

    def to_summary(self, unfinished: Sequence[int] = ()) -> StreamSummary:
        """Return what the run did."""
        seconds = max(self._clock() - self._started_s, 1e-9)
        total, totals = self._rows_total, self.totals
        return StreamSummary(
            log=self.name,
            incarnation=self.incarnation,
            events_read=self.events_read,
            accepted=totals.folded + totals.not_folded,
            folded=totals.folded,
            not_folded=totals.not_folded,
            duplicates=totals.duplicates,
            dead_letters=self.dead_letters,
            erased=self.erased,
            already_applied=self.already_applied,
            rows_folded=self.rows_folded,
            kinds=dict(self._kinds.most_common()),
            examples=tuple(self._examples.values()),
            partitions=self.list_partitions(),
            applied_ingest_time=to_time(self.applied_us) if self.applied_us else None,
            rows_behind=None if total is None else total - sum(self._next_offsets.values()),
            seconds=round(seconds, 3),
            events_per_s=round(self.events_read / seconds, 1),
            restarts=self.restarts,
            unfinished=tuple(unfinished),
        )


def to_time(time_us: int) -> datetime:
    """Return microseconds since the epoch as a time in UTC."""
    return _EPOCH + timedelta(microseconds=time_us)
