"""Checks err: what they miss, whom they wrongly blame, and what that does to a share.

Of a share `p` of abuse a check confirms `sensitivity * p + (1 - specificity) * (1 - p)`;
solved for `p` this is the correction of Rogan and Gladen 1978. How much checks miss
can be measured where a second check, drawn by lot, looked at the same case without
regard to what the first one said (Hui and Walter 1980, with one specificity stated).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.model_bundle import CheckQuality
from training.facts import Flags, Ints
from training.labelling.origins import Floats, Kind, LabelBook, Origin

MIN_PAIRS = 30
"""Cases looked at twice below which nothing is estimated."""
_N_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class InspectionError:
    """How well a shop's checks see.

    Attributes:
        sensitivity: Share of checked abuse that is confirmed.
        specificity: Share of checked honest cases that is cleared, after appeals.
    """

    sensitivity: float = 1.0
    specificity: float = 1.0

    def __post_init__(self) -> None:
        """Refuse checks that see no better than chance.

        Raises:
            ValueError: A share is outside [0, 1], or the two sum to 1 or less.
        """
        if not (0.0 <= self.sensitivity <= 1.0 and 0.0 <= self.specificity <= 1.0):
            raise ValueError("sensitivity and specificity are shares in [0, 1]")
        if self.sensitivity + self.specificity <= 1.0:
            raise ValueError("such checks tell nothing: sensitivity + specificity must exceed 1")


def to_inspection_error(stated: CheckQuality) -> InspectionError:
    """Return what a manifest says of the checks."""
    return InspectionError(stated.sensitivity, stated.specificity)


def to_check_quality(stated: InspectionError) -> CheckQuality:
    """Return what is stated of the checks, as a manifest keeps it."""
    return CheckQuality(sensitivity=stated.sensitivity, specificity=stated.specificity)


@dataclass(frozen=True, slots=True)
class ErrorEstimate:
    """What cases that were looked at twice tell of the checks.

    Attributes:
        n_pairs: Such cases.
        agreement: Share on which both say the same.
        sensitivity: Estimated share of checked abuse that is confirmed.
        low: 2.5 % quantile over resampled pairs.
        high: 97.5 % quantile.
    """

    n_pairs: int
    agreement: float
    sensitivity: float
    low: float
    high: float


def correct_share(share: float, error: InspectionError) -> float:
    """Return the share of abuse behind a share of confirmed cases, held inside [0, 1].

    >>> round(correct_share(0.8 * 0.12 + 0.02 * 0.88, InspectionError(0.8, 0.98)), 6)
    0.12
    """
    blamed = 1.0 - error.specificity
    found = (share - blamed) / (error.sensitivity - blamed)
    return float(min(max(found, 0.0), 1.0))


def estimate_error(
    book: LabelBook, *, specificity: float = 0.98, seed: int = 0
) -> ErrorEstimate | None:
    """Return the sensitivity that agreement between two looks tells; None with too few pairs.

    With `f = 1 - specificity`, `m` the share confirmed by one look and `q` the share
    confirmed by both: `m - f = p (s - f)` and `q - f^2 = p (s^2 - f^2)`, so
    `s = (q - f^2) / (m - f) - f`.

    Args:
        book: The labels.
        specificity: Share of honest cases that one look clears, before appeals.
        seed: Seed of the resampling.
    """
    first, second = find_pairs(book)
    n = len(first)
    counts = np.array([(first & second).sum(), (first ^ second).sum(), (~first & ~second).sum()])
    if n < MIN_PAIRS or counts[0] == 0:
        return None
    draws = np.random.default_rng(seed).multinomial(n, counts / n, _N_RESAMPLES)
    spread = _solve(draws / n, 1.0 - specificity)
    return ErrorEstimate(
        n_pairs=n,
        agreement=float((counts[0] + counts[2]) / n),
        sensitivity=float(_solve(counts[None, :] / n, 1.0 - specificity)[0]),
        low=float(np.quantile(spread, 0.025)),
        high=float(np.quantile(spread, 0.975)),
    )


def find_pairs(book: LabelBook) -> tuple[Flags, Flags]:
    """Return what two looks at the same case said, of cases that a lot took a second time.

    Only pairs with a random audit: who looks again because the first look was doubtful
    chose the case by its verdict.
    """
    is_audit = book.is_look & (book.origin == Origin.RANDOM_AUDIT)
    is_other = book.is_look & (book.origin != Origin.RANDOM_AUDIT)
    audit, other = _find_first(book, is_audit), _find_first(book, is_other)
    is_pair = (audit >= 0) & (other >= 0)
    return book.kind[other[is_pair]] == Kind.CONFIRMED, book.kind[audit[is_pair]] == Kind.CONFIRMED


def _find_first(book: LabelBook, is_wanted: Flags) -> Ints:
    """Return the place of each case's first label of those wanted, -1: none."""
    first = np.full(len(book.case_id), -1)
    places = np.flatnonzero(is_wanted)[::-1]
    first[book.case[places]] = places
    return first


def _solve(shares: Floats, blamed: float) -> Floats:
    """Return sensitivities of shares `(both, one, none)`, shape `(k, 3)`, inside [0, 1]."""
    mean = shares[:, 0] + shares[:, 1] / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (shares[:, 0] - blamed**2) / (mean - blamed) - blamed
    return np.asarray(np.clip(np.nan_to_num(found, nan=1.0), 0.0, 1.0), np.float64)
