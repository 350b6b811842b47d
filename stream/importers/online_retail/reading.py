"""The source file as Arrow columns: Parquet, the published CSV, the published XLSX.

Nothing is judged here beyond "is this the file": cells arrive as they are (text
from CSV and XLSX, typed from Parquet) and `parsing` reads them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ConfigError, LogFormatError

COLUMNS: Final = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
"""The columns that must be there; `Description` is read if it is, others are ignored."""
OPTIONAL_COLUMN: Final = "Description"

# Headings are compared without case, spaces and underscores; the second edition renamed three.
_ALIASES: Final = {"invoice": "invoiceno", "price": "unitprice"}
_WANTED: Final = {name.lower(): name for name in (*COLUMNS, OPTIONAL_COLUMN)}

Progress = Callable[[str, int, int], None]
"""Called with the step's name, how much of it is done and the total (0: not known)."""

_PROGRESS_ROWS: Final = 20_000


@dataclass(frozen=True, eq=False)
class RawSource:
    """The cells of a source, one entry per row.

    Attributes:
        columns: Published column name to its cells; text cells are null where empty.
        broken_rows: Row (from 0) to its number of cells, for rows that do not
            have the header's number; their cells are null.
        n_columns: Columns of the header.
    """

    columns: dict[str, pa.Array]
    broken_rows: dict[int, int]
    n_columns: int

    @property
    def n_rows(self) -> int:
        """Rows below the header."""
        return len(self.columns[COLUMNS[0]])


def find_source(path: Path) -> Path:
    """Return the source file: `path` itself, or the only candidate in that folder.

    Raises:
        ConfigError: Nothing is there, or a folder holds no or several candidates.
    """
    if path.is_file():
        return path
    forms = ", ".join(sorted(_READERS))
    if not path.exists():
        raise ConfigError(
            "there is no source file",
            field="SRC",
            value=str(path),
            expectation=f"an existing file ({forms}) or a folder with one",
            fix="give the path of the Online Retail file",
        )
    children = path.iterdir() if path.is_dir() else ()  # A device has none.
    found = sorted(child for child in children if child.suffix.lower() in _READERS)
    if len(found) != 1:
        raise ConfigError(
            "the folder does not hold exactly one source file",
            field="SRC",
            value=", ".join(child.name for child in found) or "none",
            expectation=f"one file of {forms}",
            fix="give the file itself",
        )
    return found[0]


