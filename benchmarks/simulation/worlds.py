"""The worlds that are measured, and what is measured of each in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from features.log.writer import EventLogWriter
from training.simulation import SimulationConfig, simulate
from training.simulation.rates import compute_rates
from training.simulation.realism.report import WorldRealism, measure_world
from training.simulation.realism.true_cases import TrueCases, read_true_cases
from training.simulation.truth import TRUTH_FILE, TruthWriter


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """A world to simulate and to measure.

    Attributes:
        name: What its rows are called.
        config: The world.
        is_pooled: Its cases count towards artefacts and look-alikes of all seeds.
        folder: Where its log stands while it is measured.
    """

    name: str
    config: SimulationConfig
    is_pooled: bool
    folder: Path


@dataclass(frozen=True, eq=False)
class MeasuredWorld:
    """What came of a world.

    Attributes:
        name: As planned.
        n_events: Events told.
        rates: By name.
        realism: Catch, rules, columns.
        cases: By call, for pooling; empty if it is not pooled.
    """

    name: str
    n_events: int
    rates: Mapping[str, float]
    realism: WorldRealism
    cases: Mapping[str, TrueCases]


def measure_worlds(plans: Sequence[WorldPlan], n_processes: int) -> Iterator[MeasuredWorld]:
    """Yield what came of each world, in the order of the plans."""
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_measure, plans)


def _measure(plan: WorldPlan) -> MeasuredWorld:
    with (
        EventLogWriter(plan.folder, n_partitions=2, formats=("parquet",)) as writer,
        TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth,
    ):
        summary = simulate(plan.config, writer, truth)
    cases = read_true_cases(plan.folder)
    rates = compute_rates(plan.folder)
    shutil.rmtree(plan.folder)
    realism = measure_world(plan.name, cases)
    kept = {call: _strip(one) for call, one in cases.items()} if plan.is_pooled else {}
    return MeasuredWorld(plan.name, summary.n_events, rates, realism, kept)


def _strip(cases: TrueCases) -> TrueCases:
    """Return the cases without the words: pooling does not need them."""
    return replace(cases, embeddings=np.zeros((len(cases), 0), np.int8))
