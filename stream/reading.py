"""Reads and decodes ahead in a thread of its own, so that decoding and commits overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from features.erasures import Erasures
from stream.batches import BatchId, PartitionRange, RowBatch
from stream.dead_letters import INVALID, DeadLetter, DeadLetterFiles
from stream.decoding import DecodedBatch, DecodingRules, decode_raws
from stream.progress import get_incarnation
from stream.sources.port import Raw, SourceReader

Ends = Mapping[int, int]

_POLL_S = 0.001
_MARK_EVERY_S = 1.0
_BEHIND_SHARE = 0.5
"""A read that filled so much of a batch left more behind."""


@dataclass(slots=True)
class _Position:
    """How far a partition was read."""

    source_id: str
    next_offset: int
    passed_us: int = 0


class BatchReader:
    """Turns what a source gives into batches; runs on the reading thread.

    Dead letters are on disk before their batch is handed on.

    Attributes:
        is_finished: There will be no more batches.
        is_behind: There was more than the last batch, or may have been.

    Args:
        number: The reader's number, part of its batches' names.
        source: Reads this reader's partitions.
        starts: Where each of them begins.
        rules: How rows are decoded.
        batch_size: Rows per batch, about.
        is_following: Whether the source grows.
        is_finite: Whether nothing will be appended to what was read to its end.
        end_us: Ingest time that the whole log reaches at its end; 0 if it does not say.
        dead_letters: Where rejected rows are filed.
        read_erasures: Returns the register of erased customers as it stands now.
        clock: Seconds, monotonic; for the marks of an idle source.
    """

    def __init__(
        self,
        number: int,
        source: SourceReader,
        starts: Mapping[int, int],
        *,
        rules: DecodingRules,
        batch_size: int,
        is_following: bool,
        is_finite: bool,
        end_us: int,
        dead_letters: DeadLetterFiles,
        read_erasures: Callable[[], Erasures],
        clock: Callable[[], float],
    ) -> None:
        self._number = number
        self._source = source
        self._rules = rules
        self._batch_size = batch_size
        self._is_following = is_following
        self._is_finite = is_finite
        self._end_us = end_us
        self._dead_letters = dead_letters
        self._read_erasures = read_erasures
        self._clock = clock
        self._n_batches = 0
        self._marked_s = clock()
        self._positions = {
            partition: _Position(rules.make_source_id(rules.incarnation, partition), start)
            for partition, start in starts.items()
        }
        self.is_finished = False
        self.is_behind = True

    def read(self) -> DecodedBatch | None:
        """Return the next batch; None: nothing new.

        An idle source gives a batch without rows every second, so that the store knows
        that nothing is missing; a source at its end gives one at last.
        """
        raws = self._source.read(self._batch_size)
        raws = [raw for raw in raws if len(raw)]
        if raws:
            self.is_behind = self._find_whether_behind(raws)
            decoded = decode_raws(raws, self._name_batch(), self._rules, self._read_erasures())
            self._file_rejected(decoded)
            for partition in decoded.ended:
                self._source.stop(partition)
            self._note(decoded.batch.ranges)
            return decoded
        ended = self._source.find_ended()
        if not self._is_following:
            if len(ended) < len(self._positions):
                return None
            self.is_finished = True
            return self._make_mark([self._end(each) for each in self._positions])
        if self._clock() - self._marked_s < _MARK_EVERY_S or not any(ended.values()):
            return None
        self._marked_s = self._clock()
        return self._make_mark([self._idle(each, ended[each]) for each in sorted(ended)])

    def read_ends(self) -> Mapping[int, int]:
        """Return the offsets behind the partitions' last rows, as far as known."""
        return self._source.read_ends()

    def close(self) -> None:
        """Release the source's files or connections."""
        self._source.close()

    def _find_whether_behind(self, raws: Sequence[Raw]) -> bool:
        """Return whether the partition that gave most filled its share of a batch."""
        share = self._batch_size / max(1, len(self._positions))
        return not self._is_following or max(map(len, raws)) >= _BEHIND_SHARE * share

    def _name_batch(self) -> BatchId:
        self._n_batches += 1
        return BatchId(self._number, self._n_batches - 1)

    def _note(self, ranges: Sequence[PartitionRange]) -> None:
        for each in ranges:
            position = self._positions[each.partition]
            position.next_offset = each.next_offset
            passed_us = 0 if each.has_events else position.passed_us
            position.passed_us = max(passed_us, each.passed_ingest_us)

    def _make_range(self, partition: int, passed_us: int, idle_us: int) -> PartitionRange:
        at = self._positions[partition]
        return PartitionRange(
            at.source_id, partition, at.next_offset, at.next_offset, passed_us, idle_us
        )

    def _idle(self, partition: int, idle_us: int) -> PartitionRange:
        return self._make_range(partition, self._positions[partition].passed_us, idle_us)

    def _end(self, partition: int) -> PartitionRange:
        """Return the mark that a partition is through."""
        passed_us = self._positions[partition].passed_us
        if self._is_finite and passed_us:  # No row with the last one's time follows.
            passed_us += 1
        if self._rules.until_us is not None:
            passed_us = min(passed_us, self._rules.until_us)
        return self._make_range(partition, max(passed_us, self._end_us), 0)

    def _make_mark(self, ranges: Sequence[PartitionRange]) -> DecodedBatch:
        empty = decode_raws([], self._name_batch(), self._rules, Erasures.empty())
        return replace(empty, batch=replace(empty.batch, ranges=tuple(ranges)))

    def _file_rejected(self, decoded: DecodedBatch) -> None:
        if decoded.rejected:
            self._dead_letters.write(make_letters(decoded), INVALID)


