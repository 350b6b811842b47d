"""The dataflow: batches in, dedup by event, records by entity. A thin shell.

All that is decided stands in plain classes (`decoding`, `seen_step`, `record_step`);
Bytewax runs the readers, and exchanges parts between the workers by group of shards.
What it is not used for, and why:

* Its recovery is off. Positions are committed with the records in the store, so
  they can never run ahead of them; snapshots are empty.
* An exception in a step makes Bytewax abort with a native stack trace on stderr.
  So steps never raise: the first fault stops the sources, later items pass
  through unused, and the runner raises the fault when the flow has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from stream.batches import NewRows, RowBatch
from stream.shard_groups import ShardGroups
from stream.splitting import split_events, split_rows

X = TypeVar("X")
Y = TypeVar("Y")

_POLL = timedelta(milliseconds=1)


class FlowStop:
    """Whether the flow shall end early, and why.

    Args:
        on_fault: Called with the first fault. In a cluster it must end the process: the
            other workers would wait for this one's parts for ever.

    Attributes:
        fault: The first exception of a step.
        is_asked: Somebody asked for a clean end (a signal), here or elsewhere.
        is_told: Another process of the cluster said that it was asked.
    """

    def __init__(self, on_fault: Callable[[Exception], None] = lambda _: None) -> None:
        self.fault: Exception | None = None
        self.is_asked = False
        self.is_told = False
        self._on_fault = on_fault

    @property
    def is_set(self) -> bool:
        """Return whether no further batch is to be begun."""
        return self.is_asked or self.fault is not None

    def fail(self, error: Exception) -> None:
        """End the flow for a fault."""
        if self.fault is None:
            self.fault = error
            self._on_fault(error)

    def hear_goodbye(self) -> None:
        """End the flow because another process ends: none can go on alone."""
        self.is_told = not self.is_asked or self.is_told
        self.is_asked = True

    def guard(self, work: Callable[[X], list[Y]], item: X) -> list[Y]:
        """Return the result of the work; nothing once a step has failed."""
        if self.fault is not None:
            return []
        try:
            return work(item)
        except Exception as error:  # noqa: BLE001 - raised again by the runner
            self.fail(error)
            return []


class Feed(Protocol):
    """Where one worker's batches come from. Never blocks."""

    def take(self) -> RowBatch | None:
        """Return the next batch; None: not yet.

        Raises:
            StopIteration: There will be no more.
        """
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


class Steps(Protocol):
    """What the flow runs; one per process."""

    def open_feed(self, worker: int, n_workers: int) -> Feed:
        """Return the batches of a worker's share of the partitions."""
        ...

    def make_seen_step(self, group: int) -> Callable[[RowBatch], list[NewRows]]:
        """Return what tells new events for a group; called on the group's first batch."""
        ...

    def make_record_step(self, group: int) -> Callable[[NewRows], list[None]]:
        """Return what applies rows for a group; called on the group's first batch."""
        ...


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Told to all workers by one that was asked to end."""


def build_flow(
    steps: Steps, groups: ShardGroups, group_keys: Sequence[str], stop: FlowStop
) -> Dataflow:
    """Return the dataflow of one process; the same in each process of a cluster.

    Args:
        steps: What it runs.
        groups: The division of the shards.
        group_keys: Per group the key by which Bytewax finds its worker.
        stop: Ends it early.
    """
    flow = Dataflow("hemostat_stream")
    batches = op.input("source", flow, _Source(steps, stop))

    def spread(batch: RowBatch | Goodbye) -> list[tuple[str, _Part[RowBatch | Goodbye]]]:
        if isinstance(batch, Goodbye):
            return with_keys([batch] * groups.count)
        return with_keys(split_events(batch, groups))

    def exchange(new_rows: NewRows) -> list[tuple[str, _Part[NewRows | Goodbye]]]:
        return with_keys(split_rows(new_rows, groups))

    def with_keys(parts: Sequence[X]) -> list[tuple[str, _Part[X]]]:
        return [(group_keys[group], (group, part)) for group, part in enumerate(parts)]

    by_event = op.flat_map("by_event", batches, lambda batch: stop.guard(spread, batch))
    new_rows = op.stateful_batch("seen", by_event, lambda _: _Step(steps.make_seen_step, stop))
    by_entity = op.flat_map("by_entity", new_rows, lambda item: stop.guard(exchange, item[1]))
    done = op.stateful_batch("records", by_entity, lambda _: _Step(steps.make_record_step, stop))
    op.output("done", done, _Nowhere())
    return flow


_Part = tuple[int, X]
"""A group's number and its part of a batch."""


class _SourcePart(StatelessSourcePartition[RowBatch | Goodbye]):
    """One worker's feed, one batch at a time."""

    def __init__(self, feed: Feed, stop: FlowStop) -> None:
        self._feed = feed
        self._stop = stop
        self._is_idle = False
        self._has_parted = False

    def next_batch(self) -> list[RowBatch | Goodbye]:
        if self._stop.is_asked and not self._stop.is_told and not self._has_parted:
            self._has_parted = True
            return [Goodbye()]
        if self._stop.is_set:
            self._feed.close()
            raise StopIteration
        try:
            batch = self._feed.take()
        except StopIteration:
            self._feed.close()
            raise
        except Exception as error:  # noqa: BLE001 - raised again by the runner
            self._stop.fail(error)
            self._feed.close()
            raise StopIteration from None
        self._is_idle = batch is None
        return [] if batch is None else [batch]

    def next_awake(self) -> datetime | None:
        return datetime.now(UTC) + _POLL if self._is_idle else None


class _Source(DynamicSource[RowBatch | Goodbye]):
    def __init__(self, steps: Steps, stop: FlowStop) -> None:
        self._steps = steps
        self._stop = stop

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _SourcePart:
        try:
            feed = self._steps.open_feed(worker_index, worker_count)
        except Exception as error:  # noqa: BLE001 - raised again by the runner
            self._stop.fail(error)
            feed = _NoFeed()
        return _SourcePart(feed, self._stop)


class _NoFeed:
    """What is left of a feed that could not be opened."""

    def take(self) -> RowBatch | None:
        raise StopIteration

    def close(self) -> None:
        pass


class _Step(StatefulBatchLogic[_Part[X | Goodbye], Y, None]):
    """One group's step; made with the first part that comes for the group."""

    def __init__(self, make_apply: Callable[[int], Callable[[X], list[Y]]], stop: FlowStop) -> None:
        self._make_apply = make_apply
        self._stop = stop
        self._apply: Callable[[X], list[Y]] | None = None

    def on_batch(self, values: list[_Part[X | Goodbye]]) -> tuple[list[Y], bool]:
        results: list[Y] = []
        for group, part in values:
            if isinstance(part, Goodbye):
                self._stop.hear_goodbye()
            else:
                results += self._stop.guard(self._work, (group, part))
        return results, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None

    def _work(self, value: _Part[X]) -> list[Y]:
        group, part = value
        if self._apply is None:
            self._apply = self._make_apply(group)
        return self._apply(part)


class _NowherePart(StatelessSinkPartition[tuple[str, None]]):
    def write_batch(self, items: list[tuple[str, None]]) -> None:
        pass


class _Nowhere(DynamicSink[tuple[str, None]]):
    """A flow must end somewhere; this one's results are in the store."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _NowherePart:
        return _NowherePart()
