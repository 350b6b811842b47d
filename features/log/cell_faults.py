"""Faults that the compiled check has found in cells, in words.

What `validation` would say of the same event (tested), without making columns of it:
beside a stream they cost more than all else that is done for a bad row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.log import envelope_rules
from features.log.cell_checks import CHECKED, LINE_CHECKED, RULES, Fault
from features.log.cells import CELL, LINE_CELL, CellField, EventCells
from features.log.kind_rules import (
    MAX_VALUE_MINOR,
    expect_delivery_time,
    expect_few_lines,
    expect_field,
    expect_lines,
    expect_order_time,
    expect_product,
    expect_total,
    show_after_event,
    show_before_order,
    show_field,
    show_product,
    show_total,
)
from features.log.rejections import Expectation, Rejection
from features.log.schema import EVENT_KINDS, FieldType
from features.log.validation import AcceptanceRules, find_untimely

_Lines = npt.NDArray[np.int64]
_LINES_KIND = "order_placed"
_EVENT_TIMES, _INGEST_TIMES = envelope_rules.TIMES
_ENVELOPE = {
    Fault.NO_TENANT: (envelope_rules.NAMES[0], envelope_rules.EMPTY),
    Fault.NO_EVENT_ID: (envelope_rules.NAMES[1], envelope_rules.EMPTY),
    Fault.NO_EVENT_TIME: (_EVENT_TIMES.present, envelope_rules.ABSENT),
    Fault.EVENT_TIME: (_EVENT_TIMES.end, envelope_rules.AFTER_2099),
    Fault.INGEST_TIME: (_INGEST_TIMES.end, envelope_rules.AFTER_2099),
}
_TOTALS = {
    Fault.TOTAL_PRICE: "unit_price_minor",
    Fault.TOTAL_DISCOUNT: "unit_discount_minor",
}


def explain_fault(fault: int, cells: EventCells, row: int, rules: AcceptanceRules) -> Rejection:
    """Return why an event is refused, its offset 0.

    Args:
        fault: What `find_faults` said of it, neither `NONE` nor `UNCLEAR`.
        cells: The events.
        row: Which one.
        rules: Bounds of lateness.
    """
    if fault in _ENVELOPE:
        return envelope_rules.reject(*_ENVELOPE[Fault(fault)])
    head = cells.head[row]
    if fault == Fault.UNTIMELY:
        return _explain_times(head, rules)
    if fault >= Fault.FIELD:
        kind, field = CHECKED[fault - Fault.FIELD]
        shown = _show_cell(field, int(cells.cells[row, field.cell]))
        return envelope_rules.reject(_expect(kind, field), shown)
    if fault in (Fault.ORDER_TIME, Fault.DELIVERY_TIME, Fault.PRODUCT):
        return _explain_relation(fault, head, cells.cells[row])
    first = int(head["first_line"])
    return _explain_lines(fault, cells.lines[first : first + int(head["line_count"])])


def _explain_times(head: np.void, rules: AcceptanceRules) -> Rejection:
    names = ("event_time_us", "known_at_us", "ingest_us")
    event_us, known_us, ingest_us = (int(head[name]) for name in names)
    fault = find_untimely(event_us, known_us, ingest_us, rules)
    assert fault is not None
    return fault


def _explain_relation(fault: int, head: np.void, row: npt.NDArray[np.int64]) -> Rejection:
    kind = EVENT_KINDS[int(head["kind"]) - 1]
    ordered_us = int(row[CELL[kind, "order_time"]])
    if fault == Fault.ORDER_TIME:
        shown = show_after_event(ordered_us - int(head["event_time_us"]))
        return envelope_rules.reject(expect_order_time(kind), shown)
    if fault == Fault.DELIVERY_TIME:
        shown = show_before_order(ordered_us - int(row[CELL[kind, "delivery_time"]]))
        return envelope_rules.reject(expect_delivery_time(kind), shown)
    value = int(row[CELL[kind, "quantity"]]) * int(row[CELL[kind, "unit_price_minor"]])
    return envelope_rules.reject(expect_product(f"{kind}.quantity"), show_product(value))


def _explain_lines(fault: int, lines: _Lines) -> Rejection:
    if fault == Fault.NO_LINES:
        return envelope_rules.reject(expect_lines(_LINES_KIND), "no line")
    if fault == Fault.MANY_LINES:
        return envelope_rules.reject(expect_few_lines(_LINES_KIND), f"{len(lines)} lines")
    quantities = lines[:, LINE_CELL["quantity"]]
    if fault in _TOTALS:
        name = _TOTALS[Fault(fault)]
        # One after the other, as columns and the check add them up.
        amounts = quantities.astype(np.float64) * lines[:, LINE_CELL[name]]
        total = float(np.cumsum(amounts)[-1])
        return envelope_rules.reject(expect_total(_LINES_KIND, name), show_total(total))
    if fault == Fault.LINE_PRODUCT:
        products = quantities * lines[:, LINE_CELL["unit_price_minor"]]
        place = int(np.argmax(products > MAX_VALUE_MINOR))
        expected = expect_product(f"{_LINES_KIND}.lines[{place}].quantity")
        return envelope_rules.reject(expected, show_product(int(products[place])))
    return _explain_line_field(fault - Fault.LINE_FIELD, lines)


def _explain_line_field(check: int, lines: _Lines) -> Rejection:
    field = LINE_CHECKED[check]
    cell, flag, _, _, least, greatest = RULES.line_checks[check].tolist()
    values = lines[:, cell]
    is_bad = (values < least) | (values > greatest)
    if flag >= 0:
        is_bad &= lines[:, flag] != 0
    place = int(np.argmax(is_bad))
    key = (_LINES_KIND, field.spec.name)
    expected = expect_field(field.spec, f"{_LINES_KIND}.lines[{place}].{field.path}", key)
    return envelope_rules.reject(expected, _show_cell(field, int(values[place])))


def _expect(kind: str, field: CellField) -> Expectation:
    return expect_field(field.spec, f"{kind}.{field.path}", (kind, field.spec.name))


def _show_cell(field: CellField, number: int) -> str:
    """Return what a cell holds, as columns would show it."""
    value: Any = number
    if field.spec.type is FieldType.STRING:
        value = ""  # The one thing that can be wrong with a string.
    elif field.spec.type is FieldType.DOUBLE:
        value = float(np.int64(number).view(np.float64))
    elif field.spec.enum_numbers is not None:
        value = next((n for n, each in field.spec.enum_numbers.items() if each == number), "")
    return show_field(value)
