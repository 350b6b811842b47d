"""Several worker processes on this machine: started, watched, stopped together.

A worker that fails takes the others along: what they had in hand is read again from
where the store stands. Nothing else is shared between them.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from features.errors import ConfigError, HemostatError
from stream.waiting import Log

_CHECK_S = 0.1
_GRACE_S = 20.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 30.0

EXIT_REFUSED = 2
"""A worker that met what no new beginning mends (a wrong setting, another log)."""
EXIT_AGAIN = 3
"""A worker that ended and shall begin anew with the others."""


class ClusterEndedError(HemostatError):
    """Another process of the cluster was asked to end or is gone, and so this one ended."""


def make_ended_error(what: str, process_id: int) -> ClusterEndedError:
    """Return what to tell when another process ends.

    Args:
        what: Became of it.
        process_id: This process's number.
    """
    return ClusterEndedError(
        f"another process of the cluster {what}; all end together",
        field="--process-id",
        value=str(process_id),
        expectation="all processes of --addresses running",
        fix="start all of them again; they go on from where the store stands",
    )


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """What came of a cluster.

    Attributes:
        exit_codes: Of the last workers.
        restarts: How often all of them were started anew.
    """

    exit_codes: tuple[int, ...]
    restarts: int


class WorkerGroup:
    """The workers of one machine.

    Args:
        make_command: Returns a worker's command line from its number and all addresses.
        n_workers: How many.
        wait_s: Start them anew after a failure for so long without a steady run; None:
            for ever.
        log: Tells people.
    """

    def __init__(
        self,
        make_command: Callable[[int, Sequence[str]], Sequence[str]],
        n_workers: int,
        *,
        wait_s: float | None,
        log: Log,
    ) -> None:
        self._make_command = make_command
        self._n_workers = n_workers
        self._wait_s = wait_s
        self._log = log
        self._is_asked = threading.Event()
        self._workers: list[subprocess.Popen[bytes]] = []

    def run(self) -> ClusterRun:
        """Run until all workers have ended in order, or somebody asks to stop."""
        restarts, pause_s, failing_s = 0, _FIRST_PAUSE_S, time.monotonic()
        previous = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            while True:
                started_s = time.monotonic()
                ended = self._run_once()
                if time.monotonic() - started_s > _STEADY_S:
                    pause_s, failing_s = _FIRST_PAUSE_S, time.monotonic()
                is_over = self._is_asked.is_set() or not any(ended) or EXIT_REFUSED in ended
                if is_over or self._is_out_of_patience(failing_s):
                    return ClusterRun(ended, restarts)
                self._log(f"a worker failed; all begin anew in {pause_s:g} s")
                self._is_asked.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                restarts += 1
        finally:
            self._stop_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _run_once(self) -> tuple[int, ...]:
        """Start all workers and watch them until all have ended; return their exit codes."""
        addresses = [f"127.0.0.1:{port}" for port in find_free_ports(self._n_workers)]
        self._workers = [
            self._start(self._make_command(number, addresses)) for number in range(self._n_workers)
        ]
        while True:
            codes = [worker.poll() for worker in self._workers]
            if all(code is not None for code in codes):
                return tuple(worker.returncode for worker in self._workers)
            if any(code for code in codes) or self._is_asked.is_set():
                self._stop_all()
                return tuple(worker.returncode for worker in self._workers)
            self._is_asked.wait(_CHECK_S)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # Results are shown once, for all workers; what goes wrong is told by each.
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own

    def _is_out_of_patience(self, failing_s: float) -> bool:
        return self._wait_s is not None and time.monotonic() - failing_s > self._wait_s

    def _stop_all(self) -> None:
        """Ask all workers to end; kill those that hang on one that is gone."""
        is_broken = any(worker.poll() for worker in self._workers)
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL if is_broken else signal.SIGTERM)
        deadline_s = time.monotonic() + _GRACE_S
        for worker in self._workers:
            try:
                worker.wait(max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._is_asked.set()


def check_workers(n_workers: int, *, is_redis: bool) -> None:
    """Refuse several workers on a store that only one process may write.

    Raises:
        ConfigError: Too few workers, or too many for a store on disk.
    """
    if n_workers < 1:
        raise ConfigError(
            "there must be a worker",
            field="--workers",
            value=str(n_workers),
            expectation="1 or more",
            fix="leave it out: one",
        )
    if n_workers > 1 and not is_redis:
        raise ConfigError(
            "a store on disk has one writer",
            field="--workers",
            value=str(n_workers),
            expectation="1 with a store on disk",
            fix="use --store redis://HOST for several workers, or leave --workers out",
        )


def find_free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def make_worker_command(words: Sequence[str], number: int, addresses: Sequence[str]) -> list[str]:
    """Return the command line of a worker.

    Args:
        words: Words behind `hemostat stream`, without `--workers`.
        number: The worker's.
        addresses: Of all workers.
    """
    return [
        sys.executable,
        "-m",
        "hemostat.cli.main",
        "stream",
        *words,
        "--process-id",
        str(number),
        "--addresses",
        ",".join(addresses),
    ]
