"""The lowest bit of a word, as one instruction."""

from __future__ import annotations

from typing import Any

from features.compiled import IS_JIT_ON

find_lowest_bit: Any
"""Called with a uint64 that is not 0: the number of its lowest bit, int64."""

if IS_JIT_ON:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def _find_lowest_bit_compiled(typing_context: Any, word: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.cttz(args[0], context.get_constant(types.boolean, True))

        return types.int64(types.uint64), generate

    find_lowest_bit = _find_lowest_bit_compiled
else:

    def _find_lowest_bit_plain(word: Any) -> int:
        return (int(word) & -int(word)).bit_length() - 1

    find_lowest_bit = _find_lowest_bit_plain
