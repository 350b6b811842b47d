"""Each gate passes what is good enough, refuses what is not, and says value, bar and advice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from features.model_bundle import Interval
from tests.training.registry.small_models import ModelMaker, make_small_lineage
from training.registry.gate_terms import (
    BARS,
    Candidate,
    Champion,
    Gate,
    Question,
    list_failed,
)
from training.registry.gates import compute_gates, compute_wilson_low

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def _ask(
    make: ModelMaker,
    *,
    champion: dict[str, Any] | None = None,
    parity: dict[str, Any] | None = None,
    fault: str = "",
    **figures: Any,
) -> list[Gate]:
    before = None if champion is None else Champion("before", make.draft(**champion))
    candidate = Candidate(make.draft(**figures), make_small_lineage(**(parity or {})), fault)
    return compute_gates(Question(candidate, before, AS_OF, BARS))


def test_a_good_model_meets_all_gates(make_model: ModelMaker) -> None:
    gates = _ask(make_model, champion={})
    assert list_failed(gates) == []
    assert {gate.name for gate in gates} == {
        "whole", "tenant", "heads", "parity", "calibration_error", "honest_flagged_share",
        "recall", "roc_auc", "age_days", "born",
    }  # fmt: skip
    assert not any(gate.advice for gate in gates)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("whole", {"fault": "a changed file"}),
        ("tenant", {"tenant": "other"}),
        ("parity", {"parity": {"max_difference": 2e-5}}),
        ("parity", {"parity": {"n_changed_hints": 1}}),
        ("parity", {"parity": {"head": "another"}}),
        ("measured", {"measured": False}),
        ("calibration_error", {"calibration_error": 0.09}),
        ("honest_flagged_share", {"false_alarm_rate": 0.03}),
        ("recall", {"recall": 0.4}),
        ("roc_auc", {"roc_auc": Interval(value=0.87)}),
        ("age_days", {"cut": "2023-01-01", "champion": {"cut": "2022-01-01"}}),
        ("born", {"cut": "2025-05-01"}),
    ],
)
def test_a_gate_refuses_and_says_what_to_do(
    make_model: ModelMaker, name: str, case: dict[str, Any]
) -> None:
    failed = list_failed(_ask(make_model, **{"champion": {}, **case}))
    assert [gate.name for gate in failed] == [name]
    assert failed[0].advice
    assert failed[0].can_be_forced == (name not in {"whole", "tenant"})


def test_every_failed_gate_is_told_not_only_the_first(make_model: ModelMaker) -> None:
    gates = _ask(make_model, champion={}, recall=0.1, false_alarm_rate=0.2, calibration_error=0.5)
    assert [gate.name for gate in list_failed(gates)] == [
        "calibration_error", "honest_flagged_share", "recall",
    ]  # fmt: skip


def test_a_head_that_the_champion_has_may_not_be_lost(make_model: ModelMaker) -> None:
    other = make_model.draft()
    lost = msgspec.structs.replace(other.heads[0], target="cancel")
    former = msgspec.structs.replace(other, heads=[*other.heads, lost])
    question = Question(
        Candidate(other, make_small_lineage(), ""), Champion("c", former), AS_OF, BARS
    )
    failed = list_failed(compute_gates(question))
    assert [(gate.name, gate.value) for gate in failed] == [("heads", "without cancel__return")]


def test_recall_may_be_lower_within_the_champions_interval(make_model: ModelMaker) -> None:
    low = compute_wilson_low(0.5, 400)
    assert 0.45 < low < 0.46
    assert list_failed(_ask(make_model, champion={"recall": 0.5}, recall=low)) == []
    assert list_failed(_ask(make_model, champion={"recall": 0.5}, recall=low - 1e-6))


def test_few_later_cases_may_be_less_well_calibrated_by_the_coins_share(
    make_model: ModelMaker,
) -> None:
    error: dict[str, Any] = {"calibration_error": 0.09, "prevalence": 0.3}
    assert [one.name for one in list_failed(_ask(make_model, **error))] == ["calibration_error"]
    assert list_failed(_ask(make_model, **error, n=300)) == []


def test_without_a_champion_nothing_is_compared(make_model: ModelMaker) -> None:
    assert {"tenant", "heads", "recall", "roc_auc", "born"}.isdisjoint(
        gate.name for gate in _ask(make_model)
    )


def test_a_champion_that_cannot_be_read_stops_all_but_force(make_model: ModelMaker) -> None:
    question = Question(
        Candidate(make_model.draft(), make_small_lineage(), ""),
        Champion("before", None, "there is no model bundle"),
        AS_OF,
        BARS,
    )
    failed = list_failed(compute_gates(question))
    assert [(gate.name, gate.can_be_forced) for gate in failed] == [("champion", True)]


def test_a_model_without_lineage_has_no_known_parity(make_model: ModelMaker) -> None:
    question = Question(Candidate(make_model.draft(), None, ""), None, AS_OF, BARS)
    failed = list_failed(compute_gates(question))
    assert [(gate.name, gate.value) for gate in failed] == [("parity", None)]
