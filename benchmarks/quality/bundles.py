"""Whole bundles as `hemostat train` makes them: parity with XGBoost, time, the heads' figures."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.quality.online_retail import CUT_US
from benchmarks.report import Value, is_short
from features.log.writer import EventLogWriter
from training.pipeline import TrainingResult, train_bundle
from training.simulation import SimulationConfig, simulate
from training.simulation.truth import TRUTH_FILE, TruthWriter
from training.training_options import TrainingOptions

SIMULATED_BUNDLES = "bundles-simulated"
"""Where in the folder the bundle of the simulated log stands."""


def simulate_log(log: Path) -> Path:
    """Return a simulated log with its truth beside it."""
    config = SimulationConfig(n_customers=1_500 if is_short() else 3_000)
    writer = EventLogWriter(log, formats=("parquet",), created_by="hemostat simulate")
    with writer, TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth:
        simulate(config, writer, truth, lambda _day: None)
    return log


def measure_bundles(
    folder: Path, log: Path | None, simulated: Path, values: dict[str, Value]
) -> None:
    """Fill in parity of graph and XGBoost over all heads, and the time that training takes.

    Args:
        folder: Where bundles are written.
        log: Online Retail's log; None: not there.
        simulated: A simulated log.
        values: Figures by name.
    """
    jobs = {"simulated": TrainingOptions(log=simulated, out=folder / SIMULATED_BUNDLES)}
    if log is not None:
        jobs["online_retail"] = TrainingOptions(
            log=log, out=folder / "bundles-online-retail", abuse_from=simulated, cut_us=CUT_US
        )
    results = {}
    for name, options in jobs.items():
        started = time.perf_counter()
        results[name] = train_bundle(options, now=lambda: datetime.now(UTC))
        values[f"train_{name}_s"] = time.perf_counter() - started
    parities = [parity for result in results.values() for parity in result.parities]
    values["parity_rows"] = sum(parity.n_rows for parity in parities)
    largest = max(parity.max_difference for parity in parities)
    values["parity_max_difference_millionths"] = 1e6 * largest
    values["parity_changed_hints"] = sum(parity.n_changed_hints for parity in parities)
    _describe_simulated(results["simulated"], values)


def _describe_simulated(result: TrainingResult, values: dict[str, Value]) -> None:
    """Fill in the simulated tenant's figures, as its manifest has them."""
    for head in result.manifest.heads:
        if head.metrics is None:
            continue
        prefix = f"simulated_{head.name}"
        values[f"{prefix}_prevalence"] = head.metrics.prevalence
        values[f"{prefix}_pr_auc"] = head.metrics.pr_auc.value
        values[f"{prefix}_roc_auc"] = head.metrics.roc_auc.value
        values[f"{prefix}_calibration_error"] = head.metrics.calibration_error
        if head.metrics.false_alarm_rate is not None and head.metrics.recall is not None:
            values[f"{prefix}_false_alarm_rate"] = head.metrics.false_alarm_rate
            values[f"{prefix}_recall"] = head.metrics.recall
