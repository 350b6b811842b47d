"""The laws of fold and vector, over every row of the definitions table.

Each law compares whole vectors of all entities, so a feature added to the table is
under all laws at once; `test_every_feature_is_put_to_the_test` guards against vacuous
ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from features.definition import DAY_US, FeatureDefinition
from features.definitions import FEATURE_NAMES, FEATURES
from features.entities import LAYOUTS, N_ENTITIES, Entity, Layout
from features.fold_rows import FOLD_ROW_DTYPE, FoldKind
from features.records.history import N_CANCEL_REQUESTS, N_ORDERS, N_RETURNS
from features.records.layouts import MAX_SIZE
from features.records.packing import PackedRecords
from features.refold import refold
from features.request_rows import Call
from features.vector import STATE_OK, STATE_UNAVAILABLE, compute_vectors
from tests.features.case_rows import (
    EMBEDDINGS,
    NOBODY,
    ask,
    ask_after,
    draw_case,
    draw_history,
    draw_requests,
    find_differing,
    store,
)
from tests.features.layout_rows import START_US

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32)
ALL = np.ones(N_ENTITIES, np.bool_)


@LAWS
@given(SEEDS, st.integers(1, 40))
def test_any_order_of_rows_gives_equal_bytes(seed: int, n: int) -> None:
    rows = draw_case(seed, n)
    shuffled = np.random.default_rng(seed).permutation(rows)
    assert store(shuffled).to_blobs() == store(rows).to_blobs()


@LAWS
@given(SEEDS, st.integers(0, 40), st.integers(0, 40))
def test_a_record_from_the_store_goes_on_as_if_it_had_stayed(seed: int, n: int, m: int) -> None:
    first, second = draw_case(seed, n), draw_case(seed + 1, m, first_key=1_000)
    at_once = store(np.concatenate([first, second]))
    assert store(second, store(first)).to_blobs() == at_once.to_blobs()


def test_a_batch_of_records_equals_one_record_at_a_time() -> None:
    customers = [draw_case(seed, 30) for seed in range(12)]
    alone = [store(rows) for rows in customers]
    rows, owners = [], []
    for number, of_customer in enumerate(customers):
        for entity in Entity:
            mine = of_customer[of_customer["entity"] == entity]
            rows.append(mine)
            owners += [number * N_ENTITIES + int(entity)] * len(mine)
    entities = np.tile(np.arange(N_ENTITIES, dtype=np.uint8), len(customers))
    missing = PackedRecords.from_blobs([None] * len(entities))
    together = refold(missing, entities, np.concatenate(rows), np.array(owners), EMBEDDINGS)
    assert together.to_blobs() == PackedRecords.concatenate(alone).to_blobs()
    requests = draw_requests(7, len(customers))
    named = np.random.default_rng(7).random((len(customers), N_ENTITIES)) < 0.7
    states = np.full(len(customers), STATE_OK, np.int8)
    vectors = compute_vectors(together, named, states, requests)
    for number, packed in enumerate(alone):
        mine = slice(number, number + 1)
        assert find_differing(ask(packed, requests[mine], named[number]), vectors[mine]) == []


CASE_RING = {
    FoldKind.ORDER_PLACED: N_ORDERS,
    FoldKind.CANCEL_REQUESTED: N_CANCEL_REQUESTS,
    FoldKind.RETURN_REQUESTED: N_RETURNS,
}
CASE_CALLS = {
    FoldKind.ORDER_PLACED: (Call.ORDER, Call.ORDER_LINE),
    FoldKind.CANCEL_REQUESTED: (Call.CANCELLATION,),
    FoldKind.RETURN_REQUESTED: (Call.RETURN,),
}


@pytest.mark.parametrize("kind", list(CASE_RING), ids=lambda kind: kind.name.lower())
@LAWS
@given(SEEDS, st.integers(0, 60), st.booleans())
def test_a_case_never_counts_itself(kind: FoldKind, seed: int, n: int, is_newest: bool) -> None:
    others = draw_history(seed, n)
    case = draw_history(seed + 1, 1, first_key=1_000, kinds=[kind])
    if is_newest:  # As it is when a case is asked about.
        case["event_time_us"] = others["event_time_us"].max(initial=START_US) + seed % 2
    # The promise holds while the case is among the newest of its kind.
    same = others[others["kind"] == kind]
    own = (case["event_time_us"][0], case["event_key"][0])
    assume(sum((row["event_time_us"], row["event_key"]) > own for row in same) < CASE_RING[kind])
    with_case = np.concatenate([case, others])
    requests = ask_after(draw_requests(seed, 3, CASE_CALLS[kind]), with_case)
    unpublished = ask(store(others), requests)
    requests["case_key"] = case["event_key"][0]
    not_yet = ask(store(others), requests)
    at_once = ask(store(with_case), requests)
    assert find_differing(unpublished, not_yet) == []
    assert find_differing(not_yet, at_once) == []


@LAWS
@given(SEEDS, st.integers(0, 40), st.integers(2, 6))
def test_asking_changes_no_other_answer(seed: int, n: int, n_asked: int) -> None:
    packed, requests = store(draw_case(seed, n)), draw_requests(seed, n_asked)
    before = packed.buffer.tobytes()
    answers = ask(packed, requests)
    assert find_differing(ask(packed, requests[::-1])[::-1], answers) == []
    assert packed.buffer.tobytes() == before


def test_a_record_never_outgrows_its_size_whatever_happens() -> None:
    rng = np.random.default_rng(3)
    rows = np.frombuffer(rng.bytes(30_000 * FOLD_ROW_DTYPE.itemsize), FOLD_ROW_DTYPE).copy()
    rows["entity"] = rng.integers(0, N_ENTITIES, len(rows))
    rows["kind"] = rng.integers(0, 40, len(rows))  # Some of no kind at all.
    rows["event_time_us"] = rng.integers(0, START_US * 2, len(rows))
    rows["embedding"] = rng.integers(-1, len(EMBEDDINGS), len(rows))
    for amount in ("value_minor", "amount"):
        rows[amount] = rng.integers(0, 10**12, len(rows))
    packed = store(rows)
    assert packed.sizes.max() <= MAX_SIZE
    vectors = ask(packed, ask_after(draw_requests(3, 20), rows))
    assert not np.isinf(vectors).any()


def test_an_event_a_year_ahead_hides_no_later_ones() -> None:
    rows = draw_history(11, 120)
    ahead = draw_history(12, 1, first_key=1_000)
    ahead["event_time_us"] = rows["event_time_us"].max() + 365 * DAY_US
    later = rows.copy()
    later["event_time_us"] = ahead["event_time_us"].max() + rows["event_time_us"] - START_US
    requests = draw_requests(1, 30)
    requests["time_us"] = later["event_time_us"].max()
    with_ahead = ask(store(np.concatenate([rows, ahead, later])), requests)
    in_order = ask(store(np.concatenate([rows, later, ahead])), requests)
    column = FEATURE_NAMES.index("order_count_7d")
    assert find_differing(with_ahead, in_order) == []
    assert (with_ahead[:, column] > 0).all()


@LAWS
@given(SEEDS, st.integers(1, 40))
def test_windows_run_empty_when_nothing_happens(seed: int, n: int) -> None:
    rows, requests = draw_case(seed, n), draw_requests(seed, 4)
    requests["time_us"] = rows["event_time_us"].max() + (365 + 8) * DAY_US
    vectors = ask(store(rows), requests)
    for feature, values in zip(FEATURES, vectors.T, strict=True):
        if feature.window is not None and feature.window.length_us:
            assert ((values == 0) | np.isnan(values)).all(), feature.name


def is_of(feature: FeatureDefinition, layout: Layout) -> bool:
    """Whether a feature speaks of a record of that layout (the customer's state does not)."""
    if feature.is_request or feature.name == "customer_state":
        return False
    return LAYOUTS[Entity[feature.entity.upper()]] is layout


CUSTOMER_STATE = FEATURE_NAMES.index("customer_state")


@LAWS
@given(SEEDS, st.integers(1, 40))
def test_what_is_not_named_or_not_answered_is_missing_and_nothing_else(seed: int, n: int) -> None:
    packed, requests = store(draw_case(seed, n)), draw_requests(seed, 4)
    known = ask(packed, requests)
    assert (known[:, CUSTOMER_STATE] == 1).all()
    for entity in Entity:
        named = ALL.copy()
        named[entity] = False
        vectors = ask(packed, requests, named)
        assert (vectors[:, CUSTOMER_STATE] == (-1 if entity is Entity.CUSTOMER else 1)).all()
        for column, feature in enumerate(FEATURES):
            if feature.name == "customer_state":
                continue
            is_gone = not feature.is_request and Entity[feature.entity.upper()] is entity
            expected = np.full(len(requests), np.nan) if is_gone else known[:, column]
            assert np.array_equal(vectors[:, column], expected, True), feature.name
    down = ask(packed, requests, state=STATE_UNAVAILABLE)
    for column, feature in enumerate(FEATURES):
        expected = known[:, column] if feature.is_request else np.full(len(requests), np.nan)
        assert np.array_equal(down[:, column], expected, True), feature.name


def test_a_new_customer_has_no_history_and_other_entities_are_empty_not_missing() -> None:
    requests = draw_requests(5, 60)
    vectors = ask(NOBODY, requests)
    assert (vectors[:, CUSTOMER_STATE] == 0).all()
    for column, feature in enumerate(FEATURES):
        if is_of(feature, Layout.HISTORY):
            assert np.isnan(vectors[:, column]).all(), feature.name


@pytest.mark.parametrize("call", list(Call), ids=lambda call: call.name.lower())
def test_nothing_happened_is_the_default_of_the_table(call: Call) -> None:
    nothing_counted = draw_history(0, 1, kinds=[FoldKind.LABEL_SET])
    nothing_counted["flags"] = 0
    requests = draw_requests(2, 50, [call])
    requests["style_link"] = 1
    vectors = ask(store(nothing_counted), requests)
    for column, feature in enumerate(FEATURES):
        if feature.is_request or feature.name == "customer_state":
            continue
        if feature.name.startswith("request_style_"):  # Nothing of this style, but of a named one.
            assert (vectors[:, column] == 0).all()
            continue
        if feature.name == "request_size_chart_view_count_last8":
            continue
        is_zero = feature.default == "0" and call in feature.calls
        expected = 0.0 if is_zero else np.nan
        assert np.array_equal(vectors[:, column], np.full(50, expected), True), feature.name


@pytest.mark.parametrize("call", list(Call), ids=lambda call: call.name.lower())
def test_a_feature_that_does_not_apply_to_the_call_is_missing(call: Call) -> None:
    vectors = ask(store(draw_case(4, 60)), draw_requests(4, 100, [call]))
    for column, feature in enumerate(FEATURES):
        if call not in feature.calls:
            assert np.isnan(vectors[:, column]).all(), feature.name


def draw_sample() -> tuple[list[PackedRecords], Any]:
    """Return the records of some customers and one request of each, dense enough to tell."""
    packed = [NOBODY, *(store(draw_case(seed, 12 + seed % 90)) for seed in range(120))]
    requests = draw_requests(1, len(packed))
    last_us = START_US + 421 * DAY_US
    requests["time_us"] = np.where(np.arange(len(packed)) % 3 > 0, last_us, requests["time_us"])
    return packed, requests


def test_every_feature_is_put_to_the_test() -> None:
    packed, requests = draw_sample()
    vectors = np.concatenate([ask(one, requests[i : i + 1]) for i, one in enumerate(packed)])
    still = [
        name
        for name, column in zip(FEATURE_NAMES, vectors.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    assert still == []


def test_without_the_compiler_the_same_bytes_come_out(tmp_path: Path) -> None:
    rows, requests = draw_case(9, 40), draw_requests(9, 30)
    rows = rows[np.argsort(rows["entity"], kind="stable")]
    case_keys = rows["event_key"][rows["entity"] == Entity.CUSTOMER]
    requests["case_key"][::2] = case_keys[: len(requests[::2])]
    np.savez(tmp_path / "given.npz", rows=rows, requests=requests, embeddings=EMBEDDINGS)
    program = """
import sys
import numpy as np
from pathlib import Path
from features.compiled import IS_JIT_ON
from features.records.packing import PackedRecords
from features.refold import refold
from features.vector import compute_vectors
assert not IS_JIT_ON
folder = Path(sys.argv[1])
rows, requests, embeddings = np.load(folder / "given.npz").values()
entities = np.arange(11, dtype=np.uint8)
missing = PackedRecords.from_blobs([None] * 11)
owners = rows["entity"].astype(np.int64)
packed = refold(missing, entities, rows, owners, embeddings)
n = len(requests)
vectors = compute_vectors(
    PackedRecords.concatenate([packed] * n),
    np.ones((n, 11), np.bool_),
    np.zeros(n, np.int8),
    requests,
)
np.savez(folder / "got.npz", buffer=packed.buffer, vectors=vectors)
"""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        check=True,
        env={**os.environ, "HEMOSTAT_JIT": "off"},
        timeout=250,
    )
    got, packed = np.load(tmp_path / "got.npz"), store(rows)
    assert got["buffer"].tobytes() == packed.buffer.tobytes()
    assert find_differing(got["vectors"], ask(packed, requests)) == []
