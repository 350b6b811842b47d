"""The core against the twin on logs made of ties, repetitions, edges and extremes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.twin.cases import read_cases
from benchmarks.twin.core_answer import build_questions, compute_core
from benchmarks.twin.logs import write_random
from benchmarks.twin.parity import compare_with_twin, select
from benchmarks.twin.sampling import draw_cut_queries, draw_queries
from benchmarks.twin.stream_answer import compute_streamed
from benchmarks.twin.twin import compute_twin

N_FREE = 1_200


@pytest.mark.parametrize("is_hostile", [False, True], ids=["awkward", "hostile"])
def test_every_feature_equals_the_twin(
    is_hostile: bool, tmp_path: Path, print_result: Callable[[str], None]
) -> None:
    log = write_random(tmp_path / "log", n_events=4_000, seed=1, is_hostile=is_hostile)
    events, cases = read_cases(log)
    rng = np.random.default_rng(1)
    free = draw_queries(events, cases, N_FREE, rng)
    at_cuts = draw_cut_queries(events, cases, 3, 110, rng)
    queries = pa.concat_tables([free, at_cuts])
    twin = compute_twin(log, cases, queries)
    in_bulk = compute_core(log, build_questions(cases, queries))
    streamed = compute_streamed(log, tmp_path, build_questions(cases, at_cuts), batch_size=500)

    whole = compare_with_twin(in_bulk, queries, twin)
    through = compare_with_twin(streamed, at_cuts, select(twin, slice(N_FREE, None)))
    name = "hostile" if is_hostile else "awkward"
    print_result(f"twin, {name} log, in bulk: {whole}")
    assert whole.differences == ()
    assert through.differences == ()
    assert np.isfinite(in_bulk[~np.isnan(in_bulk)]).all()
    still = [
        feature
        for feature, column in zip(twin.names, twin.values.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    assert is_hostile or still == []  # Some events of a hostile log are all refused.
