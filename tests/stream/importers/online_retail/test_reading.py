"""The forms in which the data set is published give the same rows; other files are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigError, LogFormatError
from stream.importers.online_retail.parsing import parse_source
from stream.importers.online_retail.reading import find_source, read_source
from stream.importers.online_retail.rows import Coded, ParsedSource

SECOND_EDITION = (
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
)


def _read(path: Path) -> ParsedSource:
    return parse_source(read_source(path, lambda _step, _done, _total: None))


def _list_rows(source: ParsedSource) -> list[tuple[Any, ...]]:
    rows = source.rows
    columns = [
        column.spell(slice(None)) if isinstance(column, Coded) else column.tolist()
        for column in vars(rows).values()
        if isinstance(column, (Coded, np.ndarray))
    ]
    return list(zip(*columns, strict=True))


@pytest.fixture
def rows(make_row: Callable[..., Any]) -> list[Any]:
    return [
        make_row("536365", "85123A", 6, "2010-12-01T08:26"),
        make_row("536365", "71053", 1, "2010-12-01T08:26", price=3.0),
        make_row("536544", "85123a", 7, "2011-07-01T09:59", customer=None, price=0.001),
        make_row("C536379", "85123A", -1, "2011-07-02T23:59", price=27.5),
        make_row(
            "536414", "22139", 56, "2011-08-01T11:52", price=0, customer=None, description=None
        ),
        make_row("A563185", "B", 1, "2011-08-12T14:50", price=-11062.06, customer=None),
    ]


def test_all_published_forms_give_the_same_rows(
    tmp_path: Path,
    rows: list[Any],
    write_parquet: Callable[..., Path],
    write_csv: Callable[..., Path],
    write_xlsx: Callable[..., Path],
) -> None:
    expected = _list_rows(_read(write_parquet(tmp_path / "a.parquet", rows)))
    assert len(expected) == len(rows)
    files = [
        write_csv(tmp_path / "float.csv", rows),
        write_csv(tmp_path / "latin.csv", rows, encoding="latin-1", spell=lambda n: str(int(n))),
        write_csv(tmp_path / "bom.csv", rows, encoding="utf-8-sig"),
        write_xlsx(tmp_path / "one.xlsx", rows),
        write_xlsx(tmp_path / "two.xlsx", rows[:3], rows[3:]),
        write_xlsx(tmp_path / "second.xlsx", rows, header=SECOND_EDITION),
    ]
    for file in files:
        assert _list_rows(_read(file)) == expected, file.name


def test_parquet_written_by_other_tools_gives_the_same_rows(
    tmp_path: Path, rows: list[Any], write_parquet: Callable[..., Path]
) -> None:
    path = write_parquet(tmp_path / "a.parquet", rows)
    expected = _list_rows(_read(path))
    table = pq.read_table(path)
    types = {
        "StockCode": pa.dictionary(pa.int8(), pa.string()),
        "InvoiceNo": pa.large_string(),
        "Quantity": pa.float64(),
        "InvoiceDate": pa.timestamp("ns"),
        "CustomerID": pa.int32(),
    }
    fields = [field.with_type(types.get(field.name, field.type)) for field in table.schema]
    other = table.cast(pa.schema(fields)).select(list(reversed(table.column_names)))
    pq.write_table(other, tmp_path / "b.parquet", row_group_size=2)
    assert _list_rows(_read(tmp_path / "b.parquet")) == expected


def test_minutes_survive_the_day_fractions_of_a_sheet(
    tmp_path: Path, make_row: Callable[..., Any], write_xlsx: Callable[..., Path]
) -> None:
    times = [f"2011-01-{day:02}T{hour:02}:{day + hour:02}" for day in (3, 17) for hour in range(24)]
    rows = [make_row(str(i), "22423", 1, at) for i, at in enumerate(times)]
    local = _read(write_xlsx(tmp_path / "t.xlsx", rows)).rows.local_us
    assert [str(t)[:16] for t in local.astype("datetime64[us]")] == times


def test_blank_lines_are_no_rows(tmp_path: Path, write_csv: Callable[..., Path], rows: Any) -> None:
    path = write_csv(tmp_path / "a.csv", rows)
    lines = path.read_text().splitlines()
    path.write_text("\n\n".join(lines) + "\n\n")
    assert _read(path).rows.source_row.tolist() == list(range(1, len(rows) + 1))


def test_blank_rows_of_a_sheet_are_no_rows(
    tmp_path: Path, write_xlsx: Callable[..., Path], rows: Any
) -> None:
    blank = (None,) * 8
    source = _read(write_xlsx(tmp_path / "a.xlsx", [rows[0], blank, rows[1]]))
    assert source.rows.source_row.tolist() == [1, 2]


def test_a_row_with_another_number_of_cells_is_malformed_and_the_others_keep_their_numbers(
    tmp_path: Path, write_csv: Callable[..., Path], rows: Any
) -> None:
    path = write_csv(tmp_path / "a.csv", list(rows) * 4)
    lines = path.read_text().splitlines()
    lines.insert(2, "536365,22423")
    path.write_text("\n".join(lines))
    source = _read(path)
    assert [msgspec.structs.astuple(row) for row in source.malformed] == [
        (2, "column_count", "row", "2 cells", "8 cells")
    ]
    assert source.rows.source_row.tolist() == [1, *range(3, 26)]
    assert source.n_rows == 25


@pytest.mark.parametrize("missing", ["InvoiceNo", "UnitPrice", "CustomerID"])
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    names = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
    names.remove(missing)
    (tmp_path / "a.csv").write_text(",".join(names) + "\n1,2,3,4,5\n")
    pq.write_table(pa.table({name: ["1"] for name in names}), tmp_path / "a.parquet")
    for path in (tmp_path / "a.csv", tmp_path / "a.parquet"):
        with pytest.raises(LogFormatError, match=f"lacks {missing}") as caught:
            _read(path)
        assert names[0] in caught.value.value
        assert missing in caught.value.expectation


def test_description_and_country_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
        "536365,22423,6,12/1/2010 8:26,12.75,17850\n"
    )
    assert _read(tmp_path / "a.csv").rows.is_described.tolist() == [False]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("other.csv", b"a;b;c\n1;2;3\n"),
        ("binary.csv", bytes(range(256))),
        ("broken.parquet", b"PAR1 no parquet PAR1"),
        ("empty.parquet", b""),
        ("broken.xlsx", b"PK\x03\x04 no workbook"),
        ("text.xlsx", b"InvoiceNo"),
        ("data.txt", b"InvoiceNo"),
        ("data.zip", b"PK"),
    ],
)
def test_other_files_are_refused_with_their_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LogFormatError) as caught:
        _read(tmp_path / name)
    assert caught.value.fix
    assert name in caught.value.message or name in caught.value.value


def test_an_unclosed_quote_is_named_with_its_line(tmp_path: Path) -> None:
    header = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
    (tmp_path / "a.csv").write_text(header + '536365,"22423,6\n' + "x" * 200_000)
    with pytest.raises(LogFormatError) as caught:
        _read(tmp_path / "a.csv")
    assert "line" in caught.value.field


def test_a_folder_stands_for_its_only_source(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(ConfigError, match="exactly one"):
        find_source(tmp_path)
    (tmp_path / "Online Retail.XLSX").touch()
    assert find_source(tmp_path) == tmp_path / "Online Retail.XLSX"
    (tmp_path / "b.csv").touch()
    with pytest.raises(ConfigError, match="exactly one") as caught:
        find_source(tmp_path)
    assert caught.value.value == "Online Retail.XLSX, b.csv"


def test_a_device_is_no_source() -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        find_source(Path(os.devnull))


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_source(tmp_path / "none.csv")
    assert "none.csv" in caught.value.value


def test_progress_ends_at_the_number_of_rows(
    tmp_path: Path, write_csv: Callable[..., Path], rows: Any
) -> None:
    told: list[tuple[str, int, int]] = []
    read_source(write_csv(tmp_path / "a.csv", rows), lambda *step: told.append(step))
    assert told[-1] == ("read", len(rows), len(rows))
