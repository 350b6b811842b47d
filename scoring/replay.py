"""Deciding a logged case again: the same vectors, bundle and policy give the same answer."""

from __future__ import annotations

from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.answer import CaseFacts, compute_answer
from scoring.answer_messages import fill_answer
from scoring.audit_draw import draw_audit
from scoring.budget import Margin
from scoring.decision_vectors import read_vectors
from scoring.model import Model
from scoring.rules import Rules


def replay(
    record: pb.DecisionRecord, model: Model | None, rules: Rules, audit_key: bytes
) -> pb.ScoreResponse:
    """Return the answer that a logged decision's vectors give, bit for bit.

    What the vectors cannot tell (ids, freshness, versions, latency, the margin) is
    taken over from the record; every probability, hint, reason, budget and audit is
    computed anew.

    Args:
        record: From the decision log.
        model: The bundle that `record.bundle_hash` names; None if it names none.
        rules: The policy that `record.policy_version` names.
        audit_key: Of the log that the record is from (`DecisionLog.audit_key`).

    Raises:
        ValueError: Model or rules are of another version than the record.
    """
    version = model.version if model else ""
    if (version, rules.policy.version) != (record.bundle_hash, record.policy_version):
        raise ValueError("a decision is replayed with its own bundle and policy")
    given = record.response
    vectors = read_vectors(record)
    n_lines = len(vectors) - 1
    margin = Margin(given.budget.margin_minor, given.budget.margin_source)
    call = Call[record.call.upper()]
    facts = CaseFacts(call, given.freshness.customer_state, margin)
    outputs = [] if model is None else model.predict(vectors)
    answer = compute_answer(facts, vectors, outputs, 0, model, rules)
    response = pb.ScoreResponse(
        decision_id=given.decision_id,
        request_id=given.request_id,
        freshness=given.freshness,
        degradations=given.degradations,
        model_version=given.model_version,
        policy_version=given.policy_version,
        evaluated_time=given.evaluated_time,
        server_latency_us=given.server_latency_us,
        is_replay_clock=given.is_replay_clock,
    )
    # Heads of lines come last, line by line.
    line_ids = [head.line_id for head in given.heads[len(given.heads) - n_lines :]]
    fill_answer(response, answer, line_ids)
    drawn = draw_audit(audit_key, record.tenant, record.event_id, call, response.hint, rules.policy)
    response.is_audit = drawn.is_drawn
    return response
