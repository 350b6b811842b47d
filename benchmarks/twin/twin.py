"""Runs the twin: facts, then one table per feature family, then one row per question."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.twin import facts, history, request
from benchmarks.twin.schema import QUERY_SCHEMA, TwinVectors
from features.keys import compute_event_key

_THREADS = 2
# Only for a case that comes with a reason of its own.
_REASONED_ONLY = (
    "request_reason_similarity_mean_last16",
    "request_reason_similarity_max_last16",
    "request_reason_code_share_last16",
)


def compute_twin(log: Path, cases: pa.Table, queries: pa.Table) -> TwinVectors:
    """Return the vector of each question, recomputed from the raw events.

    Args:
        log: Folder of the event log; its Parquet files are read as they are.
        cases: Case events with the log's columns (in the log or not): what requests say.
        queries: Columns of `QUERY_SCHEMA`.
    """
    with closing(duckdb.connect(config={"threads": _THREADS})) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(facts.MACROS)
        _load(connection, log, cases, queries)
        for statement in history.iterate_families():
            connection.execute(statement)
        return _fetch(connection)


def _number(table: pa.Table, name: str) -> pa.Table:
    return table.append_column(name, pa.array(np.arange(table.num_rows)))


def _load(
    connection: duckdb.DuckDBPyConnection, log: Path, cases: pa.Table, queries: pa.Table
) -> None:
    glob = str(log / "parquet" / "*" / "*.parquet")
    connection.register("cases", _number(cases, "case_row"))
    connection.register("query_in", _number(queries.cast(QUERY_SCHEMA), "query_id"))
    connection.execute("CREATE TABLE query AS SELECT * RENAME (time_us AS t) FROM query_in")
    connection.execute(facts.ACCEPTED, {"parquet_glob": glob})
    _add_event_keys(connection)
    _add_vectors(connection)
    for statement in (
        facts.ORDER_EVENTS,
        facts.RETURN_EVENTS,
        facts.CANCEL_EVENTS,
        facts.OTHER_EVENTS,
        *map(facts.build_known, facts.EVENT_TABLES),
        request.CASE_LINES,
        request.REQUESTS,
        request.FEATURES,
    ):
        connection.execute(statement)


def _add_event_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `event_key`: the 64-bit key that orders events of one instant."""
    rows = connection.sql("SELECT tenant, event_id FROM accepted").to_arrow_table()
    keys = map(compute_event_key, rows["tenant"].to_pylist(), rows["event_id"].to_pylist())
    connection.register("event_key", rows.append_column("event_key", pa.array(keys, pa.uint64())))


def _add_vectors(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `vector`: each embedding met that is not all zeros, as numbers."""
    met = [row[0] for row in connection.execute(facts.EMBEDDINGS).fetchall()]
    rows = [(blob, np.frombuffer(blob, np.int8).astype(float).tolist()) for blob in met]
    rows = [(blob, numbers) for blob, numbers in rows if any(numbers)]
    table = pa.table(
        {
            "embedding": pa.array([blob for blob, _ in rows], pa.binary()),
            "vector": pa.array([numbers for _, numbers in rows], pa.list_(pa.float64(), 64)),
        }
    )
    connection.register("vector_in", table)
    connection.execute("CREATE TABLE vector AS FROM vector_in")


def _build_select(columns: dict[str, list[str]]) -> str:
    """Return the SQL of the whole answer from the names of each family's columns."""
    selected = []
    for table, names in columns.items():
        for name in names:
            condition = "true" if table in {"family_state", "family_request"} else "is_known"
            if name in _REASONED_ONLY:
                condition += " AND call IN (2, 3)"
            selected.append(f"(CASE WHEN {condition} THEN {name} END)::DOUBLE AS {name}")
    joins = "\n".join(f"LEFT JOIN {table} USING (query_id)" for table in columns)
    return f"""
SELECT {", ".join(selected)}
FROM (SELECT query_id, call, customer_state = 1 AS is_known
      FROM query JOIN family_state USING (query_id)) AS asked
{joins}
ORDER BY query_id;
"""


def _fetch(connection: duckdb.DuckDBPyConnection) -> TwinVectors:
    described: list[Any] = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE starts_with(table_name, 'family_') AND column_name <> 'query_id' "
        "ORDER BY table_name, ordinal_position"
    ).fetchall()
    columns: dict[str, list[str]] = {}
    for table, name in described:
        columns.setdefault(table, []).append(name)
    answer = connection.sql(_build_select(columns)).to_arrow_table()
    values = np.column_stack(
        [column.to_numpy().astype(np.float64) for column in answer.itercolumns()]
    )
    newer = connection.sql(
        "SELECT coalesce(n_newer, 0)::BIGINT AS n FROM query "
        "LEFT JOIN own_rank USING (query_id) ORDER BY query_id"
    ).to_arrow_table()
    return TwinVectors(tuple(answer.column_names), values, newer["n"].to_numpy())
