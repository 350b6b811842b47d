"""How `hemostat demo` ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest


def _wait_until(is_so: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(6_000):
        if is_so():
            return
        tick.wait(0.01)
    pytest.fail("the step did not begin")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_and_its_step_and_removes_its_folder(
    number: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hemostat.cli.main", "demo"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stderr is not None
        _wait_until(lambda: any(tmp_path.glob("hemostat-demo-*/.simulated.*")))
        demo.send_signal(number)
        # The step holds the same stderr: its end is seen only when the step has ended, too.
        assert "Traceback" not in demo.stderr.read()
        assert demo.wait(30) == 128 + number
    assert list(tmp_path.iterdir()) == []
