"""ROC-AUC and its standard error where the cases of one customer hang together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.evaluation.ranking import ScoredCases, compute_roc_auc
from training.simulation.realism.true_cases import Flags, Floats


def compute_auc(label: Flags, score: Floats) -> float:
    """Return the ROC-AUC of a score; ties count half.

    >>> compute_auc(np.array([True, False, True]), np.array([0.9, 0.3, 0.2]))
    0.5
    """
    n = len(label)
    return compute_roc_auc(ScoredCases(label.astype(np.float64), score, np.ones(n), np.arange(n)))


def compute_auc_se(label: Flags, score: Floats, group: npt.NDArray[np.int64]) -> float:
    """Return the standard error of the ROC-AUC, customers being drawn and not cases.

    The sum over customers of their squared influence (DeLong's placements, summed
    within clusters: Obuchowski, *Biometrics* 53, 1997). Without the clusters an
    abuser with ten cases would count as ten witnesses.

    Args:
        label: Shape `(n,)`.
        score: Shape `(n,)`.
        group: Number of the customer, from 0.

    >>> label, score = np.tile(np.arange(8) % 2 > 0, 10), np.tile(np.arange(8.0), 10)
    >>> round(compute_auc_se(label, score, np.arange(80)), 4)
    0.0625
    >>> round(compute_auc_se(label, score, np.tile(np.arange(8), 10)), 4)  # Eight customers
    0.1976
    """
    ranked = np.sort(score[~label]), np.sort(score[label])
    n_negative, n_positive = len(ranked[0]), len(ranked[1])
    if not n_negative or not n_positive:
        return float("nan")
    below, above = (
        (np.searchsorted(other, score, "left") + np.searchsorted(other, score, "right")) / 2.0
        for other in ranked
    )
    placement = np.where(label, below / n_negative, 1.0 - above / n_positive)
    auc = placement[label].mean()
    influence = (placement - auc) / np.where(label, n_positive, n_negative)
    return float(np.sqrt((np.bincount(group, influence) ** 2).sum()))
