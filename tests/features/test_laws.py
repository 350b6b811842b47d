"""The laws of fold and vector, over every row of the definitions table.

Each law compares whole vectors, so a feature added to the table is under all laws
at once; `test_every_feature_is_put_to_the_test` guards against vacuous ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from features.bulk import compute_vectors_at
from features.definition import FeatureDefinition
from features.definitions import FEATURE_NAMES, FEATURES
from features.embedding import embed_text
from features.fold import fold_rows
from features.fold_rows import FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.keys import compute_event_key
from features.record import (
    MAX_ENCODED_SIZE,
    N_CANCEL_REQUESTS,
    N_ORDERS,
    N_RETURNS,
    decode_records,
    encode_record,
    new_records,
)
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag
from features.vector import (
    STATE_GUEST,
    STATE_KNOWN,
    STATE_NEW,
    STATE_UNAVAILABLE,
    compute_vectors,
)

DAY_US = 86_400_000_000
START_US = 18_998 * DAY_US  # A Thursday: an edge of both grids.
SPAN_DAYS = 420
EMBEDDINGS = [embed_text(text) for text in ("too small", "size is too small", "尺码偏小", "太贵")]
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Array = npt.NDArray[Any]


class Fact(NamedTuple):
    kind: int
    quarter_day: int
    off_us: int
    lag_us: int
    value: int
    hold_s: int
    flags: int
    code: int
    text: int


TIMES = (st.integers(0, SPAN_DAYS * 4), st.sampled_from([0, 0, -1, 1]))
FACT = st.builds(
    Fact,
    st.sampled_from([1, 1, 2, 3, 4, 5, 5, 5, 6]),
    *TIMES,
    st.sampled_from([0, 0, 1, 3_600_000_000, 20 * DAY_US, -300_000_000]),
    st.sampled_from([0, 1, 1_999, 250_000]),
    st.sampled_from([0, 1, 86_400, 2_000_000]),
    st.integers(0, 1023),
    st.integers(0, 3),
    st.integers(0, 4),
)
FACTS = st.lists(FACT, min_size=1, max_size=40)
ASKED = st.tuples(FACT, *TIMES, st.sampled_from(list(Call)))


def build_rows(facts: Sequence[Fact], first_key: int = 0) -> Array:
    """Return fold rows; the n-th is event `first_key + n`."""
    rows = np.zeros(len(facts), FOLD_ROW_DTYPE)
    for n, (row, fact) in enumerate(zip(rows, facts, strict=True)):
        row["kind"] = fact.kind
        row["event_time_us"] = START_US + fact.quarter_day * DAY_US // 4 + fact.off_us
        row["ingest_time_us"] = row["event_time_us"] + fact.lag_us
        row["event_key"] = compute_event_key("demo", f"e{first_key + n}")
        row["value_minor"] = fact.value
        row["line_count"] = 1 + fact.value % 3
        row["channel"] = 1 + fact.code
        row["reason_code"] = fact.code
        row["flags"] = fact.flags & ~FoldFlag.HAS_EMBEDDING
        row["hold_s"] = fact.hold_s if fact.flags & FoldFlag.HAS_HOLD else 0
        if fact.text:
            row["flags"] |= FoldFlag.HAS_EMBEDDING
            row["embedding"] = EMBEDDINGS[fact.text - 1]
    return rows


def build_requests(asked: Sequence[tuple[Fact, int, int, Call]]) -> Array:
    """Return request rows without a case event of their own."""
    requests = np.zeros(len(asked), REQUEST_ROW_DTYPE)
    for request, (fact, quarter_day, off_us, call) in zip(requests, asked, strict=True):
        request["time_us"] = START_US + quarter_day * DAY_US // 4 + off_us
        request["call"] = call
        request["order_time_us"] = request["time_us"] - fact.hold_s * 1_000_000
        request["delivery_time_us"] = START_US if fact.code else 0
        request["promised_delivery_us"] = request["time_us"] + fact.lag_us
        request["value_minor"] = fact.value
        request["order_value_minor"] = fact.value * fact.text
        request["unit_price_minor"], request["quantity"] = fact.value, 1 + fact.code
        request["discount_minor"] = request["gift_card_minor"] = fact.value // 2
        request["delay_s"] = fact.hold_s
        request["line_count"], request["multi_variant_line_count"] = 4 + fact.text, fact.code
        request["return_window_days"] = fact.code * 10
        request["channel"], request["order_channel"] = 1 + fact.code, fact.text
        request["reason_code"] = request["tender"] = request["stage"] = fact.code
        request["flags"] = fact.flags & 255 & ~RequestFlag.HAS_EMBEDDING
        if fact.text:
            request["flags"] |= RequestFlag.HAS_EMBEDDING
            request["embedding"] = EMBEDDINGS[fact.text - 1]
    return requests


def fold(rows: Array, record: Array | None = None) -> Array:
    record = (new_records(1) if record is None else record).copy()
    fold_rows(record, np.zeros(len(rows), np.int64), np.ascontiguousarray(rows))
    return record


def ask(record: Array, requests: Array, state: int = STATE_KNOWN) -> Array:
    """Return the vectors of one customer."""
    place, states = np.zeros(len(requests), np.int64), np.full(len(requests), state, np.int8)
    return compute_vectors(record, place, states, np.ascontiguousarray(requests))


def ask_history(rows: Array, requests: Array) -> Array:
    """Return the vectors of one customer as of each request's time, by the bulk path."""
    keys = np.ones((max(len(rows), len(requests)), 16), np.uint8)
    nobody = np.zeros(len(requests), np.bool_)
    return compute_vectors_at(rows, keys[: len(rows)], requests, keys[: len(requests)], nobody)


