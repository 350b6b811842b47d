"""Cells to typed rows, or to a dead letter that says what is wrong with them.

Every column is parsed once per *distinct* cell, as text: 370,931 rows hold a few
thousand distinct values each, so plain Python is fast enough, and all forms of
the data set go through the same few lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from features.errors import LogFormatError
from stream.importers.online_retail import cells
from stream.importers.online_retail.articles import compute_article_kind
from stream.importers.online_retail.cells import CellRule
from stream.importers.online_retail.local_time import from_london_time
from stream.importers.online_retail.prices import to_minor_units
from stream.importers.online_retail.reading import OPTIONAL_COLUMN, RawSource, spell_cell
from stream.importers.online_retail.rows import (
    NO_CODE,
    Coded,
    MalformedRow,
    ParsedSource,
    SourceRows,
)

MAX_MALFORMED_SHARE: Final = 0.1
"""Above this share of malformed rows a file is not the data set, and is refused."""

_SHOWN_CHARS: Final = 40

T = TypeVar("T")


def parse_source(raw: RawSource) -> ParsedSource:
    """Return typed rows and the malformed ones.

    Raises:
        LogFormatError: There is no row, or more than a tenth of the rows are
            malformed: then the file is not the data set. The first such row is named.
    """
    if raw.n_rows == 0:
        raise LogFormatError(
            "the source has no rows",
            field="rows",
            value="0",
            expectation="invoice lines below the header",
            fix="give the whole file",
        )
    verdicts = _Verdicts(raw)
    verdicts.condemn_broken()
    invoice = _parse_names(raw, cells.INVOICE, verdicts)
    sku = _parse_names(raw, cells.SKU, verdicts)
    units_place, units = _parse_distinct(raw, cells.UNITS, verdicts)
    time_place, local_times = _parse_distinct(raw, cells.LOCAL_TIME, verdicts)
    price_place, prices = _parse_distinct(raw, cells.PRICE, verdicts)
    customer = _parse_names(raw, cells.CUSTOMER, verdicts)

    # The entry behind the last stands for empty cells, whose place is -1.
    local_us = np.array([*(time or 0 for time in local_times), 0], np.int64)[time_place]
    times = from_london_time(local_us)
    price_minor, is_rounded = to_minor_units(
        np.array([*(price or 0.0 for price in prices), 0.0], np.float64)
    )
    rows = SourceRows(
        source_row=np.arange(1, raw.n_rows + 1, dtype=np.int64),
        invoice=invoice,
        is_credit=_starts_with(invoice, "C"),
        is_account_entry=_starts_with(invoice, "A"),
        sku=sku,
        kind=tuple(compute_article_kind(name) for name in sku.names),
        customer=customer,
        quantity=np.array([*(unit or 0 for unit in units), 0], np.int64)[units_place],
        price_minor=price_minor[price_place],
        is_price_rounded=is_rounded[price_place],
        is_described=_read_is_described(raw),
        local_us=local_us,
        time_us=times.time_us,
    )
    _condemn_contradictions(rows, verdicts)
    malformed, good = verdicts.sort(), verdicts.mask_good()
    _refuse_other_files(malformed, raw.n_rows)
    return ParsedSource(
        rows.take(good),
        malformed,
        raw.n_rows,
        int(np.count_nonzero(times.is_ambiguous & good)),
        int(np.count_nonzero(times.is_skipped & good)),
    )


class _Verdicts:
    """Collects the first fault of each row (rows counted from 0)."""

    def __init__(self, raw: RawSource) -> None:
        self._raw = raw
        self._found: dict[int, MalformedRow] = {}

    def condemn(
        self, rows: Iterable[int], rule: CellRule[Any], reason: str = "", expectation: str = ""
    ) -> None:
        """Mark rows as malformed for what stands in the rule's column."""
        column = self._raw.columns[rule.field]
        for row in rows:
            if row not in self._found:
                text = spell_cell(column[row].as_py()) or ""
                shown = _mask(text) if rule.is_identifier else text
                self._found[row] = MalformedRow(
                    row + 1,
                    reason or rule.reason,
                    rule.field,
                    shown[:_SHOWN_CHARS] or "empty",
                    expectation or rule.expectation,
                )

    def condemn_broken(self) -> None:
        """Mark the rows that have not the header's number of cells."""
        for row, n_cells in self._raw.broken_rows.items():
            self._found[row] = MalformedRow(
                row + 1, "column_count", "row", f"{n_cells} cells", f"{self._raw.n_columns} cells"
            )

    def mask_good(self) -> npt.NDArray[np.bool_]:
        """Return which rows have no fault."""
        good = np.ones(self._raw.n_rows, np.bool_)
        good[list(self._found)] = False
        return good

    def sort(self) -> tuple[MalformedRow, ...]:
        """Return the dead letters in the order of the source."""
        return tuple(self._found[row] for row in sorted(self._found))


