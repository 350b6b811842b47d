"""The core against the twin on a real shop's history (UCI Online Retail)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.twin.cases import read_cases
from benchmarks.twin.core_answer import build_questions, compute_core
from benchmarks.twin.logs import write_online_retail
from benchmarks.twin.parity import compare_with_twin, select
from benchmarks.twin.sampling import draw_cut_queries, draw_queries
from benchmarks.twin.stream_answer import compute_streamed
from benchmarks.twin.twin import compute_twin
from features.definitions import FEATURE_NAMES
from features.request_rows import Call

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

# With the simulated and the awkward logs a tenth of `make parity`.
N_FREE = 3_850
N_CUTS = 4
N_PER_CUT = 310


@pytest.fixture(scope="module")
def log(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_online_retail(online_retail, tmp_path_factory.mktemp("retail") / "log")


def test_every_feature_equals_the_twin_in_bulk_and_through_the_store(
    log: Path, tmp_path: Path, print_result: Callable[[str], None]
) -> None:
    events, cases = read_cases(log)
    rng = np.random.default_rng(20_111)
    free = draw_queries(events, cases, N_FREE, rng)
    at_cuts = draw_cut_queries(events, cases, N_CUTS, N_PER_CUT, rng)
    queries = pa.concat_tables([free, at_cuts])
    twin = compute_twin(log, cases, queries)
    in_bulk = compute_core(log, build_questions(cases, queries))
    streamed = compute_streamed(log, tmp_path, build_questions(cases, at_cuts))

    whole = compare_with_twin(in_bulk, queries, twin)
    through = compare_with_twin(streamed, at_cuts, select(twin, slice(N_FREE, None)))
    n_off = count_off_events(events, queries)
    print_result(
        f"twin, Online Retail, in bulk: {whole}; {n_off / queries.num_rows:.0%} of the times "
        "are no time of an event of that customer"
    )
    print_result(
        f"twin, Online Retail, stream -> store -> vector, stopped {N_CUTS} times: {through}"
    )
    assert whole.differences == ()
    assert through.differences == ()
    assert whole.n_pairs >= 5_000
    assert whole.n_left_out < 0.02 * whole.n_pairs
    assert through.n_pairs >= whole.n_pairs / 5
    assert n_off > 0.5 * queries.num_rows
    assert set(queries["call"].to_pylist()) == set(Call)
    assert streamed.tobytes() == in_bulk[N_FREE:].tobytes()


def count_off_events(events: pa.Table, queries: pa.Table) -> int:
    """Return how many questions ask at a time at which nothing of that customer happened."""
    happened: set[tuple[str, int]] = set()
    for name in ("event_time", "ingest_time"):
        times = events[name].cast(pa.int64()).to_pylist()
        happened.update(zip(events["customer_id"].to_pylist(), times, strict=True))
    asked = zip(queries["customer_id"].to_pylist(), queries["time_us"].to_pylist(), strict=True)
    return sum(pair not in happened for pair in asked)


def test_the_questions_move_what_this_shop_can_tell(log: Path) -> None:
    # Against a vacuous parity: features that this log moves must not stand still.
    events, cases = read_cases(log)
    queries = draw_queries(events, cases, 3_000, np.random.default_rng(1))
    vectors = compute_core(log, build_questions(cases, queries))
    moving = {
        name
        for name, column in zip(FEATURE_NAMES, vectors.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) > 1
    }
    windows = ("7d", "30d", "90d", "365d", "lifetime")
    whats = ("order_count", "return_count", "cancel_count", "return_rate", "return_value_rate",
             "cancel_rate")  # fmt: skip
    assert {f"{what}_{window}" for what in whats for window in windows} <= moving
    assert {
        "time_to_return_last_days",
        "time_to_return_std_last16_days",
        "time_to_return_late_share_last16",
        "tenure_lifetime_days",
        "no_receipt_return_count_lifetime",
        "net_value_365d_minor",
        "request_hold_days",
        "request_multi_variant_share",
        "request_order_value_share",
    } <= moving
