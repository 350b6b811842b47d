"""The policy file: the default is sound, and each fault is named by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.definitions import FEATURE_NAMES
from features.errors import ConfigError
from features.request_rows import Call
from scoring.policy import DEFAULT_POLICY, load_policy, parse_policy

DEFAULT = DEFAULT_POLICY.read_text(encoding="utf-8")


def test_the_default_policy_gives_every_feature_a_reason() -> None:
    reasons = load_policy().rules.reasons
    named = [feature for rule in reasons.values() for feature in rule.features]
    assert sorted(named) == sorted(FEATURE_NAMES)


def test_the_default_policy_is_the_usual_rule_half_of_a_margin_of_30_percent() -> None:
    policy = load_policy()
    assert (policy.margin_share_cap_bp, policy.default_margin_bp) == (5000, 3000)
    assert policy.rules.budget.tier_caps_minor.high == 50_000


def test_costs_are_the_policys_and_a_policy_without_them_has_the_usual_ones() -> None:
    edited = parse_policy(DEFAULT.replace("check_minor: 800", "check_minor: 950").encode(), "p")
    assert edited.rules.evaluation.costs.check_minor == 950.0
    start, end = DEFAULT.index("evaluation:"), DEFAULT.index("# The single check")
    bare = parse_policy((DEFAULT[:start] + DEFAULT[end:]).encode(), "p")
    assert bare.rules.evaluation == load_policy().rules.evaluation


def test_an_edit_without_a_new_version_changes_the_version_shown() -> None:
    edited = DEFAULT.replace("high: 50000", "high: 50001").encode()
    assert parse_policy(edited, "p").version != load_policy().version
    assert parse_policy(edited, "p").version.startswith("default-1+")


def test_an_order_line_has_the_checks_of_its_order() -> None:
    policy = load_policy()
    assert policy.get_checks(Call.ORDER_LINE) is policy.get_checks(Call.ORDER)


@pytest.mark.parametrize(
    ("old", "new", "field", "told"),
    [
        ("margin_share_cap:", "margin_share_capp:", "budget", "did you mean `margin_share_cap`?"),
        ("version: default-1", "version: ''", "version", "pattern"),
        ("audit_share: 0.01", "audit_share: 0.3", "verify.audit_share", "less than or equal"),
        ("audit_share: 0.01", "audit_share: 0.00001", "verify.audit_share", "four decimal"),
        ("share_cap: 0.5 ", "share_cap: 0.50001 ", "budget.margin_share_cap", "four decimal"),
        ("share_cap: 0.5 ", "share_cap: 1.5 ", "budget.margin_share_cap", "less than or equal"),
        ("share_cap: 0.5 ", "share_cap: .nan ", "budget.margin_share_cap", "finite"),
        ("keep_threshold: 0.10", "keep_threshold: .inf", "budget.keep_threshold", ""),
        ("high: 50000", "high: -1", "budget.tier_caps_minor.high", "greater than or equal"),
        ("high: 50000", "high: lots", "budget.tier_caps_minor.high", "integer"),
        (", new: 10000", "", "budget.tier_caps_minor.new", "required"),
        ("[abuse]", "[abus]", "verify", "did you mean `abuse`?"),
        ("thresholds: {}", "thresholds: {abuse__retrun: 0.5}", "verify", "`abuse__return`?"),
        ("thresholds: {}", "thresholds: {abuse__return: 2}", "verify.thresholds", "less than"),
        ("return: APPROVE", "return: DENY", "verify.store_down_hint.return", "VERIFY"),
        (", return: APPROVE}", "}", "verify", "store_down_hint has no `return`"),
        ("[[14, 100], [30, 85]", "[[30, 100], [14, 85]", "budget.rfm.recency_days", "ascend"),
        ("weight_percent: 40", "weight_percent: 41", "budget.rfm", "adds up to 101"),
        ("- return_rate_7d", "- retrun_rate_7d", "reasons.RETURN_RATE", "`return_rate_7d`?"),
        ("[request_tender]", "[request_stage]", "(the whole file)", "stands in two reasons"),
        ("      BRACKETING:", "      BRACKETS:", "(the whole file)", "did you mean `BRACKETING`?"),
        ("staleness_limit_s: 900", "staleness_limit_s: 0", "staleness_limit_s", "greater than 0"),
        ("missed_share: 0.85", "mised_share: 0.85", "evaluation.costs", "mean `missed_share`?"),
        ("check_minor: 800", "check_minor: -1", "evaluation.costs.check_minor", "greater than or"),
        ("check_minor: 800", "check_minor: .inf", "evaluation.costs.check_minor", "finite"),
        ("check_minor: 800", "check_minor: free", "evaluation.costs.check_minor", "number"),
        ("caught_share: 0.10", "caught_share: 0.9", "evaluation.costs", "at most missed_share"),
    ],
)
def test_a_fault_names_its_key_and_the_fix(old: str, new: str, field: str, told: str) -> None:
    assert old in DEFAULT
    with pytest.raises(ConfigError) as caught:
        parse_policy(DEFAULT.replace(old, new, 1).encode(), "mine.yaml")
    assert caught.value.field.startswith(field)
    assert told in caught.value.expectation


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("version: a\nversion: b", "key `version` stands twice"),
        ("a: [", "expected"),
        ("", "dictionary"),
        ("- 1", "dictionary"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("2026-99-99: x", "month must be in 1..12"),
        ("? [a]\n: x", "unhashable"),
        ("a: !!bool maybe", "maybe"),
        ("a: !!timestamp soon", "groupdict"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_policy_at_all_is_refused(content: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policy(content.encode(), "mine.yaml")
    assert told in f"{caught.value.value} {caught.value.expectation}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_policy(tmp_path / "absent.yaml")