def read_source(path: Path, progress: Progress) -> RawSource:
    """Return the cells of an Online Retail file.

    CSV may be UTF-8 (with or without byte-order mark) or Latin-1. Of an XLSX
    workbook every sheet that is not empty counts, in order. Lines without any
    cell are no rows.

    Raises:
        LogFormatError: The file is of another form, is damaged, or lacks a column.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise LogFormatError(
            "the source file is of an unknown form",
            field="SRC",
            value=path.name,
            expectation=f"a name ending in {', '.join(sorted(_READERS))}",
            fix="unpack or convert it first",
        )
    return reader(path, progress)


def spell_cell(cell: object) -> str | None:
    """Return a cell as text: whole numbers without a fraction, times in ISO form.

    The one spelling is why the three forms of the data set give the same rows.

    >>> spell_cell(17850.0), spell_cell(2.55), spell_cell(datetime(2010, 12, 1, 8, 26))
    ('17850', '2.55', '2010-12-01 08:26:00')
    """
    if cell is None or isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        # A sheet keeps days as a fraction: the minute comes back some microseconds off.
        return (cell + timedelta(milliseconds=500)).replace(microsecond=0).isoformat(" ")
    if isinstance(cell, date):
        return f"{cell.isoformat()} 00:00:00"
    return str(cell)


def _read_parquet(path: Path, progress: Progress) -> RawSource:
    try:
        names = pq.read_schema(path).names
        place = _place_columns(names, path)
        table = pq.read_table(path, columns=[names[i] for i in place.values()])
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "Parquet", error) from error
    progress("read", table.num_rows, table.num_rows)
    table = table.unify_dictionaries()
    columns = {wanted: table.column(names[i]).combine_chunks() for wanted, i in place.items()}
    return RawSource(columns, {}, len(names))


def _read_csv(path: Path, progress: Progress) -> RawSource:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # The older copies; every byte is a character there.
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(lines, [])
        place = _place_columns(header, path)
        return _gather((line for line in lines if line), header, place, progress, total=0)
    except csv.Error as error:
        raise _damaged(path, "CSV", error, f"line {lines.line_num}") from error


def _read_xlsx(path: Path, progress: Progress) -> RawSource:
    try:
        import python_calamine as calamine
    except ModuleNotFoundError as error:
        raise ConfigError(
            "reading XLSX needs the package python-calamine",
            field="SRC",
            value=path.name,
            fix="install hemostat[importers], or save the sheet as CSV",
        ) from error
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
            parts = [
                _read_sheet(sheet.iter_rows(), sheet.height, path, progress)
                for sheet in sheets
                if sheet.height
            ]
    except (calamine.CalamineError, OSError) as error:
        raise _damaged(path, "XLSX", error) from error
    if not parts:
        raise _lacks(path, [], list(COLUMNS))
    return parts[0] if len(parts) == 1 else _join(parts)


def _read_sheet(
    rows: Iterator[list[Any]], height: int, path: Path, progress: Progress
) -> RawSource:
    header = [spell_cell(cell) or "" for cell in next(rows, [])]
    place = _place_columns(header, path)
    spelled = ([spell_cell(cell) for cell in row] for row in rows)
    filled = (row for row in spelled if any(row))
    return _gather(filled, header, place, progress, total=height - 1)


def _gather(
    lines: Iterable[list[str | None]] | Iterable[list[str]],
    header: list[str],
    place: dict[str, int],
    progress: Progress,
    total: int,
) -> RawSource:
    """Return text columns of lines; a line of another length becomes nulls."""
    cells: dict[str, list[str | None]] = {name: [] for name in place}
    takes = [(cells[name].append, i) for name, i in place.items()]
    broken: dict[int, int] = {}
    n_columns = len(header)
    n_rows = 0
    for line in lines:
        if len(line) == n_columns:
            for append, i in takes:
                append(line[i] or None)
        else:
            broken[n_rows] = len(line)
            for append, _ in takes:
                append(None)
        n_rows += 1
        if n_rows % _PROGRESS_ROWS == 0:
            progress("read", n_rows, total)
    progress("read", n_rows, n_rows)
    return RawSource(
        {name: pa.array(column, pa.string()) for name, column in cells.items()}, broken, n_columns
    )


def _join(parts: list[RawSource]) -> RawSource:
    broken: dict[int, int] = {}
    start = 0
    for part in parts:
        broken.update({start + row: n_cells for row, n_cells in part.broken_rows.items()})
        start += part.n_rows
    shared = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    columns = {name: pa.concat_arrays([part.columns[name] for part in parts]) for name in shared}
    return RawSource(columns, broken, parts[0].n_columns)


def _place_columns(header: list[str], path: Path) -> dict[str, int]:
    """Return the place of each wanted column in the header."""
    place: dict[str, int] = {}
    for i, heading in enumerate(header):
        key = "".join(heading.split()).replace("_", "").lower()
        name = _WANTED.get(_ALIASES.get(key, key))
        if name is not None:
            place.setdefault(name, i)
    missing = [name for name in COLUMNS if name not in place]
    if missing:
        raise _lacks(path, header, missing)
    return place


def _lacks(path: Path, header: list[str], missing: list[str]) -> LogFormatError:
    return LogFormatError(
        f"{path.name} is not an Online Retail file: it lacks {', '.join(missing)}",
        field="header",
        value=", ".join(header)[:200] or "empty",
        expectation=f"comma-separated headings {', '.join(COLUMNS)}",
        fix="give the data set as published (Parquet, CSV or XLSX)",
    )


def _damaged(path: Path, form: str, error: Exception, where: str = "") -> LogFormatError:
    return LogFormatError(
        f"{path.name} cannot be read as {form}",
        field=where or "SRC",
        value=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
        expectation=f"a whole {form} file",
        fix="fetch the file again, or give the right one",
    )


_READERS: Final[dict[str, Callable[[Path, Progress], RawSource]]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".xlsx": _read_xlsx,
}
