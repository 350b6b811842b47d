"""One row and many rows are told apart by the same rules."""

from __future__ import annotations

import numpy as np

from features.definitions import FEATURE_NAMES, N_FEATURES
from features.model_bundle.strata import STRATA, find_strata, find_stratum, find_thresholds


def test_one_row_and_many_rows_fall_into_the_same_strata() -> None:
    random = np.random.default_rng(1)
    rows = np.full((400, N_FEATURES), np.nan, np.float32)
    for stratum in STRATA:
        for column, low, _ in stratum.tests:
            values = random.choice([low, low - 0.25, low + 0.25, np.nan], len(rows))
            rows[:, column] = values
    names = ["", *(stratum.name for stratum in STRATA)]
    found = [names[place + 1] for place in find_strata(rows)]
    assert found == [find_stratum(row) for row in rows]
    assert set(found) == set(names)


def test_a_stratum_without_a_threshold_takes_the_common_one() -> None:
    rows = np.full((2, N_FEATURES), np.nan, np.float32)
    rows[1, FEATURE_NAMES.index("request_has_receipt")] = 0.0
    assert find_thresholds(rows, 0.4, {}).tolist() == [0.4, 0.4]
    assert find_thresholds(rows, 0.4, {"no_receipt": 0.9}).tolist() == [0.4, 0.9]
