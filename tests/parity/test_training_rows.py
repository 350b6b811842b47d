"""The analyst's training rows against the twin: the baseline must compute the same features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.training_rows.query import compute_training_rows
from benchmarks.training_rows.questions import build_questions, write_prompt_copy
from benchmarks.twin.cases import read_cases
from benchmarks.twin.comparison import compare_vectors
from benchmarks.twin.random_log import RandomLog
from benchmarks.twin.twin import compute_twin
from features.log.writer import EventLogWriter


def write_random(folder: Path, n_events: int) -> Path:
    drawn = RandomLog(np.random.default_rng(3), n_customers=30, span_days=300)
    with EventLogWriter(folder, n_partitions=2, formats=("parquet",)) as writer:
        writer.append_structs(drawn.draw_events(n_events))
    return folder


def test_every_feature_of_the_analyst_equals_the_twin(tmp_path: Path) -> None:
    log = write_prompt_copy(write_random(tmp_path / "told", 2_500), tmp_path / "log")
    events, cases = read_cases(log)
    rows = compute_training_rows(log, events, cases).vectors
    twin = compute_twin(log, cases, build_questions(cases))
    assert compare_vectors(rows.values, rows.names, twin) == []
    assert rows.values.shape[0] == cases.num_rows > 1_000


def test_late_events_are_refused_because_frames_by_event_time_would_leak(tmp_path: Path) -> None:
    log = write_random(tmp_path / "log", 200)
    events, cases = read_cases(log)
    with pytest.raises(ValueError, match="late events"):
        compute_training_rows(log, events, cases)
