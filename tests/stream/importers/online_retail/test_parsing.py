"""Malformed rows become dead letters with reasons; files of another kind are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from features.errors import LogFormatError
from stream.importers.online_retail.parsing import parse_source
from stream.importers.online_retail.reading import read_source
from stream.importers.online_retail.rows import ParsedSource

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
GOOD = "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom"


@pytest.fixture
def parse_lines(tmp_path: Path) -> Callable[..., ParsedSource]:
    def parse(*lines: str, n_good: int = 19) -> ParsedSource:
        path = tmp_path / "rows.csv"
        path.write_text("\n".join([HEADER, *lines, *[GOOD] * n_good]))
        return parse_source(read_source(path, lambda _step, _done, _total: None))

    return parse


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("InvoiceNo", "X536365", "bad_invoice_no"),
        ("InvoiceNo", "", "bad_invoice_no"),
        ("StockCode", "", "no_stock_code"),
        ("Quantity", "six", "bad_quantity"),
        ("Quantity", "1.5", "bad_quantity"),
        ("Quantity", "0", "bad_quantity"),
        ("Quantity", "1000001", "bad_quantity"),
        ("Quantity", "", "bad_quantity"),
        ("Quantity", "-6", "negative_sale"),
        ("InvoiceDate", "31/12/2010 8:26", "bad_invoice_date"),
        ("InvoiceDate", "2/30/2011 8:26", "bad_invoice_date"),
        ("InvoiceDate", "12/1/2010", "bad_invoice_date"),
        ("InvoiceDate", "2010-12-01T08:26Z", "bad_invoice_date"),
        ("InvoiceDate", "1/1/1970 8:26", "bad_invoice_date"),
        ("UnitPrice", "free", "bad_unit_price"),
        ("UnitPrice", "2,55", "bad_unit_price"),
        ("UnitPrice", "inf", "bad_unit_price"),
        ("UnitPrice", "NaN", "bad_unit_price"),
        ("UnitPrice", "1e300", "bad_unit_price"),
        ("UnitPrice", "-2.55", "negative_price"),
        ("CustomerID", "Ann7", "bad_customer_id"),
    ],
)
def test_a_malformed_row_is_a_dead_letter_naming_row_field_value_and_expectation(
    parse_lines: Callable[..., ParsedSource], column: str, cell: str, reason: str
) -> None:
    row = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    row |= {"InvoiceNo": "536367", column: f'"{cell}"'}
    source = parse_lines(",".join(row.values()))
    (dead,) = source.malformed
    is_shown = column not in {"InvoiceNo", "CustomerID"}
    assert (dead.source_row, dead.reason, dead.field) == (1, reason, column)
    assert (dead.value_shown == (cell or "empty")) == (is_shown or not cell)
    assert dead.expectation
    assert len(source.rows) + 1 == source.n_rows == 20


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ("C536367,85123A,H,6,12/1/2010 8:26,2.55,1,UK", "credit_not_negative", "Quantity"),
        ("C536367,85123A,H,-6,12/1/2010 8:26,-2.55,1,UK", "negative_price", "UnitPrice"),
        ("536367,85123A,H,-6,12/1/2010 8:26,2.55,,UK", "negative_sale", "Quantity"),
        ("536367,85123A,H,-6,12/1/2010 8:26,0,17850,UK", "negative_sale", "Quantity"),
    ],
)
def test_cells_that_contradict_each_other_make_a_dead_letter(
    parse_lines: Callable[..., ParsedSource], line: str, reason: str, field: str
) -> None:
    (dead,) = parse_lines(line).malformed
    assert (dead.reason, dead.field) == (reason, field)


def test_an_invoice_has_one_customer(parse_lines: Callable[..., ParsedSource]) -> None:
    source = parse_lines(
        "536365,85123A,H,6,12/1/2010 8:26,2.55,17850,UK",
        "536365,85123A,H,6,12/1/2010 8:26,2.55,17851,UK",
        "536365,85123A,H,6,12/1/2010 8:26,2.55,,UK",
    )
    assert [(dead.source_row, dead.reason, dead.value_shown) for dead in source.malformed] == [
        (2, "another_customer", "99999"),
        (3, "another_customer", "empty"),
    ]


def test_only_the_first_fault_of_a_row_is_told(parse_lines: Callable[..., ParsedSource]) -> None:
    source = parse_lines("536367,85123A,H,six,never,free,x,UK")
    assert [dead.reason for dead in source.malformed] == ["bad_quantity"]


def test_rows_around_a_malformed_one_keep_their_numbers(
    parse_lines: Callable[..., ParsedSource],
) -> None:
    source = parse_lines(GOOD, "536367,85123A,H,six,12/1/2010 8:26,2.55,1,UK", GOOD)
    assert source.rows.source_row.tolist() == [1, *range(3, 23)]


def test_a_file_of_malformed_rows_is_refused_naming_the_first(
    parse_lines: Callable[..., ParsedSource],
) -> None:
    day_first = "536367,85123A,H,6,31/12/2010 8:26,2.55,1,UK"
    with pytest.raises(LogFormatError, match="3 of 22 rows") as caught:
        parse_lines(GOOD, day_first, day_first, day_first, n_good=18)
    assert caught.value.field == "InvoiceDate, row 2"
    assert caught.value.value == "31/12/2010 8:26"
    assert "month/day/year" in caught.value.expectation


def test_a_file_without_rows_is_refused(parse_lines: Callable[..., ParsedSource]) -> None:
    with pytest.raises(LogFormatError, match="no rows"):
        parse_lines(n_good=0)


def test_dead_letters_show_no_identifier(parse_lines: Callable[..., ParsedSource]) -> None:
    source = parse_lines(
        "X536367,85123A,H,6,12/1/2010 8:26,2.55,1,UK",
        "536368,85123A,H,6,12/1/2010 8:26,2.55,Jane Doe,UK",
    )
    text = msgspec.json.encode(list(source.malformed)).decode()
    assert "536367" not in text
    assert "Jane" not in text


@pytest.mark.parametrize(
    "when",
    ["12/01/2010 08:26:00", "12/1/10 8:26", "2010-12-01 08:26", "2010-12-01T08:26:00.000"],
)
def test_published_spellings_of_a_time_are_one(
    parse_lines: Callable[..., ParsedSource], when: str
) -> None:
    source = parse_lines(f"536365,85123A,H,6,{when},2.55,17850,UK")
    assert len(set(source.rows.local_us.tolist())) == 1


def test_codes_differing_in_case_are_one_article(parse_lines: Callable[..., ParsedSource]) -> None:
    source = parse_lines("536365,85123a,H,6,12/1/2010 8:26,2.55,17850.0,UK")
    assert source.rows.sku.names == ("85123A",)
    assert source.rows.customer.names == ("17850",)


def test_odd_hours_are_counted(parse_lines: Callable[..., ParsedSource]) -> None:
    source = parse_lines(
        "536370,85123A,H,6,3/27/2011 1:30,2.55,1,UK", "536371,85123A,H,6,10/30/2011 1:30,2.55,1,UK"
    )
    assert (source.n_skipped_times, source.n_ambiguous_times) == (1, 1)
