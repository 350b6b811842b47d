"""The compiled core's answer to the questions that the twin is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bulk import ToldEvents, compute_vectors_at
from features.entities import Entity
from features.keys import compute_entity_key, compute_event_key, compute_member
from features.log.arrow_cells import from_arrow
from features.log.columns import RequestRows, to_line_rows, to_request_rows
from features.log.history import read_history
from features.log.reader import EventLog
from features.request_rows import Call

_CUSTOMERS = (Entity.CUSTOMER, Entity.ACTIVITY)


@dataclass(frozen=True, slots=True)
class CoreQuestions:
    """The questions as the core wants them.

    Attributes:
        requests: Shape `(n,)` of `REQUEST_ROW_DTYPE`.
        entity_keys: Shape `(n, N_ENTITIES, 16)`, uint8.
        is_named: Shape `(n, N_ENTITIES)`, bool.
    """

    requests: npt.NDArray[Any]
    entity_keys: npt.NDArray[np.uint8]
    is_named: npt.NDArray[np.bool_]

    def take(self, places: npt.NDArray[np.int64]) -> CoreQuestions:
        """Return some of the questions."""
        return CoreQuestions(self.requests[places], self.entity_keys[places], self.is_named[places])


def build_questions(cases: pa.Table, queries: pa.Table) -> CoreQuestions:
    """Return request rows that say what each question's case says, at the question's time.

    Args:
        cases: Case events, every row of a kind that tells a case.
        queries: Columns of `schema.QUERY_SCHEMA`.
    """
    cells = from_arrow(cases)
    whole, lines = to_request_rows(cells), to_line_rows(cells)
    if len(whole.rows) != cases.num_rows:
        raise ValueError("some rows of `cases` tell no case")
    first_line = np.searchsorted(lines.event_index, np.arange(cases.num_rows))
    case_row, line = queries["case_row"].to_numpy(), queries["line"].to_numpy()
    is_line = queries["call"].to_numpy() == Call.ORDER_LINE
    asked = _take(whole, case_row)
    of_lines = _take(lines, (first_line[case_row] + line)[is_line])
    asked.requests[is_line] = of_lines.requests
    asked.entity_keys[is_line] = of_lines.entity_keys
    asked.is_named[is_line] = of_lines.is_named
    _name_customers(asked, queries)
    return asked


def _take(rows: RequestRows, places: npt.NDArray[np.int64]) -> CoreQuestions:
    return CoreQuestions(rows.rows[places], rows.entity_keys[places], rows.is_named[places])


def _name_customers(questions: CoreQuestions, queries: pa.Table) -> None:
    """Write who asks, and when: not who the case's customer is."""
    questions.requests["time_us"] = queries["time_us"].to_numpy()
    questions.is_named[:, _CUSTOMERS] = False
    questions.entity_keys[:, _CUSTOMERS] = 0
    questions.requests["member"] = questions.requests["case_key"] = 0
    for row, question in enumerate(queries.select(["tenant", "customer_id", "own_event_id"])
                                   .to_pylist()):  # fmt: skip
        tenant, customer_id = question["tenant"], question["customer_id"]
        if question["own_event_id"]:
            key = compute_event_key(tenant, question["own_event_id"])
            questions.requests["case_key"][row] = key
        if customer_id:
            for entity in _CUSTOMERS:
                name = compute_entity_key(tenant, entity, customer_id)
                questions.entity_keys[row, entity] = np.frombuffer(name, np.uint8)
                questions.is_named[row, entity] = True
            history = questions.entity_keys[row, Entity.CUSTOMER].tobytes()
            questions.requests["member"][row] = compute_member(history)


def compute_core(log: Path, questions: CoreQuestions) -> npt.NDArray[np.float32]:
    """Return the core's vectors by the bulk path, shape `(n, n_features)`."""
    history = read_history(EventLog(log))
    return compute_vectors_at(
        history.rows,
        history.entity_keys,
        history.embeddings,
        questions.requests,
        questions.entity_keys,
        questions.is_named,
        events=ToldEvents(history.event_index, history.event_keys, history.ingest_us),
    )
