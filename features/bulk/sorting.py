"""Sorting by a small number in linear time, keeping a given order of equals."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled, int64_1d, void

NO_CODE = 0xFFFF
"""Left out."""

_uint16_1d = numba.types.Array(numba.uint16, 1, "C")


@compiled(void(_uint16_1d, int64_1d, int64_1d, int64_1d))
def _count_codes(
    codes: npt.NDArray[np.uint16],
    order: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> None:
    """Write where each code's places begin; `starts` has one more, `ends` is a copy to move on."""
    for i in range(order.shape[0]):
        code = int(codes[order[i]])
        if code != NO_CODE:
            starts[code + 1] += 1
    for code in range(ends.shape[0]):
        starts[code + 1] += starts[code]
        ends[code] = starts[code]


@compiled(void(_uint16_1d, int64_1d, int64_1d, int64_1d))
def _place_codes(
    codes: npt.NDArray[np.uint16],
    order: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
) -> None:
    for i in range(order.shape[0]):
        code = int(codes[order[i]])
        if code != NO_CODE:
            places[ends[code]] = order[i]
            ends[code] += 1


def sort_by_code(
    codes: npt.NDArray[np.uint16], n_codes: int, order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each code's places begin, shape `(n_codes + 1,)`, and the places.

    Args:
        codes: Shape `(n,)`, each below `n_codes` or `NO_CODE`.
        n_codes: How many codes there are.
        order: Shape `(m,)`: the places that count, in the order in which those of one code stand.
    """
    starts, ends = np.zeros(n_codes + 1, np.int64), np.empty(n_codes, np.int64)
    _count_codes(codes, order, starts, ends)
    places = np.empty(int(starts[-1]), np.int64)
    _place_codes(codes, order, ends, places)
    return starts, places
