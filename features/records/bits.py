"""Bits of a word, as single instructions."""

from __future__ import annotations

from typing import Any

from features.compiled import IS_JIT_ON

find_lowest_bit: Any
"""Called with a uint64 that is not 0: the number of its lowest bit, int64."""

count_bits: Any
"""Called with a uint64: how many of its bits are set, int64."""

count_leading_zeros: Any
"""Called with a uint64: how many zero bits stand above its highest bit, int64; 64 of 0."""

if IS_JIT_ON:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def _find_lowest_bit_compiled(typing_context: Any, word: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.cttz(args[0], context.get_constant(types.boolean, True))

        return types.int64(types.uint64), generate

    @intrinsic
    def _count_bits_compiled(typing_context: Any, word: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.ctpop(args[0])

        return types.int64(types.uint64), generate

    @intrinsic
    def _count_leading_zeros_compiled(typing_context: Any, word: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.ctlz(args[0], context.get_constant(types.boolean, False))

        return types.int64(types.uint64), generate

    find_lowest_bit = _find_lowest_bit_compiled
    count_bits = _count_bits_compiled
    count_leading_zeros = _count_leading_zeros_compiled
else:

    def _find_lowest_bit_plain(word: Any) -> int:
        return (int(word) & -int(word)).bit_length() - 1

    def _count_bits_plain(word: Any) -> int:
        return int(word).bit_count()

    def _count_leading_zeros_plain(word: Any) -> int:
        return 64 - int(word).bit_length()

    find_lowest_bit = _find_lowest_bit_plain
    count_bits = _count_bits_plain
    count_leading_zeros = _count_leading_zeros_plain
