"""The twin's connection: tables of a log's events and of the questions, answers out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.twin import facts
from benchmarks.twin.schema import QUERY_SCHEMA
from features.embedding import EMBEDDERS
from features.entities import Entity
from features.keys import compute_entity_key, compute_event_key, compute_member


def connect(n_threads: int) -> duckdb.DuckDBPyConnection:
    """Return a connection to an empty database in memory that knows the macros."""
    connection = duckdb.connect(config={"threads": n_threads})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(facts.MACROS)
    return connection


def _number(table: pa.Table, name: str) -> pa.Table:
    return table.append_column(name, pa.array(np.arange(table.num_rows)))


def load_tables(
    connection: duckdb.DuckDBPyConnection, log: Path, cases: pa.Table, queries: pa.Table
) -> None:
    """Make the tables of the accepted events, of the questions, and of what Python computes."""
    connection.register("cases", _number(cases, "case_row"))
    connection.register("query_in", _number(queries.cast(QUERY_SCHEMA), "query_id"))
    connection.execute("CREATE TABLE query AS SELECT * RENAME (time_us AS t) FROM query_in")
    connection.execute("CREATE TABLE query_number AS SELECT query_id FROM query")
    read_accepted(connection, log)
    _add_event_keys(connection)
    _add_members(connection)
    _add_vectors(connection)


def read_accepted(connection: duckdb.DuckDBPyConnection, log: Path) -> None:
    """Make the table `accepted` from the log's Parquet files."""
    glob = str(log / "parquet" / "*" / "*.parquet")
    connection.execute(facts.ACCEPTED, {"parquet_glob": glob})


def _add_event_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `event_key`: the 64-bit key that orders events of one instant."""
    rows = connection.sql("SELECT tenant, event_id FROM accepted").to_arrow_table()
    keys = map(compute_event_key, rows["tenant"].to_pylist(), rows["event_id"].to_pylist())
    connection.register("event_key", rows.append_column("event_key", pa.array(keys, pa.uint64())))


def _add_members(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `member`: the hash by which a shared identity chooses whom it keeps."""
    rows = connection.sql(
        "SELECT DISTINCT tenant, customer_id FROM accepted WHERE customer_id <> ''"
    ).to_arrow_table()
    customers = zip(rows["tenant"].to_pylist(), rows["customer_id"].to_pylist(), strict=True)
    hashes = [
        compute_member(compute_entity_key(tenant, Entity.CUSTOMER, customer_id))
        for tenant, customer_id in customers
    ]
    connection.register("member", rows.append_column("member", pa.array(hashes, pa.uint64())))


def _add_vectors(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `vector`, each embedding met that is not all zeros, and `embedder`, those there are."""
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
    connection.execute("CREATE TABLE embedder (name VARCHAR, since_us BIGINT)")
    known = [(embedder.name, embedder.since_us) for embedder in EMBEDDERS]
    connection.executemany("INSERT INTO embedder VALUES (?, ?)", known)


def fetch_families(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return the names of all features and their values, shape `(n_queries, n_features)`."""
    described: list[Any] = connection.execute(
        "SELECT table_name, list(column_name ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_name SIMILAR TO '(family|history)_.*' "
        "AND column_name <> 'query_id' GROUP BY table_name ORDER BY table_name"
    ).fetchall()
    families = [_fetch_family(connection, table, columns) for table, columns in described]
    names = tuple(name for _, columns in described for name in columns)
    return names, np.column_stack(families)


def _fetch_family(
    connection: duckdb.DuckDBPyConnection, table: str, columns: list[str]
) -> npt.NDArray[np.float64]:
    """Return a family's columns, one row per question; NaN where it has no row or NULL."""
    selected = ", ".join(f"{table}.{name}::DOUBLE" for name in columns)
    # Of a customer whom nobody knows there is no history.
    is_asked = "asked.customer_state = 1" if table.startswith("history_") else "true"
    rows = connection.sql(
        f"SELECT {selected} FROM family_state AS asked LEFT JOIN {table} "
        f"ON {table}.query_id = asked.query_id AND {is_asked} ORDER BY asked.query_id"
    ).to_arrow_table()
    return np.column_stack([column.to_numpy().astype(np.float64) for column in rows.itercolumns()])
