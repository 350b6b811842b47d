"""The lines of many orders at once: sums over each order, lines side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from features.log.arrow_access import KindColumn, read_ints

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OrderLines:
    """Orders and their lines; `n` orders, `m` lines over all of them.

    Attributes:
        owners: Shape `(m,)`: each line's order, 0 to n - 1.
        offsets: Shape `(n + 1,)`: order `i` has lines `offsets[i]` to `offsets[i + 1] - 1`.
        quantities: Shape `(m,)`: units.
        unit_prices_minor: Shape `(m,)`: price of one unit.
        unit_discounts_minor: Shape `(m,)`: discount on one unit.
        order_discounts_minor: Shape `(n,)`: order-level discount.
        lines: The flat Arrow struct column, `m` rows.
    """

    owners: Int64s
    offsets: Int64s
    quantities: Int64s
    unit_prices_minor: Int64s
    unit_discounts_minor: Int64s
    order_discounts_minor: Int64s
    lines: Any

    @property
    def counts(self) -> Int64s:
        """Return each order's number of lines, shape `(n,)`."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def order_values_minor(self) -> Int64s:
        """Return sum of quantity * unit price - order discount, not below 0, shape `(n,)`."""
        gross = self.sum_lines(self.quantities * self.unit_prices_minor)
        values: Int64s = np.maximum(gross - self.order_discounts_minor, 0)
        return values

    @property
    def discounts_minor(self) -> Int64s:
        """Return order discount + sum of quantity * unit discount, shape `(n,)`."""
        return self.order_discounts_minor + self.sum_lines(
            self.quantities * self.unit_discounts_minor
        )

    @property
    def dearest_minor(self) -> Int64s:
        """Return each order's greatest unit price, 0 without lines, shape `(n,)`."""
        dearest = np.zeros(len(self.counts), np.int64)
        np.maximum.at(dearest, self.owners, self.unit_prices_minor)
        return dearest

    @property
    def multi_variant_counts(self) -> Int64s:
        """Return how many lines share their (non-empty) style with another, shape `(n,)`."""
        styles = self.lines.field("style").dictionary_encode()
        codes = styles.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        is_named = pc.binary_length(styles.dictionary).to_numpy(zero_copy_only=False) > 0
        pairs = self.owners * (len(styles.dictionary) + 1) + codes
        _, place, counts = np.unique(pairs, return_inverse=True, return_counts=True)
        is_shared = (counts[place] > 1) & is_named[codes]
        return self.sum_lines(is_shared.astype(np.int64))

    def sum_lines(self, values: Int64s) -> Int64s:
        """Return the sum of a per-line value over each order, shape `(n,)`, exact."""
        total = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values, out=total[1:])
        return total[self.offsets[1:]] - total[self.offsets[:-1]]


def read_order_lines(orders: KindColumn) -> OrderLines:
    """Return the lines of some `order_placed` events."""
    offsets, lines = orders.lists("lines")
    everything = np.arange(len(lines))
    return OrderLines(
        owners=np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)),
        offsets=offsets,
        quantities=read_ints(lines.field("quantity"), everything),
        unit_prices_minor=read_ints(lines.field("unit_price_minor"), everything),
        unit_discounts_minor=read_ints(lines.field("unit_discount_minor"), everything),
        order_discounts_minor=orders.ints("discount_minor"),
        lines=lines,
    )
