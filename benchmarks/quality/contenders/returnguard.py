"""PyPI `returnguard` 1.2.2: fixed rules over a return and a profile of its customer.

The package learns nothing and keeps no history. The adapter is generous: it keeps a profile
of each customer that is right to the second (orders, returns, reasons, returns confirmed as
abuse), tells the age of the account and claims of empty boxes, and chooses the rules'
settings on the same checked cases that teach the learners. What the package cannot take, it
does not get: a return without an order counts as bought today, since a date is required.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from returnguard import CustomerProfile, FraudScorer, ReturnReason, ReturnRequest

from benchmarks.quality.contenders import FALSE_ALARM_TARGET, Floats, Rows, Scored, Task
from benchmarks.quality.history import ReturnFacts
from features.definitions import FEATURES
from training.evaluation.operating_points import find_threshold
from training.evaluation.ranking import ScoredCases, compute_pr_auc
from training.facts import Flags

Call = tuple[ReturnRequest, CustomerProfile | None]
"""What the package is asked: a return, and its customer's profile; None: nobody is known."""

_REASONS: Final[Mapping[str, ReturnReason]] = {
    "REASON_CODE_NOT_AS_DESCRIBED": ReturnReason.NOT_AS_DESCRIBED,
    "REASON_CODE_QUALITY_DEFECT": ReturnReason.DEFECTIVE,
    "REASON_CODE_DAMAGED_IN_TRANSIT": ReturnReason.DAMAGED_IN_SHIPPING,
    "REASON_CODE_WRONG_ITEM": ReturnReason.WRONG_ITEM,
    "REASON_CODE_CHANGED_MIND": ReturnReason.CHANGED_MIND,
    "REASON_CODE_IMPULSE": ReturnReason.CHANGED_MIND,
    "REASON_CODE_ORDERED_BY_MISTAKE": ReturnReason.CHANGED_MIND,
    "REASON_CODE_BETTER_PRICE": ReturnReason.CHANGED_MIND,
}
"""Codes that the package has a word for; all others are `OTHER`."""
_EMPTY_BOX: Final = "REASON_CODE_NOT_DELIVERED"
_MINOR_PER_UNIT: Final = 100.0
_TENURE: Final = [feature.name for feature in FEATURES].index("tenure_lifetime_days")


@dataclass(frozen=True, slots=True)
class Settings:
    """Arguments of `FraudScorer`, money in major units; the defaults are the package's own."""

    return_rate_threshold: float = 0.30
    high_value_threshold: float = 200.0
    velocity_limit: int = 3
    max_days_since_purchase: int = 60
    new_account_days: int = 30


_CHOICES: Final[Sequence[Mapping[str, Any]]] = (
    *({"return_rate_threshold": value} for value in (0.15, 0.45, 0.60, 0.80)),
    *({"velocity_limit": value} for value in (5, 8, 12)),
    *({"high_value_threshold": value} for value in (50.0, 100.0, 500.0, 1_000.0)),
    *({"max_days_since_purchase": value} for value in (14, 28)),
    {"new_account_days": 90},
)
"""Changes that are tried one after the other; each that ranks better is kept."""


class ReturnGuard:
    """The package with the settings that rank checked returns best."""

    name = "returnguard 1.2.2"
    has_our_features = False

    def run(self, task: Task) -> Scored:
        """Choose settings on checked cases, the threshold on all train cases by honesty."""
        train = list_calls(task.facts, task.is_train, task.train.rows[:, _TENURE])
        is_known = task.train.weight > 0.0
        settings = choose_settings(
            [train[place] for place in np.flatnonzero(is_known)],
            task.train.label[is_known],
            task.train.weight[is_known],
        )
        # The scores take few values: a threshold between them, not a hair above one.
        threshold = find_threshold(
            score_calls(train, settings), task.train.honesty, FALSE_ALARM_TARGET
        )
        test = list_calls(task.facts, task.is_test, task.test_rows[:, _TENURE])
        return Scored(score_calls(test, settings), threshold, False)


