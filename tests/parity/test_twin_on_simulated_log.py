"""The core against the twin on a simulated shop: texts, channels, late and told twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.twin.cases import read_cases
from benchmarks.twin.core_answer import build_questions, compute_core
from benchmarks.twin.logs import write_simulated
from benchmarks.twin.parity import compare_with_twin, select
from benchmarks.twin.sampling import draw_cut_queries, draw_queries
from benchmarks.twin.stream_answer import compute_streamed
from benchmarks.twin.twin import compute_twin

N_FREE = 2_200


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "log"
    return write_simulated(folder, n_customers=200, days=500, seed=11)


def test_every_feature_equals_the_twin_in_bulk_and_through_the_store(
    log: Path, tmp_path: Path, print_result: Callable[[str], None]
) -> None:
    events, cases = read_cases(log)
    rng = np.random.default_rng(8)
    free = draw_queries(events, cases, N_FREE, rng)
    at_cuts = draw_cut_queries(events, cases, 4, 200, rng)
    queries = pa.concat_tables([free, at_cuts])
    twin = compute_twin(log, cases, queries)
    in_bulk = compute_core(log, build_questions(cases, queries))
    streamed = compute_streamed(log, tmp_path, build_questions(cases, at_cuts), batch_size=300)

    whole = compare_with_twin(in_bulk, queries, twin)
    through = compare_with_twin(streamed, at_cuts, select(twin, slice(N_FREE, None)))
    print_result(f"twin, simulated log, in bulk: {whole}")
    print_result(f"twin, simulated log, stream -> store -> vector, stopped 4 times: {through}")
    assert whole.differences == ()
    assert through.differences == ()
    assert whole.n_pairs > 2_900
