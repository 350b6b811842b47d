"""Rows of text to bookings, or to a dead letter that says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from features.errors import LogFormatError
from stream.importers.hotel.bookings import Booking, MalformedRow, ParsedSource
from stream.importers.hotel.buckets import STATUS_BUCKETS, Bucket

MAX_MALFORMED_SHARE: Final = 0.1
"""Above this share of malformed rows a file is not the data set, and is refused."""

EMPTY: Final = frozenset({"", "NULL", "NA"})
"""Cells that say nothing."""

COUNTS: Final = (
    "lead_time",
    "arrival_date_week_number",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "babies",
    "previous_cancellations",
    "previous_bookings_not_canceled",
    "days_in_waiting_list",
    "required_car_parking_spaces",
    "total_of_special_requests",
)
"""Columns of whole numbers from 0."""

FLAGS: Final = ("is_canceled", "is_repeated_guest")
NAMES: Final = (
    "hotel",
    "meal",
    "market_segment",
    "distribution_channel",
    "reserved_room_type",
    "deposit_type",
    "customer_type",
)
OPTIONAL: Final = frozenset({"children", "country", "agent", "company"})
"""Columns that may say nothing."""

MAX_COUNT: Final = 10_000
MAX_PRICE: Final = 1e8
"""Average daily rate, at most, in euros."""

MONTH_NUMBERS: Final = {
    "January": 1,
    "February": 2,
    "March": 3,
    "April": 4,
    "May": 5,
    "June": 6,
    "July": 7,
    "August": 8,
    "September": 9,
    "October": 10,
    "November": 11,
    "December": 12,
}
_DIGITS: Final = re.compile(r"([0-9]{1,9})(?:\.0+)?")
_PRICE: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_EPOCH: Final = date(1970, 1, 1)
_YEARS: Final = range(1990, 2100)
_MAX_NAME: Final = 64
_SHOWN_CHARS: Final = 40


class _Fault(Exception):  # noqa: N818 - carries a verdict to the next function, no error
    """A cell breaks its rule: column, reason, expectation."""

    def __init__(self, field: str, reason: str, expectation: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.expectation = expectation


def parse_source(rows: Sequence[dict[str, str] | int]) -> ParsedSource:
    """Return the bookings and the malformed rows.

    Raises:
        LogFormatError: There is no row, or more than a tenth of the rows are
            malformed: then the file is not the data set. The first such row is named.
    """
    if not rows:
        raise LogFormatError(
            "the source has no rows",
            field="rows",
            value="0",
            expectation="bookings below the header",
            fix="give the whole file",
        )
    bookings: list[Booking] = []
    malformed: list[MalformedRow] = []
    for source_row, cells in enumerate(rows, start=1):
        if isinstance(cells, int):
            malformed.append(
                MalformedRow(source_row, "column_count", "row", f"{cells} cells", "the header's")
            )
            continue
        try:
            bookings.append(parse_booking(source_row, cells))
        except _Fault as fault:
            shown = cells.get(fault.field, "")[:_SHOWN_CHARS] or "empty"
            malformed.append(
                MalformedRow(source_row, fault.reason, fault.field, shown, fault.expectation)
            )
    _refuse_other_files(malformed, len(rows))
    return ParsedSource(bookings, malformed, len(rows))


def parse_booking(source_row: int, cells: dict[str, str]) -> Booking:
    """Return a row as a booking; raises `_Fault` with the first cell that breaks a rule."""
    known = {name: "" if text in EMPTY else text for name, text in cells.items()}
    for name in NAMES:
        if not 0 < len(known[name]) <= _MAX_NAME:
            raise _Fault(name, f"bad_{name}", f"a name of at most {_MAX_NAME} characters")
    for name in COUNTS:
        if known[name] or name not in OPTIONAL:
            known[name] = str(_parse_count(name, known[name]))
    for name in FLAGS:
        if known[name] not in {"0", "1"}:
            raise _Fault(name, f"bad_{name}", "0 or 1")
    for name in ("agent", "company"):
        if known[name]:
            known[name] = str(_parse_count(name, known[name], 10**9))
    if not _PRICE.fullmatch(known["adr"]) or abs(float(known["adr"])) > MAX_PRICE:
        raise _Fault("adr", "bad_adr", "a finite number with a decimal point")
    bucket = STATUS_BUCKETS.get(known["reservation_status"])
    if bucket is None:
        raise _Fault(
            "reservation_status", "bad_reservation_status", f"one of {', '.join(STATUS_BUCKETS)}"
        )
    if (known["is_canceled"] == "1") is (bucket is Bucket.STAYED):
        raise _Fault("is_canceled", "contradicts_status", "0 exactly if the guest checked out")
    arrival = _parse_arrival(known)
    ended = _parse_ended(known)
    booked = arrival - int(known["lead_time"])
    _check_order(bucket, booked, arrival, ended)
    return Booking(source_row, bucket, booked, arrival, ended, known)


def round_price(text: str) -> int:
    """Return an average daily rate in cents, half to even; below 0 counts as 0.

    >>> round_price("75.5"), round_price("-6.38")
    (7550, 0)
    """
    return max(round(float(text) * 100), 0)


def _parse_count(name: str, text: str, limit: int = MAX_COUNT) -> int:
    found = _DIGITS.fullmatch(text)
    if found is None or int(found.group(1)) > limit:
        raise _Fault(name, f"bad_{name}", f"a whole number from 0 to {limit:,}")
    return int(found.group(1))


def _parse_arrival(cells: dict[str, str]) -> int:
    month = MONTH_NUMBERS.get(cells["arrival_date_month"])
    if month is None:
        raise _Fault("arrival_date_month", "bad_arrival_date", "an English name of a month")
    year = _parse_count("arrival_date_year", cells["arrival_date_year"])
    if year not in _YEARS:
        raise _Fault("arrival_date_year", "bad_arrival_date", "a year from 1990 to 2099")
    day = _parse_count("arrival_date_day_of_month", cells["arrival_date_day_of_month"])
    try:
        return (date(year, month, day) - _EPOCH).days
    except ValueError as error:
        raise _Fault(
            "arrival_date_day_of_month", "bad_arrival_date", "a day of that month"
        ) from error


def _parse_ended(cells: dict[str, str]) -> int:
    expected = _Fault("reservation_status_date", "bad_status_date", "year-month-day")
    try:
        found = date.fromisoformat(cells["reservation_status_date"])
    except ValueError as error:
        raise expected from error
    if found.year not in _YEARS or found.isoformat() != cells["reservation_status_date"]:
        raise expected
    return (found - _EPOCH).days


def _check_order(bucket: Bucket, booked: int, arrival: int, ended: int) -> None:
    """Nobody checks out before arrival, nobody cancels before booking or after arrival."""
    if bucket is Bucket.STAYED and ended < arrival:
        expectation = "the day of arrival or later for a guest who checked out"
    elif bucket is not Bucket.STAYED and not booked <= ended <= arrival:
        expectation = "from the day of the booking to the day of arrival"
    else:
        return
    raise _Fault("reservation_status_date", "status_date_out_of_order", expectation)


def _refuse_other_files(malformed: Sequence[MalformedRow], n_rows: int) -> None:
    if len(malformed) <= MAX_MALFORMED_SHARE * n_rows:
        return
    first = malformed[0]
    raise LogFormatError(
        f"{len(malformed):,} of {n_rows:,} rows are malformed: this is not the hotel bookings file"
        f" (first: row {first.source_row}, {first.reason})",
        field=f"{first.field}, row {first.source_row}",
        value=first.value_shown,
        expectation=first.expectation,
        fix="give the data set as published (CSV, plain or gzipped)",
    )
