"""Reasons: grouped, true of the value shown, in two languages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from features.definitions import FEATURE_NAMES, N_FEATURES
from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.reasons import MAX_REASONS, Reason, choose_check
from scoring.rules import Rules

Vector = npt.NDArray[np.float32]


def _explain(rules: Rules, **values: tuple[float, float, float]) -> tuple[Reason, ...]:
    """Return the reasons for features with `(contribution, value, usual value)`."""
    attributions = np.zeros(N_FEATURES)
    vector = np.full(N_FEATURES, np.nan, np.float32)
    baseline = vector.copy()
    for name, (contribution, value, usual) in values.items():
        column = FEATURE_NAMES.index(name)
        attributions[column], vector[column], baseline[column] = contribution, value, usual
    return rules.catalogue.compute_reasons(attributions, vector, baseline)


def test_features_of_one_reason_are_added_up_and_the_strongest_is_shown(rules: Rules) -> None:
    (reason,) = _explain(
        rules, return_rate_90d=(0.5, 0.45, 0.0), return_value_rate_365d=(0.25, 0.3, 0.0)
    )
    assert (reason.code, reason.feature) == ("RETURN_RATE_HIGH", "return_rate_90d")
    assert reason.contribution == 0.75
    assert reason.text_en == (
        "Returns a large share of what was ordered (Items returned per line ordered, 90d: 45%)"
    )
    assert reason.text_zh_cn == "退货占比偏高（近90天退货率，退货件数/下单行数：45%）"


@pytest.mark.parametrize(
    ("value", "usual", "code"),
    [
        (0.5, 0.1, "RETURN_RATE_HIGH"),
        (0.1, 0.5, "RETURN_RATE_LOW"),
        (0.5, 0.5, "RETURN_RATE"),
        (float("nan"), 0.5, "RETURN_RATE"),
        (0.5, float("nan"), "RETURN_RATE"),
    ],
)
def test_words_for_high_and_low_are_only_used_where_they_are_true(
    value: float, usual: float, code: str, rules: Rules
) -> None:
    (reason,) = _explain(rules, return_rate_90d=(0.5, value, usual))
    assert reason.code == code


def test_only_what_raises_the_probability_is_a_reason_strongest_first(rules: Rules) -> None:
    reasons = _explain(
        rules,
        return_rate_90d=(-0.5, 0.0, 0.1),
        request_value_minor=(0.1, 100.0, 50.0),
        request_discount_share=(0.4, 0.5, 0.0),
        request_tender=(0.0001, 1.0, 2.0),
    )
    assert [reason.name for reason in reasons] == ["DISCOUNT", "CASE_VALUE"]


def test_there_are_at_most_four(rules: Rules) -> None:
    names = ("request_value_minor", "request_discount_share", "request_tender", "request_quantity")
    many = dict.fromkeys((*names, "return_rate_90d", "request_stage"), (0.1, 1.0, 0.0))
    assert len(_explain(rules, **many)) == MAX_REASONS


@pytest.mark.parametrize(
    ("state", "code", "told", "told_zh"),
    [
        (0.0, "NEW_CUSTOMER", "No history of this customer yet", "尚无该顾客的历史记录"),
        (-1.0, "NO_CUSTOMER", "No customer is named", "未提供顾客身份"),
    ],
)
def test_all_that_a_customer_without_history_misses_is_one_reason(
    state: float, code: str, told: str, told_zh: str, rules: Rules
) -> None:
    missing = float("nan")
    shares: dict[str, tuple[float, float, float]] = {
        "customer_state": (0.1, state, 1.0),
        "return_rate_90d": (0.5, missing, 0.1),
        "order_count_lifetime": (-0.2, missing, 5.0),
        "request_reason_similarity_max_last16": (0.25, missing, 0.2),
        "request_value_minor": (0.3, 9000.0, 100.0),
    }
    history, value = _explain(rules, **shares)
    assert (history.code, value.code) == (code, "CASE_VALUE_HIGH")
    assert history.text_en.startswith(told)
    assert history.text_zh_cn.startswith(told_zh)
    total = sum(contribution for contribution, _, _ in shares.values())
    assert history.contribution + value.contribution == pytest.approx(total)


def test_the_reasons_of_a_known_customer_stay_apart(rules: Rules) -> None:
    reasons = _explain(
        rules,
        customer_state=(0.0, 1.0, 1.0),
        return_rate_90d=(0.5, 0.9, 0.1),
        order_count_lifetime=(0.2, 9.0, 5.0),
    )
    assert [reason.name for reason in reasons] == ["RETURN_RATE", "ORDER_HISTORY"]


@pytest.mark.parametrize(
    ("reason", "check"),
    [("NO_RECEIPT", "Look the order up"), ("TENDER", "Compare the item with the order")],
)
def test_the_strongest_reason_with_a_check_names_it(reason: str, check: str, rules: Rules) -> None:
    weaker = Reason("RETURN_TIMING", "", "", "", "", 0.0, 0.1)
    named = Reason(reason, "", "", "", "", 0.0, 0.5)
    reasons = [named] if reason == "TENDER" else [named, weaker]
    chosen = choose_check(pb.HINT_VERIFY, reasons, rules.policy.get_checks(Call.RETURN))
    assert chosen is not None
    assert chosen.en.startswith(check)


def test_there_is_nothing_to_check_unless_the_hint_is_verify(rules: Rules) -> None:
    checks = rules.policy.get_checks(Call.ORDER)
    assert choose_check(pb.HINT_APPROVE, [], checks) is None
    assert choose_check(pb.HINT_VERIFY, [], checks) is checks.default
