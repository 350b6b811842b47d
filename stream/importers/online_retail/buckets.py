"""Where each source row ends: the buckets, and the row's bucket before matching."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.importers.online_retail.articles import GOODS, ArticleKind
from stream.importers.online_retail.rows import NO_CODE, SourceRows


class Bucket(StrEnum):
    """Every source row is in exactly one; the order is that of the report."""

    ORDER_LINE = "order_line"
    GUEST_ORDER_LINE = "guest_order_line"
    FREE_ORDER_LINE = "free_order_line"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    CANCELLED_AND_RETURNED = "cancelled_and_returned"
    PARTLY_MATCHED = "partly_matched"
    RETURN_WITHOUT_ORDER = "return_without_order"
    RETURN_WITHOUT_CUSTOMER = "return_without_customer"
    HISTORY_TRUNCATED = "history_truncated"
    HISTORY_TRUNCATED_GUEST = "history_truncated_guest"
    STOCK_ADJUSTMENT = "stock_adjustment"
    STOCK_WRITE_UP = "stock_write_up"
    POSTAGE = "postage"
    CARRIAGE = "carriage"
    MANUAL = "manual"
    DISCOUNT = "discount"
    SAMPLES = "samples"
    CHARITY_COMMISSION = "charity_commission"
    MARKETPLACE_FEE = "marketplace_fee"
    BANK_CHARGES = "bank_charges"
    BAD_DEBT = "bad_debt"
    UNLISTED_ARTICLE = "unlisted_article"
    MALFORMED = "malformed"


BUCKETS: Final = tuple(Bucket)
"""All buckets; a bucket's code in an array is its index here."""

CODES: Final = {bucket: code for code, bucket in enumerate(BUCKETS)}
"""Bucket to its code."""

MEANINGS: Final = {
    Bucket.ORDER_LINE: "goods sold to a customer: a line of an order",
    Bucket.GUEST_ORDER_LINE: "goods sold without a customer number: a line of a guest order",
    Bucket.FREE_ORDER_LINE: "goods at price 0 in a customer's or a priced invoice: an order line",
    Bucket.CANCELLED: "credit, all units taken back from purchases soon before: order_cancelled",
    Bucket.RETURNED: "credit, all units taken back from purchases long before: return_requested",
    Bucket.CANCELLED_AND_RETURNED: "credit, all units taken back, some soon and some later: both",
    Bucket.PARTLY_MATCHED: "credit with more units than were bought: events for those found",
    Bucket.RETURN_WITHOUT_ORDER: "credit without an earlier purchase: return_requested, no receipt",
    Bucket.RETURN_WITHOUT_CUSTOMER: "credit without a customer number: the same, nobody's",
    Bucket.HISTORY_TRUNCATED: "credit without an earlier purchase, too near the file's start: none",
    Bucket.HISTORY_TRUNCATED_GUEST: "the same without a customer number: none",
    Bucket.STOCK_ADJUSTMENT: "units below 0 at price 0 outside credits (damaged, lost): none",
    Bucket.STOCK_WRITE_UP: "units above 0 at price 0, no customer, nothing priced (found): none",
    Bucket.POSTAGE: "POST, DOT: none",
    Bucket.CARRIAGE: "C2: none",
    Bucket.MANUAL: "M, keyed in by hand: none",
    Bucket.DISCOUNT: "D: none",
    Bucket.SAMPLES: "S: none",
    Bucket.CHARITY_COMMISSION: "CRUK: none",
    Bucket.MARKETPLACE_FEE: "AMAZONFEE: none",
    Bucket.BANK_CHARGES: "BANK CHARGES: none",
    Bucket.BAD_DEBT: "B, and all of A invoices: none",
    Bucket.UNLISTED_ARTICLE: "stock code of no known form: none",
    Bucket.MALFORMED: "cannot be read: a dead letter with its reason",
}
"""What is in a bucket, and which event its rows make."""

ORDER_LINE_BUCKETS: Final = (
    Bucket.ORDER_LINE,
    Bucket.GUEST_ORDER_LINE,
    Bucket.FREE_ORDER_LINE,
)
"""Buckets whose rows are lines of an `order_placed`."""

_UNSETTLED: Final = -1


@dataclass(frozen=True, eq=False)
class Invoices:
    """One entry per invoice, indexed by its code in `SourceRows.invoice`.

    Attributes:
        first_row: int64, index of the invoice's first row.
        time_us: int64, its earliest time, microseconds UTC; some invoices span a minute.
        local_us: int64, the same on the wall clock.
        is_priced: Some row has a price above 0.
    """

    first_row: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    local_us: npt.NDArray[np.int64]
    is_priced: npt.NDArray[np.bool_]


def compute_invoices(rows: SourceRows) -> Invoices:
    """Return what the rows of each invoice share; codes without a row hold extremes."""
    n = len(rows.invoice.names)
    codes = rows.invoice.codes
    far = np.iinfo(np.int64).max
    first_row = np.full(n, far)
    time_us = np.full(n, far)
    local_us = np.full(n, far)
    np.minimum.at(first_row, codes, np.arange(len(rows)))
    np.minimum.at(time_us, codes, rows.time_us)
    np.minimum.at(local_us, codes, rows.local_us)
    is_priced = np.zeros(n, np.bool_)
    is_priced[codes[rows.price_minor > 0]] = True
    return Invoices(first_row, time_us, local_us, is_priced)


def compute_row_buckets(rows: SourceRows, invoices: Invoices) -> npt.NDArray[np.int64]:
    """Return the bucket code of every row but the credits of goods, which get -1.

    The first rule that holds decides: `A` invoice, stock movement, an article
    that is not goods, credit, price 0, sale.
    """
    kind_codes = np.array([_bucket_code(kind) for kind in rows.kind], np.int64)
    service = kind_codes[rows.sku.codes]
    is_guest = rows.customer.codes == NO_CODE
    is_free = rows.price_minor == 0
    is_sale = ~rows.is_credit & ~rows.is_account_entry
    is_nobodys = is_guest & ~invoices.is_priced[rows.invoice.codes]
    conditions = (
        (rows.is_account_entry, Bucket.BAD_DEBT),
        (is_sale & (rows.quantity < 0), Bucket.STOCK_ADJUSTMENT),
    )
    goods_conditions = (
        (is_sale & is_free & is_nobodys, Bucket.STOCK_WRITE_UP),
        (is_sale & is_free, Bucket.FREE_ORDER_LINE),
        (is_sale & is_guest, Bucket.GUEST_ORDER_LINE),
        (is_sale, Bucket.ORDER_LINE),
    )
    return np.select(
        [
            *(mask for mask, _ in conditions),
            service != _UNSETTLED,
            *(mask for mask, _ in goods_conditions),
        ],
        [
            *(CODES[bucket] for _, bucket in conditions),
            service,
            *(CODES[bucket] for _, bucket in goods_conditions),
        ],
        _UNSETTLED,
    )


def _bucket_code(kind: ArticleKind) -> int:
    return _UNSETTLED if kind in GOODS else CODES[Bucket(kind.value)]