def find_differing(a: Array, b: Array) -> list[str]:
    """Return the features in which some bit differs."""
    is_equal = (a.view(np.uint32) == b.view(np.uint32)).all(axis=0)
    return [name for name, equal in zip(FEATURE_NAMES, is_equal, strict=True) if not equal]


def draw_sample(seed: int, n_events: int, n_requests: int) -> tuple[Array, Array]:
    """Return many rows and requests without hypothesis, the same for a seed everywhere."""
    rng = np.random.default_rng(seed)

    bounds = ((1, 7), (0, SPAN_DAYS * 4), (-1, 2), (0, 2), (0, 3), (0, 3_000_000), (0, 1024),
              (0, 4), (0, 5))  # fmt: skip

    def draw_fact() -> Fact:
        fact = Fact(*(int(rng.integers(low, high)) for low, high in bounds))
        return fact._replace(lag_us=fact.lag_us * DAY_US, value=fact.value * 999)

    asked = [
        (draw_fact(), int(rng.integers(0, SPAN_DAYS * 5)), 0, Call(int(rng.integers(1, 5))))
        for _ in range(n_requests)
    ]
    return build_rows([draw_fact() for _ in range(n_events)]), build_requests(asked)


@LAWS
@given(FACTS, st.randoms(use_true_random=False))
def test_any_order_of_events_gives_equal_bytes(facts: list[Fact], random: Any) -> None:
    rows = build_rows(facts)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert encode_record(fold(rows[order])) == encode_record(fold(rows))


@LAWS
@given(FACTS, st.lists(ASKED, min_size=1, max_size=4), st.data())
def test_events_told_again_change_nothing(
    facts: list[Fact], asked: list[Any], data: st.DataObject
) -> None:
    rows, requests = build_rows(facts), build_requests(asked)
    again = rows[data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))].copy()
    again["ingest_time_us"] += data.draw(st.sampled_from([0, 1, DAY_US]))
    told_twice = ask_history(np.concatenate([rows, again]), requests)
    assert find_differing(told_twice, ask_history(rows, requests)) == []


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


@pytest.mark.parametrize("kind", list(CASE_RING))
@LAWS
@given(st.lists(FACT, max_size=40), FACT, st.lists(ASKED, min_size=1, max_size=3), st.data())
def test_a_case_never_counts_itself(
    kind: FoldKind, facts: list[Fact], own: Fact, asked: list[Any], data: st.DataObject
) -> None:
    others = build_rows(facts)
    case = build_rows([own._replace(kind=kind)], first_key=1_000)
    # The promise holds while the case is among the newest of its kind.
    same = others[others["kind"] == kind]
    newer = [(row["event_time_us"], row["event_key"]) for row in same]
    own_place = (case["event_time_us"][0], case["event_key"][0])
    assume(sum(place > own_place for place in newer) < CASE_RING[kind])
    requests = build_requests(asked)
    requests["call"] = data.draw(st.sampled_from(CASE_CALLS[kind]))
    # A record holds what is known by T, and no clock runs more than 5 minutes ahead.
    newest_us = max([*others["event_time_us"], *case["event_time_us"]])
    requests["time_us"] = np.maximum(requests["time_us"], newest_us - 300_000_000)
    unpublished = ask(fold(others), requests, STATE_KNOWN if facts else STATE_NEW)
    requests["case_key"] = case["event_key"]
    not_yet = ask(fold(others), requests, STATE_KNOWN if facts else STATE_NEW)
    at_once = ask(fold(np.concatenate([case, others])), requests)
    assert find_differing(unpublished, not_yet) == []
    assert find_differing(not_yet, at_once) == []


