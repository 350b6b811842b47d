"""One run of the stream: a source, a store, and what came of it. The wiring on one page."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType

from bytewax.testing import cluster_main

from features.errors import (
    CommitConflictError,
    SourceUnavailableError,
    StoreFullError,
    StoreLockedError,
    StoreReplacedError,
    StoreUnavailableError,
)
from features.keys import N_SHARDS
from features.log.erasure_register import AllErasures
from features.store.opening import StoreOptions, open_store
from features.store.port import FeatureStore
from stream.cluster import EXIT_AGAIN, make_ended_error
from stream.ending import GRACE_S, gives_up_after_signal
from stream.erasing import find_register_folders
from stream.flow import FlowStop, build_flow
from stream.group_keys import choose_group_keys
from stream.metrics import serve_metrics
from stream.options import DEFAULT_BATCH_SIZE, ClusterPlace, StreamOptions
from stream.progress import check_source, find_start_offset, make_source_id
from stream.running_state import StateFile
from stream.sources.opening import open_source
from stream.summary import StreamProgress, StreamSummary, StreamTally
from stream.waiting import Log, Patience
from stream.wiring import StreamWiring

OnProgress = Callable[[StreamProgress], None]
"""Called after each batch, on the flow's own thread."""

_MAX_CONFLICTS = 3
_EPOCH_INTERVAL = timedelta(seconds=1)
"""In a cluster all wait for each other at an epoch's end. Nothing else is done with epochs."""


def tell(line: str) -> None:
    """Write a line for people to stderr."""
    sys.stderr.write(f"hemostat stream: {line}\n")


def stream_to_disk(
    source: Path | str,
    store_path: Path | str,
    *,
    dead_letters: Path | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    until_us: int | None = None,
    log_format: str | None = None,
    is_following: bool = False,
    store_options: StoreOptions | None = None,
    on_progress: OnProgress | None = None,
) -> StreamSummary:
    """Stream a source into the embedded store in a folder, made if absent.

    Args:
        source: An event log, a `.jsonl` file, a folder of them, or a topic's address.
        store_path: The store's folder.
        dead_letters: None: the folder `dead_letters` in the store's.
        batch_size: See `StreamOptions`.
        until_us: See `StreamOptions`.
        log_format: See `StreamOptions`.
        is_following: See `StreamOptions`.
        store_options: Map size, readers and durability of the store.
        on_progress: Called after each batch.

    Raises:
        HemostatError: See `run_stream`; also what opening the store raises.
        KeyboardInterrupt: Ctrl-C; all that was committed is kept.
    """
    folder = Path(store_path)
    options = StreamOptions(
        folder,
        dead_letters,
        batch_size,
        until_us,
        is_following=is_following,
        log_format=log_format,
    )
    open_source(str(source), log_format=log_format).close()  # Before a store is made in vain.

    def reopen() -> FeatureStore:
        return open_store(folder, "write", store_options)

    with open_store(folder, "write", store_options) as store:
        return run_stream(str(source), store, options, on_progress, reopen=reopen)


