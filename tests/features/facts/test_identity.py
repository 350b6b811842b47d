"""Shared identities against a plain set of customers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definition import DAY_US
from features.entities import Entity
from features.fold_rows import FoldFlag, FoldKind
from features.records.identity import N_MEMBERS
from tests.features.layout_rows import (
    MEMBERS,
    SHARED,
    ask,
    draw_request,
    draw_rows,
    draw_time_after,
    fold,
)

every_shared = pytest.mark.parametrize("entity", SHARED, ids=lambda entity: entity.name.lower())


def expect(entity: Entity, rows: Any, request: Any) -> dict[str, float]:
    """Return the features from a set of all customers ever seen, the least of them kept."""
    members: dict[int, list[Any]] = {}
    for row in rows:
        if row["member"]:
            members.setdefault(int(row["member"]), []).append(row)
    kept = sorted(members)[:N_MEMBERS]
    others = [members[member] for member in kept if member != request["member"]]
    new_from_us = (int(request["time_us"]) - 7 * DAY_US) // DAY_US * DAY_US
    told = [row for rows_of_one in others for row in rows_of_one]
    labels = [
        -1 if row["flags"] & FoldFlag.IS_REVERSAL else 1
        for row in told
        if row["kind"] == FoldKind.LABEL_SET and row["flags"] & FoldFlag.IS_ABUSE_CONFIRMED
    ]
    values = {
        "other_customer_count_lifetime": len(others),
        "new_customer_count_7d": sum(
            min(row["event_time_us"] for row in rows_of_one) >= new_from_us
            for rows_of_one in others
        ),
        "other_order_count_lifetime": sum(r["kind"] == FoldKind.ORDER_PLACED for r in told),
        "other_return_count_lifetime": sum(r["kind"] == FoldKind.RETURN_REQUESTED for r in told),
        "other_abuse_count_lifetime": sum(labels),
        "is_saturated": len(members) > N_MEMBERS,
    }
    return {f"{entity.name.lower()}_{name}": float(value) for name, value in values.items()}


@every_shared
@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 80), st.integers(1, len(MEMBERS)))
def test_members_are_those_of_a_plain_set(
    entity: Entity, seed: int, n: int, n_members: int
) -> None:
    rows = draw_rows(seed, entity, n)
    known = np.random.default_rng(seed).choice(MEMBERS, n_members, replace=False)
    rows = rows[np.isin(rows["member"], np.append(known, np.uint64(0)))]
    request = draw_request(seed, draw_time_after(seed, rows))
    assert ask(entity, fold(entity, rows), request) == expect(entity, rows, request)


@every_shared
def test_it_is_saturated_only_beyond_the_last_place(entity: Entity) -> None:
    rows = draw_rows(1, entity, N_MEMBERS + 1)
    rows["member"] = MEMBERS[: len(rows)]
    request = draw_request(2, draw_time_after(2, rows))
    request["member"] = 0
    name = entity.name.lower()
    full = ask(entity, fold(entity, rows[:-1]), request)
    over = ask(entity, fold(entity, rows), request)
    assert full[f"{name}_other_customer_count_lifetime"] == N_MEMBERS
    assert (full[f"{name}_is_saturated"], over[f"{name}_is_saturated"]) == (0.0, 1.0)
    assert over[f"{name}_other_customer_count_lifetime"] == N_MEMBERS


@every_shared
@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_nothing_of_the_asking_customer_counts(entity: Entity, seed: int, n: int) -> None:
    rows = draw_rows(seed, entity, n)
    rows["member"] = np.where(np.isin(rows["member"], MEMBERS[:12]), rows["member"], 0)
    own = draw_rows(seed + 1, entity, 6, first_key=1_000)
    own["member"] = MEMBERS[3]
    request = draw_request(seed, draw_time_after(seed, np.concatenate([rows, own])))
    request["member"] = MEMBERS[3]
    with_own = ask(entity, fold(entity, np.concatenate([own, rows])), request)
    assert with_own == ask(entity, fold(entity, rows), request)


@every_shared
def test_a_guests_rows_change_nothing(entity: Entity) -> None:
    rows = draw_rows(6, entity, 30)
    rows["member"][::2] = 0
    of_customers = rows[rows["member"] != 0]
    assert fold(entity, rows).tobytes() == fold(entity, of_customers).tobytes()
