"""Which rule of `validation` an event in cells breaks first, compiled.

The rules are those of `kind_checks` and `validation`, read from the same tables and
asked in the same order. An event that passes here passes there, and what fails here
fails there for the same reason (tested), which `cell_faults` puts in words. What
cells cannot tell is in doubt: `validation` decides and explains.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled_without_allocation, int64_1d, int64_2d, welded
from features.log.cells import HEAD_DTYPE, KIND_FIELDS, LINE_FIELDS, CellField
from features.log.envelope_rules import END_US
from features.log.kind_rules import (
    CLOCK_TOLERANCE_US,
    MAX_LINES,
    MAX_VALUE_MINOR,
    RANGES,
    REQUIRED_ENUMS,
    REQUIRED_STRINGS,
)
from features.log.schema import EVENT_KINDS, KIND_SPECS, FieldType, MessageSpec
from features.log.validation import AcceptanceRules

_EVENT_US, _KNOWN_US, _INGEST_US, _TENANT, _EVENT, _PRESENT, _LINES, _LAST = (
    HEAD_DTYPE.fields[name][1] // 8  # type: ignore[index]
    for name in (
        "event_time_us", "known_at_us", "ingest_us", "tenant_h1", "event_h1", "present",
        "first_line", "embedding",
    )
)  # fmt: skip
_ONE_BITS = struct.unpack("<q", struct.pack("<d", 1.0))[0]


class Fault(IntEnum):
    """What is wrong with a row; `FIELD` stands for all numbers from it on."""

    NONE = 0
    UNCLEAR = 1
    """Perhaps nothing; the careful path knows."""
    NO_TENANT = 2
    NO_EVENT_ID = 3
    NO_EVENT_TIME = 4
    EVENT_TIME = 5
    INGEST_TIME = 6
    NO_LINES = 7
    MANY_LINES = 8
    LINE_PRODUCT = 9
    TOTAL_PRICE = 10
    TOTAL_DISCOUNT = 11
    ORDER_TIME = 12
    DELIVERY_TIME = 13
    PRODUCT = 14
    UNTIMELY = 15
    """Nothing but its times (`validation.find_untimely`)."""
    LINE_FIELD = 32
    """Plus the place in `LINE_CHECKED`; below 64."""
    FIELD = 64
    """Plus the place in `CHECKED`."""


_UNCLEAR, _NO_TENANT, _NO_EVENT_ID, _NO_EVENT_TIME, _EVENT_TIME, _INGEST_TIME = (
    int(Fault.UNCLEAR), int(Fault.NO_TENANT), int(Fault.NO_EVENT_ID), int(Fault.NO_EVENT_TIME),
    int(Fault.EVENT_TIME), int(Fault.INGEST_TIME),
)  # fmt: skip
_NO_LINES, _MANY_LINES, _LINE_PRODUCT, _TOTAL_PRICE, _TOTAL_DISCOUNT = (
    int(Fault.NO_LINES), int(Fault.MANY_LINES), int(Fault.LINE_PRODUCT),
    int(Fault.TOTAL_PRICE), int(Fault.TOTAL_DISCOUNT),
)  # fmt: skip
_ORDER_TIME, _DELIVERY_TIME, _PRODUCT, _UNTIMELY = (
    int(Fault.ORDER_TIME), int(Fault.DELIVERY_TIME), int(Fault.PRODUCT), int(Fault.UNTIMELY),
)  # fmt: skip
_LINE_FIELD, _FIELD = int(Fault.LINE_FIELD), int(Fault.FIELD)


class Rules(NamedTuple):
    """The rules as arrays.

    Attributes:
        checks: Shape `(n, 6)`: cell, bit (-1: always there), guard bit, whether it is a string
            that must not be empty, least and greatest value. Kind by kind.
        starts: Shape `(n_kinds + 2,)`: first check of each kind number.
        relations: Shape `(n_kinds + 1, 6)`: cells of order time, delivery time, quantity, unit
            price (-1: the kind has not both times), of the embedder (-1: has none), and
            whether there must be lines.
        line_checks: As `checks`, `bit` being the cell that says it is present.
        line_cells: Cells of quantity, unit price and unit discount in a line.
    """

    checks: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    relations: npt.NDArray[np.int64]
    line_checks: npt.NDArray[np.int64]
    line_cells: npt.NDArray[np.int64]


_BOOL_1D = numba.types.Array(numba.boolean, 1, "C")
_INT16_1D = numba.types.Array(numba.int16, 1, "C")
_RULES_TYPE = numba.types.NamedTuple([int64_2d, int64_1d, int64_2d, int64_2d, int64_1d], Rules)


def _find_rule(kind: str, field: CellField) -> list[int] | None:
    """Return the check of one field, None if all its values are right.

    Times are not here: a decoder vouches for none that is not after 1970.
    """
    place = [field.cell, field.bit, field.guard]
    key = (kind, field.spec.name)
    if field.spec.type in (FieldType.INT32, FieldType.INT64):
        return [*place, 0, *RANGES[field.spec.name]]
    if field.spec.type is FieldType.DOUBLE:
        # Bits of doubles above 0 are ordered as the doubles are.
        return [*place, 0, 1, _ONE_BITS]
    if field.spec.enum_numbers is not None:
        numbers = field.spec.enum_numbers.values()
        return [*place, 0, int(key in REQUIRED_ENUMS), max(numbers)]
    if key in REQUIRED_STRINGS and field.guard < 0:
        return [*place, 1, 0, 0]
    return None


def _list_paths(spec: MessageSpec, prefix: str = "") -> Iterator[str]:
    """Yield the paths of a message's fields in the order in which their columns are checked."""
    for field in spec.logged_fields:
        yield prefix + field.name
        if field.message is not None and not field.is_repeated:
            yield from _list_paths(field.message, f"{prefix}{field.name}.")


