"""Cases carry the vectors that serving would have seen, and only those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from features.definitions import FEATURE_NAMES
from features.log import structs
from features.request_rows import Call
from training.cases import LearningSet
from training.log_reading import AcceptedEvents, choose_tenant

Learn = Callable[[Sequence[Any]], LearningSet]

RETURNED = FEATURE_NAMES.index("return_count_lifetime")
STATE = FEATURE_NAMES.index("customer_state")


def _history(make: Any) -> list[Any]:
    return [
        make.order(0, "o1"), make.delivered(3, "o1"), make.returned(9, "r1", "o1", "o1-1"),
        make.order(20, "o2"), make.clicked(21, "k2", "o2"), make.kept(22, "k2", "o2"),
        make.order(40, "o3", customer="c2"), make.order(41, "g", customer=""),
        make.returned(44, "r2", "o2", "o2-2"), make.label(50, "r1"),
    ]  # fmt: skip


def test_every_call_gets_its_cases_with_ids_and_customers(make: Any, learn_from: Learn) -> None:
    cases = learn_from(_history(make)).cases
    assert cases[Call.ORDER].event_id.to_pylist() == ["o1", "o2", "o3", "g"]
    assert cases[Call.ORDER_LINE].item_id.to_pylist() == [
        "o1-1", "o1-2", "o2-1", "o2-2", "o3-1", "o3-2", "g-1", "g-2",
    ]  # fmt: skip
    assert cases[Call.CANCELLATION].item_id.to_pylist() == ["k2"]
    assert cases[Call.RETURN].order_id.to_pylist() == ["o1", "o2"]
    group = cases[Call.ORDER].group
    assert group[0] == group[1]
    assert len(set(group.tolist())) == 3
    assert cases[Call.RETURN].group.tolist() == [group[0], group[0]]
    assert cases[Call.ORDER].is_guest.tolist() == [False, False, False, True]


def test_a_case_counts_what_came_before_it_and_never_itself(make: Any, learn_from: Learn) -> None:
    cases = learn_from(_history(make)).cases
    np.testing.assert_array_equal(cases[Call.RETURN].rows[:, RETURNED], [0.0, 1.0])
    np.testing.assert_array_equal(cases[Call.ORDER].rows[:, STATE], [0.0, 1.0, 0.0, -1.0])


def test_scrambling_the_future_changes_no_vector(make: Any, learn_from: Learn) -> None:
    events = _history(make)
    day = 30.0
    other_future = [
        make.returned(31, "x1", "o2", "o2-1"), make.returned(32, "x2", "o2", "o2-2"),
        make.label(33, "x1"), make.order(34, "x3", price=99_000),
        # It happened before, and the log took it in after.
        make.returned(25, "x4", "o2", "o2-1", known_day=35),
    ]  # fmt: skip
    known = [event for event in events if event.ingest_time <= make.at(day)]
    with_one, with_other = learn_from(events), learn_from([*known, *other_future])
    for call in Call:
        one, other = with_one.cases[call], with_other.cases[call]
        is_past, is_past_too = one.time_us <= make.at(day), other.time_us <= make.at(day)
        is_past_too &= ~np.char.startswith(other.event_id.to_numpy(False).astype(str), "x")
        assert is_past.any()
        np.testing.assert_array_equal(one.rows[is_past], other.rows[is_past_too])


def test_an_event_told_again_is_one_case_and_counts_once(make: Any, learn_from: Learn) -> None:
    events = _history(make)
    again = msgspec.structs.replace(events[2], ingest_time=make.at(10))
    once, twice = learn_from(events), learn_from([*events, again])
    for call in Call:
        np.testing.assert_array_equal(once.cases[call].rows, twice.cases[call].rows)


def test_of_two_tellings_the_first_one_counts(
    make: Any, read_events: Callable[[Sequence[Any]], AcceptedEvents]
) -> None:
    first = make.returned(5, "r", "o", "o-1")
    other = make.returned(5, "r", "another order", "o-1", known_day=6)
    events = read_events([other, first, make.order(0, "o")])
    assert (events.n_read, events.n_rejected, events.n_repeated) == (3, 0, 1)
    told = events.batch.column("return_requested").to_pylist()
    assert [row["order_id"] for row in told if row] == ["o"]


def test_what_the_stream_would_refuse_is_refused_here(
    make: Any, read_events: Callable[[Sequence[Any]], AcceptedEvents]
) -> None:
    too_late = make.order(0, "late", known_day=31)
    bad = make.make(1, order_placed=structs.OrderPlaced(order_id="no lines", lines=[]))
    events = read_events([make.order(0, "o"), too_late, bad])
    assert (events.n_read, events.n_rejected) == (3, 2)
    assert events.batch.column("event_id").to_pylist() == ["o"]


@pytest.mark.parametrize(
    ("tenants", "wanted", "chosen"),
    [(["a"], None, "a"), (["a", "b"], "b", "b"), ([], "raw", "raw")],
)
def test_the_tenant_is_the_one_named_or_the_only_one(
    tenants: list[str], wanted: str | None, chosen: str
) -> None:
    assert choose_tenant(tenants, wanted) == chosen


@pytest.mark.parametrize(("tenants", "wanted"), [(["a", "b"], None), (["a"], "c"), ([], None)])
def test_a_tenant_that_is_not_clear_is_asked_for(tenants: list[str], wanted: str | None) -> None:
    from features.errors import ConfigError

    with pytest.raises(ConfigError, match="--tenant"):
        choose_tenant(tenants, wanted)
