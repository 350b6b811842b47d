"""Who checks a case, when, and what the check says: labels, late and incomplete.

The shop sees what it can see: odd inspections, missing receipts, dear goods,
many returns. It refers some of these, audits few others at random, and most
cases are never checked. Its verdicts are good, not perfect.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.checkers import choose_checker
from training.simulation.config import US_PER_DAY, LabelSettings
from training.simulation.patterns import Pattern
from training.simulation.policy import NOT_DELIVERED, CaseView, compute_request_suspicion
from training.simulation.randomness import KeyedRandom
from training.simulation.returning import Return

_MAX_CHECK_SHARE: Final = 0.92
_FOUND_SHARE: Final = {
    Pattern.WARDROBING: 0.85,
    Pattern.BRACKETING: 0.75,
    Pattern.SERIAL_RETURNER: 0.75,
    Pattern.RECEIPTLESS_REFUND: 0.85,
    Pattern.EMPTY_BOX: 0.90,
    Pattern.RING: 0.92,
    Pattern.PRICE_ARBITRAGE: 0.80,
    Pattern.OFFER_FISHING: 0.80,
}
"""Share of checked abuse that checks recognise, all checkers together; the rest is cleared."""

CONFIRMED: Final = "LABEL_KIND_ABUSE_CONFIRMED"
CLEARED: Final = "LABEL_KIND_ABUSE_CLEARED"
CHARGEBACK: Final = "LABEL_KIND_CHARGEBACK"
APPEAL_UPHELD: Final = "LABEL_KIND_APPEAL_UPHELD"


class Label(NamedTuple):
    """A label to be set: when it becomes known, what it says, whether it takes one back."""

    time_us: int
    kind: str
    is_reversal: bool


def plan_return_labels(
    settings: LabelSettings, draws: KeyedRandom, plan: Return, seen_us: int, view: CaseView, *,
    is_verified: bool, is_kept: bool,
) -> list[Label]:  # fmt: skip
    """Return the labels of a return, none if nobody checks it.

    What is verified is checked. What is not may still be referred for what is found
    when the goods are there: by the same draw, so that finding more refers more.

    Args:
        settings: How checks are done.
        draws: The return's draws.
        plan: The return.
        seen_us: When the item was inspected, or the claim could be looked at.
        view: What the shop knew when it was requested.
        is_verified: Whether the shop verified it.
        is_kept: Whether it is kept after all: then nothing is found.
    """
    suspicion = compute_suspicion(plan, view) * settings.referral_scale
    is_referred = draws.is_hit("referral", min(suspicion, _MAX_CHECK_SHARE)) and not is_kept
    labels = []
    if is_verified or is_referred:
        kind = plan.verdict.kind
        labels = _judge(settings, draws, kind if isinstance(kind, Pattern) else None, seen_us)
    if plan.verdict.kind in {Pattern.EMPTY_BOX, Pattern.RING} and draws.is_hit("chargeback", 0.08):
        after_us = int((20.0 + draws.exponential("chargeback-after", 20.0)) * US_PER_DAY)
        labels.append(Label(seen_us + after_us, CHARGEBACK, False))
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
    suspicion = (0.02 + 0.18 * min(n_clicks, 4)) * settings.referral_scale
    audit = draws.is_hit("audit", settings.audit_share)
    if not audit and not draws.is_hit("referral", suspicion):
        return []
    return _judge(settings, draws, Pattern.OFFER_FISHING if is_fishing else None, click_us)


def _judge(
    settings: LabelSettings, draws: KeyedRandom, pattern: Pattern | None, seen_us: int
) -> list[Label]:
    """Return the verdict of a check and, where it was wrong, its correction."""
    checker = choose_checker(draws)
    days = 1.0 + draws.lognormal("verdict", settings.delay_median_days, settings.delay_sigma)
    time_us = seen_us + int(days * US_PER_DAY)
    if pattern is not None:
        is_found = draws.is_hit("recognised", 1.0 - (1.0 - _FOUND_SHARE[pattern]) * checker.misses)
        return [Label(time_us, CONFIRMED if is_found else CLEARED, False)]
    if not draws.is_hit("wrongly-confirmed", settings.wrongly_confirmed_share * checker.blames):
        return [Label(time_us, CLEARED, False)]
    labels = [Label(time_us, CONFIRMED, False)]
    if draws.is_hit("appeals", settings.appeal_share):
        upheld_us = time_us + int((2.0 + draws.exponential("appeal-after", 14.0)) * US_PER_DAY)
        labels += [Label(upheld_us, APPEAL_UPHELD, False), Label(upheld_us + 1, CONFIRMED, True)]
    return labels
