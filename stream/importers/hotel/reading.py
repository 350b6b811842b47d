"""The source file as rows of text: the published CSV, plain or gzipped.

Nothing is judged here beyond "is this the file"; `parsing` reads the cells.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from features.errors import ConfigError, LogFormatError

COLUMNS: Final = (
    "hotel",
    "is_canceled",
    "lead_time",
    "arrival_date_year",
    "arrival_date_month",
    "arrival_date_week_number",
    "arrival_date_day_of_month",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "babies",
    "meal",
    "country",
    "market_segment",
    "distribution_channel",
    "is_repeated_guest",
    "previous_cancellations",
    "previous_bookings_not_canceled",
    "reserved_room_type",
    "deposit_type",
    "agent",
    "company",
    "days_in_waiting_list",
    "customer_type",
    "adr",
    "required_car_parking_spaces",
    "total_of_special_requests",
    "reservation_status",
    "reservation_status_date",
)
"""The columns that must be there. The published file has two more, known only at arrival
and never read: `assigned_room_type` and `booking_changes`."""

SUFFIXES: Final = (".csv", ".csv.gz")

Progress = Callable[[str, int, int], None]
"""Called with the step's name, how much of it is done and the total (0: not known)."""

_PROGRESS_ROWS: Final = 20_000


def find_source(path: Path) -> Path:
    """Return the source file: `path` itself, or the only candidate in that folder.

    Raises:
        ConfigError: Nothing is there, or a folder holds no or several candidates.
    """
    if path.is_file():
        return path
    forms = ", ".join(SUFFIXES)
    if not path.exists():
        raise ConfigError(
            "there is no source file",
            field="SRC",
            value=str(path),
            expectation=f"an existing file ({forms}) or a folder with one",
            fix="give the path of the hotel bookings file",
        )
    children = path.iterdir() if path.is_dir() else ()  # A device has none.
    found = sorted(child for child in children if child.name.lower().endswith(SUFFIXES))
    if len(found) != 1:
        raise ConfigError(
            "the folder does not hold exactly one source file",
            field="SRC",
            value=", ".join(child.name for child in found) or "none",
            expectation=f"one file of {forms}",
            fix="give the file itself",
        )
    return found[0]


def read_source(path: Path, progress: Progress) -> list[dict[str, str] | int]:
    """Return the rows below the header: cells by column, or the number of cells of a broken row.

    A row is broken if it has not the header's number of cells. Lines without any
    cell are no rows. Columns may stand in any order; others are not read.

    Raises:
        LogFormatError: The file is of another form, is damaged, or lacks a column.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise LogFormatError(
            "the source file is of an unknown form",
            field="SRC",
            value=path.name,
            expectation=f"a name ending in {', '.join(SUFFIXES)}",
            fix="unpack or convert it first",
        )
    lines = csv.reader(io.StringIO(_read_text(path), newline=""), strict=True)
    try:
        header = [heading.strip() for heading in next(lines, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise _lacks(path, header, missing)
        return list(_gather(lines, header, progress))
    except csv.Error as error:
        raise _damaged(path, error, f"line {lines.line_num}") from error


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise _damaged(path, error, "SRC") from error


def _gather(
    lines: Iterator[list[str]], header: list[str], progress: Progress
) -> Iterator[dict[str, str] | int]:
    place = [(name, header.index(name)) for name in COLUMNS]
    n_rows = 0
    for line in lines:
        if not line:
            continue
        if len(line) == len(header):
            yield {name: line[i].strip() for name, i in place}
        else:
            yield len(line)
        n_rows += 1
        if n_rows % _PROGRESS_ROWS == 0:
            progress("read", n_rows, 0)
    progress("read", n_rows, n_rows)


def _lacks(path: Path, header: list[str], missing: list[str]) -> LogFormatError:
    return LogFormatError(
        f"{path.name} is not a hotel bookings file: it lacks {', '.join(missing)}",
        field="header",
        value=", ".join(header)[:200] or "empty",
        expectation=f"comma-separated headings {', '.join(COLUMNS)}",
        fix="give the data set as published (CSV, plain or gzipped)",
    )


def _damaged(path: Path, error: Exception, where: str) -> LogFormatError:
    return LogFormatError(
        f"{path.name} cannot be read as CSV",
        field=where,
        value=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
        expectation="a whole CSV file in UTF-8, plain or gzipped",
        fix="fetch the file again, or give the right one",
    )
