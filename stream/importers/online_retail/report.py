"""What an import did: counts that add up to the rows of the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from stream.importers.online_retail.buckets import BUCKETS, ORDER_LINE_BUCKETS, Bucket
from stream.importers.online_retail.linking import LinkedRows
from stream.importers.online_retail.matching import Matching
from stream.importers.online_retail.rows import NO_CODE, ParsedSource

REPORT_FILE: Final = "import_report.json"
"""Name of the report in the log's directory."""


class MatchingCounts(msgspec.Struct, frozen=True):
    """What one way of matching makes of the source.

    Attributes:
        source_rows: Rows per bucket; all buckets, adding up to the source's rows.
        events: Events per kind.
        cancelled_pairs: Pairs of credit row and purchase that are cancellations.
        returned_pairs: Pairs that are returns.
        units_matched: Units taken back from purchases.
        units_partly_unmatched: Units of partly matched credits without a purchase.
        ambiguous_credits: Credits that had more than one purchase to choose from.
        lag_days_p50: Median time from purchase to credit over the pairs; None without pairs.
    """

    source_rows: dict[str, int]
    events: dict[str, int]
    cancelled_pairs: int
    returned_pairs: int
    units_matched: int
    units_partly_unmatched: int
    ambiguous_credits: int
    lag_days_p50: float | None


class SourceCounters(msgspec.Struct, frozen=True):
    """Rows with something to know about them; they overlap, and the buckets too.

    Attributes:
        prices_rounded: Prices with parts of a minor unit.
        surplus_identical: Rows equal to an earlier one in all that is read; each is
            kept as a line of its own.
        without_description: Rows without a description.
        time_ambiguous: Wall-clock times that came twice, taken as the first.
        time_skipped: Wall-clock times that never came.
        reinvoiced_credits: Credits whose article was bought again within an hour.
        invoices_over_two_minutes: Invoices with rows of different times; the
            earliest is the time of all.
        invoices_without_goods: Sales invoices with a price but no line of goods
            (postage, manual entries, fees only): they are no order.
    """

    prices_rounded: int
    surplus_identical: int
    without_description: int
    time_ambiguous: int
    time_skipped: int
    reinvoiced_credits: int
    invoices_over_two_minutes: int
    invoices_without_goods: int


class ImportReport(msgspec.Struct, frozen=True):
    """The result of an import, as `--json` prints it and `import_report.json` keeps it.

    Attributes:
        source: Name of the source file.
        log: Directory of the event log.
        tenant: Tenant of the events.
        n_source_rows: Rows of the source; the buckets add up to it.
        n_events: Events written.
        n_customers: Customers with an order.
        matching: The way of matching that made the events.
        cancel_within_h: Longest time from purchase to a cancellation, hours.
        history_from: First day on which an unmatched credit is a return.
        return_window_days: Return window stated in the events.
        counts: What the chosen way of matching gave.
        compared: Each way of matching on the same source.
        counters: Rows to know about.
        dead_letters: File with the malformed rows.
        line_table: File with one row per source row.
    """

    source: str
    log: str
    tenant: str
    n_source_rows: int
    n_events: int
    n_customers: int
    matching: Matching
    cancel_within_h: float
    history_from: str
    return_window_days: int
    counts: MatchingCounts
    compared: Mapping[Matching, MatchingCounts]
    counters: SourceCounters
    dead_letters: str
    line_table: str


def count_matching(linked: LinkedRows, n_malformed: int, n_source_rows: int) -> MatchingCounts:
    """Return the counts of one way of matching.

    Raises:
        RuntimeError: The buckets do not add up to the source: a fault of this program.
    """
    per_code = np.bincount(linked.bucket, minlength=len(BUCKETS)).tolist()
    source_rows = {bucket.value: per_code[code] for code, bucket in enumerate(BUCKETS)}
    source_rows[Bucket.MALFORMED.value] += n_malformed
    if sum(source_rows.values()) != n_source_rows:
        raise RuntimeError(
            f"buckets hold {sum(source_rows.values())} rows of a source of {n_source_rows}"
        )
    orders = np.unique(linked.rows.invoice.codes[linked.is_in(*ORDER_LINE_BUCKETS)])
    cancelled = int(np.count_nonzero(linked.pair_is_cancelled))
    returned = len(linked.pair_credit) - cancelled
    unlinked = (
        source_rows[Bucket.RETURN_WITHOUT_ORDER] + source_rows[Bucket.RETURN_WITHOUT_CUSTOMER]
    )
    lag_days = linked.pair_lag_us / 86_400e6
    return MatchingCounts(
        source_rows=source_rows,
        events={
            "order_placed": len(orders),
            "order_cancelled": cancelled,
            "return_requested": returned + unlinked,
        },
        cancelled_pairs=cancelled,
        returned_pairs=returned,
        units_matched=int(linked.pair_units.sum()),
        units_partly_unmatched=int(
            linked.unmatched_units[linked.is_in(Bucket.PARTLY_MATCHED)].sum()
        ),
        ambiguous_credits=int(np.count_nonzero(linked.n_candidates > 1)),
        lag_days_p50=float(np.median(lag_days)) if len(lag_days) else None,
    )


def count_source(source: ParsedSource, linked: LinkedRows) -> SourceCounters:
    """Return what there is to know about the rows."""
    rows = source.rows
    facts = pa.table(
        {
            "invoice": rows.invoice.codes,
            "sku": rows.sku.codes,
            "customer": rows.customer.codes,
            "quantity": rows.quantity,
            "price_minor": rows.price_minor,
            "local_us": rows.local_us,
        }
    )
    n_distinct = facts.group_by(facts.column_names).aggregate([]).num_rows
    is_priced_sale = (rows.price_minor > 0) & ~rows.is_credit & ~rows.is_account_entry
    is_line = linked.is_in(*ORDER_LINE_BUCKETS)
    sold, ordered = rows.invoice.codes[is_priced_sale], rows.invoice.codes[is_line]
    is_later = rows.time_us != linked.event_time_us
    return SourceCounters(
        prices_rounded=int(np.count_nonzero(rows.is_price_rounded)),
        surplus_identical=len(rows) - n_distinct,
        without_description=int(np.count_nonzero(~rows.is_described)),
        time_ambiguous=source.n_ambiguous_times,
        time_skipped=source.n_skipped_times,
        reinvoiced_credits=int(np.count_nonzero(linked.is_reinvoiced)),
        invoices_over_two_minutes=len(np.unique(rows.invoice.codes[is_later])),
        invoices_without_goods=len(np.setdiff1d(sold, ordered)),
    )


def count_customers(linked: LinkedRows) -> int:
    """Return how many customers have an order."""
    codes = linked.rows.customer.codes[linked.is_in(*ORDER_LINE_BUCKETS)]
    return len(np.unique(codes[codes != NO_CODE]))
