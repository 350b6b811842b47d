"""What everybody's scores of one world are worth, and the same over worlds, with bounds.

Bounds come from two draws: customers (whole rings) inside each world, then worlds. Inside a
world all contenders get the same draws, so differences are paired; over worlds a figure is
the mean of the worlds' figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.quality.contenders import Scored
from benchmarks.quality.frozen_policy import FrozenPolicy
from benchmarks.quality.shops import JudgedWorld
from benchmarks.quality.worlds import TrueCases
from training.evaluation.money import CostMatrix, compute_costs
from training.evaluation.resampling import Draws, Estimate, Resampling, to_estimate

ORACLE: Final = "oracle"
TOLD_ALL: Final = "hemostat, told the truth"
PR_AUC: Final = "pr_auc"
ROC_AUC: Final = "roc_auc"
RECALL: Final = "recall"
"""With the threshold that flags exactly the target's share of good customers' later cases."""
RECALL_AT_THRESHOLD: Final = "recall_at_threshold"
"""With the threshold that was set before the cut."""
FALSE_ALARMS: Final = "false_alarms"
"""Share of good customers' later cases that that threshold flags."""
STRICT_FALSE_ALARMS: Final = "strict_false_alarms"
"""The same of all honest cases, those of abusers included."""
RECALL_VS_ORACLE: Final = "recall_vs_oracle"

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def name_money(factor: float) -> str:
    """Return the name of the money saved at a factor on the costs of verifying."""
    return f"money_x{factor:g}"


@dataclass(frozen=True, eq=False)
class Resampled:
    """A figure of one world, and the same under each of its draws, shape `(n_resamples,)`."""

    value: float
    draws: Floats


WorldFigures = Mapping[tuple[str, str], Resampled]
"""By name of contender and of figure."""


class _RankedScores:
    """Cases in descending order of score; see `evaluation.ranking.Ranking`."""

    def __init__(self, score: Floats, truth: TrueCases, target: float) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        # Equal scores are one step: their order must not matter.
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        self._abuse = truth.is_abuse[self._order].astype(np.float64)
        self._good = truth.is_good[self._order].astype(np.float64)
        self._target = target

    def compute(self, weight: Floats) -> dict[str, float]:
        """Return the figures that need no threshold from before."""
        ranked = weight[self._order]
        total = np.cumsum(ranked)[self._ends]
        found = np.cumsum(ranked * self._abuse)[self._ends]
        good = np.cumsum(ranked * self._good)[self._ends]
        others = total - found
        step = np.diff(found, prepend=0.0)
        precision = np.divide(found, total, out=np.zeros_like(total), where=total > 0.0)
        below = np.diff(others, prepend=0.0) * (found - 0.5 * step)
        n_allowed = np.count_nonzero(good <= self._target * good[-1] * (1.0 + 1e-12))
        return {
            PR_AUC: float((step * precision).sum() / found[-1]),
            ROC_AUC: float(below.sum() / found[-1] / others[-1]),
            RECALL: float(found[n_allowed - 1] / found[-1]) if n_allowed else 0.0,
        }


class _Threshold:
    """What a threshold from before the cut does."""

    def __init__(
        self, is_alarm: Flags, truth: TrueCases, value_minor: Floats, policy: FrozenPolicy
    ) -> None:
        self._alarm = is_alarm.astype(np.float64)
        self._abuse = truth.is_abuse.astype(np.float64)
        self._good = truth.is_good.astype(np.float64)
        self._saved = {
            name_money(factor): _compute_saved(
                is_alarm, self._abuse, value_minor, policy.scale_costs(factor)
            )
            for factor in policy.cost_factors
        }

    def compute(self, weight: Floats) -> dict[str, float]:
        """Return the figures of a threshold; money per 1,000 cases, minor units."""
        alarm = weight * self._alarm
        honest = 1.0 - self._abuse
        return {
            RECALL_AT_THRESHOLD: float(alarm @ self._abuse / (weight @ self._abuse)),
            FALSE_ALARMS: float(alarm @ self._good / (weight @ self._good)),
            STRICT_FALSE_ALARMS: float(alarm @ honest / (weight @ honest)),
            **{
                name: float(weight @ saved / weight.sum() * 1_000.0)
                for name, saved in self._saved.items()
            },
        }


