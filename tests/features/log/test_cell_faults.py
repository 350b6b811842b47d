"""What the compiled check refuses is told word for word as the columns' checks tell it."""

from __future__ import annotations

import gc
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict

from benchmarks.stream.poison import SORTS
from features.log.cell_checks import CHECKED, LINE_CHECKED, RULES, Fault
from features.log.cells import CELL, CellField
from features.log.decode import decode_lines, decode_messages
from features.log.json_cells import decode_json
from features.log.proto_cells import decode_proto
from features.log.schema import EVENT_KINDS, FieldType
from hemostat.v1 import event_pb2
from tests.features.log.careful_twin import decide_carefully, join

_ENVELOPE = {"event_id": "e1", "tenant": "demo", "event_time": "2026-03-01T12:00:00Z"}
_LINE = {"line_id": "1", "sku": "s", "quantity": 1, "unit_price_minor": "100"}
_INT32, _INT64 = 2**31, 2**63


def _write(kind: str, path: str, value: Any, **members: Any) -> dict[str, Any]:
    """Return an event of a kind with one field set, and what else it must have."""
    payload: dict[str, Any] = {"lines": [_LINE]} if kind == "order_placed" else {}
    needed = {"quantity": 1, "case_event_id": "c1", "label": "LABEL_KIND_ABUSE_CLEARED"}
    payload |= {name: needed[name] for name in needed if (kind, name) in CELL}
    inner = payload
    *around, name = path.split(".")
    for each in around:
        inner = inner.setdefault(each, {})
    inner[name] = value
    return {**_ENVELOPE, kind: payload, **members}


def _list_bad(field: CellField, bounds: tuple[int, int]) -> Iterator[Any]:
    """Yield values of a field that are wrong, in its range's and in its type's sense."""
    if field.spec.enum_numbers is not None:
        yield next(iter(field.spec.enum_numbers))
    elif field.spec.type is FieldType.DOUBLE:
        yield from (0.0, -0.25, 1.5, 1e300)
    elif field.spec.type is FieldType.STRING:
        yield ""
    else:
        least, greatest = bounds
        limit = _INT32 if field.spec.type is FieldType.INT32 else _INT64
        yield from (n for n in (least - 1, greatest + 1, limit - 1, -limit) if -limit <= n < limit)


def _list_events() -> Iterator[dict[str, Any]]:
    for (kind, field), check in zip(CHECKED, RULES.checks.tolist(), strict=True):
        for value in _list_bad(field, (check[4], check[5])):
            event = _write(kind, field.path, value)
            yield event
            yield event | {"tenant": "", "event_id": ""}
    lines = [_LINE, {**_LINE, "quantity": 2}]
    for field, check in zip(LINE_CHECKED, RULES.line_checks.tolist(), strict=True):
        for value in _list_bad(field, (check[4], check[5])):
            bad = [*lines, {**_LINE, field.path: value}, {**_LINE, field.path: value}]
            yield _write("order_placed", "lines", bad)
    for bad in (
        [],
        [_LINE] * 10_001,
        [_LINE, {**_LINE, "quantity": 1_000_000, "unit_price_minor": "10000001"}],
        [{**_LINE, "quantity": 1_000_000, "unit_price_minor": "10000000"}] * 3,
        [{**_LINE, "quantity": 1_000_000, "unit_discount_minor": "10000000"}] * 3,
    ):
        yield _write("order_placed", "lines", bad)
    for kind in EVENT_KINDS:
        if not {(kind, "order_time"), (kind, "delivery_time")} <= set(CELL):
            continue
        event = _write(kind, "quantity", 1_000_000)
        yield _write(kind, "order_time", "2026-03-02T12:00:00.5Z")
        event[kind] |= {"unit_price_minor": str(10**12)}
        yield event
        times = {"order_time": "2026-02-02T00:00:00Z", "delivery_time": "2026-02-01T23:59:58.75Z"}
        yield {**event, kind: {**event[kind], **times}}
    good = _write("order_paid", "order_id", "o1")
    yield good | {"event_time": "2100-01-01T00:00:00Z"}
    yield good | {"ingest_time": "9999-12-31T23:59:59.999999Z"}
    yield good | {"ingest_time": "2026-05-01T12:00:00Z"}
    yield good | {"known_at": "2026-05-01T12:00:00Z"}
    for name in ("tenant", "event_id", "event_time"):
        yield {each: good[each] for each in good if each != name}


