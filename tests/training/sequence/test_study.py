"""The contest on a small log: every contender judged on the same later cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.growing import HeadParameters
from training.head_definitions import FULL_HEADS
from training.sequence.fitting import FitSettings
from training.sequence.networks import NetworkSize
from training.sequence.study import StudySettings, study_sequence
from training.sources import open_source


def test_contenders_are_compared_with_bounds_and_their_graphs_agree(simulated_log: Path) -> None:
    heads = tuple(head for head in FULL_HEADS if head.name == "cancel__order")
    source = open_source(simulated_log, lambda *_: None, heads=heads)
    settings = StudySettings(
        size=NetworkSize(length=6, kind_width=4, width=8, n_heads=2, n_layers=1),
        fitting=FitSettings(max_epochs=1),
        trees=HeadParameters(max_trees=20, n_folds=2),
        max_cases=1_500,
    )
    study = study_sequence(source, heads[0], settings)
    names = [one.name for one in study.findings]
    assert names == [
        "trees", "gru alone", "gru on the trees", "transformer alone", "transformer on the trees",
    ]  # fmt: skip
    assert study.n_train == 1_500
    assert 0 < study.n_test_positive < study.n_test
    for one in study.findings:
        assert one.onnx_difference < 1e-5
        assert one.pr_auc.low <= one.pr_auc.value <= one.pr_auc.high
        assert np.isfinite(one.log_loss)
    for one in study.findings[1:]:
        assert one.gain is not None
        assert np.isclose(one.gain.value, one.pr_auc.value - study.findings[0].pr_auc.value)
        assert one.is_better <= (one.gain.low > 0.0)
    assert study.kept == "trees" or study.kept in [f.name for f in study.findings if f.is_better]
