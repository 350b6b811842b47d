from __future__ import annotations

from typing import Any

import numba
import numpy as np
import xxhash

from features.compiled import compiled, uint64_1d
from features.hashing import uint8_1d
from features.text_hash import SECRET, hash_gram


@compiled(numba.void(uint8_1d, numba.int64, uint8_1d, uint64_1d))
def _hash_prefixes(content: Any, start: int, secret: Any, out: Any) -> None:
    lanes = np.zeros(8, np.uint64)
    for size in range(1, len(out) + 1):
        out[size - 1] = hash_gram(content, start, start + size, secret, lanes)


def test_every_length_equals_the_library() -> None:
    content = np.random.default_rng(3).integers(0, 256, 2_210, np.uint8)
    # Blocks of the longest class are 1,024 bytes: two whole ones and a part.
    for start in (0, 7):
        out = np.zeros(2_200, np.uint64)
        _hash_prefixes(content, start, SECRET, out)
        expected = [
            xxhash.xxh3_64_intdigest(content[start : start + size].tobytes())
            for size in range(1, 2_201)
        ]
        assert out.tolist() == expected
