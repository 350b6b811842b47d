"""A stream that follows: files that grow, are cut or are put in place of others, and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import LogFormatError
from features.store.memory_store import MemoryFeatureStore
from hemostat.cli.main import main
from stream.options import StreamOptions
from stream.runner import StreamRun, run_stream, stream_to_disk
from stream.running_state import read_running_states

_LINE = (
    '{"event_id": "e%d", "tenant": "t", "event_time": "2026-03-01T12:%02d:%02dZ",'
    ' "customer_id": "c%d", "channel": "CHANNEL_WEB", "product_viewed": {"sku": "s1"}}\n'
)
_Dump = Callable[..., dict[str, Any]]


def _make_lines(start: int, end: int) -> str:
    return "".join(_LINE % (n, n // 60, n % 60, n % 7) for n in range(start, end))


def _follow(path: Path, state: Path, on_rows: dict[int, Callable[[StreamRun], None]]) -> Any:
    """Follow a file into a store in memory; call what is due when so many rows are in."""
    options = StreamOptions(state, batch_size=10, is_following=True, wait_s=0.0)
    store = MemoryFeatureStore()
    due = dict(on_rows)

    def note(progress: Any) -> None:
        for rows in [rows for rows in due if progress.rows_done >= rows]:
            due.pop(rows)(run)

    run = StreamRun(str(path), store, options, note)
    guard = threading.Timer(60.0, run.ask_to_stop)
    guard.start()
    try:
        run.run()
    finally:
        guard.cancel()
    return store


def test_lines_appended_to_a_followed_file_are_applied(tmp_path: Path, dump_opened: _Dump) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(_make_lines(0, 20))

    def append(_: StreamRun) -> None:
        with path.open("a") as file:
            file.write(_make_lines(20, 50))

    store = _follow(path, tmp_path, {20: append, 50: StreamRun.ask_to_stop})
    whole = MemoryFeatureStore()
    run_stream(str(path), whole, StreamOptions(tmp_path / "whole"))
    assert dump_opened(store)["records"] == dump_opened(whole)["records"]


def test_a_followed_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(_make_lines(0, 30))
    with pytest.raises(LogFormatError, match="shorter"):
        _follow(path, tmp_path, {30: lambda _: os.truncate(path, 100)})


def test_a_file_put_in_place_of_a_followed_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(_make_lines(0, 30))

    def rotate(_: StreamRun) -> None:
        path.rename(tmp_path / "events.1")
        path.write_text(_make_lines(30, 40))

    with pytest.raises(LogFormatError, match="another file"):
        _follow(path, tmp_path, {30: rotate})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_following_stream_in_order_and_the_next_run_goes_on(
    tmp_path: Path, number: int, dump_store: _Dump
) -> None:
    path, place = tmp_path / "events.jsonl", tmp_path / "store"
    path.write_text(_make_lines(0, 400))
    words = [sys.executable, "-m", "tests.stream.stream_child", str(path), str(place)]
    with subprocess.Popen(
        [*words, str(place), "20", "follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told.decode()
    assert b"Traceback" not in told
    assert [state.is_running for state in read_running_states(place)] == [False]
    stream_to_disk(path, place)
    stream_to_disk(path, tmp_path / "whole")
    assert dump_store(place) == dump_store(tmp_path / "whole")


def test_status_of_a_running_stream_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, place = tmp_path / "events.jsonl", tmp_path / "store"
    path.write_text(_make_lines(0, 100))
    words = [sys.executable, "-m", "tests.stream.stream_child", str(path), str(place)]
    with subprocess.Popen([*words, str(place), "20", "follow"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != b"100":
            assert process.poll() is None
        assert main(["stream", "status", "--store", str(place), "--json"]) == 0
        running = json.loads(capsys.readouterr().out)
        process.send_signal(signal.SIGKILL)
    assert main(["stream", "status", "--store", str(place), "--json"]) == 0
    killed = json.loads(capsys.readouterr().out)
    assert (running["is_running"], killed["is_running"]) == (True, False)
    assert running["totals"]["folded"] == killed["totals"]["folded"] == 100
    assert running["workers"][0]["pid"] == process.pid
    assert killed["events_per_s"] == 0
