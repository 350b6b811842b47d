"""`hemostat train` asks the gate: a log's own table passes, a planted column does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.definitions import FEATURE_NAMES
from features.errors import ConfigError
from training.labels import HeadDefinition, label_cases
from training.leaks.findings import LeakKind
from training.leaks.gate import LeakError
from training.leaks.guarding import require_honest_head, require_honest_source
from training.learning import HeadParts, divide_cases
from training.registry.lineage import encode_lineage, make_lineage, read_lineage
from training.sources import LearningSource, open_source

PLANTED = 17


@pytest.fixture(scope="module")
def source(simulated_log: Path) -> LearningSource:
    """The small simulated log, ready to learn from."""
    return open_source(simulated_log, lambda _step, _done, _total: None)


def _divide(source: LearningSource) -> tuple[HeadDefinition, HeadParts]:
    definition = next(head for head in source.heads if head.name == "abuse__return")
    cases = source.cases.cases[definition.call]
    end_us = source.cases.end_us
    return definition, divide_cases(definition, cases, source.cases.facts, source.cut_us, end_us, 7)


def test_the_vectors_and_labels_of_a_log_pass(source: LearningSource) -> None:
    require_honest_source(source)
    definition, parts = _divide(source)
    require_honest_head(definition, source, parts)


def test_a_planted_column_is_refused_by_name_unless_it_is_allowed(source: LearningSource) -> None:
    definition, parts = _divide(source)
    cases = source.cases.cases[definition.call]
    labels = label_cases(definition, cases, source.cases.facts, source.cases.end_us)
    rows = cases.rows.copy()
    rows[:, PLANTED] = np.where(labels.is_observed, labels.value, np.nan)
    held = {**source.cases.cases, definition.call: replace(cases, rows=rows)}
    planted = replace(source, cases=replace(source.cases, cases=held))
    with pytest.raises(LeakError) as refused:
        require_honest_head(definition, planted, parts)
    (finding,) = refused.value.findings
    assert (finding.kind, finding.column) == (LeakKind.POST_OUTCOME_FIELD, FEATURE_NAMES[PLANTED])
    require_honest_head(definition, planted, parts, allowed=(FEATURE_NAMES[PLANTED],))
    # It was made from verdicts told later than the log's beginning, too.
    with pytest.raises(LeakError, match=FEATURE_NAMES[PLANTED]):
        require_honest_source(planted)


def test_a_name_that_is_no_column_is_refused_before_anything_is_learned(
    train: Callable[..., Any], simulated_log: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="did you mean order_count_lifetime"):
        train(simulated_log, tmp_path / "out", allowed_columns=("order_count_lifetme",))
    assert not (tmp_path / "out").exists()


def test_the_lineage_says_what_was_allowed(tmp_path: Path) -> None:
    lineage = make_lineage(
        [], lines=None, code_version="1", seed=1, parameters={}, parities=[],
        allowed_columns=("b", "a"),
    )  # fmt: skip
    (tmp_path / "lineage.json").write_bytes(encode_lineage(lineage))
    read = read_lineage(tmp_path)
    assert read is not None
    assert read.allowed_columns == ("a", "b")
