"""From attributions to reasons a person can read: grouped, named, in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES, FEATURES, N_FEATURES
from features.vector import STATE_GUEST, STATE_NEW
from hemostat.v1 import scoring_pb2 as pb
from scoring.policy import CallChecks, Policy, ReasonRule, Text
from scoring.value_texts import describe_zh, format_value

MAX_REASONS = 4
OTHER = "OTHER"

_STATE_COLUMN = FEATURE_NAMES.index("customer_state")
# Entities of which a customer without history, or a guest, misses everything.
_MISSED_ENTITIES: dict[float, tuple[str, ...]] = {
    STATE_NEW: ("customer",),
    STATE_GUEST: ("customer", "activity"),
}
# They miss everything that history tells: that is one reason, not four.
_WITHOUT_HISTORY: dict[float, tuple[str, Text]] = {
    STATE_NEW: (
        "NEW_CUSTOMER",
        Text(en="No history of this customer yet", zh_cn="尚无该顾客的历史记录"),
    ),
    STATE_GUEST: (
        "NO_CUSTOMER",
        Text(en="No customer is named, so no history is known", zh_cn="未提供顾客身份，无历史记录"),
    ),
}

# A share below a thousandth in the log-odds is no reason.
_LEAST_CONTRIBUTION = 1e-3


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision.

    Attributes:
        name: The policy's name of the reason; names the check, too.
        code: The name, or with `_HIGH` or `_LOW`.
        text_en: In English, with the strongest feature and its value.
        text_zh_cn: In Simplified Chinese.
        feature: The strongest feature.
        value: Its value; NaN: missing.
        contribution: Of all its features, log-odds against the baseline.
    """

    name: str
    code: str
    text_en: str
    text_zh_cn: str
    feature: str
    value: float
    contribution: float


class _Grouping:
    """Which group each feature column belongs to.

    Args:
        group_of_column: Shape `(F,)`.
        n_groups: Groups are numbered from 0; one may be empty.
    """

    def __init__(self, group_of_column: npt.NDArray[np.int64], n_groups: int) -> None:
        self.group_of_column = group_of_column
        self.n_groups = n_groups
        self.columns: list[list[int]] = [
            np.flatnonzero(group_of_column == number).tolist() for number in range(n_groups)
        ]


class ReasonCatalogue:
    """A policy's reasons, arranged by feature column once.

    Args:
        policy: Names the reasons.
    """

    def __init__(self, policy: Policy) -> None:
        other = ReasonRule.model_construct(features=(), text=policy.rules.other_reason)
        self._names = (*policy.rules.reasons, OTHER)
        self._rules = (*policy.rules.reasons.values(), other)
        n_reasons = len(self._names)
        reason_of_column = np.full(N_FEATURES, n_reasons - 1, np.int64)
        for number, rule in enumerate(policy.rules.reasons.values()):
            for feature in rule.features:
                reason_of_column[FEATURE_NAMES.index(feature)] = number
        self._grouping = _Grouping(reason_of_column, n_reasons)
        # One group more: everything that a customer without history misses.
        self._groupings_without_history = {
            state: _Grouping(
                np.where(
                    [feature.entity in entities for feature in FEATURES],
                    n_reasons,
                    reason_of_column,
                ),
                n_reasons + 1,
            )
            for state, entities in _MISSED_ENTITIES.items()
        }

    def compute_reasons(
        self,
        attributions: npt.NDArray[np.float64],
        vector: npt.NDArray[np.float32],
        baseline: npt.NDArray[np.float32],
    ) -> tuple[Reason, ...]:
        """Return the reasons that raise a probability most, strongest first.

        Args:
            attributions: Shape `(F,)`, log-odds; see `attribution`.
            vector: The row explained, shape `(F,)`, NaN for missing.
            baseline: The typical row it was compared with.

        Returns:
            At most `MAX_REASONS`; none if nothing raises the probability.
        """
        state = float(vector[_STATE_COLUMN])
        missing = _WITHOUT_HISTORY.get(state)
        grouping = self._groupings_without_history.get(state, self._grouping)
        sums = np.bincount(grouping.group_of_column, attributions, grouping.n_groups)
        strongest = np.argsort(-sums, kind="stable")[:MAX_REASONS].tolist()
        shares = attributions.tolist()
        reasons = []
        for number in strongest:
            contribution = float(sums[number])
            if contribution < _LEAST_CONTRIBUTION:
                break
            column = max(grouping.columns[number], key=shares.__getitem__)
            if missing is not None and number == len(self._names):
                reasons.append(_describe_missing(missing, column, vector, contribution))
            else:
                reasons.append(self._describe(number, column, contribution, vector, baseline))
        return tuple(reasons)

    def _describe(
        self,
        number: int,
        column: int,
        contribution: float,
        vector: npt.NDArray[np.float32],
        baseline: npt.NDArray[np.float32],
    ) -> Reason:
        value, usual = float(vector[column]), float(baseline[column])
        suffix, text = _choose_text(self._rules[number], value, usual)
        feature = FEATURES[column]
        shown_en, shown_zh = format_value(column, value)
        return Reason(
            name=self._names[number],
            code=self._names[number] + suffix,
            text_en=f"{text.en} ({feature.description}: {shown_en})",
            text_zh_cn=f"{text.zh_cn}（{describe_zh(feature.description_zh)}：{shown_zh}）",
            feature=feature.name,
            value=value,
            contribution=contribution,
        )


def _describe_missing(
    missing: tuple[str, Text], column: int, vector: npt.NDArray[np.float32], contribution: float
) -> Reason:
    """Return the reason that there is no history; no single feature stands in its words."""
    name, text = missing
    return Reason(
        name=name,
        code=name,
        text_en=text.en,
        text_zh_cn=text.zh_cn,
        feature=FEATURES[column].name,
        value=float(vector[column]),
        contribution=contribution,
    )


def choose_check(hint: pb.Hint, reasons: Sequence[Reason], checks: CallChecks) -> Text | None:
    """Return the single check to do; None unless the hint is `VERIFY`."""
    if hint != pb.HINT_VERIFY:
        return None
    named = (checks.by_reason[r.name] for r in reasons if r.name in checks.by_reason)
    return next(named, checks.default)


def _choose_text(rule: ReasonRule, value: float, usual: float) -> tuple[str, Text]:
    """Return the code's suffix and the words that are true of this value."""
    # A missing value compares false: it is neither high nor low.
    if rule.text_high is not None and value > usual:
        return "_HIGH", rule.text_high
    if rule.text_low is not None and value < usual:
        return "_LOW", rule.text_low
    return "", rule.text
