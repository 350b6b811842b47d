"""What all labels of a case together say at a time: the last word that was not taken back.

A label is taken back by a reversal of its own kind, and only then: a chargeback that
the shop wins back leaves a confirmation standing, and a second check that was wrong
leaves the first. Of what stands the last one told holds. If nothing stands, a
confirmation that was taken back leaves a cleared case, an upheld appeal that was
taken back the confirmation before it, and a clearance that was taken back nothing.

A chargeback is no check: it comes to the worst of the cases that nobody looked at and
never to the others, so a case known by it alone is `is_positive_only`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training.facts import NEVER_US, FactLog, Flags, Ints
from training.labelling.origins import (
    Floats,
    Kind,
    LabelBook,
    Origin,
    build_label_book,
    find_cases,
)

_CHECKS = [int(kind) for kind in (Kind.CONFIRMED, Kind.CLEARED, Kind.APPEAL_UPHELD)]
_STANDING = np.array([1, 0, 0])
"""What each of `_CHECKS` means while it stands."""
_TAKEN_BACK = np.array([0, -1, 1])
"""What each of them leaves if it is taken back and nothing else stands."""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What is said of `n` cases.

    Attributes:
        value: 1 abuse, 0 cleared, -1 nobody looked. Shape `(n,)`.
        origin: `Origin` of the last look; 0: none, or not told. Shape `(n,)`.
        propensity: Greatest chance told of being looked at, NaN if none is. What is known
            later of a case only adds ways of being looked at. Shape `(n,)`.
        is_positive_only: Charged back, and nobody looked. Shape `(n,)`.
    """

    value: Ints
    origin: Ints
    propensity: Floats
    is_positive_only: Flags


def find_verdicts(book: LabelBook, case_ids: pa.Array, until_us: Ints) -> Verdicts:
    """Return what is said of each case by a time.

    Args:
        book: The labels.
        case_ids: Event ids of the cases, shape `(n,)`.
        until_us: For each case, when somebody looks: labels known and in force by then
            count. Shape `(n,)`.
    """
    place = find_cases(book, case_ids)
    end_us = np.append(until_us, 0)[place]  # Place -1: a case that was not asked for.
    is_told = (place >= 0) & (np.maximum(book.known_us, book.effective_us) <= end_us)
    told = np.flatnonzero(is_told)
    last = np.full((len(case_ids), len(Kind)), -1)
    last[place[told], book.kind[told]] = told  # Of equal places the last assignment holds.
    stands = (last >= 0) & ~np.append(book.is_reversal, True)[last]
    value = _judge(last[:, _CHECKS], stands[:, _CHECKS])
    latest = np.where(stands[:, _CHECKS], last[:, _CHECKS], -1).max(axis=1, initial=-1)
    is_charged = stands[:, Kind.CHARGEBACK]
    is_overruled = is_charged & (value >= 0) & (last[:, Kind.CHARGEBACK] > latest)
    looks = told[book.is_look[told]]
    origin = np.zeros(len(case_ids), np.int64)
    origin[place[looks]] = book.origin[looks]
    is_by_appeal = (origin == 0) & (last[:, Kind.APPEAL_UPHELD] >= 0)
    propensity = np.full(len(case_ids), -np.inf)
    np.fmax.at(propensity, place[looks], book.propensity[looks])
    return Verdicts(
        value=np.where(is_overruled, 1, value),
        origin=np.where(is_by_appeal, int(Origin.APPEAL), origin),
        propensity=np.where(np.isneginf(propensity), np.nan, propensity),
        is_positive_only=is_charged & (value < 0),
    )


def _judge(last: Ints, stands: Flags) -> Ints:
    """Return 1, 0 or -1 from the places of the last labels of `_CHECKS`, shape `(n, 3)`."""
    rows = np.arange(len(last))
    standing = np.where(stands, last, -1)
    taken_back = np.where(stands, -1, last)
    by_standing = np.argmax(standing, axis=1)
    by_taken_back = np.argmax(taken_back, axis=1)
    value = np.where(taken_back[rows, by_taken_back] >= 0, _TAKEN_BACK[by_taken_back], -1)
    return np.where(standing[rows, by_standing] >= 0, _STANDING[by_standing], value)


def find_confirmed_groups(facts: FactLog) -> Ints:
    """Return the numbers of customers with abuse, confirmed or charged back, that stands."""
    book = build_label_book(facts)
    verdicts = find_verdicts(book, book.case_id, np.full(len(book.case_id), NEVER_US))
    is_abuse = (verdicts.value == 1) | verdicts.is_positive_only
    return np.unique(book.group[is_abuse[book.case]])
