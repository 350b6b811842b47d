"""The row of a score request equals the row that training made of its event, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import json_format

from benchmarks.serving.requests import iterate_events, to_request
from benchmarks.twin.random_log import RandomLog
from features.entities import N_ENTITIES
from features.log.arrow_cells import from_arrow
from features.log.columns import CASE_KINDS, to_line_rows, to_request_rows
from features.log.reader import EventLog
from features.log.validation import validate_batch
from features.log.writer import EventLogWriter
from scoring.cases import unpack_cases
from scoring.conversion import to_case
from scoring.validation import to_us, validate_request
from stream.importers.online_retail.importing import ImportOptions, import_online_retail
from training.simulation import SimulationConfig, simulate


def _compare(batch: pa.RecordBatch, *, is_checked: bool) -> int:
    """Compare rows and names of every accepted case of a batch; return how many there were."""
    valid = validate_batch(batch, 0).valid
    cells = from_arrow(valid)
    expected: dict[int, list[tuple[bytes, list[bytes | None]]]] = {}
    for found in (to_request_rows(cells), to_line_rows(cells)):
        for index, row, keys, is_named in zip(
            found.event_index, found.rows, found.entity_keys, found.is_named, strict=True
        ):
            named = [
                bytes(key) if is_there else None
                for key, is_there in zip(keys, is_named, strict=True)
            ]
            expected.setdefault(int(index), []).append((row.tobytes(), named))
    events = list(iterate_events(valid))
    for index, rows in expected.items():
        event = events[index]
        request, now_us = to_request(event), to_us(event.event_time)
        if is_checked:
            validate_request(request, {event.tenant}, now_us)
        case = to_case(request, with_lines=True, received_s=0.0, now_us=now_us)
        row_bytes = [row.tobytes() for row in unpack_cases([case], now_us)[0]]
        keys = case.entity_keys
        names = [list(keys[n : n + N_ENTITIES]) for n in range(0, len(keys), N_ENTITIES)]
        assert list(zip(row_bytes, names, strict=True)) == rows, json_format.MessageToDict(event)
    return len(expected)


def _compare_log(path: Path, *, is_checked: bool) -> int:
    table = EventLog(path).read_table(list(CASE_KINDS))
    batches = table.to_batches(max_chunksize=4_096)
    return sum(_compare(batch, is_checked=is_checked) for batch in batches)


@pytest.mark.parametrize("is_hostile", [False, True], ids=["awkward", "hostile"])
def test_on_awkward_logs(tmp_path: Path, *, is_hostile: bool) -> None:
    drawn = RandomLog(np.random.default_rng(5), is_hostile=is_hostile)
    with EventLogWriter(tmp_path / "log", n_partitions=1, formats=("parquet",)) as writer:
        writer.append_structs(drawn.draw_events(3_000))
    # Events of 1970 and of the year 9996 are facts of a log, but no live case.
    assert _compare_log(tmp_path / "log", is_checked=not is_hostile) > 1_000


def test_on_a_simulated_log(tmp_path: Path, print_result: Callable[[str], None]) -> None:
    config = SimulationConfig(seed=3, n_customers=220, days=400)
    with EventLogWriter(tmp_path / "log", n_partitions=2, formats=("parquet",)) as writer:
        simulate(config, writer)
    n = _compare_log(tmp_path / "log", is_checked=True)
    print_result(f"request rows, simulated log: {n} cases, scorer = log, 0 differences")
    assert n > 1_000


@pytest.mark.realdata
@pytest.mark.slow
def test_on_a_real_log(
    online_retail: Path, tmp_path: Path, print_result: Callable[[str], None]
) -> None:
    folder = tmp_path / "log"
    import_online_retail(online_retail, folder, ImportOptions(formats=("parquet",)))
    n = _compare_log(folder, is_checked=True)
    print_result(f"request rows, Online Retail: {n} cases, scorer = log, 0 differences")
    assert n > 15_000
