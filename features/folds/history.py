"""The fold of a customer's history: one row brings the record up to date.

Rules that make any order of the same events give the same bytes: tiles keep the
newest absolute buckets and older events change lifetime totals only; rings keep
the greatest (time, key) in descending order; the first orders are the least two.
The caller has dropped events seen before. Nothing is read but the record and
the row (with its embedding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import array_of, compiled_without_allocation, int8_2d, int64_1d, void, welded
from features.fold_rows import FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.folds.history_orders import (
    fold_cancel,
    fold_cancel_request,
    fold_order,
    fold_order_line,
)
from features.folds.history_returns import fold_label, fold_processing, fold_refund, fold_return
from features.records.history import HISTORY_DTYPE, HistoryCounter

_ORDER_KEPT_COUNT = int(HistoryCounter.ORDER_KEPT_COUNT)
_OFFER_TAKEN_COUNT = int(HistoryCounter.OFFER_TAKEN_COUNT)
_EXCHANGE_COUNT = int(HistoryCounter.EXCHANGE_COUNT)

_ORDER_PLACED = int(FoldKind.ORDER_PLACED)
_ORDER_LINE = int(FoldKind.ORDER_LINE)
_CANCEL_REQUESTED = int(FoldKind.CANCEL_REQUESTED)
_ORDER_CANCELLED = int(FoldKind.ORDER_CANCELLED)
_ORDER_KEPT = int(FoldKind.ORDER_KEPT)
_RETURN_REQUESTED = int(FoldKind.RETURN_REQUESTED)
_RETURN_RECEIVED = int(FoldKind.RETURN_RECEIVED)
_RETURN_INSPECTED = int(FoldKind.RETURN_INSPECTED)
_REFUND_ISSUED = int(FoldKind.REFUND_ISSUED)
_ITEM_EXCHANGED = int(FoldKind.ITEM_EXCHANGED)
_LABEL_SET = int(FoldKind.LABEL_SET)

_IS_OFFER_TAKEN = int(FoldFlag.IS_OFFER_TAKEN)


@welded
def fold_history(record: Any, row: Any, embeddings: npt.NDArray[np.int8]) -> None:
    """Fold one row; every event counts, not every one moves a counter.

    Args:
        record: Element of `HISTORY_DTYPE`.
        row: Element of `FOLD_ROW_DTYPE`, not folded before.
        embeddings: Shape `(n, DIM)`: what `row["embedding"]` points into.
    """
    kind = np.int64(row["kind"])
    if kind == _ORDER_LINE:  # A part of an event.
        fold_order_line(record, row)
        return
    record["event_count"] += 1
    record["last_event_us"] = max(record["last_event_us"], row["event_time_us"])
    if kind == _ORDER_PLACED:
        fold_order(record, row)
    elif kind == _RETURN_REQUESTED:
        fold_return(record, row, embeddings)
    elif kind == _CANCEL_REQUESTED:
        fold_cancel_request(record, row)
    elif kind == _ORDER_CANCELLED:
        fold_cancel(record, row)
    elif kind in (_RETURN_RECEIVED, _RETURN_INSPECTED):
        fold_processing(record, row)
    elif kind == _REFUND_ISSUED:
        fold_refund(record, row)
    elif kind == _ITEM_EXCHANGED:
        record["lifetime"][_EXCHANGE_COUNT] += 1
    elif kind == _LABEL_SET:
        fold_label(record, row)
    elif kind == _ORDER_KEPT:
        record["lifetime"][_ORDER_KEPT_COUNT] += 1
        if np.int64(row["flags"]) & _IS_OFFER_TAKEN:
            record["lifetime"][_OFFER_TAKEN_COUNT] += 1


@compiled_without_allocation(
    void(array_of(HISTORY_DTYPE), int64_1d, array_of(FOLD_ROW_DTYPE), int8_2d)
)
def fold_histories(
    records: npt.NDArray[Any],
    record_index: npt.NDArray[np.int64],
    rows: npt.NDArray[Any],
    embeddings: npt.NDArray[np.int8],
) -> None:
    """Fold rows into records, in place.

    Args:
        records: Shape `(n_records,)` of `HISTORY_DTYPE`.
        record_index: Shape `(n_rows,)`: whose record each row changes.
        rows: Shape `(n_rows,)` of `FOLD_ROW_DTYPE`, each event once. Event times
            are at or after 1970-01-01.
        embeddings: Shape `(n, DIM)`: what the rows' `embedding` points into.
    """
    for i in range(rows.shape[0]):
        fold_history(records[record_index[i]], rows[i], embeddings)
