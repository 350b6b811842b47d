"""A backup taken while a stream writes: restored and caught up it is the store, byte by byte."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.errors import StoreUnavailableError
from features.keys import N_SHARDS
from features.log.embedded_appender import EmbeddedAppender, read_wall_us
from features.store.opening import open_store
from hemostat.cli.main import main
from hemostat.v1 import event_pb2
from tests.redis_servers import RedisServer

WAIT_S = 60.0
HEMOSTAT = [sys.executable, "-m", "hemostat.cli.main"]


def _make_order(number: int) -> bytes:
    event = event_pb2.Event(
        tenant="t", event_id=f"e{number}", customer_id=f"c{number % 300}", channel="CHANNEL_WEB"
    )
    event.event_time.FromMicroseconds(read_wall_us())
    event.order_placed.order_id = f"o{number}"
    event.order_placed.device_hash = f"d{number % 50}"
    event.order_placed.lines.add(line_id="1", sku="s", quantity=1, unit_price_minor=500)
    return event.SerializeToString()


@contextmanager
def _append_all_the_while(log: Path) -> Iterator[None]:
    """Append 20 orders every 10 ms, until the end of the block."""
    is_over = threading.Event()

    def append() -> None:
        appender = EmbeddedAppender.open(log)
        number = 0
        while not is_over.wait(0.01):
            orders = [_make_order(number + n) for n in range(20)]
            appender.append(orders, [(number + n) % appender.n_partitions for n in range(20)])
            number += 20
        appender.close()

    thread = threading.Thread(target=append)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def _follow(log: Path, store: str, state: Path) -> Iterator[None]:
    words = ["stream", str(log), "--store", store, "--state", str(state), "--follow"]
    with subprocess.Popen([*HEMOSTAT, *words], stdout=subprocess.DEVNULL) as stream:
        try:
            yield
            stream.send_signal(signal.SIGTERM)
            assert stream.wait(WAIT_S) == 0
        finally:
            stream.kill()


def _await_commits(store: str, beyond: int) -> int:
    """Return the commits of a shard once the stream has made more than so many."""
    until_s = time.monotonic() + WAIT_S
    while True:
        try:
            with open_store(store, "read") as reader:
                version = reader.read_shard_state(0).version
                if version > beyond:
                    return version
        except StoreUnavailableError:
            pass
        assert time.monotonic() < until_s, "nothing was applied"
        time.sleep(0.02)


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["lmdb", "redis"])
def test_a_backup_of_a_store_that_is_written_catches_up_to_the_same_bytes(
    tmp_path: Path, kind: str, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    log, backup = tmp_path / "log", str(tmp_path / "backup")
    live, copy = (
        f"{redis_server.url}/?prefix={name}" if kind == "redis" else str(tmp_path / name)
        for name in ("live", "copy")
    )
    EmbeddedAppender.open(log).close()
    with _follow(log, live, tmp_path / "state"), _append_all_the_while(log):
        _await_commits(live, 20)
        taken = _run(["store", "backup", "--store", live, "--to", backup], capsys)
        # More comes in, which the backup lacks.
        _await_commits(live, _await_commits(live, 0) + 5)
    _run(["stream", str(log), "--store", live, "--state", str(tmp_path / "state")], capsys)

    back = _run(["store", "restore", backup, "--store", copy], capsys)
    assert back["recovery_point_us"] == taken["recovery_point_us"] > 0
    caught_up = _run(
        ["stream", str(log), "--store", copy, "--state", str(tmp_path / "state-copy")], capsys
    )
    assert caught_up["events_read"] > 0
    found = _run(["store", "verify", "--store", copy, "--against", live], capsys)
    assert (found["faults"], found["compared"]) == (0, True)
    assert _count_folded(copy) == _count_folded(live) > 0


def _count_folded(store: str) -> int:
    with open_store(store, "read") as reader:
        return sum(reader.read_seen_state(shard).totals.folded for shard in range(N_SHARDS))
