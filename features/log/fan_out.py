"""Events to fold rows: one row for each entity that an event concerns, in one compiled pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    compiled,
    inlined,
    int64,
    int64_1d,
    int64_2d,
    uint64_1d,
    uint64_2d,
)
from features.entities import Entity
from features.fold_rows import FOLD_ROW_DTYPE, FoldKind
from features.keys import ENTITY_KEY_SIZE, mix_entity_key, mix_event_key
from features.log.cells import CELL, HEAD_DTYPE, KIND_NUMBER, EventCells
from features.log.named_entities import compute_key
from features.log.order_lines import mark_variants, sum_lines
from features.log.row_filling import fill_envelope, fill_event, fill_line, read_link
from features.log.row_tables import (
    FAN,
    FOLD_KIND,
    ID_CELL,
    LINE_ID_CELL,
    N_FAN,
    NEEDS_CUSTOMER,
)

_ZERO = np.uint64(0)
_CUSTOMER = int(Entity.CUSTOMER)
_ORDER_LINE = int(FoldKind.ORDER_LINE)
_ORDER_PLACED = KIND_NUMBER["order_placed"]
_ORDER_ID = CELL["order_placed", "order_id"]
_ORDER_DISCOUNT = CELL["order_placed", "discount_minor"]

_SLOTS_PER_LINE = 4
_fold_rows_type = array_of(FOLD_ROW_DTYPE)


@dataclass(frozen=True, slots=True)
class FoldRows:
    """What some events tell of the entities they concern; `n` events, `m` rows.

    Attributes:
        rows: Shape `(m,)` of `FOLD_ROW_DTYPE`, in the order of the events, those of one
            event together. `embedding` is a place in the cells' embeddings.
        entity_keys: Shape `(m, 16)`, uint8.
        event_index: Shape `(m,)`, int64: each row's event.
        event_keys: Shape `(n,)`, uint64.
        customer_keys: Shape `(n, 16)`, uint8: key of the customer's history, zeros for
            guests.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    event_index: npt.NDArray[np.int64]
    event_keys: npt.NDArray[np.uint64]
    customer_keys: npt.NDArray[np.uint8]


@inlined
def _fan(
    scratch: npt.NDArray[Any],
    head: Any,
    words: npt.NDArray[np.int64],
    i: int,
    id_cells: npt.NDArray[np.int64],
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    m: int,
) -> int:
    """Write the row at hand once per entity that is named; return the next free place."""
    kind = int(scratch[0]["kind"])
    is_guest = scratch[0]["member"] == _ZERO
    for n in range(N_FAN[kind]):
        entity = FAN[kind, n]
        if is_guest and NEEDS_CUSTOMER[entity]:
            continue
        is_named, k1, k2 = compute_key(head, words, i, entity, id_cells)
        if is_named:
            rows[m] = scratch[0]
            rows[m]["entity"] = entity
            keys[m, 0] = k1
            keys[m, 1] = k2
            m += 1
    return m


@inlined
def _fan_order(
    scratch: npt.NDArray[Any],
    head: Any,
    cells: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    i: int,
    slots: npt.NDArray[np.int64],
    is_variant: npt.NDArray[np.bool_],
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    m: int,
) -> int:
    """Write the rows of an order and of its lines; return the next free place."""
    first, count = int(head["first_line"]), int(head["line_count"])
    value, discount, _, _, _ = sum_lines(lines, first, count)
    row = scratch[0]
    row["value_minor"] = max(value - cells[i, _ORDER_DISCOUNT], 0)
    row["amount"] = cells[i, _ORDER_DISCOUNT] + discount
    row["line_count"] = count
    row["multi_variant_count"] = mark_variants(lines, first, count, slots, is_variant)
    m = _fan(scratch, head, cells, i, ID_CELL[_ORDER_PLACED], rows, keys, m)
    row["kind"] = _ORDER_LINE
    row["amount"] = 0
    row["multi_variant_count"] = 0
    row["order_link"] = read_link(head, cells, i, _ORDER_ID)
    for number in range(count):
        fill_line(row, head, lines, first + number, number, is_variant[number])
        m = _fan(scratch, head, lines, first + number, LINE_ID_CELL, rows, keys, m)
    return m


