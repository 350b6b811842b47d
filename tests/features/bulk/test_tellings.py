from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.bulk.tellings import ToldEvents, order_first_tellings
from features.entities import Entity
from features.fold_rows import FOLD_ROW_DTYPE, FoldKind


def build_rows(*entities: Entity) -> npt.NDArray[Any]:
    """Return rows of one event key and time."""
    rows = np.zeros(len(entities), FOLD_ROW_DTYPE)
    rows["entity"], rows["kind"] = entities, FoldKind.RETURN_REQUESTED
    rows["event_key"], rows["event_time_us"], rows["ingest_time_us"] = 7, 1_000, 2_000
    return rows


def tell(rows: npt.NDArray[Any], index: list[int]) -> ToldEvents:
    """Return the events of rows: one per number of the index."""
    keys, ingest_us = np.zeros(10, np.uint64), np.zeros(10, np.int64)
    keys[index], ingest_us[index] = rows["event_key"], rows["ingest_time_us"]
    return ToldEvents(np.array(index), keys, ingest_us)


def test_tellings_side_by_side_with_no_row_in_common_are_told_apart_by_the_index() -> None:
    # The second telling names another product and no store: only the index says where it begins.
    rows = build_rows(Entity.CUSTOMER, Entity.SKU, Entity.STYLE, Entity.STORE)
    assert order_first_tellings(rows, tell(rows, [0, 0, 1, 1])).tolist() == [0, 1]
    assert order_first_tellings(rows).tolist() == [0, 1, 2, 3]


def test_all_rows_of_the_first_telling_are_kept_wherever_the_next_one_stands() -> None:
    rows = build_rows(Entity.CUSTOMER, Entity.SKU, Entity.CUSTOMER, Entity.SKU, Entity.CUSTOMER)
    rows["event_key"][2:4] = 8
    assert order_first_tellings(rows, tell(rows, [3, 3, 4, 4, 9])).tolist() == [0, 1, 2, 3]
    assert order_first_tellings(rows).tolist() == [0, 1, 2, 3]


def test_the_first_telling_is_the_first_to_come_in_wherever_its_rows_stand() -> None:
    rows = build_rows(Entity.CUSTOMER, Entity.SKU, Entity.CUSTOMER, Entity.SKU, Entity.STORE)
    rows["ingest_time_us"] = [2_000, 2_000, 1_000, 1_000, 1_500]
    rows["event_key"][4] = 8
    assert order_first_tellings(rows, tell(rows, [0, 0, 1, 1, 2])).tolist() == [2, 3, 4]
    assert order_first_tellings(rows).tolist() == [2, 3, 4]
