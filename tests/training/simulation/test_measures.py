"""The measures of realism find what was planted, and nothing where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from features.definitions import FEATURES
from features.request_rows import Call
from training.simulation.realism import (
    TrueCases,
    compute_artefact_aucs,
    compute_auc,
    compute_auc_se,
    compute_catch,
    find_one_rule,
    split_cases,
)
from training.simulation.realism.catch import SplitCases

N = 4_000
COLUMN = next(i for i, f in enumerate(FEATURES) if Call.RETURN in f.calls and f.unit == "1")


def _make_cases(is_abuse: npt.NDArray[np.bool_], column: npt.NDArray[np.float64]) -> TrueCases:
    """Return cases in which one column tells what it is made to tell; each customer has two."""
    random = np.random.default_rng(5)
    vectors = np.zeros((N, len(FEATURES)), np.float32)
    vectors[:, COLUMN] = column
    return TrueCases(
        call="return",
        vectors=vectors,
        embeddings=np.zeros((N, 64), np.int8),
        is_abuse=is_abuse,
        would_leave=np.full(N, np.nan),
        patterns=["wardrobing" if bad else "plain" for bad in is_abuse],
        customers=[f"c{n // 2:08x}" for n in range(N)],
        customer_ids=[f"c{n // 2:08x}" for n in range(N)],
        event_ids=[random.bytes(8).hex() for _ in range(N)],
        time_us=np.arange(N, dtype=np.int64) * 997_351,
        ingest_us=np.arange(N, dtype=np.int64) * 997_351 + 8_003_011,
        order_in_day=random.random(N),
    )


def _make_split(told_share: float) -> SplitCases:
    """Return cases of which the column tells a share of the abuse for sure."""
    random = np.random.default_rng(3)
    is_abuse = np.repeat(random.random(N // 2) < 0.15, 2)
    is_told = is_abuse & (random.random(N) < told_share)
    return split_cases({"return": _make_cases(is_abuse, is_told.astype(np.float64))})["return"]


def test_the_learner_catches_the_share_that_can_be_told() -> None:
    found = compute_catch(_make_split(0.6))
    assert found.recall == pytest.approx(0.6, abs=0.08)
    assert found.strict_recall == pytest.approx(found.recall)
    assert found.by_pattern["wardrobing"].n_cases == found.n_abuse
    assert found.by_look_alike["plain"].share < 0.005
    assert 0.01 < found.recall_se < 0.06


def test_the_best_rule_is_the_column_that_tells() -> None:
    rule = find_one_rule(_make_split(0.6))
    assert (rule.column, rule.is_above) == (FEATURES[COLUMN].name, True)
    assert rule.recall == pytest.approx(0.6, abs=0.08)
    assert rule.false_alarm_share == 0.0


def test_a_rule_that_needs_more_false_alarms_is_none() -> None:
    random = np.random.default_rng(4)
    split = _make_split(0.0)
    noise = (random.random(N) < 0.05).astype(np.float64)
    rule = find_one_rule(replace(split, cases=_make_cases(split.cases.is_abuse, noise)))
    assert (rule.column, rule.recall) == ("", 0.0)


def test_false_alarms_count_on_customers_who_never_abuse() -> None:
    is_abuse = np.zeros(N, np.bool_)
    is_abuse[::20] = True  # The first of a customer's two cases; the second is honest.
    column = np.repeat(is_abuse[::2], 2).astype(np.float64)
    split = split_cases({"return": _make_cases(is_abuse, column)})["return"]
    assert not split.is_good[1]
    assert find_one_rule(split).recall == 1.0
    assert find_one_rule(split, is_strict=True).recall == 0.0


def test_artefacts_show_in_what_was_planted_only() -> None:
    split = _make_split(0.0)
    is_abuse = split.cases.is_abuse
    planted = replace(
        split.cases,
        order_in_day=np.where(is_abuse, split.cases.order_in_day**0.5, split.cases.order_in_day),
    )
    aucs = {row.name: row for row in compute_artefact_aucs([planted, planted])}
    order = aucs.pop("file order within the day")
    assert order.auc > 0.5 + 5.0 * order.se
    assert all(abs(row.auc - 0.5) < 4.0 * row.se for row in aucs.values())
    assert order.n_abusers == 2 * is_abuse.sum() // 2


def test_the_standard_error_counts_customers_and_not_cases() -> None:
    random = np.random.default_rng(1)
    label = random.random(600) < 0.3
    score = random.normal(size=600) + label
    alone = compute_auc_se(label, score, np.arange(600))
    draws = []
    for _ in range(400):
        chosen = random.integers(0, 600, 600)
        draws.append(compute_auc(label[chosen], score[chosen]))
    assert alone == pytest.approx(np.std(draws), rel=0.2)
    # Each case told four times over by the same customer is no more evidence.
    group = np.repeat(np.arange(600), 4)
    four = compute_auc_se(np.repeat(label, 4), np.repeat(score, 4), group)
    assert four == pytest.approx(alone, rel=1e-9)
