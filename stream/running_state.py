"""What a running stream tells of itself: a small file, written every second and at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from stream.summary import PartitionSummary, StreamTally, to_time

_WRITE_EVERY_S = 1.0
_PATTERN = "stream-*.state.json"


class RunningState(msgspec.Struct, frozen=True):
    """One process of a stream, as it last told.

    Attributes:
        worker: Its number in the cluster.
        pid: Its process id.
        source: Name of the source.
        incarnation: The source's.
        is_running: False once it has ended in order.
        updated_at: When it told this.
        events_per_s: Rows read per second in the last ten seconds.
        events_read: Rows read in this run.
        dead_letters: Dead letters of this run, by reason.
        visible_ms_p50: Median time from ingest to visibility; None without events.
        visible_ms_p99: 99th percentile of it.
        restarts: How often the run began anew from the store.
        waiting_for: What it waits for (a store or broker that is away); empty: nothing.
        partitions: The partitions that this process reads.
    """

    worker: int
    pid: int
    source: str
    incarnation: str
    is_running: bool
    updated_at: datetime
    events_per_s: float
    events_read: int
    dead_letters: dict[str, int]
    visible_ms_p50: float | None
    visible_ms_p99: float | None
    restarts: int
    waiting_for: str
    partitions: tuple[PartitionSummary, ...]


class StateFile:
    """Writes a process's state beside the store.

    Args:
        folder: Where; made if absent.
        worker: Number of this process in the cluster.
        clock: Seconds, monotonic.
    """

    def __init__(self, folder: Path, worker: int, clock: Callable[[], float]) -> None:
        self._path = folder / f"stream-{worker:02d}.state.json"
        self._worker = worker
        self._clock = clock
        self._written_s = float("-inf")

    def write_sometimes(self, tally: StreamTally) -> None:
        """Write the state if the last one is a second old."""
        if self._clock() - self._written_s >= _WRITE_EVERY_S:
            self.write(tally, is_running=True)

    def write(self, tally: StreamTally, *, is_running: bool, waiting_for: str = "") -> None:
        """Write the state now; a full disk is no reason to stop."""
        self._written_s = self._clock()
        state = RunningState(
            worker=self._worker,
            pid=os.getpid(),
            source=tally.name,
            incarnation=tally.incarnation,
            is_running=is_running,
            updated_at=to_time(time.time_ns() // 1_000),
            events_per_s=round(tally.compute_recent_rate(), 1) if is_running else 0.0,
            events_read=tally.events_read,
            dead_letters=tally.dead_letters,
            visible_ms_p50=_to_ms(tally.visibility.compute_quantile_s(0.5)),
            visible_ms_p99=_to_ms(tally.visibility.compute_quantile_s(0.99)),
            restarts=tally.restarts,
            waiting_for=waiting_for,
            partitions=tally.list_partitions(),
        )
        draft = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(state))
            os.replace(draft, self._path)  # noqa: PTH105 - the atomic rename, under its own name
        except OSError:
            return


def read_running_states(folder: Path) -> tuple[RunningState, ...]:
    """Return what the processes of the last stream told; a killed one is not running."""
    states = []
    for file in sorted(folder.glob(_PATTERN)):
        try:
            state = msgspec.json.decode(file.read_bytes(), type=RunningState)
        except (OSError, msgspec.MsgspecError):
            continue
        if state.is_running and not _is_alive(state.pid):
            state = msgspec.structs.replace(state, is_running=False, events_per_s=0.0)
        states.append(state)
    return tuple(states)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _to_ms(seconds: float) -> float | None:
    return None if seconds != seconds else round(seconds * 1_000, 3)
