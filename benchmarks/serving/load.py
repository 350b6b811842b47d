"""An open-loop caller in a process of its own: calls leave on schedule, answered or not.

A call's latency counts from the moment at which it was due, so a server (or this
process) that falls behind shows in the figures and cannot slow the schedule down.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from hemostat.v1 import scoring_pb2 as pb
from hemostat.v1 import scoring_pb2_grpc

_N_WARM = 200


async def _call(stub: Any, request: pb.ScoreRequest, due_s: float, taken_us: list[float]) -> None:
    await stub.Score(request, timeout=5)
    taken_us.append((time.perf_counter() - due_s) * 1e6)


async def measure(
    address: str, requests: list[pb.ScoreRequest], rate_per_s: float, n_calls: int
) -> dict[str, float]:
    """Return quantiles of the latency, microseconds, at a steady rate of single calls."""
    taken_us: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        for number in range(_N_WARM):
            await stub.Score(requests[number % len(requests)], timeout=5)
        gc.collect()
        gc.freeze()
        start_s = time.perf_counter() + 0.1
        calls = []
        for number in range(n_calls):
            due_s = start_s + number / rate_per_s
            pause_s = due_s - time.perf_counter()
            # asyncio wakes up to a millisecond late: the last stretch is spun.
            if pause_s > 0.002:
                await asyncio.sleep(pause_s - 0.002)
            while time.perf_counter() < due_s:
                await asyncio.sleep(0)
            request = requests[number % len(requests)]
            calls.append(asyncio.create_task(_call(stub, request, due_s, taken_us)))
        await asyncio.gather(*calls)
    p50, p90, p99 = (float(np.quantile(taken_us, q)) for q in (0.5, 0.9, 0.99))
    return {"p50": p50, "p90": p90, "p99": p99}


def main(words: list[str]) -> None:
    """Print the quantiles as JSON: `ADDRESS REQUESTS RATE N`."""
    batch = pb.ScoreBatchRequest.FromString(Path(words[1]).read_bytes())
    figures = asyncio.run(measure(words[0], list(batch.requests), float(words[2]), int(words[3])))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
