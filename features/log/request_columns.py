"""Case events to request rows: what a score request for them would have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import (
    array_of,
    bool_2d,
    compiled,
    inlined,
    int64_1d,
    int64_2d,
    uint64_2d,
    void,
)
from features.entities import N_ENTITIES, Entity
from features.keys import ENTITY_KEY_SIZE, mix_entity_key, mix_event_key
from features.log.cells import HEAD_DTYPE, EventCells
from features.log.named_entities import compute_key
from features.log.request_filling import CALL, CASE_KINDS, fill_case, fill_line, fill_order
from features.log.row_tables import ID_CELL, LINE_ID_CELL
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag

_ZERO = np.uint64(0)
_ORDER = int(Call.ORDER)
_CUSTOMER = int(Entity.CUSTOMER)
_FIRST_PRODUCT = int(Entity.SKU)
_LAST_PRODUCT = int(Entity.BATCH)
_SLOTS_PER_LINE = 4
_rows_type = array_of(REQUEST_ROW_DTYPE)


@dataclass(frozen=True, slots=True)
class RequestRows:
    """Cases, or order lines, as request rows, in the order of the events.

    Attributes:
        rows: Shape `(q,)` of `REQUEST_ROW_DTYPE`.
        entity_keys: Shape `(q, N_ENTITIES, 16)`, uint8; zeros where none is named.
        is_named: Shape `(q, N_ENTITIES)`, bool: the case names that entity.
        event_index: Shape `(q,)`, int64: each row's event.
        line_index: Shape `(q,)`, int64: the line's number in its order; -1 of a case.
    """

    rows: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    is_named: npt.NDArray[np.bool_]
    event_index: npt.NDArray[np.int64]
    line_index: npt.NDArray[np.int64]

    def take(self, places: npt.NDArray[np.int64]) -> RequestRows:
        """Return the rows at some places."""
        return RequestRows(
            rows=self.rows[places],
            entity_keys=self.entity_keys[places],
            is_named=self.is_named[places],
            event_index=self.event_index[places],
            line_index=self.line_index[places],
        )


def join_requests(parts: Sequence[RequestRows]) -> RequestRows:
    """Return the rows of all parts, at least one, one part after the other."""
    return RequestRows(
        # Words: NumPy joins rows of many fields one field at a time.
        rows=np.concatenate([part.rows.view(np.int64) for part in parts]).view(REQUEST_ROW_DTYPE),
        entity_keys=np.concatenate([part.entity_keys for part in parts]),
        is_named=np.concatenate([part.is_named for part in parts]),
        event_index=np.concatenate([part.event_index for part in parts]),
        line_index=np.concatenate([part.line_index for part in parts]),
    )


@inlined
def _name_entities(
    head: Any,
    words: npt.NDArray[np.int64],
    i: int,
    id_cells: npt.NDArray[np.int64],
    first: int,
    last: int,
    q: int,
    keys: npt.NDArray[np.uint64],
    is_named: npt.NDArray[np.bool_],
) -> None:
    """Write the keys of the entities `first` to `last` that an event or a line names."""
    for entity in range(first, last + 1):
        is_there, k1, k2 = compute_key(head, words, i, entity, id_cells)
        is_named[q, entity] = is_there
        keys[q * N_ENTITIES + entity, 0] = k1
        keys[q * N_ENTITIES + entity, 1] = k2


@compiled(
    void(
        array_of(HEAD_DTYPE),
        int64_2d,
        int64_2d,
        uint64_2d,
        int64_1d,
        int64_1d,
        numba.types.Array(numba.boolean, 1, "C"),
        _rows_type,
        uint64_2d,
        bool_2d,
    )
)
def _fill_cases(
    heads: npt.NDArray[Any],
    cells: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.uint64],
    chosen: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    is_variant: npt.NDArray[np.bool_],
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    is_named: npt.NDArray[np.bool_],
) -> None:
    """Write the rows and keys of some events that tell cases; rows are 0 before."""
    for q in range(chosen.shape[0]):
        i = chosen[q]
        head, row = heads[i], rows[q]
        t1, t2 = head["tenant_h1"], head["tenant_h2"]
        member, c2 = head["customer_h1"], head["customer_h2"]
        if member != _ZERO or c2 != _ZERO:
            member, c2 = mix_entity_key(t1, t2, _CUSTOMER, member, c2)
        event_key = mix_event_key(t1, t2, head["event_h1"], head["event_h2"])
        fill_case(row, head, cells, embeddings, i, event_key, member)
        id_cells = ID_CELL[int(head["kind"])]
        _name_entities(head, cells, i, id_cells, 0, N_ENTITIES - 1, q, keys, is_named)
        if CALL[int(head["kind"])] == _ORDER:
            dearest = fill_order(row, head, cells, lines, i, slots, is_variant)
            if dearest >= 0:
                _name_entities(
                    head,
                    lines,
                    dearest,
                    LINE_ID_CELL,
                    _FIRST_PRODUCT,
                    _LAST_PRODUCT,
                    q,
                    keys,
                    is_named,
                )


@compiled(void(array_of(HEAD_DTYPE), int64_2d, int64_1d, int64_1d, _rows_type, uint64_2d, bool_2d))
def _fill_lines(
    heads: npt.NDArray[Any],
    lines: npt.NDArray[np.int64],
    event_index: npt.NDArray[np.int64],
    line_index: npt.NDArray[np.int64],
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    is_named: npt.NDArray[np.bool_],
) -> None:
    """Write what each line says of itself over its order's row and keys."""
    for q in range(rows.shape[0]):
        head = heads[event_index[q]]
        place = int(head["first_line"]) + line_index[q]
        fill_line(rows[q], head, lines, place)
        _name_entities(
            head, lines, place, LINE_ID_CELL, _FIRST_PRODUCT, _LAST_PRODUCT, q, keys, is_named
        )


