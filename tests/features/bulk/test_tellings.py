from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.bulk.tellings import find_repeats
from features.entities import Entity
from features.fold_rows import FOLD_ROW_DTYPE, FoldKind


def build_rows(*entities: Entity) -> npt.NDArray[Any]:
    """Return rows of one event key and time."""
    rows = np.zeros(len(entities), FOLD_ROW_DTYPE)
    rows["entity"], rows["kind"] = entities, FoldKind.RETURN_REQUESTED
    rows["event_key"], rows["event_time_us"], rows["ingest_time_us"] = 7, 1_000, 2_000
    return rows


def test_tellings_side_by_side_with_no_row_in_common_are_told_apart_by_the_index() -> None:
    # The second telling names another product and no store: only the index says where it begins.
    rows = build_rows(Entity.CUSTOMER, Entity.SKU, Entity.STYLE, Entity.STORE)
    index = np.array([0, 0, 1, 1])
    assert find_repeats(rows, np.arange(len(rows)), index).tolist() == [0, 0, 1, 1]
    assert find_repeats(rows, np.arange(len(rows))).tolist() == [0, 0, 0, 0]


def test_all_rows_of_the_first_telling_are_kept_wherever_the_next_one_stands() -> None:
    rows = build_rows(Entity.CUSTOMER, Entity.SKU, Entity.CUSTOMER, Entity.SKU, Entity.CUSTOMER)
    rows["event_key"][2:4] = 8
    index = np.array([3, 3, 4, 4, 9])
    assert find_repeats(rows, np.arange(len(rows)), index).tolist() == [0, 0, 0, 0, 1]
    assert find_repeats(rows, np.arange(len(rows))).tolist() == [0, 0, 0, 0, 1]


def test_the_first_telling_is_the_first_in_log_order_wherever_its_rows_stand() -> None:
    rows = build_rows(Entity.CUSTOMER, Entity.SKU, Entity.CUSTOMER, Entity.SKU)
    index = np.array([0, 0, 1, 1])
    assert find_repeats(rows, np.array([2, 3, 0, 1]), index).tolist() == [1, 1, 0, 0]
