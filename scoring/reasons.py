"""From attributions to reasons a person can read: grouped, named, in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES, FEATURES, N_FEATURES
from hemostat.v1 import scoring_pb2 as pb
from scoring.policy import CallChecks, Policy, ReasonRule, Text
from scoring.value_texts import format_value

MAX_REASONS = 4
OTHER = "OTHER"

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


class ReasonCatalogue:
    """A policy's reasons, arranged by feature column once.

    Args:
        policy: Names the reasons.
    """

    def __init__(self, policy: Policy) -> None:
        other = ReasonRule.model_construct(features=(), text=policy.rules.other_reason)
        self._names = (*policy.rules.reasons, OTHER)
        self._rules = (*policy.rules.reasons.values(), other)
        self._reason_of_column = np.full(N_FEATURES, len(self._names) - 1, np.int64)
        for number, rule in enumerate(policy.rules.reasons.values()):
            for feature in rule.features:
                self._reason_of_column[FEATURE_NAMES.index(feature)] = number
        self._columns = [
            np.flatnonzero(self._reason_of_column == number).tolist()
            for number in range(len(self._names))
        ]

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
        sums = np.bincount(self._reason_of_column, attributions, len(self._names))
        strongest = np.argsort(-sums, kind="stable")[:MAX_REASONS].tolist()
        shares = attributions.tolist()
        return tuple(
            self._describe(number, float(sums[number]), shares, vector, baseline)
            for number in strongest
            if sums[number] >= _LEAST_CONTRIBUTION
        )

    def _describe(
        self,
        number: int,
        contribution: float,
        shares: list[float],
        vector: npt.NDArray[np.float32],
        baseline: npt.NDArray[np.float32],
    ) -> Reason:
        column = max(self._columns[number], key=shares.__getitem__)
        value, usual = float(vector[column]), float(baseline[column])
        suffix, text = _choose_text(self._rules[number], value, usual)
        feature = FEATURES[column]
        shown_en, shown_zh = format_value(column, value)
        return Reason(
            name=self._names[number],
            code=self._names[number] + suffix,
            text_en=f"{text.en} ({feature.description}: {shown_en})",
            text_zh_cn=f"{text.zh_cn}（{feature.description_zh}：{shown_zh}）",
            feature=feature.name,
            value=value,
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
