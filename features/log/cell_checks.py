"""Whether events in cells break a rule of `validation`, compiled; which one is said there.

The rules are those of `kind_checks` and `validation`, read from the same tables.
An event that passes here passes there (tested); what does not is in doubt, and
`validation` decides and explains.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled_without_allocation, int64_1d, int64_2d, welded
from features.log.cells import HEAD_DTYPE, KIND_FIELDS, LINE_FIELDS, CellField
from features.log.envelope_rules import END_US
from features.log.kind_checks import (
    CLOCK_TOLERANCE_US,
    MAX_LINES,
    MAX_VALUE_MINOR,
    RANGES,
    REQUIRED_ENUMS,
    REQUIRED_STRINGS,
)
from features.log.schema import EVENT_KINDS, FieldType
from features.log.validation import AcceptanceRules

_EVENT_US, _KNOWN_US, _INGEST_US, _TENANT, _EVENT, _PRESENT, _LINES, _LAST = (
    HEAD_DTYPE.fields[name][1] // 8  # type: ignore[index]
    for name in (
        "event_time_us", "known_at_us", "ingest_us", "tenant_h1", "event_h1", "present",
        "first_line", "embedding",
    )
)  # fmt: skip
_ONE_BITS = struct.unpack("<q", struct.pack("<d", 1.0))[0]


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


def _build_rules() -> Rules:
    checks: list[list[int]] = []
    starts = [0]
    relations = [[-1] * 5 + [0]]
    for kind in EVENT_KINDS:
        starts.append(len(checks))
        rules = (_find_rule(kind, field) for field in KIND_FIELDS[kind])
        checks += [rule for rule in rules if rule is not None]
        cells = {field.path: field.cell for field in KIND_FIELDS[kind]}
        names = ("order_time", "delivery_time", "quantity", "unit_price_minor")
        related = [cells.get(name, -1) for name in names]
        if min(related[:2]) < 0:
            related = [-1] * 4
        embedder = [cell for path, cell in cells.items() if path.endswith(".embedder")]
        relations.append([*related, *(embedder or [-1]), int("lines" in cells)])
    starts.append(len(checks))
    line_rules = (_find_rule("order_placed", field) for field in LINE_FIELDS)
    line_cells = {field.path: field.cell for field in LINE_FIELDS}
    return Rules(
        np.array(checks, np.int64),
        np.array(starts, np.int64),
        np.array(relations, np.int64),
        np.array([rule for rule in line_rules if rule is not None], np.int64),
        np.array(
            [line_cells[n] for n in ("quantity", "unit_price_minor", "unit_discount_minor")],
            np.int64,
        ),
    )


RULES = _build_rules()

EMBEDDER_CELL: npt.NDArray[np.int64] = RULES.relations[:, 4].copy()
"""By kind number: the cell of its reason's embedder, -1 if it has no reason."""


@welded
def _is_envelope_right(head: Any) -> bool:
    event_us, known_us, ingest_us = head[_EVENT_US], head[_KNOWN_US], head[_INGEST_US]
    if event_us < 1 or event_us >= END_US or ingest_us < 1 or ingest_us >= END_US or known_us < 0:
        return False
    has_tenant = head[_TENANT] != 0 or head[_TENANT + 1] != 0
    return bool(has_tenant and (head[_EVENT] != 0 or head[_EVENT + 1] != 0))


@welded
def _is_timely(head: Any, max_late_us: int, max_future_us: int) -> bool:
    event_us, known_us, ingest_us = head[_EVENT_US], head[_KNOWN_US], head[_INGEST_US]
    if ingest_us - event_us > max_late_us or event_us - ingest_us > max_future_us:
        return False
    return bool(known_us - ingest_us <= max_future_us)


@welded
def _are_fields_right(head: Any, cells: Any, checks: Any, start: int, end: int) -> bool:
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
                return False
        elif cells[cell] < checks[i, 4] or cells[cell] > checks[i, 5]:
            return False
    return True