def run_stream(
    source: str,
    store: FeatureStore,
    options: StreamOptions,
    on_progress: OnProgress | None = None,
    clock: Callable[[], float] = time.monotonic,
    log: Log = tell,
    on_fault: Callable[[Exception], None] = lambda _: None,
    reopen: Callable[[], FeatureStore] | None = None,
) -> StreamSummary:
    """Apply all of a source that the store has not applied yet, and return what came of it.

    The store alone holds the position: whatever ended the last run, this one goes
    on behind what was committed, and the records are the same bytes as without
    the interruption. A store or broker that is away is waited for; then the run
    begins anew from where the store stands.

    Args:
        source: What to read; see `sources.opening.open_source`.
        store: This process is the one writer of its shards; left open.
        options: See there.
        on_progress: Called after each batch.
        clock: Seconds, monotonic; for rates and waiting.
        log: Tells people what is waited for.
        on_fault: Called when a step fails; must end the process if it is one of several.
        reopen: Opens the store anew when another generation has taken its place (a
            rebuild, a restore), so that the run goes on in that; None: it ends.

    Raises:
        ConfigError: The store was filled from another log.
        ClusterEndedError: Another process of the cluster was asked to end, or is gone.
        LogFormatError: The log is damaged, or no longer holds what comes next.
        CommitConflictError: Another process writes to the store.
        StoreReplacedError: Another generation has taken over, and `reopen` is None.
        StoreFullError: The store has reached its upper bound; never waited for.
        StoreUnavailableError: The store or the dead letters cannot be written.
        SourceUnavailableError: The broker cannot be reached.
        KeyboardInterrupt: Ctrl-C (on the main thread) in a run that does not follow; all
            that was committed is kept.
    """
    run = StreamRun(source, store, options, on_progress, clock, log, on_fault, reopen)
    return run.run()


