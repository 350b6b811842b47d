"""The rules in one pass: rows to orders, cancellations, returns and buckets. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.importers.online_retail.buckets import (
    CODES,
    Bucket,
    Invoices,
    compute_invoices,
    compute_row_buckets,
)
from stream.importers.online_retail.matching import (
    Matches,
    Matching,
    Movements,
    find_reinvoiced,
    match_credits,
)
from stream.importers.online_retail.rows import NO_CODE, SourceRows

REINVOICED_WITHIN_US: Final = 3_600_000_000
"""A credit is a correction of the invoice if the article is bought again within an hour."""

_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True)
class LinkingRules:
    """The choices that the file leaves open.

    Attributes:
        matching: Which purchase a credit takes first.
        cancel_within_h: A credit at most this many hours after its purchase is a
            cancellation, a later one a return. Names the event, never a label.
        history_from: First day (London) from which a credit without an earlier
            purchase is a return without order; before it, the purchase may lie
            before the file's start.
    """

    matching: Matching = Matching.LATEST
    cancel_within_h: float = 12.0
    history_from: date = date(2011, 4, 1)


@dataclass(frozen=True, eq=False)
class LinkedRows:
    """Rows with what became of them; arrays of shape `(n_rows,)` unless said.

    Attributes:
        rows: The well-formed rows.
        invoices: What the rows of an invoice share.
        bucket: int64, bucket code of each row.
        event_time_us: int64, UTC; one time for all rows of an invoice.
        unmatched_units: int64, units of a credit of goods that found no purchase, else 0.
        is_reinvoiced: A credit whose customer bought the article again within an hour.
        n_candidates: int64, purchases that a credit could have taken.
        pair_credit: int64, shape `(n_pairs,)`, row index of the credit; ascending.
        pair_purchase: int64, shape `(n_pairs,)`, row index of the purchase.
        pair_units: int64, shape `(n_pairs,)`, units taken back.
        pair_lag_us: int64, shape `(n_pairs,)`, from purchase to credit.
        pair_is_cancelled: shape `(n_pairs,)`, the pair is a cancellation, else a return.
    """

    rows: SourceRows
    invoices: Invoices
    bucket: npt.NDArray[np.int64]
    event_time_us: npt.NDArray[np.int64]
    unmatched_units: npt.NDArray[np.int64]
    is_reinvoiced: npt.NDArray[np.bool_]
    n_candidates: npt.NDArray[np.int64]
    pair_credit: npt.NDArray[np.int64]
    pair_purchase: npt.NDArray[np.int64]
    pair_units: npt.NDArray[np.int64]
    pair_lag_us: npt.NDArray[np.int64]
    pair_is_cancelled: npt.NDArray[np.bool_]

    def is_in(self, *buckets: Bucket) -> npt.NDArray[np.bool_]:
        """Return which rows are in one of the buckets."""
        return np.isin(self.bucket, [CODES[bucket] for bucket in buckets])


def link_rows(rows: SourceRows, rules: LinkingRules) -> LinkedRows:
    """Return the rows with their buckets and the pairs of credit and purchase.

    Purchases are priced order lines with a customer, credits are `C` rows of goods with a
    customer; both stand at their invoice's time, and among equal times the order of the
    source decides.
    """
    invoices = compute_invoices(rows)
    event_time_us = invoices.time_us[rows.invoice.codes]
    bucket = compute_row_buckets(rows, invoices)
    has_customer = rows.customer.codes != NO_CODE
    is_goods_credit = bucket < 0
    purchase_rows = np.flatnonzero(bucket == CODES[Bucket.ORDER_LINE])
    credit_rows = np.flatnonzero(is_goods_credit & has_customer)
    group = rows.customer.codes * len(rows.sku.names) + rows.sku.codes
    purchases = _move(purchase_rows, group, event_time_us, rows)
    credit_lines = _move(credit_rows, group, event_time_us, rows)
    matches = match_credits(purchases, credit_lines, rules.matching)

    pair_credit, pair_purchase = credit_rows[matches.credit], purchase_rows[matches.purchase]
    pair_lag_us = event_time_us[pair_credit] - event_time_us[pair_purchase]
    pair_is_cancelled = pair_lag_us <= rules.cancel_within_h * _HOUR_US
    is_truncated = invoices.local_us[rows.invoice.codes] < _to_local_us(rules.history_from)
    bucket[credit_rows] = _settle_credits(
        matches, pair_is_cancelled, credit_lines.units, is_truncated[credit_rows]
    )
    is_guest_credit = is_goods_credit & ~has_customer
    bucket[is_guest_credit & is_truncated] = CODES[Bucket.HISTORY_TRUNCATED_GUEST]
    bucket[is_guest_credit & ~is_truncated] = CODES[Bucket.RETURN_WITHOUT_CUSTOMER]

    unmatched_units = np.where(is_guest_credit, -rows.quantity, 0)
    unmatched_units[credit_rows] = matches.unmatched_units
    is_reinvoiced = np.zeros(len(rows), np.bool_)
    is_reinvoiced[credit_rows] = find_reinvoiced(purchases, credit_lines, REINVOICED_WITHIN_US)
    n_candidates = np.zeros(len(rows), np.int64)
    n_candidates[credit_rows] = matches.n_candidates
    return LinkedRows(
        rows=rows,
        invoices=invoices,
        bucket=bucket,
        event_time_us=event_time_us,
        unmatched_units=unmatched_units,
        is_reinvoiced=is_reinvoiced,
        n_candidates=n_candidates,
        pair_credit=pair_credit,
        pair_purchase=pair_purchase,
        pair_units=matches.units,
        pair_lag_us=pair_lag_us,
        pair_is_cancelled=pair_is_cancelled,
    )


def _move(
    at: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    time_us: npt.NDArray[np.int64],
    rows: SourceRows,
) -> Movements:
    return Movements(group[at], time_us[at], rows.source_row[at], np.abs(rows.quantity[at]))


def _settle_credits(
    matches: Matches,
    is_cancelled: npt.NDArray[np.bool_],
    units: npt.NDArray[np.int64],
    is_truncated: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Return the bucket codes of credits that have a customer."""
    has_cancelled = np.zeros(len(units), np.bool_)
    has_returned = np.zeros(len(units), np.bool_)
    has_cancelled[matches.credit[is_cancelled]] = True
    has_returned[matches.credit[~is_cancelled]] = True
    is_unmatched = matches.unmatched_units == units
    return np.select(
        [
            is_unmatched & is_truncated,
            is_unmatched,
            matches.unmatched_units > 0,
            has_cancelled & has_returned,
            has_cancelled,
        ],
        [
            CODES[Bucket.HISTORY_TRUNCATED],
            CODES[Bucket.RETURN_WITHOUT_ORDER],
            CODES[Bucket.PARTLY_MATCHED],
            CODES[Bucket.CANCELLED_AND_RETURNED],
            CODES[Bucket.CANCELLED],
        ],
        CODES[Bucket.RETURNED],
    )


def _to_local_us(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return round(midnight.timestamp()) * 1_000_000
