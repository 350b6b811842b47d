"""What counts as positive, negative, censored and unobserved, on hand-made logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from features.log import structs
from features.request_rows import Call
from training.cases import LearningSet
from training.head_definitions import (
    ABUSE_HEADS,
    BOOKING_HEAD,
    CREDIT_HEADS,
    FULL_HEADS,
    choose_heads,
)
from training.labelling.verdicts import find_confirmed_groups
from training.labels import HeadDefinition, Labels, label_cases

HEADS = {head.name: head for head in (*FULL_HEADS, *ABUSE_HEADS, *CREDIT_HEADS)}
HEADS["booking"] = BOOKING_HEAD
Learn = Callable[[Sequence[Any]], LearningSet]
LATE = 400.0
"""A day on which every horizon has passed."""


def _label(learned: LearningSet, head: str, as_of_us: int) -> tuple[HeadDefinition, Labels]:
    definition = HEADS[head]
    cases = learned.cases[definition.call]
    return definition, label_cases(definition, cases, learned.facts, as_of_us)


def _tell(learned: LearningSet, head: str, make: Any, day: float = LATE) -> dict[str, str]:
    """Return each case's outcome in words, by event id (and line)."""
    definition, labels = _label(learned, head, make.at(day))
    cases = learned.cases[definition.call]
    names = cases.event_id.to_pylist()
    if definition.call is Call.ORDER_LINE:
        names = cases.item_id.to_pylist()
    words = []
    for i in range(len(cases)):
        if not labels.is_candidate[i]:
            words.append("out")
        elif not labels.is_observed[i]:
            words.append("positive only" if labels.is_positive_only[i] else "unobserved")
        else:
            words.append("positive" if labels.value[i] else "negative")
    return dict(zip(names, words, strict=True))


def test_an_order_is_positive_if_the_customer_cancels_before_delivery(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            make.order(0, "before"), make.cancelled(2, "before"), make.delivered(9, "other"),
            make.order(0, "after"), make.delivered(3, "after"), make.cancelled(4, "after"),
            make.order(0, "kept"), make.delivered(3, "kept"),
            make.order(0, "never delivered"), make.cancelled(31, "never delivered"),
            make.order(0, "a line"), make.cancelled(1, "a line", line_id="a line-1"),
        ]
    )  # fmt: skip
    assert _tell(learned, "cancel__order", make) == {
        "before": "positive",
        "after": "negative",
        "kept": "negative",
        "never delivered": "negative",
        "a line": "positive",
    }


def _book(make: Any, order_id: str, ahead: float = 100) -> Any:
    line = structs.OrderLine(line_id=f"{order_id}-1", sku="s1", quantity=1, unit_price_minor=9)
    placed = structs.OrderPlaced(
        order_id=order_id, lines=[line], promised_delivery_time=make.at(ahead)
    )
    return make.make(0, event_id=order_id, order_placed=placed)


def test_a_booking_counts_from_its_promised_day_on_and_only_if_its_end_is_known(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            _book(make, "cancelled late"), make.cancelled(90, "cancelled late"),
            _book(make, "came"), make.delivered(103, "came"),
            _book(make, "came, then gone"), make.delivered(103, "came, then gone"),
            make.cancelled(104, "came, then gone"),
            _book(make, "not yet due", 300), make.cancelled(50, "not yet due"),
            _book(make, "still there"), make.delivered(250, "still there"),
            _book(make, "due on the day", 149), make.cancelled(1, "due on the day"),
            _book(make, "by the shop"),
            make.cancelled(20, "by the shop", "RETAILER"),
            make.order(0, "no promise"), make.cancelled(9, "no promise"),
            make.delivered(149, "somebody's"),
        ]
    )  # fmt: skip
    assert _tell(learned, "booking", make, 150) == {
        "cancelled late": "positive",
        "came": "negative",
        "came, then gone": "negative",
        "not yet due": "out",
        "still there": "out",
        "due on the day": "out",
        "by the shop": "out",
        "no promise": "out",
    }
    later = _tell(learned, "booking", make, LATE)
    assert (later["still there"], later["not yet due"]) == ("negative", "out")


def test_orders_promised_far_ahead_are_bookings(make: Any, learn_from: Learn) -> None:
    def choose(ahead: Sequence[float]) -> list[HeadDefinition]:
        events = [_book(make, f"o{i}", days) for i, days in enumerate(ahead)]
        return list(choose_heads(learn_from([*events, make.delivered(1, "o0")]).facts))

    assert BOOKING_HEAD in choose([40, 2, 2, 2])
    few = choose([40, 2, 2, 2, 2])
    assert few == list(FULL_HEADS)
    names = [head.name for head in choose([40])]
    assert sorted(names) == sorted(head.name for head in FULL_HEADS)
    # Without deliveries nobody knows who came.
    alone = [_book(make, "o", 40), make.returned(2, "r", "o")]
    assert list(choose_heads(learn_from(alone).facts)) == list(CREDIT_HEADS)


