"""Blocks of 64 words at once: which of them say something, and to make them empty.

The compiler makes loops over single words of these by itself. A block is loaded
whole: there must be `BLOCK_WORDS` words from the place on.
"""

from __future__ import annotations

from typing import Any

from features.compiled import IS_JIT_ON

BLOCK_WORDS = 64

mark_block: Any
"""Called with words and a place; returns a uint64: bit k is set if word k from there is not 0."""

is_block_filled: Any
"""Called with words and a place; returns whether any of the block's words is not 0."""

clear_block: Any
"""Called with words and a place; makes all of the block's words 0."""

if IS_JIT_ON:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    # As wide as the widest vectors of today; the compiler divides them where they are narrower.
    _LANES = ir.VectorType(ir.IntType(64), 8)
    _BLOCK = ir.VectorType(ir.IntType(64), BLOCK_WORDS)

    def _find_place(context: Any, builder: Any, array_type: Any, args: Any, vector: Any) -> Any:
        array = context.make_array(array_type)(context, builder, args[0])
        place = cgutils.gep_inbounds(builder, array.data, args[1])
        return builder.bitcast(place, vector.as_pointer())

    @intrinsic
    def _mark_block_compiled(typing_context: Any, words: Any, place: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            at = _find_place(context, builder, words, args, _BLOCK)
            block = builder.load(at, align=8)
            is_any = builder.icmp_unsigned("!=", block, ir.Constant(_BLOCK, [0] * BLOCK_WORDS))
            return builder.bitcast(is_any, ir.IntType(BLOCK_WORDS))

        return types.uint64(words, types.int64), generate

    @intrinsic
    def _is_block_filled_compiled(typing_context: Any, words: Any, place: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            at = _find_place(context, builder, words, args, _LANES)
            any_bits = ir.Constant(_LANES, [0] * 8)
            for k in range(BLOCK_WORDS // 8):
                part = builder.gep(at, [ir.Constant(ir.IntType(64), k)])
                any_bits = builder.or_(any_bits, builder.load(part, align=8))
            is_any = builder.icmp_unsigned("!=", any_bits, ir.Constant(_LANES, [0] * 8))
            lanes = builder.bitcast(is_any, ir.IntType(8))
            return builder.icmp_unsigned("!=", lanes, ir.Constant(ir.IntType(8), 0))

        return types.boolean(words, types.int64), generate

    @intrinsic
    def _clear_block_compiled(typing_context: Any, words: Any, place: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            at = _find_place(context, builder, words, args, _BLOCK)
            builder.store(ir.Constant(_BLOCK, [0] * BLOCK_WORDS), at, align=8)
            return context.get_dummy_value()

        return types.void(words, types.int64), generate

    mark_block = _mark_block_compiled
    is_block_filled = _is_block_filled_compiled
    clear_block = _clear_block_compiled
else:
    import numpy as np

    def _mark_block_plain(words: Any, place: int) -> Any:
        is_any = words[place : place + BLOCK_WORDS] != 0
        return np.packbits(is_any, bitorder="little").view(np.uint64)[0]

    def _is_block_filled_plain(words: Any, place: int) -> Any:
        return words[place : place + BLOCK_WORDS].any()

    def _clear_block_plain(words: Any, place: int) -> None:
        words[place : place + BLOCK_WORDS] = 0

    mark_block = _mark_block_plain
    is_block_filled = _is_block_filled_plain
    clear_block = _clear_block_plain
