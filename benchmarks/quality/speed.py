"""Microseconds per score: hemostat in process, as a caller would have it, and `returnguard`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.quality.contenders.returnguard import Call, Settings, make_scorer
from benchmarks.report import Value, is_short
from benchmarks.serving.requests import read_last_requests
from hemostat.v1 import scoring_pb2 as pb

_N_EVENTS = 4_000
"""Last cases of the log, of which the returns are asked."""


def measure_hemostat(folder: Path, log: Path, bundles: Path) -> dict[str, Value]:
    """Return the median time of a return's whole answer, in a process of its own.

    Conversion, features from the store, all heads, reasons and the decision log are in it.

    Args:
        folder: Where the store is made.
        log: A simulated log.
        bundles: What `hemostat train` made of it.
    """
    place = folder / "speed"
    place.mkdir()
    (place / "bundles").symlink_to(bundles, target_is_directory=True)
    _run(["hemostat.cli.main", "stream", str(log), "--store", str(place / "store"), "--json"])
    requests = [
        request
        for request in read_last_requests(log, _N_EVENTS)
        if request.WhichOneof("case") == "return_request"
    ]
    asked = place / "requests.bin"
    asked.write_bytes(pb.ScoreBatchRequest(requests=requests).SerializeToString())
    repeats = "1000" if is_short() else "5000"
    told = _run(["benchmarks.serving.stages", str(place), str(asked), repeats])
    figures = json.loads(told.splitlines()[-1])
    return {
        "score_us_hemostat_in_process": figures["in_process_us_p50"],
        "score_us_hemostat_in_process_p99": figures["in_process_us_p99"],
    }


def measure_returnguard(calls: list[Call]) -> dict[str, Value]:
    """Return the median time of one score of the package, its request and profile at hand."""
    scorer = make_scorer(Settings())
    times = []
    for call in calls:
        start_ns = time.perf_counter_ns()
        scorer.score(*call)
        times.append((time.perf_counter_ns() - start_ns) / 1e3)
    return {"score_us_returnguard": statistics.median(times)}


def _run(words: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:2])} failed: {done.stderr[-2000:]}")
    return done.stdout
