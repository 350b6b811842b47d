"""How well one column alone, or the words alone, rank abuse above honesty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from features.definitions import FEATURES
from features.request_rows import Call
from training.simulation.realism.auc import compute_auc
from training.simulation.realism.true_cases import Flags, Floats, TrueCases, number_customers

_N_FOLDS: Final = 5
_N_BINS: Final = 12


@dataclass(frozen=True, slots=True)
class Separability:
    """How well one column alone tells abuse.

    Attributes:
        call: `order`, `cancellation` or `return`.
        group: `feature` (of the model's row) or `text` (the reason's embedding, by a
            cross-fitted logistic regression).
        name: The column.
        auc: ROC-AUC, 0.5 = tells nothing. Of a feature the better of its plain ranking
            in either direction and of a cross-fitted rate per bin, so that neither a
            U shape nor a code hides.
        n_cases: Cases compared.
        n_abuse: Abuse among them.
    """

    call: str
    group: str
    name: str
    auc: float
    n_cases: int
    n_abuse: int


def compute_separability(cases: TrueCases) -> list[Separability]:
    """Return how well each column alone tells abuse, the most telling first."""
    folds = _assign_folds(cases.customers)
    call = Call[cases.call.upper()]
    found = [("text", "reason text", compute_text_auc(cases))] if call is not Call.ORDER else []
    for place, feature in enumerate(FEATURES):
        if call in feature.calls:
            auc = _compute_column_auc(cases.vectors[:, place], cases.is_abuse, folds)
            found.append(("feature", feature.name, auc))
    n_cases, n_abuse = len(cases.is_abuse), int(cases.is_abuse.sum())
    table = [Separability(cases.call, *row, n_cases, n_abuse) for row in found]
    return sorted(table, key=lambda row: -row.auc)


def compute_text_auc(cases: TrueCases) -> float:
    """Return the ROC-AUC of the reason's words alone, cross-fitted by customer."""
    has_text = cases.embeddings.any(axis=1)
    columns: Floats = np.column_stack([cases.embeddings / 127.0, has_text]).astype(np.float64)
    return _cross_fit_auc(columns, cases.is_abuse, _assign_folds(cases.customers))


def _cross_fit_auc(columns: Floats, label: Flags, folds: npt.NDArray[np.int64]) -> float:
    scores = np.zeros(len(label))
    for fold in range(_N_FOLDS):
        is_test = folds == fold
        if len(np.unique(label[~is_test])) < 2:  # A handful of abuse, all of it in this fold.
            continue
        model = LogisticRegression(C=1.0, max_iter=500)
        model.fit(columns[~is_test], label[~is_test])
        scores[is_test] = model.decision_function(columns[is_test])
    return compute_auc(label, scores)


def _assign_folds(customers: list[str]) -> npt.NDArray[np.int64]:
    """Return a fold per case; all cases of a customer share one."""
    return (number_customers(customers) * 2_654_435_761 % 2**32 % _N_FOLDS).astype(np.int64)


def _compute_column_auc(
    column: npt.NDArray[Any], label: Flags, folds: npt.NDArray[np.int64]
) -> float:
    is_missing = np.isnan(column)
    known = column[~is_missing].astype(np.float64)
    if not len(known) or (not is_missing.any() and known.min() == known.max()):
        return 0.5
    aucs = []
    for filler in (known.min() - 1.0, known.max() + 1.0):
        auc = compute_auc(label, np.where(is_missing, filler, column).astype(np.float64))
        aucs += [auc, 1.0 - auc]
    edges = np.unique(np.quantile(known, np.linspace(0.0, 1.0, _N_BINS + 1)[1:-1]))
    values = np.unique(known)
    bins = np.searchsorted(values if len(values) <= 2 * _N_BINS else edges, column, "right")
    bins[is_missing] = bins.max() + 1
    return max(*aucs, _compute_binned_auc(bins.astype(np.int64), label, folds))


def _compute_binned_auc(
    bins: npt.NDArray[np.int64], label: Flags, folds: npt.NDArray[np.int64]
) -> float:
    """Return the AUC of each bin's abuse rate, learned on the other folds."""
    scores = np.zeros(len(label))
    overall = label.mean()
    for fold in range(_N_FOLDS):
        is_test = folds == fold
        n = np.bincount(bins[~is_test], minlength=bins.max() + 1)
        n_abuse = np.bincount(bins[~is_test], label[~is_test], minlength=bins.max() + 1)
        rate = (n_abuse + 5.0 * overall) / (n + 5.0)
        scores[is_test] = rate[bins[is_test]]
    return compute_auc(label, scores)
