"""Who checks a case, when, and what the check says: labels, late and incomplete.

The shop sees what it can see: odd inspections, missing receipts, dear goods,
many returns. It refers some of these, verifies few others by lot, audits fewer
still without the customer's noticing, and most cases are never checked. Its
verdicts are good, not perfect. The shop knows its own lots and rules, so a verdict
tells with what chance its case was looked at; chargebacks and appeals are nobody's lot.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from training.simulation.checkers import choose_checker
from training.simulation.config import US_PER_DAY, LabelSettings
from training.simulation.patterns import Pattern
from training.simulation.policy import (
    NOT_DELIVERED,
    Action,
    CaseView,
    compute_request_suspicion,
)
from training.simulation.randomness import KeyedRandom
from training.simulation.returning import Return

_MAX_CHECK_SHARE: Final = 0.92

CONFIRMED: Final = "LABEL_KIND_ABUSE_CONFIRMED"
CLEARED: Final = "LABEL_KIND_ABUSE_CLEARED"
CHARGEBACK: Final = "LABEL_KIND_CHARGEBACK"
APPEAL_UPHELD: Final = "LABEL_KIND_APPEAL_UPHELD"


VERIFY: Final = "LABEL_ORIGIN_VERIFY"
INSPECTION: Final = "LABEL_ORIGIN_INSPECTION"
RANDOM_AUDIT: Final = "LABEL_ORIGIN_RANDOM_AUDIT"
BY_BANK: Final = "LABEL_ORIGIN_CHARGEBACK"
BY_APPEAL: Final = "LABEL_ORIGIN_APPEAL"


class Label(NamedTuple):
    """A label to be set.

    Attributes:
        time_us: When it becomes known.
        kind: What it says.
        is_reversal: It takes one back.
        origin: What led to it.
        propensity: Chance with which the case was looked at, by whatever way; None: by no lot.
    """

    time_us: int
    kind: str
    is_reversal: bool
    origin: str
    propensity: float | None

    @property
    def is_silent(self) -> bool:
        """Whether the customer never learns of it and nothing follows from it."""
        return self.origin == RANDOM_AUDIT


def plan_return_labels(
    settings: LabelSettings, draws: KeyedRandom, plan: Return, seen_us: int, view: CaseView, *,
    action: Action, is_kept: bool,
) -> list[Label]:  # fmt: skip
    """Return the labels of a return, none if nobody checks it.

    What is verified is checked. What is not may still be referred for what is found
    when the goods are there: by the same draw, so that finding more refers more. The
    silent audit asks nobody: what it draws may be checked a second time, by another.

    Args:
        settings: How checks are done.
        draws: The return's draws.
        plan: The return.
        seen_us: When the item was inspected, or the claim could be looked at.
        view: What the shop knew when it was requested.
        action: What the shop decided then.
        is_kept: Whether it is kept after all: then nothing is found.
    """
    kind = plan.verdict.kind
    pattern = kind if isinstance(kind, Pattern) else None
    request = _limit(compute_request_suspicion(view) * settings.referral_scale)
    referral = _limit(compute_suspicion(plan, view) * settings.referral_scale)
    by_policy = action.propensity if action.ask_verify else 1.0 - action.propensity
    # Of those that the request let pass, by the same draw.
    by_goods = 0.0 if is_kept else max(referral - request, 0.0) / (1.0 - request)
    propensity = combine_looks(by_policy, by_goods, settings.silent_audit_share)
    labels = []
    if action.ask_verify or (draws.is_hit("referral", referral) and not is_kept):
        origin = VERIFY if action.ask_verify else INSPECTION
        labels = _judge(settings, draws, pattern, seen_us, origin, propensity)
    if pattern in {Pattern.EMPTY_BOX, Pattern.RING} and draws.is_hit("chargeback", 0.08):
        after_us = int((20.0 + draws.exponential("chargeback-after", 20.0)) * US_PER_DAY)
        labels.append(Label(seen_us + after_us, CHARGEBACK, False, BY_BANK, None))
    if not action.ask_verify:
        labels += _audit(settings, draws, pattern, seen_us, propensity)
    return labels


def compute_suspicion(plan: Return, view: CaseView) -> float:
    """Return how likely a clerk refers a return for a check, all seen."""
    inspection = plan.inspection
    suspicion = compute_request_suspicion(view)
    if inspection is None:
        return suspicion if view.code == NOT_DELIVERED else suspicion + 0.55
    if inspection.is_anomalous:
        return suspicion + 0.75
    return suspicion + 0.35 * (inspection.condition in {"CONDITION_C", "CONDITION_D"})


def plan_click_labels(
    settings: LabelSettings, draws: KeyedRandom, *, is_fishing: bool, click_us: int, n_clicks: int
) -> list[Label]:
    """Return the labels of a cancel click; repeated clicks draw attention.

    Args:
        settings: How checks are done.
        draws: The click's draws.
        is_fishing: The truth.
        click_us: When it was clicked.
        n_clicks: Cancel clicks of this customer before.
    """
    suspicion = _limit((0.02 + 0.18 * min(n_clicks, 4)) * settings.referral_scale)
    pattern = Pattern.OFFER_FISHING if is_fishing else None
    propensity = combine_looks(settings.audit_share, suspicion, settings.silent_audit_share)
    is_drawn = draws.is_hit("audit", settings.audit_share)
    labels = []
    if is_drawn or draws.is_hit("referral", suspicion):
        origin = VERIFY if is_drawn else INSPECTION
        labels = _judge(settings, draws, pattern, click_us, origin, propensity)
    if not is_drawn:
        labels += _audit(settings, draws, pattern, click_us, propensity)
    return labels


def combine_looks(*chances: float) -> float:
    """Return the chance of at least one of looks that are drawn apart.

    >>> combine_looks(0.5, 0.5, 0.0)
    0.75
    """
    return 1.0 - math.prod(1.0 - chance for chance in chances)


def _limit(suspicion: float) -> float:
    return min(suspicion, _MAX_CHECK_SHARE)


def _audit(
    settings: LabelSettings, draws: KeyedRandom, pattern: Pattern | None, seen_us: int,
    propensity: float,
) -> list[Label]:  # fmt: skip
    """Return what the silent audit says, if it draws the case; nobody can appeal against it."""
    lot = draws.narrow("silent-audit")
    if not lot.is_hit("is-drawn", settings.silent_audit_share):
        return []
    return _judge(settings, lot, pattern, seen_us, RANDOM_AUDIT, propensity)[:1]


def _judge(
    settings: LabelSettings, draws: KeyedRandom, pattern: Pattern | None, seen_us: int,
    origin: str, propensity: float,
) -> list[Label]:  # fmt: skip
    """Return the verdict of a check and, where it was wrong, its correction."""
    checker = choose_checker(draws)
    days = 1.0 + draws.lognormal("verdict", settings.delay_median_days, settings.delay_sigma)
    time_us = seen_us + int(days * US_PER_DAY)
    if pattern is not None:
        is_found = draws.is_hit("recognised", 1.0 - (1.0 - settings.sensitivity) * checker.misses)
        return [Label(time_us, CONFIRMED if is_found else CLEARED, False, origin, propensity)]
    if not draws.is_hit("wrongly-confirmed", (1.0 - settings.specificity) * checker.blames):
        return [Label(time_us, CLEARED, False, origin, propensity)]
    labels = [Label(time_us, CONFIRMED, False, origin, propensity)]
    if draws.is_hit("appeals", settings.appeal_share):
        upheld_us = time_us + int((2.0 + draws.exponential("appeal-after", 14.0)) * US_PER_DAY)
        labels += [
            Label(upheld_us, APPEAL_UPHELD, False, BY_APPEAL, None),
            Label(upheld_us + 1, CONFIRMED, True, BY_APPEAL, None),
        ]
    return labels
