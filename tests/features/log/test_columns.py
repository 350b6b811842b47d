from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.entities import N_ENTITIES, Entity
from features.fold_rows import FOLDED_KINDS, FoldFlag, FoldKind
from features.keys import compute_entity_key, compute_event_key
from features.log import structs
from features.log.arrow_cells import from_arrow
from features.log.cells import EventCells
from features.log.columns import (
    FoldRows,
    RequestRows,
    to_fold_rows,
    to_line_rows,
    to_request_rows,
)
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from hemostat.v1 import event_pb2
from tests.features.log.event_strategies import LAW
from tests.features.log.expected_rows import (
    Named,
    expect_fold_rows,
    expect_line_row,
    expect_request_row,
)
from tests.features.log.row_events import row_events, to_batch

_CASES = ("order_placed", "cancel_requested", "return_requested")


def _plain(row: Any, *left_out: str) -> dict[str, Any]:
    """Return a row field by field, so that a difference is shown by name."""
    return {name: row[name].tolist() for name in row.dtype.names if name not in left_out}


def _make_order(*styles: str, **line: Any) -> event_pb2.Event:
    event = event_pb2.Event(event_id="e1", tenant="demo", customer_id="c1")
    event.event_time.seconds = event.ingest_time.seconds = 1_772_366_400
    for style in styles:
        event.order_placed.lines.add(style=style, quantity=1, **line)
    return event


@LAW
@given(st.lists(row_events(), max_size=6))
@example([_make_order(*[f"s{n % 33}" for n in range(50)])])
def test_fold_rows_equal_the_rules_spelt_out(events: list[event_pb2.Event]) -> None:
    cells = from_arrow(to_batch(events))
    found = to_fold_rows(cells)
    expected = [(n, *rows) for n, event in enumerate(events) for rows in expect_fold_rows(event)]
    assert found.event_index.tolist() == [n for n, *_ in expected]
    assert [key.tobytes() for key in found.entity_keys] == [key for _, key, *_ in expected]
    left_out = ("embedding", "padding")
    assert [_plain(row, *left_out) for row in found.rows] == [
        _plain(row, *left_out) for *_, row, _ in expected
    ]
    embeddings = [
        cells.embeddings[place].tobytes() if place >= 0 else b""
        for place in found.rows["embedding"]
    ]
    assert embeddings == [embedding for *_, embedding in expected]
    assert not found.rows["padding"].any()


@LAW
@given(st.lists(row_events(), max_size=6))
def test_every_event_has_a_key_and_customers_have_theirs(events: list[event_pb2.Event]) -> None:
    found = to_fold_rows(from_arrow(to_batch(events)))
    keys = [compute_event_key(event.tenant, event.event_id) for event in events]
    assert found.event_keys.tolist() == keys
    customers = [
        compute_entity_key(event.tenant, Entity.CUSTOMER, event.customer_id)
        if event.customer_id
        else bytes(16)
        for event in events
    ]
    assert [key.tobytes() for key in found.customer_keys] == customers


def _check_requests(found: RequestRows, expected: list[tuple[Any, Named]]) -> None:
    assert [_plain(row) for row in found.rows] == [_plain(row) for row, _ in expected]
    for keys, is_named, (_, names) in zip(found.entity_keys, found.is_named, expected, strict=True):
        assert is_named.tolist() == [entity in names for entity in Entity]
        assert [key.tobytes() for key in keys] == [names.get(e, bytes(16)) for e in Entity]


@LAW
@given(st.lists(row_events(), max_size=6))
def test_request_rows_equal_the_rules_spelt_out(events: list[event_pb2.Event]) -> None:
    found = to_request_rows(from_arrow(to_batch(events)))
    chosen = [i for i, event in enumerate(events) if event.WhichOneof("kind") in _CASES]
    assert found.event_index.tolist() == chosen
    assert (found.line_index == -1).all()
    _check_requests(found, [expect_request_row(events[i]) for i in chosen])


