"""Reasons that come from a retailer's own fields: each is a reason of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.attributes import AttributeColumn, AttributeKind
from scoring.reasons import MAX_REASONS, Reason

ATTRIBUTE = "ATTRIBUTE"
"""Name of such a reason; the code names the field, too."""
_LEAST_CONTRIBUTION = 1e-3


def add_attribute_reasons(
    reasons: Sequence[Reason],
    columns: Sequence[AttributeColumn],
    attributions: npt.NDArray[np.float64],
    values: npt.NDArray[np.float32],
) -> tuple[Reason, ...]:
    """Return the strongest of a policy's reasons and of the retailer's own fields.

    Args:
        reasons: Those of the features, strongest first.
        columns: The fields, k of them.
        attributions: Shape `(k,)`, log-odds.
        values: Shape `(k,)`, NaN for missing.
    """
    found = [
        _describe(column, float(value), float(share))
        for column, value, share in zip(columns, values, attributions, strict=True)
        if share >= _LEAST_CONTRIBUTION
    ]
    ranked = sorted([*reasons, *found], key=lambda reason: -reason.contribution)
    return tuple(ranked[:MAX_REASONS])


def _describe(column: AttributeColumn, value: float, contribution: float) -> Reason:
    shown_en, shown_zh = _show(column, value)
    return Reason(
        name=ATTRIBUTE,
        code=f"{ATTRIBUTE}_{column.name.upper()}",
        text_en=f"{column.en or column.name}: {shown_en}",
        text_zh_cn=f"{column.zh_cn or column.name}：{shown_zh}",
        feature=column.column,
        value=value,
        contribution=contribution,
    )


def _show(column: AttributeColumn, value: float) -> tuple[str, str]:
    if math.isnan(value):
        return "not told", "未提供"
    if column.kind is AttributeKind.FLAG:
        return ("yes", "是") if value else ("no", "否")
    if column.kind is AttributeKind.CATEGORY:
        place = int(value) - 2
        if 0 <= place < len(column.categories):
            return column.categories[place], column.categories[place]
        return "another", "其他"
    if column.unit == "minor":
        return f"{value / 100:,.2f}", f"{value / 100:,.2f}"
    shown = f"{value:,.6g} {column.unit}".strip()
    return shown, shown
