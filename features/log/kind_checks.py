"""What each kind of event must satisfy: ranges, enums, order lines, times.

The checks of a field follow from its type and name, so that a field added to the
protos is checked from its first day; an integer whose range nobody stated fails
at import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import DIM, EMBEDDERS, Embedder
from features.log.arrow_access import Rows
from features.log.json_walk import shorten, show_name
from features.log.rejections import Expectation, RejectionCollector, RejectionReason
from features.log.schema import KIND_SPECS, FieldSpec, FieldType, MessageSpec

MAX_PRICE_MINOR = 10**12
MAX_VALUE_MINOR = 10**13
"""Greatest quantity * price and greatest amount; 10,000 such lines still fit an int64."""
MAX_LINES = 10_000
_TEN_YEARS_S = 315_360_000

RANGES: dict[str, tuple[int, int]] = {
    "quantity": (1, 1_000_000),
    "unit_price_minor": (0, MAX_PRICE_MINOR),
    "unit_cost_minor": (0, MAX_PRICE_MINOR),
    "unit_discount_minor": (0, MAX_PRICE_MINOR),
    "discount_minor": (0, MAX_VALUE_MINOR),
    "gift_card_minor": (0, MAX_VALUE_MINOR),
    "amount_minor": (0, MAX_VALUE_MINOR),
    "cart_value_minor": (0, MAX_VALUE_MINOR),
    "cost_minor": (0, MAX_VALUE_MINOR),
    "return_window_days": (0, 3_650),
    "cart_age_s": (0, _TEN_YEARS_S),
    "waited_s": (0, _TEN_YEARS_S),
    "delay_s": (0, _TEN_YEARS_S),
    "rating": (0, 5),
    "weight_g": (0, 10**9),
    "sentiment": (-100, 100),
}
"""Least and greatest value of every integer field, by name."""

_SECOND_US = 1_000_000
CLOCK_TOLERANCE_US = 300 * _SECOND_US
REQUIRED_ENUMS = {("label_set", "label")}
REQUIRED_STRINGS = {("label_set", "case_event_id")}


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
        is_bad, expected = _find_bad(column, field, path, (self._kind, field.name))
        bad = np.flatnonzero(is_bad)
        if len(bad):
            values = column.take(pa.array(bad)).to_pylist()
            shown = [_show(value) for value in values]
            fields = [locate(place, field.name) for place in bad.tolist()] if locate else None
            self._collector.reject(rows[bad], expected, shown, fields)

    def _check_reason(self, column: pa.StructArray, path: str, rows: Rows) -> None:
        lengths = pc.binary_length(column.field("embedding")).fill_null(0)
        sizes = lengths.to_numpy(zero_copy_only=False)
        bad = np.flatnonzero((sizes != 0) & (sizes != DIM))
        expected = _expect(
            f"{path}.embedding",
            f"{DIM} bytes, or none",
            "send the text, or the embedding as its embedder made it",
        )
        self._collector.reject(rows[bad], expected, [f"{size} bytes" for size in sizes[bad]])
        is_known = pc.is_in(column.field("embedder"), pa.array(self._embedders, pa.string()))
        foreign = np.flatnonzero((sizes == DIM) & ~_to_mask(is_known))
        expected = _expect(
            f"{path}.embedder",
            f"{' or '.join(self._embedders)}: other embeddings cannot be compared",
            "send the text and let the log embed it",
        )
        self._collector.reject(rows[foreign], expected, "another embedder's name")

    def _check_lines(self, lists: pa.ListArray) -> None:
        """Note the faults of orders' lines, each with its line's index."""
        counts = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        path = f"{self._kind}.lines"
        expected = Expectation(
            RejectionReason.MISSING_FIELD, path, "at least one line", "send the order's lines"
        )
        self._collector.reject(self._rows[counts == 0], expected, "no line")
        long = np.flatnonzero(counts > MAX_LINES)
        expected = _expect(path, f"at most {MAX_LINES} lines", "split the order")
        self._collector.reject(self._rows[long], expected, [f"{n} lines" for n in counts[long]])
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
            expected = _expect(
                f"{self._kind}.lines",
                f"sum of quantity * {name} at most {MAX_VALUE_MINOR}",
                "amounts are minor units (cents, fen); check quantities and amounts",
            )
            shown = [f"a sum of {total:.3g}" for total in totals[bad]]
            self._collector.reject(self._rows[bad], expected, shown)

    def _check_value(
        self, column: pa.StructArray, rows: Rows, locate: Callable[[int, str], str]
    ) -> None:
        """Note quantities and prices whose product is out of range."""
        value = _read(column.field("quantity")) * _read(column.field("unit_price_minor"))
        bad = np.flatnonzero((value < 0) | (value > MAX_VALUE_MINOR))
        expected = _expect(
            "",
            f"quantity * unit_price_minor from 0 to {MAX_VALUE_MINOR}",
            "amounts are minor units (cents, fen); check quantity and price",
        )
        shown = [f"a value of {value[place]}" for place in bad]
        fields = [locate(place, "quantity") for place in bad.tolist()]
        self._collector.reject(rows[bad], expected, shown, fields)

    def _check_after_order(self, column: pa.StructArray) -> None:
        """Note an order placed after the event, a delivery before the order, a value too great."""
        ordered, delivered = _read(column.field("order_time")), _read(column.field("delivery_time"))
        after_us = np.where(ordered != 0, ordered - self._event_times, 0)
        late = np.flatnonzero(after_us > CLOCK_TOLERANCE_US)
        expected = _expect(
            f"{self._kind}.order_time",
            "at most event_time + 5 min",
            "send the time at which the order was placed",
        )
        shown = [f"{after_us[place] // _SECOND_US} s after event_time" for place in late]
        self._collector.reject(self._rows[late], expected, shown)
        before_us = np.where((ordered != 0) & (delivered != 0), ordered - delivered, 0)
        early = np.flatnonzero(before_us > 0)
        expected = _expect(
            f"{self._kind}.delivery_time",
            "not before order_time",
            "leave delivery_time out if the item is not delivered yet",
        )
        shown = [f"{before_us[place] / _SECOND_US:g} s before order_time" for place in early]
        self._collector.reject(self._rows[early], expected, shown)
        self._check_value(column, self._rows, lambda _, name: f"{self._kind}.{name}")


def _read(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return integers or times as int64; null is 0."""
    values: npt.NDArray[np.int64] = (
        column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    )
    return values


