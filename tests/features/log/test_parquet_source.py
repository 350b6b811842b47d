from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.log import structs
from features.log.conform import conform_batch
from features.log.parquet_source import read_parquet_batches
from features.log.schema import EVENT_SCHEMA
from features.log.writer import EventLogWriter

_N_ROWS = 12


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Orders first, then a lone return; kinds of twelve events in order of time."""
    events = [
        structs.Event(
            event_id=f"e{i}",
            tenant="demo",
            event_time=10 * i + 10,
            customer_id="c",
            **(
                {"return_requested": structs.ReturnRequested(return_id="r")}
                if i == _N_ROWS - 1
                else {"order_placed": structs.OrderPlaced(order_id=f"o{i}")}
            ),
        )
        for i in range(_N_ROWS)
    ]
    path = tmp_path_factory.mktemp("logs") / "log"
    with EventLogWriter(path, n_partitions=1, formats=("parquet",)) as writer:
        writer.append_structs(events)
    return pq.read_table(next(path.rglob("*.parquet")), partitioning=None)


def _read(file: Path, start: int = 0, size: int = 5) -> pa.Table:
    batches = read_parquet_batches([file], start, size, EVENT_SCHEMA.names)
    return pa.Table.from_batches(batches, EVENT_SCHEMA)


@pytest.mark.parametrize("statistics", [True, False, ["event_id"]])
@pytest.mark.parametrize("start", [0, 3, 7])
def test_all_columns_stand_whatever_the_footer_says_of_them(
    table: pa.Table, tmp_path: Path, statistics: bool | list[str], start: int
) -> None:
    file = tmp_path / "part.parquet"
    pq.write_table(table, file, row_group_size=4, write_statistics=statistics)
    assert _read(file, start).equals(table.slice(start))


def test_a_kind_of_the_last_row_group_alone_is_read(table: pa.Table, tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    pq.write_table(table, file, row_group_size=4)
    returns = _read(file).column("return_requested").to_pylist()
    assert [row is not None for row in returns] == [False] * (_N_ROWS - 1) + [True]
    assert returns[-1]["return_id"] == "r"


def test_an_event_of_nothing_but_defaults_counts_as_one(table: pa.Table, tmp_path: Path) -> None:
    bare = table.slice(_N_ROWS - 1).to_batches()[0]
    for kind in (field for field in EVENT_SCHEMA if pa.types.is_struct(field.type)):
        lone = {name: bare.column(name) for name in ("tenant", "event_id", "event_time")}
        empty = pa.StructArray.from_arrays(
            [pa.nulls(1, field.type) for field in kind.type], fields=list(kind.type)
        )
        lone[kind.name] = empty
        event = conform_batch(pa.RecordBatch.from_pydict(lone))
        file = tmp_path / f"{kind.name}.parquet"
        pq.write_table(pa.Table.from_batches([event]), file)
        assert _read(file).column(kind.name).null_count == 0, kind.name
