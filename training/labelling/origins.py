"""Every label of a log in one book: of which case, what it says, what led to it, and the chance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.request_rows import Call
from training.facts import NEVER_US, FactLog, Flags, Ints, find_places

Floats = npt.NDArray[np.float64]


class Origin(IntEnum):
    """What led to a label; numbers of `LabelOrigin` in `event.proto`."""

    UNSPECIFIED = 0
    RANDOM_AUDIT = 1
    VERIFY = 2
    INSPECTION = 3
    CHARGEBACK = 4
    APPEAL = 5


class Kind(IntEnum):
    """What a label says; numbers of `LabelKind` in `event.proto`."""

    UNSPECIFIED = 0
    CONFIRMED = 1
    CLEARED = 2
    CHARGEBACK = 3
    APPEAL_UPHELD = 4


CASE_KINDS = {
    Call.ORDER: "order_placed",
    Call.CANCELLATION: "cancel_requested",
    Call.RETURN: "return_requested",
}
"""Events that are cases: those that a label may name."""

_OWN_ORIGIN = {Kind.CHARGEBACK: Origin.CHARGEBACK, Kind.APPEAL_UPHELD: Origin.APPEAL}
"""Kinds that say by themselves what led to them."""


@dataclass(frozen=True, eq=False)
class LabelBook:
    """All labels of a log, `n` of them about `m` cases.

    In order of `known_us`, then of `effective_us`, then of the log: who comes later
    corrects who came before.

    Attributes:
        case_id: Event ids of the cases, shape `(m,)`.
        case_us: When each case happened; `NEVER_US`: the log does not hold it. Shape `(m,)`.
        case_call: `Call` of each case; 0: the log does not hold it. Shape `(m,)`.
        case: Place of each label's case, shape `(n,)`.
        kind: `Kind`, shape `(n,)`.
        origin: `Origin`, shape `(n,)`.
        is_reversal: Takes back what its kind said before, shape `(n,)`.
        known_us: From when on it was known, shape `(n,)`.
        effective_us: From when on it holds, never before its case, shape `(n,)`.
        propensity: Told chance that the case was looked at; NaN: not told. Shape `(n,)`.
        group: Number of the label's customer, as in `CaseSet`, shape `(n,)`.
    """

    case_id: pa.Array
    case_us: Ints
    case_call: Ints
    case: Ints
    kind: Ints
    origin: Ints
    is_reversal: Flags
    known_us: Ints
    effective_us: Ints
    propensity: Floats
    group: Ints

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.case)

    @property
    def is_look(self) -> Flags:
        """Labels that tell what somebody saw who looked at the case, shape `(n,)`."""
        is_said = (self.kind == Kind.CONFIRMED) | (self.kind == Kind.CLEARED)
        by_nobody = (self.origin == Origin.CHARGEBACK) | (self.origin == Origin.APPEAL)
        return np.asarray(is_said & ~self.is_reversal & ~by_nobody, np.bool_)


def build_label_book(facts: FactLog) -> LabelBook:
    """Return all labels that the facts hold, and when their cases happened."""
    labels = facts["label_set"]
    encoded = labels.get_texts("case_event_id").dictionary_encode()
    case_id = encoded.dictionary.cast(pa.string())
    case_us = np.full(len(case_id), NEVER_US)
    case_call = np.zeros(len(case_id), np.int64)
    for call, name in CASE_KINDS.items():
        events = facts[name]
        place = find_places(case_id, events.get_event_ids())
        is_there = place >= 0
        case_us[is_there] = events.event_us[place[is_there]]
        case_call[is_there] = call
    case = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    kind = labels.enum("label").astype(np.int64)
    origin = labels.enum("origin").astype(np.int64)
    for said, led_to in _OWN_ORIGIN.items():
        origin[(kind == said) & (origin == Origin.UNSPECIFIED)] = led_to
    told = labels.ints("effective_time")
    effective_us = np.where(told == 0, labels.event_us, told)
    is_known = case_us[case] < NEVER_US
    effective_us[is_known] = np.maximum(effective_us, case_us[case])[is_known]
    order = np.lexsort((effective_us, labels.known_us))
    return LabelBook(
        case_id=case_id,
        case_us=case_us,
        case_call=case_call,
        case=case[order],
        kind=kind[order],
        origin=origin[order],
        is_reversal=labels.bools("is_reversal")[order],
        known_us=labels.known_us[order],
        effective_us=effective_us[order],
        propensity=labels.floats("propensity")[order],
        group=labels.group[order],
    )


def find_cases(book: LabelBook, case_ids: pa.Array) -> Ints:
    """Return where each label's case stands among some cases, -1: not among them."""
    return find_places(pc.take(book.case_id, pa.array(book.case)), case_ids)
