"""Training rows per second: the bulk job, the analyst's DuckDB script, Feast's join.

Each starts from Parquet files and ends with rows in memory: ours and DuckDB from the
log's events, Feast from feature rows that somebody has prepared. Ours is compared with
each on the same questions: every case with DuckDB, every event with Feast.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.stream.bulk import History, Questions, ask_at_cases, ask_at_every_event
from benchmarks.stream.events import append_lines, iterate_lines
from benchmarks.stream.world import FILL_DAYS, FILL_START
from benchmarks.training_rows.query import compute_training_rows
from features.bulk import compute_vectors_at
from features.log.decode_batch import decode_batch
from features.log.fan_out import FoldRows, to_fold_rows
from features.log.reader import EventLog
from features.log.writer import EventLogWriter

_CASES = ("order_placed", "cancel_requested", "return_requested")
_EVENTS_PER_CUSTOMER = 20
_BATCH = 100_000

Ask = Callable[[History], Questions]
"""What is asked of some events."""


def write_log(folder: Path, n_events: int) -> Path:
    """Write the world's events, each known when it happens, as a Parquet log."""
    raw = folder / "events.jsonl"
    n_customers = max(1, n_events // _EVENTS_PER_CUSTOMER)
    per_s = n_events / timedelta(days=FILL_DAYS).total_seconds()
    append_lines(raw, iterate_lines(5, n_events, n_customers, 0, FILL_START, per_s))
    with EventLogWriter(folder / "log", n_partitions=2, formats=("parquet",)) as writer:
        writer.append_table(EventLog(raw).read_table())
    return folder / "log"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A partition's events as the bulk job wants them, and what is asked of them."""

    fold: FoldRows
    embeddings: npt.NDArray[np.int8]
    questions: Questions


def _read_partition(log: EventLog, partition: int, ask: Ask) -> _Asked:
    """Return a partition's accepted events; a customer's stand in one partition."""
    batches = [batch for _, batch in log.read_batches(partition, batch_size=_BATCH)]
    cells = decode_batch(pa.Table.from_batches(batches, batches[0].schema)).cells
    fold = to_fold_rows(cells)
    return _Asked(fold, cells.embeddings, ask(History(cells, fold)))


def _compute_ours(path: Path, ask: Ask) -> npt.NDArray[np.float32]:
    """Return a vector per question, from the Parquet files on; a thread per partition."""
    log = EventLog(path)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        parts = list(threads.map(lambda each: _read_partition(log, each, ask), log.partitions))
    n_embeddings = n_events = 0
    events = []
    for part in parts:
        rows = part.fold.rows
        rows["embedding"][rows["embedding"] >= 0] += n_embeddings
        events.append(part.fold.event_index + n_events)
        n_embeddings += len(part.embeddings)
        n_events += len(part.fold.event_keys)
    return compute_vectors_at(
        np.concatenate([part.fold.rows for part in parts]),
        np.concatenate([part.fold.entity_keys for part in parts]),
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.questions.requests for part in parts]),
        np.concatenate([part.questions.keys for part in parts]),
        np.concatenate([part.questions.is_named for part in parts]),
        event_index=np.concatenate(events),
    )


def _measure_ours(path: Path, ask: Ask, repeats: int) -> float:
    """Return rows per second, a median; the first time is not counted."""
    _compute_ours(path, ask)
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        n_rows = len(_compute_ours(path, ask))
        rates.append(n_rows / (time.perf_counter() - start))
    return statistics.median(rates)


def measure_training_rows(
    folder: Path, n_events: int, n_columns: int, repeats: int
) -> dict[str, float]:
    """Return rows per second of all three, and ours to each baseline's on the same questions.

    Args:
        folder: Where the log is made.
        n_events: Length of the log.
        n_columns: Features of the customer, for Feast.
        repeats: Runs of ours; a baseline runs once.
    """
    log = write_log(folder, n_events)
    events = EventLog(log).read_table()
    cases = events.filter(pc.is_in(events["kind"].cast(pa.string()), pa.array(_CASES)))
    at_cases = _measure_ours(log, ask_at_cases, repeats)
    by_sql = compute_training_rows(log, events, cases)
    sql_rate = len(by_sql.vectors.values) / by_sql.seconds
    figures = {
        "case_rows_from_parquet_per_s": at_cases,
        "duckdb_case_rows_per_s": sql_rate,
        "ratio_training_rows_to_duckdb": at_cases / sql_rate,
    }
    ratios = [at_cases / sql_rate]
    if find_spec("feast"):
        from benchmarks.training_rows.feast_history import measure_history

        everywhere = _measure_ours(log, ask_at_every_event, repeats)
        joined = measure_history(events, n_columns)
        ratios.append(everywhere / joined)
        figures |= {
            "training_rows_from_parquet_per_s": everywhere,
            "feast_history_rows_per_s": joined,
            "ratio_training_rows_to_feast": everywhere / joined,
        }
    return {**figures, "ratio_training_rows_to_baseline": min(ratios)}
