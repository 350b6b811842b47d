"""Words as bytes of their own length: the inner loop of packing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.records.bits import count_leading_zeros

_U0 = np.uint64(0)
_BYTE = np.uint64(0xFF)
# Of a number of bytes: the bits that they hold.
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)


@welded
def measure_word(word: np.uint64) -> np.int64:
    """Return the length of a word without leading zero bytes, 0 to 8, without a branch."""
    return np.int64((np.int64(71) - count_leading_zeros(word)) >> 3)


@welded
def write_word(out: npt.NDArray[np.uint8], n: int, word: np.uint64) -> None:
    """Write 8 bytes at `n`; the compiler makes one store of it."""
    at = np.uint64(n)
    out[at] = np.uint8(word & _BYTE)
    out[at + np.uint64(1)] = np.uint8((word >> np.uint64(8)) & _BYTE)
    out[at + np.uint64(2)] = np.uint8((word >> np.uint64(16)) & _BYTE)
    out[at + np.uint64(3)] = np.uint8((word >> np.uint64(24)) & _BYTE)
    out[at + np.uint64(4)] = np.uint8((word >> np.uint64(32)) & _BYTE)
    out[at + np.uint64(5)] = np.uint8((word >> np.uint64(40)) & _BYTE)
    out[at + np.uint64(6)] = np.uint8((word >> np.uint64(48)) & _BYTE)
    out[at + np.uint64(7)] = np.uint8((word >> np.uint64(56)) & _BYTE)


@welded
def read_word(data: npt.NDArray[np.uint8], n: int, size: int | np.int64) -> np.uint64:
    """Return the little-endian number of `size` bytes (0 to 8) at `n`."""
    if n + 8 <= data.shape[0]:
        at = np.uint64(n)
        word = (
            np.uint64(data[at])
            | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
            | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
            | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
            | np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
            | np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
            | np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
            | np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
        )
        return np.uint64(word & _MASKS[size])
    word = _U0
    for k in range(size):
        word |= np.uint64(data[n + k]) << np.uint64(8 * k)
    return word
