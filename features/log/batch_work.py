"""Work on a whole log, a batch at a time, on all processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import pyarrow as pa

from features.log.reader import EventLog

T = TypeVar("T")

BATCH_ROWS = 32_768
"""Enough that a call costs little per row; a batch's cells stay near the cache."""


def map_batches(
    log: EventLog,
    work: Callable[[int, pa.RecordBatch], T],
    *,
    kinds: Iterable[str] | None = None,
    n_threads: int | None = None,
) -> Iterator[T]:
    """Yield what a work makes of each batch, partition by partition in log order.

    Partitions are read side by side, and batches worked on while others are read, so a
    log of one partition gains, too. What is not fetched yet is kept.

    Args:
        log: The event log.
        work: Called with the offset of the batch's first row and the batch; several at
            once, in no order.
        kinds: Of others only the envelope is read.
        n_threads: Default: one per processor.

    Raises:
        LogFormatError: The log is broken; what `work` raises is raised, too.
    """
    n = n_threads or os.cpu_count() or 1
    wanted = None if kinds is None else tuple(kinds)
    with ExitStack() as stack:
        readers = stack.enter_context(ThreadPoolExecutor(n))
        workers = stack.enter_context(ThreadPoolExecutor(n))

        def read(partition: int) -> list[Future[T]]:
            return [
                workers.submit(work, offset, batch)
                for offset, batch in log.read_batches(
                    partition, batch_size=BATCH_ROWS, kinds=wanted
                )
            ]

        for submitted in readers.map(read, log.partitions):
            for future in submitted:
                yield future.result()