def _find_bad(
    column: pa.Array, field: FieldSpec, path: str, key: tuple[str, str]
) -> tuple[npt.NDArray[np.bool_], Expectation]:
    """Return which values break their field's rule, and the rule."""
    if field.enum_numbers is not None:
        names = list(field.enum_numbers)[1 if key in REQUIRED_ENUMS else 0 :]
        is_bad = pc.invert(pc.is_in(column, pa.array(names, pa.string())))
        rule = _expect(path, f"one of {names[0]} ... {names[-1]}", "use a name of the enum")
        return _to_mask(is_bad), rule
    if field.type is FieldType.DOUBLE:
        values = column.fill_null(float("nan")).to_numpy(zero_copy_only=False)
        rule = _expect(path, "a probability above 0, at most 1", "log the chosen probability")
        return ~((values > 0) & (values <= 1)), rule
    if field.type is FieldType.TIME:
        is_bad = pc.less_equal(column.cast(pa.int64()), 0).fill_null(False)
        return _to_mask(is_bad), _expect(path, "after 1970-01-01", "leave out an unknown time")
    if field.type in (FieldType.INT32, FieldType.INT64):
        least, greatest = RANGES[field.name]
        values = column.cast(pa.int64()).fill_null(least).to_numpy(zero_copy_only=False)
        rule = _expect(path, f"{least} to {greatest}", "correct it at the source")
        return (values < least) | (values > greatest), rule
    if key in REQUIRED_STRINGS:
        rule = Expectation(RejectionReason.MISSING_FIELD, path, "not empty", "name what it is of")
        return _to_mask(pc.equal(pc.binary_length(column), 0)), rule
    return np.zeros(len(column), np.bool_), _expect(path, "", "")


def _show(value: object) -> str:
    """Return a value as it may stand in a rejection: a code that is no name may be anything."""
    if isinstance(value, str):
        return show_name(value) if value else "empty"
    return shorten(str(value))


def _expect(path: str, expectation: str, fix: str) -> Expectation:
    return Expectation(RejectionReason.BAD_VALUE, path, expectation, fix)


def _to_mask(column: pa.Array) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
    return mask


def _require_ranges(spec: MessageSpec) -> None:
    """Crash at import if an integer field has no stated range."""
    for field in spec.fields:
        if field.message is not None:
            _require_ranges(field.message)
        elif field.type in (FieldType.INT32, FieldType.INT64) and field.name not in RANGES:
            raise TypeError(f"state the range of {spec.name}.{field.name} in RANGES")


for _spec in KIND_SPECS.values():
    _require_ranges(_spec)