def _parse_distinct(
    raw: RawSource, rule: CellRule[T], verdicts: _Verdicts
) -> tuple[npt.NDArray[np.int64], list[T | None]]:
    """Return each row's place among the distinct cells (-1: empty), and those parsed."""
    encoded = raw.columns[rule.field].dictionary_encode()
    texts = [(spell_cell(cell) or "").strip() for cell in encoded.dictionary.to_pylist()]
    is_empty = np.array([text.lower() in {"", "nan"} for text in texts] + [True], np.bool_)
    values = [
        None if empty else rule.parse(text)
        for text, empty in zip(texts, is_empty.tolist(), strict=False)
    ]
    place: npt.NDArray[np.int64] = (
        encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    is_bad = np.array([value is None for value in values] + [True], np.bool_)
    if rule.is_optional:
        is_bad &= ~is_empty
    verdicts.condemn(np.flatnonzero(is_bad[place]).tolist(), rule)
    return place, values


def _parse_names(raw: RawSource, rule: CellRule[str], verdicts: _Verdicts) -> Coded:
    """Return a column of names; cells that mean the same name share its code."""
    place, values = _parse_distinct(raw, rule, verdicts)
    codes: dict[str, int] = {}
    code_of = [NO_CODE if name is None else codes.setdefault(name, len(codes)) for name in values]
    return Coded(np.array([*code_of, NO_CODE], np.int64)[place], tuple(codes))


def _starts_with(names: Coded, prefix: str) -> npt.NDArray[np.bool_]:
    return np.array([*(name.startswith(prefix) for name in names.names), False])[names.codes]


def _read_is_described(raw: RawSource) -> npt.NDArray[np.bool_]:
    column = raw.columns.get(OPTIONAL_COLUMN)
    if column is None:
        return np.zeros(raw.n_rows, np.bool_)
    described: npt.NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return described


def _condemn_contradictions(rows: SourceRows, verdicts: _Verdicts) -> None:
    """Mark rows whose cells can be read but cannot be true together."""
    is_sale = ~rows.is_credit & ~rows.is_account_entry
    is_guest = rows.customer.codes == NO_CODE
    is_stock_movement = (rows.price_minor == 0) & is_guest
    verdicts.condemn(
        np.flatnonzero(rows.is_credit & (rows.quantity > 0)).tolist(),
        cells.UNITS,
        "credit_not_negative",
        "below 0 in a C invoice",
    )
    verdicts.condemn(
        np.flatnonzero(is_sale & (rows.quantity < 0) & ~is_stock_movement).tolist(),
        cells.UNITS,
        "negative_sale",
        "above 0, except in stock adjustments (price 0, no customer)",
    )
    verdicts.condemn(
        np.flatnonzero((rows.price_minor < 0) & ~rows.is_account_entry).tolist(),
        cells.PRICE,
        "negative_price",
        "0 or more, except in A invoices",
    )
    good = np.flatnonzero(verdicts.mask_good())
    invoices, first = np.unique(rows.invoice.codes[good], return_index=True)
    owner = np.full(len(rows.invoice.names), NO_CODE, np.int64)
    owner[invoices] = rows.customer.codes[good[first]]
    is_other = rows.customer.codes[good] != owner[rows.invoice.codes[good]]
    verdicts.condemn(
        good[is_other].tolist(),
        cells.CUSTOMER,
        "another_customer",
        "the customer of the invoice's first row",
    )


def _refuse_other_files(malformed: tuple[MalformedRow, ...], n_rows: int) -> None:
    if len(malformed) <= MAX_MALFORMED_SHARE * n_rows:
        return
    first = malformed[0]
    raise LogFormatError(
        f"{len(malformed):,} of {n_rows:,} rows are malformed: this is not the Online Retail file"
        f" (first: row {first.source_row}, {first.reason})",
        field=f"{first.field}, row {first.source_row}",
        value=first.value_shown,
        expectation=first.expectation,
        fix="give the data set as published (Parquet, CSV or XLSX)",
    )


def _mask(text: str) -> str:
    """Return the shape of an identifier: which one it is stays unsaid."""
    return "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in text)
