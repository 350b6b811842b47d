"""The best rule of one column: what a shop would write by hand, for comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.definitions import FEATURES
from features.request_rows import Call
from training.simulation.realism.catch import FALSE_ALARM_TARGET, SplitCases
from training.simulation.realism.true_cases import Floats


@dataclass(frozen=True, slots=True)
class OneRule:
    """A threshold on one column, chosen on the earlier cases and judged on the later.

    Attributes:
        call: `order`, `cancellation` or `return`.
        column: The column. Empty: no rule stays within the allowed false alarms.
        is_above: Alarms above the threshold, else below it.
        threshold: In the column's unit; missing values never alarm.
        recall: Share of the later abuse caught.
        false_alarm_share: Share of the later cases on which alarms count as false that alarm;
            it may lie off the target, as the rule was chosen before.
        train_recall: Share of the earlier abuse caught.
    """

    call: str
    column: str
    is_above: bool
    threshold: float
    recall: float
    false_alarm_share: float
    train_recall: float


def find_one_rule(split: SplitCases, *, is_strict: bool = False) -> OneRule:
    """Return the rule with the highest earlier recall at no more than 0.5 % false alarms.

    Args:
        split: Cases of one call.
        is_strict: Count false alarms on all honest cases, not only on good customers'. By
            good customers alone the best rule is often "confirmed before": whatever a known
            abuser does honestly is then no false alarm.
    """
    cases, is_train = split.cases, split.is_train
    is_spared = ~cases.is_abuse if is_strict else split.is_good
    best = OneRule(cases.call, "", True, float("nan"), 0.0, 0.0, 0.0)
    for place, feature in enumerate(FEATURES):
        if Call[cases.call.upper()] not in feature.calls:
            continue
        column = cases.vectors[:, place].astype(np.float64)
        for sign in (1.0, -1.0):
            value = np.where(np.isnan(column), -np.inf, sign * column)
            limit = _find_limit(value[is_train & is_spared])
            is_alarm = value > limit
            train_recall = float(is_alarm[is_train & cases.is_abuse].mean())
            if train_recall > best.train_recall:
                best = OneRule(
                    cases.call, feature.name, sign > 0.0, sign * limit,
                    float(is_alarm[~is_train & cases.is_abuse].mean()),
                    float(is_alarm[~is_train & is_spared].mean()), train_recall,
                )  # fmt: skip
    return best


def _find_limit(spared: Floats) -> float:
    """Return the least value above which few enough cases lie."""
    ranked = np.sort(spared)[::-1]
    return float(ranked[int(FALSE_ALARM_TARGET * len(ranked))])
