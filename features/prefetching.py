"""Asking the processor for memory before it is needed: what a walk spends its time waiting for.

Requests, rows and output are visited in an order that is known ahead but jumps
through far more memory than the caches hold. A prefetch changes no result.
"""

from __future__ import annotations

from typing import Any

from features.compiled import IS_JIT_ON

prefetch: Any
"""Called with an array, a place on its first axis and a byte offset from there."""

if IS_JIT_ON:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def _prefetch_compiled(typing_context: Any, array: Any, place: Any, offset: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target = context.make_array(signature.args[0])(context, builder, args[0])
            i32, i64 = ir.IntType(32), ir.IntType(64)
            stride = builder.extract_value(target.strides, 0)
            address = builder.ptrtoint(target.data, i64)
            address = builder.add(address, builder.mul(args[1], stride))
            address = builder.add(address, args[2])
            kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, i32, i32, i32])
            hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            # To read, keep in all caches, data.
            flags = [ir.Constant(i32, value) for value in (0, 3, 1)]
            builder.call(hint, [builder.inttoptr(address, cgutils.voidptr_t), *flags])
            return context.get_dummy_value()

        return types.void(array, types.int64, types.int64), generate

    prefetch = _prefetch_compiled
else:

    def _prefetch_plain(array: Any, place: int, offset: int) -> None:
        pass

    prefetch = _prefetch_plain
