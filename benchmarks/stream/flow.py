"""Events per second through the whole dataflow: raw JSON lines to committed records."""

from __future__ import annotations

import time
from pathlib import Path

from features.store.opening import StoreOptions, open_store
from stream.options import StreamOptions
from stream.runner import run_stream
from stream.summary import StreamProgress


class CommitTimes:
    """When each commit was made, and how many events had been read by then."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def note(self, at: StreamProgress) -> None:
        """Note a commit; given to the stream."""
        self._marks.append((time.perf_counter(), at.events_read))

    def compute_rate(self) -> float:
        """Return events per second between the first commit and the last one.

        >>> times = CommitTimes()
        >>> times._marks = [(1.0, 100), (2.0, 300), (3.0, 500), (3.1, 500)]
        >>> times.compute_rate()
        200.0
        """
        last_events = self._marks[-1][1]
        # What ends a run (an empty batch, the summary) brings no events.
        whole = [mark for mark in self._marks if mark[1] < last_events]
        last = self._marks[len(whole)]
        (first_s, first), (last_s, _) = self._marks[0], last
        return (last_events - first) / (last_s - first_s)


def stream_log(
    log: Path, place: str, state: Path, batch_size: int, *, is_durable: bool = False
) -> float:
    """Apply what a store has not applied yet; return events per second.

    Args:
        log: A `.jsonl` file.
        place: The store: a folder or an address.
        state: The stream's own folder.
        batch_size: Rows per batch.
        is_durable: Whether each commit waits for the disk.
    """
    times = CommitTimes()
    with open_store(place, "write", StoreOptions(is_durable=is_durable)) as store:
        run_stream(str(log), store, StreamOptions(state, batch_size=batch_size), times.note)
    return times.compute_rate()
