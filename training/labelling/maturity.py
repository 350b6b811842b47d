"""How long it takes until a verdict is known, and until it no longer changes.

A label's horizon should be long enough that most verdicts have settled, and no
longer: every day of it is a day of cases that cannot teach. The horizon itself
stands in `training.head_definitions`; what is computed here is advice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.definition import DAY_US
from training.facts import NEVER_US, Ints
from training.labelling.origins import Floats, Kind, LabelBook

FOLLOW_UP_DAYS = 180
"""Cases are followed for so long; younger ones would show quick verdicts alone."""
_STEP_DAYS = 5


@dataclass(frozen=True, eq=False)
class DelayCurve:
    """Days from a case to its verdict, of cases that were looked at and followed equally long.

    Attributes:
        known_days: To the first verdict, ascending, shape `(n,)`.
        settled_days: To the last word (a second check, an appeal), ascending, shape `(n,)`.
        follow_up_days: How long each case was followed; later words are not counted.
    """

    known_days: Floats
    settled_days: Floats
    follow_up_days: float

    def compute_share_settled(self, days: float) -> float:
        """Return the share of looked-at cases whose verdict no longer changes after so many days.

        NaN without any case.
        """
        n = len(self.settled_days)
        return float(np.searchsorted(self.settled_days, days, "right") / n) if n else np.nan


def measure_delay(book: LabelBook, end_us: int, call: int | None = None) -> DelayCurve:
    """Return how long verdicts took; chargebacks are no verdicts of the shop.

    Args:
        book: The labels.
        end_us: End of the log. Cases must be old enough for the whole follow-up, at most
            half of the time that the log's cases span.
        call: `Call` of the cases; None: all.
    """
    is_there = book.case_us < NEVER_US
    if call is not None:
        is_there &= book.case_call == call
    if not is_there.any():
        return DelayCurve(np.zeros(0), np.zeros(0), 0.0)
    span_us = end_us - int(book.case_us[is_there].min())
    follow_us = min(FOLLOW_UP_DAYS * DAY_US, span_us // 2)
    is_old = is_there & (book.case_us <= end_us - follow_us)
    delay_us = book.known_us - np.where(is_old, book.case_us, 0)[book.case]
    is_word = np.isin(book.kind, [Kind.CONFIRMED, Kind.CLEARED, Kind.APPEAL_UPHELD])
    is_counted = is_word & is_old[book.case] & (delay_us <= follow_us)
    case, days = book.case[is_counted], delay_us[is_counted] / DAY_US
    first, last = _reduce(case, days, len(book.case_id))
    return DelayCurve(np.sort(first), np.sort(last), follow_us / DAY_US)


def choose_horizon(curve: DelayCurve, share: float = 0.98) -> int:
    """Return the fewest days, in steps of five, after which that share of verdicts has settled.

    Raises:
        ValueError: No case was looked at and followed, or the share is not in (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a share in (0, 1], not {share}")
    if len(curve.settled_days) == 0:
        raise ValueError("no case was looked at and followed for long enough")
    days = float(np.quantile(curve.settled_days, share, method="inverted_cdf"))
    return max(int(np.ceil(days / _STEP_DAYS)) * _STEP_DAYS, _STEP_DAYS)


def _reduce(case: Ints, days: Floats, n_cases: int) -> tuple[Floats, Floats]:
    """Return the least and the greatest of each case that has any."""
    first, last = np.full(n_cases, np.inf), np.full(n_cases, -np.inf)
    np.minimum.at(first, case, days)
    np.maximum.at(last, case, days)
    is_there = np.isfinite(first)
    return first[is_there], last[is_there]
