"""No single column, no wording and no artefact gives a label away; together they tell a lot."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from xgboost import XGBClassifier

from features.log.reader import EventLog
from training.simulation.realism import (
    Separability,
    TrueCases,
    compute_artefact_aucs,
    compute_auc,
    compute_separability,
    read_true_cases,
)

CALLS = ("order", "cancellation", "return")


@pytest.fixture(scope="module")
def cases(default_log: Path) -> dict[str, TrueCases]:
    return read_true_cases(default_log)


@pytest.fixture(scope="module")
def tables(cases: dict[str, TrueCases]) -> dict[str, list[Separability]]:
    return {call: compute_separability(cases[call]) for call in CALLS}


@pytest.mark.parametrize("call", CALLS)
def test_no_single_column_gives_abuse_away(
    tables: dict[str, list[Separability]], call: str, print_result: Callable[[str], None]
) -> None:
    features = [row for row in tables[call] if row.group == "feature"]
    top = ", ".join(f"{row.name} {row.auc:.2f}" for row in features[:4])
    print_result(f"{call}: {features[0].n_abuse} of {features[0].n_cases} cases are abuse; {top}")
    assert len(features) > 40
    assert features[0].auc < 0.85


@pytest.mark.parametrize("call", ["cancellation", "return"])
def test_words_alone_tell_little(
    tables: dict[str, list[Separability]], call: str, print_result: Callable[[str], None]
) -> None:
    (text,) = [row for row in tables[call] if row.group == "text"]
    print_result(f"{call}: text alone AUC {text.auc:.2f}")
    assert text.auc <= 0.70


@pytest.mark.parametrize("call", CALLS)
def test_ids_order_and_sub_seconds_tell_nothing(
    cases: dict[str, TrueCases], call: str, print_result: Callable[[str], None]
) -> None:
    artefacts = compute_artefact_aucs([cases[call]])
    print_result(f"{call}: " + ", ".join(f"{row.name} {row.auc:.2f}" for row in artefacts))
    assert {row.name for row in artefacts} > {"event id", "customer id"}
    # One small world: the bar of 0.02 is for several together, in `make bench-simulation`.
    assert all(abs(row.auc - 0.5) < 4.0 * row.se for row in artefacts)


def test_the_order_in_the_file_is_read_from_the_file(
    cases: dict[str, TrueCases], default_log: Path
) -> None:
    returns = cases["return"]
    log = EventLog(default_log)
    rows = next(iter(log.read_batches(0, kinds=(), batch_size=50_000)))[1]
    day = rows.column("ingest_time").cast("int64").to_numpy() // 86_400_000_000
    ids = rows.column("event_id").to_pylist()
    place = next(n for n, name in enumerate(returns.event_ids) if name in set(ids))
    row = ids.index(returns.event_ids[place])
    same_day = np.flatnonzero(day == day[row])
    assert returns.order_in_day[place] == pytest.approx((row - same_day[0]) / len(same_day))
    assert 0.0 <= returns.order_in_day.min() <= returns.order_in_day.max() < 1.0


def _learn(cases: TrueCases, label: npt.NDArray[np.bool_]) -> float:
    """Return the AUC of a plain learner on the last third, taught by the truth of the rest."""
    order = np.argsort(cases.time_us)
    cut = 2 * len(order) // 3
    train, test = order[:cut], order[cut:]
    model = XGBClassifier(
        n_estimators=150, learning_rate=0.06, max_depth=4, colsample_bytree=0.5, subsample=0.8,
        n_jobs=1, random_state=0,
    )  # fmt: skip
    model.fit(cases.vectors[train], label[train])
    return compute_auc(label[test], model.predict_proba(cases.vectors[test])[:, 1])


def test_all_columns_together_tell_abuse_and_leaving_but_not_for_sure(
    cases: dict[str, TrueCases], print_result: Callable[[str], None]
) -> None:
    abuse = _learn(cases["return"], cases["return"].is_abuse)
    leaving = _learn(cases["cancellation"], cases["cancellation"].would_leave > 0.5)
    print_result(f"learner on the truth: abuse of a return {abuse:.2f}, leaving {leaving:.2f}")
    assert 0.80 < abuse < 0.98
    assert 0.55 < leaving < 0.90


def test_the_truth_is_read_for_evaluation_only(repository: Path) -> None:
    allowed = {"true_cases.py", "rates.py", "world_view.py", "stage.py", "simulation.py",
               "click_story.py", "order_story.py",
               "return_story.py", "simulate_command.py",
               "counterfactual.py", "oracle.py", "ring_truth.py"}  # fmt: skip
    readers = set()
    for package in ("features", "scoring", "stream", "training", "hemostat"):
        for file in (repository / package).rglob("*.py"):
            imports = (
                node.module or ""
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.ImportFrom)
            )
            if "training.simulation.truth" in imports:
                readers.add(file.name)
    assert readers <= allowed
