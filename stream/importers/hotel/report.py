"""What an import did: counts that add up to the rows of the source."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from stream.importers.hotel.bookings import ParsedSource
from stream.importers.hotel.buckets import Bucket

REPORT_FILE: Final = "import_report.json"
"""Name of the report in the log's directory."""


class SourceCounters(msgspec.Struct, frozen=True):
    """Rows with something to know about them; they overlap, and the buckets too.

    Attributes:
        surplus_identical: Rows equal to an earlier one in all that is read; each is kept
            as a booking of its own.
        without_agent: Bookings that came through no agent.
        without_company: Bookings that no company pays.
        without_children: Bookings that do not say how many children come.
        without_country: Bookings without a country.
        without_price: Bookings at an average daily rate of 0.
        prices_below_zero: Average daily rates below 0: 0 in the order's line, as they are
            in its attributes.
        day_stays: Bookings of no night, one unit each.
    """

    surplus_identical: int
    without_agent: int
    without_company: int
    without_children: int
    without_country: int
    without_price: int
    prices_below_zero: int
    day_stays: int


class ImportReport(msgspec.Struct, frozen=True):
    """The result of an import, as `--json` prints it and `import_report.json` keeps it.

    Attributes:
        source: Name of the source file.
        log: Directory of the event log.
        tenant: Tenant of the events.
        has_late_columns: Country and parking spaces stand in the events.
        n_source_rows: Rows of the source; the buckets add up to it.
        n_events: Events written.
        source_rows: Rows per bucket.
        events: Events per kind.
        counters: Rows to know about.
        dead_letters: File with the malformed rows.
        attributes: Files that declare the attributes for training.
    """

    source: str
    log: str
    tenant: str
    has_late_columns: bool
    n_source_rows: int
    n_events: int
    source_rows: dict[str, int]
    events: dict[str, int]
    counters: SourceCounters
    dead_letters: str
    attributes: list[str]


def count_buckets(source: ParsedSource) -> dict[str, int]:
    """Return the rows per bucket; all buckets, adding up to the source's rows."""
    found = Counter(booking.bucket for booking in source.bookings)
    counts = {bucket.value: found[bucket] for bucket in Bucket}
    counts[Bucket.MALFORMED.value] = len(source.malformed)
    return counts


def count_events(buckets: dict[str, int]) -> dict[str, int]:
    """Return the events per kind."""
    stayed = buckets[Bucket.STAYED]
    ended = buckets[Bucket.CANCELLED] + buckets[Bucket.NO_SHOW]
    return {
        "order_placed": stayed + ended,
        "order_delivered": stayed,
        "order_cancelled": ended,
    }


def count_source(source: ParsedSource) -> SourceCounters:
    """Return what there is to know about the rows."""
    cells = [booking.cells for booking in source.bookings]
    prices = [float(one["adr"]) for one in cells]

    def count_empty(name: str) -> int:
        return sum(not one[name] for one in cells)

    return SourceCounters(
        surplus_identical=len(cells) - len({tuple(one.values()) for one in cells}),
        without_agent=count_empty("agent"),
        without_company=count_empty("company"),
        without_children=count_empty("children"),
        without_country=count_empty("country"),
        without_price=sum(price == 0.0 for price in prices),
        prices_below_zero=sum(price < 0.0 for price in prices),
        day_stays=sum(
            one["stays_in_weekend_nights"] == "0" and one["stays_in_week_nights"] == "0"
            for one in cells
        ),
    )
