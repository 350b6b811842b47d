"""Paying every first-call cost before the port opens."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np
from google.protobuf import json_format

from features.warm import warm
from hemostat.v1 import scoring_pb2 as pb
from scoring.answer import CaseFacts, compute_answer, find_reasons
from scoring.answer_messages import fill_answer
from scoring.budget import compute_margin
from scoring.cases import Case, unpack_cases
from scoring.conversion import to_case
from scoring.entity_records import CaseRecords, compute_case_vectors
from scoring.model import Model
from scoring.rules import Rules

_NOW_US = 1_767_225_600_000_000
_ITEM = {
    "quantity": 1,
    "unit_price_minor": 1999,
    "order_time": "2026-01-01T00:00:00Z",
    "reason": {"code": "REASON_CODE_CHANGED_MIND", "text": "warm 预热"},
}
_REQUESTS = (
    {"order": {"lines": [{"line_id": "1", "quantity": 1, "unit_price_minor": 1999}] * 2}},
    {"cancellation": _ITEM},
    {"return_request": _ITEM},
)


def warm_scorer(models: Mapping[str, Model], rules: Rules) -> None:
    """Take a case of each call through everything but store, log and transport."""
    warm()
    for payload in _REQUESTS:
        envelope = {"tenant": "warm", "customer_id": "warm", "channel": "CHANNEL_WEB"}
        request = json_format.ParseDict({**envelope, **payload}, pb.ScoreRequest())
        for model in models.values():
            with_lines = model.has_line_heads
            case = to_case(
                request, with_lines=with_lines, received_s=perf_counter(), now_us=_NOW_US
            )
            _answer(case, model, rules)


def _answer(case: Case, model: Model, rules: Rules) -> None:
    rows, _ = unpack_cases([case], _NOW_US)
    records = CaseRecords((None,) * len(case.entity_keys), is_available=True, applied_us=None)
    vectors = model.widen(compute_case_vectors([case], [records], rows).vectors, case)
    outputs = model.predict(vectors)
    margin = compute_margin(case.value_minor, case.cost_minor, rules.policy)
    facts = CaseFacts(case.call, pb.CUSTOMER_STATE_KNOWN, margin)
    answer = compute_answer(facts, vectors, outputs, 0, model, rules)
    fill_answer(pb.ScoreResponse(), answer, case.line_ids).SerializeToString()
    for head, explainer in model.explainers.items():
        shares = np.abs(explainer.compute_attributions(vectors[0]))
        find_reasons(model, head, shares, vectors[0], rules)