_EVENTS = list(_list_events())


def test_every_fault_of_cells_is_told_as_the_columns_tell_it() -> None:
    lines = [json.dumps(event).encode() for event in _EVENTS]
    _, told = decide_carefully(lines)
    assert decode_lines(*join(lines)).rejected == told
    found = set(decode_json(*join(lines)).faults.tolist())
    fields = {Fault.FIELD + n for n, (_, field) in enumerate(CHECKED) if _can_be_bad(field)}
    of_lines = {Fault.LINE_FIELD + n for n, field in enumerate(LINE_CHECKED) if _can_be_bad(field)}
    named = set(Fault) - {Fault.FIELD, Fault.LINE_FIELD}
    assert fields | of_lines | named <= found | {Fault.NONE}


def _can_be_bad(field: CellField) -> bool:
    """Return whether a vouched value can break its rule: of most enums each name may stand."""
    return field.spec.enum_numbers is None or field.spec.name == "label"


def test_every_fault_of_messages_is_told_as_the_columns_tell_it() -> None:
    rows = [ParseDict(event, event_pb2.Event()).SerializeToString() for event in _EVENTS]
    _, told = decide_carefully(rows, is_json=False)
    assert decode_messages(*join(rows)).rejected == told
    faults = decode_proto(*join(rows)).faults
    assert (faults > Fault.UNCLEAR).sum() > len(rows) // 2


@pytest.mark.parametrize("value", [_INT32, -_INT32 - 1, 10**17, "1e999", -1e999])
def test_what_no_type_holds_is_malformed_before_all_else(value: Any) -> None:
    event = _write("order_placed", "lines", [{**_LINE, "quantity": value}]) | {"tenant": ""}
    line = json.dumps(event).encode()
    if isinstance(value, float):
        kind, field = next(each for each in CHECKED if each[1].spec.type is FieldType.DOUBLE)
        event = _write(kind, field.path, 0.5, tenant="")
        line = json.dumps(event).replace("0.5", "1e999").encode()
    _, told = decide_carefully([line])
    assert decode_lines(*join([line])).rejected == told


def test_numbers_that_are_none_are_told_of_messages_as_the_columns_tell_them() -> None:
    kind, field = next(each for each in CHECKED if each[1].spec.type is FieldType.DOUBLE)
    event = ParseDict(_write(kind, field.path, 0.5), event_pb2.Event())
    rows = [
        event.SerializeToString().replace(struct.pack("<d", 0.5), struct.pack("<d", number))
        for number in (np.nan, -np.nan, np.inf, -np.inf, -0.0)
    ]
    _, told = decide_carefully(rows, is_json=False)
    assert decode_messages(*join(rows)).rejected == told


@pytest.mark.parametrize("name", [name for name in SORTS if SORTS[name].reason != "conflict"])
def test_poison_of_every_sort_is_told_as_the_columns_tell_it(name: str) -> None:
    event = _write("order_paid", "order_id", "o1", ingest_time="2026-03-01T12:00:01Z")
    lines = [json.dumps(event).encode(), SORTS[name].spoil(event), json.dumps(event).encode()]
    _, told = decide_carefully(lines)
    decoded = decode_lines(*join(lines))
    assert decoded.rejected == told
    assert [each.reason_code for each in told] == [SORTS[name].reason]
    assert decoded.places.tolist() == [0, 2]


def test_bad_rows_leave_nothing_to_the_garbage_collector() -> None:
    """Cycles of errors and their frames made Python collect in the midst of good events."""
    event = _write("order_paid", "order_id", "o1", ingest_time="2026-03-01T12:00:01Z")
    lines = [sort.spoil(event) for sort in SORTS.values()]
    messages = [line for line in lines if line]
    decode_lines(*join(lines)), decode_messages(*join(messages))
    gc.collect()
    gc.disable()
    try:
        decode_lines(*join(lines)), decode_messages(*join(messages))
        assert gc.collect() == 0
    finally:
        gc.enable()
