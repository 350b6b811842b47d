"""What single columns and words give away is measured on logs with next to no abuse, too."""

from __future__ import annotations

import numpy as np

from training.simulation.realism.separability import _cross_fit_auc


def test_abuse_in_one_fold_alone_teaches_nothing_and_is_no_error() -> None:
    random = np.random.default_rng(0)
    label = np.zeros(60, np.bool_)
    label[[0, 5]] = True
    folds = (np.arange(60) % 5).astype(np.int64)
    auc = _cross_fit_auc(random.normal(size=(60, 3)), label, folds)
    assert 0.0 <= auc <= 1.0
