"""The lines of one order, inside compiled passes: their sums, the dearest, shared styles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.log.cells import LINE_CELL

_QUANTITY = LINE_CELL["quantity"]
_UNIT_PRICE = LINE_CELL["unit_price_minor"]
_UNIT_DISCOUNT = LINE_CELL["unit_discount_minor"]
_STYLE = LINE_CELL["style"]


@inlined
def sum_lines(lines: npt.NDArray[np.int64], first: int, count: int) -> Any:
    """Return an order's sums over its lines, exact.

    Returns:
        Value (sum of quantity * unit price), discount (likewise), units, the greatest
        unit price, and the place of the dearest line (greatest quantity * unit price, the
        first of equals; -1 without lines).
    """
    value = discount = units = price = np.int64(0)
    dearest, dearest_value = -1, np.int64(-1)
    for place in range(first, first + count):
        quantity = lines[place, _QUANTITY]
        line_value = quantity * lines[place, _UNIT_PRICE]
        value += line_value
        discount += quantity * lines[place, _UNIT_DISCOUNT]
        units += quantity
        price = max(price, lines[place, _UNIT_PRICE])
        if line_value > dearest_value:
            dearest, dearest_value = place, line_value
    return value, discount, units, price, dearest


@inlined
def mark_variants(
    lines: npt.NDArray[np.int64],
    first: int,
    count: int,
    slots: npt.NDArray[np.int64],
    is_variant: npt.NDArray[np.bool_],
) -> int:
    """Mark the lines whose non-empty style stands in another line; return how many there are.

    Args:
        lines: All order lines.
        first: Place of the order's first.
        count: How many it has.
        slots: Scratch, at least 4 for each line: a hash table of the styles' first lines.
        is_variant: Its first `count` entries are set.
    """
    size = 2
    while size < 2 * count:
        size *= 2
    for slot in range(size):
        slots[slot] = -1
    n_marked = 0
    for number in range(count):
        place = first + number
        is_variant[number] = False
        h1, h2 = lines[place, _STYLE], lines[place, _STYLE + 1]
        if h1 == 0 and h2 == 0:
            continue
        slot = h1 & (size - 1)
        while slots[slot] >= 0:
            other = first + slots[slot]
            if lines[other, _STYLE] == h1 and lines[other, _STYLE + 1] == h2:
                break
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = number
            continue
        is_variant[number] = True
        n_marked += 1
        if not is_variant[slots[slot]]:
            is_variant[slots[slot]] = True
            n_marked += 1
    return n_marked