def choose_settings(calls: Sequence[Call], label: Floats, weight: Floats) -> Settings:
    """Return the settings that rank checked returns best (weighted PR-AUC).

    Args:
        calls: Checked returns, `n` of them.
        label: 1: confirmed as abuse, shape `(n,)`.
        weight: How many returns each stands for, shape `(n,)`.
    """
    own_group = np.arange(len(label), dtype=np.int64)

    def judge(settings: Settings) -> float:
        return compute_pr_auc(ScoredCases(label, score_calls(calls, settings), weight, own_group))

    best = Settings()
    reached = judge(best)
    for change in _CHOICES:
        settings = replace(best, **change)
        found = judge(settings)
        if found > reached:
            best, reached = settings, found
    return best


def score_calls(calls: Sequence[Call], settings: Settings) -> Floats:
    """Return the package's scores, 0 to 1, shape `(n,)`."""
    scorer = make_scorer(settings)
    return np.array([scorer.score(*call).score for call in calls], np.float64)


def make_scorer(settings: Settings) -> FraudScorer:
    """Return the package's scorer; its note about every call is shut off, which speeds it up."""
    logging.getLogger("returnguard").setLevel(logging.WARNING)
    return FraudScorer(
        return_rate_threshold=settings.return_rate_threshold,
        high_value_threshold=settings.high_value_threshold,
        velocity_limit=settings.velocity_limit,
        max_days_since_purchase=settings.max_days_since_purchase,
        new_account_days=settings.new_account_days,
    )


def list_calls(facts: ReturnFacts, is_wanted: Flags, tenure_days: Rows) -> list[Call]:
    """Return some returns as the package wants them.

    Args:
        facts: All returns.
        is_wanted: Which of them, flags of shape `(n,)`.
        tenure_days: Of the wanted ones: since when the customer is known; NaN: not known.
    """
    places = np.flatnonzero(is_wanted)
    return [
        to_call(facts, place, days)
        for place, days in zip(places.tolist(), tenure_days.tolist(), strict=True)
    ]


def to_call(facts: ReturnFacts, place: int, tenure_days: float) -> Call:
    """Return one return with the profile of its customer at that moment."""
    customer = f"c{facts.customer[place]}"
    asked = datetime.fromtimestamp(facts.time_us[place] / 1e6, UTC)
    since_order = float(facts.since_order_days[place])
    reason = str(facts.reason[place])
    more: dict[str, Any] = {"claimed_empty_box": reason == _EMPTY_BOX}
    if not np.isnan(tenure_days):
        # The package counts an account's age up to now by the machine's clock, without zone.
        now = datetime.now(UTC).replace(tzinfo=None)
        more["account_created_at"] = (now - timedelta(days=int(tenure_days))).isoformat()
    request = ReturnRequest(
        return_id=f"r{place}",
        order_id=f"o{place}",
        customer_id=customer,
        sku="any",
        quantity=1,
        reason=_REASONS.get(reason, ReturnReason.OTHER),
        order_date=asked - timedelta(days=0.0 if np.isnan(since_order) else since_order),
        return_date=asked,
        order_value=float(facts.value_minor[place]) / _MINOR_PER_UNIT,
        metadata=more,
    )
    if facts.is_guest[place]:
        return request, None
    n_returns, n_changed = int(facts.n_returns[place]), int(facts.n_changed_mind[place])
    profile = CustomerProfile(
        customer_id=customer,
        total_orders=int(facts.n_orders[place]),
        total_returns=n_returns,
        total_return_value=float(facts.returned_minor[place]) / _MINOR_PER_UNIT,
        flagged_count=int(facts.n_confirmed[place]),
        return_reasons={"changed_mind": n_changed, "other": n_returns - n_changed},
    )
    return request, profile
