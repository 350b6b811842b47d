"""The definitions table as the arrays that the compiled vector walks.

`features.vector` knows no feature names. For each entity that a request names, the
entity's record is turned into *facts* (all that any column could want, in double
precision); then columns are picked from the facts. This module lays the facts out
and says, from `features.definitions.FEATURES`, which fact stands in which column:

    facts = [ missing | slice of entity 0 | ... | slice of entity 10 | slice of the request ]
    slice = [ facts by number, as the layout's module in `features.facts` says | ratios ]

A column is a fact of its entity's slice or a ratio of two of them. Place 0 is always
NaN: that is where a column looks that does not apply to the call. The slice of an
entity that the case does not name, or whose store is down, is filled with NaN.

So a layout brings its numbers of facts and one function that fills a slice, a family
of features brings rows of the table; nobody brings a branch.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt

from features.definition import ALL_WINDOWS, FeatureDefinition
from features.definitions import FEATURES, N_FEATURES
from features.entities import LAYOUTS, N_ENTITIES, Entity, Layout
from features.facts.activity import N_ACTIVITY_FACTS
from features.facts.history_layout import N_HISTORY_FACTS
from features.facts.identity import N_IDENTITY_FACTS
from features.facts.request import N_REQUEST_FACTS
from features.facts.tally import N_TALLY_FACTS
from features.request_rows import Call

REQUEST_SLICE = N_ENTITIES
"""Number of the request's slice; an entity's slice has the entity's number."""
N_SLICES = N_ENTITIES + 1

MISSING_PLACE = 0
SUMS_SHAPE = (len(ALL_WINDOWS), 40)
"""Shape of the scratch in which the facts' functions add windows up."""

_N_FACTS = {
    Layout.HISTORY: N_HISTORY_FACTS,
    Layout.ACTIVITY: N_ACTIVITY_FACTS,
    Layout.TALLY: N_TALLY_FACTS,
    Layout.IDENTITY: N_IDENTITY_FACTS,
}
_SLICE_FACTS = (*(_N_FACTS[layout] for layout in LAYOUTS), N_REQUEST_FACTS)


def find_slice(feature: FeatureDefinition) -> int:
    """Return the number of the slice that a feature's facts stand in."""
    return REQUEST_SLICE if feature.is_request else int(Entity[feature.entity.upper()])


def list_features(number: int) -> list[FeatureDefinition]:
    """Return the features of one slice, in the order of their columns."""
    return [feature for feature in FEATURES if find_slice(feature) == number]


_RATIOS = [[f for f in list_features(s) if f.divisor is not None] for s in range(N_SLICES)]
_SIZES = [n + len(ratios) for n, ratios in zip(_SLICE_FACTS, _RATIOS, strict=True)]

SLICE_PLACES = np.array(list(accumulate(_SIZES, initial=1)), np.int64)
"""Where each slice begins, and at last where all end; shape `(N_SLICES + 1,)`."""
N_FACTS = int(SLICE_PLACES[-1])


def _find_place(feature: FeatureDefinition) -> int:
    """Return where a feature's value stands among the facts."""
    number = find_slice(feature)
    start = int(SLICE_PLACES[number])
    if feature.divisor is None:
        return start + feature.fact
    return start + _SLICE_FACTS[number] + _RATIOS[number].index(feature)


def compile_ratios() -> npt.NDArray[np.uint32]:
    """Return the places of numerator, divisor and result per ratio, slice by slice.

    Shape `(n_ratios, 3)`.
    """
    rows = [
        (SLICE_PLACES[s] + f.fact, SLICE_PLACES[s] + (f.divisor or 0), _find_place(f))
        for s in range(N_SLICES)
        for f in _RATIOS[s]
    ]
    return np.array(rows, np.uint32).reshape(-1, 3)


def compile_sources() -> npt.NDArray[np.uint32]:
    """Return the place of each column's value by call, shape `(n_calls + 1, N_FEATURES)`."""
    sources = np.full((int(max(Call)) + 1, N_FEATURES), MISSING_PLACE, np.uint32)
    for column, feature in enumerate(FEATURES):
        for call in feature.calls:
            sources[int(call), column] = _find_place(feature)
    return sources


def _find_column_starts() -> npt.NDArray[np.int64]:
    """Return where each slice's columns begin, and at last `N_FEATURES`."""
    slices = [find_slice(feature) for feature in FEATURES]
    assert slices == sorted(slices), "the table must list features entity by entity"
    return np.searchsorted(slices, np.arange(N_SLICES + 1)).astype(np.int64)


PLAN_RATIOS = compile_ratios()
RATIO_STARTS = np.array(list(accumulate(map(len, _RATIOS), initial=0)), np.int64)
"""Where each slice's rows of `PLAN_RATIOS` begin, and at last their number."""
PLAN_SOURCES = compile_sources()
COLUMN_STARTS = _find_column_starts()
"""Where each slice's columns begin, and at last `N_FEATURES`; shape `(N_SLICES + 1,)`."""
