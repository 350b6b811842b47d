"""Fold rows of nothing."""

from __future__ import annotations

import numpy as np

from features.log.cells import build_empty_cells
from features.log.fan_out import to_fold_rows


def test_keys_of_no_rows_join_with_others_to_keys_that_stand_row_by_row() -> None:
    nothing = to_fold_rows(build_empty_cells())
    one = np.zeros((1, 16), np.uint8)
    for keys in (nothing.entity_keys, nothing.customer_keys):
        # The layout that kernels ask for; numpy chose the other for odd strides.
        assert np.concatenate([keys, one, one]).flags.c_contiguous
