"""Parts of the cases with thresholds of their own: those whose honest kind looks like abuse.

One threshold for all puts the false alarms where honest customers look worst: on those
without a receipt, for instance. A stratum is told by the row alone, so that training, which
sets the thresholds, and serving, which uses them, see the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES

Rows = npt.NDArray[np.float32]

_NOT_DELIVERED = 8.0
"""`REASON_CODE_NOT_DELIVERED`."""
_LATE_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the cases.

    Attributes:
        name: As manifests name it.
        tests: Column, least and greatest value; a case that passes any of them belongs to it.
    """

    name: str
    tests: tuple[tuple[int, float, float], ...]


def _define(stratum: str, *tests: tuple[str, float, float]) -> Stratum:
    return Stratum(
        stratum, tuple((FEATURE_NAMES.index(name), low, high) for name, low, high in tests)
    )


STRATA = (
    _define("no_receipt", ("request_has_receipt", 0.0, 0.0)),
    _define("claimed_undelivered", ("request_reason_code", _NOT_DELIVERED, _NOT_DELIVERED)),
    _define("late_in_window", ("request_window_used_share", _LATE_SHARE, math.inf)),
    _define(
        "shared_identity",
        ("device_other_customer_count_lifetime", 1.0, math.inf),
        ("address_other_customer_count_lifetime", 1.0, math.inf),
    ),
)
"""In this order: a case belongs to the first one that it passes, else to none."""


def find_stratum(row: Rows) -> str:
    """Return the stratum of one row, shape `(F,)`; empty: none.

    >>> find_stratum(np.full(len(FEATURE_NAMES), np.nan, np.float32))
    ''
    """
    for stratum in STRATA:
        for column, low, high in stratum.tests:
            if low <= row[column] <= high:  # Missing compares false.
                return stratum.name
    return ""


def find_strata(rows: Rows) -> npt.NDArray[np.int64]:
    """Return each row's place in `STRATA`, shape `(n,)`; -1: none."""
    found = np.full(len(rows), -1)
    for place in reversed(range(len(STRATA))):
        for column, low, high in STRATA[place].tests:
            values = rows[:, column]
            found[(values >= low) & (values <= high)] = place
    return found


def find_thresholds(
    rows: Rows, threshold: float, by_stratum: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """Return the threshold that holds for each row, shape `(n,)`.

    Args:
        rows: Shape `(n, F)`.
        threshold: Where no stratum has its own.
        by_stratum: Thresholds of strata, by name.
    """
    of_place = np.array([by_stratum.get(stratum.name, threshold) for stratum in STRATA])
    found: npt.NDArray[np.float64] = np.append(of_place, threshold)[find_strata(rows)]
    return found
