from __future__ import annotations

import numpy as np

from features.log.cells import (
    CELL,
    HEAD_DTYPE,
    KIND_FIELDS,
    LINE_CELL,
    LINE_FIELDS,
    LINE_PRESENCE_CELL,
    N_CELLS,
    N_LINE_CELLS,
    EventCells,
    build_empty_cells,
    concat_cells,
)
from features.log.schema import EVENT_KINDS, FieldType


def _build_cells(line_counts: list[int], embedded: list[bool]) -> EventCells:
    """Return events whose cells, lines and embeddings hold the event's number."""
    n = len(line_counts)
    numbers = np.arange(n)
    head = np.zeros(n, HEAD_DTYPE)
    head["event_h1"] = numbers
    head["line_count"] = line_counts
    starts = np.cumsum(line_counts) - line_counts
    head["first_line"] = np.where(np.array(line_counts) > 0, starts, 0)
    head["embedding"] = np.where(embedded, np.cumsum(embedded) - 1, -1)
    return EventCells(
        head,
        np.repeat(numbers, N_CELLS).reshape(n, N_CELLS),
        np.repeat(np.repeat(numbers, line_counts), N_LINE_CELLS).reshape(-1, N_LINE_CELLS),
        np.repeat(numbers[np.array(embedded)], 64).reshape(-1, 64).astype(np.int8),
    )


def _read_numbers(cells: EventCells) -> list[tuple[int, list[int], list[int]]]:
    """Return each event's number, and those that its lines and its embedding hold."""
    found = []
    for row, head in zip(cells.cells, cells.head, strict=True):
        lines = cells.lines[head["first_line"] : head["first_line"] + head["line_count"], 0]
        embedding = cells.embeddings[head["embedding"], 0] if head["embedding"] >= 0 else -1
        assert row[0] == head["event_h1"]
        found.append((int(row[0]), lines.tolist(), [int(embedding)]))
    return found


def test_cells_of_a_kind_do_not_overlap_and_fit_the_row() -> None:
    for kind in EVENT_KINDS:
        taken: list[int] = []
        for field in KIND_FIELDS[kind]:
            is_wide = field.spec.type is FieldType.STRING and field.spec.name != "embedder"
            if field.cell >= 0:
                taken += [field.cell, field.cell + 1] if is_wide else [field.cell]
        assert taken == list(range(len(taken)))
        assert len(taken) <= N_CELLS


def test_cells_of_a_line_do_not_overlap_and_fill_it() -> None:
    taken = list(LINE_PRESENCE_CELL.values())
    for field in LINE_FIELDS:
        taken.append(field.cell)
        taken += [field.cell + 1] if field.spec.type is FieldType.STRING else []
    assert sorted(taken) == list(range(N_LINE_CELLS))
    assert set(LINE_CELL) == {field.path for field in LINE_FIELDS}


def test_fields_of_sub_messages_have_cells_and_texts_have_none() -> None:
    assert ("return_requested", "reason.code") in CELL
    assert ("return_requested", "evidence.weight_g") in CELL
    assert ("return_requested", "reason.text") not in CELL
    assert ("return_requested", "reason.embedding") not in CELL


def test_taken_events_keep_their_lines_and_embeddings() -> None:
    cells = _build_cells([0, 2, 1, 0, 3], [True, False, True, False, True])
    taken = cells.take(np.array([4, 1, 3]))
    assert _read_numbers(taken) == [(4, [4, 4, 4], [4]), (1, [1, 1], [-1]), (3, [], [-1])]
    assert len(taken.lines) == 5
    assert len(taken.embeddings) == 1
    masked = cells.take(np.array([True, False, True, False, False]))
    assert _read_numbers(masked) == [(0, [], [0]), (2, [2], [2])]


def test_parts_join_in_order() -> None:
    cells = _build_cells([2, 0, 1], [True, True, False])
    joined = concat_cells([cells, build_empty_cells(), cells.take(np.array([2, 1]))])
    numbers = _read_numbers(cells)
    assert _read_numbers(joined) == [*numbers, numbers[2], numbers[1]]
    assert len(concat_cells([])) == 0
