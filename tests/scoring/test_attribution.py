"""Attributions: equal to Shapley's formula spelt out, and adding up to what they explain."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.serving.synthetic import HeadPlan, draw_rows, grow_trees, write_bundle
from features.definitions import N_FEATURES
from features.model_bundle import TreeArrays
from scoring.attribution import make_explainer
from scoring.model import load_model
from training.booster_trees import from_booster

N_SMALL = 6  # Columns in use where all coalitions are tried.
Row = npt.NDArray[np.float32]


def _compute_log_odds(trees: TreeArrays, row: Row) -> float:
    """Walk every tree by hand."""
    total = float(trees.base[0])
    for root in trees.tree_start[:-1]:
        node = int(root)
        while trees.feature[node] >= 0:
            value = row[trees.feature[node]]
            missing = bool(trees.is_default_left[node])
            goes_left = missing if np.isnan(value) else value < trees.threshold[node]
            node = int((trees.left if goes_left else trees.right)[node])
        total += float(trees.value[node])
    return total


def _compute_shapley(trees: TreeArrays, case: Row) -> npt.NDArray[np.float64]:
    """Shapley's formula over all coalitions of the first columns."""
    shares = np.zeros(len(case))
    for column in range(N_SMALL):
        others = [other for other in range(N_SMALL) if other != column]
        for size in range(N_SMALL):
            weight = factorial(size) * factorial(N_SMALL - size - 1) / factorial(N_SMALL)
            for coalition in combinations(others, size):
                row = trees.baseline.copy()
                row[list(coalition)] = case[list(coalition)]
                without = _compute_log_odds(trees, row)
                row[column] = case[column]
                shares[column] += weight * (_compute_log_odds(trees, row) - without)
    return shares


def _draw_small(seed: int, missing_share: float) -> tuple[TreeArrays, Row]:
    """Return trees over the first columns (repeated on a path, too) and a case."""
    rng = np.random.default_rng(seed)
    rows = np.full((40, N_FEATURES), np.nan, np.float32)
    # Few distinct values: cases, baseline and thresholds meet exactly.
    rows[:, :N_SMALL] = rng.integers(0, 4, (40, N_SMALL))
    trees = grow_trees(seed, 3, 4, rows)
    rows[:, :N_SMALL][rng.random((40, N_SMALL)) < missing_share] = np.nan
    trees.baseline[:] = rows[1]
    return trees, rows[2].copy()


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0]))
def test_attributions_are_the_shapley_values(seed: int, missing_share: float) -> None:
    trees, case = _draw_small(seed, missing_share)
    found = make_explainer(trees).compute_attributions(case)
    np.testing.assert_allclose(found, _compute_shapley(trees, case), atol=1e-12)


def test_the_baseline_itself_has_no_attributions() -> None:
    rows = draw_rows(1, 50)
    trees = grow_trees(1, 50, 5, rows)
    explainer = make_explainer(trees)
    assert not explainer.compute_attributions(trees.baseline).any()


BEND = (np.array([-1.0, -0.2, 0.3], np.float32), np.array([-2.5, -0.1, 0.0], np.float32))


@pytest.mark.parametrize("bend", [None, BEND], ids=["line", "bend"])
def test_attributions_add_up_to_the_models_log_odds(
    tmp_path: Path, bend: tuple[Row, Row] | None
) -> None:
    rows = draw_rows(3, 200)
    trees = grow_trees(3, 200, 6, rows)
    if bend is not None:
        trees = replace(trees, knot_at=bend[0], knot_to=bend[1])
    write_bundle(tmp_path / "bundle", "shop", [HeadPlan("abuse", "return", trees)])
    model = load_model(tmp_path / "bundle")
    explainer = model.explainers["abuse__return"]
    probabilities = model.predict(np.vstack([rows, explainer.baseline[None]]))[0].astype(float)
    log_odds = np.log(probabilities / (1 - probabilities))
    for row, odds in zip(rows, log_odds[:-1], strict=True):
        total = explainer.compute_attributions(row).sum()
        assert total == pytest.approx(odds - log_odds[-1], abs=2e-4)  # float32 sums in ONNX


def test_a_bend_changes_no_order_of_reasons_and_no_sign() -> None:
    rows = draw_rows(5, 60)
    trees = grow_trees(5, 100, 5, rows)
    plain = make_explainer(trees)
    bent = make_explainer(replace(trees, knot_at=BEND[0], knot_to=BEND[1]))
    for row in rows:
        before, after = plain.compute_attributions(row), bent.compute_attributions(row)
        np.testing.assert_array_equal(np.sign(before), np.sign(after))
        np.testing.assert_array_equal(np.argsort(before), np.argsort(after))


def test_attributions_add_up_on_trees_that_xgboost_grew() -> None:
    rows = draw_rows(4, 2_000)
    chance = np.nan_to_num(rows[:, 14]) + np.isnan(rows[:, 60]) > 3
    labels = xgb.DMatrix(rows, chance)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 6, "seed": 1}, labels, 60)
    baseline = np.nanmedian(rows, axis=0).astype(np.float32)
    explainer = make_explainer(from_booster(booster, baseline))
    cases = np.vstack([baseline[None], rows[:100]])
    margins = booster.predict(xgb.DMatrix(cases), output_margin=True).astype(float)
    for row, margin in zip(cases, margins, strict=True):
        total = explainer.compute_attributions(row).sum()
        assert total == pytest.approx(margin - margins[0], abs=1e-4)