@pytest.mark.parametrize("by", ["RETAILER", "PAYMENT_LAPSE"])
def test_an_order_that_somebody_else_ended_first_is_censored(
    make: Any, learn_from: Learn, by: str
) -> None:
    learned = learn_from(
        [
            make.order(0, "theirs"), make.cancelled(2, "theirs", by),
            make.order(0, "too late to matter"), make.cancelled(2, "too late to matter"),
            make.cancelled(3, "too late to matter", by),
            make.order(0, "after delivery"), make.delivered(1, "after delivery"),
            make.cancelled(5, "after delivery", by),
        ]
    )  # fmt: skip
    assert _tell(learned, "cancel__order", make) == {
        "theirs": "out",
        "too late to matter": "positive",
        "after delivery": "negative",
    }
    assert _tell(learned, "return__order", make)["theirs"] == "out"


def test_an_order_is_returned_if_any_line_comes_back_within_sixty_days(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            make.order(0, "in time"), make.returned(60, "r1", "in time"),
            make.order(0, "late"), make.returned(60.01, "r2", "late"),
            make.order(0, "never"),
            make.order(0, "cancelled"), make.cancelled(1, "cancelled"),
            make.returned(5, "r3"),
        ]
    )  # fmt: skip
    assert _tell(learned, "return__order", make) == {
        "in time": "positive",
        "late": "negative",
        "never": "negative",
        "cancelled": "negative",
    }


def test_a_click_is_learned_from_only_if_nothing_was_offered(make: Any, learn_from: Learn) -> None:
    learned = learn_from(
        [
            make.order(0, "o"),
            make.clicked(1, "left", "o"), make.cancelled(2, "o", cancel_id="left"),
            make.clicked(1, "stayed", "o"), make.kept(2, "stayed", "o"),
            make.clicked(1, "offered", "o"), make.offered(1, "offered"),
            make.kept(2, "offered", "o"),
            make.clicked(1, "offer named", "o"),
            make.cancelled(2, "o", cancel_id="offer named", offer_id="x"),
            make.clicked(1, "open", "o"),
            make.clicked(1, "retailer ended it", "o"),
            make.cancelled(2, "o", "RETAILER", cancel_id="retailer ended it"),
        ]
    )  # fmt: skip
    assert _tell(learned, "cancel__cancellation", make) == {
        "left": "positive",
        "stayed": "negative",
        "offered": "unobserved",
        "offer named": "unobserved",
        "open": "out",
        "retailer ended it": "out",
    }


def test_a_return_is_abuse_by_the_last_verdict_known_within_the_horizon(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            make.returned(0, "confirmed"), make.label(10, "confirmed"),
            make.returned(0, "charged back"), make.label(10, "charged back", "CHARGEBACK"),
            make.returned(0, "cleared"), make.label(10, "cleared", "ABUSE_CLEARED"),
            make.returned(0, "nobody looked"),
            make.returned(0, "too late"), make.label(121, "too late"),
            make.returned(0, "taken back"), make.label(10, "taken back"),
            make.label(20, "taken back", reversal=True),
            make.returned(0, "appealed"), make.label(10, "appealed"),
            make.label(20, "appealed", "APPEAL_UPHELD"),
            make.returned(0, "clearance withdrawn"),
            make.label(10, "clearance withdrawn", "ABUSE_CLEARED"),
            make.label(20, "clearance withdrawn", "ABUSE_CLEARED", reversal=True),
            make.returned(0, "checked twice"), make.label(10, "checked twice", "ABUSE_CLEARED"),
            make.label(20, "checked twice"),
        ]
    )  # fmt: skip
    assert _tell(learned, "abuse__return", make) == {
        "confirmed": "positive",
        "charged back": "positive only",
        "cleared": "negative",
        "nobody looked": "unobserved",
        "too late": "unobserved",
        "taken back": "negative",
        "appealed": "negative",
        "clearance withdrawn": "unobserved",
        "checked twice": "positive",
    }


def test_a_verdict_counts_when_it_is_known_not_when_it_holds(make: Any, learn_from: Learn) -> None:
    learned = learn_from([make.returned(0, "r"), make.label(119, "r", known_day=121)])
    assert _tell(learned, "abuse__return", make) == {"r": "unobserved"}


def test_an_order_is_abuse_through_itself_its_returns_or_its_clicks(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            make.order(0, "itself"), make.label(5, "itself"),
            make.order(0, "return"), make.returned(3, "r1", "return"), make.label(9, "r1"),
            make.order(0, "click"), make.clicked(1, "k1", "click"), make.label(9, "k1"),
            make.order(0, "cleared"), make.returned(3, "r2", "cleared"),
            make.label(9, "r2", "ABUSE_CLEARED"),
            make.order(0, "unchecked"), make.returned(3, "r3", "unchecked"),
            make.order(0, "nothing happened"),
            make.order(0, "return after the horizon"),
            make.returned(121, "r4", "return after the horizon"),
        ]
    )  # fmt: skip
    assert _tell(learned, "abuse__order", make) == {
        "itself": "positive",
        "return": "positive",
        "click": "positive",
        "cleared": "negative",
        "unchecked": "unobserved",
        "nothing happened": "negative",
        "return after the horizon": "negative",
    }


