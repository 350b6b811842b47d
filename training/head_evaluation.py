"""Judges one head on its labelled test part: what training and `hemostat evaluate` both do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURES
from features.model_bundle import HeadManifest, TreeArrays
from features.model_bundle.strata import find_thresholds
from training.evaluation.curves import HeadCurves, trace_curves
from training.evaluation.drivers import Driver, find_drivers
from training.evaluation.figures import HeadFigures, Judged, evaluate_head
from training.evaluation.head_metrics import MIN_TEST_POSITIVES
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import Resampling
from training.evaluation.ring_detection import RingDetection
from training.evaluation.slices import MIN_CASES, cut_slices
from training.facts import Ints
from training.growing import Floats, Part

_VALUE_COLUMN = next(n for n, f in enumerate(FEATURES) if f.name == "request_value_minor")
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LabelCoverage:
    """How much is known of the cases that a head is judged on.

    Attributes:
        n_cases: Mature cases that nothing else ended: whom the figures speak of.
        n_known: Those whose outcome is known; they stand for the others by their weights.
        n_effective: As many equally weighted cases would tell as much (Kish 1965).
    """

    n_cases: int
    n_known: int
    n_effective: float


@dataclass(frozen=True, eq=False)
class HeadEvaluation:
    """One head on cases after its training.

    Attributes:
        head: Name, `<target>__<call>`.
        label_source: `tenant` or `simulated`.
        threshold: From which probability on the hint is `VERIFY`; None: no hint.
        from_us: The first day judged.
        until_us: End of the cases judged.
        coverage: How much is known of them.
        figures: All figures; None: too few cases to say anything.
        curves: For the report; None: likewise.
        drivers: Features that move scores most.
        rings: How long rings that began in this time went unseen; None: no truth, or no hint.
    """

    head: str
    label_source: str
    threshold: float | None
    from_us: int
    until_us: int
    coverage: LabelCoverage
    figures: HeadFigures | None
    curves: HeadCurves | None
    drivers: tuple[Driver, ...]
    rings: tuple[RingDetection, ...] | None = None


def judge_part(part: Part, score: Floats, ring: Ints | None = None) -> Judged | None:
    """Return cases in the form that figures take; None: too few with a known outcome.

    Whole customers are resampled, and of a ring all accounts at once. False alarms are
    counted over all cases by the honesty of their customers, known outcome or not.

    Args:
        part: Cases with weights as training gives them.
        score: Probabilities, shape `(n,)`.
        ring: Ring of each case's customer, -1: none; None: nobody is known to be in one.
    """
    n_negative, n_positive = part.count_classes()
    if n_positive < MIN_TEST_POSITIVES or n_negative == 0:
        return None
    cluster = part.group.astype(np.int64)
    if ring is not None:
        cluster = np.where(ring >= 0, int(cluster.max()) + 1 + ring, cluster)
    return Judged(
        label=part.label,
        score=score.astype(np.float64),
        weight=part.weight,
        honesty=part.honesty,
        honest_weight=part.honesty,
        seen=None if part.errors is None else part.errors.find_seen(score.astype(np.float64)),
        cluster=cluster,
        value_minor=read_values(part.rows),
        slices={
            name: flags
            for name, flags in cut_slices(part.rows).items()
            if np.count_nonzero(flags & (part.weight > 0.0)) >= MIN_CASES
        },
    )


def read_values(rows: Rows) -> Floats:
    """Return what each case is about, minor units, shape `(n,)`; missing is 0."""
    return np.nan_to_num(rows[:, _VALUE_COLUMN].astype(np.float64))


def evaluate_part(
    manifest: HeadManifest, trees: TreeArrays, part: Part, score: Floats, names: list[str],
    costs: CostMatrix, resampling: Resampling, ring: Ints | None = None,
) -> HeadEvaluation:  # fmt: skip
    """Return everything that is said of a head.

    Args:
        manifest: The head's; its window says when the cases happened.
        trees: The head's, for what its scores hang on.
        part: The cases.
        score: Probabilities of the cases, shape `(n,)`.
        names: Of the columns.
        costs: For the money.
        resampling: How often, from which seed.
        ring: Ring of each case's customer, -1: none.
    """
    judged = judge_part(part, score, ring)
    if judged is not None and manifest.verify_threshold is not None:
        thresholds = find_thresholds(
            part.rows, manifest.verify_threshold, manifest.strata_thresholds
        )
        judged = replace(judged, is_alarm=judged.score >= thresholds)
    figures = curves = None
    if judged is not None:
        figures = evaluate_head(judged, manifest.verify_threshold, costs, resampling)
        curves = trace_curves(judged, costs, resampling)
    weight = part.weight
    squares = float((weight**2).sum())
    return HeadEvaluation(
        head=manifest.name,
        label_source=manifest.label_source,
        threshold=manifest.verify_threshold,
        from_us=manifest.window.test_start_us,
        until_us=manifest.window.test_end_us,
        coverage=LabelCoverage(
            n_cases=len(part),
            n_known=int((weight > 0.0).sum()),
            n_effective=float(weight.sum()) ** 2 / squares if squares > 0.0 else 0.0,
        ),
        figures=figures,
        curves=curves,
        drivers=find_drivers(trees, part.rows, names, seed=resampling.seed),
    )
