"""The fold of shared identities: one row of a customer's brings their membership up to date."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.compiled import welded
from features.fold_rows import FoldFlag, FoldKind
from features.folds.rings import find_last, make_room
from features.records.identity import N_MEMBERS

_ORDER_PLACED = int(FoldKind.ORDER_PLACED)
_RETURN_REQUESTED = int(FoldKind.RETURN_REQUESTED)
_LABEL_SET = int(FoldKind.LABEL_SET)
_IS_ABUSE_CONFIRMED = int(FoldFlag.IS_ABUSE_CONFIRMED)
_IS_REVERSAL = int(FoldFlag.IS_REVERSAL)


@welded
def _find_member(record: Any, member: np.uint64) -> int:
    """Return the first place whose member is not below `member`, or is empty; else `N_MEMBERS`."""
    for place in range(N_MEMBERS):
        if record["member"][place] == np.uint64(0) or record["member"][place] >= member:
            return place
    return N_MEMBERS


@welded
def _add_member(record: Any, place: int, member: np.uint64, time_us: int) -> None:
    """Put a new member in its place; the greatest one falls out if all places are taken."""
    if record["member"][N_MEMBERS - 1] != np.uint64(0):
        record["is_saturated"] = 1
    last = find_last(record["member"], place)
    make_room(record["member"], place, last)
    make_room(record["first_us"], place, last)
    make_room(record["order_count"], place, last)
    make_room(record["return_count"], place, last)
    make_room(record["abuse_count"], place, last)
    record["member"][place] = member
    record["first_us"][place] = time_us
    record["order_count"][place] = 0
    record["return_count"][place] = 0
    record["abuse_count"][place] = 0


@welded
def fold_identity(record: Any, row: Any) -> None:
    """Fold one row into an element of `IDENTITY_DTYPE`; a guest's row changes nothing."""
    member, time_us, kind = row["member"], row["event_time_us"], int(row["kind"])
    if member == np.uint64(0):
        return
    place = _find_member(record, member)
    if place == N_MEMBERS:
        record["is_saturated"] = 1
        return
    if record["member"][place] != member:
        _add_member(record, place, member, time_us)
    record["first_us"][place] = min(record["first_us"][place], time_us)
    if kind == _ORDER_PLACED:
        record["order_count"][place] += 1
    elif kind == _RETURN_REQUESTED:
        record["return_count"][place] += 1
    elif kind == _LABEL_SET and int(row["flags"]) & _IS_ABUSE_CONFIRMED:
        record["abuse_count"][place] += -1 if int(row["flags"]) & _IS_REVERSAL else 1
