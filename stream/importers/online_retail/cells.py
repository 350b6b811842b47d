"""What each column of the source may hold: one rule per column, text to value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_UNITS: Final = 1_000_000
"""Units of one row, at most: the event log's limit for a quantity."""

MAX_PRICE: Final = 1e10
"""Price of one unit, at most, in major units: the event log's limit (1e12 minor units)."""

_INVOICE: Final = re.compile(r"[CA]?[0-9]+")
_DIGITS: Final = re.compile(r"([0-9]+)(?:\.0+)?")
_UNITS: Final = re.compile(r"([+-]?[0-9]+)(?:\.0+)?")
_PRICE: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MONTH_FIRST: Final = re.compile(
    r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4}|[0-9]{2})"
    r" +(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
)
_ISO: Final = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"[ T](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = range(1990, 2100)
_CENTURY: Final = 100


@dataclass(frozen=True)
class CellRule(Generic[T]):
    """How the cells of one column are read.

    Attributes:
        field: Published name of the column.
        reason: Code of a dead letter whose cell breaks the rule.
        expectation: What a right cell holds, for people.
        parse: Text without outer blanks to value; None if the rule is broken.
        is_optional: An empty cell is a fact, not a fault.
        is_identifier: The cell's value may not be shown.
    """

    field: str
    reason: str
    expectation: str
    parse: Callable[[str], T | None]
    is_optional: bool = False
    is_identifier: bool = False


def parse_invoice(text: str) -> str | None:
    """Return an invoice number in upper case.

    >>> parse_invoice("c536379"), parse_invoice("X1")
    ('C536379', None)
    """
    return text.upper() if _INVOICE.fullmatch(text.upper()) else None


def parse_sku(text: str) -> str | None:
    """Return a stock code in upper case, inner blanks single.

    >>> parse_sku("85123a")
    '85123A'
    """
    return " ".join(text.upper().split()) or None


def parse_units(text: str) -> int | None:
    """Return whole units, not 0; `6.0` is whole.

    >>> parse_units("-12"), parse_units("6.0"), parse_units("1.5"), parse_units("0")
    (-12, 6, None, None)
    """
    found = _UNITS.fullmatch(text)
    units = int(found.group(1)) if found else 0
    return units if 0 < abs(units) <= MAX_UNITS else None


def parse_price(text: str) -> float | None:
    """Return a price in major units.

    >>> parse_price("2.55"), parse_price("2,55"), parse_price("nan")
    (2.55, None, None)
    """
    return float(text) if _PRICE.fullmatch(text) and abs(float(text)) <= MAX_PRICE else None


def parse_customer(text: str) -> str | None:
    """Return a customer number; `17850.0` is 17850.

    >>> parse_customer("17850.0"), parse_customer("17850")
    ('17850', '17850')
    """
    found = _DIGITS.fullmatch(text)
    return found.group(1) if found else None


def parse_local_time(text: str) -> int | None:
    """Return a wall-clock time as microseconds since 1970, whole seconds.

    Month first with slashes, as published (`12/1/2010 8:26`), or ISO
    (`2010-12-01 08:26:00`); a year of two digits is of this century. Parts of a
    second are cut. A time with a zone is not a wall-clock time: None.

    >>> parse_local_time("12/1/2010 8:26") == parse_local_time("2010-12-01 08:26:00")
    True
    >>> parse_local_time("13/1/2010 8:26") is None
    True
    """
    found = _MONTH_FIRST.fullmatch(text) or _ISO.fullmatch(text)
    if found is None:
        return None
    part = {name: int(digits or 0) for name, digits in found.groupdict().items()}
    if part["year"] < _CENTURY:
        part["year"] += 2000
    if part["year"] not in _YEARS:
        return None
    try:
        wall = datetime(**part, tzinfo=UTC)  # UTC only to count; London is applied later.
    except ValueError:
        return None
    return (wall - _EPOCH) // timedelta(microseconds=1)


INVOICE: Final = CellRule(
    "InvoiceNo",
    "bad_invoice_no",
    "digits, or C or A and digits",
    parse_invoice,
    is_identifier=True,
)
SKU: Final = CellRule("StockCode", "no_stock_code", "a stock code", parse_sku)
UNITS: Final = CellRule(
    "Quantity", "bad_quantity", f"a whole number, not 0, within {MAX_UNITS:,}", parse_units
)
LOCAL_TIME: Final = CellRule(
    "InvoiceDate",
    "bad_invoice_date",
    "month/day/year hour:minute, or year-month-day hour:minute, without a zone",
    parse_local_time,
)
PRICE: Final = CellRule(
    "UnitPrice", "bad_unit_price", "a finite number with a decimal point", parse_price
)
CUSTOMER: Final = CellRule(
    "CustomerID",
    "bad_customer_id",
    "digits, or empty for a guest",
    parse_customer,
    is_optional=True,
    is_identifier=True,
)
