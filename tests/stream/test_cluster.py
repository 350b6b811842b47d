"""Several worker processes on Redis: as many as one likes, changed between runs."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.entities import Entity
from features.keys import N_SHARDS, compute_entity_key, compute_event_key
from features.log.embedded_appender import EmbeddedAppender, compute_partition, read_wall_us
from features.store.memory_store import MemoryFeatureStore
from features.store.opening import open_store
from hemostat.cli.main import main
from hemostat.v1 import event_pb2
from stream.options import StreamOptions
from stream.runner import run_stream
from tests.redis_servers import RedisServer

_numbers = itertools.count()


def _stream(log: Path, place: str, state: Path, n_workers: int, until: str) -> None:
    words = ["stream", str(log), "--store", place, "--state", str(state), "--batch-size", "100"]
    if until:
        words += ["--until", until]
    subprocess.run(
        [sys.executable, "-m", "hemostat.cli.main", *words, "--workers", str(n_workers), "--json"],
        check=True,
        capture_output=True,
        timeout=200,
    )


def test_two_workers_then_three_then_one_leave_what_one_run_leaves(
    tmp_path: Path,
    troubled_log: Path,
    redis_server: RedisServer,
    dump_opened: Callable[[Any], dict[str, Any]],
    dump_files: Callable[[Path], dict[str, bytes]],
) -> None:
    place = f"{redis_server.url}/?prefix=rescale{next(_numbers)}"
    for n_workers, until in ((2, "2024-10-24T00:00:00Z"), (3, "2024-11-10T00:00:00Z"), (1, "")):
        _stream(troubled_log, place, tmp_path / "state", n_workers, until)
    whole = MemoryFeatureStore()
    run_stream(str(troubled_log), whole, StreamOptions(tmp_path / "whole"))
    store = open_store(place, "read")
    held, expected = dump_opened(store), dump_opened(whole)
    assert held["records"] == expected["records"]
    assert held["progress"] == expected["progress"]
    letters = dump_files(tmp_path / "state" / "dead_letters")
    assert letters == dump_files(tmp_path / "whole" / "dead_letters")


def test_a_store_on_disk_refuses_a_second_worker(
    tmp_path: Path, troubled_log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stream", str(troubled_log), "--store", str(tmp_path / "store"), "--workers", "2"]
    assert main(words) == 2
    assert "--workers" in capsys.readouterr().err


def _append(log: Path, first: int, count: int, customers: int = 12) -> None:
    """Append orders of some customers, who share one device."""
    appender = EmbeddedAppender.open(log)
    messages, partitions = [], []
    for number in range(first, first + count):
        customer = f"customer-{number % customers:02d}"
        event = event_pb2.Event(
            tenant="t", event_id=f"e{number}", customer_id=customer, channel="CHANNEL_WEB"
        )
        event.event_time.FromMicroseconds(read_wall_us())
        event.order_placed.order_id = f"o{number}"
        event.order_placed.device_hash = "shared"
        event.order_placed.lines.add(line_id="1", sku="s", quantity=1, unit_price_minor=500)
        key = compute_entity_key("t", Entity.CUSTOMER, customer)
        messages.append(event.SerializeToString())
        event_key = compute_event_key("t", event.event_id)
        partitions.append(compute_partition(key, event_key, appender.n_partitions))
    appender.append(messages, partitions)
    appender.close()


def _await_events(place: str, count: int) -> None:
    """Return once so many events are in the records, each once."""
    until_s = time.monotonic() + 60
    while True:
        with open_store(place, "write") as store:
            seen = sum(store.read_seen_state(n).totals.folded for n in range(N_SHARDS))
        if seen >= count:
            assert seen == count
            return
        assert time.monotonic() < until_s, f"{seen} of {count} events"
        time.sleep(0.05)


@contextmanager
def _follow(log: Path, place: str, state: Path) -> Iterator[None]:
    """Let two workers follow a log, and end them in order."""
    words = ["stream", str(log), "--store", place, "--state", str(state), "--follow"]
    with subprocess.Popen(
        [sys.executable, "-m", "hemostat.cli.main", *words, "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield
            assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=60)
            assert process.returncode == 0, told.decode()
        finally:
            process.kill()


def test_a_customer_is_forgotten_while_two_workers_stream(
    tmp_path: Path, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    log, place = tmp_path / "log", f"{redis_server.url}/?prefix=forget{next(_numbers)}"
    gone = "customer-07"
    keys = [compute_entity_key("t", each, gone) for each in (Entity.CUSTOMER, Entity.ACTIVITY)]
    device = compute_entity_key("t", Entity.DEVICE, "shared")

    def append_others() -> None:
        for number in range(60):
            _append(log, 204 + 12 * number, 7)
            time.sleep(0.01)

    _append(log, 0, 200)
    with _follow(log, place, tmp_path / "state"):
        _await_events(place, 200)
        words = ["forget", gone, "--tenant", "t", "--store", place, "--log", str(log), "--json"]
        # The others go on meanwhile; their neighbour's id is not used again.
        with ThreadPoolExecutor(1) as thread:
            appended = thread.submit(append_others)
            assert main(words) == 0
            appended.result()
        removed = json.loads(capsys.readouterr().out)
        assert removed["seconds"] < 60
        counts = {each["what"]: each["count"] for each in removed["removals"]}
        assert (counts["histories"], counts["shared identities"], counts["events"]) == (1, 1, 17)
        _await_events(place, 200 + 60 * 7)
    for file in log.rglob("*"):
        assert file.is_dir() or gone.encode() not in file.read_bytes()
    whole = MemoryFeatureStore()
    run_stream(str(log), whole, StreamOptions(tmp_path / "whole"))
    others = [
        compute_entity_key("t", Entity.CUSTOMER, f"customer-{n:02d}") for n in range(12) if n != 7
    ]
    with open_store(place, "read") as store:
        assert [key for key in keys if store.read_records([key]) != [None]] == []
        assert store.read_records([*others, device]) == whole.read_records([*others, device])