@LAWS
@given(FACTS, FACTS, ASKED)
def test_what_comes_later_changes_nothing(facts: list[Fact], later: list[Fact], asked: Any) -> None:
    requests = build_requests([asked])
    past = build_rows(facts)
    past = past[past["ingest_time_us"] <= requests["time_us"]]
    scrambled = build_rows(later, first_key=1_000)
    # Later known, whenever it happened; some of it tells a past event anew.
    scrambled["ingest_time_us"] = requests["time_us"] + 1 + scrambled["value_minor"]
    n_again = min(len(past), len(scrambled), 3)
    scrambled["event_key"][:n_again] = past["event_key"][:n_again]
    with_later = ask_history(np.concatenate([scrambled, past]), requests)
    assert find_differing(with_later, ask_history(past, requests)) == []


@LAWS
@given(FACTS, st.lists(ASKED, min_size=1, max_size=6))
def test_history_in_bulk_equals_fold_then_vector_one_by_one(
    facts: list[Fact], asked: list[Any]
) -> None:
    rows, requests = build_rows(facts), build_requests(asked)
    in_bulk = ask_history(rows, requests)
    for request, vector in zip(requests.reshape(-1, 1), in_bulk, strict=True):
        known = rows[rows["ingest_time_us"] <= request["time_us"]]
        alone = ask(fold(known), request, STATE_KNOWN if len(known) else STATE_NEW)
        assert find_differing(alone, vector.reshape(1, -1)) == []


def test_a_batch_of_customers_equals_one_customer_at_a_time() -> None:
    rows, requests = draw_sample(seed=5, n_events=600, n_requests=200)
    owner = np.arange(600) % 20
    asked_of = np.arange(200) % 20
    records = new_records(20)
    fold_rows(records, owner, rows)
    states = np.full(200, STATE_KNOWN, np.int8)
    together = compute_vectors(records, asked_of, states, requests)
    for customer in range(20):
        alone = fold(rows[owner == customer])
        assert alone.tobytes() == records[customer].tobytes()
        mine = asked_of == customer
        assert find_differing(ask(alone, requests[mine]), together[mine]) == []


@LAWS
@given(FACTS, FACTS)
def test_a_record_from_the_store_goes_on_as_if_it_had_stayed(
    before: list[Fact], after: list[Fact]
) -> None:
    first, second = build_rows(before), build_rows(after, first_key=1_000)
    stored = decode_records([encode_record(fold(first))])
    assert fold(second, stored).tobytes() == fold(np.concatenate([first, second])).tobytes()


@LAWS
@given(FACTS, st.lists(ASKED, min_size=2, max_size=6))
def test_asking_changes_no_record_and_no_other_answer(facts: list[Fact], asked: list[Any]) -> None:
    record, requests = fold(build_rows(facts)), build_requests(asked)
    before = record.tobytes()
    answers = ask(record, requests)
    assert find_differing(ask(record, requests[::-1])[::-1], answers) == []
    assert record.tobytes() == before


def test_a_record_never_outgrows_its_size_whatever_a_customer_does() -> None:
    rng = np.random.default_rng(3)
    rows = np.frombuffer(rng.bytes(20_000 * FOLD_ROW_DTYPE.itemsize), FOLD_ROW_DTYPE).copy()
    rows["kind"] = rng.integers(0, 9, len(rows))  # Some of no kind at all.
    rows["event_time_us"] = rng.integers(0, START_US * 2, len(rows))
    assert len(encode_record(fold(rows))) <= MAX_ENCODED_SIZE


