"""The whole import of a small source: events, side files, counts, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.errors import ConfigError, HemostatError, LogFormatError
from features.log.reader import EventLog
from stream.importers.online_retail.importing import ImportOptions, import_online_retail
from stream.importers.online_retail.line_table import LINE_TABLE_SCHEMA
from stream.importers.online_retail.linking import LinkingRules
from stream.importers.online_retail.matching import Matching

OPTIONS = ImportOptions(tenant="shop", n_partitions=3)


@pytest.fixture
def rows(make_row: Callable[..., Any]) -> list[Any]:
    return [
        make_row("536365", "POST", 1, "2011-05-02T10:00", price=18),
        make_row("536365", "85123a", 6, "2011-05-02T10:00", price=2.55),
        make_row("536365", "85123A", 6, "2011-05-02T10:00", price=2.55),
        make_row("536365", "22423", 1, "2011-05-02T10:01", price=0.001),
        make_row("536366", "22423", 3, "2011-05-02T12:00", price=12.75, customer=None),
        make_row("C536367", "85123A", -2, "2011-05-02T13:00", price=2.5),
        make_row("C536368", "85123A", -9, "2011-05-20T13:00", price=2.55),
        make_row("C536369", "22424", -1, "2011-06-01T13:00", price=3),
        make_row("C536370", "22424", -1, "2011-06-01T13:00", price=3, customer=None),
        make_row("536371", "M", 1, "2011-06-02T13:00", price=99),
        make_row("536372", "22424", -5, "2011-06-03T13:00", price=0, customer=None),
        make_row("C536373", "85123A", -3, "2011-06-05T13:00"),
    ]


@pytest.fixture
def source(tmp_path: Path, rows: list[Any], write_parquet: Callable[..., Path]) -> Path:
    return write_parquet(tmp_path / "source.parquet", rows)


def _read_events(log: Path) -> dict[str, Any]:
    """Return event id to (kind, what it says, envelope)."""
    table = EventLog(log).read_table()
    return {row["event_id"]: (row["kind"], row[row["kind"]], row) for row in table.to_pylist()}


def test_an_invoice_is_one_order_of_its_goods(tmp_path: Path, source: Path) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    kind, order, envelope = _read_events(tmp_path / "log")["order-1"]
    assert kind == "order_placed"
    assert envelope["tenant"] == "shop"
    assert envelope["customer_id"] == "17850"
    assert envelope["channel"] == "CHANNEL_WEB"
    assert envelope["event_time"] == envelope["ingest_time"] == datetime(2011, 5, 2, 9, tzinfo=UTC)
    assert order["order_id"] == "536365"
    assert order["return_window_days"] == 30
    assert [
        (line["line_id"], line["sku"], line["style"], line["quantity"], line["unit_price_minor"])
        for line in order["lines"]
    ] == [
        ("row-2", "85123A", "85123", 6, 255),
        ("row-3", "85123A", "85123", 6, 255),
        ("row-4", "22423", "22423", 1, 0),
    ]
    assert order["lines"][0]["unit_cost_minor"] is None


def test_an_invoice_without_customer_is_a_guest_order(tmp_path: Path, source: Path) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    kind, order, envelope = _read_events(tmp_path / "log")["order-5"]
    assert (kind, envelope["customer_id"], order["order_id"]) == ("order_placed", "", "536366")


def test_a_credit_soon_after_is_a_cancellation_with_the_facts_of_its_order(
    tmp_path: Path, source: Path
) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    kind, cancelled, envelope = _read_events(tmp_path / "log")["cancel-6-3"]
    assert kind == "order_cancelled"
    assert envelope["event_time"] == datetime(2011, 5, 2, 12, tzinfo=UTC)
    assert cancelled["order_id"] == "536365"
    assert cancelled["line_id"] == "row-3"
    assert cancelled["order_time"] == datetime(2011, 5, 2, 9, tzinfo=UTC)
    assert cancelled["delivery_time"] is None
    assert (cancelled["quantity"], cancelled["unit_price_minor"]) == (2, 250)
    assert cancelled["initiator"] == "CANCEL_INITIATOR_CUSTOMER"
    assert cancelled["order_channel"] == "CHANNEL_WEB"
    assert cancelled["return_window_days"] == 30


def test_a_credit_over_two_lines_is_a_return_of_each(tmp_path: Path, source: Path) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    events = _read_events(tmp_path / "log")
    found = {name: events[name][1] for name in ("return-7-3", "return-7-2")}
    assert [returned["quantity"] for returned in found.values()] == [4, 5]
    for name, returned in found.items():
        assert returned["return_id"] == name
        assert returned["has_receipt"] is True
        assert returned["order_id"] == "536365"
        assert returned["style"] == "85123"
        assert returned["order_time"] == datetime(2011, 5, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(("event_id", "customer"), [("return-8", "17850"), ("return-9", "")])
def test_a_credit_without_purchase_is_a_return_without_receipt(
    tmp_path: Path, source: Path, event_id: str, customer: str
) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    kind, returned, envelope = _read_events(tmp_path / "log")[event_id]
    assert (kind, envelope["customer_id"]) == ("return_requested", customer)
    assert returned["has_receipt"] is False
    assert (returned["order_id"], returned["line_id"], returned["order_time"]) == ("", "", None)
    assert returned["order_channel"] == "CHANNEL_UNSPECIFIED"
    assert (returned["sku"], returned["quantity"], returned["unit_price_minor"]) == (
        "22424",
        1,
        300,
    )


def test_units_of_a_credit_that_were_never_bought_make_no_event(
    tmp_path: Path, source: Path
) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    events = _read_events(tmp_path / "log")
    assert {name for name in events if "-12" in name} == {"return-12-2"}
    assert events["return-12-2"][1]["quantity"] == 1


def test_the_counts_add_up_and_name_every_row(tmp_path: Path, source: Path) -> None:
    report = import_online_retail(source, tmp_path / "log", OPTIONS)
    filled = {bucket: n for bucket, n in report.counts.source_rows.items() if n}
    assert filled == {
        "order_line": 2,
        "free_order_line": 1,
        "guest_order_line": 1,
        "cancelled": 1,
        "returned": 1,
        "partly_matched": 1,
        "return_without_order": 1,
        "return_without_customer": 1,
        "stock_adjustment": 1,
        "postage": 1,
        "manual": 1,
    }
    assert report.counts.events == {
        "order_placed": 2,
        "order_cancelled": 1,
        "return_requested": 5,
    }
    assert report.n_events == EventLog(tmp_path / "log").manifest.n_events == 8
    assert report.counters.prices_rounded == 1
    assert report.counters.surplus_identical == 1
    assert report.counters.invoices_over_two_minutes == 1
    assert report.counters.invoices_without_goods == 1
    assert report.counts.units_partly_unmatched == 2
    assert set(report.compared) == set(Matching)
    assert json.loads((tmp_path / "log" / "import_report.json").read_bytes())["n_events"] == 8


def test_the_side_table_has_every_source_row(tmp_path: Path, source: Path, rows: Any) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    table = pq.read_table(tmp_path / "log" / "online_retail_lines.parquet")
    assert table.schema.equals(LINE_TABLE_SCHEMA)
    lines = {row["source_row"]: row for row in table.to_pylist()}
    assert list(lines) == list(range(1, len(rows) + 1))
    assert lines[1]["event_ids"] == []
    assert (lines[1]["bucket"], lines[1]["article_kind"]) == ("postage", "postage")
    assert lines[2]["event_ids"] == ["order-1"]
    assert lines[2]["line_id"] == "row-2"
    assert lines[2]["is_reinvoiced_within_1h"] is None
    assert lines[7]["event_ids"] == ["return-7-3", "return-7-2"]
    assert lines[7]["matched_line_ids"] == ["row-3", "row-2"]
    assert lines[7]["matched_order_ids"] == ["536365", "536365"]
    assert lines[7]["matched_units"] == [4, 5]
    assert lines[7]["match_lags_s"] == [18 * 86_400 + 3 * 3600] * 2
    assert (lines[7]["units_matched"], lines[7]["units_unmatched"]) == (9, 0)
    assert lines[7]["is_reinvoiced_within_1h"] is False
    assert lines[9]["customer_id"] == ""
    assert (lines[12]["units_matched"], lines[12]["units_unmatched"]) == (1, 2)


def test_event_ids_of_the_side_table_are_those_of_the_log(tmp_path: Path, source: Path) -> None:
    import_online_retail(source, tmp_path / "log", OPTIONS)
    table = pq.read_table(tmp_path / "log" / "online_retail_lines.parquet")
    named = {name for names in table.column("event_ids").to_pylist() for name in names}
    assert named == set(_read_events(tmp_path / "log"))


def test_malformed_rows_are_dead_letters_and_part_of_the_sum(
    tmp_path: Path, rows: list[Any], write_csv: Callable[..., Path]
) -> None:
    path = write_csv(tmp_path / "source.csv", rows)
    lines = path.read_text().splitlines()
    lines.insert(1, "536364,22423,X,many,5/2/2011 9:00,1,17850,UK")
    path.write_text("\n".join(lines))
    report = import_online_retail(path, tmp_path / "log", OPTIONS)
    assert report.n_source_rows == len(rows) + 1 == sum(report.counts.source_rows.values())
    assert report.counts.source_rows["malformed"] == 1
    (dead,) = (tmp_path / "log" / "dead-letters" / "import.jsonl").read_text().splitlines()
    assert json.loads(dead) == {
        "source": "source.csv",
        "source_row": 1,
        "reason": "bad_quantity",
        "field": "Quantity",
        "value_shown": "many",
        "expectation": "a whole number, not 0, within 1,000,000",
    }
    first = pq.read_table(tmp_path / "log" / "online_retail_lines.parquet").to_pylist()[0]
    assert (first["source_row"], first["bucket"], first["sku"]) == (1, "malformed", None)


def test_all_forms_give_the_same_log(
    tmp_path: Path,
    source: Path,
    rows: list[Any],
    write_csv: Callable[..., Path],
    write_xlsx: Callable[..., Path],
) -> None:
    incarnations = set()
    for path in (
        source,
        write_csv(tmp_path / "a.csv", rows, encoding="latin-1"),
        write_xlsx(tmp_path / "a.xlsx", rows),
    ):
        import_online_retail(path, tmp_path / path.suffix, OPTIONS)
        incarnations.add(EventLog(tmp_path / path.suffix).manifest.incarnation)
    assert len(incarnations) == 1


def test_the_options_reach_the_events(tmp_path: Path, source: Path) -> None:
    options = ImportOptions(
        rules=LinkingRules(Matching.FIFO, cancel_within_h=0),
        return_window_days=14,
        formats=["jsonl"],
    )
    report = import_online_retail(source, tmp_path / "log", options)
    events = _read_events(tmp_path / "log")
    assert report.matching is Matching.FIFO
    assert events["return-6-2"][1]["return_window_days"] == 14
    assert events["order-1"][1]["return_window_days"] == 14
    assert not (tmp_path / "log" / "parquet").exists()


def test_a_place_that_is_taken_is_refused_before_the_source_is_read(
    tmp_path: Path, source: Path
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "mine.txt").touch()
    told: list[str] = []
    with pytest.raises(ConfigError, match="taken"):
        import_online_retail(
            source, tmp_path / "log", OPTIONS, lambda step, _done, _total: told.append(step)
        )
    assert told == []


def test_a_refused_source_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LogFormatError):
        import_online_retail(tmp_path / "other.csv", tmp_path / "log", OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (ImportOptions(tenant=" "), "--tenant"),
        (ImportOptions(return_window_days=0), "--return-window-days"),
        (ImportOptions(rules=LinkingRules(cancel_within_h=-1)), "--cancel-within-hours"),
        (ImportOptions(rules=LinkingRules(cancel_within_h=float("nan"))), "--cancel-within-hours"),
        (ImportOptions(n_partitions=0), "n_partitions"),
        (ImportOptions(formats=()), "formats"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, source: Path, options: ImportOptions, field: str
) -> None:
    with pytest.raises(HemostatError) as caught:
        import_online_retail(source, tmp_path / "log", options)
    assert caught.value.field == field
