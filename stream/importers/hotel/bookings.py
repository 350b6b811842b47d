"""A source row as a typed booking: what reading hands to the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from stream.importers.hotel.buckets import Bucket


class MalformedRow(msgspec.Struct, frozen=True):
    """A source row that states no usable fact; it goes to the dead letters.

    Attributes:
        source_row: 1 for the first row below the header.
        reason: What is wrong, as a stable code such as `bad_lead_time`.
        field: Published name of the column at fault.
        value_shown: The value met, shortened.
        expectation: What would have been right.
    """

    source_row: int
    reason: str
    field: str
    value_shown: str
    expectation: str


@dataclass(frozen=True, slots=True)
class Booking:
    """A well-formed row. Days count from 1970-01-01; the file knows no time of day.

    Attributes:
        source_row: 1 for the first row below the header.
        bucket: How the booking ended.
        booked_day: Day of the booking: arrival less lead time.
        arrival_day: Day of arrival.
        ended_day: `reservation_status_date`: cancelled, not shown up, or checked out.
        cells: Text of each column, empty where the file says nothing (`NULL`, `NA`).
    """

    source_row: int
    bucket: Bucket
    booked_day: int
    arrival_day: int
    ended_day: int
    cells: dict[str, str]


@dataclass(frozen=True)
class ParsedSource:
    """A whole source: `n_rows` = bookings + malformed rows.

    Attributes:
        bookings: The well-formed rows, in the source's order.
        malformed: The others, in the source's order.
        n_rows: Rows of the source, blank lines not counted.
    """

    bookings: Sequence[Booking]
    malformed: Sequence[MalformedRow]
    n_rows: int