@LAWS
@given(FACTS, ASKED)
def test_windows_run_empty_when_nothing_happens(facts: list[Fact], asked: Any) -> None:
    requests = build_requests([asked])
    requests["time_us"] = START_US + (SPAN_DAYS + 2 + 365 + 7) * DAY_US
    vector = ask(fold(build_rows(facts)), requests)[0]
    for feature, value in zip(FEATURES, vector, strict=True):
        if feature.window is not None and feature.window.length_us:
            assert value == 0 or np.isnan(value), feature.name


def is_history(feature: FeatureDefinition) -> bool:
    return not feature.is_request and feature.name != "customer_state"


@LAWS
@given(FACTS, st.lists(ASKED, min_size=1, max_size=4))
def test_without_a_history_only_the_request_speaks(facts: list[Fact], asked: list[Any]) -> None:
    record, requests = fold(build_rows(facts)), build_requests(asked)
    known = ask(record, requests)
    for state, code in ((STATE_NEW, 0.0), (STATE_GUEST, -1.0), (STATE_UNAVAILABLE, np.nan)):
        vectors = ask(record, requests, state)
        for column, feature in enumerate(FEATURES):
            if feature.name == "customer_state":
                assert np.array_equal(vectors[:, column], np.full(len(vectors), code), True)
            elif is_history(feature):
                assert np.isnan(vectors[:, column]).all(), feature.name
            else:
                assert np.array_equal(vectors[:, column], known[:, column], True), feature.name


@pytest.mark.parametrize("call", list(Call))
def test_nothing_happened_is_the_default_of_the_table(call: Call) -> None:
    nothing_counted = fold(build_rows([Fact(FoldKind.LABEL_SET, 0, 0, 0, 0, 0, 0, 0, 0)]))
    _, requests = draw_sample(seed=2, n_events=1, n_requests=50)
    requests["call"] = call
    vectors = ask(nothing_counted, requests)
    for column, feature in enumerate(FEATURES):
        if is_history(feature):
            is_zero = feature.default == "0" and call in feature.calls
            expected = 0.0 if is_zero else np.nan
            assert np.array_equal(vectors[:, column], np.full(50, expected), True), feature.name


@pytest.mark.parametrize("call", list(Call))
def test_a_feature_that_does_not_apply_to_the_call_is_missing(call: Call) -> None:
    rows, requests = draw_sample(seed=4, n_events=300, n_requests=200)
    requests["call"] = call
    vectors = ask(fold(rows), requests)
    for column, feature in enumerate(FEATURES):
        if call not in feature.calls:
            assert np.isnan(vectors[:, column]).all(), feature.name


def test_every_feature_is_put_to_the_test() -> None:
    rows, requests = draw_sample(seed=1, n_events=400, n_requests=400)
    vectors = ask_history(rows, requests)
    still = [
        name
        for name, column in zip(FEATURE_NAMES, vectors.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    assert still == []


def test_without_the_compiler_the_same_bytes_come_out(tmp_path: Path) -> None:
    rows, requests = draw_sample(seed=9, n_events=300, n_requests=150)
    requests["case_key"][::2] = rows["event_key"][: len(requests[::2])]
    np.savez(tmp_path / "given.npz", rows=rows, requests=requests)
    program = """
import sys
import numpy as np
from pathlib import Path
from features.bulk import compute_vectors_at
from features.compiled import IS_JIT_ON
from features.fold import fold_rows
from features.record import decode_records, encode_record, new_records
assert not IS_JIT_ON
folder = Path(sys.argv[1])
rows, requests = np.load(folder / "given.npz").values()
record = new_records(1)
fold_rows(record, np.zeros(len(rows), np.int64), rows)
blob = encode_record(record)
assert decode_records([blob]).tobytes() == record.tobytes()
keys = np.ones((len(rows), 16), np.uint8)
nobody = np.zeros(len(requests), np.bool_)
vectors = compute_vectors_at(rows, keys, requests, keys[: len(requests)], nobody)
np.savez(folder / "got.npz", blob=np.frombuffer(blob, np.uint8), vectors=vectors)
"""
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=True,
        env={**os.environ, "HEMOSTAT_JIT": "off"},
        timeout=250,
    )
    got = np.load(tmp_path / "got.npz")
    assert got["blob"].tobytes() == encode_record(fold(rows))
    assert find_differing(got["vectors"], ask_history(rows, requests)) == []
