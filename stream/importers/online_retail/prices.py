"""Prices as the shop writes them to whole pence."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

MINOR_PER_MAJOR: Final = 100


def to_minor_units(
    price: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return prices in minor units, and which of them had to be rounded.

    The decimal meant is the shortest one that reads back as the same double
    (`2.55`, not `2.54999...`), so that CSV, XLSX and Parquet agree. Parts of a
    minor unit are rounded half to even: 0.005 becomes 0, 0.015 becomes 2.

    Args:
        price: Shape `(n,)`, finite, major units.

    Returns:
        int64 minor units and a mask of the rounded ones, each of shape `(n,)`.

    >>> minor, is_rounded = to_minor_units(np.array([2.55, 0.001, 0.015]))
    >>> minor.tolist(), is_rounded.tolist()
    ([255, 0, 2], [False, True, True])
    """
    distinct, place = np.unique(price, return_inverse=True)
    minor = np.empty(len(distinct), np.int64)
    is_rounded = np.empty(len(distinct), np.bool_)
    for i, value in enumerate(distinct.tolist()):
        exact = Decimal(repr(value)) * MINOR_PER_MAJOR
        whole = exact.to_integral_value(ROUND_HALF_EVEN)
        minor[i], is_rounded[i] = int(whole), exact != whole
    return minor[place], is_rounded[place]
