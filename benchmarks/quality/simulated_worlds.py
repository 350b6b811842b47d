"""All worlds: simulated, judged, and refused where their oracle finds too little or too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks.quality.contenders import Contender
from benchmarks.quality.contenders.logistic import Logistic
from benchmarks.quality.contenders.returnguard import ReturnGuard
from benchmarks.quality.contenders.rules import Rules
from benchmarks.quality.contenders.trees import Hemostat, PlainTrees, RequestTrees
from benchmarks.quality.frozen_policy import FrozenPolicy
from benchmarks.quality.judging import ORACLE, RECALL, Resampled, measure_world
from benchmarks.quality.shops import JudgedWorld, judge_world
from benchmarks.quality.worlds import (
    DEVELOPMENT_SEEDS,
    EVALUATION_SEEDS,
    N_SIBLINGS,
    SPARE_SEEDS,
    list_shops,
    prepare_log,
    prepare_shop,
)
from training.evaluation.resampling import Resampling
from training.simulation import SimulationConfig

CONTENDERS: Final[Sequence[Contender]] = (
    Hemostat(), PlainTrees(), RequestTrees(), Logistic(), Rules(), ReturnGuard(),
)  # fmt: skip
RIVALS: Final = tuple(one.name for one in CONTENDERS if not one.has_our_features)
ORACLE_RECALL: Final = (0.40, 0.85)
"""A world counts if its oracle's recall lies here: neither hopeless nor trivial."""


@dataclass(frozen=True)
class WorldsPlan:
    """Which worlds, and how large.

    Attributes:
        seeds: Taken first.
        spare_seeds: Taken in order for worlds that do not count.
        n_customers: Of each shop.
        n_siblings: Further shops that teach the oracle.
        n_resamples: Draws for bounds.
        is_range_asked: Worlds outside `ORACLE_RECALL` are refused.
    """

    seeds: tuple[int, ...]
    spare_seeds: tuple[int, ...]
    n_customers: int
    n_siblings: int
    n_resamples: int
    is_range_asked: bool


FULL: Final = WorldsPlan(EVALUATION_SEEDS, SPARE_SEEDS, 20_000, N_SIBLINGS, 1_000, True)
SHORT: Final = WorldsPlan(DEVELOPMENT_SEEDS[:2], (), 1_500, 2, 200, False)
"""For CI: that it runs. Its figures say little: an oracle of three small shops, two worlds."""


@dataclass(frozen=True, eq=False)
class MeasuredWorld:
    """A world with everybody's scores and figures.

    Attributes:
        judged: The scores.
        figures: By contender and figure.
    """

    judged: JudgedWorld
    figures: Mapping[tuple[str, str], Resampled]

    @property
    def oracle_recall(self) -> float:
        """Recall of its oracle at the target of false alarms."""
        return self.figures[ORACLE, RECALL].value

    @property
    def counts(self) -> bool:
        """Whether the oracle finds neither too little nor too much."""
        return ORACLE_RECALL[0] <= self.oracle_recall <= ORACLE_RECALL[1]


def measure_worlds(
    plan: WorldsPlan, policy: FrozenPolicy, n_processes: int, tell: Callable[[str], None]
) -> tuple[list[MeasuredWorld], list[MeasuredWorld]]:
    """Return the worlds that count and those that were refused.

    Args:
        plan: Which worlds.
        policy: Costs and target.
        n_processes: At once.
        tell: Takes a line for people per world.
    """
    waiting = iter((*plan.seeds, *plan.spare_seeds))
    kept: list[MeasuredWorld] = []
    refused: list[MeasuredWorld] = []
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        while len(kept) < len(plan.seeds):
            seeds = list(islice(waiting, len(plan.seeds) - len(kept)))
            if not seeds:
                break
            for world in _measure(pool, plan, policy, seeds):
                is_kept = world.counts or not plan.is_range_asked
                (kept if is_kept else refused).append(world)
                tell(
                    f"world {world.judged.seed}: {world.judged.n_train:,} returns to learn from "
                    f"({world.judged.n_checked:,} checked), {len(world.judged.oracle):,} judged, "
                    f"oracle finds {world.oracle_recall:.3f}"
                    + ("" if is_kept else f": refused, outside {ORACLE_RECALL}")
                )
    return kept, refused


def prepare_worlds(plan: WorldsPlan, n_processes: int, tell: Callable[[str], None]) -> None:
    """Simulate the shops of a plan's first worlds, so that judging finds them; look at nothing."""
    shops = [
        shop for seed in plan.seeds for shop in list_shops(seed, plan.n_customers, plan.n_siblings)
    ]
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        for n_done, _ in enumerate(pool.map(prepare_log, shops), start=1):
            tell(f"{n_done} of {len(shops)} shops")


def _measure(
    pool: ProcessPoolExecutor, plan: WorldsPlan, policy: FrozenPolicy, seeds: Sequence[int]
) -> Iterator[MeasuredWorld]:
    shops = [list_shops(seed, plan.n_customers, plan.n_siblings) for seed in seeds]
    folders = list(pool.map(prepare_shop, [shop for world in shops for shop in world]))
    n = plan.n_siblings + 1
    jobs = [
        (seed, world[0].to_config(), folders[place * n : (place + 1) * n], policy, plan.n_resamples)
        for place, (seed, world) in enumerate(zip(seeds, shops, strict=True))
    ]
    yield from pool.map(_measure_one, jobs)


def _measure_one(job: tuple[int, SimulationConfig, list[Path], FrozenPolicy, int]) -> MeasuredWorld:
    seed, config, folders, policy, n_resamples = job
    judged = judge_world(seed, config, folders, CONTENDERS)
    return MeasuredWorld(judged, measure_world(judged, policy, Resampling(n_resamples, seed)))
