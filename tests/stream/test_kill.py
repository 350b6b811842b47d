"""Real signals to real processes: whenever a stream dies, the next one makes it whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.runner import stream_to_disk

_MakeEvents = Callable[..., list[Any]]
_WriteLog = Callable[..., Path]
_Dump = Callable[[Path], dict[str, Any]]

_N_KILLS = 6
_CHILD = """
import sys
from stream.runner import stream_to_disk
stream_to_disk(
    sys.argv[1], sys.argv[2], batch_size=int(sys.argv[3]),
    on_progress=lambda at: print(at.rows_done, flush=True),
)
"""


@pytest.fixture(scope="module")
def log(
    tmp_path_factory: pytest.TempPathFactory,
    make_troubled_events: _MakeEvents,
    write_log: _WriteLog,
) -> Path:
    return write_log(tmp_path_factory.mktemp("logs") / "log", make_troubled_events(3_000, seed=9))


def _run_and_kill(log: Path, store: Path, batch_size: int, after_ranges: int) -> bool:
    """Stream in another process; SIGKILL it once it has read some ranges. Was it killed?"""
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(log), str(store), str(batch_size)],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        for _ in range(after_ranges):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def test_killed_at_random_points_and_resumed_the_store_has_the_same_bytes(
    tmp_path: Path,
    log: Path,
    dump_store: _Dump,
    dump_files: _Dump,
    print_result: Callable[[str], None],
) -> None:
    rng = random.Random(7)
    stream_to_disk(log, tmp_path / "whole")
    n_killed = sum(
        _run_and_kill(log, tmp_path / "killed", rng.choice([20, 50, 90]), rng.randrange(1, 25))
        for _ in range(_N_KILLS)
    )
    last = stream_to_disk(log, tmp_path / "killed", batch_size=400)
    assert n_killed >= _N_KILLS // 2  # Others may have come to the end first.
    assert last.rows_behind == 0
    assert dump_store(tmp_path / "killed") == dump_store(tmp_path / "whole")
    whole, killed = tmp_path / "whole" / "dead_letters", tmp_path / "killed" / "dead_letters"
    assert {n: c for n, c in dump_files(killed).items() if n.endswith(".jsonl")} == dump_files(
        whole
    )
    print_result(f"stream: {n_killed} SIGKILLs at random points, resumed: 0 byte differences")


def test_ctrl_c_stops_cleanly_with_130_and_the_next_run_goes_on(
    tmp_path: Path, log: Path, dump_store: _Dump
) -> None:
    stream_to_disk(log, tmp_path / "whole")
    command = ["stream", str(log), "--store", str(tmp_path / "stopped"), "--batch-size", "1"]
    terminal, child_side = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "hemostat.cli.main", *command],
        stderr=child_side,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(child_side)
        shown = b""
        while b"lag " not in shown or b"lag -" in shown[-300:]:  # Until something is applied.
            shown += os.read(terminal, 4_096)
        process.send_signal(signal.SIGINT)
        shown = b""
        while chunk := _read_to_end(terminal):
            shown += chunk
    os.close(terminal)
    assert process.returncode == 130
    assert b"the same command goes on from there" in shown
    assert b"panicked" not in shown
    summary = stream_to_disk(log, tmp_path / "stopped")
    assert 0 < summary.events_read < 3_300
    assert dump_store(tmp_path / "stopped") == dump_store(tmp_path / "whole")


def _read_to_end(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4_096)
    except OSError:  # The other side of a terminal closed: its way to say "end of file".
        return b""