def _list_checked(kind: str) -> Iterator[tuple[CellField, list[int]]]:
    fields = {field.path: field for field in KIND_FIELDS[kind]}
    for path in _list_paths(KIND_SPECS[kind]):
        rule = _find_rule(kind, fields[path])
        if rule is not None:
            yield fields[path], rule


def _relate(kind: str) -> list[int]:
    cells = {field.path: field.cell for field in KIND_FIELDS[kind]}
    names = ("order_time", "delivery_time", "quantity", "unit_price_minor")
    related = [cells.get(name, -1) for name in names]
    if min(related[:2]) < 0:
        related = [-1] * 4
    embedder = [cell for path, cell in cells.items() if path.endswith(".embedder")]
    return [*related, *(embedder or [-1]), int("lines" in cells)]


_CHECKS = [(kind, *checked) for kind in EVENT_KINDS for checked in _list_checked(kind)]
_LINE_CHECKS = [(f, rule) for f in LINE_FIELDS if (rule := _find_rule("order_placed", f))]

CHECKED: tuple[tuple[str, CellField], ...] = tuple((kind, field) for kind, field, _ in _CHECKS)
"""Kind and field of each check."""

LINE_CHECKED: tuple[CellField, ...] = tuple(field for field, _ in _LINE_CHECKS)
"""The field of an order line of each check of lines."""


def _build_rules() -> Rules:
    kinds = [kind for kind, _ in CHECKED]
    starts = [kinds.index(kind) if kind in kinds else -1 for kind in EVENT_KINDS]
    for number in reversed(range(len(starts))):
        if starts[number] < 0:  # A kind without checks.
            starts[number] = starts[number + 1] if number + 1 < len(starts) else len(kinds)
    line_cells = {field.path: field.cell for field in LINE_FIELDS}
    return Rules(
        np.array([rule for _, _, rule in _CHECKS], np.int64),
        np.array([0, *starts, len(kinds)], np.int64),
        np.array([[-1] * 5 + [0], *map(_relate, EVENT_KINDS)], np.int64),
        np.array([rule for _, rule in _LINE_CHECKS], np.int64),
        np.array(
            [line_cells[n] for n in ("quantity", "unit_price_minor", "unit_discount_minor")],
            np.int64,
        ),
    )


RULES = _build_rules()

EMBEDDER_CELL: npt.NDArray[np.int64] = RULES.relations[:, 4].copy()
"""By kind number: the cell of its reason's embedder, -1 if it has no reason."""


@welded
def _find_envelope_fault(head: Any) -> int:
    event_us, known_us, ingest_us = head[_EVENT_US], head[_KNOWN_US], head[_INGEST_US]
    if head[_TENANT] == 0 and head[_TENANT + 1] == 0:
        return _NO_TENANT
    if head[_EVENT] == 0 and head[_EVENT + 1] == 0:
        return _NO_EVENT_ID
    if event_us == 0:
        return _NO_EVENT_TIME
    if event_us < 0 or ingest_us < 1 or known_us < 0:
        return _UNCLEAR
    if event_us >= END_US:
        return _EVENT_TIME
    return _INGEST_TIME if ingest_us >= END_US else 0


@welded
def _is_timely(head: Any, max_late_us: int, max_future_us: int) -> bool:
    event_us, known_us, ingest_us = head[_EVENT_US], head[_KNOWN_US], head[_INGEST_US]
    if ingest_us - event_us > max_late_us or event_us - ingest_us > max_future_us:
        return False
    return bool(known_us - ingest_us <= max_future_us)


