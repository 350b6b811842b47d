"""A bundle is judged on later cases alone, as training would have judged it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.definition import DAY_US
from features.errors import ConfigError, HemostatError
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from training.bundle_evaluation import BundleEvaluation, EvaluationOptions, evaluate_bundle
from training.evaluation.resampling import Resampling
from training.log_reading import read_accepted_events
from training.pipeline import TrainingResult
from training.ring_truth import read_rings
from training.simulation import SimulationConfig, simulate
from training.simulation.truth import TRUTH_FILE, TruthWriter

FEW = Resampling(30)


@pytest.fixture(scope="module")
def judged(trained: TrainingResult, simulated_log: Path) -> BundleEvaluation:
    return evaluate_bundle(EvaluationOptions(trained.folder, simulated_log, resampling=FEW))


def test_a_bundle_on_its_own_log_has_the_figures_of_its_manifest(
    judged: BundleEvaluation, trained: TrainingResult
) -> None:
    assert [one.head for one in judged.heads] == [head.name for head in trained.manifest.heads]
    assert judged.skipped == ()
    for one, head in zip(judged.heads, trained.manifest.heads, strict=True):
        metrics, figures = head.metrics, one.figures
        assert metrics is not None
        assert figures is not None
        assert (figures.n, figures.n_positive) == (metrics.n, metrics.n_positive)
        assert figures.pr_auc.value == pytest.approx(metrics.pr_auc.value, abs=1e-4)
        assert figures.roc_auc.value == pytest.approx(metrics.roc_auc.value, abs=1e-4)
        assert figures.calibration_error.value == pytest.approx(metrics.calibration_error, abs=1e-3)
        if figures.recall is not None and figures.false_alarm_share is not None:
            assert figures.recall.value == pytest.approx(metrics.recall)
            assert figures.false_alarm_share.value == pytest.approx(metrics.false_alarm_rate)
        assert one.coverage.n_known == figures.n <= one.coverage.n_cases
        assert 0.0 < one.coverage.n_effective <= one.coverage.n_known + 1e-6
        assert (one.from_us, one.until_us) == (head.window.test_start_us, head.window.test_end_us)


def test_curves_and_figures_tell_the_same(judged: BundleEvaluation) -> None:
    for one in judged.heads:
        assert one.figures is not None
        assert one.curves is not None
        for target, recall in one.figures.recall_at.items():
            found = np.interp(target, one.curves.alarms.x, one.curves.alarms.y)
            steps = np.abs(np.diff(one.curves.alarms.y)).max()
            assert found == pytest.approx(recall.value, abs=steps + 1e-9)
        roc = one.curves.roc
        assert np.trapezoid(roc.y, roc.x) == pytest.approx(one.figures.roc_auc.value, abs=0.03)
        money, hint = one.curves.money, one.figures.money
        if hint is not None and one.threshold is not None and one.threshold <= money.x[-1]:
            near = np.interp(one.threshold, money.x, money.y)
            assert near == pytest.approx(hint.value, abs=np.abs(np.diff(money.y)).max() + 1e-6)
        assert one.curves.scores.positive.sum() == pytest.approx(1.0)
        assert len(one.drivers) > 0
        strengths = [driver.strength for driver in one.drivers]
        assert strengths == sorted(strengths, reverse=True)


def test_a_later_start_judges_fewer_cases_and_an_earlier_one_is_refused(
    judged: BundleEvaluation, trained: TrainingResult, simulated_log: Path
) -> None:
    options = EvaluationOptions(trained.folder, simulated_log, resampling=FEW)
    born_us = trained.manifest.heads[0].window.test_start_us
    later = evaluate_bundle(replace(options, from_us=born_us + 40 * DAY_US))
    all_cases = {one.head: one.coverage.n_cases for one in judged.heads}
    for one in later.heads:
        assert 0 < one.coverage.n_cases < all_cases[one.head]
    with pytest.raises(ConfigError, match="--from"):
        evaluate_bundle(replace(options, from_us=born_us - DAY_US))


def test_nothing_to_judge_is_said(trained: TrainingResult, simulated_log: Path) -> None:
    end_us = trained.manifest.heads[0].window.test_end_us + 365 * DAY_US
    options = EvaluationOptions(trained.folder, simulated_log, from_us=end_us)
    with pytest.raises(HemostatError, match="no case after the start has matured"):
        evaluate_bundle(options)


def test_rings_are_accounts_that_share_an_address(tmp_path: Path) -> None:
    """Each ring of the world has few accounts, and all abuse of one is told as one ring's."""
    log = tmp_path / "log"
    config = SimulationConfig(n_customers=600, days=200, seed=4, abuser_scale=1.0, ring_scale=20.0)
    writer = EventLogWriter(log, formats=("parquet",), created_by="hemostat simulate")
    with writer, TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth:
        simulate(config, writer, truth)
    events = read_accepted_events(EventLog(log), EventLog(log).manifest.tenants[0])
    rings = read_rings(log, events.batch)
    assert rings is not None
    assert len(rings.case_ids) == len(rings.rings) > 10
    owner = dict(zip(events.batch.column("event_id").to_pylist(),
                     events.batch.column("customer_id").to_pylist(), strict=True))  # fmt: skip
    accounts: dict[int, set[str]] = {}
    for case, ring in zip(rings.case_ids.to_pylist(), rings.rings.tolist(), strict=True):
        accounts.setdefault(ring, set()).add(owner[case])
    assert len(accounts) > 1
    assert max(len(names) for names in accounts.values()) > 1
    assert sum(len(names) for names in accounts.values()) == len(set().union(*accounts.values()))
    (log / TRUTH_FILE).unlink()
    assert read_rings(log, events.batch) is None
    assert math.isclose(float(pa.compute.max(pa.array(rings.rings)).as_py()), len(accounts) - 1)
