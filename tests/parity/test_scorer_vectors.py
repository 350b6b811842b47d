"""What the scorer reads and computes for a case is the row that training makes of its event."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.serving.requests import iterate_events, to_request
from features.bulk import compute_vectors_at
from features.keys import N_SHARDS
from features.log.arrow_cells import from_arrow
from features.log.cells import EventCells
from features.log.columns import FoldRows, to_fold_rows, to_line_rows, to_request_rows
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.records.packing import PackedRecords
from features.refold import refold
from features.store.memory_store import MemoryFeatureStore
from features.store.port import RecordCommit, ShardProgress
from scoring.cases import unpack_cases
from scoring.conversion import to_case
from scoring.entity_records import compute_case_vectors, read_records
from scoring.validation import to_us
from training.simulation import SimulationConfig, simulate
from training.simulation.config import IngestSettings

_N_MOMENTS = 25


def _fill_store(folded: FoldRows, cells: EventCells, at_us: int) -> MemoryFeatureStore:
    """Return a store that holds what the log had taken in by a time."""
    known = np.flatnonzero(folded.rows["ingest_time_us"] <= at_us)
    keys, owners = np.unique(folded.entity_keys[known], axis=0, return_inverse=True)
    order = np.argsort(owners.ravel(), kind="stable")
    rows = folded.rows[known[order]]
    entities = np.zeros(len(keys), np.uint8)
    entities[owners.ravel()[order]] = rows["entity"]
    nothing = PackedRecords.from_blobs([None] * len(keys))
    packed = refold(nothing, entities, rows, owners.ravel()[order], cells.embeddings)
    store = MemoryFeatureStore()
    shards = keys[:, 0] & (N_SHARDS - 1)
    progress = ShardProgress(applied_ingest_us=at_us)
    for shard in range(N_SHARDS):
        own = np.flatnonzero(shards == shard)
        store.commit_records([RecordCommit(shard, 0, keys[own], packed.take(own), progress)])
    return store


def test_on_a_simulated_log(tmp_path: Path, print_result: Callable[[str], None]) -> None:
    # The stream tells repetitions apart, `_fill_store` does not.
    once = IngestSettings(duplicate_share=0.0)
    config = SimulationConfig(seed=5, n_customers=120, days=300, ingest=once)
    with EventLogWriter(tmp_path / "log", n_partitions=2, formats=("parquet",)) as writer:
        simulate(config, writer)
    table = EventLog(tmp_path / "log").read_table()
    cells = from_arrow(table)
    folded = to_fold_rows(cells)
    found = [to_request_rows(cells), to_line_rows(cells)]
    expected = compute_vectors_at(
        folded.rows,
        folded.entity_keys,
        cells.embeddings,
        np.concatenate([each.rows for each in found]),
        np.concatenate([each.entity_keys for each in found]),
        np.concatenate([each.is_named for each in found]),
    )
    indices = np.concatenate([each.event_index for each in found])
    cases = found[0].event_index
    n_rows = 0
    for index in np.random.default_rng(1).choice(cases[len(cases) // 2 :], _N_MOMENTS):
        (event,) = iterate_events(pa.table(table).slice(int(index), 1))
        now_us = to_us(event.event_time)
        case = to_case(to_request(event), with_lines=True, received_s=0.0, now_us=now_us)
        records = read_records(_fill_store(folded, cells, now_us), [case])
        rows, _ = unpack_cases([case], now_us)
        vectors = compute_case_vectors([case], records, rows).vectors
        np.testing.assert_array_equal(vectors, expected[indices == index])
        n_rows += len(vectors)
    print_result(f"scorer's vectors, simulated log: {n_rows} rows, read + vector = bulk, equal")
