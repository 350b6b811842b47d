"""Small sources in the published form, written by hand."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stream.importers.hotel.reading import COLUMNS

# As published: two columns more than are read, in another place.
HEADER = (*COLUMNS[:20], "assigned_room_type", "booking_changes", *COLUMNS[20:])

PLAIN = {
    "hotel": "City Hotel",
    "is_canceled": "0",
    "lead_time": "10",
    "arrival_date_year": "2016",
    "arrival_date_month": "May",
    "arrival_date_week_number": "21",
    "arrival_date_day_of_month": "20",
    "stays_in_weekend_nights": "1",
    "stays_in_week_nights": "2",
    "adults": "2",
    "children": "0",
    "babies": "0",
    "meal": "BB",
    "country": "PRT",
    "market_segment": "Online TA",
    "distribution_channel": "TA/TO",
    "is_repeated_guest": "0",
    "previous_cancellations": "0",
    "previous_bookings_not_canceled": "0",
    "reserved_room_type": "A",
    "assigned_room_type": "D",
    "booking_changes": "3",
    "deposit_type": "No Deposit",
    "agent": "9",
    "company": "NULL",
    "days_in_waiting_list": "0",
    "customer_type": "Transient",
    "adr": "75.5",
    "required_car_parking_spaces": "1",
    "total_of_special_requests": "2",
    "reservation_status": "Check-Out",
    "reservation_status_date": "2016-05-23",
}

CANCELLED = {
    "is_canceled": "1",
    "reservation_status": "Canceled",
    "reservation_status_date": "2016-05-12",
}
NO_SHOW = {
    "is_canceled": "1",
    "reservation_status": "No-Show",
    "reservation_status_date": "2016-05-20",
}

Row = dict[str, str]


@pytest.fixture(scope="session")
def make_row() -> Callable[..., Row]:
    """Build a row: an ending (`stayed`, `cancelled`, `no_show`), then what differs."""
    endings: dict[str, Row] = {"stayed": {}, "cancelled": CANCELLED, "no_show": NO_SHOW}

    def make(ending: str = "stayed", **cells: str) -> Row:
        return {**PLAIN, **endings[ending], **cells}

    return make


@pytest.fixture(scope="session")
def write_source() -> Callable[[Path, Sequence[Row]], Path]:
    """Write rows to a path that ends in `.csv` or `.csv.gz`."""

    def write(path: Path, rows: Sequence[Row]) -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, HEADER)
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write
