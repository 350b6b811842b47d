"""The core against the twin at full length: `make parity`, or BENCH=short for a tenth.

Of the questions a quarter is read back through stream, store and vector, the stream
being stopped at their times. Ends with one line of JSON, and with status 1 if any
feature of any question differs.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.report import is_short, publish
from benchmarks.twin.cases import read_cases
from benchmarks.twin.core_answer import build_questions, compute_core
from benchmarks.twin.logs import (
    find_online_retail,
    write_online_retail,
    write_random,
    write_simulated,
)
from benchmarks.twin.parity import ParityReport, compare_with_twin, select
from benchmarks.twin.sampling import draw_cut_queries, draw_queries
from benchmarks.twin.stream_answer import compute_streamed
from benchmarks.twin.twin import compute_twin
from features.definitions import FEATURE_NAMES


@dataclass(frozen=True, slots=True)
class Part:
    """Some questions to a log.

    Attributes:
        name: What is printed.
        log: Folder of the log.
        n_free: Questions at any time, answered in bulk.
        n_cuts: Times at which the stream is stopped.
        n_per_cut: Questions at each of them, answered in bulk and through the store.
        seed: Of all draws.
    """

    name: str
    log: Path
    n_free: int
    n_cuts: int
    n_per_cut: int
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part.

    Attributes:
        in_bulk: All questions.
        through_store: Those at the stops.
        n_entities: (entity, time) pairs behind them: entities that the questions name.
        moving: Which features took more than one value, shape `(n_features,)`.
    """

    in_bulk: ParityReport
    through_store: ParityReport
    n_entities: int
    moving: npt.NDArray[np.bool_]


def run_part(part: Part, folder: Path) -> Outcome:
    """Ask the twin, the bulk job and the store, and compare."""
    started = time.perf_counter()
    events, cases = read_cases(part.log)
    rng = np.random.default_rng(part.seed)
    free = draw_queries(events, cases, part.n_free, rng)
    at_cuts = draw_cut_queries(events, cases, part.n_cuts, part.n_per_cut, rng)
    queries = pa.concat_tables([free, at_cuts])
    twin = compute_twin(part.log, cases, queries)
    questions = build_questions(cases, queries)
    in_bulk = compute_core(part.log, questions)
    streamed = compute_streamed(
        part.log, folder, questions.take(np.arange(part.n_free, queries.num_rows))
    )
    vectors = in_bulk.astype(np.float64)
    outcome = Outcome(
        compare_with_twin(in_bulk, queries, twin),
        compare_with_twin(streamed, at_cuts, select(twin, slice(part.n_free, None))),
        int(questions.is_named.sum()),
        np.nanmin(vectors, 0, initial=np.inf) < np.nanmax(vectors, 0, initial=-np.inf),
    )
    _print_outcome(part.name, outcome, time.perf_counter() - started)
    return outcome


def _print_outcome(name: str, outcome: Outcome, seconds: float) -> None:
    print(f"{name}, in bulk: {outcome.in_bulk}")
    print(
        f"{name}, stream -> store -> vector: {outcome.through_store}; {seconds:.0f} s", flush=True
    )
    for report in (outcome.in_bulk, outcome.through_store):
        for found in report.differences[:20]:
            print(f"    {found}")


def build_parts(folder: Path, share: float, seed: int) -> list[Part]:
    """Write the logs; return the parts, of `share` of the full length."""

    def scale(n: int) -> int:
        return math.ceil(n * share)

    parts = []
    retail = find_online_retail()
    n_real = 38_500 if retail else 0
    if retail:
        log = write_online_retail(retail, folder / "online_retail")
        parts.append(Part("Online Retail", log, scale(n_real), scale(40), 310, seed))
    else:
        print("left out: Online Retail; to enable: set HEMOSTAT_DATA to the data sets' folder")
    n_customers = 200 if share < 1 else 1_000
    log = write_simulated(folder / "simulated", n_customers=n_customers, days=500, seed=seed)
    parts.append(Part("simulated", log, scale(60_000 - n_real), scale(26), 320, seed + 1))
    for number in range(2 if share < 1 else 6):
        is_hostile = number % 2 == 1
        log = write_random(
            folder / f"random{number}",
            n_events=4_000 if share < 1 else 10_000,
            seed=seed + number,
            is_hostile=is_hostile,
        )
        name = f"{'hostile' if is_hostile else 'awkward'} {number}"
        n_free, n_cuts = (850, 3) if share < 1 else (2_900, 8)
        parts.append(Part(name, log, n_free, n_cuts, 110, seed + 10 + number))
    return parts


def main(arguments: Sequence[str]) -> int:
    """Run all parts; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2_611)
    seed = parser.parse_args(arguments).seed
    started = time.perf_counter()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="hemostat-parity-") as name:
        folder = Path(name)
        for number, part in enumerate(build_parts(folder, 0.1 if is_short() else 1.0, seed)):
            outcomes.append(run_part(part, folder / f"store{number}"))
    moving = np.any([outcome.moving for outcome in outcomes], axis=0)
    still = [name for name, moves in zip(FEATURE_NAMES, moving, strict=True) if not moves]
    if still:
        print(f"features that no log moves: {', '.join(still)}")
    n_differences = sum(
        found.n_rows
        for outcome in outcomes
        for report in (outcome.in_bulk, outcome.through_store)
        for found in report.differences
    )
    publish(
        "parity",
        {
            "pairs": sum(outcome.in_bulk.n_pairs for outcome in outcomes),
            "pairs_through_store": sum(outcome.through_store.n_pairs for outcome in outcomes),
            "entity_time_pairs": sum(outcome.n_entities for outcome in outcomes),
            "features": len(FEATURE_NAMES),
            "differences": n_differences,
            "features_without_movement": len(still),
            "left_out_old_own_cases": sum(outcome.in_bulk.n_left_out for outcome in outcomes),
            "seed": seed,
            "seconds": time.perf_counter() - started,
        },
    )
    return 1 if n_differences or still else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
