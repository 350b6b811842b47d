"""The laws of the folds of activity, tallies and identities, for every entity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definition import DAY_US
from features.entities import LAYOUTS, Entity
from features.fold_rows import FOLD_ROW_DTYPE
from features.records.packing import compute_max_size, pack_records, unpack_records
from tests.features.layout_rows import ENTITIES, START_US, TESTED, draw_rows, fold

LAWS = settings(max_examples=25)
SEEDS = st.integers(0, 2**32)

every_entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name.lower())


@every_entity
@LAWS
@given(SEEDS, st.integers(1, 60), st.randoms(use_true_random=False))
def test_any_order_of_events_gives_equal_bytes(
    entity: Entity, seed: int, n: int, random: Any
) -> None:
    rows = draw_rows(seed, entity, n)
    order = list(range(n))
    random.shuffle(order)
    assert fold(entity, rows[order]).tobytes() == fold(entity, rows).tobytes()


@every_entity
def test_two_batches_make_the_record_of_one(entity: Entity) -> None:
    rows = draw_rows(3, entity, 200)
    for cut in (0, 1, 77, 200):
        in_two = fold(entity, rows[cut:], fold(entity, rows[:cut]))
        assert in_two.tobytes() == fold(entity, rows).tobytes()


@every_entity
@LAWS
@given(SEEDS, st.integers(0, 80))
def test_the_stored_form_gives_the_record_back(entity: Entity, seed: int, n: int) -> None:
    layout = LAYOUTS[entity]
    dtype = TESTED[layout].dtype
    records = np.zeros(2, dtype)
    records[1] = fold(entity, draw_rows(seed, entity, n))
    again = unpack_records(layout, pack_records(layout, records), dtype)
    assert again.tobytes() == records.tobytes()


@every_entity
def test_a_record_never_outgrows_its_size_whatever_happens(entity: Entity) -> None:
    rng = np.random.default_rng(4)
    rows = np.frombuffer(rng.bytes(5_000 * FOLD_ROW_DTYPE.itemsize), FOLD_ROW_DTYPE).copy()
    rows["entity"] = entity
    rows["event_time_us"] = rng.integers(0, START_US * 2, len(rows))
    for amount in ("value_minor", "amount"):
        rows[amount] = rng.integers(0, 10**12, len(rows))
    records = np.zeros(1, TESTED[LAYOUTS[entity]].dtype)
    records[0] = fold(entity, rows)
    size = pack_records(LAYOUTS[entity], records).sizes[0]
    assert size <= compute_max_size(records.itemsize // 8)


@every_entity
def test_one_event_a_year_ahead_does_not_stop_later_ones_from_counting(entity: Entity) -> None:
    rows = draw_rows(8, entity, 150)
    ahead = rows[:1].copy()
    ahead["event_time_us"] = rows["event_time_us"].max() + 365 * DAY_US
    before = fold(entity, ahead)
    after = fold(entity, np.concatenate([ahead, rows[1:]]))
    alone = fold(entity, rows[1:])
    nothing = fold(entity, rows[:0])
    for name in ("lifetime", "order_count", "return_count"):
        if name in (alone.dtype.names or ()):
            added = after[name].sum() - before[name].sum()
            assert added == alone[name].sum() - nothing[name].sum()