@welded
def _find_field_fault(head: Any, cells: Any, checks: Any, start: int, end: int) -> int:
    present = head[_PRESENT]
    for i in range(start, end):
        bit, guard = checks[i, 1], checks[i, 2]
        if bit >= 0 and (present >> bit) & 1 == 0:
            continue
        if guard >= 0 and (present >> guard) & 1 == 0:
            continue
        cell = checks[i, 0]
        if checks[i, 3] != 0:
            if cells[cell] == 0 and cells[cell + 1] == 0:
                return _FIELD + i
        elif cells[cell] < checks[i, 4] or cells[cell] > checks[i, 5]:
            return _FIELD + i
    return 0


@welded
def _find_relation_fault(event_us: int, cells: Any, relation: Any) -> int:
    """Return whether order, delivery and event follow each other, and the value is in range."""
    if relation[0] < 0:
        return 0
    ordered, delivered = cells[relation[0]], cells[relation[1]]
    if ordered != 0 and ordered - event_us > CLOCK_TOLERANCE_US:
        return _ORDER_TIME
    if ordered != 0 and delivered != 0 and ordered > delivered:
        return _DELIVERY_TIME
    value = cells[relation[2]] * cells[relation[3]]
    return 0 if 0 <= value <= MAX_VALUE_MINOR else _PRODUCT


@welded
def _find_line_fault(lines: Any, first: int, count: int, rules: Any) -> int:
    """Return the first fault of an order's lines, field by field as in columns."""
    if count < 1 or count > MAX_LINES:
        return _NO_LINES if count < 1 else _MANY_LINES
    checks = rules.line_checks
    for i in range(len(checks)):
        cell, flag = checks[i, 0], checks[i, 1]
        for k in range(first, first + count):
            if flag >= 0 and lines[k, flag] == 0:
                continue
            if lines[k, cell] < checks[i, 4] or lines[k, cell] > checks[i, 5]:
                return _LINE_FIELD + i
    quantity, price, discount = rules.line_cells[0], rules.line_cells[1], rules.line_cells[2]
    total_price, total_discount = 0.0, 0.0
    for k in range(first, first + count):
        if lines[k, quantity] * lines[k, price] > MAX_VALUE_MINOR:
            return _LINE_PRODUCT
        # Floats, as there: a sum of amounts in range still may leave int64.
        total_price += np.float64(lines[k, quantity]) * np.float64(lines[k, price])
        total_discount += np.float64(lines[k, quantity]) * np.float64(lines[k, discount])
    if total_price > MAX_VALUE_MINOR:
        return _TOTAL_PRICE
    return _TOTAL_DISCOUNT if total_discount > MAX_VALUE_MINOR else 0


@compiled_without_allocation(
    numba.void(
        int64_2d, int64_2d, int64_2d, _RULES_TYPE, numba.int64, numba.int64,
        _BOOL_1D, _INT16_1D,
    )
)  # fmt: skip
def _check_rows(
    heads: Any, cells: Any, lines: Any, rules: Any, max_late_us: int, max_future_us: int,
    is_doubtful: Any, faults: Any,
) -> None:  # fmt: skip
    """Mark the rows that break a rule, and say which."""
    for row in range(len(heads)):
        if is_doubtful[row]:
            faults[row] = _UNCLEAR
            continue
        head = heads[row]
        embedding = head[_LAST] << 32 >> 32
        kind = head[_LAST] >> 32 & 0xFF
        relation = rules.relations[kind]
        fault = _find_envelope_fault(head)
        if kind <= 0 or (embedding >= 0 and (relation[4] < 0 or cells[row, relation[4]] == 0)):
            fault = _UNCLEAR  # Whatever else: columns are asked for an embedder at its place.
        if fault == 0:
            start, end = rules.starts[kind], rules.starts[kind + 1]
            fault = _find_field_fault(head, cells[row], rules.checks, start, end)
        if fault == 0 and relation[5] != 0:
            first, count = head[_LINES] & 0xFFFFFFFF, head[_LINES] >> 32
            fault = _find_line_fault(lines, first, count, rules)
        if fault == 0:
            fault = _find_relation_fault(head[_EVENT_US], cells[row], relation)
        if fault == 0 and not _is_timely(head, max_late_us, max_future_us):
            fault = _UNTIMELY
        faults[row] = fault
        is_doubtful[row] = fault != 0


def find_faults(
    heads: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    rules: AcceptanceRules,
    is_doubtful: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int16]:
    """Return what is wrong with each event, shape `(n,)`: see `Fault`.

    Args:
        heads: Shape `(n, HEAD_DTYPE.itemsize // 8)`: the heads' words, ingest times set.
        cells: As `EventCells.cells`.
        lines: As `EventCells.lines`.
        rules: Bounds of lateness.
        is_doubtful: Shape `(n,)`; what is marked is unclear and not looked at, and all that
            is wrong is marked in place.
    """
    faults = np.empty(len(heads), np.int16)
    late_us, future_us = rules.max_late_us, rules.max_future_us
    _check_rows(heads, cells, lines, RULES, late_us, future_us, is_doubtful, faults)
    return faults
