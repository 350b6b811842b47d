"""The compiled core's answer to the questions that the twin is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bulk import compute_vectors_at
from features.fold_rows import FOLDED_KINDS
from features.keys import ENTITY_KEY_SIZE, compute_entity_key, compute_event_key
from features.log.columns import to_fold_rows, to_line_rows, to_request_rows
from features.log.reader import EventLog
from features.log.validation import validate_batch
from features.request_rows import REQUEST_ROW_DTYPE, Call

CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class CoreQuestions:
    """The questions as the core wants them.

    Attributes:
        requests: Shape `(n,)` of `REQUEST_ROW_DTYPE`.
        entity_keys: Shape `(n, 16)`, uint8: the customer's key; of no use for guests.
        is_guest: Shape `(n,)`, bool.
    """

    requests: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    is_guest: npt.NDArray[np.bool_]


def build_questions(cases: pa.Table, queries: pa.Table) -> CoreQuestions:
    """Return request rows that say what each question's case says, at the question's time.

    Args:
        cases: Case events, every row of a kind that tells a case.
        queries: Columns of `schema.QUERY_SCHEMA`.
    """
    whole = to_request_rows(cases)
    if len(whole.rows) != cases.num_rows:
        raise ValueError("some rows of `cases` tell no case")
    lines = to_line_rows(cases)
    first_line = np.searchsorted(lines.source_index, np.arange(cases.num_rows))
    case_row, line = queries["case_row"].to_numpy(), queries["line"].to_numpy()
    requests = np.zeros(queries.num_rows, REQUEST_ROW_DTYPE)
    is_line = queries["call"].to_numpy() == Call.ORDER_LINE
    requests[~is_line] = whole.rows[case_row[~is_line]]
    requests[is_line] = lines.rows[(first_line[case_row] + line)[is_line]]
    requests["time_us"] = queries["time_us"].to_numpy()
    tenants, customers = queries["tenant"].to_pylist(), queries["customer_id"].to_pylist()
    own = queries["own_event_id"].to_pylist()
    requests["case_key"] = [
        compute_event_key(tenant, event_id) if event_id else 0
        for tenant, event_id in zip(tenants, own, strict=True)
    ]
    keys = b"".join(map(compute_entity_key, tenants, [CUSTOMER] * len(tenants), customers))
    return CoreQuestions(
        requests=requests,
        entity_keys=np.frombuffer(keys, np.uint8).reshape(-1, ENTITY_KEY_SIZE),
        is_guest=np.array([not customer for customer in customers], np.bool_),
    )


def read_fold_rows(log: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Return the accepted fold rows of a log and the customers' keys, shape `(n, 16)`."""
    opened = EventLog(log)
    parts = [
        to_fold_rows(validate_batch(batch, offset).valid)
        for partition in opened.partitions
        for offset, batch in opened.read_batches(partition, kinds=tuple(FOLDED_KINDS))
    ]
    rows = np.concatenate([part.rows for part in parts])
    return rows, np.concatenate([part.entity_keys for part in parts])


def compute_core(log: Path, questions: CoreQuestions) -> npt.NDArray[np.float32]:
    """Return the core's vectors by the bulk path, shape `(n, n_features)`."""
    rows, row_keys = read_fold_rows(log)
    return compute_vectors_at(
        rows, row_keys, questions.requests, questions.entity_keys, questions.is_guest
    )
