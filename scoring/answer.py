"""From a case's vectors to its whole answer: pure, shared by live calls and replays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.definitions import N_FEATURES
from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.attribute_reasons import add_attribute_reasons
from scoring.budget import Budget, Margin, Tier, compute_budget, compute_tier
from scoring.decide import Verdict, decide, find_probability
from scoring.heads import HeadResult
from scoring.model import Model, Outputs
from scoring.policy import Text
from scoring.reasons import Reason, choose_check
from scoring.rules import Rules


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a decision rests on beside the vectors.

    Attributes:
        call: Which question.
        state: How the customer was found.
        margin: Gross margin of the case.
    """

    call: Call
    state: pb.CustomerState
    margin: Margin


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that is decided about a case.

    Attributes:
        results: Every head that applies.
        verdict: The hint.
        reasons: Why, strongest first.
        check: What to check; None: nothing.
        budget: What may be spent.
        tier: The customer's.
        margin: Gross margin of the case.
    """

    results: tuple[HeadResult, ...]
    verdict: Verdict
    reasons: tuple[Reason, ...]
    check: Text | None
    budget: Budget
    tier: Tier
    margin: Margin


def compute_answer(
    facts: CaseFacts,
    vectors: npt.NDArray[np.float32],
    outputs: Outputs,
    first_row: int,
    model: Model | None,
    rules: Rules,
) -> Answer:
    """Return the answer to a case.

    Args:
        facts: See there.
        vectors: Shape `(1 + n_lines, F)`: the case's row, then its lines'.
        outputs: What the model says, of these rows and others beside them.
        first_row: Where these rows begin in `outputs`.
        model: None: there is none for this tenant.
        rules: The policy in force.
    """
    results = (
        ()
        if model is None
        else _collect_results(
            facts.call, outputs, range(first_row, first_row + len(vectors)), model, vectors
        )
    )
    verdict = decide(results, rules.policy, facts.call, facts.state)
    reasons: tuple[Reason, ...] = ()
    if model is not None and verdict.explained is not None:
        explained = verdict.explained
        head, row = explained.head.name, vectors[explained.row]
        shares = model.explainers[head].compute_attributions(row)
        reasons = find_reasons(model, head, shares, row, rules)
    tier = compute_tier(facts.state, vectors[0], rules.policy)
    p_cancel = find_probability(results, pb.TARGET_CANCEL)
    is_p_cancel_live = p_cancel is not None and not p_cancel.head.is_shadow
    return Answer(
        results=results,
        verdict=verdict,
        reasons=reasons,
        check=choose_check(verdict.hint, reasons, rules.policy.get_checks(facts.call)),
        budget=compute_budget(
            facts.margin.amount_minor,
            tier,
            rules.policy,
            is_abuse_flagged=verdict.is_abuse_flagged,
            p_cancel=p_cancel.probability if p_cancel is not None and is_p_cancel_live else None,
        ),
        tier=tier,
        margin=facts.margin,
    )


def find_reasons(
    model: Model,
    head: str,
    shares: npt.NDArray[np.float64],
    row: npt.NDArray[np.float32],
    rules: Rules,
) -> tuple[Reason, ...]:
    """Return why a head says what it says of a row, strongest first.

    Args:
        model: With the head's baseline, and the retailer's own columns if it has any.
        head: Its name.
        shares: Shape `(F,)`: attributions of the row, log-odds.
        row: Shape `(F,)`.
        rules: The policy in force.
    """
    baseline, own = model.explainers[head].baseline, model.manifest.attributes
    if own is None:
        return rules.catalogue.compute_reasons(shares, row, baseline)
    n = N_FEATURES
    reasons = rules.catalogue.compute_reasons(shares[:n], row[:n], baseline[:n])
    return add_attribute_reasons(reasons, own.columns, shares[n:], row[n:])


def _collect_results(
    call: Call, outputs: Outputs, rows: range, model: Model, vectors: npt.NDArray[np.float32]
) -> tuple[HeadResult, ...]:
    """Return what each head that applies says of the row it is about."""
    results = [
        HeadResult(
            head,
            float(outputs[head.output][rows.start]),
            threshold=head.find_threshold(vectors[0]),
        )
        for head in model.find_heads(call)
    ]
    if call is Call.ORDER and len(rows) > 1:
        for head in model.find_heads(Call.ORDER_LINE):
            lines = outputs[head.output][rows.start + 1 : rows.stop].tolist()
            results.extend(
                HeadResult(head, p, row, head.find_threshold(vectors[row]))
                for row, p in enumerate(lines, 1)
            )
    return tuple(results)