def test_clicks_do_not_hide_an_order_where_nobody_ever_checks_clicks(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            make.order(0, "clicked"), make.clicked(1, "k", "clicked"),
            make.order(0, "returned"), make.returned(3, "r", "returned"), make.label(9, "r"),
        ]
    )  # fmt: skip
    assert _tell(learned, "abuse__order", make)["clicked"] == "negative"


def test_a_line_is_positive_if_it_comes_back_within_thirty_days_either_way(
    make: Any, learn_from: Learn
) -> None:
    learned = learn_from(
        [
            make.order(0, "a"), make.returned(30, "r1", "a", "a-1"),
            make.order(0, "b"), make.cancelled(2, "b", line_id="b-2"),
            make.order(0, "c"), make.returned(30.01, "r2", "c", "c-1"),
            # Line ids need only be unique in their order.
            make.returned(3, "r3", "c", "b-1"),
            make.order(0, "guest", customer=""),
            make.order(0, "free", price=0),
        ]
    )  # fmt: skip
    assert _tell(learned, "return_or_cancel_30d__order_line", make) == {
        "a-1": "positive",
        "a-2": "negative",
        "b-1": "negative",
        "b-2": "positive",
        "c-1": "negative",
        "c-2": "negative",
        "guest-1": "out",
        "guest-2": "out",
        "free-1": "out",
        "free-2": "out",
    }


@pytest.mark.parametrize("head", sorted(HEADS.keys() - {"booking"}))
def test_a_case_is_no_candidate_before_its_horizon_has_passed(
    make: Any, learn_from: Learn, head: str
) -> None:
    learned = learn_from(
        [
            make.order(0, "o"), make.clicked(0, "k", "o"), make.returned(0, "r", "o", "o-1"),
            make.cancelled(0.5, "o", cancel_id="k", line_id="o-2"), make.label(0.5, "r"),
        ]
    )  # fmt: skip
    definition, before = _label(learned, head, make.at(HEADS[head].horizon_days) - 1)
    assert not before.is_candidate.any()
    assert not before.is_observed.any()
    _, on_time = _label(learned, head, make.at(definition.horizon_days))
    assert on_time.is_candidate.any()


@pytest.mark.parametrize("head", sorted(HEADS))
def test_nothing_that_became_known_later_moves_a_label(
    make: Any, learn_from: Learn, head: str
) -> None:
    known = [
        make.order(0, "o"), make.clicked(1, "k", "o"), make.returned(5, "r", "o", "o-1"),
        make.order(0, "p"), make.delivered(3, "p"),
    ]  # fmt: skip
    day = HEADS[head].horizon_days + 10
    # All of it happened within the horizon; the log took it in a day too late.
    late = [
        make.cancelled(day - 9.5, "o", cancel_id="k", line_id="o-2", known_day=day + 1),
        make.label(day - 0.5, "k", known_day=day + 1),
        make.returned(day - 9, "r2", "p", "p-1", known_day=day + 1),
        make.inspected(day - 9, "r", known_day=day + 1),
        make.offered(day - 9, "k", known_day=day + 1),
    ]
    _, without = _label(learn_from(known), head, make.at(day))
    n = len(without.value)
    _, having = _label(learn_from([*known, *late]), head, make.at(day))
    for name in (
        "value",
        "is_candidate",
        "is_observed",
        "is_selective",
        "origin",
        "propensity",
        "is_positive_only",
    ):
        np.testing.assert_array_equal(getattr(having, name)[:n], getattr(without, name)[:n])
    np.testing.assert_array_equal(having.context[:n], without.context[:n])


def test_the_inspection_is_context_of_a_check_and_no_more(make: Any, learn_from: Learn) -> None:
    learned = learn_from(
        [make.returned(0, "r"), make.inspected(2, "r", "C"), make.returned(0, "s")]
    )
    _, labels = _label(learned, "abuse__return", make.at(LATE))
    np.testing.assert_array_equal(labels.context, [[3.0, 0.0, 0.0], [np.nan] * 3])


def test_customers_with_a_verdict_that_stands_are_confirmed(make: Any, learn_from: Learn) -> None:
    learned = learn_from(
        [
            make.returned(0, "r1", customer="bad"), make.label(5, "r1", customer="bad"),
            make.returned(0, "r2", customer="appealed"), make.label(5, "r2", customer="appealed"),
            make.label(9, "r2", "APPEAL_UPHELD", customer="appealed"),
            make.returned(0, "r3", customer="good"),
        ]
    )  # fmt: skip
    cases = learned.cases[Call.RETURN]
    confirmed = np.isin(cases.group, find_confirmed_groups(learned.facts))
    assert dict(zip(cases.event_id.to_pylist(), confirmed.tolist(), strict=True)) == {
        "r1": True,
        "r2": False,
        "r3": False,
    }
    early = find_confirmed_groups(learned.facts.as_of(make.at(4)))
    assert len(early) == 0