@welded
def _are_relations_right(event_us: int, cells: Any, relation: Any) -> bool:
    """Return whether order, delivery and event follow each other, and the value is in range."""
    if relation[0] < 0:
        return True
    ordered, delivered = cells[relation[0]], cells[relation[1]]
    if ordered != 0 and ordered - event_us > CLOCK_TOLERANCE_US:
        return False
    if ordered != 0 and delivered != 0 and ordered > delivered:
        return False
    value = cells[relation[2]] * cells[relation[3]]
    return bool(0 <= value <= MAX_VALUE_MINOR)


@welded
def _are_lines_right(lines: Any, first: int, count: int, rules: Any) -> bool:
    if count < 1 or count > MAX_LINES:
        return False
    quantity, price, discount = rules.line_cells[0], rules.line_cells[1], rules.line_cells[2]
    checks = rules.line_checks
    total_price, total_discount = 0.0, 0.0
    for k in range(first, first + count):
        for i in range(len(checks)):
            if checks[i, 1] >= 0 and lines[k, checks[i, 1]] == 0:
                continue
            cell = lines[k, checks[i, 0]]
            if cell < checks[i, 4] or cell > checks[i, 5]:
                return False
        if lines[k, quantity] * lines[k, price] > MAX_VALUE_MINOR:
            return False
        # Floats, as there: a sum of amounts in range still may leave int64.
        total_price += np.float64(lines[k, quantity]) * np.float64(lines[k, price])
        total_discount += np.float64(lines[k, quantity]) * np.float64(lines[k, discount])
    return bool(total_price <= MAX_VALUE_MINOR and total_discount <= MAX_VALUE_MINOR)


@compiled_without_allocation(
    numba.void(
        int64_2d, int64_2d, int64_2d, _RULES_TYPE, numba.int64, numba.int64,
        _BOOL_1D, _BOOL_1D,
    )
)  # fmt: skip
def _doubt_rows(
    heads: Any, cells: Any, lines: Any, rules: Any, max_late_us: int, max_future_us: int,
    is_doubtful: Any, is_untimely: Any,
) -> None:  # fmt: skip
    """Mark the rows that break a rule; rows that are marked already are not looked at."""
    for row in range(len(heads)):
        if is_doubtful[row]:
            continue
        head = heads[row]
        embedding = head[_LAST] << 32 >> 32
        kind = head[_LAST] >> 32 & 0xFF
        relation = rules.relations[kind]
        start, end = rules.starts[kind], rules.starts[kind + 1]
        is_right = (
            kind > 0
            and _is_envelope_right(head)
            and _are_fields_right(head, cells[row], rules.checks, start, end)
            and _are_relations_right(head[_EVENT_US], cells[row], relation)
            and (embedding < 0 or (relation[4] >= 0 and cells[row, relation[4]] != 0))
        )
        if is_right and relation[5] != 0:
            first, count = head[_LINES] & 0xFFFFFFFF, head[_LINES] >> 32
            is_right = _are_lines_right(lines, first, count, rules)
        is_untimely[row] = is_right and not _is_timely(head, max_late_us, max_future_us)
        is_doubtful[row] = not is_right or is_untimely[row]


def doubt_rows(
    heads: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    rules: AcceptanceRules,
    is_doubtful: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Mark the events that `validation` may have to refuse.

    Args:
        heads: Shape `(n, HEAD_DTYPE.itemsize // 8)`: the heads' words, ingest times set.
        cells: As `EventCells.cells`.
        lines: As `EventCells.lines`.
        rules: Bounds of lateness.
        is_doubtful: Shape `(n,)`; marked in place, marked rows are not looked at.

    Returns:
        Shape `(n,)`: where the times (`validation.find_untimely`) are all that is wrong.
    """
    is_untimely = np.zeros(len(heads), np.bool_)
    late_us, future_us = rules.max_late_us, rules.max_future_us
    _doubt_rows(heads, cells, lines, RULES, late_us, future_us, is_doubtful, is_untimely)
    return is_untimely