class StreamRun:
    """A run and what lasts through its new beginnings. See `run_stream`."""

    def __init__(
        self,
        source: str,
        store: FeatureStore,
        options: StreamOptions,
        on_progress: OnProgress | None = None,
        clock: Callable[[], float] = time.monotonic,
        log: Log = tell,
        on_fault: Callable[[Exception], None] = lambda _: None,
        reopen: Callable[[], FeatureStore] | None = None,
    ) -> None:
        self._source_name = source
        self._store = store
        self._reopen = reopen
        self._is_replaced = False
        self._n_conflicts, self._conflict_commits, self._n_erased = 0, -1, 0
        # The log's own register holds whoever else reads the log.
        registers = (*options.registers, *find_register_folders(source))
        self._options = replace(options, registers=registers)
        self._on_progress = on_progress
        self._clock = clock
        self._log = log
        self._on_fault = on_fault
        self._wake = threading.Event()
        self._stop = FlowStop()
        self._is_asked = False
        self.tally = StreamTally(source, clock)
        self._state_file = StateFile(options.state, options.place.process_id, clock)
        self._patience = Patience(options.wait_s, clock, self._pause, log)

    def run(self) -> StreamSummary:
        """Run to the end, or until somebody asks to stop."""
        with ExitStack() as stack:
            stack.enter_context(self._signals_stop())
            if self._options.place.is_cluster:
                stack.enter_context(gives_up_after_signal(self._give_up))
            if self._options.metrics_port is not None:
                port = self._options.metrics_port
                stack.callback(serve_metrics(self.tally, port, self.tally.read_us))
            stack.callback(lambda: self._state_file.write(self.tally, is_running=False))
            given = self._store
            stack.callback(lambda: None if self._store is given else self._store.close())
            unfinished = self._run_patiently()
        if self._is_asked and not self._options.is_following:
            raise KeyboardInterrupt
        if self._on_progress is not None:
            self._on_progress(self.tally.to_progress())
        return self.tally.to_summary(unfinished)

    def _run_patiently(self) -> Sequence[int]:
        """Run; begin anew from the store after what mends itself."""
        while True:
            try:
                return self._run_once()
            except StoreFullError:
                raise  # Whoever runs it must give it more room.
            except (StoreUnavailableError, StoreLockedError, SourceUnavailableError) as error:
                self._state_file.write(self.tally, is_running=True, waiting_for=str(error))
                self._patience.wait(error, self.tally.last_commit_s)
            except StoreReplacedError as error:
                if self._reopen is None:
                    raise
                self._log(f"going on in the store that is in use now: {error.value} is not")
                self._is_replaced = True
            except CommitConflictError as error:
                # A store that lost its tail says so like this, and once; a second
                # writer says so again and again.
                is_new = self.tally.commits > self._conflict_commits + 1
                self._n_conflicts = 1 if is_new else self._n_conflicts + 1
                self._conflict_commits = self.tally.commits
                if self._n_conflicts >= _MAX_CONFLICTS or self._options.wait_s == 0:
                    raise
                self._log(f"the store has moved; reading its progress again: {error}")
                self._pause(0.1)
            if self._is_asked:
                return ()
            self.tally.restarts += 1

    def _run_once(self) -> Sequence[int]:
        options = self._options
        self._stop = FlowStop(self._on_fault)
        self._stop.is_asked = self._is_asked
        if self._is_replaced and self._reopen is not None:
            self._store.close()
            self._store = self._reopen()
            self._is_replaced = False
        self._note_erasures()
        source = open_source(self._source_name, log_format=options.log_format, kafka=options.kafka)
        place = options.place
        try:
            states = [self._store.read_shard_state(shard) for shard in range(N_SHARDS)]
            states += [self._store.read_seen_state(shard) for shard in range(N_SHARDS)]
            check_source(source.incarnation, states)
            source_ids = [make_source_id(source.incarnation, n) for n in range(source.n_partitions)]
            starts = [find_start_offset(each, states) for each in source_ids]
            self.tally.begin(source, starts)
            wiring = StreamWiring(self, source, starts, source_ids)
            keys = choose_group_keys(options.groups.count, place.n_processes)
            flow = build_flow(wiring, options.groups, keys, self._stop)
            with _loss_explained(place):
                cluster_main(  # type: ignore[no-untyped-call]
                    flow,
                    list(place.addresses),
                    place.process_id,
                    epoch_interval=_EPOCH_INTERVAL if place.is_cluster else None,
                )
            if self._stop.fault is not None:
                raise self._stop.fault
            if self._stop.is_told and not self._is_asked:
                raise make_ended_error("was asked to end", place.process_id)
            return source.find_unfinished()
        finally:
            source.close()

    def _note_erasures(self) -> None:
        """Forgive conflicts once somebody was registered: `hemostat forget` wrote to Redis."""
        options = self._options
        n_erased = len(AllErasures(self._store, (options.state, *options.registers)).read())
        if n_erased != self._n_erased:
            self._n_erased, self._n_conflicts = n_erased, 0

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)

    def ask_to_stop(self) -> None:
        """End the run after the batches in hand; from any thread."""
        self._is_asked = self._stop.is_asked = True
        self._wake.set()

    def note_commit(self) -> None:
        """Tell everybody who looks that a batch is in the store."""
        self._patience.note_success()
        self._state_file.write_sometimes(self.tally)
        if self._on_progress is not None:
            self._on_progress(self.tally.to_progress())

    def note_idle(self) -> None:
        """Tell that nothing is to be done."""
        self._state_file.write_sometimes(self.tally)

    def _give_up(self) -> None:
        """End this process at once: the others do not end, and it cannot go on alone."""
        self._log(
            f"asked to end, but the other processes have not ended within {GRACE_S:g} s; "
            "ending without them; what was committed is kept"
        )
        os._exit(EXIT_AGAIN)

    @contextmanager
    def _signals_stop(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the run between batches; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Signals reach the main thread only; it decides what they mean.
            return

        def interrupt(number: int, _frame: FrameType | None) -> None:
            self.ask_to_stop()
            signal.signal(number, previous[number])

        numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, interrupt) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    # What the wiring needs.
    @property
    def store(self) -> FeatureStore:
        """The store."""
        return self._store

    @property
    def options(self) -> StreamOptions:
        """The options."""
        return self._options

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds, monotonic."""
        return self._clock


@contextmanager
def _loss_explained(place: ClusterPlace) -> Iterator[None]:
    """Tell that another process is gone; Bytewax panics then, which is no `Exception`."""
    try:
        yield
    except BaseException as error:
        if place.is_cluster and type(error).__name__ == "PanicException":
            raise make_ended_error("is gone", place.process_id) from error
        raise


__all__ = ["StreamOptions", "run_stream", "stream_to_disk"]
