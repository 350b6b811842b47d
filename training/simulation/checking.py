"""Who checks a case, when, and what the check says: labels, late and incomplete.

The shop sees what it can see: odd inspections, missing receipts, dear goods,
many returns. It refers some of these, audits few others at random, and most
cases are never checked. Its verdicts are good, not perfect.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.config import US_PER_DAY, LabelSettings
from training.simulation.patterns import Pattern
from training.simulation.randomness import KeyedRandom
from training.simulation.returning import Return

_MAX_CHECK_SHARE: Final = 0.92
_DEAR_MINOR: Final = 60_000
_MANY_RETURNS: Final = 4
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
"""Share of checked abuse that the check recognises; the rest is cleared."""

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
    settings: LabelSettings, draws: KeyedRandom, plan: Return, seen_us: int, n_recent_returns: int
) -> list[Label]:
    """Return the labels of a return, none if nobody checks it.

    Args:
        settings: How checks are done.
        draws: The return's draws.
        plan: The return.
        seen_us: When the item was inspected, or the claim could be looked at.
        n_recent_returns: Returns of the same customer in the 90 days before.
    """
    suspicion = compute_suspicion(plan, n_recent_returns) * settings.referral_scale
    labels = []
    is_checked = draws.is_hit("audit", settings.audit_share) or draws.is_hit(
        "referral", min(suspicion, _MAX_CHECK_SHARE)
    )
    if is_checked:
        kind = plan.verdict.kind
        labels = _judge(settings, draws, kind if isinstance(kind, Pattern) else None, seen_us)
    if plan.verdict.kind in {Pattern.EMPTY_BOX, Pattern.RING} and draws.is_hit("chargeback", 0.08):
        after_us = int((20.0 + draws.exponential("chargeback-after", 20.0)) * US_PER_DAY)
        labels.append(Label(seen_us + after_us, CHARGEBACK, False))
    return labels


def compute_suspicion(plan: Return, n_recent_returns: int) -> float:
    """Return how likely a clerk refers a return for a check."""
    inspection = plan.inspection
    suspicion = 0.03
    if inspection is None:
        suspicion += 0.55
    elif inspection.is_anomalous:
        suspicion += 0.75
    elif inspection.condition in {"CONDITION_C", "CONDITION_D"}:
        suspicion += 0.35
    if plan.evidence.is_tag_on is False:
        suspicion += 0.20
    if plan.order is None:
        suspicion += 0.35
    if plan.unit_price_minor * plan.quantity > _DEAR_MINOR:
        suspicion += 0.08
    if n_recent_returns >= _MANY_RETURNS:
        suspicion += 0.40
    elif n_recent_returns >= 2:
        suspicion += 0.10
    return suspicion


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
    days = 1.0 + draws.lognormal("verdict", settings.delay_median_days, settings.delay_sigma)
    time_us = seen_us + int(days * US_PER_DAY)
    if pattern is not None:
        is_found = draws.is_hit("recognised", _FOUND_SHARE[pattern])
        return [Label(time_us, CONFIRMED if is_found else CLEARED, False)]
    if not draws.is_hit("wrongly-confirmed", settings.wrongly_confirmed_share):
        return [Label(time_us, CLEARED, False)]
    labels = [Label(time_us, CONFIRMED, False)]
    if draws.is_hit("appeals", settings.appeal_share):
        upheld_us = time_us + int((2.0 + draws.exponential("appeal-after", 14.0)) * US_PER_DAY)
        labels += [Label(upheld_us, APPEAL_UPHELD, False), Label(upheld_us + 1, CONFIRMED, True)]
    return labels
