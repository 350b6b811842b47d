"""`hemostat import online-retail` as a person and a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.log.writer import DEFAULT_PARTITIONS
from hemostat.cli.import_command import FormatChoice, MatchingChoice
from hemostat.cli.main import main
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
