"""The networks learn, their gradients are right, and ONNX Runtime computes what they compute."""

from __future__ import annotations

import numpy as np
import pytest
from autograd.test_util import check_grads

from training.onnx_export import INPUT, open_session
from training.sequence.columns import fit_scaling, scale_columns
from training.sequence.fitting import (
    FitSettings,
    FittedNetwork,
    SequenceCases,
    fit_network,
    predict_logit,
)
from training.sequence.networks import GRU, TRANSFORMER, Network, NetworkSize
from training.sequence.onnx_graph import build_sequence_model
from training.sequence.tokens import N_SCALARS, TokenSet

_SIZE = NetworkSize(length=6, kind_width=4, width=8, n_heads=2, n_layers=2)
_BOTH = pytest.mark.parametrize("network", [GRU, TRANSFORMER], ids=lambda network: network.name)


def _make_cases(n: int, seed: int = 3, n_columns: int = 0) -> SequenceCases:
    """Return cases whose outcome hangs on the order of two kinds and on nothing else."""
    random = np.random.default_rng(seed)
    kind = random.integers(3, 6, (n, _SIZE.length))
    first, second = np.argsort(random.random((n, _SIZE.length)), axis=1)[:, :2].T
    rows = np.arange(n)
    kind[rows, first], kind[rows, second] = 1, 2
    label = (first < second).astype(np.float64)
    return SequenceCases(
        TokenSet(kind, random.random((n, _SIZE.length, N_SCALARS)).astype(np.float32)),
        random.normal(size=(n, n_columns)).astype(np.float32),
        np.zeros(n),
        label,
        np.ones(n),
        rows,
    )


@_BOTH
def test_gradients_equal_differences(network: Network) -> None:
    cases = _make_cases(5)
    weights = network.initialise(_SIZE, np.random.default_rng(1))
    random = np.random.default_rng(2)
    exact = {k: v.astype(np.float64) + random.normal(size=v.shape) for k, v in weights.items()}
    check_grads(
        lambda moved: network.forward(moved, _SIZE, cases.tokens, cases.columns), modes=["rev"]
    )(exact)


@_BOTH
def test_a_network_learns_the_order_of_events(network: Network) -> None:
    cases, later = _make_cases(1_500), _make_cases(300, seed=4)
    settings = FitSettings(max_epochs=25, patience=25, batch_size=64, step_size=5e-3)
    fitted = fit_network(network, _SIZE, cases, settings, seed=5)
    is_right = (predict_logit(fitted, later) > 0.0) == (later.label > 0.0)
    assert is_right.mean() > 0.9
    assert fitted.loss < fitted.loss_before / 2


@_BOTH
def test_the_graph_computes_what_the_network_computes(network: Network) -> None:
    random = np.random.default_rng(6)
    rows = random.lognormal(2.0, 3.0, (400, 7)).astype(np.float32) * random.choice([-1, 1], 7)
    rows[random.random(rows.shape) < 0.2] = np.nan
    rows[:, 3] = np.nan
    scaling = fit_scaling(rows.astype(np.float32))
    assert 3 not in scaling.place
    columns = scale_columns(rows.astype(np.float32), scaling)
    size = NetworkSize(6, 4, 8, 2, 2, n_inputs=columns.shape[1])
    made = _make_cases(400)
    cases = SequenceCases(made.tokens, columns, made.offset, made.label, made.weight, made.group)
    drawn = network.initialise(size, random)
    moved = {name: value + random.normal(size=value.shape) for name, value in drawn.items()}
    weights = {name: value.astype(np.float32) for name, value in moved.items()}
    fitted = FittedNetwork(network, size, weights, 0, 0.0, 0.0)
    session = open_session(build_sequence_model(fitted, n_features=7, scaling=scaling))
    inputs = {
        "kind": made.tokens.kind, "scalars": made.tokens.scalars, INPUT: rows.astype(np.float32),
    }  # fmt: skip
    found = session.run(None, inputs)[0]
    expected = 1.0 / (1.0 + np.exp(-predict_logit(fitted, cases)))
    assert np.abs(found - expected).max() < 1e-5
    assert np.ptp(expected) > 0.05
