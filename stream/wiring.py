"""What the flow runs in one beginning of a run: readers and steps, and who removes the erased."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from features.log.erasure_register import AllErasures
from stream.applied_clock import AppliedClock
from stream.batches import BatchId, NewRows, RowBatch
from stream.dead_letters import DeadLetterFiles
from stream.decoding import DecodingRules
from stream.erasing import ErasureDuty
from stream.flow import Feed
from stream.group_keys import find_owner
from stream.reading import BatchReader, ReadAhead
from stream.record_step import RecordStep
from stream.seen_step import SeenStep
from stream.sources.port import Source

if TYPE_CHECKING:
    from stream.runner import StreamRun

_WAIT_S = 0.01
"""How long the flow waits for a batch at a time; signals are heeded in between."""
_CLUSTER_IN_FLIGHT = 3
"""Batches of each reader: some wait for another worker while others are committed."""


class StreamWiring:
    """The flow's steps of one beginning of a run (`flow.Steps`)."""

    def __init__(
        self, run: StreamRun, source: Source, starts: Sequence[int], source_ids: Sequence[str]
    ) -> None:
        options = run.options
        self._run = run
        self._source = source
        self._starts = starts
        self._source_ids = source_ids
        self._letters = DeadLetterFiles(options.letters_folder)
        registers = (options.state, *options.registers)
        self._duty = ErasureDuty(run.store, registers, run.clock)
        self._records: list[RecordStep] = []
        self._applied = AppliedClock(run.store, run.clock, run.tally.read_us)
        self._ahead: ReadAhead | None = None
        self._done_groups: Counter[BatchId] = Counter()
        count, place = options.groups.count, options.place
        owners = [find_owner(group, count, place.n_processes) for group in range(count)]
        self._n_own_groups = owners.count(place.process_id)

    def open_feed(self, worker: int, n_workers: int) -> Feed:
        """Return the batches of a worker's share of the partitions."""
        options, run, source = self._run.options, self._run, self._source
        starts = {n: self._starts[n] for n in range(worker, source.n_partitions, n_workers)}
        end_us = source.last_ingest_us
        if options.until_us is not None:
            end_us = min(end_us, options.until_us)
        reader = BatchReader(
            worker,
            source.open_reader(
                starts, is_following=options.is_following, batch_size=options.batch_size
            ),
            starts,
            rules=DecodingRules(source.incarnation, options.acceptance, options.until_us),
            batch_size=options.batch_size,
            is_following=options.is_following,
            is_finite=source.is_finite,
            end_us=end_us,
            dead_letters=self._letters,
            # The reading thread's own: registers are cached, and not safe to share.
            read_erasures=AllErasures(run.store, (options.state, *options.registers)).read,
            clock=run.clock,
        )
        in_flight = _CLUSTER_IN_FLIGHT if options.place.is_cluster else 1
        self._ahead = ReadAhead(reader, run.tally.expect, in_flight)
        if options.place.is_cluster:
            return self._ahead
        return _ErasingFeed(self._ahead, self._duty, self, run)

    def make_seen_step(self, group: int) -> Callable[[RowBatch], list[NewRows]]:
        """Return what tells new events for a group."""
        step = SeenStep(
            group,
            self._run.options.groups,
            self._run.store,
            self._letters,
            self._applied.read,
            self._duty.read_register,
        )

        def apply(batch: RowBatch) -> list[NewRows]:
            outcome = step.apply(batch)
            self._run.tally.count_seen(outcome)
            return [outcome.new_rows]

        return apply

    def make_record_step(self, group: int) -> Callable[[NewRows], list[None]]:
        """Return what applies rows for a group."""
        step = RecordStep(group, self._run.options.groups, self._run.store, self._source_ids)
        self._records.append(step)

        def apply(new_rows: NewRows) -> list[None]:
            for outcome in step.collect(new_rows):
                applied_us = min(each.applied_ingest_us for each in self._records)
                self._run.tally.count_records(outcome, applied_us)
                self._note_done(outcome.id)
                self._run.note_commit()
            return []

        return apply

    def _note_done(self, batch: BatchId) -> None:
        """Count a group's commit; a batch read here is done when all groups here have it."""
        if self._ahead is None or batch.reader != self._run.options.place.process_id:
            return
        self._done_groups[batch] += 1
        if self._done_groups[batch] == self._n_own_groups:
            del self._done_groups[batch]
            self._ahead.note_done()

    def reload(self) -> None:
        """Read progress again after records were removed."""
        for step in self._records:
            step.reload()


class _ErasingFeed:
    """A feed that removes erased customers while no batch is on its way.

    Nothing else is to be done then, so it waits a moment for the next one.
    """

    def __init__(
        self, ahead: ReadAhead, duty: ErasureDuty, wiring: StreamWiring, run: StreamRun
    ) -> None:
        self._ahead = ahead
        self._duty = duty
        self._wiring = wiring
        self._run = run
        self._is_due = False

    def take(self) -> RowBatch | None:
        """Return the next batch; holds back while customers wait to be removed."""
        self._is_due = self._is_due or self._duty.is_due()
        if self._is_due:
            if self._ahead.n_in_flight:
                return None
            self._duty.remove()
            self._wiring.reload()
            self._is_due = False
        batch = self._ahead.take(_WAIT_S)
        if batch is None:
            self._run.note_idle()
        return batch

    def close(self) -> None:
        """Stop reading."""
        self._ahead.close()
