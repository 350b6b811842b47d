"""Entity keys as arrays and as bytes objects, converted many at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.keys import ENTITY_KEY_SIZE

_VOID = np.dtype(f"V{ENTITY_KEY_SIZE}")  # Unlike "S16", it keeps zero bytes at the end.


def split_keys(keys: npt.NDArray[np.uint8]) -> list[bytes]:
    """Return the rows of an array of shape `(m, 16)` as bytes objects.

    >>> split_keys(np.zeros((1, 16), np.uint8)) == [bytes(16)]
    True
    """
    split: list[bytes] = np.ascontiguousarray(keys).reshape(-1).view(_VOID).tolist()
    return split


def join_keys(keys: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Return 16-byte keys as an array of shape `(m, 16)`; the reverse of `split_keys`."""
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, ENTITY_KEY_SIZE)
