"""The definitions table as the arrays that the compiled vector walks.

`features.vector` does not know feature names: it reads this plan, made from
`features.definitions.FEATURES` once at import.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.definition import LIFETIME, WINDOWS
from features.definitions import FEATURES
from features.record import DAILY_HOP_US, LIFETIME_COUNTERS

PLAN_DTYPE = np.dtype(
    [
        ("aggregation", "<i8"),
        ("first", "<i8"),  # counter of the first operand
        ("second", "<i8"),
        ("window", "<i8"),  # row of the window sums; the last is for life
        ("calls", "<i8"),  # bit `1 << call` for each call it is computed for
        ("is_request", "<i8"),
    ]
)

_ALL_WINDOWS = (*WINDOWS, LIFETIME)


def compile_plan() -> npt.NDArray[Any]:
    """Return one `PLAN_DTYPE` row per feature, in the table's order."""
    plan = np.zeros(len(FEATURES), PLAN_DTYPE)
    for row, feature in zip(plan, FEATURES, strict=True):
        counters = [LIFETIME_COUNTERS.index(name) for name in feature.operands]
        row["aggregation"] = int(feature.aggregation)
        row["first"] = counters[0] if counters else 0
        row["second"] = counters[1] if len(counters) > 1 else 0
        row["window"] = _ALL_WINDOWS.index(feature.window) if feature.window else len(WINDOWS)
        row["calls"] = sum(1 << int(call) for call in feature.calls)
        row["is_request"] = feature.is_request
    return plan


def compile_windows() -> npt.NDArray[np.int64]:
    """Return `(length_us, hop_us, is_daily)` per window, shape `(n_windows, 3)`."""
    return np.array([[w.length_us, w.hop_us, w.hop_us == DAILY_HOP_US] for w in WINDOWS], np.int64)


PLAN = compile_plan()
PLAN_WINDOWS = compile_windows()
