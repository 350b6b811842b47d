"""The labels of a log, audited: who is looked at, how late, what is taken back, what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.definition import DAY_US
from features.request_rows import Call
from training.facts import NEVER_US, FactLog, Flags, Ints
from training.labelling.maturity import choose_horizon, measure_delay
from training.labelling.noise import ErrorEstimate, InspectionError, correct_share, estimate_error
from training.labelling.origins import (
    CASE_KINDS,
    Kind,
    LabelBook,
    Origin,
    build_label_book,
)
from training.labelling.verdicts import Verdicts, find_verdicts
from training.labelling.weights import MIN_TOLD_PROPENSITY, compute_effective_n

LOOKS = (Origin.RANDOM_AUDIT, Origin.VERIFY, Origin.INSPECTION, Origin.UNSPECIFIED)
"""Origins of looks, in the order of the report."""
DEFAULT_HORIZON_DAYS = 60
"""Age from which cases count where too few verdicts tell how long they take."""


@dataclass(frozen=True, slots=True)
class CallAudit:
    """The cases of one call that are older than the horizon.

    Attributes:
        call: `order`, `cancellation` or `return`.
        horizon_days: Days after which 98 % of verdicts have settled; advice for the head.
        n_cases: Cases so old.
        n_looked: Those that somebody looked at.
        looked_by: The same by what led to the last look.
        n_told: Looked-at cases whose chance was told.
        n_confirmed: Looked-at cases that count as abuse.
        n_positive_only: Charged back, and nobody looked.
        share_looked: Abuse among the looked-at cases as they are: too high for all.
        share_weighted: Abuse among all, each look standing for one over its told chance;
            None if a chance was not told.
        share_corrected: The same, corrected for what checks miss and whom they blame; None
            likewise.
        effective_n: Equally weighted cases that would tell as much; None likewise.
    """

    call: str
    horizon_days: int
    n_cases: int
    n_looked: int
    looked_by: Mapping[str, int]
    n_told: int
    n_confirmed: int
    n_positive_only: int
    share_looked: float | None
    share_weighted: float | None
    share_corrected: float | None
    effective_n: float | None


@dataclass(frozen=True, slots=True)
class MonthCoverage:
    """Cases of a calendar month (UTC) and how many of them were looked at, by origin."""

    month: str
    n_cases: int
    n_looked: int
    looked_by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OriginDelay:
    """Days from the case to its labels of one origin: quantiles of 10, 50, 90 and 99 %."""

    origin: str
    n: int
    days_p10: float
    days_p50: float
    days_p90: float
    days_p99: float


@dataclass(frozen=True, slots=True)
class Reversals:
    """How many labels of each kind were told, and how many of them were taken back."""

    n_confirmed: int
    n_confirmed_taken_back: int
    n_cleared: int
    n_cleared_taken_back: int
    n_appeals_upheld: int
    n_appeals_taken_back: int
    n_chargebacks: int
    n_chargebacks_taken_back: int


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """What the labels of a log are worth.

    Attributes:
        n_labels: Labels in the log.
        n_unknown_cases: Labels about cases that the log does not hold.
        calls: Coverage and shares by call.
        months: Coverage over time, all calls together.
        delays: Delays by origin.
        reversals: What was taken back.
        error: What cases looked at twice tell of the checks; None: too few.
        assumed: The error that shares are corrected for.
    """

    n_labels: int
    n_unknown_cases: int
    calls: tuple[CallAudit, ...]
    months: tuple[MonthCoverage, ...]
    delays: tuple[OriginDelay, ...]
    reversals: Reversals
    error: ErrorEstimate | None
    assumed: InspectionError


def compute_label_audit(
    facts: FactLog, end_us: int, assumed: InspectionError | None = None
) -> LabelAudit:
    """Return the audit of all labels that were known at a time.

    Args:
        facts: The log.
        end_us: When somebody looks.
        assumed: How well checks see, for the corrected shares. None: they never err.
    """
    facts = facts.as_of(end_us)
    book = build_label_book(facts)
    assumed = assumed or InspectionError()
    calls = tuple(
        _audit_call(facts, book, call, end_us, assumed)
        for call in CASE_KINDS
        if (book.case_call == call).any()
    )
    is_known = book.case_us[book.case] < NEVER_US
    return LabelAudit(
        n_labels=len(book),
        n_unknown_cases=int((~is_known).sum()),
        calls=calls,
        months=_cover_months(facts, book, end_us),
        delays=_measure_delays(book, is_known),
        reversals=_count_reversals(book),
        error=estimate_error(book),
        assumed=assumed,
    )


def _audit_call(
    facts: FactLog, book: LabelBook, call: Call, end_us: int, assumed: InspectionError
) -> CallAudit:
    curve = measure_delay(book, end_us, call)
    horizon_days = choose_horizon(curve) if len(curve.settled_days) else DEFAULT_HORIZON_DAYS
    events = facts[CASE_KINDS[call]]
    old = events.select(events.event_us <= end_us - horizon_days * DAY_US)
    verdicts = find_verdicts(book, old.get_event_ids(), np.full(len(old), end_us))
    is_looked = verdicts.value >= 0
    is_told = is_looked & ~np.isnan(verdicts.propensity)
    weighted = corrected = effective_n = None
    if is_looked.any() and (is_told == is_looked).all():
        weight = 1.0 / np.maximum(verdicts.propensity[is_looked], MIN_TOLD_PROPENSITY)
        weighted = float(np.average(verdicts.value[is_looked] == 1, weights=weight))
        corrected = correct_share(weighted, assumed)
        effective_n = compute_effective_n(weight)
    n_looked, n_confirmed = int(is_looked.sum()), int((verdicts.value == 1).sum())
    return CallAudit(
        call=call.name.lower(),
        horizon_days=horizon_days,
        n_cases=len(old),
        n_looked=n_looked,
        looked_by=_count_origins(verdicts, is_looked),
        n_told=int(is_told.sum()),
        n_confirmed=n_confirmed,
        n_positive_only=int(verdicts.is_positive_only.sum()),
        share_looked=n_confirmed / n_looked if n_looked else None,
        share_weighted=weighted,
        share_corrected=corrected,
        effective_n=effective_n,
    )


def _count_origins(verdicts: Verdicts, is_counted: Flags) -> dict[str, int]:
    """Return how many of the cases were last looked at by each origin that occurs."""
    counts = np.bincount(verdicts.origin[is_counted], minlength=len(Origin))
    return {origin.name.lower(): int(counts[origin]) for origin in LOOKS if counts[origin]}


def _cover_months(facts: FactLog, book: LabelBook, end_us: int) -> tuple[MonthCoverage, ...]:
    """Return coverage by month of the calls that anybody looks at."""
    times: list[Ints] = []
    parts: list[Verdicts] = []
    for call, kind in CASE_KINDS.items():
        if not (book.case_call == call).any():
            continue
        events = facts[kind]
        times.append(events.event_us)
        parts.append(find_verdicts(book, events.get_event_ids(), np.full(len(events), end_us)))
    if not times:
        return ()
    value = np.concatenate([part.value for part in parts])
    origin = np.concatenate([part.origin for part in parts])
    months = np.concatenate(times).astype("datetime64[us]").astype("datetime64[M]")
    covered = []
    for month in np.unique(months):
        is_in = months == month
        counts = np.bincount(origin[is_in & (value >= 0)], minlength=len(Origin))
        by = {one.name.lower(): int(counts[one]) for one in LOOKS if counts[one]}
        n_looked = int((value[is_in] >= 0).sum())
        covered.append(MonthCoverage(str(month), int(is_in.sum()), n_looked, by))
    return tuple(covered)


def _measure_delays(book: LabelBook, is_known: Flags) -> tuple[OriginDelay, ...]:
    delays = []
    days = (book.known_us - np.where(is_known, book.case_us[book.case], book.known_us)) / DAY_US
    for origin in Origin:
        found = days[is_known & (book.origin == origin) & ~book.is_reversal]
        if len(found):
            p10, p50, p90, p99 = np.quantile(found, [0.1, 0.5, 0.9, 0.99]).tolist()
            delays.append(OriginDelay(origin.name.lower(), len(found), p10, p50, p90, p99))
    return tuple(delays)


def _count_reversals(book: LabelBook) -> Reversals:
    def count(kind: Kind, *, is_reversal: bool) -> int:
        return int(((book.kind == kind) & (book.is_reversal == is_reversal)).sum())

    told = [count(kind, is_reversal=False) for kind in (
        Kind.CONFIRMED, Kind.CLEARED, Kind.APPEAL_UPHELD, Kind.CHARGEBACK)]  # fmt: skip
    back = [count(kind, is_reversal=True) for kind in (
        Kind.CONFIRMED, Kind.CLEARED, Kind.APPEAL_UPHELD, Kind.CHARGEBACK)]  # fmt: skip
    return Reversals(told[0], back[0], told[1], back[1], told[2], back[2], told[3], back[3])
