"""The ONNX graph answers as XGBoost does, at every edge that conversions get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import HemostatError
from features.model_bundle import Calibration, TreeArrays, decode_trees, encode_trees
from features.model_bundle.trees import LEAF
from training.booster_trees import compile_trees, from_booster
from training.calibration import compute_probability
from training.growing import winsorise
from training.onnx_export import (
    PARITY_TOLERANCE,
    build_model,
    compare,
    open_session,
    require_parity,
    run_model,
)

N_FEATURES = 6
NO_CAPS = np.full(N_FEATURES, np.inf, np.float32)
PLAIN = Calibration(method="platt", slope=1.0, intercept=0.0)

Rows = npt.NDArray[np.float32]


def _draw(n: int = 600, seed: int = 0) -> tuple[Rows, npt.NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, N_FEATURES)).astype(np.float32)
    rows[:, 1] = random.integers(0, 4, n)  # Values that equal thresholds.
    rows[:, 2] = np.round(random.lognormal(8, 2, n))
    rows[random.random(rows.shape) < 0.25] = np.nan
    signal = np.nan_to_num(rows[:, 0]) + (rows[:, 1] == 2) + np.isnan(rows[:, 3])
    return rows, (signal + random.normal(size=n) > 1.3).astype(np.float64)


def _grow(
    rows: Rows, label: npt.NDArray[np.float64], n_trees: int = 30, **more: Any
) -> xgb.Booster:
    settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, **more}
    return xgb.train(settings, xgb.DMatrix(rows, label, nthread=1), n_trees)


def _compile(
    booster: xgb.Booster, calibration: Calibration = PLAIN, caps: Rows = NO_CAPS
) -> TreeArrays:
    baseline = np.full(N_FEATURES, np.nan, np.float32)
    return compile_trees(from_booster(booster, baseline), calibration, caps)


def _run(trees: TreeArrays, rows: Rows) -> Rows:
    return run_model(open_session(build_model({"head": trees}, N_FEATURES)), rows)["head"]


def _expect(
    booster: xgb.Booster,
    rows: Rows,
    calibration: Calibration = PLAIN,
    caps: Rows = NO_CAPS,
) -> npt.NDArray[np.float64]:
    matrix = xgb.DMatrix(winsorise(rows, caps), nthread=1)
    margin = np.asarray(booster.predict(matrix, output_margin=True), np.float64)
    return compute_probability(margin, calibration)


def _walk(trees: TreeArrays, row: Rows) -> float:
    """Return the probability by walking the flat arrays, as attributions do."""
    total = float(trees.base[0])
    for root in trees.tree_start[:-1]:
        node = root
        while trees.feature[node] != LEAF:
            value = row[trees.feature[node]]
            is_left = (
                trees.is_default_left[node] if np.isnan(value) else value < trees.threshold[node]
            )
            node = trees.left[node] if is_left else trees.right[node]
        total += float(trees.value[node])
    return float(1.0 / (1.0 + np.exp(-total)))


def test_rows_with_missing_values_and_ties_are_equal() -> None:
    rows, label = _draw()
    booster = _grow(rows, label)
    assert _run(_compile(booster), rows) == pytest.approx(_expect(booster, rows), abs=1e-6)


def test_a_row_of_missing_values_takes_every_default_side() -> None:
    rows, label = _draw()
    booster = _grow(rows, label)
    nothing = np.full((3, N_FEATURES), np.nan, np.float32)
    assert _run(_compile(booster), nothing) == pytest.approx(_expect(booster, nothing), abs=1e-6)


def test_values_at_and_beside_every_threshold_go_the_same_way() -> None:
    rows, label = _draw()
    booster = _grow(rows, label)
    trees = _compile(booster)
    inner = np.flatnonzero(trees.feature != LEAF)
    probes = np.repeat(rows[:1], 3 * len(inner), axis=0)
    for place, node in enumerate(inner):
        at = trees.threshold[node]
        beside = (np.nextafter(at, np.float32(-np.inf)), at, np.nextafter(at, np.float32(np.inf)))
        probes[3 * place : 3 * place + 3, trees.feature[node]] = beside
    expected = _expect(booster, probes)
    assert _run(trees, probes) == pytest.approx(expected, abs=1e-6)
    by_hand = [_walk(trees, row) for row in probes]
    assert by_hand == pytest.approx(expected, abs=1e-6)


def test_trees_that_are_a_single_leaf_are_equal() -> None:
    rows, label = _draw(40)
    booster = _grow(rows, label, 5, min_child_weight=1e9)
    trees = _compile(booster)
    assert (trees.feature == LEAF).all()
    assert _run(trees, rows) == pytest.approx(_expect(booster, rows), abs=1e-6)


@pytest.mark.parametrize("more", [{}, {"base_score": 0.5}, {"base_score": 0.017}])
def test_the_base_score_counts_once_however_it_was_set(more: dict[str, float]) -> None:
    rows, label = _draw()
    booster = _grow(rows, label, 3, **more)
    assert _run(_compile(booster), rows) == pytest.approx(_expect(booster, rows), abs=1e-6)


def test_trees_behind_the_best_iteration_are_left_out() -> None:
    rows, label = _draw(400)
    later, later_label = _draw(200, seed=1)
    matrix = xgb.DMatrix(rows, label, nthread=1)
    watched = [(xgb.DMatrix(later, later_label, nthread=1), "later")]
    full = xgb.train(
        {"objective": "binary:logistic", "max_depth": 6, "nthread": 1},
        matrix, 200, evals=watched, early_stopping_rounds=5, verbose_eval=False,
    )  # fmt: skip
    best = full[: full.best_iteration + 1]
    assert best.num_boosted_rounds() < full.num_boosted_rounds()
    expected = full.predict(
        xgb.DMatrix(rows, nthread=1), iteration_range=(0, full.best_iteration + 1)
    )
    assert _run(_compile(best), rows) == pytest.approx(expected, abs=1e-6)


def test_calibration_and_caps_are_compiled_into_the_trees() -> None:
    rows, label = _draw(3_000)
    caps = NO_CAPS.copy()
    caps[2] = np.nanquantile(rows[:, 2], 0.9)
    booster = _grow(winsorise(rows, caps), label)
    calibration = Calibration(method="platt", slope=0.83, intercept=-0.4)
    trees = _compile(booster, calibration, caps)
    found = _run(trees, rows)
    assert found == pytest.approx(_expect(booster, rows, calibration, caps), abs=1e-6)
    assert (rows[:, 2] > caps[2]).sum() > 100


def test_a_split_of_missing_against_all_others_holds_above_the_cap() -> None:
    random = np.random.default_rng(0)
    rows = np.zeros((400, N_FEATURES), np.float32)
    rows[:, 0] = random.random(400)
    rows[::2, 0] = np.nan
    caps = NO_CAPS.copy()
    caps[0] = 0.7
    label = np.isnan(rows[:, 0]).astype(np.float64)
    booster = _grow(winsorise(rows, caps), label, 2, max_depth=1, tree_method="hist")
    trees = _compile(booster, caps=caps)
    assert np.isinf(trees.threshold).any()  # The splits this test is about.
    beyond = rows[:4].copy()
    beyond[1, 0] = 1e30
    assert _run(trees, beyond) == pytest.approx(_expect(booster, beyond, caps=caps), abs=1e-6)
    assert _walk(trees, beyond[1]) == pytest.approx(_run(trees, beyond)[1], abs=1e-6)


def test_a_rows_answer_does_not_hang_on_its_batch() -> None:
    rows, label = _draw()
    session = open_session(build_model({"head": _compile(_grow(rows, label))}, N_FEATURES))
    together = run_model(session, rows)["head"]
    alone = [run_model(session, rows[i : i + 1])["head"][0] for i in range(100)]
    np.testing.assert_array_equal(alone, together[:100])


def test_heads_share_a_graph_and_keep_apart() -> None:
    rows, label = _draw()
    boosters = {"a__order": _grow(rows, label, 7), "b__return": _grow(rows, 1 - label, 11)}
    trees = {name: _compile(booster) for name, booster in boosters.items()}
    outputs = run_model(open_session(build_model(trees, N_FEATURES)), rows)
    for name, booster in boosters.items():
        assert outputs[name].shape == (len(rows),)
        assert outputs[name] == pytest.approx(_expect(booster, rows), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), depth=st.integers(1, 6), n_trees=st.integers(1, 40))
def test_any_forest_is_equal_in_graph_and_in_flat_arrays(
    seed: int, depth: int, n_trees: int
) -> None:
    rows, label = _draw(200, seed)
    booster = _grow(rows, label, n_trees, max_depth=depth)
    trees = _compile(booster)
    expected = _expect(booster, rows)
    assert _run(trees, rows) == pytest.approx(expected, abs=1e-6)
    stored = decode_trees(encode_trees({"head": trees}), ["head"], N_FEATURES)["head"]
    assert [_walk(stored, row) for row in rows[:20]] == pytest.approx(expected[:20], abs=1e-6)


def test_other_boosters_are_refused() -> None:
    rows, label = _draw(100)
    with pytest.raises(ValueError, match="binary:logistic"):
        _compile(_grow(rows, label, 2, objective="reg:squarederror"))


def test_a_bend_stands_in_the_graph_as_it_was_fitted() -> None:
    rows, label = _draw(2_000)
    booster = _grow(rows, label)
    at = np.array([-3.0, -1.5, 0.25, 2.0], np.float32)
    to = np.array([-4.0, -1.45, -1.4, 2.5], np.float32)
    bent = Calibration(
        method="curve", slope=1.3, intercept=-0.2, knot_at=at.tolist(), knot_to=to.tolist()
    )
    hostile = np.full((3, N_FEATURES), np.nan, np.float32)
    hostile[1], hostile[2] = 1e37, -1e37
    rows = np.concatenate([rows, hostile])
    expected = _expect(booster, rows, bent)
    found = _run(_compile(booster, bent), rows)
    require_parity(compare("head", found, expected, np.full(len(rows), 0.371)))
    line = _expect(booster, rows, Calibration(method="platt", slope=1.3, intercept=-0.2))
    assert np.abs(expected - line).max() > 0.1
    np.testing.assert_array_equal(
        np.argsort(expected, kind="stable"), np.argsort(line, kind="stable")
    )


def test_the_graph_is_valid_onnx_without_external_data() -> None:
    rows, label = _draw(100)
    model = onnx.load_from_string(
        build_model({"head": _compile(_grow(rows, label, 2))}, N_FEATURES)
    )
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} == {
        "TreeEnsembleRegressor",
        "Reshape",
        "Sigmoid",
    }


@pytest.mark.parametrize(
    ("found", "fault"),
    [(0.5 + 3 * PARITY_TOLERANCE, "difference 3.0"), (0.499_999, "1 changed"), (np.nan, "nan")],
)
def test_the_gate_refuses_a_graph_that_answers_otherwise(found: float, fault: str) -> None:
    expected = np.array([0.1, 0.5])
    parity = compare("head", np.array([0.1, found], np.float32), expected, np.full(2, 0.5))
    with pytest.raises(HemostatError, match=fault):
        require_parity(parity)
    require_parity(compare("head", expected.astype(np.float32), expected, np.full(2, 0.3)))
