"""Hints: thresholds, shadow, and a store that is down."""

from __future__ import annotations

import pytest

from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.decide import decide
from scoring.heads import Head, HeadResult
from scoring.policy import DEFAULT_POLICY, Policy, parse_policy
from scoring.rules import Rules

KNOWN = pb.CUSTOMER_STATE_KNOWN
APPROVE, VERIFY = pb.HINT_APPROVE, pb.HINT_VERIFY


def _result(
    probability: float,
    target: pb.Target = pb.TARGET_ABUSE,
    source: pb.LabelSource = pb.LABEL_SOURCE_TENANT,
    threshold: float | None = 0.5,
    row: int = 0,
) -> HeadResult:
    name = "abuse__return" if target == pb.TARGET_ABUSE else "cancel__order"
    head = Head(name, target, Call.RETURN, source, threshold, 0)
    return HeadResult(head, probability, row, threshold)


def _edit(old: str, new: str) -> Policy:
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    assert old in text
    return parse_policy(text.replace(old, new, 1).encode(), "edited")


@pytest.mark.parametrize(("probability", "hint"), [(0.4999, APPROVE), (0.5, VERIFY), (1.0, VERIFY)])
def test_the_hint_is_verify_from_the_threshold_on(
    probability: float, hint: pb.Hint, rules: Rules
) -> None:
    verdict = decide([_result(probability)], rules.policy, Call.RETURN, KNOWN)
    assert verdict.hint == hint
    assert verdict.is_abuse_flagged == (hint == VERIFY)
    assert verdict.shadow_hint == pb.HINT_UNSPECIFIED


def test_the_policy_overrules_the_bundles_threshold() -> None:
    policy = _edit("thresholds: {}", "thresholds: {abuse__return: 0.8}")
    assert decide([_result(0.7)], policy, Call.RETURN, KNOWN).hint == APPROVE
    assert decide([_result(0.8)], policy, Call.RETURN, KNOWN).hint == VERIFY


def test_a_head_in_shadow_moves_neither_hint_nor_budget(rules: Rules) -> None:
    shadow = _result(0.99, source=pb.LABEL_SOURCE_SIMULATED)
    verdict = decide([shadow], rules.policy, Call.RETURN, KNOWN)
    assert (verdict.hint, verdict.shadow_hint) == (APPROVE, VERIFY)
    assert not verdict.is_abuse_flagged
    honest = _result(0.01, source=pb.LABEL_SOURCE_SIMULATED)
    assert decide([honest], rules.policy, Call.RETURN, KNOWN).shadow_hint == APPROVE


def test_a_head_without_threshold_gives_no_hint_and_no_shadow_hint(rules: Rules) -> None:
    silent = _result(0.99, source=pb.LABEL_SOURCE_SIMULATED, threshold=None)
    verdict = decide([silent, _result(0.99, threshold=None)], rules.policy, Call.RETURN, KNOWN)
    assert (verdict.hint, verdict.shadow_hint) == (APPROVE, pb.HINT_UNSPECIFIED)


def test_only_targets_that_the_policy_names_say_verify(rules: Rules) -> None:
    cancel = _result(0.99, target=pb.TARGET_CANCEL, threshold=0.5)
    assert decide([cancel], rules.policy, Call.ORDER, KNOWN).hint == APPROVE
    policy = _edit("targets: [abuse]", "targets: [abuse, cancel]")
    verdict = decide([cancel], policy, Call.ORDER, KNOWN)
    assert verdict.hint == VERIFY
    assert not verdict.is_abuse_flagged  # Not abuse: the budget stays.


@pytest.mark.parametrize(
    ("setting", "probability", "hint", "is_flagged"),
    [
        ("APPROVE", 0.99, APPROVE, False),
        ("VERIFY", 0.01, VERIFY, False),
        ("MODEL", 0.99, VERIFY, True),
        ("MODEL", 0.01, APPROVE, False),
    ],
)
def test_while_the_store_is_down_the_policy_decides(
    setting: str, probability: float, hint: pb.Hint, is_flagged: bool
) -> None:
    policy = _edit("return: APPROVE}", f"return: {setting}}}")
    unavailable = pb.CUSTOMER_STATE_UNAVAILABLE
    verdict = decide([_result(probability)], policy, Call.RETURN, unavailable)
    assert (verdict.hint, verdict.is_abuse_flagged) == (hint, is_flagged)


def test_the_head_that_raised_the_hint_is_explained(rules: Rules) -> None:
    calm, flagged, worse = _result(0.1), _result(0.6), _result(0.7, row=2)
    verdict = decide([calm, flagged, worse], rules.policy, Call.RETURN, KNOWN)
    assert verdict.explained is worse


def test_without_a_flag_a_live_head_is_explained_before_one_in_shadow(rules: Rules) -> None:
    shadow = _result(0.99, source=pb.LABEL_SOURCE_SIMULATED)
    cancel = _result(0.2, target=pb.TARGET_CANCEL)
    assert decide([shadow, cancel], rules.policy, Call.ORDER, KNOWN).explained is cancel
    assert decide([shadow], rules.policy, Call.ORDER, KNOWN).explained is shadow
    assert decide([], rules.policy, Call.ORDER, KNOWN).explained is None
