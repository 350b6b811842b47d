"""One run of the stream: a log, a store, and what came of it. The wiring on one page."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import msgspec
from bytewax.testing import run_main

from features.errors import ConfigError
from features.keys import N_SHARDS
from features.log.reader import EventLog
from features.log.validation import Rejection
from features.store.lmdb_environment import LmdbOptions
from features.store.lmdb_store import LmdbFeatureStore
from features.store.port import FeatureStore
from stream.batches import PartitionRange, ShardBatch
from stream.dead_letters import INVALID, DeadLetter, DeadLetterFiles
from stream.flow import FlowStop, build_flow
from stream.routing import route_batch
from stream.shard_fold import ShardFold
from stream.sources import (
    SourceBatch,
    check_progress,
    find_start_offset,
    list_source_ids,
    read_ranges,
)
from stream.summary import StreamProgress, StreamSummary, StreamTally

DEFAULT_BATCH_SIZE = 10_000
MAX_BATCH_SIZE = 1_000_000

OnProgress = Callable[[StreamProgress], None]
"""Called after each range of the log that was read, on the flow's own thread."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a log is streamed.

    Attributes:
        dead_letters: Folder for rows that cannot be applied.
        batch_size: Rows per batch. More are faster and become visible later.
        until_us: Last `ingest_time` to apply, microseconds UTC; None applies all. A
            later run goes on from there.

    Raises:
        ConfigError: `batch_size` is out of range.
    """

    dead_letters: Path
    batch_size: int = DEFAULT_BATCH_SIZE
    until_us: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= MAX_BATCH_SIZE:
            raise ConfigError(
                "the batch size is out of range",
                field="--batch-size",
                value=str(self.batch_size),
                expectation=f"1 to {MAX_BATCH_SIZE}",
                fix=f"leave it out: {DEFAULT_BATCH_SIZE} is a good one",
            )


def stream_to_disk(
    log_path: Path | str,
    store_path: Path | str,
    *,
    dead_letters: Path | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    until_us: int | None = None,
    store_options: LmdbOptions | None = None,
    on_progress: OnProgress | None = None,
) -> StreamSummary:
    """Stream a log into the embedded store in a folder, made if absent.

    Args:
        log_path: An event log, a `.jsonl` file or a folder of them.
        store_path: The store's folder.
        dead_letters: None: the folder `dead_letters` in the store's.
        batch_size: See `StreamOptions`.
        until_us: See `StreamOptions`.
        store_options: Map size, readers and durability of the store.
        on_progress: Called after each range that was read.

    Raises:
        HemostatError: See `run_stream`; also what opening log and store raise.
        KeyboardInterrupt: Ctrl-C; all that was committed is kept.
    """
    log = EventLog(Path(log_path))
    options = StreamOptions(dead_letters or Path(store_path) / "dead_letters", batch_size, until_us)
    with LmdbFeatureStore.open_writer(store_path, store_options) as store:
        return run_stream(log, store, options, on_progress)


def run_stream(
    log: EventLog,
    store: FeatureStore,
    options: StreamOptions,
    on_progress: OnProgress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> StreamSummary:
    """Apply all of a log that the store has not applied yet, and return what came of it.

    The store alone holds the position: whatever ended the last run, this one goes
    on behind what was committed, and the records are the same bytes as without
    the interruption.

    Args:
        log: The log.
        store: Its one writer; left open.
        options: See there.
        on_progress: Called after each range that was read.
        clock: Seconds, monotonic; for the rate.

    Raises:
        ConfigError: The store was filled from another log.
        LogFormatError: The log is damaged, or shorter than what was applied.
        CommitConflictError: Another process writes to the store.
        StoreUnavailableError: The store or the dead letters cannot be written.
        KeyboardInterrupt: Ctrl-C (on the main thread); all that was committed is kept.
    """
    states = [store.read_shard_state(shard) for shard in range(N_SHARDS)]
    check_progress(log.manifest, states)
    source_ids = list_source_ids(log.manifest)
    starts = [find_start_offset(source_id, states) for source_id in source_ids]
    letters = DeadLetterFiles(options.dead_letters)
    tally = StreamTally(str(log.path), log.manifest, starts, clock)
    stop = FlowStop()

    def read_partition(number: int) -> Iterator[SourceBatch]:
        return read_ranges(log, number, starts[number], options.batch_size, options.until_us)

    def route(source: SourceBatch) -> Sequence[ShardBatch]:
        routed = route_batch(source)
        letters.write([_to_letter(source.range, each) for each in routed.rejected], INVALID)
        tally.count_range(source.range, routed.rejected, routed.kinds)
        if on_progress is not None:
            on_progress(tally.to_progress())
        return routed.shard_batches

    flow = build_flow(
        partitions=log.partitions,
        read_partition=read_partition,
        route=route,
        make_apply=lambda shard: ShardFold(shard, store, letters, source_ids).apply,
        on_outcome=tally.count_outcome,
        stop=stop,
    )
    with _interrupts_stop(stop):
        run_main(flow)  # type: ignore[no-untyped-call]
    if stop.fault is not None:
        raise stop.fault
    if stop.is_interrupted:
        raise KeyboardInterrupt
    if on_progress is not None:
        on_progress(tally.to_progress())
    unfinished = tuple(log.find_unfinished())
    return msgspec.structs.replace(tally.to_summary(), unfinished=unfinished)


def _to_letter(of_range: PartitionRange, rejection: Rejection) -> DeadLetter:
    return DeadLetter(
        incarnation=of_range.source_id.rpartition("/")[0],
        partition=of_range.partition,
        offset=rejection.offset,
        reason=rejection.reason_code.value,
        field=rejection.field,
        value=rejection.value_shown,
        expectation=rejection.expectation,
        fix=rejection.fix,
    )


@contextmanager
def _interrupts_stop(stop: FlowStop) -> Iterator[None]:
    """Let Ctrl-C end the flow between batches; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Signals reach the main thread only; it decides what they mean.
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.is_interrupted = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
