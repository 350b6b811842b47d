"""The source rows as typed columns: what reading hands to the rules.

Identifiers are codes into a list of names, so the rules compare integers and a
name is built once. Every array has one entry per well-formed row, in the order
of the source; rows that could not be read are `MalformedRow`s instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from stream.importers.online_retail.articles import ArticleKind

NO_CODE = -1
"""Code of an absent name, e.g. of the customer of a guest."""


class MalformedRow(msgspec.Struct, frozen=True):
    """A source row that states no usable fact; it goes to the dead letters.

    Attributes:
        source_row: 1 for the first row below the header.
        reason: What is wrong, as a stable code such as `bad_quantity`.
        field: Published name of the column at fault.
        value_shown: The value met, shortened; identifiers only as their shape
            (`9` for a digit, `a` for a letter).
        expectation: What would have been right.
    """

    source_row: int
    reason: str
    field: str
    value_shown: str
    expectation: str


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of names as codes.

    Attributes:
        codes: Shape `(n_rows,)`, int64; index into `names`, `NO_CODE` where absent.
        names: The distinct names, in the order of their first row.
    """

    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def take(self, mask: npt.NDArray[np.bool_]) -> Coded:
        """Return the rows under the mask; the names stay."""
        return Coded(self.codes[mask], self.names)

    def spell(self, rows: npt.NDArray[np.int64] | slice) -> list[str]:
        """Return the names of some rows, empty where absent."""
        names = (*self.names, "")  # NO_CODE is -1: the last entry.
        return [names[code] for code in self.codes[rows].tolist()]


@dataclass(frozen=True, eq=False)
class SourceRows:
    """Invoice lines, one array entry per well-formed row, in the source's order.

    Attributes:
        source_row: int64, 1 for the first row below the header.
        invoice: Invoice numbers, upper case, with their `C` or `A`.
        is_credit: The invoice number starts with `C`.
        is_account_entry: The invoice number starts with `A`.
        sku: Stock codes in upper case: `85123a` and `85123A` are one article.
        kind: One article kind per entry of `sku.names`.
        customer: Customer numbers as given; `NO_CODE` for a guest.
        quantity: int64 units, negative in credits and stock movements.
        price_minor: int64, price of one unit in pence, rounded half to even.
        is_price_rounded: The source's price had parts of a penny.
        is_described: The source has a description.
        local_us: int64, wall clock of London as microseconds, no zone applied.
        time_us: int64, the same instant in microseconds UTC.
    """

    source_row: npt.NDArray[np.int64]
    invoice: Coded
    is_credit: npt.NDArray[np.bool_]
    is_account_entry: npt.NDArray[np.bool_]
    sku: Coded
    kind: tuple[ArticleKind, ...]
    customer: Coded
    quantity: npt.NDArray[np.int64]
    price_minor: npt.NDArray[np.int64]
    is_price_rounded: npt.NDArray[np.bool_]
    is_described: npt.NDArray[np.bool_]
    local_us: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source_row)

    def take(self, mask: npt.NDArray[np.bool_]) -> SourceRows:
        """Return the rows under the mask, names unchanged."""
        return SourceRows(
            source_row=self.source_row[mask],
            invoice=self.invoice.take(mask),
            is_credit=self.is_credit[mask],
            is_account_entry=self.is_account_entry[mask],
            sku=self.sku.take(mask),
            kind=self.kind,
            customer=self.customer.take(mask),
            quantity=self.quantity[mask],
            price_minor=self.price_minor[mask],
            is_price_rounded=self.is_price_rounded[mask],
            is_described=self.is_described[mask],
            local_us=self.local_us[mask],
            time_us=self.time_us[mask],
        )


@dataclass(frozen=True, eq=False)
class ParsedSource:
    """A whole source: `n_rows` = well-formed rows + malformed rows.

    Attributes:
        rows: The well-formed rows.
        malformed: The others, in the source's order.
        n_rows: Rows of the source, blank lines not counted.
        n_ambiguous_times: Rows whose wall-clock time came twice that day.
        n_skipped_times: Rows whose wall-clock time never came (clocks went forward).
    """

    rows: SourceRows
    malformed: Sequence[MalformedRow]
    n_rows: int
    n_ambiguous_times: int
    n_skipped_times: int
