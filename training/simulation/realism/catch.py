"""Neither hopeless nor trivial: what hemostat's own learner catches when it is told everything.

The learner of `training.heads`, taught by the complete truth of the earlier two
thirds of a world at once, judged on the last third. False alarms are counted on
**good customers**: those who never abuse, in any call. Stricter, and printed
beside: on all honest cases, those of abusers included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.calibration import choose_threshold
from training.growing import HeadParameters, Part
from training.heads import fit_head, predict_probability
from training.simulation.realism.auc import compute_auc
from training.simulation.realism.true_cases import (
    Flags,
    Floats,
    TrueCases,
    find_abusers,
    number_customers,
)

FALSE_ALARM_TARGET: Final = 0.005
"""Share of good customers' cases that may raise an alarm."""
_TRAIN_SHARE: Final = 2.0 / 3.0


@dataclass(frozen=True, eq=False)
class SplitCases:
    """Cases of one call, divided in time.

    Attributes:
        cases: All of them.
        is_train: Shape `(n,)`: the earlier two thirds.
        is_good: Shape `(n,)`: the customer never abuses.
    """

    cases: TrueCases
    is_train: Flags
    is_good: Flags


@dataclass(frozen=True, slots=True)
class KindShare:
    """The share of a pattern's (or look-alike's) later cases above the threshold."""

    n_cases: int
    share: float


@dataclass(frozen=True, slots=True)
class Catch:
    """What the learner catches of a call's later abuse at `FALSE_ALARM_TARGET`.

    Attributes:
        call: `order`, `cancellation` or `return`.
        n_test: Later cases.
        n_abuse: Abuse among them.
        auc: ROC-AUC on the later cases.
        recall: Share of abuse caught, false alarms counted on good customers.
        recall_se: Its standard error, customers being drawn.
        strict_recall: The same, false alarms counted on all honest cases.
        by_pattern: Share caught of each pattern of abuse.
        by_look_alike: Share of false alarms of each kind of honest case.
    """

    call: str
    n_test: int
    n_abuse: int
    auc: float
    recall: float
    recall_se: float
    strict_recall: float
    by_pattern: Mapping[str, KindShare]
    by_look_alike: Mapping[str, KindShare]


def split_cases(cases: Mapping[str, TrueCases]) -> dict[str, SplitCases]:
    """Return the cases of each call divided in time, good customers marked."""
    abusers = find_abusers(cases)
    return {
        call: SplitCases(
            one,
            one.time_us < np.quantile(one.time_us, _TRAIN_SHARE),
            np.array([name not in abusers for name in one.customers], np.bool_),
        )
        for call, one in cases.items()
    }


def compute_catch(split: SplitCases, seed: int = 7) -> Catch:
    """Return what the learner catches later, taught by the whole truth of before.

    Args:
        split: Cases of one call.
        seed: Seed of folds and trees.

    Raises:
        HemostatError: Too few cases of abuse to learn from.
    """
    cases, is_test = split.cases, ~split.is_train
    fitted = fit_head(_to_part(split), HeadParameters(), seed, gives_hint=False)
    score = predict_probability(fitted, cases.vectors[is_test])
    is_abuse, is_good = cases.is_abuse[is_test], split.is_good[is_test]
    is_alarm = score >= choose_threshold(score[is_good], FALSE_ALARM_TARGET)
    strict = choose_threshold(score[~is_abuse], FALSE_ALARM_TARGET)
    group = number_customers(cases.customers)[is_test]
    patterns = np.array(cases.patterns)[is_test]
    return Catch(
        call=cases.call,
        n_test=len(score),
        n_abuse=int(is_abuse.sum()),
        auc=compute_auc(is_abuse, score),
        recall=float(is_alarm[is_abuse].mean()),
        recall_se=_compute_share_se(is_alarm[is_abuse], group[is_abuse]),
        strict_recall=float((score[is_abuse] >= strict).mean()),
        by_pattern=_divide(patterns[is_abuse], is_alarm[is_abuse]),
        by_look_alike=_divide(patterns[~is_abuse], is_alarm[~is_abuse]),
    )


def _to_part(split: SplitCases) -> Part:
    cases, is_train = split.cases, split.is_train
    return Part(
        rows=cases.vectors[is_train],
        label=cases.is_abuse[is_train].astype(np.float64),
        weight=np.ones(int(is_train.sum())),
        group=number_customers(cases.customers)[is_train],
        honesty=split.is_good[is_train].astype(np.float64),
    )


def _compute_share_se(is_hit: Flags, group: npt.NDArray[np.int64]) -> float:
    deviation: Floats = is_hit - is_hit.mean()
    return float(np.sqrt((np.bincount(group, deviation) ** 2).sum()) / len(is_hit))


def _divide(kinds: npt.NDArray[np.str_], is_alarm: Flags) -> dict[str, KindShare]:
    return {
        str(kind): KindShare(int((kinds == kind).sum()), float(is_alarm[kinds == kind].mean()))
        for kind in np.unique(kinds)
    }
