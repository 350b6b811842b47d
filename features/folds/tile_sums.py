"""Window sums over tiles with vector instructions: most of what a vector costs is this.

The compiler does not vectorise sums over a handful of counters by itself, as it
cannot know that tiles and sums do not overlap. A row of up to 16 counters is
therefore added by one vector operation. It reads 16 places whatever the row's
length: in a record, tiles must stand before at least 16 places of other fields.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import IS_JIT_ON, inlined

N_LANES = 16
"""Counters that are added at once; places beyond a row's own hold nothing of use."""

sum_rows: Any
"""Called with tiles, first row, end and sums: adds the rows to the first 16 places of the sums."""

if IS_JIT_ON:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def _sum_rows_compiled(typing_context: Any, tiles: Any, first: Any, end: Any, sums: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            rows = context.make_array(signature.args[0])(context, builder, args[0])
            total = context.make_array(signature.args[3])(context, builder, args[3])
            i64 = ir.IntType(64)
            lanes = ir.VectorType(ir.IntType(tiles.dtype.bitwidth), N_LANES)
            wide = ir.VectorType(i64, N_LANES)
            stride = builder.extract_value(rows.strides, 0)
            start = builder.ptrtoint(rows.data, i64)
            kept = cgutils.alloca_once(builder, lanes)
            builder.store(ir.Constant(lanes, [0] * N_LANES), kept)
            one = ir.Constant(i64, 1)
            with cgutils.for_range_slice(builder, args[1], args[2], one) as (row, _):
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

        return types.void(tiles, types.int64, types.int64, sums), generate

    sum_rows = _sum_rows_compiled
else:

    def _sum_rows_plain(
        tiles: npt.NDArray[Any], first: int, end: int, sums: npt.NDArray[np.int64]
    ) -> None:
        for row in range(first, end):
            sums[: tiles.shape[1]] += tiles[row]

    sum_rows = _sum_rows_plain


@inlined
def _sum_buckets(
    tiles: npt.NDArray[Any], first: int, end: int, sums: npt.NDArray[np.int64]
) -> None:
    """Add the buckets from `first` to before `end`, all of them kept."""
    size = tiles.shape[0]
    row = first % size
    last = row + end - first
    sum_rows(tiles, row, min(last, size), sums)
    sum_rows(tiles, 0, last - size, sums)


@inlined
def sum_tiles(
    tiles: npt.NDArray[Any],
    head: int,
    first_narrow: int,
    first_wide: int,
    narrow: npt.NDArray[np.int64],
    wide: npt.NDArray[np.int64],
) -> None:
    """Write the sums of the buckets from `first_narrow` and from `first_wide` on.

    Args:
        tiles: Shape `(size, n_counters)`, up to 16 counters of 4 or 8 bytes.
        head: Newest bucket + 1; 0: none yet.
        first_narrow: Where the narrow window begins, not before the wide one.
        first_wide: Where the wide window begins.
        narrow: Gets the sums; 16 places are written.
        wide: The same.
    """
    oldest = max(head - tiles.shape[0], 0)
    narrow_start = max(oldest, min(first_narrow, head))
    wide_start = max(oldest, min(first_wide, narrow_start))
    for lane in range(N_LANES):
        narrow[lane] = 0
    _sum_buckets(tiles, narrow_start, head, narrow)
    for lane in range(N_LANES):
        wide[lane] = narrow[lane]
    _sum_buckets(tiles, wide_start, narrow_start, wide)
