"""Equals two isotonic fits per case, ties and weights included."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from training.venn_abers import Floats, VennAbers


def _fit_twice(score: Floats, label: Floats, weight: Floats, asked: float) -> tuple[float, float]:
    """Return p0 and p1 by their definition."""
    found = []
    for guess in (0.0, 1.0):
        curve = IsotonicRegression().fit(
            np.append(score, asked), np.append(label, guess), sample_weight=np.append(weight, 1.0)
        )
        found.append(float(curve.predict([asked])[0]))
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(6))
def test_it_equals_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 60
    score = np.round(random.normal(size=n), 1 if seed % 2 else 6)  # Ties in every other draw.
    label = (random.random(n) < 1.0 / (1.0 + np.exp(-score))).astype(np.float64)
    weight = np.ones(n) if seed < 3 else random.uniform(0.5, 3.0, n)
    asked = np.concatenate([score[:20], random.normal(size=20), [-9.0, 9.0]])
    pairs = VennAbers(score, label, weight).predict_both(asked)
    expected = [_fit_twice(score, label, weight, one) for one in asked.tolist()]
    np.testing.assert_allclose(pairs, expected, atol=1e-9)


def test_one_probability_lies_between_both_and_rises() -> None:
    random = np.random.default_rng(9)
    score = random.normal(size=300)
    label = (random.random(300) < 1.0 / (1.0 + np.exp(-score))).astype(np.float64)
    fitted = VennAbers(score, label, np.ones(300))
    asked = np.sort(random.normal(size=100))
    one = fitted.predict(asked)
    low, high = np.array(fitted.predict_both(asked)).T
    assert (low < one).all()
    assert (one < high).all()
    assert (np.diff(one) >= -1e-12).all()
