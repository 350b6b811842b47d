"""Does a label hide in plain sight? How far single attributes, words and artefacts tell it.

For evaluation only: this is the one module that reads the truth file. For each
call it measures how well one column alone ranks abuse above honesty (for orders
and cancel clicks, too, whether customers cancel or leave), what a text alone
does, and whether ids, file order or sub-second times betray anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression

from features.bulk import ToldEvents, compute_vectors_at
from features.definitions import FEATURES
from features.log.arrow_cells import from_arrow
from features.log.columns import to_fold_rows, to_request_rows
from features.log.reader import EventLog
from features.request_rows import Call
from training.metrics import ScoredCases, compute_roc_auc
from training.simulation.truth import TRUTH_FILE

_N_FOLDS: Final = 5
_N_BINS: Final = 12
_CASE_KINDS: Final = {
    "order": "order_placed",
    "cancellation": "cancel_requested",
    "return": "return_requested",
}

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Separability:
    """How well one column alone tells abuse.

    Attributes:
        call: `order`, `cancellation` or `return`.
        group: `feature` (of the model's row), `text` (the reason's embedding, by a
            cross-fitted logistic regression) or `artefact` (must be 0.50).
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


@dataclass(frozen=True, eq=False)
class TrueCases:
    """All cases of one call with what a scorer would see and what they were.

    Attributes:
        call: Which call.
        vectors: Shape `(n, N_FEATURES)`, float32, as of each case's own time.
        embeddings: Shape `(n, 64)`, int8: the reason; zeros without text.
        is_abuse: Shape `(n,)`.
        would_leave: Shape `(n,)`: 1 or 0; NaN where it does not apply.
        patterns: Length n: `Pattern` or `LookAlike` values.
        customers: Length n: customer ids, a guest's case its own event id.
        event_ids: Length n.
        time_us: Shape `(n,)`: event time.
        ingest_us: Shape `(n,)`.
    """

    call: str
    vectors: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.int8]
    is_abuse: Flags
    would_leave: Floats
    patterns: list[str]
    customers: list[str]
    event_ids: list[str]
    time_us: npt.NDArray[np.int64]
    ingest_us: npt.NDArray[np.int64]


def read_true_cases(path: Path) -> dict[str, TrueCases]:
    """Return the cases of a simulated log by call, joined with their truth.

    Args:
        path: A log written by `hemostat simulate`.
    """
    table = EventLog(path).read_table()
    batch = table.combine_chunks().to_batches()[0]
    cells = from_arrow(batch)
    fold = to_fold_rows(cells)
    requests = to_request_rows(cells)
    vectors = compute_vectors_at(
        fold.rows,
        fold.entity_keys,
        cells.embeddings,
        requests.rows,
        requests.entity_keys,
        requests.is_named,
        events=ToldEvents(fold.event_index, fold.event_keys, cells.head["ingest_us"]),
    )
    truth = pq.read_table(path / TRUTH_FILE)
    ids = batch.column("event_id").take(pa.array(requests.event_index))
    places = pc.index_in(truth.column("case_event_id"), ids).to_numpy()
    cases = {}
    for call, kind in _CASE_KINDS.items():
        is_call = pc.equal(truth.column("call"), call).to_numpy()
        chosen = places[is_call]
        cases[call] = _select(
            call, kind, batch, requests.event_index[chosen], vectors[chosen],
            requests.rows["embedding"][chosen], truth.filter(pa.array(is_call)),
        )  # fmt: skip
    return cases


def _select(
    call: str, kind: str, batch: pa.RecordBatch, rows: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.float32], embeddings: npt.NDArray[np.int8], truth: pa.Table,
) -> TrueCases:  # fmt: skip
    taken = batch.take(pa.array(rows))
    assert set(taken.column("kind").to_pylist()) == {kind}
    event_ids = taken.column("event_id").to_pylist()
    customers = taken.column("customer_id").to_pylist()
    leaves = truth.column("would_leave_without_offer").cast(pa.float64())
    return TrueCases(
        call=call,
        vectors=vectors,
        embeddings=embeddings,
        is_abuse=truth.column("is_abuse").to_numpy(),
        would_leave=leaves.to_numpy(),
        patterns=truth.column("pattern").to_pylist(),
        customers=[name or event for name, event in zip(customers, event_ids, strict=True)],
        event_ids=event_ids,
        time_us=taken.column("event_time").cast(pa.int64()).to_numpy(),
        ingest_us=taken.column("ingest_time").cast(pa.int64()).to_numpy(),
    )


def compute_separability(cases: TrueCases) -> list[Separability]:
    """Return how well each column alone tells abuse, the most telling first."""
    folds = _assign_folds(cases.customers)
    call = Call[cases.call.upper()]
    found = [("text", "reason text", compute_text_auc(cases))] if call is not Call.ORDER else []
    for place, feature in enumerate(FEATURES):
        if call in feature.calls:
            auc = _compute_column_auc(cases.vectors[:, place], cases.is_abuse, folds)
            found.append(("feature", feature.name, auc))
    found += [("artefact", name, auc) for name, auc in _compute_artefact_aucs(cases)]
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
        model = LogisticRegression(C=1.0, max_iter=500)
        model.fit(columns[~is_test], label[~is_test])
        scores[is_test] = model.decision_function(columns[is_test])
    return compute_auc(label, scores)


def compute_auc(label: Flags, score: Floats) -> float:
    """Return the ROC-AUC of a score; ties count half."""
    n = len(label)
    return compute_roc_auc(ScoredCases(label.astype(np.float64), score, np.ones(n), np.arange(n)))


def _assign_folds(customers: list[str]) -> npt.NDArray[np.int64]:
    """Return a fold per case; all cases of a customer share one."""
    codes = np.unique(np.array(customers), return_inverse=True)[1]
    return (codes * 2_654_435_761 % 2**32 % _N_FOLDS).astype(np.int64)


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


def _compute_artefact_aucs(cases: TrueCases) -> list[tuple[str, float]]:
    """Return the AUC of what must tell nothing; honest direction, so 0.5 +- noise."""
    columns = {
        "event id": _read_hex(cases.event_ids),
        "customer id": _read_hex([name.lstrip("c") for name in cases.customers]),
        "file order": np.argsort(np.argsort(cases.ingest_us, kind="stable"), kind="stable"),
        "sub-second of event time": cases.time_us % 1_000_000,
        "sub-second of ingest time": cases.ingest_us % 1_000_000,
    }
    return [(name, compute_auc(cases.is_abuse, np.asarray(c, np.float64))) for name, c in
            columns.items()]  # fmt: skip


def _read_hex(names: list[str]) -> Floats:
    return np.array([float(int(name[:12], 16)) for name in names])