def to_request_rows(cells: EventCells) -> RequestRows:
    """Return one request row per case event; other events make none.

    Args:
        cells: Accepted events.
    """
    return _convert_cases(cells, np.flatnonzero(CALL[cells.head["kind"]]))


def to_line_rows(cells: EventCells) -> RequestRows:
    """Return one request row per line of every `order_placed` event.

    Args:
        cells: Accepted events.
    """
    orders = _convert_cases(cells, np.flatnonzero(CALL[cells.head["kind"]] == _ORDER))
    counts = cells.head["line_count"][orders.event_index].astype(np.int64)
    owners = np.repeat(np.arange(len(counts)), counts)
    line_index = np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]
    lines = RequestRows(
        rows=orders.rows[owners],
        entity_keys=orders.entity_keys[owners],
        is_named=orders.is_named[owners],
        event_index=orders.event_index[owners],
        line_index=line_index,
    )
    keys = lines.entity_keys.reshape(-1, ENTITY_KEY_SIZE).view(np.uint64)
    _fill_lines(
        cells.head, cells.lines, lines.event_index, line_index, lines.rows, keys, lines.is_named
    )
    return lines


def _convert_cases(cells: EventCells, chosen: npt.NDArray[np.int64]) -> RequestRows:
    n = len(chosen)
    rows = np.zeros(n, REQUEST_ROW_DTYPE)
    keys = np.empty((n * N_ENTITIES, 2), np.uint64)
    is_named = np.empty((n, N_ENTITIES), np.bool_)
    longest = int(cells.head["line_count"].max(initial=0))
    _fill_cases(
        cells.head,
        cells.cells,
        cells.lines,
        cells.embeddings.view(np.uint64),
        chosen,
        np.empty(_SLOTS_PER_LINE * longest + 2, np.int64),
        np.empty(longest, np.bool_),
        rows,
        keys,
        is_named,
    )
    has_embedding = np.flatnonzero(rows["flags"] & np.uint16(RequestFlag.HAS_EMBEDDING))
    places = cells.head["embedding"][chosen[has_embedding]]
    rows["embedding"][has_embedding] = cells.embeddings[places]
    return RequestRows(
        rows=rows,
        entity_keys=keys.view(np.uint8).reshape(n, N_ENTITIES, ENTITY_KEY_SIZE),
        is_named=is_named,
        event_index=chosen,
        line_index=np.full(n, -1, np.int64),
    )


__all__ = ["CASE_KINDS", "RequestRows", "join_requests", "to_line_rows", "to_request_rows"]
