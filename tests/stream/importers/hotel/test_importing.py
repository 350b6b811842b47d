"""The whole import of a small source: events, side files, counts, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.attributes import parse_declaration
from features.errors import ConfigError, HemostatError, LogFormatError
from features.log.reader import EventLog
from stream.importers.hotel.importing import ImportOptions, import_hotel

OPTIONS = ImportOptions(tenant="inn", n_partitions=2)
LATE = ImportOptions(tenant="inn", n_partitions=2, with_late=True)


@pytest.fixture
def source(tmp_path: Path, make_row: Callable[..., Any], write_source: Callable[..., Path]) -> Path:
    rows = [
        make_row(),
        make_row("cancelled", agent="NULL", company="40", adr="-6.38"),
        make_row("no_show", children="NA", country="NULL"),
        make_row(stays_in_weekend_nights="0", stays_in_week_nights="0", adr="0"),
    ]
    return write_source(tmp_path / "hotel.csv.gz", rows)


def _read_events(log: Path) -> dict[str, Any]:
    """Return event id to (kind, what it says, envelope)."""
    table = EventLog(log).read_table()
    return {row["event_id"]: (row["kind"], row[row["kind"]], row) for row in table.to_pylist()}


def test_a_booking_is_an_order_placed_at_arrival_less_lead_time(
    tmp_path: Path, source: Path
) -> None:
    import_hotel(source, tmp_path / "log", OPTIONS)
    kind, order, envelope = _read_events(tmp_path / "log")["booking-1"]
    assert kind == "order_placed"
    assert envelope["event_time"] == envelope["ingest_time"] == datetime(2016, 5, 10, tzinfo=UTC)
    assert envelope["tenant"] == "inn"
    assert order["promised_delivery_time"] == datetime(2016, 5, 20, tzinfo=UTC)
    assert (order["store_id"], order["region"]) == ("agent-9", "")
    (line,) = order["lines"]
    assert (line["sku"], line["style"], line["supplier"]) == ("City Hotel/A", "Online TA/9", "")
    assert (line["line_id"], line["quantity"], line["unit_price_minor"]) == ("row-1", 3, 7550)
    (unsold,) = _read_events(tmp_path / "log")["booking-2"][1]["lines"]
    assert (unsold["style"], unsold["supplier"]) == ("Online TA/direct", "company-40")


def test_no_customer_is_invented(tmp_path: Path, source: Path) -> None:
    import_hotel(source, tmp_path / "log", LATE)
    events = _read_events(tmp_path / "log")
    assert {envelope["customer_id"] for _, _, envelope in events.values()} == {""}


def test_attributes_are_what_stood_in_the_booking_when_it_was_made(
    tmp_path: Path, source: Path
) -> None:
    import_hotel(source, tmp_path / "log", OPTIONS)
    events = _read_events(tmp_path / "log")
    attributes = json.loads(events["booking-1"][1]["attributes"])
    assert attributes["lead_time"] == 10
    assert attributes["adr"] == 75.5
    assert attributes["arrival_month"] == 5
    assert attributes["agent"] == "9"
    late = {"country", "required_car_parking_spaces", "assigned_room_type", "booking_changes"}
    outcome = {"is_canceled", "reservation_status", "reservation_status_date"}
    assert not (late | outcome) & set(attributes)
    assert json.loads(events["booking-1"][1]["customer_attributes"]) == {
        "is_repeated_guest": False,
        "previous_bookings_not_canceled": 0,
        "previous_cancellations": 0,
    }
    # What the file leaves open is left out, not 0 and not "NULL".
    assert "company" not in attributes
    assert "agent" not in json.loads(events["booking-2"][1]["attributes"])
    assert "children" not in json.loads(events["booking-3"][1]["attributes"])
    assert json.loads(events["booking-2"][1]["attributes"])["adr"] == -6.38


def test_late_columns_are_told_only_when_asked_for(tmp_path: Path, source: Path) -> None:
    import_hotel(source, tmp_path / "log", LATE)
    events = _read_events(tmp_path / "log")
    order = events["booking-1"][1]
    attributes = json.loads(order["attributes"])
    assert (attributes["country"], attributes["required_car_parking_spaces"]) == ("PRT", 1)
    assert order["region"] == events["stayed-1"][1]["region"] == "PRT"
    assert events["no-show-3"][1]["region"] == ""


@pytest.mark.parametrize("options", [OPTIONS, LATE])
def test_the_declaration_beside_the_log_names_exactly_what_the_events_tell(
    tmp_path: Path, source: Path, options: ImportOptions
) -> None:
    report = import_hotel(source, tmp_path / "log", options)
    files = [parse_declaration(Path(path).read_bytes(), path) for path in report.attributes]
    declared = [{(one.place.value, one.name) for one in file.attributes} for file in files]
    told: set[tuple[str, str]] = set()
    for kind, event, _ in _read_events(tmp_path / "log").values():
        if kind == "order_placed":
            told |= {("order", name) for name in json.loads(event["attributes"])}
            told |= {("customer", name) for name in json.loads(event["customer_attributes"])}
    assert declared[-1] == told
    extra = {("order", "country"), ("order", "required_car_parking_spaces")}
    assert len(declared) == (2 if options.with_late else 1)
    assert declared[0] == told - extra


@pytest.mark.parametrize(
    ("event_id", "kind", "day"),
    [
        ("stayed-1", "order_delivered", 23),
        ("cancelled-2", "order_cancelled", 12),
        ("no-show-3", "order_cancelled", 20),
    ],
)
def test_each_booking_ends_at_the_last_second_of_its_status_date(
    tmp_path: Path, source: Path, event_id: str, kind: str, day: int
) -> None:
    import_hotel(source, tmp_path / "log", OPTIONS)
    found, ended, envelope = _read_events(tmp_path / "log")[event_id]
    assert found == kind
    assert envelope["ingest_time"] == datetime(2016, 5, day, 23, 59, 59, tzinfo=UTC)
    assert ended["order_id"] == f"booking-{event_id.rpartition('-')[2]}"
    if kind == "order_cancelled":
        assert ended["initiator"] == "CANCEL_INITIATOR_CUSTOMER"
        assert ended["order_time"] == datetime(2016, 5, 10, tzinfo=UTC)
        assert ended["delivery_time"] is None


def test_the_counts_add_up_and_name_every_row(tmp_path: Path, source: Path) -> None:
    report = import_hotel(source, tmp_path / "log", OPTIONS)
    assert report.source_rows == {"stayed": 2, "cancelled": 1, "no_show": 1, "malformed": 0}
    assert report.events == {"order_placed": 4, "order_delivered": 2, "order_cancelled": 2}
    assert report.n_events == EventLog(tmp_path / "log").manifest.n_events == 8
    assert report.counters.without_agent == 1
    assert report.counters.without_company == 3
    assert report.counters.without_children == 1
    assert report.counters.without_country == 1
    assert report.counters.prices_below_zero == 1
    assert report.counters.without_price == 1
    assert report.counters.day_stays == 1
    assert json.loads((tmp_path / "log" / "import_report.json").read_bytes())["n_events"] == 8
    line = _read_events(tmp_path / "log")["booking-4"][1]["lines"][0]
    assert line["quantity"] == 1


def test_equal_rows_are_bookings_of_their_own(
    tmp_path: Path, make_row: Callable[..., Any], write_source: Callable[..., Path]
) -> None:
    # They differ in nothing that is read.
    rows = [make_row(), make_row(booking_changes="4"), make_row(lead_time="11")]
    report = import_hotel(write_source(tmp_path / "hotel.csv", rows), tmp_path / "log", OPTIONS)
    assert report.counters.surplus_identical == 1
    assert report.n_events == 6


BROKEN = [
    ({"lead_time": "-1"}, "lead_time", "bad_lead_time"),
    ({"lead_time": "1.5"}, "lead_time", "bad_lead_time"),
    ({"adults": ""}, "adults", "bad_adults"),
    ({"hotel": "NULL"}, "hotel", "bad_hotel"),
    ({"adr": "nan"}, "adr", "bad_adr"),
    ({"adr": "1e99"}, "adr", "bad_adr"),
    ({"agent": "Smith"}, "agent", "bad_agent"),
    ({"is_repeated_guest": "2"}, "is_repeated_guest", "bad_is_repeated_guest"),
    ({"arrival_date_month": "Mai"}, "arrival_date_month", "bad_arrival_date"),
    ({"arrival_date_day_of_month": "32"}, "arrival_date_day_of_month", "bad_arrival_date"),
    ({"arrival_date_year": "16"}, "arrival_date_year", "bad_arrival_date"),
    ({"reservation_status": "Gone"}, "reservation_status", "bad_reservation_status"),
    ({"reservation_status_date": "23/05/2016"}, "reservation_status_date", "bad_status_date"),
    ({"is_canceled": "1"}, "is_canceled", "contradicts_status"),
    (
        {"reservation_status_date": "2016-05-19"},
        "reservation_status_date",
        "status_date_out_of_order",
    ),
]


def test_malformed_rows_are_dead_letters_with_their_reason(
    tmp_path: Path, make_row: Callable[..., Any], write_source: Callable[..., Path]
) -> None:
    rows = [make_row(**cells) for cells, _, _ in BROKEN] + [make_row()] * 9 * len(BROKEN)
    # A cancellation before its booking, and one after arrival.
    rows += [make_row("cancelled", reservation_status_date=f"2016-05-{d}") for d in ("09", "21")]
    rows += [make_row()] * 18
    path = write_source(tmp_path / "hotel.csv", rows)
    report = import_hotel(path, tmp_path / "log", OPTIONS)
    letters = [json.loads(line) for line in Path(report.dead_letters).read_bytes().splitlines()]
    expected = [(field, reason) for _, field, reason in BROKEN]
    expected += [("reservation_status_date", "status_date_out_of_order")] * 2
    assert [(letter["field"], letter["reason"]) for letter in letters] == expected
    assert letters[0]["source_row"] == 1
    assert letters[0]["value_shown"] == "-1"
    assert report.source_rows["malformed"] == len(expected)
    assert sum(report.source_rows.values()) == report.n_source_rows == len(rows)


def test_a_row_with_another_number_of_cells_is_a_dead_letter(
    tmp_path: Path, make_row: Callable[..., Any], write_source: Callable[..., Path]
) -> None:
    path = write_source(tmp_path / "hotel.csv", [make_row()] * 20)
    with path.open("a") as file:
        file.write("City Hotel,1\r\n\r\n")
    report = import_hotel(path, tmp_path / "log", OPTIONS)
    (letter,) = Path(report.dead_letters).read_bytes().splitlines()
    assert json.loads(letter)["reason"] == "column_count"
    assert json.loads(letter)["source_row"] == report.n_source_rows == 21


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a,b\n1,2\n", "lacks"),
        (b"", "lacks"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_other_files_are_refused_and_nothing_is_written(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "hotel.csv"
    path.write_bytes(content)
    with pytest.raises(LogFormatError, match=told):
        import_hotel(path, tmp_path / "log", OPTIONS)
    assert [child.name for child in tmp_path.iterdir()] == ["hotel.csv"]


def test_a_file_that_is_mostly_malformed_a_torn_one_and_an_empty_one_are_refused(
    tmp_path: Path, source: Path, make_row: Callable[..., Any], write_source: Callable[..., Path]
) -> None:
    bad = write_source(tmp_path / "bad.csv", [make_row(adr="x")] * 2 + [make_row()] * 8)
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(source.read_bytes()[:-20])
    empty = write_source(tmp_path / "empty.csv", [])
    other = tmp_path / "hotel.txt"
    other.write_text("x")
    for path, told in (
        (bad, "malformed"),
        (torn, "cannot be read"),
        (empty, "no rows"),
        (other, "unknown form"),
    ):
        with pytest.raises(LogFormatError, match=told):
            import_hotel(path, tmp_path / "log", OPTIONS)
    assert not (tmp_path / "log").exists()


def test_wrong_places_and_names_are_refused(tmp_path: Path, source: Path) -> None:
    cases = [
        (tmp_path / "none.csv", tmp_path / "log", OPTIONS),
        (source, tmp_path, OPTIONS),
        (source, tmp_path / "log", ImportOptions(tenant=" ")),
    ]
    for src, out, options in cases:
        with pytest.raises(HemostatError):
            import_hotel(src, out, options)
    (tmp_path / "second.csv").write_text("")
    with pytest.raises(ConfigError, match="exactly one"):
        import_hotel(tmp_path, tmp_path / "log", OPTIONS)


def test_the_same_file_gives_the_same_events_and_progress_is_told(
    tmp_path: Path, source: Path
) -> None:
    steps: list[str] = []

    def tell(step: str, _done: int, _total: int) -> None:
        steps.append(step)

    for name in ("one", "two"):
        import_hotel(source, tmp_path / name, OPTIONS, tell)
    assert {"read", "append", "write"} <= set(steps)
    one, two = (EventLog(tmp_path / name).read_table() for name in ("one", "two"))
    assert one.equals(two)
