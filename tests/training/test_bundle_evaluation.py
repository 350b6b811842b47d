"""A bundle is judged on later cases alone, as training would have judged it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.definition import DAY_US
from features.errors import ConfigError, HemostatError
from features.request_rows import Call
from training.bundle_evaluation import BundleEvaluation, EvaluationOptions, evaluate_bundle
from training.evaluation.resampling import Resampling
from training.pipeline import TrainingResult
from training.ring_truth import read_rings
from training.simulation.truth import TRUTH_FILE
from training.sources import open_source

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


def test_rings_are_told_by_the_truth_and_found_after_the_birth(
    trained: TrainingResult, simulated_log: Path, tmp_path: Path
) -> None:
    """The customers of six late cases are made a ring: each hint head is asked how it fared."""
    log = tmp_path / "log"
    shutil.copytree(simulated_log, log)
    source = open_source(log, lambda _step, _done, _total: None)
    cases = source.cases.cases[Call.RETURN]
    later = np.flatnonzero(cases.time_us >= trained.manifest.heads[0].window.test_start_us)[:6]
    chosen = set(cases.event_id.take(pa.array(later)).to_pylist())
    truth = pq.read_table(log / TRUTH_FILE)
    names = ["den" if one in chosen else "" for one in truth.column("case_event_id").to_pylist()]
    place = truth.schema.get_field_index("ring")
    told = truth.set_column(place, "ring", pa.array(names))
    abuse = pa.compute.or_(pa.compute.equal(told["ring"], "den"), told["is_abuse"])
    told = told.set_column(told.schema.get_field_index("is_abuse"), "is_abuse", abuse)
    pq.write_table(told, log / TRUTH_FILE)
    rings = read_rings(log)
    assert rings is not None
    assert np.flatnonzero(rings.find(cases) == 0).tolist() == later.tolist()
    found = {
        one.head: one.rings
        for one in evaluate_bundle(EvaluationOptions(trained.folder, log, resampling=FEW)).heads
    }
    assert found["cancel__order"] is None
    assert found["abuse__order"] == ()
    ring = found["abuse__return"]
    assert ring is not None
    assert [one.n_cases for one in ring] == [6]
    nobody = pa.array([""] * len(names))
    pq.write_table(truth.set_column(place, "ring", nobody), log / TRUTH_FILE)
    assert read_rings(log) is None
    (log / TRUTH_FILE).unlink()
    assert read_rings(log) is None
