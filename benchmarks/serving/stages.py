"""In-process latency of one case by stage, beside the bare ONNX run: a process of its own."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from features.model_bundle import to_rows
from features.store.lmdb_store import LmdbFeatureReader
from hemostat.v1 import scoring_pb2 as pb
from scoring.cases import Case
from scoring.clock import make_clock
from scoring.conversion import to_case
from scoring.decision_log import DecisionLog
from scoring.metrics import ScoringMetrics
from scoring.model import Model, load_model
from scoring.rules import load_rules
from scoring.scorer import Scorer
from scoring.serving_store import ServingStore
from scoring.validation import validate_request
from scoring.warming import warm_scorer

_BATCH = 64


class SampledMetrics(ScoringMetrics):
    """The scorer's metrics, which also keep every stage's time."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: dict[str, list[float]] = {}

    @contextmanager
    def time_stage(self, stage: str) -> Iterator[None]:
        """Measure one stage and keep the time, microseconds."""
        start_ns = time.perf_counter_ns()
        try:
            yield
        finally:
            taken_us = (time.perf_counter_ns() - start_ns) / 1e3
            self.samples.setdefault(stage, []).append(taken_us)


def _measure_us(repeats: int, run: Callable[[int], object]) -> list[float]:
    times = []
    for number in range(repeats):
        start_ns = time.perf_counter_ns()
        run(number)
        times.append((time.perf_counter_ns() - start_ns) / 1e3)
    return times


class StageBench:
    """A scorer over a store and a bundle, without transport."""

    def __init__(self, folder: Path, requests: list[pb.ScoreRequest]) -> None:
        self.requests = requests
        self.model: Model = load_model(folder / "bundles")
        self.store = LmdbFeatureReader.open_reader(folder / "store")
        self.serving = ServingStore.open(folder / "decisions")
        applied_us = max(self.store.read_shard_state(n).applied_ingest_us for n in range(16))
        self.clock = make_clock("log-end", applied_us)
        self.metrics = SampledMetrics()
        self.tenant = self.model.manifest.tenant
        rules = load_rules()
        self.scorer = Scorer(
            store=self.store,
            get_models=lambda: {self.tenant: self.model},
            get_rules=lambda: rules,
            log=DecisionLog(self.serving),
            clock=self.clock,
            metrics=self.metrics,
        )
        warm_scorer({self.tenant: self.model}, rules)

    def convert(self, number: int) -> Case:
        """Validate and convert one request."""
        request = self.requests[number % len(self.requests)]
        now_us = self.clock.read_us()
        validate_request(request, {self.tenant}, now_us)
        return to_case(
            request,
            with_lines=self.model.has_line_heads,
            received_s=time.perf_counter(),
            now_us=now_us,
        )

    async def measure(self, repeats: int) -> dict[str, float]:
        """Return the figures, microseconds unless said otherwise."""
        for number in range(200):
            self.scorer.score([self.convert(number)])
        self.metrics.samples.clear()
        whole = []
        for number in range(repeats):
            start_ns = time.perf_counter_ns()
            self.scorer.score([self.convert(number)])
            whole.append((time.perf_counter_ns() - start_ns) / 1e3)
            await asyncio.sleep(0)  # The log may move what it has: not part of a call.
        stages = {name: statistics.median(s) for name, s in self.metrics.samples.items()}
        convert = _measure_us(repeats, self.convert)
        onnx = self._measure_onnx(repeats)
        cases = [self.convert(number) for number in range(_BATCH)]
        batch_us = statistics.median(_measure_us(repeats // 40, lambda _: self.scorer.score(cases)))
        await self.serving.close()
        return {
            "in_process_us_p50": statistics.median(whole),
            "in_process_us_p99": float(np.quantile(whole, 0.99)),
            **{f"in_process_{name}_us_p50": value for name, value in stages.items()},
            "in_process_convert_us_p50": statistics.median(convert),
            "raw_onnx_us_p50": statistics.median(onnx),
            "raw_onnx_us_p99": float(np.quantile(onnx, 0.99)),
            "in_process_batch64_us_per_case": batch_us / _BATCH,
        }

    def _measure_onnx(self, repeats: int) -> list[float]:
        """Time bare runs on rows as different from each other as the cases were."""
        golden = to_rows(self.model.manifest.golden)
        rows = [golden[n : n + 1] for n in range(len(golden))]
        names = [head.name for head in self.model.heads]
        run = self.model.session.run
        return _measure_us(repeats, lambda n: run(names, {"features": rows[n % len(rows)]}))


def main(words: list[str]) -> None:
    """Print the figures as JSON: `FOLDER REQUESTS REPEATS`."""
    folder, requests, repeats = Path(words[0]), Path(words[1]), int(words[2])
    batch = pb.ScoreBatchRequest.FromString(requests.read_bytes())
    bench = StageBench(folder, list(batch.requests))
    figures = asyncio.run(bench.measure(repeats))
    figures["n_heads"] = float(len(bench.model.heads))
    figures["n_trees"] = float(sum(head.n_trees for head in bench.model.manifest.heads))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
