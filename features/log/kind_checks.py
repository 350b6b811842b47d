"""What each kind of event must satisfy: ranges, enums, order lines, times.

The rules are those of `kind_rules`; here they are asked of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import DIM, EMBEDDERS, Embedder
from features.log.arrow_access import Rows
from features.log.kind_rules import (
    CLOCK_TOLERANCE_US,
    MAX_LINES,
    MAX_VALUE_MINOR,
    RANGES,
    REQUIRED_STRINGS,
    expect_delivery_time,
    expect_few_lines,
    expect_field,
    expect_lines,
    expect_order_time,
    expect_product,
    expect_total,
    expect_value,
    list_allowed,
    show_after_event,
    show_before_order,
    show_field,
    show_product,
    show_total,
)
from features.log.rejections import RejectionCollector
from features.log.schema import KIND_SPECS, FieldSpec, FieldType, MessageSpec


class KindChecker:
    """Checks the rows of one kind.

    Args:
        collector: Takes the faults.
        kind: Name of the kind.
        rows: Rows of that kind, shape `(n,)`.
        event_times: Shape `(n,)`: their event times, microseconds.
        embedders: All that events may name.
    """

    def __init__(
        self,
        collector: RejectionCollector,
        kind: str,
        rows: Rows,
        event_times: npt.NDArray[np.int64],
        embedders: Sequence[Embedder] = EMBEDDERS,
    ) -> None:
        self._collector = collector
        self._kind = kind
        self._rows = rows
        self._event_times = event_times
        self._embedders = [embedder.name for embedder in embedders]

    def check(self, column: pa.StructArray) -> None:
        """Note the faults of the kind's struct column, shape `(n,)`, none null."""
        self._check_message(column, KIND_SPECS[self._kind], self._kind, self._rows)
        names = [field.name for field in column.type]
        if self._kind == "order_placed":
            self._check_lines(column.field("lines"))
        if "order_time" in names and "delivery_time" in names:
            self._check_after_order(column)

    def _check_message(
        self, column: pa.StructArray, spec: MessageSpec, path: str, rows: Rows
    ) -> None:
        for field, child in zip(spec.logged_fields, column.flatten(), strict=True):
            field_path = f"{path}.{field.name}"
            if field.is_repeated:
                continue  # Order lines: see `_check_lines`.
            if field.message is not None:
                present = np.flatnonzero(child.is_valid().to_numpy(zero_copy_only=False))
                if len(present):
                    self._check_message(
                        child.take(pa.array(present)), field.message, field_path, rows[present]
                    )
            else:
                self._check_field(child, field, field_path, rows)
        if spec.name == "Reason":
            self._check_reason(column, path, rows)

    def _check_field(
        self,
        column: pa.Array,
        field: FieldSpec,
        path: str,
        rows: Rows,
        locate: Callable[[int, str], str] | None = None,
    ) -> None:
        """Note the faults of one scalar column; `locate` names a list member's field."""
        key = (self._kind, field.name)
        bad = np.flatnonzero(_find_bad(column, field, key))
        if len(bad):
            expected = expect_field(field, path, key)
            shown = [show_field(value) for value in column.take(pa.array(bad)).to_pylist()]
            fields = [locate(place, field.name) for place in bad.tolist()] if locate else None
            self._collector.reject(rows[bad], expected, shown, fields)

    def _check_reason(self, column: pa.StructArray, path: str, rows: Rows) -> None:
        lengths = pc.binary_length(column.field("embedding")).fill_null(0)
        sizes = lengths.to_numpy(zero_copy_only=False)
        bad = np.flatnonzero((sizes != 0) & (sizes != DIM))
        expected = expect_value(
            f"{path}.embedding",
            f"{DIM} bytes, or none",
            "send the text, or the embedding as its embedder made it",
        )
        self._collector.reject(rows[bad], expected, [f"{size} bytes" for size in sizes[bad]])
        is_known = pc.is_in(column.field("embedder"), pa.array(self._embedders, pa.string()))
        foreign = np.flatnonzero((sizes == DIM) & ~_to_mask(is_known))
        expected = expect_value(
            f"{path}.embedder",
            f"{' or '.join(self._embedders)}: other embeddings cannot be compared",
            "send the text and let the log embed it",
        )
        self._collector.reject(rows[foreign], expected, "another embedder's name")

    def _check_lines(self, lists: pa.ListArray) -> None:
        """Note the faults of orders' lines, each with its line's index."""
        counts = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        path = f"{self._kind}.lines"
        self._collector.reject(self._rows[counts == 0], expect_lines(self._kind), "no line")
        long = np.flatnonzero(counts > MAX_LINES)
        shown = [f"{n} lines" for n in counts[long]]
        self._collector.reject(self._rows[long], expect_few_lines(self._kind), shown)
        lines = pc.list_flatten(lists)
        owners = np.repeat(np.arange(len(counts)), counts)
        starts = np.cumsum(counts) - counts
        rows = self._rows[owners]

        def locate(place: int, name: str) -> str:
            return f"{path}[{place - starts[owners[place]]}].{name}"

        spec = next(f.message for f in KIND_SPECS[self._kind].fields if f.name == "lines")
        assert spec is not None
        for field, child in zip(spec.logged_fields, lines.flatten(), strict=True):
            self._check_field(child, field, path, rows, locate)
        self._check_value(lines, rows, locate)
        self._check_totals(lines, owners, len(counts))

    def _check_totals(self, lines: pa.StructArray, owners: Rows, n_orders: int) -> None:
        """Note orders whose lines add up to more than a value may be; sums must stay exact."""
        quantities = _read(lines.field("quantity")).astype(np.float64)
        for name in ("unit_price_minor", "unit_discount_minor"):
            amounts = quantities * _read(lines.field(name))
            totals = np.bincount(owners, weights=amounts, minlength=n_orders)
            bad = np.flatnonzero(totals > MAX_VALUE_MINOR)
            shown = [show_total(total) for total in totals[bad].tolist()]
            self._collector.reject(self._rows[bad], expect_total(self._kind, name), shown)

    def _check_value(
        self, column: pa.StructArray, rows: Rows, locate: Callable[[int, str], str]
    ) -> None:
        """Note quantities and prices whose product is out of range."""
        value = _read(column.field("quantity")) * _read(column.field("unit_price_minor"))
        bad = np.flatnonzero((value < 0) | (value > MAX_VALUE_MINOR))
        shown = [show_product(product) for product in value[bad].tolist()]
        fields = [locate(place, "quantity") for place in bad.tolist()]
        self._collector.reject(rows[bad], expect_product(""), shown, fields)

    def _check_after_order(self, column: pa.StructArray) -> None:
        """Note an order placed after the event, a delivery before the order, a value too great."""
        ordered, delivered = _read(column.field("order_time")), _read(column.field("delivery_time"))
        after_us = np.where(ordered != 0, ordered - self._event_times, 0)
        late = np.flatnonzero(after_us > CLOCK_TOLERANCE_US)
        shown = [show_after_event(distance) for distance in after_us[late].tolist()]
        self._collector.reject(self._rows[late], expect_order_time(self._kind), shown)
        before_us = np.where((ordered != 0) & (delivered != 0), ordered - delivered, 0)
        early = np.flatnonzero(before_us > 0)
        shown = [show_before_order(distance) for distance in before_us[early].tolist()]
        self._collector.reject(self._rows[early], expect_delivery_time(self._kind), shown)
        self._check_value(column, self._rows, lambda _, name: f"{self._kind}.{name}")


