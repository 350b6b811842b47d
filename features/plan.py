"""The definitions table as the arrays that the compiled vector walks.

`features.vector` knows no feature names. Per request it fills one array of
*facts* (everything that any feature could want, in double precision), then
copies a row of it out. This module lays the facts out and says, from
`features.definitions.FEATURES`, which fact stands in which column:

    facts = [ one place per Aggregation | window sums | net values | ratios ]

Place 0 is no aggregation and always NaN: that is where a column looks that does
not apply to the call, or needs a history that is not there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.definition import LIFETIME, WINDOWS, Aggregation, FeatureDefinition
from features.definitions import FEATURES, N_FEATURES
from features.record import DAILY_HOP_US, LIFETIME_COUNTERS
from features.request_rows import Call

_ALL_WINDOWS = (*WINDOWS, LIFETIME)
_RATIOS = tuple(f for f in FEATURES if f.aggregation == Aggregation.RATIO)

N_SUM_ROWS = len(_ALL_WINDOWS)
N_SUM_COLUMNS = len(LIFETIME_COUNTERS)

MISSING_PLACE = 0
SUMS_PLACE = int(max(Aggregation)) + 1
NET_VALUES_PLACE = SUMS_PLACE + N_SUM_ROWS * N_SUM_COLUMNS
RATIOS_PLACE = NET_VALUES_PLACE + N_SUM_ROWS
N_FACTS = RATIOS_PLACE + len(_RATIOS)


def _find_window(feature: FeatureDefinition) -> int:
    assert feature.window is not None
    return _ALL_WINDOWS.index(feature.window)


def _find_place(feature: FeatureDefinition) -> int:
    """Return where a feature's value stands among the facts."""
    if feature.aggregation == Aggregation.SUM:
        counter = LIFETIME_COUNTERS.index(feature.operands[0])
        return SUMS_PLACE + _find_window(feature) * N_SUM_COLUMNS + counter
    if feature.aggregation == Aggregation.NET_VALUE:
        return NET_VALUES_PLACE + _find_window(feature)
    if feature.aggregation == Aggregation.RATIO:
        return RATIOS_PLACE + _RATIOS.index(feature)
    return int(feature.aggregation)


def compile_ratios() -> npt.NDArray[np.int64]:
    """Return `(window, numerator, denominator)` per ratio, shape `(n_ratios, 3)`."""
    return np.array(
        [
            [_find_window(f), *(LIFETIME_COUNTERS.index(operand) for operand in f.operands)]
            for f in _RATIOS
        ],
        np.int64,
    )


def compile_sources() -> npt.NDArray[np.int64]:
    """Return each column's place, shape `(2 * n_calls, N_FEATURES)`.

    Row `2 * call + 1` is for a known customer, row `2 * call` for any other.
    """
    sources = np.full((2 * (int(max(Call)) + 1), N_FEATURES), MISSING_PLACE, np.int64)
    for column, feature in enumerate(FEATURES):
        needs_no_history = feature.is_request or feature.aggregation == Aggregation.CUSTOMER_STATE
        for call in feature.calls:
            sources[2 * int(call) + 1, column] = _find_place(feature)
            if needs_no_history:
                sources[2 * int(call), column] = _find_place(feature)
    return sources


def compile_windows() -> npt.NDArray[np.int64]:
    """Return `(length_us, hop_us, is_daily)` per window, shape `(n_windows, 3)`."""
    return np.array([[w.length_us, w.hop_us, w.hop_us == DAILY_HOP_US] for w in WINDOWS], np.int64)


PLAN_RATIOS = compile_ratios()
PLAN_SOURCES = compile_sources()
PLAN_WINDOWS = compile_windows()
