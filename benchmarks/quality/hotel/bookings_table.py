"""The imported bookings as one learning table: vectors, attributes, outcomes, dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.quality.hotel.published import LATE_COLUMNS, FileColumns, read_file_columns
from features.definition import FeatureDefinition
from features.definitions import FEATURES
from features.log.reader import EventLog
from features.request_rows import Call
from stream.importers.hotel.attributes import LATE_ATTRIBUTES_FILE
from stream.importers.hotel.bookings import Booking
from stream.importers.hotel.importing import ImportOptions, import_hotel
from stream.importers.hotel.parsing import parse_source
from stream.importers.hotel.reading import find_source, read_source
from training.attributes import append_attributes, find_declaration, learn_plan
from training.cases import build_learning_set
from training.head_definitions import BOOKING_HEAD
from training.labels import label_cases
from training.log_reading import read_accepted_events

DAY_US = 86_400_000_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BookingsTable:
    """All bookings in the order of the log; arrays of `n` entries.

    Attributes:
        rows: Shape `(n, F)`, float32: columns of `features` that say anything.
        features: What they are.
        file: The columns of the source, for the published baseline.
        label: 1: cancelled or not shown up, as the file says.
        is_taught: The outcome was due and known before the cut: the bookings to learn from.
        booked_us: When the booking was made.
        due_us: Day of arrival.
        cluster: Bookings made on one day, for one day, in one hotel through one agent and
            segment: mostly rooms of one party, and never independent.
        is_first: No earlier row of the file equals it.
    """

    rows: npt.NDArray[np.float32]
    features: list[FeatureDefinition]
    file: FileColumns
    label: Floats
    is_taught: Flags
    booked_us: Ints
    due_us: Ints
    cluster: Ints
    is_first: Flags


def build_bookings_table(
    source: Path, folder: Path, cut_us: int, *, with_late: bool
) -> BookingsTable:
    """Import the file, and return its bookings with what the product knows of each.

    Vectors are point-in-time, as of each booking; outcomes are those known before the cut.

    Args:
        source: The data set.
        folder: Where the log may be written.
        cut_us: When the model is born.
        with_late: With the late columns.
    """
    log = folder / ("hotel-late" if with_late else "hotel")
    import_hotel(source, log, ImportOptions(with_late=with_late, formats=("parquet",)))
    events = read_accepted_events(EventLog(log), "hotel")
    found = build_learning_set(events, frozenset({Call.ORDER}))
    cases = found.cases[Call.ORDER]
    parsed = parse_source(read_source(find_source(source), lambda _step, _done, _total: None))
    by_row = {one.source_row: one for one in parsed.bookings}
    bookings = [by_row[int(name.split("-")[1])] for name in cases.event_id.to_pylist()]
    labels = label_cases(BOOKING_HEAD, cases, found.facts, cut_us)
    declaration = find_declaration(log, log / LATE_ATTRIBUTES_FILE if with_late else None)
    assert declaration is not None
    plan = learn_plan(declaration, {Call.ORDER: cases}, cut_us)
    rows = append_attributes({Call.ORDER: cases}, plan).cases[Call.ORDER].rows
    says = _find_telling(rows[labels.is_observed])
    features = [*FEATURES, *plan.to_definitions()]
    file = read_file_columns(bookings)
    return BookingsTable(
        rows=np.ascontiguousarray(rows[:, says]),
        features=[features[place] for place in np.flatnonzero(says)],
        file=file if with_late else file.without(LATE_COLUMNS),
        label=np.array([one.cells["is_canceled"] == "1" for one in bookings], np.float64),
        is_taught=labels.is_observed,
        booked_us=np.array([one.booked_day for one in bookings]) * DAY_US,
        due_us=np.array([one.arrival_day for one in bookings]) * DAY_US,
        cluster=_number([_name_party(one) for one in bookings]),
        is_first=_find_first(bookings),
    )


def _find_telling(rows: npt.NDArray[np.float32]) -> Flags:
    """Return which columns differ between cases: the others cannot split."""
    low, high = np.fmin.reduce(rows), np.fmax.reduce(rows)
    says: Flags = (low < high) | (np.isnan(rows).any(axis=0) & ~np.isnan(low))
    return says


def _name_party(one: Booking) -> tuple[object, ...]:
    return (
        one.booked_day,
        one.arrival_day,
        *(one.cells[name] for name in ("hotel", "agent", "market_segment")),
    )


def _number(names: Sequence[tuple[object, ...]]) -> Ints:
    numbers: dict[tuple[object, ...], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names])


def _find_first(bookings: Sequence[Booking]) -> Flags:
    """Return which bookings equal no earlier row of the file."""
    first: dict[tuple[str, ...], int] = {}
    for one in bookings:
        key = tuple(one.cells.values())
        first[key] = min(first.get(key, one.source_row), one.source_row)
    return np.array([first[tuple(one.cells.values())] == one.source_row for one in bookings])