def _compute_saved(
    is_alarm: Flags, abuse: Floats, value_minor: Floats, costs: CostMatrix
) -> Floats:
    approved = compute_costs(np.zeros(len(abuse), np.bool_), abuse, value_minor, costs)
    return approved - compute_costs(is_alarm, abuse, value_minor, costs)


def find_alarms(scored: Scored) -> Flags:
    """Return which cases a contender flags by the threshold it set before the cut."""
    return np.asarray(scored.score >= scored.threshold, np.bool_)


def number_clusters(truth: TrueCases) -> Ints:
    """Return what is drawn together: the ring of who acts, or else the person; shape `(n,)`."""
    ring = np.full(int(truth.person.max(initial=-1)) + 1, -1)
    np.maximum.at(ring, truth.person, truth.ring)
    own, outside = ring[truth.person], int(truth.ring.max(initial=-1)) + 1
    return np.asarray(np.where(own >= 0, own, truth.person + outside), np.int64)


def measure_world(
    world: JudgedWorld, policy: FrozenPolicy, resampling: Resampling
) -> dict[tuple[str, str], Resampled]:
    """Return all figures of all contenders of one world under the same draws."""
    truth = world.truth
    scores = {name: scored.score for name, scored in world.scored.items()}
    scores |= {TOLD_ALL: world.told_all, ORACLE: world.oracle}
    ranked = {
        name: _RankedScores(score, truth, policy.false_alarm_target)
        for name, score in scores.items()
    }
    thresholds = {
        name: _Threshold(find_alarms(scored), truth, world.value_minor, policy)
        for name, scored in world.scored.items()
    }

    def compute(weight: Floats) -> dict[tuple[str, str], float]:
        found = {
            (name, metric): value
            for parts in (ranked, thresholds)
            for name, part in parts.items()
            for metric, value in part.compute(weight).items()
        }
        limit = found[ORACLE, RECALL]
        for name in scores:
            ratio = found[name, RECALL] / limit if limit > 0.0 else float("nan")
            found[name, RECALL_VS_ORACLE] = ratio
        return found

    times = np.ones(len(truth.time_us))
    draws = [
        compute(weight)
        for weight in Draws(number_clusters(truth), resampling).iterate(times)
        if weight @ truth.is_abuse > 0.0
    ]
    return {
        key: Resampled(value, np.array([draw[key] for draw in draws]))
        for key, value in compute(times).items()
    }


class WorldMeans:
    """Means over worlds, bounds by drawing worlds and, inside each, one of its draws.

    Args:
        worlds: Figures of each world, of equally many draws.
        seed: Equal seeds give equal bounds; all figures take the same draws.
    """

    def __init__(self, worlds: Sequence[WorldFigures], seed: int) -> None:
        self._worlds = worlds
        n_draws = min(len(one.draws) for world in worlds for one in world.values())
        random = np.random.default_rng(seed)
        shape = (n_draws, len(worlds))
        self._world = random.integers(0, len(worlds), shape)
        self._draw = random.integers(0, n_draws, shape)

    def estimate(self, contender: str, metric: str) -> Estimate:
        """Return the mean of a figure over worlds."""
        found = [world[contender, metric] for world in self._worlds]
        return self._combine([one.value for one in found], [one.draws for one in found])

    def compare(self, contender: str, other: str, metric: str) -> Estimate:
        """Return the mean paired difference of two contenders."""
        pairs = [(world[contender, metric], world[other, metric]) for world in self._worlds]
        return self._combine(
            [one.value - two.value for one, two in pairs],
            [one.draws - two.draws for one, two in pairs],
        )

    def find_best(self, names: Sequence[str], metric: str) -> str:
        """Return the contender with the greatest mean of a figure."""
        return max(names, key=lambda name: self.estimate(name, metric).value)

    def _combine(self, values: Sequence[float], draws: Sequence[Floats]) -> Estimate:
        n_draws = len(self._draw)
        matrix = np.stack([one[:n_draws] for one in draws])
        return to_estimate(float(np.mean(values)), matrix[self._world, self._draw].mean(axis=1))
