"""The last events of each case's customer as tokens, point in time like the vectors.

A token is an event's kind, the time from the token before it, the time until the case
and its value: what a behaviour-sequence model gets of an event. Only events that were
known when the case happened count (`ingest_time` up to the case's time), its own does
not: the same history that the vector is computed from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.log.arrow_access import read_ints, read_kind_index
from features.log.arrow_cells import from_arrow
from features.log.columns import to_fold_rows
from features.log.schema import EVENT_KINDS
from training.cases import CaseSet
from training.facts import Flags, Ints, find_places, read_envelope
from training.log_reading import AcceptedEvents

N_KINDS = len(EVENT_KINDS) + 1
"""Kinds of tokens; 0 is padding."""
N_SCALARS = 3
"""Numbers of a token beside its kind."""
_SECOND_US = 1e6
_LOG_SCALE = 10.0
"""Logarithms are divided by it: of a second to a year, and of a cent to millions, within 0 to 2."""

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TokenSet:
    """Tokens of `n` cases, oldest first, padded in front.

    Attributes:
        kind: Shape `(n, L)`, int64: 1 + index in `EVENT_KINDS`; 0: padding.
        scalars: Shape `(n, L, N_SCALARS)`: log seconds since the token before, log seconds
            until the case, log value in minor units; 0 in padding.
    """

    kind: Ints
    scalars: Floats32

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.kind)

    def select(self, is_wanted: Flags | Ints) -> TokenSet:
        """Return the tokens of some cases."""
        return TokenSet(self.kind[is_wanted], self.scalars[is_wanted])


def read_tokens(events: AcceptedEvents, cases: CaseSet, length: int) -> TokenSet:
    """Return the last events of each case's customer that were known at the case.

    Guests have none: their cases are all padding.

    Args:
        events: All accepted events of the tenant.
        cases: Cases of one call of the same log.
        length: L, tokens kept per case.
    """
    batch = events.batch
    group = read_envelope(batch).group
    known_us = read_ints(batch.column("ingest_time"))
    order = np.lexsort((known_us, group))
    sorted_group, sorted_us = group[order], known_us[order]
    start = np.searchsorted(sorted_group, cases.group, side="left")
    end = _count_known(sorted_group, sorted_us, cases)
    own = _find_own(batch.column("event_id"), cases, order)
    # The own event stands among the last ones known: one more is looked at, and it is left out.
    place = end[:, None] - np.arange(length, -1, -1)[None, :] - 1
    is_in = (place >= start[:, None]) & (place != own[:, None]) & ~cases.is_guest[:, None]
    place, is_in = _keep_last(place, is_in, length)
    event = order[np.where(is_in, place, 0)]
    event_us = read_ints(batch.column("event_time"))[event]
    kind = np.where(is_in, read_kind_index(batch)[event] + 1, 0)
    value = _read_values(events)[event]
    scalars = np.stack(
        [
            _scale(_since_before(event_us, is_in) / _SECOND_US),
            _scale((cases.time_us[:, None] - event_us) / _SECOND_US),
            _scale(value),
        ],
        axis=2,
    )
    return TokenSet(kind, np.where(is_in[:, :, None], scalars, 0.0).astype(np.float32))


def _count_known(sorted_group: Ints, sorted_us: Ints, cases: CaseSet) -> Ints:
    """Return the place behind the last event of each case's customer known at the case."""
    # Both keys at once: cases are put among the events, after those of the same time.
    n = len(sorted_group)
    groups = np.concatenate([sorted_group, cases.group])
    times = np.concatenate([sorted_us, cases.time_us])
    is_case = np.repeat([0, 1], [n, len(cases)])
    merged = np.lexsort((is_case, times, groups))
    n_events_before = np.cumsum(merged < n)
    found = np.empty(len(cases), np.int64)
    of_cases = merged >= n
    found[merged[of_cases] - n] = n_events_before[of_cases]
    return found


def _find_own(event_ids: object, cases: CaseSet, order: Ints) -> Ints:
    """Return where each case's own event stands among the sorted events."""
    place_of = np.empty(len(order), np.int64)
    place_of[order] = np.arange(len(order))
    return place_of[find_places(cases.event_id, event_ids)]


def _keep_last(place: Ints, is_in: Flags, length: int) -> tuple[Ints, Flags]:
    """Return `length` columns, the kept places last in their order."""
    to_the_end = np.argsort(is_in, axis=1, kind="stable")[:, -length:]
    return np.take_along_axis(place, to_the_end, 1), np.take_along_axis(is_in, to_the_end, 1)


def _since_before(event_us: Ints, is_in: Flags) -> Ints:
    """Return the time since the token before, 0 for the first, shape `(n, L)`."""
    since = np.diff(event_us, axis=1, prepend=event_us[:, :1])
    has_before = is_in & np.concatenate([np.zeros_like(is_in[:, :1]), is_in[:, :-1]], axis=1)
    return np.where(has_before, since, 0)


def _read_values(events: AcceptedEvents) -> Ints:
    """Return each event's value in minor units as the fold sees it, 0 where it has none."""
    folded = to_fold_rows(from_arrow(events.batch))
    value = np.zeros(events.batch.num_rows, np.int64)
    np.maximum.at(value, folded.event_index, folded.rows["value_minor"])
    return value


def _scale(values: npt.NDArray[np.float64] | Ints) -> npt.NDArray[np.float64]:
    scaled: npt.NDArray[np.float64] = np.log1p(np.maximum(values, 0)) / _LOG_SCALE
    return scaled
