"""The simulated shop: `make bench-simulation`, or BENCH=short for a form of a minute.

Is it honest (single columns, words, artefacts, look-alikes, what a learner and one
rule catch, on five seeds and the presets), does it resemble published rates, and is
it fast (events per second on one core, memory over the horizon, a million events
through simulation, stream and feature log)? Ends with one line of JSON.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Value, is_short, publish
from benchmarks.simulation.figures import draw_bars, draw_rates, summarise_realism
from benchmarks.simulation.parts import measure_end_to_end, run_alone
from benchmarks.simulation.worlds import MeasuredWorld, WorldPlan, measure_worlds
from hemostat.cli.output import Output
from hemostat.cli.realism_tables import draw_realism
from training.simulation import SimulationConfig
from training.simulation.presets import DEFAULT_WORLD, WORLDS, make_config
from training.simulation.realism.report import Realism, measure_pooled


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        seeds: Of the default world.
        n_customers: Of each.
        days: Of each.
        n_customers_preset: Of the other worlds; 0 leaves them out.
        n_customers_end_to_end: So that a horizon of `days` tells the events asked for.
        n_speed_customers: Of the world that is timed.
        month_days: The horizons whose memory is compared, shortest and longest.
    """

    seeds: tuple[int, ...]
    n_customers: int
    days: int
    n_customers_preset: int
    n_customers_end_to_end: int
    n_speed_customers: int
    month_days: tuple[int, int]


FULL = Sizes((1, 2, 3, 4, 5), 20_000, 548, 20_000, 29_000, 6_000, (30, 730))
SHORT = Sizes((1, 2), 2_000, 365, 0, 1_500, 1_500, (30, 365))


def tell(line: str) -> None:
    """Write a line for people to stderr."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def main() -> int:
    """Run the bench; 0 if it ran, whether or not every bar is met."""
    started_s = time.perf_counter()
    sizes = SHORT if is_short() else FULL
    output = Output(False)
    values: dict[str, Value] = {}
    with tempfile.TemporaryDirectory(prefix="hemostat-bench-") as name:
        folder = Path(name)
        tell("speed and memory")
        values |= _measure_speed(sizes, folder)
        tell("end to end")
        end = measure_end_to_end(folder, sizes.n_customers_end_to_end, sizes.days)
        values |= {f"end_to_end_{key}": value for key, value in end.items() if key != "total_s"}
        if not is_short():  # The bar is a million events'.
            values["end_to_end_s"] = end["total_s"]
        values["end_to_end_events_per_s"] = end["n_events"] / end["total_s"]
        tell("worlds")
        worlds = []
        plans = list(_plan_worlds(sizes, folder))
        for world in measure_worlds(plans, len(os.sched_getaffinity(0))):
            tell(f"{world.name}: {_describe(world)}")
            worlds.append(world)
    pooled = [world for world in worlds if world.cases]
    report = Realism(
        tuple(world.realism for world in worlds),
        len(pooled),
        *measure_pooled([one.cases for one in pooled]),
    )
    values |= {"n_worlds": len(worlds), "n_pooled_worlds": len(pooled)}
    values |= summarise_realism(report, worlds)
    output.show(None, [*draw_realism(report), draw_rates(pooled)])
    for world in worlds:
        if not world.cases:
            output.show(None, [draw_rates([world])])
    output.show(None, [draw_bars(values, is_short=is_short())])
    values["elapsed_s"] = time.perf_counter() - started_s
    publish("simulation", values)
    return 0


def _describe(world: MeasuredWorld) -> str:
    caught = ", ".join(
        f"{call} {found.recall:.2f}" for call, found in world.realism.catches.items()
    )
    return f"{world.n_events:,} events, caught: {caught}"


def _measure_speed(sizes: Sizes, folder: Path) -> dict[str, Value]:
    values: dict[str, Value] = {}
    n_customers = sizes.n_speed_customers
    alone = run_alone(n_customers=n_customers, days=sizes.days)
    appended = run_alone(n_customers=n_customers, days=sizes.days, log=str(folder / "appended"))
    short, long = (run_alone(n_customers=3_000, days=days) for days in sizes.month_days)
    values["speed_n_events"] = alone["n_events"]
    values["events_per_s"] = alone["events_per_s"]
    values["events_per_s_by_the_clock"] = alone["wall_events_per_s"]
    values["events_per_s_appended_as_parquet"] = appended["events_per_s"]
    values["events_per_s_first_month"] = short["events_per_s"]
    first, last = sizes.month_days
    values[f"peak_mib_{first}_days"] = short["peak_mib"]
    values[f"peak_mib_{last}_days"] = long["peak_mib"]
    name = "memory_growth_1_to_24_months" if last >= 730 else "memory_growth_1_to_12_months"
    values[name] = long["peak_mib"] / short["peak_mib"]
    return values


def _plan_worlds(sizes: Sizes, folder: Path) -> Iterator[WorldPlan]:
    for seed in sizes.seeds:
        config = SimulationConfig(seed=seed, n_customers=sizes.n_customers, days=sizes.days)
        yield WorldPlan(f"default, seed {seed}", config, True, folder / f"seed-{seed}")
    for name in WORLDS:
        if name == DEFAULT_WORLD or not sizes.n_customers_preset:
            continue
        config = make_config(name, seed=1, n_customers=sizes.n_customers_preset, days=sizes.days)
        yield WorldPlan(name, config, False, folder / name)


if __name__ == "__main__":
    sys.exit(main())
