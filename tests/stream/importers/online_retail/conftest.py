"""Small sources in all published forms, written by hand."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.importers.online_retail.parsing import parse_source
from stream.importers.online_retail.reading import read_source
from stream.importers.online_retail.rows import ParsedSource

HEADER = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)

Row = tuple[str, str, str | None, int, datetime, float, float | None, str]
Rows = Sequence[Row]


def _make_row(
    invoice: str,
    sku: str,
    quantity: int,
    at: str,
    *,
    price: float = 2.55,
    customer: float | None = 17850.0,
    description: str | None = "A THING WORTH £5",
) -> Row:
    when = datetime.fromisoformat(at)
    return (invoice, sku, description, quantity, when, price, customer, "United Kingdom")


@pytest.fixture(scope="session")
def make_row() -> Callable[..., Row]:
    """Build a source row: invoice, stock code, quantity, ISO time, then keywords."""
    return _make_row


@pytest.fixture(scope="session")
def write_parquet() -> Callable[[Path, Rows], Path]:
    def write(path: Path, rows: Rows) -> Path:
        types = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.timestamp("us"))
        columns = list(zip(*rows, strict=True))
        arrays = [
            pa.array(column, kind)
            for column, kind in zip(
                columns, (*types, pa.float64(), pa.float64(), pa.string()), strict=True
            )
        ]
        pq.write_table(pa.table(arrays, names=list(HEADER)), path)
        return path

    return write


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    """Write the published CSV: month first, no seconds, customers as given by `spell`."""

    def write(
        path: Path,
        rows: Rows,
        *,
        encoding: str = "utf-8",
        spell: Callable[[float], str] = str,
    ) -> Path:
        with path.open("w", newline="", encoding=encoding) as file:
            lines = csv.writer(file)
            lines.writerow(HEADER)
            for invoice, sku, text, quantity, at, price, customer, country in rows:
                when = f"{at.month}/{at.day}/{at.year} {at.hour}:{at.minute:02}"
                number = "" if customer is None else spell(customer)
                lines.writerow([invoice, sku, text, quantity, when, price, number, country])
        return path

    return write


@pytest.fixture(scope="session")
def write_xlsx() -> Callable[..., Path]:
    """Write a minimal workbook; sheet names to rows, numbers as numbers, times as days."""

    def write(path: Path, *sheets: Rows, header: Sequence[str] = HEADER) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
            for name, content in _build_workbook([_build_sheet(rows, header) for rows in sheets]):
                book.writestr(name, content)
        return path

    return write


_DAY_ZERO = datetime.fromisoformat("1899-12-30")
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def _build_cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, datetime):
        days = (value - _DAY_ZERO) / timedelta(days=1)
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdigit()):
        return f"<c><v>{value}</v></c>"  # The published sheet keeps plain codes as numbers.
    return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def _build_sheet(rows: Rows, header: Sequence[str]) -> str:
    lines = "".join(f"<row>{''.join(map(_build_cell, row))}</row>" for row in (header, *rows))
    return f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'


def _build_workbook(sheets: list[str]) -> list[tuple[str, str]]:
    numbers = range(1, len(sheets) + 1)
    entries = "".join(f'<sheet name="Sheet{i}" sheetId="{i}" r:id="rId{i}"/>' for i in numbers)
    links = "".join(
        f'<Relationship Id="rId{i}" Type="{_REL}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in numbers
    )
    styles = f'<Relationship Id="rId99" Type="{_REL}/styles" Target="styles.xml"/>'
    office = f'<Relationship Id="rId1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/>'
    return [
        (
            "[Content_Types].xml",
            (
                f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
                '<Default Extension="rels" '
                'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                '<Default Extension="xml" ContentType="application/xml"/></Types>'
            ),
        ),
        (
            "_rels/.rels",
            f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{office}</Relationships>',
        ),
        (
            "xl/workbook.xml",
            (
                f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}">'
                f"<sheets>{entries}</sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            (
                f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{links}{styles}'
                "</Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            (
                f'{_XML}<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
                '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
            ),
        ),
        *((f"xl/worksheets/sheet{i}.xml", sheets[i - 1]) for i in numbers),
    ]


@pytest.fixture
def parse_rows(
    tmp_path: Path, write_parquet: Callable[[Path, Rows], Path]
) -> Callable[[Rows], ParsedSource]:
    """Read and parse rows as the importer does, from a Parquet file."""

    def parse(rows: Rows) -> ParsedSource:
        path = write_parquet(tmp_path / "rows.parquet", rows)
        return parse_source(read_source(path, lambda _step, _done, _total: None))

    return parse
