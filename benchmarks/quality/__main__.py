"""What the probabilities are worth: `make bench-quality`, or BENCH=short for a form for CI.

Simulated worlds whose parameters are drawn from seeds that no development used; real tasks
(Online Retail, hotel bookings); whole bundles; microseconds per score. Ends with one line of
JSON, and writes every figure of every contender in every world to `results/quality_table.csv`.

While something is developed: `python -m benchmarks.quality --worlds 7001,7002 --customers 3000`
measures these worlds alone, with seeds of development, and publishes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality import figures
from benchmarks.quality.bundles import SIMULATED_BUNDLES, measure_bundles, simulate_log
from benchmarks.quality.contenders.returnguard import Call, list_calls
from benchmarks.quality.frozen_policy import FrozenPolicy, load_policy
from benchmarks.quality.history import read_return_facts
from benchmarks.quality.hotel.measuring import find_source, measure_hotel
from benchmarks.quality.hotel.tables import draw_hotel
from benchmarks.quality.online_retail import measure_online_retail
from benchmarks.quality.simulated_worlds import (
    FULL,
    SHORT,
    WorldsPlan,
    measure_worlds,
    prepare_worlds,
)
from benchmarks.quality.speed import measure_hemostat, measure_returnguard
from benchmarks.quality.worlds import DEVELOPMENT_SEEDS
from benchmarks.report import RESULTS, Value, is_short, publish
from features.request_rows import Call as Question
from hemostat.cli.output import Output
from training.head_definitions import ABUSE_HEADS
from training.sources import open_source

TABLE_FILE = "quality_table.csv"


def tell(line: str) -> None:
    """Write a line for people to stderr."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def main(words: Sequence[str]) -> int:
    """Run the bench; 0 if it ran, whether or not every bar is met."""
    asked = _parse(words)
    started = time.perf_counter()
    policy = load_policy()
    values: dict[str, Value] = {}
    if asked.prepare:
        prepare_worlds(FULL, len(os.sched_getaffinity(0)), tell)
        return 0
    if asked.worlds:
        seeds = tuple(int(seed) for seed in asked.worlds.split(","))
        if not set(seeds) <= set(DEVELOPMENT_SEEDS):
            tell(f"seeds of development are {DEVELOPMENT_SEEDS}; the others are for judging")
            return 2
        plan = WorldsPlan(seeds, (), asked.customers, asked.siblings, 200, False)
        _measure_worlds(plan, policy, values)
        Output(False).show(None, [figures.draw_bars(values)])
        return 0
    with tempfile.TemporaryDirectory(prefix="hemostat-bench-") as name:
        tell("real tasks, whole bundles, speed")
        _measure_rest(Path(name), values)
    tell("simulated worlds")
    report = _measure_worlds(SHORT if is_short() else FULL, policy, values)
    figures.write_rows(RESULTS / TABLE_FILE, report)
    Output(False).show(None, [figures.draw_bars(values)])
    values["elapsed_s"] = time.perf_counter() - started
    publish("quality", values)
    return 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--worlds", default="", help="seeds of development, with commas")
    parser.add_argument(
        "--prepare", action="store_true", help="only simulate the shops of the long form"
    )
    parser.add_argument("--customers", type=int, default=3_000, help="of each shop")
    parser.add_argument("--siblings", type=int, default=9, help="further shops for the oracle")
    return parser.parse_args(list(words))


def _measure_worlds(
    plan: WorldsPlan, policy: FrozenPolicy, values: dict[str, Value]
) -> figures.WorldsReport:
    """Fill in the figures of the simulated worlds, show their tables, return all of it."""
    worlds, refused = measure_worlds(plan, policy, len(os.sched_getaffinity(0)), tell)
    report = figures.make_report(worlds, refused, policy, plan.n_resamples)
    values |= figures.summarise(report)
    Output(False).show(
        None,
        [
            figures.draw_contenders(report, values, plan.n_siblings + 1),
            figures.draw_honest(report),
            figures.draw_calibration(report),
        ],
    )
    return report


def _measure_rest(folder: Path, values: dict[str, Value]) -> None:
    simulated = simulate_log(folder / "simulated")
    log = measure_online_retail(folder, values)
    if log is None:
        tell("left out: Online Retail; to enable: set HEMOSTAT_DATA to the data sets' folder")
    hotel = find_source()
    if hotel is None:
        tell("left out: hotel bookings; to enable: set HEMOSTAT_DATA to the data sets' folder")
    else:
        Output(False).show(None, [draw_hotel(measure_hotel(hotel, folder, values))])
    measure_bundles(folder, log, simulated, values)
    values |= measure_hemostat(folder, simulated, folder / SIMULATED_BUNDLES)
    values |= measure_returnguard(_list_returns(simulated))


def _list_returns(log: Path) -> list[Call]:
    """Return a log's returns as `returnguard` wants them."""
    source = open_source(log, lambda *_: None, heads=ABUSE_HEADS)
    cases = source.cases.cases[Question.RETURN]
    facts = read_return_facts(cases, source.cases.facts)
    unknown = np.full(len(cases), np.nan, np.float32)
    return list_calls(facts, np.ones(len(cases), np.bool_), unknown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
