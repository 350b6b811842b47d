"""Window sums over tiles with vector instructions: most of what a vector costs is this.

The compiler does not vectorise sums over a handful of counters by itself, as it
cannot know that tiles and sums do not overlap. A row of up to 16 counters is
therefore added by one vector operation. It reads 16 places whatever the row's
length: in a record, tiles must stand before at least 16 places of other fields
(`assert_room_behind_tiles`). Empty rows are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import IS_JIT_ON, welded
from features.folds.tiles import take_newest

N_LANES = 16
"""Counters that are added at once; places beyond a row's own hold nothing of use."""

sum_rows: Any
"""Called with tiles, row of bit 0, bits and sums: adds the rows to the first 16 places of sums.

Bit k stands for the row k before that of bit 0, around the ring.
"""

if IS_JIT_ON:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @contextmanager
    def _while_any(builder: Any, bits: Any) -> Iterator[Any]:
        """Go on as long as the word at a pointer is not 0; yields the word."""
        test, body, end = (builder.append_basic_block(name) for name in ("test", "body", "end"))
        builder.branch(test)
        builder.position_at_end(test)
        word = builder.load(bits)
        is_any = builder.icmp_unsigned("!=", word, ir.Constant(word.type, 0))
        builder.cbranch(is_any, body, end)
        builder.position_at_end(body)
        yield word
        builder.branch(test)
        builder.position_at_end(end)

    @intrinsic
    def _sum_rows_compiled(typing_context: Any, tiles: Any, top: Any, bits: Any, sums: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            rows = context.make_array(signature.args[0])(context, builder, args[0])
            total = context.make_array(signature.args[3])(context, builder, args[3])
            i64 = ir.IntType(64)
            lanes = ir.VectorType(ir.IntType(tiles.dtype.bitwidth), N_LANES)
            wide = ir.VectorType(i64, N_LANES)
            stride = builder.extract_value(rows.strides, 0)
            size = builder.extract_value(rows.shape, 0)
            start = builder.ptrtoint(rows.data, i64)
            kept, left = cgutils.alloca_once(builder, lanes), cgutils.alloca_once(builder, i64)
            builder.store(ir.Constant(lanes, [0] * N_LANES), kept)
            builder.store(args[2], left)
            zero, one = ir.Constant(i64, 0), ir.Constant(i64, 1)
            with _while_any(builder, left) as word:
                builder.store(builder.and_(word, builder.sub(word, one)), left)
                lowest = builder.cttz(word, context.get_constant(types.boolean, True))
                row = builder.sub(args[1], lowest)
                is_below = builder.icmp_signed("<", row, zero)
                row = builder.select(is_below, builder.add(row, size), row)
                address = builder.add(start, builder.mul(row, stride))
                values = builder.load(builder.inttoptr(address, lanes.as_pointer()))
                values.align = tiles.dtype.bitwidth // 8
                builder.store(builder.add(builder.load(kept), values), kept)
            place = builder.bitcast(total.data, wide.as_pointer())
            before = builder.load(place)
            before.align = 8
            added = builder.load(kept)
            if tiles.dtype.bitwidth < i64.width:
                added = builder.sext(added, wide)
            builder.store(builder.add(before, added), place).align = 8
            return context.get_dummy_value()

        return types.void(tiles, types.int64, types.uint64, sums), generate

    sum_rows = _sum_rows_compiled
else:

    def _sum_rows_plain(
        tiles: npt.NDArray[Any], top: int, bits: np.uint64, sums: npt.NDArray[np.int64]
    ) -> None:
        for k in range(tiles.shape[0]):
            if int(bits) >> k & 1:
                sums[: tiles.shape[1]] += tiles[(top - k) % tiles.shape[0]]

    sum_rows = _sum_rows_plain


def assert_room_behind_tiles(dtype: np.dtype[Any], names: tuple[str, ...]) -> None:
    """Fail unless the overread of each of a record's tiles ends inside the record."""
    for name in names:
        assert dtype.fields is not None
        field, offset = dtype.fields[name][:2]
        row_size = field.itemsize // field.shape[0]
        overread = offset + field.itemsize - row_size + N_LANES * field.base.itemsize
        assert overread <= dtype.itemsize, f"{name} stands too close to the end of the record"


@welded
def sum_tiles(
    tiles: npt.NDArray[Any],
    head: int,
    filled: np.uint64,
    first_narrow: int,
    first_wide: int,
    narrow: npt.NDArray[np.int64],
    wide: npt.NDArray[np.int64],
) -> None:
    """Write the sums of the buckets from `first_narrow` and from `first_wide` on.

    Args:
        tiles: Shape `(size, n_counters)`, up to 16 counters of 4 or 8 bytes.
        head: Newest bucket + 1; 0: none yet.
        filled: Bits of the buckets that hold something.
        first_narrow: Where the narrow window begins, not before the wide one.
        first_wide: Where the wide window begins.
        narrow: Gets the sums; 16 places are written.
        wide: The same.
    """
    top = (head - 1) % tiles.shape[0]
    newest = take_newest(filled, head - first_narrow)
    older = np.uint64(take_newest(filled, head - first_wide) & ~newest)
    for lane in range(N_LANES):
        narrow[lane] = 0
    sum_rows(tiles, top, newest, narrow)
    for lane in range(N_LANES):
        wide[lane] = narrow[lane]
    sum_rows(tiles, top, older, wide)
