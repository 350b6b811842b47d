"""The layouts as arrays and scratch: what code over all entities needs to know of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import array_of, inlined, uint64_1d, welded
from features.entities import LAYOUTS, Layout
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.identity import IDENTITY_DTYPE
from features.records.packing import compute_max_size
from features.records.tally import TALLY_DTYPE

RECORD_DTYPES: dict[Layout, np.dtype[Any]] = {
    Layout.HISTORY: HISTORY_DTYPE,
    Layout.ACTIVITY: ACTIVITY_DTYPE,
    Layout.TALLY: TALLY_DTYPE,
    Layout.IDENTITY: IDENTITY_DTYPE,
}
"""The record in memory of each layout."""

LAYOUT_OF = np.array([int(layout) for layout in LAYOUTS], np.int64)
"""Number of the layout, by entity number."""

MAX_SIZE = max(compute_max_size(dtype.itemsize // 8) for dtype in RECORD_DTYPES.values())
"""No stored record of any layout is larger, in bytes."""

HISTORY = int(Layout.HISTORY)
ACTIVITY = int(Layout.ACTIVITY)
TALLY = int(Layout.TALLY)

N_HISTORY_WORDS = HISTORY_DTYPE.itemsize // 8
N_ACTIVITY_WORDS = ACTIVITY_DTYPE.itemsize // 8
N_TALLY_WORDS = TALLY_DTYPE.itemsize // 8
N_IDENTITY_WORDS = IDENTITY_DTYPE.itemsize // 8

SCRATCH_TYPES = (*(uint64_1d,) * len(Layout), *map(array_of, RECORD_DTYPES.values()))
"""Types of one scratch record per layout: as words, then the same memory as records.

Kernels that hand them from helper to helper must not make them: what makes arrays
counts references, and that costs more than the work itself.
"""


@inlined
def new_words(n: int) -> npt.NDArray[np.uint64]:
    """Return the words of an empty scratch record."""
    return np.zeros(n, np.uint64)


@welded
def pick_words(
    layout: int,
    history: npt.NDArray[np.uint64],
    activity: npt.NDArray[np.uint64],
    tally: npt.NDArray[np.uint64],
    identity: npt.NDArray[np.uint64],
) -> npt.NDArray[np.uint64]:
    """Return the scratch words of a layout."""
    if layout == HISTORY:
        return history
    if layout == ACTIVITY:
        return activity
    if layout == TALLY:
        return tally
    return identity
