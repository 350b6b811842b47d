"""Attributes to columns: one function for training and serving."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from features.attributes.declaration import AttributeKind, AttributePlace
from features.attributes.parsing import AttributeValue
from features.attributes.plan import OTHER_CODE, AttributeColumn, AttributePlan, to_category
from features.request_rows import Call

_FIRST_CODE = 2
_GREATEST = float(np.finfo(np.float32).max)


class AttributeFault(StrEnum):
    """Why a value was not used as it is."""

    WRONG_TYPE = "wrong_type"
    """Not of the declared type: missing."""
    UNKNOWN_CATEGORY = "unknown_category"
    """Rare or unseen in training: the code for others."""


class Encoder:
    """A plan, arranged for encoding.

    Args:
        plan: The columns.
    """

    def __init__(self, plan: AttributePlan) -> None:
        self._columns = plan.columns
        self._codes = [
            {name: float(code) for code, name in enumerate(column.categories, _FIRST_CODE)}
            for column in plan.columns
        ]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self._columns)

    def encode(
        self,
        call: Call,
        case: Mapping[str, AttributeValue],
        customer: Mapping[str, AttributeValue],
        faults: dict[tuple[str, AttributeFault], int] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the columns of a case, shape `(k,)`, NaN for missing.

        Args:
            call: Which question is asked.
            case: Attributes of the order, cancel click or return.
            customer: Attributes of its customer.
            faults: Counts values that were not used as they are, by column; None: nobody asks.
        """
        row = np.full(len(self._columns), np.nan, np.float32)
        for place, column in enumerate(self._columns):
            if call not in column.calls:
                continue
            told = customer if column.place is AttributePlace.CUSTOMER else case
            value = told.get(column.name)
            if value is None:
                continue
            number, fault = _to_number(column, self._codes[place], value)
            row[place] = number
            if fault is not None and faults is not None:
                key = (column.column, fault)
                faults[key] = faults.get(key, 0) + 1
        return row


def encode_attributes(
    plan: AttributePlan,
    call: Call,
    case: Mapping[str, AttributeValue],
    customer: Mapping[str, AttributeValue],
) -> npt.NDArray[np.float32]:
    """Return the columns of one case; see `Encoder.encode`, which many cases use.

    >>> column = AttributeColumn(
    ...     name="deposit", place=AttributePlace.ORDER, kind=AttributeKind.CATEGORY,
    ...     categories=("none", "refundable"),
    ... )
    >>> plan = AttributePlan(columns=(column,))
    >>> [encode_attributes(plan, Call.ORDER, {"deposit": d}, {}).item() for d in ("none", "new")]
    [2.0, 1.0]
    """
    return Encoder(plan).encode(call, case, customer)


def _to_number(
    column: AttributeColumn, codes: Mapping[str, float], value: AttributeValue
) -> tuple[float, AttributeFault | None]:
    """Return a value as its column has it, and what is wrong with it."""
    if column.kind is AttributeKind.CATEGORY:
        category = to_category(value)
        if category is None:
            return math.nan, AttributeFault.WRONG_TYPE
        code = codes.get(category)
        if code is None:
            return OTHER_CODE, AttributeFault.UNKNOWN_CATEGORY
        return code, None
    if column.kind is AttributeKind.FLAG:
        if value == 0 or value == 1:  # Booleans, and the numbers that stand for them.
            return float(value), None
        return math.nan, AttributeFault.WRONG_TYPE
    if isinstance(value, bool | str):
        return math.nan, AttributeFault.WRONG_TYPE
    # Beyond the range of a column all numbers are alike.
    return min(max(float(value), -_GREATEST), _GREATEST), None
