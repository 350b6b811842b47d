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
    import resource

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
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
    }


class _Dropped:
    """A sink that keeps nothing."""

    def append_structs(self, events: list[Any]) -> None:
        """Take events."""


def measure_end_to_end(folder: Path, n_customers: int, days: int) -> Figures:
    """Return how long simulating, streaming and the feature log take, with the commands."""
    log, store, vectors = (str(folder / name) for name in ("log", "store", "features"))
    steps = {
        "simulate": ("simulate", log, "--customers", str(n_customers), "--days", str(days),
                     "--seed", "1", "--format", "parquet"),
        "stream": ("stream", log, "--store", store),
        "feature_log": ("log", "features", log, "--to", vectors),
    }  # fmt: skip
    figures: Figures = {}
    for name, words in steps.items():
        started_s = time.perf_counter()
        told = _run_command(words)
        figures[f"{name}_s"] = time.perf_counter() - started_s
        if name == "simulate":
            figures["n_events"] = told["manifest"]["n_events"]
    figures["total_s"] = sum(figures[f"{name}_s"] for name in steps)
    return figures


def _run_command(words: Sequence[str]) -> Any:
    command = [sys.executable, "-m", "hemostat.cli.main", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"hemostat {words[0]} failed:\n{done.stderr[-2_000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_run(**json.loads(sys.argv[1]))) + "\n")
