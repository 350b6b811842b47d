"""Event-to-visible: from the embedded log's stamp to the commit that makes an event readable.

A process of its own appends at an even pace and syncs each append, as
`PublishEvents` does; the stream follows the log in this one.
"""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from google.protobuf.json_format import Parse

from benchmarks.stream.events import iterate_lines
from features.log.embedded_appender import EmbeddedAppender
from features.store.opening import open_store
from hemostat.v1 import event_pb2
from stream.options import StreamOptions
from stream.runner import StreamRun
from stream.visibility import VisibilityHistogram

_PARTITIONS = 4
_EVERY_S = 0.005
_WARM_UP_S = 1.0
"""At the beginning of the pace, not counted: nothing else is at its pace yet."""
_DRAIN_S = 2.0
_POOL = 20_000
_SECOND_SERIES = 500_000_000


class Delays(VisibilityHistogram):
    """Keeps each delay, not only its class."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[tuple[npt.NDArray[np.int64], int]] = []

    def add(self, ingest_us: npt.NDArray[np.int64], now_us: int) -> None:
        """Note events that have become visible now; see the base class."""
        super().add(ingest_us, now_us)
        self._parts.append((ingest_us, now_us))

    def select_ms(self, first_us: int) -> npt.NDArray[np.float64]:
        """Return the delays of the events taken in from a time on, milliseconds."""
        parts = [(now_us - us[us >= first_us]) / 1e3 for us, now_us in self._parts]
        return np.concatenate([np.empty(0), *parts])


def make_messages(n_events: int, n_customers: int, first_number: int) -> Iterator[bytes]:
    """Yield serialized events that happen now, not stamped by a log.

    Beyond `_POOL` the same ones come again under other ids: making them takes longer
    than streaming them.
    """
    lines = iterate_lines(
        first_number, min(n_events, _POOL), n_customers, first_number, datetime.now(UTC), 1e6
    )
    pool = []
    for line in lines:
        event = Parse(line, event_pb2.Event())
        event.ClearField("ingest_time")
        pool.append((event.event_id.encode(), event.SerializeToString()))
    for n in range(n_events):
        name, message = pool[n % len(pool)]
        yield message.replace(name, b"e%09d" % (first_number + n), 1)


def _append(appender: EmbeddedAppender, messages: Sequence[bytes], first: int) -> None:
    appender.append(messages, [(first + n) % _PARTITIONS for n in range(len(messages))])


def append_paced(log: Path, rate_per_s: float, seconds: float, n_customers: int) -> None:
    """Append at an even pace once a line comes on stdin; the child process.

    Prints a line when it is ready, and in the end the 99th percentile over events of how
    long their append and sync took, milliseconds.
    """
    n_events = math.ceil(rate_per_s * (seconds + _WARM_UP_S))
    messages = list(make_messages(n_events, n_customers, _SECOND_SERIES))
    appender = EmbeddedAppender.open(log)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    start, n_done = time.perf_counter(), 0
    appends_ms: list[float] = []
    while n_done < n_events:
        begun = time.perf_counter()
        n_due = min(n_events, int((begun - start) * rate_per_s))
        if n_due > n_done:
            _append(appender, messages[n_done:n_due], n_done)
            appends_ms += [(time.perf_counter() - begun) * 1e3] * (n_due - n_done)
            n_done = n_due
        time.sleep(_EVERY_S)
    appender.close()
    sys.stdout.write(f"{np.quantile(appends_ms[int(rate_per_s * _WARM_UP_S) :], 0.99)}\n")


def measure_visible(
    folder: Path, rate_per_s: float, seconds: float, n_fill: int, n_customers: int
) -> dict[str, float]:
    """Return quantiles of the delay at an even rate, on a store filled from the same log.

    Part of the delay is the append's own: stamped, an event is still to be synced.
    `visible_append_p99_ms` tells what the disk alone makes of the figure.

    Args:
        folder: Where log and store are made.
        rate_per_s: Events per second.
        seconds: How long, after the warm-up.
        n_fill: Events that the store holds before.
        n_customers: Who may act.
    """
    log = folder / "log"
    appender = EmbeddedAppender.open(log, n_partitions=_PARTITIONS)
    fill = make_messages(n_fill, n_customers, 0)
    while chunk := list(islice(fill, 4_096)):
        _append(appender, chunk, 0)
    appender.close()
    words = [sys.executable, "-m", "benchmarks.stream.visible", str(log)]
    words += [str(rate_per_s), str(seconds), str(n_customers)]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    delays = Delays()
    begun: list[int] = []
    appended_ms: list[float] = []
    with open_store(folder / "store", "write") as store:
        options = StreamOptions(folder / "store", is_following=True)
        run = StreamRun(str(log), store, options)
        run.tally.visibility = delays

        def pace() -> None:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.readline()
            while run.tally.events_read < n_fill:
                time.sleep(0.01)
            begun.append(time.time_ns() // 1_000 + int(_WARM_UP_S * 1e6))
            child.stdin.write("go\n")
            child.stdin.flush()
            appended_ms.append(float(child.stdout.readline()))
            child.wait()
            time.sleep(_DRAIN_S)
            run.ask_to_stop()

        pacing = threading.Thread(target=pace)
        pacing.start()
        run.run()
        pacing.join()
    found = delays.select_ms(begun[0])
    quantiles = np.quantile(found, [0.5, 0.99, 0.999])
    return {
        "visible_rate_per_s": len(found) / seconds,
        "visible_p50_ms": float(quantiles[0]),
        "visible_p99_ms": float(quantiles[1]),
        "visible_p999_ms": float(quantiles[2]),
        "visible_append_p99_ms": appended_ms[0],
    }


if __name__ == "__main__":
    append_paced(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
