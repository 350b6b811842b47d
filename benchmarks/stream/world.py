"""The measured world: how large it is, and the events that fill it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.stream.events import append_lines, iterate_lines

FILL_START = datetime(2026, 3, 1, tzinfo=UTC)
FILL_DAYS = 60
"""Days over which the events of the filled store are spread, so that its windows are full."""
LIVE_PER_S = 50.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        n_customers: Customers of the shop.
        n_fill: Events that are in the store before anything is measured.
        n_measured: Events of one run of the dataflow.
        repeats: Runs of each form of the dataflow, and of the bare step.
        push_s: Seconds of pushing for each number of rows per push.
        visible_s: Seconds of paced events.
        n_bulk: Events of the bulk fold and of the vectors at every event.
        n_baseline: Events of the log of which baselines make training rows.
        n_reads: Requests of each measurement of a read.
        n_small: Customers of the small store of the growth.
        n_large: Customers of the large one.
    """

    n_customers: int
    n_fill: int
    n_measured: int
    repeats: int
    push_s: float
    visible_s: float
    n_bulk: int
    n_baseline: int
    n_reads: int
    n_small: int
    n_large: int


FULL = Sizes(
    n_customers=100_000,
    n_fill=1_000_000,
    n_measured=200_000,
    repeats=5,
    push_s=8.0,
    visible_s=20.0,
    n_bulk=1_000_000,
    n_baseline=200_000,
    n_reads=20_000,
    n_small=10_000,
    n_large=1_000_000,
)
SHORT = Sizes(
    n_customers=20_000,
    n_fill=200_000,
    n_measured=60_000,
    repeats=3,
    push_s=2.0,
    visible_s=4.0,
    n_bulk=200_000,
    n_baseline=12_000,
    n_reads=4_000,
    n_small=10_000,
    n_large=100_000,
)


def iterate_fill(sizes: Sizes) -> Iterator[str]:
    """Yield the lines that fill a store."""
    per_s = sizes.n_fill / timedelta(days=FILL_DAYS).total_seconds()
    return iterate_lines(1, sizes.n_fill, sizes.n_customers, 0, FILL_START, per_s)


class GrowingLog:
    """A retailer's file that grows by a stretch of live events before each run.

    Args:
        path: The `.jsonl` file; begins with the events that fill the store.
        sizes: See there.
    """

    def __init__(self, path: Path, sizes: Sizes) -> None:
        self.path = path
        self._sizes = sizes
        self._n_events = sizes.n_fill
        self._time = FILL_START + timedelta(days=FILL_DAYS)
        append_lines(path, iterate_fill(sizes))

    def grow(self) -> None:
        """Append the events of one run."""
        sizes, first = self._sizes, self._n_events
        lines = iterate_lines(
            first, sizes.n_measured, sizes.n_customers, first, self._time, LIVE_PER_S
        )
        append_lines(self.path, lines)
        self._n_events += sizes.n_measured
        self._time += timedelta(seconds=sizes.n_measured / LIVE_PER_S)


def draw_customers(n: int, n_customers: int, seed: int) -> list[int]:
    """Return numbers of customers, evenly drawn."""
    return random.Random(seed).choices(range(n_customers), k=n)
