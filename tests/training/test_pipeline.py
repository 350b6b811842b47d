"""Training end to end: reproducible, measured later, checked, and honest about its sources."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.definition import DAY_US
from features.errors import ConfigError, HemostatError, LogFormatError
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.model_bundle import load_manifest, read_bundle, to_rows, verify_golden_outputs
from training.onnx_export import PARITY_TOLERANCE, open_session, run_model
from training.pipeline import TrainingResult
from training.side_table import LINE_TABLE_FILE

Train = Callable[..., TrainingResult]

FIVE = {
    "cancel__order", "return__order", "cancel__cancellation", "abuse__order", "abuse__return",
}  # fmt: skip


def test_a_log_with_verdicts_teaches_all_five_heads(trained: TrainingResult) -> None:
    manifest = trained.manifest
    assert {head.name for head in manifest.heads} == FIVE
    assert trained.skipped == []
    assert {head.label_source for head in manifest.heads} == {"tenant"}
    for head in manifest.heads:
        has_hint = head.verify_threshold is not None
        assert has_hint == (head.target == "abuse")


def test_the_bundle_passes_the_checks_of_a_server(trained: TrainingResult) -> None:
    bundle = read_bundle(trained.folder.parent)
    assert bundle.folder == trained.folder.resolve()
    outputs = run_model(open_session(bundle.model), to_rows(bundle.manifest.golden))
    verify_golden_outputs(bundle.manifest, outputs)
    assert len(bundle.manifest.golden.rows) >= 32
    assert set(bundle.manifest.files) >= {
        "MODEL_CARD.md", "MODEL_CARD.zh-CN.md", "report/index.html",
    }  # fmt: skip


def test_the_graph_equals_xgboost_on_the_whole_test_split(
    trained: TrainingResult, print_result: Callable[[str], None]
) -> None:
    for parity in trained.parities:
        assert parity.n_rows > 0
        assert parity.max_difference <= PARITY_TOLERANCE
        assert parity.n_changed_hints == 0
    n_rows = sum(parity.n_rows for parity in trained.parities)
    largest = max(parity.max_difference for parity in trained.parities)
    print_result(
        f"ONNX against XGBoost: {n_rows:,} rows of {len(trained.parities)} heads (simulated log), "
        f"largest difference {largest:.1e}, 0 changed hints"
    )


def test_the_same_log_and_seed_give_the_same_version(
    trained: TrainingResult, train: Train, simulated_log: Path, tmp_path: Path
) -> None:
    again = train(simulated_log, tmp_path / "bundles")
    assert again.manifest.version == trained.manifest.version
    other = train(simulated_log, tmp_path / "bundles", seed=8)
    assert other.manifest.version != trained.manifest.version


def test_heads_are_measured_after_all_that_they_learned_from(trained: TrainingResult) -> None:
    for head in trained.manifest.heads:
        window = head.window
        horizon_us = head.horizon_days * DAY_US
        assert window.train_start_us < window.train_end_us
        assert window.train_end_us + horizon_us <= window.test_start_us + 1
        assert window.test_start_us < window.test_end_us
        assert head.metrics is not None
        # Some heads have few dozen cases here: no better than chance would show in the interval.
        assert (head.metrics.roc_auc.high or 0.0) > 0.55


def test_what_the_log_tells_after_the_cut_changes_no_tree(
    trained: TrainingResult, train: Train, simulated_log: Path, tmp_path: Path
) -> None:
    """Scramble the future: the graph's bytes stay, since nobody could know it."""
    cut_us = trained.manifest.heads[0].window.test_start_us
    table = EventLog(simulated_log).read_table()
    ingest_us = table.column("ingest_time").cast(pa.int64()).to_numpy()
    later = np.flatnonzero(ingest_us > cut_us)
    kept = np.random.default_rng(0).permutation(later)[: len(later) // 3]
    scrambled = tmp_path / "scrambled"
    with EventLogWriter(scrambled, formats=("parquet",)) as writer:
        writer.append_table(table.take(pa.array(np.flatnonzero(ingest_us <= cut_us))))
        writer.append_table(table.take(pa.array(np.sort(kept))))
    other = train(scrambled, tmp_path / "bundles", cut_us=cut_us)
    for name in ("model.onnx", "trees.npz"):
        assert other.manifest.files[name] == trained.manifest.files[name]
    assert other.manifest.version != trained.manifest.version


def test_the_model_card_says_that_the_data_is_simulated(trained: TrainingResult) -> None:
    card = (trained.folder / "MODEL_CARD.md").read_text()
    assert "This log is simulated" in card
    for head in trained.manifest.heads:
        assert f"### `{head.name}`" in card
    assert trained.manifest.version not in card


def _make_shop(make: Any, folder: Path) -> Path:
    """A log without deliveries and verdicts: who buys `dear` lines brings them back."""
    random = np.random.default_rng(1)
    events = []
    for n in range(600):
        day, price = float(random.uniform(0, 300)), int(random.integers(100, 10_000))
        customer = f"c{n % 90}"
        events.append(make.order(day, f"o{n}", price=price, customer=customer))
        if price > 7_000 and random.random() < 0.7:
            events.append(make.returned(day + 9, f"r{n}", f"o{n}", f"o{n}-1", customer=customer))
    log = folder / "shop"
    with EventLogWriter(log, formats=("parquet",), created_by="import of a test") as writer:
        writer.append_structs(sorted(events, key=lambda event: event.ingest_time))
    return log


def test_a_shop_without_deliveries_has_its_one_head_and_no_p_cancel(
    make: Any, train: Train, tmp_path: Path
) -> None:
    result = train(_make_shop(make, tmp_path), tmp_path / "bundles")
    assert [head.name for head in result.manifest.heads] == ["return_or_cancel_30d__order_line"]
    assert result.manifest.heads[0].label_source == "tenant"
    metrics = result.manifest.heads[0].metrics
    assert metrics is not None
    assert metrics.roc_auc.value > 0.8


def test_abuse_heads_from_a_simulated_log_say_so(
    make: Any, train: Train, simulated_log: Path, tmp_path: Path
) -> None:
    log = _make_shop(make, tmp_path)
    result = train(log, tmp_path / "bundles", abuse_from=simulated_log)
    sources = {head.name: head.label_source for head in result.manifest.heads}
    assert sources == {
        "return_or_cancel_30d__order_line": "tenant",
        "abuse__order": "simulated",
        "abuse__return": "simulated",
    }
    assert result.manifest.tenant == "shop"
    assert result.manifest.simulated_log_incarnation
    assert "shadow" in (result.folder / "MODEL_CARD.md").read_text()


def test_simulated_abuse_heads_do_not_displace_the_tenants_own(
    train: Train, simulated_log: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--abuse-from"):
        train(simulated_log, tmp_path / "bundles", abuse_from=simulated_log)


def test_lines_that_are_no_products_are_left_out(make: Any, train: Train, tmp_path: Path) -> None:
    log = _make_shop(make, tmp_path)
    # In this shop the price alone says what comes back: the leak gate has to be told.
    allowed = ("request_value_minor", "request_unit_price_minor")
    train = partial(train, allowed_columns=allowed)
    everything = train(log, tmp_path / "all").manifest.heads[0].n_train
    ids = [f"o{n}-{line}" for n in range(600) for line in (1, 2)]
    pq.write_table(
        pa.table(
            {
                "line_id": ids,
                "article_kind": ["product" if name.endswith("-1") else "postage" for name in ids],
                "event_ids": pa.array([[]] * len(ids), pa.list_(pa.string())),
                "is_reinvoiced_within_1h": pa.array([None] * len(ids), pa.bool_()),
            }
        ),
        log / LINE_TABLE_FILE,
    )
    assert train(log, tmp_path / "products").manifest.heads[0].n_train == everything // 2


def test_a_side_table_that_is_none_is_refused(make: Any, train: Train, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.parquet"
    pq.write_table(pa.table({"x": [1]}), wrong)
    for lines in (wrong, tmp_path / "absent.parquet"):
        with pytest.raises(LogFormatError, match="--lines"):
            train(_make_shop(make, tmp_path / lines.stem), tmp_path / "out", lines=lines)


def test_a_head_with_too_few_cases_is_left_out_and_named(
    make: Any, train: Train, tmp_path: Path
) -> None:
    events = [make.order(n / 10, f"o{n}") for n in range(50)]
    log = tmp_path / "log"
    with EventLogWriter(log, formats=("parquet",)) as writer:
        writer.append_structs(events)
    with pytest.raises(HemostatError, match="return_or_cancel_30d__order_line"):
        train(log, tmp_path / "bundles")
    assert not (tmp_path / "bundles").exists()


def test_a_cut_outside_the_log_is_refused(
    train: Train, simulated_log: Path, tmp_path: Path
) -> None:
    late = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    with pytest.raises(ConfigError, match="2040-01-01"):
        train(simulated_log, tmp_path / "bundles", cut_us=late)


def test_the_manifest_on_disk_is_the_one_returned(trained: TrainingResult) -> None:
    assert load_manifest(trained.folder.parent) == trained.manifest
