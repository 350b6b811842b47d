"""Credits to purchases: which bought units a `C` line takes back.

The file links no credit to its sale. The rule: a credit takes units of earlier
purchases of the same customer and article, from the latest backwards (or from
the first onwards), never more than were bought and not yet taken.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Matching(StrEnum):
    """Which of several possible purchases a credit takes first."""

    LATEST = "latest"
    """The latest purchase before the credit."""
    FIFO = "fifo"
    """The first purchase that has units left."""


@dataclass(frozen=True, eq=False)
class Movements:
    """Purchases or credits; arrays of shape `(n,)`, in any order.

    Attributes:
        group: int64; units move only within a group (one customer and article).
        time_us: int64, when, microseconds.
        source_row: int64, unique; decides among equal times.
        units: int64, at least 1, also for credits.
    """

    group: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    source_row: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Matches:
    """Pairs of a credit and a purchase, ordered by credit and then as taken.

    Attributes:
        credit: int64, shape `(n_pairs,)`, index into the credits.
        purchase: int64, shape `(n_pairs,)`, index into the purchases.
        units: int64, shape `(n_pairs,)`, units taken, at least 1.
        unmatched_units: int64, shape `(n_credits,)`, units of each credit that found
            no purchase.
        n_candidates: int64, shape `(n_credits,)`, purchases with units left that the
            credit could choose from.
    """

    credit: npt.NDArray[np.int64]
    purchase: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]
    unmatched_units: npt.NDArray[np.int64]
    n_candidates: npt.NDArray[np.int64]


def match_credits(purchases: Movements, credit_lines: Movements, matching: Matching) -> Matches:
    """Return which purchased units each credit takes back.

    Credits are served in order of (time, source row); a purchase is *before* a
    credit if its (time, source row) is smaller. Each credit takes from one
    purchase after the other until its units are found or none is left.

    Conserves units: what is taken from a purchase never exceeds its units, and
    a credit's taken and unmatched units add up to its own.
    """
    wanted = np.isin(purchases.group, credit_lines.group)
    stock: dict[int, list[int]] = defaultdict(list)
    for i in _order(purchases):
        if wanted[i]:
            stock[int(purchases.group[i])].append(int(i))
    left: list[int] = purchases.units.tolist()
    when: list[tuple[int, int]] = _moments(purchases)
    credit_when = _moments(credit_lines)
    unmatched: npt.NDArray[np.int64] = credit_lines.units.astype(np.int64)
    n_candidates = np.zeros(len(unmatched), np.int64)
    pairs: list[tuple[int, int, int]] = []
    for c in _order(credit_lines).tolist():
        candidates = [
            p for p in stock[int(credit_lines.group[c])] if when[p] < credit_when[c] and left[p] > 0
        ]
        n_candidates[c] = len(candidates)
        need = int(unmatched[c])
        for p in reversed(candidates) if matching is Matching.LATEST else candidates:
            if need == 0:
                break
            taken = min(need, left[p])
            left[p] -= taken
            need -= taken
            pairs.append((c, p, taken))
        unmatched[c] = need
    pairs.sort(key=lambda pair: pair[0])  # Stable: the purchases stay as taken.
    table = np.array(pairs, np.int64).reshape(-1, 3)
    return Matches(table[:, 0], table[:, 1], table[:, 2], unmatched, n_candidates)


def find_reinvoiced(
    purchases: Movements, credit_lines: Movements, within_us: int
) -> npt.NDArray[np.bool_]:
    """Return which credits were followed by a purchase of the same group soon after.

    A credit whose article the same customer bought again at once is mostly a
    correction of the invoice, not a return.

    Args:
        purchases: All purchases.
        credit_lines: All credits.
        within_us: Longest time from the credit to the new purchase, inclusive.

    Returns:
        Shape `(n_credits,)`. True if a purchase of the same group comes after the
        credit in (time, source row) and not later than `within_us` after it.
    """
    after: dict[int, list[tuple[int, int]]] = defaultdict(list)
    wanted = np.isin(purchases.group, credit_lines.group)
    moments = _moments(purchases)
    for i in np.flatnonzero(wanted).tolist():
        after[int(purchases.group[i])].append(moments[i])
    groups: list[int] = credit_lines.group.tolist()
    return np.array(
        [
            any(
                moment < bought and bought[0] - moment[0] <= within_us
                for bought in after[groups[c]]
            )
            for c, moment in enumerate(_moments(credit_lines))
        ],
        np.bool_,
    )


def _order(movements: Movements) -> npt.NDArray[np.int64]:
    return np.lexsort((movements.source_row, movements.time_us))


def _moments(movements: Movements) -> list[tuple[int, int]]:
    return list(zip(movements.time_us.tolist(), movements.source_row.tolist(), strict=True))
