"""What a threshold does: alarms on good customers, abuse caught, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FALSE_ALARM_TARGETS: Final = (0.001, 0.005, 0.01)
"""Shares of honest cases at which recall is told."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, and what it did on cases that did not choose it.

    Attributes:
        target: Share of honest cases that may raise an alarm.
        threshold: Cases at or above it raise one.
        false_alarm_share: Share of honest cases that did.
        recall: Share of the positives that did.
        precision: Share of the alarms that are positives; NaN without alarms.
    """

    target: float
    threshold: float
    false_alarm_share: float
    recall: float
    precision: float


def find_threshold(score: Floats, honest_weight: Floats, target: float) -> float:
    """Return the least threshold whose alarms hold at most a share of the honest weight.

    It lies midway between two scores, so that rounding moves no case over it.

    Args:
        score: Shape `(n,)`.
        honest_weight: How many honest cases each case stands for: 0 for the others, a share
            where honesty is not certain; shape `(n,)`.
        target: The share, 0 to 1.

    Raises:
        ValueError: There are no honest cases.

    >>> find_threshold(np.array([0.1, 0.9, 0.3, 0.2]), np.ones(4), 0.25)
    0.6
    """
    total = float(honest_weight.sum())
    if not total > 0.0:
        raise ValueError("a threshold needs honest cases")
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    above = np.cumsum(honest_weight[order])[ends]
    allowed = np.flatnonzero(above <= target * total * (1.0 + 1e-12))
    if len(allowed) == 0:
        return float(np.nextafter(ranked[0], np.inf))
    last = allowed[-1]
    if last + 1 == len(ends):
        return float(ranked[-1])
    return float((ranked[ends[last]] + ranked[ends[last] + 1]) / 2.0)


def judge_threshold(
    score: Floats, label: Floats, weight: Floats, honest_weight: Floats, threshold: float,
    target: float = float("nan"),
) -> OperatingPoint:  # fmt: skip
    """Return what a threshold does on cases; NaN where there is nothing to divide by.

    Args:
        score: Shape `(n,)`.
        label: 0 or 1, shape `(n,)`.
        weight: How many cases each stands for, shape `(n,)`.
        honest_weight: As of `find_threshold`.
        threshold: Chosen elsewhere.
        target: What it was chosen for.
    """
    is_alarm = score >= threshold
    caught = float((weight * label)[is_alarm].sum())
    return OperatingPoint(
        target=target,
        threshold=threshold,
        false_alarm_share=_divide(float(honest_weight[is_alarm].sum()), float(honest_weight.sum())),
        recall=_divide(caught, float((weight * label).sum())),
        precision=_divide(caught, float(weight[is_alarm].sum())),
    )


def find_operating_points(
    score: Floats, label: Floats, weight: Floats, honest_weight: Floats,
    targets: Sequence[float] = FALSE_ALARM_TARGETS,
) -> tuple[OperatingPoint, ...]:  # fmt: skip
    """Return the points of several targets, each threshold set on the same cases.

    For ranking figures (`recall at 0.5 % false alarms`). What a hint will do is told by
    `judge_threshold` with a threshold from earlier cases.
    """
    return tuple(
        judge_threshold(
            score, label, weight, honest_weight,
            find_threshold(score, honest_weight, target), target,
        )
        for target in targets
    )  # fmt: skip


def _divide(part: float, total: float) -> float:
    return part / total if total > 0.0 else float("nan")