@compiled(
    int64(
        array_of(HEAD_DTYPE),
        int64_2d,
        int64_2d,
        uint64_2d,
        _fold_rows_type,
        int64_1d,
        numba.types.Array(numba.boolean, 1, "C"),
        _fold_rows_type,
        uint64_2d,
        int64_1d,
        uint64_1d,
        uint64_2d,
    )
)
def _fan_out(
    heads: npt.NDArray[Any],
    cells: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.uint64],
    scratch: npt.NDArray[Any],
    slots: npt.NDArray[np.int64],
    is_variant: npt.NDArray[np.bool_],
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    event_index: npt.NDArray[np.int64],
    event_keys: npt.NDArray[np.uint64],
    customer_keys: npt.NDArray[np.uint64],
) -> int:
    """Write all rows and keys; return how many rows there are.

    `scratch` holds two rows: the one at hand and an empty one to start over from.
    """
    m = 0
    for i in range(heads.shape[0]):
        head = heads[i]
        t1, t2 = head["tenant_h1"], head["tenant_h2"]
        event_keys[i] = mix_event_key(t1, t2, head["event_h1"], head["event_h2"])
        c1, c2 = head["customer_h1"], head["customer_h2"]
        if c1 != _ZERO or c2 != _ZERO:
            c1, c2 = mix_entity_key(t1, t2, _CUSTOMER, c1, c2)
        customer_keys[i, 0] = c1
        customer_keys[i, 1] = c2
        kind = int(head["kind"])
        if FOLD_KIND[kind] == 0:
            continue
        start = m
        scratch[0] = scratch[1]
        fill_envelope(scratch[0], head, event_keys[i], c1)
        fill_event(scratch[0], head, cells, embeddings, i)
        if kind == _ORDER_PLACED:
            m = _fan_order(scratch, head, cells, lines, i, slots, is_variant, rows, keys, m)
        else:
            m = _fan(scratch, head, cells, i, ID_CELL[kind], rows, keys, m)
        for place in range(start, m):
            event_index[place] = i
    return m


def to_fold_rows(cells: EventCells) -> FoldRows:
    """Return the fold rows of accepted events; see `columns` for the rules.

    Events that no fold reads, and events that name no entity, make no row.
    """
    n, head = len(cells), cells.head
    n_lines = head["line_count"].astype(np.int64)
    most = int(N_FAN[FOLD_KIND[head["kind"]]].sum() + n_lines.sum() * N_FAN[_ORDER_LINE])
    longest = int(n_lines.max(initial=0))
    rows = np.empty(most, FOLD_ROW_DTYPE)
    keys = np.empty((most, 2), np.uint64)
    event_index = np.empty(most, np.int64)
    event_keys = np.empty(n, np.uint64)
    customer_keys = np.empty((n, 2), np.uint64)
    m = _fan_out(
        head,
        cells.cells,
        cells.lines,
        cells.embeddings.view(np.uint64),
        np.zeros(2, FOLD_ROW_DTYPE),
        np.empty(_SLOTS_PER_LINE * longest + 2, np.int64),
        np.empty(longest, np.bool_),
        rows,
        keys,
        event_index,
        event_keys,
        customer_keys,
    )
    return FoldRows(
        rows=rows[:m],
        entity_keys=_to_bytes(keys[:m]),
        event_index=event_index[:m],
        event_keys=event_keys,
        customer_keys=_to_bytes(customer_keys),
    )


def _to_bytes(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    if not len(keys):  # A view of nothing has odd strides, which joining passes on.
        return np.empty((0, ENTITY_KEY_SIZE), np.uint8)
    return keys.view(np.uint8).reshape(len(keys), ENTITY_KEY_SIZE)
