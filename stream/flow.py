"""The dataflow: log partitions in, one step per shard, outcomes out. A thin shell.

All that is decided stands in plain classes (`routing`, `shard_fold`); Bytewax reads
the partitions in turn, groups by shard and hands over. What it is not used for,
and why:

* Its recovery is off. Positions are committed with the records in the store, so
  they can never run ahead of them; snapshots are empty.
* An exception in a step makes Bytewax abort with a native stack trace on stderr.
  So steps never raise: the first fault stops the sources, later items pass
  through unused, and the runner raises the fault when the flow has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from stream.batches import ShardBatch, ShardOutcome
from stream.sources import SourceBatch

X = TypeVar("X")
Y = TypeVar("Y")

ReadPartition = Callable[[int], Iterable[SourceBatch]]
Route = Callable[[SourceBatch], Sequence[ShardBatch]]
Apply = Callable[[Sequence[ShardBatch]], ShardOutcome]


class FlowStop:
    """Whether the flow shall end early, and why.

    Attributes:
        fault: The first exception of a step.
        is_interrupted: The person at the terminal asked for it.
    """

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.is_interrupted = False

    @property
    def is_set(self) -> bool:
        """Return whether no further item is to be worked on."""
        return self.is_interrupted or self.fault is not None

    def guard(self, work: Callable[[X], list[Y]], item: X) -> list[Y]:
        """Return the result of the work; nothing once the flow stops or if the work fails."""
        if self.fault is not None:
            return []
        try:
            return work(item)
        except Exception as error:  # noqa: BLE001 - raised again by the runner
            self.fault = error
            return []


def build_flow(
    partitions: Sequence[int],
    read_partition: ReadPartition,
    route: Route,
    make_apply: Callable[[int], Apply],
    on_outcome: Callable[[ShardOutcome], None],
    stop: FlowStop,
) -> Dataflow:
    """Return the dataflow over a log.

    Args:
        partitions: Partitions of the log.
        read_partition: Called once per partition; its items become the source's.
        route: Splits one item by shards.
        make_apply: Called once per shard with its number; returns what applies the
            shard's batches, whole.
        on_outcome: Called with what became of each shard's batches.
        stop: Set by the first fault; may be set by the caller to end early.
    """
    flow = Dataflow("hemostat_stream")
    source = op.input("log", flow, _LogSource(partitions, read_partition, stop))

    def split(item: SourceBatch) -> list[tuple[str, ShardBatch]]:
        return [(f"{batch.shard:02d}", batch) for batch in route(item)]

    keyed = op.flat_map("route", source, lambda item: stop.guard(split, item))
    # Built on a shard's first batch, with nothing to restore.
    outcomes = op.stateful_batch("apply", keyed, lambda _snapshot: _ShardLogic(make_apply, stop))
    op.output("progress", outcomes, _OutcomeSink(on_outcome))
    return flow


class _LogPartition(StatefulSourcePartition[SourceBatch, None]):
    """One partition, one item at a time, so that memory holds one batch of each."""

    def __init__(self, batches: Iterable[SourceBatch], stop: FlowStop) -> None:
        self._batches = iter(batches)
        self._stop = stop

    def next_batch(self) -> list[SourceBatch]:
        if self._stop.is_set:
            raise StopIteration
        try:
            return [next(self._batches)]
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - raised again by the runner
            self._stop.fault = error
            raise StopIteration from None

    def snapshot(self) -> None:
        return None


class _LogSource(FixedPartitionedSource[SourceBatch, None]):
    def __init__(
        self, partitions: Sequence[int], read_partition: ReadPartition, stop: FlowStop
    ) -> None:
        self._partitions = partitions
        self._read_partition = read_partition
        self._stop = stop

    def list_parts(self) -> list[str]:
        return [f"{partition:02d}" for partition in self._partitions]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _LogPartition:
        return _LogPartition(self._read_partition(int(for_part)), self._stop)


class _ShardLogic(StatefulBatchLogic[ShardBatch, ShardOutcome, None]):
    """One shard's step; it gets all batches of a turn of the sources at once."""

    def __init__(self, make_apply: Callable[[int], Apply], stop: FlowStop) -> None:
        self._make_apply = make_apply
        self._stop = stop
        self._apply: Apply | None = None

    def on_batch(self, values: list[ShardBatch]) -> tuple[list[ShardOutcome], bool]:
        return self._stop.guard(self._work, values), StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None

    def _work(self, values: list[ShardBatch]) -> list[ShardOutcome]:
        if self._apply is None:
            self._apply = self._make_apply(values[0].shard)
        return [self._apply(values)]


class _OutcomePartition(StatelessSinkPartition[tuple[str, ShardOutcome]]):
    def __init__(self, on_outcome: Callable[[ShardOutcome], None]) -> None:
        self._on_outcome = on_outcome

    def write_batch(self, items: list[tuple[str, ShardOutcome]]) -> None:
        for _, outcome in items:
            self._on_outcome(outcome)


class _OutcomeSink(DynamicSink[tuple[str, ShardOutcome]]):
    def __init__(self, on_outcome: Callable[[ShardOutcome], None]) -> None:
        self._on_outcome = on_outcome

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _OutcomePartition:
        return _OutcomePartition(self._on_outcome)