def _read(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return integers or times as int64; null is 0."""
    values: npt.NDArray[np.int64] = (
        column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    )
    return values


def _find_bad(column: pa.Array, field: FieldSpec, key: tuple[str, str]) -> npt.NDArray[np.bool_]:
    """Return which values break their field's rule, `kind_rules.expect_field`."""
    if field.enum_numbers is not None:
        return _to_mask(
            pc.invert(pc.is_in(column, pa.array(list_allowed(field, key), pa.string())))
        )
    values: npt.NDArray[Any]
    if field.type is FieldType.DOUBLE:
        values = column.fill_null(1.0 if field.is_nullable else 0.0).to_numpy(zero_copy_only=False)
        return ~((values > 0) & (values <= 1))
    if field.type is FieldType.TIME:
        return _to_mask(pc.less_equal(column.cast(pa.int64()), 0).fill_null(False))
    if field.type in (FieldType.INT32, FieldType.INT64):
        least, greatest = RANGES[field.name]
        values = column.cast(pa.int64()).fill_null(least).to_numpy(zero_copy_only=False)
        return (values < least) | (values > greatest)
    if key in REQUIRED_STRINGS:
        return _to_mask(pc.equal(pc.binary_length(column), 0))
    return np.zeros(len(column), np.bool_)


def _to_mask(column: pa.Array) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
    return mask
