"""Runs the analyst's script: the log's Parquet files in, a training row per case out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.training_rows import entities, history, newest
from benchmarks.training_rows.questions import build_questions, is_never_late
from benchmarks.twin import activity, facts, identities, request, returns, tallies
from benchmarks.twin import history as twin_history
from benchmarks.twin.database import connect, fetch_families, load_tables
from benchmarks.twin.schema import TwinVectors


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The rows, and how long the script took.

    Attributes:
        vectors: A row per case, in the order of the cases.
        seconds: From the Parquet files to the rows in memory; the hashes that break ties
            are made before.
    """

    vectors: TwinVectors
    seconds: float


# A view: each statement reads from the files the columns that it needs. A table of all
# columns first, or one that drops repetitions, takes longer.
_ACCEPTED = """
DROP TABLE accepted;
CREATE VIEW accepted AS
SELECT * EXCLUDE (kind, channel), kind::VARCHAR AS kind, code_of(channel) AS channel,
    epoch_us(event_time) AS event_us, epoch_us(ingest_time) AS known_us
FROM read_parquet('{glob}');
"""


def iterate_statements() -> Iterator[str]:
    """Yield facts, requests, windows, newest events, and what the features make of them."""
    yield from facts.STATEMENTS
    yield from (activity.FACTS, tallies.PRODUCT_FACTS, tallies.PLACE_FACTS, tallies.PRICE_FACTS)
    yield from request.STATEMENTS
    yield from history.STATEMENTS
    yield from newest.STATEMENTS
    yield from (*returns.FEATURES, twin_history.CANCELLATIONS, activity.SAID)
    yield from entities.iterate_statements()
    yield from identities.iterate_families()


def compute_training_rows(
    log: Path, events: pa.Table, cases: pa.Table, n_threads: int = 2
) -> TrainingRows:
    """Return the features of every case of a log at its own event time.

    Args:
        log: Folder of the event log; its Parquet files are read.
        events: Its rows; each event stands once and was known when it happened.
        cases: Its case events.
        n_threads: Threads of DuckDB.

    Raises:
        ValueError: Some event was known later than it happened: window frames by event
            time would tell the future.
    """
    if not is_never_late(events):
        raise ValueError(f"{log} has late events: frames by event time would be wrong")
    with closing(connect(n_threads)) as connection:
        load_tables(connection, log, cases, build_questions(cases))
        started = time.perf_counter()
        connection.execute(_ACCEPTED.format(glob=log / "parquet" / "*" / "*.parquet"))
        for statement in iterate_statements():
            connection.execute(statement)
        names, values = fetch_families(connection)
        seconds = time.perf_counter() - started
    return TrainingRows(TwinVectors(names, values, np.zeros(len(values), np.int64)), seconds)
