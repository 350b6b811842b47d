"""How a cluster ends: in order, together, and whatever becomes of one process."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.cluster import (
    EXIT_AGAIN,
    EXIT_REFUSED,
    WorkerGroup,
    find_free_ports,
    make_worker_command,
)
from stream.running_state import read_running_states
from tests.redis_servers import RedisServer

_numbers = itertools.count()


class _Member:
    """One process of a cluster of two, following."""

    def __init__(self, words: Sequence[str], number: int, addresses: Sequence[str]) -> None:
        self._lines: list[str] = []
        self.has_told = threading.Event()
        self._process = subprocess.Popen(
            make_worker_command(words, number, addresses),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            self.has_told.set()

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float) -> tuple[int, str]:
        """Return exit code and what was told; it must end within so long."""
        code = self._process.wait(seconds)
        self._reading.join()
        return code, "".join(self._lines)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


_Start = Callable[[Sequence[int]], list[_Member]]


@pytest.fixture
def start_members(
    tmp_path: Path, troubled_log: Path, redis_server: RedisServer
) -> Iterator[_Start]:
    """Call with numbers: those of two processes. Both have read something if both are there."""
    started: list[_Member] = []
    place = f"{redis_server.url}/?prefix=ending{next(_numbers)}"
    source, state = tmp_path / "log", tmp_path / "state"
    source.mkdir()
    for partition in range(2):
        lines = troubled_log / "jsonl" / f"partition={partition:02d}" / "events.jsonl"
        (source / f"part-{partition}.jsonl").write_bytes(lines.read_bytes())

    def start(numbers: Sequence[int]) -> list[_Member]:
        addresses = [f"127.0.0.1:{port}" for port in find_free_ports(2)]
        words = [str(source), "--store", place, "--state", str(state), "--follow"]
        started.extend(_Member(words, number, addresses) for number in numbers)
        deadline_s = time.monotonic() + 60.0
        while len(numbers) > 1 and time.monotonic() < deadline_s:
            told = read_running_states(state)
            if len(told) == 2 and all(each.events_read for each in told):
                break
            threading.Event().wait(0.05)
        return started

    yield start
    for each in started:
        each.kill()


@pytest.mark.parametrize("asked", [0, 1])
def test_one_of_two_processes_asked_to_end_ends_both_in_order(
    start_members: _Start, asked: int
) -> None:
    members = start_members([0, 1])
    members[asked].send(signal.SIGTERM)
    assert members[asked].wait(10.0)[0] == 0
    code, told = members[1 - asked].wait(10.0)
    assert code == EXIT_AGAIN
    assert "another process of the cluster was asked to end" in told


def test_a_killed_process_takes_the_other_along_with_a_clear_message(
    start_members: _Start,
) -> None:
    members = start_members([0, 1])
    members[0].send(signal.SIGKILL)
    code, told = members[1].wait(10.0)
    assert code == EXIT_AGAIN
    assert "another process of the cluster is gone" in told


def test_a_process_whose_other_hangs_ends_alone_when_it_is_asked(start_members: _Start) -> None:
    members = start_members([0, 1])
    members[1].send(signal.SIGSTOP)
    members[0].send(signal.SIGTERM)
    code, told = members[0].wait(15.0)
    assert code == EXIT_AGAIN
    assert "the other processes have not ended" in told


def test_a_process_that_waits_for_the_other_to_begin_ends_when_it_is_asked(
    start_members: _Start,
) -> None:
    (alone,) = start_members([1])
    assert alone.has_told.wait(60.0)  # That it cannot connect, and tries again.
    alone.send(signal.SIGTERM)
    assert alone.wait(15.0)[0] == EXIT_AGAIN


def _run_group(code: str, tmp_path: Path, *, wait_s: float | None = 60.0) -> tuple[Any, list[str]]:
    """Run two workers of some Python; they know their number and a folder of their own."""
    told: list[str] = []

    def make_command(number: int, addresses: Sequence[str]) -> Sequence[str]:
        assert len(set(addresses)) == 2
        return [sys.executable, "-c", code, str(number), str(tmp_path)]

    return WorkerGroup(make_command, 2, wait_s=wait_s, log=told.append).run(), told


_FAIL_ONCE = """
import pathlib, sys, time
mark = pathlib.Path(sys.argv[2]) / "failed"
if mark.exists():
    sys.exit(0)
if sys.argv[1] == "1":
    mark.touch()
    sys.exit(3)
time.sleep(60)
"""


def test_a_worker_that_fails_takes_the_others_along_and_all_begin_anew(tmp_path: Path) -> None:
    done, told = _run_group(_FAIL_ONCE, tmp_path)
    assert (done.exit_codes, done.restarts) == ((0, 0), 1)
    assert told == ["a worker failed; all begin anew in 0.5 s"]


def test_a_worker_that_is_refused_ends_all_for_good(tmp_path: Path) -> None:
    code = "import sys, time; sys.exit(2) if sys.argv[1] == '0' else time.sleep(60)"
    done, told = _run_group(code, tmp_path)
    assert done.exit_codes == (EXIT_REFUSED, -signal.SIGKILL)
    assert (done.restarts, told) == (0, [])


def test_workers_that_fail_again_and_again_are_given_up(tmp_path: Path) -> None:
    done, told = _run_group("import sys; sys.exit(1)", tmp_path, wait_s=1.0)
    assert any(done.exit_codes)
    assert done.restarts == len(told) >= 1
