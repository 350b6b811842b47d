"""Runs the twin: facts, then one table per feature family, then one row per question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from benchmarks.twin import activity, facts, history, identities, request, returns, tallies
from benchmarks.twin.database import connect, fetch_families, load_tables
from benchmarks.twin.schema import TwinVectors

_THREADS = 2


def compute_twin(log: Path, cases: pa.Table, queries: pa.Table) -> TwinVectors:
    """Return the vector of each question, recomputed from the raw events.

    Args:
        log: Folder of the event log; its Parquet files are read as they are.
        cases: Case events with the log's columns (in the log or not): what requests say.
        queries: Columns of `QUERY_SCHEMA`.
    """
    with closing(connect(_THREADS)) as connection:
        load_tables(connection, log, cases, queries)
        for statement in iterate_statements():
            connection.execute(statement)
        newer = connection.sql(
            "SELECT coalesce(n_newer, 0)::BIGINT AS n FROM query "
            "LEFT JOIN own_rank USING (query_id) ORDER BY query_id"
        ).to_arrow_table()
        return TwinVectors(*fetch_families(connection), newer["n"].to_numpy())


def iterate_statements() -> Iterator[str]:
    """Yield facts, what is known at each question's time, and the families."""
    yield from facts.STATEMENTS
    yield from request.STATEMENTS
    yield from map(facts.build_known, facts.HISTORY_TABLES)
    yield from history.iterate_families()
    yield from returns.FAMILIES
    yield from activity.iterate_families()
    yield from tallies.iterate_families()
    yield from identities.iterate_families()
