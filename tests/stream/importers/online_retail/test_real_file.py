"""The real file: buckets against plain SQL, matching against a plain loop, all published forms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.log.reader import EventLog
from stream.importers.online_retail.importing import ImportOptions, import_online_retail
from stream.importers.online_retail.linking import LinkingRules
from stream.importers.online_retail.matching import Matching
from stream.importers.online_retail.report import ImportReport

pytestmark = pytest.mark.realdata

GOODS = r"^([0-9]{5}[A-Z]*|DCGS.+|GIFT_.+|PADS)$"


@pytest.fixture(scope="module")
def imported(
    online_retail: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[Matching, tuple[Path, ImportReport]]:
    """The whole file, imported once with each way of matching."""
    logs = {}
    for matching in Matching:
        log = tmp_path_factory.mktemp("logs") / matching
        options = ImportOptions(rules=LinkingRules(matching), formats=["parquet"])
        logs[matching] = (log, import_online_retail(online_retail, log, options))
    return logs


@pytest.fixture(scope="module")
def sql(online_retail: Path) -> duckdb.DuckDBPyConnection:
    """The file as table `t`: row number, upper-case code, whether it is goods."""
    connection = duckdb.connect()
    connection.execute(
        f"""create table t as
        select file_row_number + 1 as row, InvoiceNo as invoice, upper(StockCode) as sku,
          Quantity as quantity, InvoiceDate as local, UnitPrice as price, CustomerID as customer,
          InvoiceNo like 'C%' as is_credit, InvoiceNo like 'A%' as is_account,
          regexp_matches(upper(StockCode), '{GOODS}') as is_goods
        from read_parquet('{online_retail}', file_row_number = true)"""
    )
    return connection


@pytest.mark.parametrize("matching", Matching)
def test_the_buckets_add_up_to_the_rows_of_the_file(
    imported: dict[Matching, tuple[Path, ImportReport]],
    sql: duckdb.DuckDBPyConnection,
    matching: Matching,
    print_result: Callable[[str], None],
) -> None:
    log, report = imported[matching]
    counts = report.counts.source_rows
    assert sum(counts.values()) == report.n_source_rows == _count(sql, "true")
    table = pq.read_table(log / "online_retail_lines.parquet", columns=["source_row", "bucket"])
    assert table.column("source_row").to_pylist() == list(range(1, report.n_source_rows + 1))
    assert Counter(table.column("bucket").to_pylist()) == Counter(counts)
    filled = ", ".join(f"{bucket} {n:,}" for bucket, n in counts.items() if n)
    print_result(f"import ({matching}): {report.n_source_rows:,} rows = {filled}")


def _count(sql: duckdb.DuckDBPyConnection, condition: str) -> int:
    row = sql.execute(f"select count(*) from t where {condition}").fetchone()
    assert row is not None
    return int(row[0])


def test_buckets_before_matching_equal_plain_sql(
    imported: dict[Matching, tuple[Path, ImportReport]], sql: duckdb.DuckDBPyConnection
) -> None:
    counts = imported[Matching.LATEST][1].counts.source_rows
    sale = "not is_credit and not is_account and quantity > 0"
    sold = f"{sale} and is_goods and round(price * 100) > 0"
    free = f"{sale} and is_goods and round(price * 100) = 0"
    priced = "invoice in (select invoice from t where round(price * 100) > 0)"
    nobodys = f"customer is null and not {priced}"
    assert counts["order_line"] == _count(sql, f"{sold} and customer is not null")
    assert counts["guest_order_line"] == _count(sql, f"{sold} and customer is null")
    assert counts["free_order_line"] == _count(sql, f"{free} and not ({nobodys})")
    assert counts["stock_write_up"] == _count(sql, f"{free} and {nobodys}")
    assert counts["stock_adjustment"] == _count(sql, "quantity < 0 and not is_credit") == 1023
    assert counts["bad_debt"] == _count(sql, "is_account") == 3
    for bucket, codes in (
        ("postage", "'POST', 'DOT'"),
        ("carriage", "'C2'"),
        ("manual", "'M'"),
        ("discount", "'D'"),
        ("samples", "'S'"),
        ("charity_commission", "'CRUK'"),
        ("marketplace_fee", "'AMAZONFEE'"),
        ("bank_charges", "'BANK CHARGES'"),
    ):
        assert counts[bucket] == _count(sql, f"sku in ({codes})"), bucket
    credit_of_goods = "is_credit and is_goods"
    early = "local < timestamp '2011-04-01'"
    assert counts["return_without_customer"] == _count(
        sql, f"{credit_of_goods} and customer is null and not {early}"
    )
    assert counts["history_truncated_guest"] == _count(
        sql, f"{credit_of_goods} and customer is null and {early}"
    )
    assert counts["unlisted_article"] == counts["malformed"] == 0


def _match_plainly(sql: duckdb.DuckDBPyConnection, matching: Matching) -> dict[Any, int]:
    """Return (credit row, purchase row) to units, by a loop over all rows in order."""
    rows = sql.execute(
        """select row, sku, quantity, customer, is_credit from t
        join (select invoice, min(local) as invoice_time from t group by invoice) using (invoice)
        where is_goods and customer is not null and round(price * 100) > 0 and not is_account
        order by invoice_time, row"""
    ).fetchall()
    stock: dict[Any, list[list[int]]] = defaultdict(list)
    pairs: dict[Any, int] = {}
    for row, sku, quantity, customer, is_credit in rows:
        purchases = stock[customer, sku]
        if not is_credit:
            purchases.append([row, quantity])
            continue
        need = -quantity
        for purchase in reversed(purchases) if matching is Matching.LATEST else purchases:
            taken = min(need, purchase[1])
            if taken:
                purchase[1] -= taken
                need -= taken
                pairs[row, purchase[0]] = taken
    return pairs


@pytest.mark.parametrize("matching", Matching)
def test_pairs_equal_a_plain_loop_over_the_file(
    imported: dict[Matching, tuple[Path, ImportReport]],
    sql: duckdb.DuckDBPyConnection,
    matching: Matching,
) -> None:
    log, report = imported[matching]
    table = pq.read_table(log / "online_retail_lines.parquet")
    found = {
        (row, int(line.removeprefix("row-"))): units
        for row, lines, all_units in zip(
            *(
                table.column(c).to_pylist()
                for c in ("source_row", "matched_line_ids", "matched_units")
            ),
            strict=True,
        )
        for line, units in zip(lines, all_units, strict=True)
    }
    assert found == _match_plainly(sql, matching)
    assert len(found) == report.counts.cancelled_pairs + report.counts.returned_pairs


def test_no_purchase_gives_back_more_than_was_bought(
    imported: dict[Matching, tuple[Path, ImportReport]],
) -> None:
    for log, _ in imported.values():
        table = pq.read_table(log / "online_retail_lines.parquet")
        bought = dict(
            zip(
                table.column("line_id").to_pylist(),
                table.column("quantity").to_pylist(),
                strict=True,
            )
        )
        taken = (
            pa.table(
                {
                    "line": pc.list_flatten(table.column("matched_line_ids")),
                    "units": pc.list_flatten(table.column("matched_units")),
                }
            )
            .group_by("line")
            .aggregate([("units", "sum")])
        )
        assert taken.num_rows > 4000
        for line, units in zip(*taken.to_pydict().values(), strict=True):
            assert 0 < units <= bought[line]


def test_events_are_unique_and_name_orders_that_exist(
    imported: dict[Matching, tuple[Path, ImportReport]],
) -> None:
    log, report = imported[Matching.LATEST]
    table = EventLog(log).read_table()
    ids = table.column("event_id").to_pylist()
    assert len(set(ids)) == len(ids) == report.n_events
    assert Counter(table.column("kind").to_pylist()) == Counter(report.counts.events)
    orders = table.filter(pc.equal(table.column("kind"), "order_placed")).column("order_placed")
    order_ids = pc.struct_field(orders, "order_id").to_pylist()
    assert len(set(order_ids)) == len(order_ids)
    assert set(order_ids) >= _list_named_orders(table)


def _list_named_orders(table: pa.Table) -> set[str]:
    return {
        name
        for kind in ("order_cancelled", "return_requested")
        for name in pc.struct_field(table.column(kind), "order_id").to_pylist()
        if name
    }


def test_csv_and_xlsx_of_the_real_rows_give_the_same_log(
    online_retail: Path,
    tmp_path: Path,
    write_parquet: Callable[..., Path],
    write_csv: Callable[..., Path],
    write_xlsx: Callable[..., Path],
) -> None:
    table = pq.read_table(online_retail)
    # Two stretches: the second goes over the night in which the clocks go forward.
    parts = pa.concat_tables([table.slice(0, 6_000), table.slice(132_000, 6_000)])
    rows = [tuple(row.values()) for row in parts.to_pylist()]
    files = [
        write_parquet(tmp_path / "a.parquet", rows),
        write_csv(tmp_path / "utf8.csv", rows),
        write_csv(tmp_path / "latin.csv", rows, encoding="latin-1", spell=lambda n: str(int(n))),
        write_xlsx(tmp_path / "a.xlsx", rows),
    ]
    manifests = []
    for path in files:
        log = tmp_path / f"log-{path.name}"
        report = import_online_retail(path, log, ImportOptions(formats=["parquet"]))
        assert report.n_source_rows == len(rows)
        manifests.append(EventLog(log).manifest)
    assert manifests[0].n_events
    assert all(manifest == manifests[0] for manifest in manifests)
