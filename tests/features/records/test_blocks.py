from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.compiled import compiled, int64, int64_1d, uint64_1d, void
from features.records.bits import count_bits, count_leading_zeros, find_lowest_bit
from features.records.blocks import BLOCK_WORDS, clear_block, is_block_filled, mark_block

N_WORDS = BLOCK_WORDS + 17
WORDS = st.dictionaries(st.integers(0, N_WORDS - 1), st.integers(1, 2**64 - 1), max_size=30)
PLACES = st.integers(0, N_WORDS - BLOCK_WORDS)


@compiled(void(uint64_1d, int64, uint64_1d))
def look_at_block(words: npt.NDArray[np.uint64], place: int, out: npt.NDArray[np.uint64]) -> None:
    out[0], out[1] = mark_block(words, place), np.uint64(is_block_filled(words, place))
    clear_block(words, place)


@compiled(void(uint64_1d, int64_1d))
def look_at_word(words: npt.NDArray[np.uint64], out: npt.NDArray[np.int64]) -> None:
    out[0], out[1] = count_bits(words[0]), count_leading_zeros(words[0])
    out[2] = find_lowest_bit(words[0]) if words[0] != np.uint64(0) else -1


@given(WORDS, PLACES)
def test_a_block_is_marked_and_cleared_and_nothing_beside_it(
    filled: dict[int, int], place: int
) -> None:
    words, out = np.zeros(N_WORDS, np.uint64), np.zeros(2, np.uint64)
    words[list(filled)] = np.array(list(filled.values()), np.uint64)
    inside = [n - place for n in filled if place <= n < place + BLOCK_WORDS]
    expected = words.copy()
    expected[place : place + BLOCK_WORDS] = 0
    look_at_block(words, place, out)
    assert int(out[0]) == sum(1 << n for n in inside)
    assert bool(out[1]) == bool(inside)
    assert words.tolist() == expected.tolist()


@pytest.mark.parametrize("word", [0, 1, 2, 255, 256, 1 << 40, (1 << 63) + 12, 2**64 - 1])
def test_bits_of_a_word_are_counted_from_both_ends(word: int) -> None:
    out = np.zeros(3, np.int64)
    look_at_word(np.array([word], np.uint64), out)
    lowest = (word & -word).bit_length() - 1
    assert out.tolist() == [word.bit_count(), 64 - word.bit_length(), lowest]