@LAW
@given(st.lists(row_events(), max_size=6))
def test_line_rows_are_their_orders_rows_with_their_own_products(
    events: list[event_pb2.Event],
) -> None:
    found = to_line_rows(from_arrow(to_batch(events)))
    places = [(i, j) for i, e in enumerate(events) for j in range(len(e.order_placed.lines))]
    assert list(zip(found.event_index, found.line_index, strict=True)) == places
    _check_requests(found, [expect_line_row(events[i], j) for i, j in places])


@LAW
@given(st.lists(row_events(), min_size=2, max_size=6), st.integers(1, 5))
def test_rows_do_not_depend_on_the_events_beside(events: list[event_pb2.Event], start: int) -> None:
    batch = to_batch(events)
    sliced, rebuilt = from_arrow(batch.slice(start)), from_arrow(to_batch(events[start:]))
    taken = from_arrow(batch).take(np.arange(len(events)) >= start)
    for convert in (to_fold_rows, to_request_rows, to_line_rows):
        expected = _list_bytes(convert, rebuilt)
        assert _list_bytes(convert, sliced) == expected
        assert _list_bytes(convert, taken) == expected


def _list_bytes(
    convert: Callable[[EventCells], FoldRows | RequestRows], batch: EventCells
) -> list[bytes]:
    """Return the rows' bytes; an embedding's place in its batch's table means nothing elsewhere."""
    found = convert(batch)
    listed = [getattr(found, name) for name in found.__dataclass_fields__ if name != "rows"]
    rows = found.rows.copy()
    if isinstance(found, FoldRows):
        has_embedding = (rows["flags"] & FoldFlag.HAS_EMBEDDING) != 0
        listed.append(batch.embeddings[rows["embedding"][has_embedding]])
        rows["embedding"][has_embedding] = 0
    return [each.tobytes() for each in (*listed, rows)]


@pytest.mark.parametrize("n_lines", [1, 2, 10_000])
def test_an_orders_rows_are_bounded_by_its_lines(n_lines: int) -> None:
    cells = from_arrow(to_batch([_make_order(*["same"] * n_lines, sku="a")]))
    rows = to_fold_rows(cells).rows
    # The order and, per line, customer, SKU and style.
    assert len(rows) == 1 + 3 * n_lines
    assert rows["multi_variant_count"][0] == (n_lines if n_lines > 1 else 0)


def test_no_events_make_no_rows() -> None:
    cells = from_arrow(to_batch([]))
    assert len(to_fold_rows(cells).rows) == 0
    assert to_request_rows(cells).entity_keys.shape == (0, N_ENTITIES, 16)
    assert to_line_rows(cells).is_named.shape == (0, N_ENTITIES)


def test_rows_are_the_same_from_files_with_only_the_folded_columns_read(tmp_path: Path) -> None:
    cancelled = structs.OrderCancelled(quantity=2, unit_price_minor=50, initiator=1)
    order = structs.OrderPlaced(lines=[structs.OrderLine(quantity=3, unit_price_minor=100)])
    events = [
        structs.Event(event_id="e1", tenant="demo", event_time=1, customer_id="c1",
                      order_placed=order),
        structs.Event(event_id="e2", tenant="demo", event_time=2, customer_id="c1",
                      order_paid=structs.OrderPaid(amount_minor=300)),
        structs.Event(event_id="e3", tenant="demo", event_time=3, customer_id="c1",
                      order_cancelled=cancelled),
    ]  # fmt: skip
    with EventLogWriter(tmp_path / "log", n_partitions=1) as writer:
        writer.append_structs(events)
    log = EventLog(tmp_path / "log")
    ((_, batch),) = log.read_batches(0, kinds=FOLDED_KINDS)
    found = to_fold_rows(from_arrow(batch))
    assert found.event_index.tolist() == [0, 0, 2]
    assert found.rows["kind"].tolist() == [
        FoldKind.ORDER_PLACED,
        FoldKind.ORDER_LINE,
        FoldKind.ORDER_CANCELLED,
    ]
    assert found.rows["value_minor"].tolist() == [300, 300, 100]
    whole = to_fold_rows(from_arrow(log.read_table()))
    assert whole.rows.tobytes() == found.rows.tobytes()