def make_letters(decoded: DecodedBatch) -> list[DeadLetter]:
    """Return the dead letters of a batch's rejected rows."""
    letters = []
    for each in decoded.rejected:
        of_range, rejection = decoded.batch.ranges[each.range_index], each.rejection
        letters.append(
            DeadLetter(
                incarnation=get_incarnation(of_range.source_id),
                partition=of_range.partition,
                offset=rejection.offset,
                reason=rejection.reason_code.value,
                field=rejection.field,
                value=rejection.value_shown,
                expectation=rejection.expectation,
                fix=rejection.fix,
            )
        )
    return letters


_Item = tuple[DecodedBatch, Ends] | Exception | None


class ReadAhead:
    """A `flow.Feed`: reads and decodes in a thread of its own.

    While the stream is behind, one batch is ready while the one before it is committed:
    all cores work, and an event waits for several batches. Once it has caught up, a batch
    is read only when the one before it is done: it then holds all that has come
    meanwhile, nothing waits in between, and the threads do not take the interpreter from
    each other.

    Args:
        reader: Used by the thread alone until `close`.
        on_batch: Called on the flow's thread with each batch that is handed on, and the
            offsets behind the partitions' last rows.
        max_in_flight: Batches that may be on their way to the store at once.
    """

    def __init__(
        self,
        reader: BatchReader,
        on_batch: Callable[[DecodedBatch, Ends], None],
        max_in_flight: int = 1,
    ) -> None:
        self._reader = reader
        self._on_batch = on_batch
        self._max_in_flight = max_in_flight
        self.n_in_flight = 0
        self._ready: queue.Queue[_Item] = queue.Queue(1)
        self._is_done = threading.Event()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def take(self, wait_s: float = 0.0) -> RowBatch | None:
        """Return the next batch; None: not yet, or too many are on their way.

        Args:
            wait_s: How long it may take to come.
        """
        if self.n_in_flight >= self._max_in_flight:
            return None
        try:
            item = self._ready.get(wait_s > 0.0, wait_s)
        except queue.Empty:
            return None
        if item is None:
            raise StopIteration
        if isinstance(item, Exception):
            raise item
        self._on_batch(*item)
        self.n_in_flight += 1
        return item[0].batch

    def note_done(self) -> None:
        """Count a batch that is in the store; on the flow's thread."""
        self.n_in_flight -= 1
        self._is_done.set()

    def close(self) -> None:
        """Stop reading and wait for the thread's last read."""
        self._is_closed.set()
        self._is_done.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_closed.is_set():
                decoded = self._reader.read()
                if decoded is None:
                    self._is_closed.wait(_POLL_S)
                    continue
                self._is_done.clear()
                if not self._put((decoded, dict(self._reader.read_ends()))):
                    return
                if self._reader.is_finished:
                    self._put(None)
                    return
                if not self._reader.is_behind:
                    self._is_done.wait()
        except Exception as error:  # noqa: BLE001 - raised on the flow's thread
            self._put(error)
        finally:
            self._reader.close()

    def _put(self, item: _Item) -> bool:
        """Hand on an item; False if nobody wants it any more."""
        while not self._is_closed.is_set():
            try:
                self._ready.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False
