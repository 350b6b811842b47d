"""What a threshold is worth: the cost matrix, and money per 1,000 cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Floats = npt.NDArray[np.float64]


class CostMatrix(BaseModel):
    """What each outcome of a hint costs, in minor units of the tenant's currency.

    Amounts that go with the case's value are shares of it. A case that is approved and
    honest costs nothing.

    Attributes:
        missed_share: Abuse that was approved: lost share of the value.
        caught_share: Abuse that was verified: lost share of the value all the same (handling,
            goods that come back worn).
        check_minor: Cost of verifying any case.
        insulted_minor: Further cost of verifying an honest one: custom lost.
        scale: Factor on all of them, for asking how much the choice of numbers matters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    missed_share: float = Field(default=0.85, ge=0.0, le=2.0)
    caught_share: float = Field(default=0.10, ge=0.0, le=2.0)
    check_minor: float = Field(default=800.0, ge=0.0)
    insulted_minor: float = Field(default=4_000.0, ge=0.0)
    scale: float = Field(default=1.0, gt=0.0)


def compute_costs(is_alarm: npt.NDArray[np.bool_], label: Floats, value_minor: Floats,
                  costs: CostMatrix) -> Floats:  # fmt: skip
    """Return what each case costs, minor units, shape `(n,)`.

    Args:
        is_alarm: Whether it was verified, shape `(n,)`.
        label: 1: abuse; between 0 and 1: the probability of it; shape `(n,)`.
        value_minor: What the case is about, minor units, shape `(n,)`.
        costs: The matrix.
    """
    approved = label * costs.missed_share * value_minor
    verified = (
        costs.check_minor
        + label * costs.caught_share * value_minor
        + (1.0 - label) * costs.insulted_minor
    )
    found: Floats = costs.scale * np.where(is_alarm, verified, approved)
    return found


def compute_money(is_alarm: npt.NDArray[np.bool_], label: Floats, weight: Floats,
                  value_minor: Floats, costs: CostMatrix) -> float:  # fmt: skip
    """Return the money saved per 1,000 cases against approving all, minor units.

    Negative: verifying costs more than it saves. NaN: no cases.
    """
    total = float(weight.sum())
    if not total > 0.0:
        return float("nan")
    approved = compute_costs(np.zeros(len(label), np.bool_), label, value_minor, costs)
    spent = compute_costs(is_alarm, label, value_minor, costs)
    return float((weight * (approved - spent)).sum() / total * 1_000.0)
