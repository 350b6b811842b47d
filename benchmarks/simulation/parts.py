"""Speed, memory and the whole way of a million events, in fresh processes.

As a program this module runs one simulation and loads nothing else: its memory is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Figures = dict[str, float]


def run_alone(**arguments: object) -> Figures:
    """Return `measure_run` of a fresh process; arguments as there.

    Raises:
        RuntimeError: It failed.
    """
    words = [sys.executable, "-m", "benchmarks.simulation.parts", json.dumps(arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a simulation failed:\n{done.stderr[-4_000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure_run(n_customers: int, days: int, log: str = "") -> Figures:
    """Return speed on one core and greatest memory of one simulation.

    Args:
        n_customers: Size of the world.
        days: Its horizon.
        log: Where to append as Parquet. Empty: events are counted and dropped.
    """
    from training.simulation import SimulationConfig, simulate

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    config = SimulationConfig(seed=1, n_customers=n_customers, days=days)
    started_s, wall_s = time.process_time(), time.perf_counter()
    if log:
        from features.log.writer import EventLogWriter

        with EventLogWriter(Path(log), n_partitions=2, formats=("parquet",)) as writer:
            summary = simulate(config, writer)
    else:
        summary = simulate(config, _Dropped())
    n_events = summary.n_events + summary.n_repeated
    cpu_s, wall_s = time.process_time() - started_s, time.perf_counter() - wall_s
    return {
        "n_events": n_events,
        "events_per_s": n_events / cpu_s,  # Processor time: another process may share the core.
        "wall_events_per_s": n_events / wall_s,
        "peak_mib": _read_peak_mib(),
    }


def _read_peak_mib() -> float:
    """Return the greatest resident memory of this process since it began.

    Not `ru_maxrss`: that one counts what the parent held when it forked.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024.0


class _Dropped:
    """A sink that keeps nothing."""

    def append_structs(self, events: list[Any]) -> None:
        """Take events."""


def measure_end_to_end(folder: Path, n_customers: int, days: int) -> Figures:
    """Return how long simulating, streaming and the feature log take, with the commands.

    The stream and the feature log read the same log and run side by side, one core each.
    """
    log, store, vectors = (str(folder / name) for name in ("log", "store", "features"))
    simulating = ("simulate", log, "--customers", str(n_customers), "--days", str(days),
                  "--seed", "1", "--format", "parquet")  # fmt: skip
    started_s = time.perf_counter()
    told, simulate_s = _run_command(simulating)
    with ThreadPoolExecutor(2) as pool:
        stream = pool.submit(_run_command, ("stream", log, "--store", store))
        feature_log = pool.submit(_run_command, ("log", "features", log, "--to", vectors))
    return {
        "n_events": told["manifest"]["n_events"],
        "simulate_s": simulate_s,
        "stream_s": stream.result()[1],
        "feature_log_s": feature_log.result()[1],
        "total_s": time.perf_counter() - started_s,
    }


def _run_command(words: Sequence[str]) -> tuple[Any, float]:
    """Return what a command tells, and the seconds it took."""
    started_s = time.perf_counter()
    command = [sys.executable, "-m", "hemostat.cli.main", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"hemostat {words[0]} failed:\n{done.stderr[-2_000:]}")
    return json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - started_s


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_run(**json.loads(sys.argv[1]))) + "\n")
