from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_bytes, hash_spans

_MASK = (1 << 64) - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK


def _finish_half(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = ((value ^ (value >> 33)) * factor) & _MASK
    return value ^ (value >> 33)


def hash_plainly(content: bytes) -> tuple[int, int]:
    """MurmurHash3_x64_128 with seed 0, straight from its definition."""
    h1 = h2 = 0
    n_whole = len(content) // 16 * 16
    for at in range(0, n_whole, 16):
        k1 = int.from_bytes(content[at : at + 8], "little")
        k2 = int.from_bytes(content[at + 8 : at + 16], "little")
        h1 ^= (_rotate((k1 * _C1) & _MASK, 31) * _C2) & _MASK
        h1 = ((_rotate(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= (_rotate((k2 * _C2) & _MASK, 33) * _C1) & _MASK
        h2 = ((_rotate(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    tail = content[n_whole:]
    k1, k2 = int.from_bytes(tail[:8], "little"), int.from_bytes(tail[8:], "little")
    h2 ^= (_rotate((k2 * _C2) & _MASK, 33) * _C1) & _MASK
    h1 ^= (_rotate((k1 * _C1) & _MASK, 31) * _C2) & _MASK
    h1, h2 = h1 ^ len(content), h2 ^ len(content)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    h1, h2 = _finish_half(h1), _finish_half(h2)
    h1 = (h1 + h2) & _MASK
    return h1, (h2 + h1) & _MASK


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        # Published vectors of MurmurHash3_x64_128, seed 0 (digest h1 then h2).
        ("", "00000000000000000000000000000000"),
        ("hello", "cbd8a7b341bd9b025b1e906a48ae1d19"),
        ("hello, world", "342fac623a5ebc8e4cdcbc079642414d"),
        ("The quick brown fox jumps over the lazy dog.", "cd99481f9ee902c9695da1a38987b6e7"),
    ],
)
def test_published_vectors(text: str, digest: str) -> None:
    assert "".join(f"{half:016x}" for half in hash_bytes(text.encode())) == digest


@given(st.binary(max_size=80))
def test_the_compiled_hash_equals_its_definition(content: bytes) -> None:
    assert hash_bytes(content) == hash_plainly(content)


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_strings_end_to_end_are_hashed_each_alone(strings: list[bytes]) -> None:
    ends = np.cumsum([len(string) for string in strings], dtype=np.int64)
    out = np.zeros((len(strings), 2), np.uint64)
    hash_spans(np.frombuffer(b"".join(strings), np.uint8), ends, out)
    assert [tuple(row) for row in out.tolist()] == [hash_plainly(string) for string in strings]
