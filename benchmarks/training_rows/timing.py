"""Training rows per second: the bulk job, the analyst's DuckDB script, Feast's join.

Point-in-time rows alone, history and questions at hand: ours from decoded events, DuckDB
from the log's Parquet, which costs it no more than tables of its own (3.75 s and 3.95 s
for 200,000 events), Feast from feature rows that somebody has prepared. Ours is compared
with each on the same questions: every case with DuckDB, every event with Feast.

Beside it stands ours from the Parquet files on, checks and hashing of every event
included, which neither baseline does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.stream.bulk import ask_at_every_event
from benchmarks.stream.events import append_lines, iterate_lines
from benchmarks.stream.world import FILL_DAYS, FILL_START
from benchmarks.training_rows.query import compute_training_rows
from features.log.history import Ask, ask_at_cases, read_history
from features.log.reader import EventLog
from features.log.writer import EventLogWriter

_CASES = ("order_placed", "cancel_requested", "return_requested")
_EVENTS_PER_CUSTOMER = 20
_N_WARM_UPS = 3


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
class _Rates:
    """Rows per second of ours: with the history at hand, and from the files on."""

    at_hand: float
    from_parquet: float


def _measure_ours(path: Path, ask: Ask, repeats: int) -> _Rates:
    """Return medians."""
    rates = []
    for _ in range(_N_WARM_UPS + repeats):
        start = time.perf_counter()
        history = read_history(EventLog(path), ask)
        read = time.perf_counter()
        n_rows = len(history.compute_vectors())
        end = time.perf_counter()
        rates.append((n_rows / (end - read), n_rows / (end - start)))
    at_hand, from_parquet = zip(*rates[_N_WARM_UPS:], strict=True)
    return _Rates(statistics.median(at_hand), statistics.median(from_parquet))


def _measure_baseline(measure: Callable[[], float]) -> float:
    """Return the better rate of two times; the first pays for memory as ours' warm-up does."""
    return max(measure() for _ in range(2))


def measure_training_rows(
    folder: Path, n_events: int, n_columns: int, repeats: int
) -> dict[str, float]:
    """Return rows per second of all three, and ours to each baseline's on the same questions.

    Args:
        folder: Where the log is made.
        n_events: Length of the log.
        n_columns: Features of the customer, for Feast.
        repeats: Runs of ours; a baseline runs twice, and the better time counts.
    """
    log = write_log(folder, n_events)
    events = EventLog(log).read_table()
    cases = events.filter(pc.is_in(events["kind"].cast(pa.string()), pa.array(_CASES)))
    at_cases = _measure_ours(log, ask_at_cases, repeats)

    def run_sql() -> float:
        rows = compute_training_rows(log, events, cases)
        return len(rows.vectors.values) / rows.seconds

    sql_rate = _measure_baseline(run_sql)
    figures = {
        "case_rows_at_hand_per_s": at_cases.at_hand,
        "case_rows_from_parquet_per_s": at_cases.from_parquet,
        "duckdb_case_rows_per_s": sql_rate,
        "ratio_training_rows_to_duckdb": at_cases.at_hand / sql_rate,
        "ratio_from_parquet_to_duckdb": at_cases.from_parquet / sql_rate,
    }
    ratios = [at_cases.at_hand / sql_rate]
    if find_spec("feast"):
        from benchmarks.training_rows.feast_history import measure_history

        everywhere = _measure_ours(log, ask_at_every_event, repeats)
        joined = _measure_baseline(lambda: measure_history(events, n_columns))
        ratios.append(everywhere.at_hand / joined)
        figures |= {
            "event_rows_at_hand_per_s": everywhere.at_hand,
            "event_rows_from_parquet_per_s": everywhere.from_parquet,
            "feast_history_rows_per_s": joined,
            "ratio_training_rows_to_feast": everywhere.at_hand / joined,
            "ratio_from_parquet_to_feast": everywhere.from_parquet / joined,
        }
    return {**figures, "ratio_training_rows_to_baseline": min(ratios)}
