"""Several worker processes on Redis: as many as one likes, changed between runs."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.store.memory_store import MemoryFeatureStore
from features.store.opening import open_store
from hemostat.cli.main import main
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
