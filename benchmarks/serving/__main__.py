"""How fast the scorer answers: in process and over gRPC, each beside its limit.

Material: a simulated log, streamed into a store, a bundle trained on it, and the
log's own last cases as requests. The limit in process is a bare ONNX run of the
same bundle; over gRPC it is the same service on grpc.aio with an empty handler,
called by the same open-loop caller at the same low rate. Servers and callers are
processes of their own; server and limit take turns, medians over the rounds count.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import Value, is_short, publish
from benchmarks.serving.requests import read_last_requests
from hemostat.client import Client
from hemostat.v1 import scoring_pb2 as pb

_N_REQUESTS = 1_000
_RATE_PER_S = 100.0


def _run_json(words: Sequence[str]) -> dict[str, float]:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:2])} failed: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _make_material(folder: Path, n_customers: int) -> None:
    """Simulate, stream and train as a user would."""
    log = str(folder / "log")
    for words in (
        ("simulate", log, "--seed", "11", "--customers", str(n_customers)),
        ("stream", log, "--store", str(folder / "store")),
        ("train", log, "--out", str(folder / "bundles")),
    ):
        _run_json(["hemostat.cli.main", *words, "--json"])
    requests = read_last_requests(folder / "log", _N_REQUESTS)
    batch = pb.ScoreBatchRequest(requests=requests)
    (folder / "requests.bin").write_bytes(batch.SerializeToString())


@contextmanager
def _running(words: Sequence[str]) -> Iterator[tuple[str, subprocess.Popen[str], float]]:
    """Start a server; yield its address, process and seconds until it took calls."""
    start_s = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = str(json.loads(server.stdout.readline())["address"])
        yield address, server, time.perf_counter() - start_s
    finally:
        server.terminate()
        server.wait(30)


def _read_rss_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def _measure_grpc(folder: Path, n_calls: int, rounds: int) -> dict[str, float]:
    """Return latency quantiles of the scorer and of the empty handler, taking turns."""
    requests = str(folder / "requests.bin")
    serve = [
        "hemostat.cli.main", "serve", "--json", "--store", str(folder / "store"),
        "--bundle", str(folder / "bundles"), "--decisions", str(folder / "serving"),
        "--port", "0", "--metrics-port", "0", "--clock", "log-end",
    ]  # fmt: skip
    found: dict[str, list[float]] = {}
    figures: dict[str, float] = {}
    with _running(serve) as (address, server, ready_s):
        first = pb.ScoreBatchRequest.FromString((folder / "requests.bin").read_bytes()).requests[0]
        with Client(address) as client:
            start_s = time.perf_counter()
            answer = client.score(first)
            figures["first_call_ms"] = (time.perf_counter() - start_s) * 1e3
        empty = ["benchmarks.serving.empty_server", answer.SerializeToString().hex()]
        with _running(empty) as (limit, _, _):
            for _ in range(rounds):
                for name, target in (("grpc", address), ("empty_handler", limit)):
                    load = ["benchmarks.serving.load", target, requests]
                    quantiles = _run_json([*load, str(_RATE_PER_S), str(n_calls)])
                    for quantile, value in quantiles.items():
                        found.setdefault(f"{name}_us_{quantile}", []).append(value)
        figures |= {"ready_s": ready_s, "server_rss_mb": _read_rss_mb(server.pid)}
    return figures | {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Run all parts and publish the figures."""
    repeats, n_calls, rounds = (2_000, 400, 3) if is_short() else (10_000, 1_500, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_material(folder, 1_500 if is_short() else 4_000)
        words = ["benchmarks.serving.stages", str(folder), str(folder / "requests.bin")]
        values: dict[str, Value] = {**_run_json([*words, str(repeats)])}
        values |= _measure_grpc(folder, n_calls, rounds)
    values["grpc_rate_per_s"] = _RATE_PER_S
    for figure, part, limit in (
        ("in_process_ratio_to_raw_onnx", "in_process_us_p50", "raw_onnx_us_p50"),
        ("grpc_p50_ratio_to_empty_handler", "grpc_us_p50", "empty_handler_us_p50"),
        ("grpc_p99_ratio_to_empty_handler", "grpc_us_p99", "empty_handler_us_p99"),
    ):
        values[figure] = float(values[part]) / float(values[limit])
    for figure, value in values.items():
        sys.stdout.write(f"{figure:<36} {value:>14,.2f}\n")
    publish("serving", values)


if __name__ == "__main__":
    main()
