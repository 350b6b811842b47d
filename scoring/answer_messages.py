"""Answers as messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hemostat.v1 import common_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.answer import Answer
from scoring.decide import find_probability
from scoring.reasons import Reason


def fill_answer(
    response: pb.ScoreResponse, answer: Answer, line_ids: Sequence[str]
) -> pb.ScoreResponse:
    """Write what was decided into a response that has none of it, and return it.

    Args:
        response: Holds ids, freshness, versions; changed in place.
        answer: What was decided.
        line_ids: Ids of the order lines, in the order of the rows from the second on.
    """
    for result in answer.results:
        response.heads.add(
            target=result.head.target,
            probability=result.probability,
            source=result.head.source,
            line_id=line_ids[result.row - 1] if result.row else "",
        )
    if abuse := find_probability(answer.results, pb.TARGET_ABUSE):
        response.p_abuse = abuse.probability
        response.abuse_source = abuse.head.source
    if cancel := find_probability(answer.results, pb.TARGET_CANCEL):
        response.p_cancel = cancel.probability
    verdict = answer.verdict
    response.hint = verdict.hint
    response.shadow_hint = verdict.shadow_hint
    if answer.check is not None:
        response.check.en = answer.check.en
        response.check.zh_cn = answer.check.zh_cn
    if verdict.explained is not None:
        target = verdict.explained.head.target
        response.reasons.extend(_to_reason(reason, target) for reason in answer.reasons)
    response.budget.amount_minor = answer.budget.amount_minor
    response.budget.limit = answer.budget.limit
    response.budget.margin_minor = answer.margin.amount_minor
    response.budget.margin_source = answer.margin.source
    response.budget.tier = answer.tier.name
    if answer.tier.rfm_score is not None:
        response.budget.rfm_score = answer.tier.rfm_score
    return response


def _to_reason(reason: Reason, target: pb.Target) -> pb.ReasonDetail:
    return pb.ReasonDetail(
        code=reason.code,
        text=common_pb2.LocalizedText(en=reason.text_en, zh_cn=reason.text_zh_cn),
        feature=reason.feature,
        value=None if math.isnan(reason.value) else reason.value,
        contribution_log_odds=reason.contribution,
        target=target,
    )
