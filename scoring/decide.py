"""From probabilities to a hint: pure, so that a logged decision can be replayed.

The strongest hint is `VERIFY`; there is no automatic denial. A head learned from
simulated data runs in shadow: what it would have said is told, and changes
neither the hint nor the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.heads import TARGETS, HeadResult
from scoring.policy import Policy

# Which head is explained if none raised the hint: abuse before the others.
_EXPLAINED_FIRST = tuple(TARGETS.values())
_TARGET_NAMES = {target: name for name, target in TARGETS.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a case, and which head says so.

    Attributes:
        hint: What the caller should do.
        shadow_hint: What heads in shadow would have said; unspecified: there are none.
        is_abuse_flagged: A live abuse head raised the hint; the budget is then zero.
        explained: The head that the reasons explain; None: no head applies.
    """

    hint: pb.Hint
    shadow_hint: pb.Hint
    is_abuse_flagged: bool
    explained: HeadResult | None


def decide(
    results: Sequence[HeadResult], policy: Policy, call: Call, state: pb.CustomerState
) -> Verdict:
    """Return the verdict on a case.

    Args:
        results: Every head that applies, for the case and its lines.
        policy: Thresholds, and the hint while the store is down.
        call: Which question was asked.
        state: How the customer was found. With `UNAVAILABLE` the policy may
            overrule the model, which then knows the request alone.
    """
    live = [result for result in results if not result.head.is_shadow]
    shadow = [result for result in results if result.head.is_shadow]
    flagged = _find_flagged(live, policy)
    hint = _to_hint(flagged)
    if state == pb.CUSTOMER_STATE_UNAVAILABLE:
        overruled = policy.get_store_down_hint(call)
        if overruled != "MODEL":
            flagged = None
            hint = pb.HINT_VERIFY if overruled == "VERIFY" else pb.HINT_APPROVE
    can_shadow_hint = any(_get_threshold(result, policy) is not None for result in shadow)
    return Verdict(
        hint=hint,
        shadow_hint=_to_hint(_find_flagged(shadow, policy))
        if can_shadow_hint
        else pb.HINT_UNSPECIFIED,
        is_abuse_flagged=flagged is not None and flagged.head.target == pb.TARGET_ABUSE,
        explained=flagged or _find_foremost(live) or _find_foremost(shadow),
    )


def find_probability(results: Iterable[HeadResult], target: pb.Target) -> HeadResult | None:
    """Return the result of the head about the whole case; None: there is none."""
    return next((r for r in results if r.head.target == target and r.row == 0), None)


def _get_threshold(result: HeadResult, policy: Policy) -> float | None:
    """Return from which probability on a head says `VERIFY`; None: never."""
    verify = policy.rules.verify
    if _TARGET_NAMES[result.head.target] not in verify.targets:
        return None
    return verify.thresholds.get(result.head.name, result.threshold)


def _find_flagged(results: Iterable[HeadResult], policy: Policy) -> HeadResult | None:
    """Return the most probable result at or above its threshold."""
    flagged = None
    for result in results:
        threshold = _get_threshold(result, policy)
        is_flagged = threshold is not None and result.probability >= threshold
        if is_flagged and (flagged is None or result.probability > flagged.probability):
            flagged = result
    return flagged


def _find_foremost(results: Sequence[HeadResult]) -> HeadResult | None:
    for target in _EXPLAINED_FIRST:
        of_target = [result for result in results if result.head.target == target]
        if of_target:
            return max(of_target, key=lambda result: result.probability)
    return None


def _to_hint(flagged: HeadResult | None) -> pb.Hint:
    return pb.HINT_APPROVE if flagged is None else pb.HINT_VERIFY
