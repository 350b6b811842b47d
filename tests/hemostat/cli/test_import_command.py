"""`hemostat import` as a person and a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.log.writer import DEFAULT_PARTITIONS
from hemostat.cli.import_command import FormatChoice, MatchingChoice
from hemostat.cli.main import main
from stream.importers.hotel.importing import ImportOptions as HotelOptions
from stream.importers.online_retail.importing import ImportOptions
from stream.importers.online_retail.matching import Matching

SOURCE = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,HEART,6,5/1/2011 8:26,2.55,17850,United Kingdom
536365,POST,POSTAGE,1,5/1/2011 8:26,18,17850,United Kingdom
536366,85123A,HEART,6,5/3/2011 8:26,2.55,17850,United Kingdom
C536367,85123A,HEART,-6,5/3/2011 9:26,2.55,17850,United Kingdom
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "retail.csv"
    path.write_text(SOURCE)
    return path


def test_json_is_the_whole_report(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    assert main(["import", "online-retail", str(source), str(log), "--json"]) == 0
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert shown.err == ""
    assert report == json.loads((log / "import_report.json").read_bytes())
    assert report["n_source_rows"] == sum(report["counts"]["source_rows"].values()) == 4
    assert report["counts"]["events"]["order_cancelled"] == 1


def test_a_person_sees_each_filled_bucket_and_the_sum(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "online-retail", str(source), str(tmp_path / "log")]) == 0
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    cells = {line[0]: line[1] for line in words if len(line) > 1}
    assert (cells["order_line"], cells["cancelled"], cells["postage"]) == ("2", "1", "1")
    assert (cells["malformed"], cells["total"]) == ("0", "4")
    assert "samples" not in cells


def test_options_reach_the_import(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    words = ["import", "online-retail", str(source), str(log), "--json", "--tenant", "shop"]
    words += ["--matching", "fifo", "--partitions", "2", "--format", "jsonl"]
    words += ["--history-from", "2011-06-01", "--return-window-days", "14"]
    assert main([*words, "--cancel-within-hours", "48"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tenant"] == "shop"
    assert report["history_from"] == "2011-06-01"
    assert report["return_window_days"] == 14
    assert report["counts"]["events"] == {
        "order_placed": 2,
        "order_cancelled": 0,
        "return_requested": 1,
    }
    assert sorted(path.name for path in (log / "jsonl").iterdir()) == [
        "partition=00",
        "partition=01",
    ]
    assert not (log / "parquet").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.csv", "LOG"], "no source file"),
        (["SRC", "."], "taken"),
        (["SRC", "LOG", "--tenant", ""], "--tenant"),
        (["SRC", "LOG", "--partitions", "0"], "partitions"),
        (["SRC", "LOG", "--matching", "best"], "--matching"),
        (["SRC", "LOG", "--history-from", "April"], "--history-from"),
        (["SRC"], "out"),
    ],
)
def test_wrong_words_end_in_one_message_and_code_2(
    tmp_path: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [str(source) if word == "SRC" else word for word in words]
    assert main(["import", "online-retail", *named]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["retail.csv"]


def test_a_file_of_another_kind_is_told_as_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    words = ["import", "online-retail", str(tmp_path / "other.csv"), str(tmp_path / "log")]
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["field"] == "header"
    assert error["value"] == "a, b"
    assert "InvoiceNo" in error["expectation"]


def test_choices_and_defaults_are_those_of_the_importer() -> None:
    assert list(MatchingChoice) == [choice.value for choice in Matching]
    assert ImportOptions().formats == tuple(FormatChoice)
    assert ImportOptions().n_partitions == DEFAULT_PARTITIONS == 4
    assert ImportOptions().tenant == "online_retail"
    rules = ImportOptions().rules
    assert (rules.cancel_within_h, rules.history_from.isoformat()) == (12.0, "2011-04-01")


HOTEL = """hotel,is_canceled,lead_time,arrival_date_year,arrival_date_month,\
arrival_date_week_number,arrival_date_day_of_month,stays_in_weekend_nights,stays_in_week_nights,\
adults,children,babies,meal,country,market_segment,distribution_channel,is_repeated_guest,\
previous_cancellations,previous_bookings_not_canceled,reserved_room_type,deposit_type,agent,\
company,days_in_waiting_list,customer_type,adr,required_car_parking_spaces,\
total_of_special_requests,reservation_status,reservation_status_date
City Hotel,0,3,2016,May,21,20,0,2,2,0,0,BB,PRT,Direct,Direct,0,0,0,A,No Deposit,NULL,NULL,0,\
Transient,80,0,1,Check-Out,2016-05-22
City Hotel,1,9,2016,May,21,20,0,2,2,0,0,BB,PRT,Online TA,TA/TO,0,0,0,A,No Deposit,9,NULL,0,\
Transient,90,0,0,No-Show,2016-05-20
"""


@pytest.fixture
def hotel(tmp_path: Path) -> Path:
    path = tmp_path / "hotel.csv"
    path.write_text(HOTEL)
    return path


def test_hotel_json_is_the_whole_report_and_options_reach_the_import(
    tmp_path: Path, hotel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    words = ["import", "hotel", str(hotel), str(log), "--json", "--tenant", "inn"]
    assert main([*words, "--partitions", "2", "--format", "jsonl", "--late-columns"]) == 0
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert shown.err == ""
    assert report == json.loads((log / "import_report.json").read_bytes())
    assert report["source_rows"] == {"stayed": 1, "cancelled": 0, "no_show": 1, "malformed": 0}
    assert (report["tenant"], report["has_late_columns"]) == ("inn", True)
    assert [Path(path).name for path in report["attributes"]] == [
        "attributes.yaml",
        "attributes-late.yaml",
    ]
    assert sorted(path.name for path in (log / "jsonl").iterdir()) == [
        "partition=00",
        "partition=01",
    ]
    assert not (log / "parquet").exists()


def test_a_person_sees_the_bookings_and_where_the_attributes_are_declared(
    tmp_path: Path, hotel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "hotel", str(hotel), str(tmp_path / "log")]) == 0
    out = capsys.readouterr().out
    cells = {words[0]: words[1] for line in out.splitlines() if len(words := line.split()) > 1}
    assert (cells["stayed"], cells["no_show"], cells["total"]) == ("1", "1", "2")
    assert "attributes.yaml" in out.replace("\n", "")


def test_a_hotel_file_of_another_kind_is_told_and_nothing_is_written(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "hotel", str(source), str(tmp_path / "log"), "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["field"], "lead_time" in error["expectation"]) == ("header", True)
    assert not (tmp_path / "log").exists()


def test_hotel_defaults_are_those_of_the_importer() -> None:
    options = HotelOptions()
    assert options.formats == tuple(FormatChoice)
    assert (options.n_partitions, options.tenant, options.with_late) == (4, "hotel", False)
