"""Every row finds its bucket; the rules that split cancellation, return and unknown history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from stream.importers.online_retail.buckets import BUCKETS
from stream.importers.online_retail.linking import LinkedRows, LinkingRules, link_rows
from stream.importers.online_retail.matching import Matching
from stream.importers.online_retail.rows import ParsedSource

RULES = LinkingRules()
Link = Callable[..., LinkedRows]


@pytest.fixture
def link(parse_rows: Callable[..., ParsedSource]) -> Link:
    def run(*rows: Any, rules: LinkingRules = RULES) -> LinkedRows:
        source = parse_rows(rows)
        assert list(source.malformed) == []
        return link_rows(source.rows, rules)

    return run


def _list_buckets(linked: LinkedRows) -> list[str]:
    return [BUCKETS[code].value for code in linked.bucket.tolist()]


@pytest.mark.parametrize(
    ("row", "bucket"),
    [
        (("1", "22423", 6, "2011-05-02T10:00"), "order_line"),
        (("1", "GIFT_0001_20", 1, "2011-05-02T10:00"), "order_line"),
        (("A1", "22423", 1, "2011-05-02T10:00"), "bad_debt"),
        (("1", "POST", 1, "2011-05-02T10:00"), "postage"),
        (("1", "C2", 1, "2011-05-02T10:00"), "carriage"),
        (("1", "m", 1, "2011-05-02T10:00"), "manual"),
        (("C1", "M", -1, "2011-05-02T10:00"), "manual"),
        (("C1", "D", -1, "2011-05-02T10:00"), "discount"),
        (("C1", "CRUK", -1, "2011-05-02T10:00"), "charity_commission"),
        (("1", "Bank Charges", 1, "2011-05-02T10:00"), "bank_charges"),
        (("1", "SOMETHING", 1, "2011-05-02T10:00"), "unlisted_article"),
        (("C1", "22423", -1, "2011-05-02T10:00"), "return_without_order"),
    ],
)
def test_a_row_of_a_customer_has_its_bucket(
    link: Link, make_row: Any, row: Any, bucket: str
) -> None:
    assert _list_buckets(link(make_row(*row))) == [bucket]


@pytest.mark.parametrize(
    ("row", "price", "bucket"),
    [
        (("1", "22423", 6, "2011-05-02T10:00"), 12.75, "guest_order_line"),
        (("C1", "S", -1, "2011-05-02T10:00"), 30.0, "samples"),
        (("C1", "AMAZONFEE", -1, "2011-05-02T10:00"), 5000.0, "marketplace_fee"),
        (("C1", "22423", -1, "2011-05-02T10:00"), 12.75, "return_without_customer"),
        (("C1", "22423", -1, "2011-03-31T10:00"), 12.75, "history_truncated_guest"),
        (("1", "22423", -6, "2011-05-02T10:00"), 0.0, "stock_adjustment"),
        (("1", "DOT", -6, "2011-05-02T10:00"), 0.0, "stock_adjustment"),
        (("1", "22423", 6, "2011-05-02T10:00"), 0.0, "stock_write_up"),
    ],
)
def test_a_row_without_customer_has_its_bucket(
    link: Link, make_row: Any, row: Any, price: float, bucket: str
) -> None:
    assert _list_buckets(link(make_row(*row, price=price, customer=None))) == [bucket]


def test_free_goods_are_order_lines_for_a_customer_or_beside_priced_rows(
    link: Link, make_row: Any
) -> None:
    at = "2011-05-02T10:00"
    linked = link(
        make_row("1", "22423", 6, at, price=0),
        make_row("2", "22423", 6, at, price=0, customer=None),
        make_row("2", "22424", 6, at, price=1, customer=None),
        make_row("3", "22423", 6, at, price=0, customer=None),
        make_row("4", "22423", 6, at, price=0.004),
    )
    assert _list_buckets(linked) == [
        "free_order_line",
        "free_order_line",
        "guest_order_line",
        "stock_write_up",
        "free_order_line",
    ]


def test_free_goods_cannot_be_taken_back(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-05-02T10:00", price=0),
        make_row("C2", "22423", -6, "2011-05-03T10:00", price=1),
    )
    assert _list_buckets(linked) == ["free_order_line", "return_without_order"]


@pytest.mark.parametrize(
    ("credit_time", "bucket"),
    [
        ("2011-05-02T10:00", "cancelled"),
        ("2011-05-02T22:00", "cancelled"),
        ("2011-05-02T22:01", "returned"),
        ("2011-06-02T10:00", "returned"),
    ],
)
def test_a_credit_within_twelve_hours_is_a_cancellation_a_later_one_a_return(
    link: Link, make_row: Any, credit_time: str, bucket: str
) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-05-02T10:00"),
        make_row("C2", "22423", -6, credit_time),
    )
    assert _list_buckets(linked) == ["order_line", bucket]


def test_the_hours_of_a_cancellation_can_be_set(link: Link, make_row: Any) -> None:
    rows = (
        make_row("1", "22423", 6, "2011-05-02T10:00"),
        make_row("C2", "22423", -6, "2011-05-03T09:00"),
    )
    assert _list_buckets(link(*rows, rules=replace(RULES, cancel_within_h=23)))[1] == "cancelled"
    assert _list_buckets(link(*rows, rules=replace(RULES, cancel_within_h=22.9)))[1] == "returned"


def test_hours_are_real_hours_when_the_clocks_go_forward(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-03-26T18:00"),
        make_row("C2", "22423", -6, "2011-03-27T07:00"),  # 13 hours on the wall, 12 in truth
    )
    assert _list_buckets(linked)[1] == "cancelled"
    assert linked.pair_lag_us.tolist() == [12 * 3_600_000_000]


def test_a_credit_over_two_purchases_is_one_row_with_a_pair_each(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-05-02T10:00"),
        make_row("2", "22423", 4, "2011-05-20T10:00"),
        make_row("C3", "22423", -8, "2011-05-20T11:00"),
    )
    assert _list_buckets(linked)[2] == "cancelled_and_returned"
    assert linked.pair_credit.tolist() == [2, 2]
    assert linked.pair_purchase.tolist() == [1, 0]
    assert linked.pair_units.tolist() == [4, 4]
    assert linked.pair_is_cancelled.tolist() == [True, False]


def test_fifo_takes_the_first_purchase_and_so_another_bucket(link: Link, make_row: Any) -> None:
    rows = (
        make_row("1", "22423", 6, "2011-05-02T10:00"),
        make_row("2", "22423", 6, "2011-05-20T10:00"),
        make_row("C3", "22423", -6, "2011-05-20T11:00"),
    )
    assert _list_buckets(link(*rows))[2] == "cancelled"
    assert _list_buckets(link(*rows, rules=LinkingRules(Matching.FIFO)))[2] == "returned"


def test_units_that_were_never_bought_stay_unmatched(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-05-02T10:00"),
        make_row("C3", "22423", -8, "2011-05-20T11:00"),
    )
    assert _list_buckets(linked)[1] == "partly_matched"
    assert linked.pair_units.tolist() == [6]
    assert linked.unmatched_units.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("at", "bucket"),
    [("2011-03-31T23:59", "history_truncated"), ("2011-04-01T00:00", "return_without_order")],
)
def test_a_credit_without_purchase_is_a_return_only_where_history_is_known(
    link: Link, make_row: Any, at: str, bucket: str
) -> None:
    assert _list_buckets(link(make_row("C1", "22423", -1, at))) == [bucket]


def test_the_start_of_known_history_can_be_set(link: Link, make_row: Any) -> None:
    rules = replace(RULES, history_from=date(2010, 12, 1))
    credit = make_row("C1", "22423", -1, "2010-12-01T00:00")
    assert _list_buckets(link(credit, rules=rules)) == ["return_without_order"]


def test_matching_needs_the_same_customer_and_article(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("1", "85123A", 6, "2011-05-02T10:00"),
        make_row("2", "22423", 6, "2011-05-02T10:00", customer=12345.0),
        make_row("C3", "22423", -1, "2011-05-04T10:00"),
        make_row("C4", "85123a", -1, "2011-05-04T10:00"),
        make_row("C5", "22423", -1, "2011-05-04T10:00", customer=None),
    )
    assert _list_buckets(linked)[2:] == [
        "return_without_order",
        "returned",
        "return_without_customer",
    ]


def test_surplus_identical_rows_are_lines_and_credits_of_their_own(
    link: Link, make_row: Any
) -> None:
    bought = make_row("1", "22423", 6, "2011-05-02T10:00")
    given_back = make_row("C2", "22423", -6, "2011-05-04T10:00")
    linked = link(bought, bought, given_back, given_back, given_back)
    assert _list_buckets(linked)[:2] == ["order_line", "order_line"]
    assert _list_buckets(linked)[2:] == ["returned", "returned", "return_without_order"]
    assert linked.pair_purchase.tolist() == [1, 0]


def test_all_rows_of_an_invoice_have_its_earliest_time(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-05-02T10:01"),
        make_row("2", "22423", 6, "2011-05-02T10:01"),
        make_row("1", "22424", 6, "2011-05-02T10:00"),
    )
    times = linked.event_time_us
    assert times[0] == times[2] == times[1] - 60_000_000


def test_a_purchase_in_the_same_minute_counts_if_it_stands_before(
    link: Link, make_row: Any
) -> None:
    at = "2011-05-02T10:00"
    before = link(make_row("1", "22423", 6, at), make_row("C2", "22423", -6, at))
    after = link(make_row("C2", "22423", -6, at), make_row("1", "22423", 6, at))
    assert _list_buckets(before) == ["order_line", "cancelled"]
    assert _list_buckets(after) == ["return_without_order", "order_line"]


def test_an_article_bought_again_within_the_hour_marks_the_credit(
    link: Link, make_row: Any
) -> None:
    linked = link(
        make_row("1", "22423", 6, "2011-05-02T10:00"),
        make_row("C2", "22423", -6, "2011-05-04T10:00"),
        make_row("3", "22423", 5, "2011-05-04T11:00"),
        make_row("C4", "22423", -5, "2011-05-05T10:00"),
        make_row("5", "22423", 5, "2011-05-05T11:01"),
    )
    assert linked.is_reinvoiced.tolist() == [False, True, False, False, False]


def test_a_row_that_cannot_be_matched_still_says_its_units(link: Link, make_row: Any) -> None:
    linked = link(
        make_row("C1", "22423", -3, "2011-05-02T10:00", customer=None),
        make_row("C2", "22423", -4, "2011-01-02T10:00"),
        make_row("C3", "M", -5, "2011-05-02T10:00"),
    )
    assert linked.unmatched_units.tolist() == [3, 4, 0]
