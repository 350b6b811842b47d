"""Upkeep of a full store: `make bench-upkeep`, or BENCH=short for a tenth of it.

How long it takes to forget a customer everywhere, to back a store up, to restore it
and to verify it; at rest and while a stream takes in events. Every figure is a
command's own. Ends with one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from benchmarks.report import is_short, publish
from benchmarks.stream.__main__ import Figures, find_redis, tell
from benchmarks.stream.events import iterate_lines
from benchmarks.stream.world import FILL_DAYS, FILL_START
from features.entities import Entity
from features.erasures import Erasures
from features.keys import compute_entity_key
from features.log.embedded_appender import EmbeddedAppender, read_wall_us
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.store.opening import open_store
from hemostat.v1 import event_pb2
from scoring.event_checks import check_events
from scoring.event_intake import take_in

_TENANT = "shop"
_LIVE_PER_S = 2_000
_AT_ONCE = 1_000
_DAY_S = 86_400


class Shop:
    """A shop's events, appended to an embedded log in their own or in present time.

    Args:
        log: The log's folder.
        n_customers: Who may act.
    """

    def __init__(self, log: Path, n_customers: int) -> None:
        self._n_customers = n_customers
        self._number = 0
        self._now_us = 0
        self._appender = EmbeddedAppender.open(log, read_us=lambda: self._now_us)

    def fill(self, n_events: int) -> None:
        """Append events that came in over `FILL_DAYS`."""
        per_s = n_events / (FILL_DAYS * _DAY_S)
        lines = iterate_lines(1, n_events, self._n_customers, 0, FILL_START, per_s)
        while events := [_to_event(line) for line in islice(lines, _AT_ONCE)]:
            self._now_us = events[-1].event_time.ToMicroseconds()
            self._append(events)

    def append_live(self, n_events: int) -> None:
        """Append events that happen now."""
        self._now_us = read_wall_us()
        lines = iterate_lines(self._number, n_events, self._n_customers, self._number)
        events = [_to_event(line) for line in lines]
        for event in events:
            event.event_time.FromMicroseconds(self._now_us)
        self._append(events)

    def close(self) -> None:
        """Release the log."""
        self._appender.close()

    def _append(self, events: Sequence[event_pb2.Event]) -> None:
        intake = take_in(
            events,
            now_us=self._now_us,
            n_partitions=self._appender.n_partitions,
            erasures=Erasures.empty(),
            check=check_events,
        )
        self._appender.append(intake.messages, intake.partitions)
        self._number += len(events)


def _to_event(line: str) -> event_pb2.Event:
    event = json_format.Parse(line, event_pb2.Event())
    event.ClearField("ingest_time")
    return event


def run_command(*words: str) -> Any:
    """Run a command and return what it tells.

    Raises:
        RuntimeError: It failed.
    """
    command = [sys.executable, "-m", "hemostat.cli.main", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:2])} failed:\n{done.stderr[-2_000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _stream_live(shop: Shop, log: Path, store: str, state: Path) -> Iterator[None]:
    """Let a stream follow the log, and 2,000 events come in each second."""
    is_over = threading.Event()

    def append() -> None:
        while not is_over.wait(0.05):
            shop.append_live(_LIVE_PER_S // 20)

    words = ["stream", str(log), "--store", store, "--state", str(state), "--follow"]
    appending = threading.Thread(target=append)
    with subprocess.Popen(
        [sys.executable, "-m", "hemostat.cli.main", *words], stdout=subprocess.DEVNULL
    ) as stream:
        appending.start()
        try:
            while _is_behind(store):
                is_over.wait(0.1)
            yield
        finally:
            is_over.set()
            appending.join()
            stream.terminate()


def _is_behind(store: str) -> bool:
    with open_store(store, "read") as reader:
        return read_wall_us() - reader.read_shard_state(0).applied_ingest_us > 2_000_000


def find_traces(folder: Path, customer: str) -> int:
    """Return the number of files that hold a customer's id or a key of theirs."""
    keys = [
        compute_entity_key(_TENANT, each, customer) for each in (Entity.CUSTOMER, Entity.ACTIVITY)
    ]
    needles = [customer.encode(), *keys, *(key.hex().encode() for key in keys)]
    return sum(
        any(needle in content for needle in needles)
        for content in (file.read_bytes() for file in folder.rglob("*") if file.is_file())
    )


def measure(folder: Path, store: str, name: str, shop: Shop, customers: tuple[str, str]) -> Figures:
    """Return the figures of one store, which is filled first.

    Args:
        folder: Where the log and all that is made of it stand.
        store: The store's place.
        name: `lmdb` or `redis`.
        shop: Whose log it is.
        customers: Forgotten at rest and while a stream writes.
    """
    log, state, backup = folder / "log", folder / f"state-{name}", folder / f"backup-{name}"
    places = [log, folder / "written", folder / "archive", folder / "features"]
    forget = ["--tenant", _TENANT, "--store", store]
    forget += [word for place in places for word in ("--log", str(place))]
    copy = f"{store}-copy"
    run_command("stream", str(log), "--store", store, "--state", str(state))
    figures: Figures = {"forget_s": run_command("forget", customers[0], *forget)["seconds"]}
    # Now: what comes in later under this id is a new customer's.
    held = places if name == "redis" else [*places, Path(store)]
    figures["traces"] = sum(find_traces(place, customers[0]) for place in held)
    figures["backup_s"] = run_command("store", "backup", "--store", store, "--to", str(backup))[
        "seconds"
    ]
    figures["restore_s"] = run_command("store", "restore", str(backup), "--store", copy)["seconds"]
    with _stream_live(shop, log, store, state):
        figures["forget_live_s"] = run_command("forget", customers[1], *forget)["seconds"]
        live = run_command("store", "backup", "--store", store, "--to", f"{backup}-live")
        figures["backup_live_s"], figures["recovery_point_s"] = live["seconds"], live["behind_s"]
    run_command("stream", str(log), "--store", store, "--state", str(state))
    run_command("store", "restore", f"{backup}-live", "--store", copy, "--replace")
    caught_up = run_command("stream", str(log), "--store", copy, "--state", f"{state}-copy")
    figures["catch_up_s"] = caught_up["seconds"]
    found = run_command("store", "verify", "--store", copy, "--against", store)
    figures["differences"] = found["faults"]
    tell(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    return {f"{key}_{name}": value for key, value in figures.items()}


def main() -> None:
    """Measure and publish."""
    n_events, n_customers = (100_000, 10_000) if is_short() else (1_000_000, 100_000)
    with tempfile.TemporaryDirectory(prefix="hemostat-upkeep-") as name:
        folder = Path(name)
        tell(f"making a log of {n_events:,} events of {n_customers:,} customers, four times")
        shop = Shop(folder / "log", n_customers)
        shop.fill(n_events)
        run_command("log", "archive", str(folder / "log"), "--to", str(folder / "archive"))
        run_command("log", "features", str(folder / "log"), "--to", str(folder / "features"))
        with EventLogWriter(folder / "written") as writer:
            writer.append_table(EventLog(folder / "log").read_table())
        figures: Figures = {"n_events": n_events, "n_customers": n_customers}
        figures |= measure(folder, str(folder / "store"), "lmdb", shop, ("c0000001", "c0000002"))
        with find_redis(folder / "redis") as server:
            if server is not None:
                store = f"{server.url}/?prefix=shop"
                figures |= measure(folder, store, "redis", shop, ("c0000003", "c0000004"))
        shop.close()
    publish("upkeep", dict(figures))


if __name__ == "__main__":
    main()
