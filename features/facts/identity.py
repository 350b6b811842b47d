"""The facts of a shared identity: who else stands behind a device, an address, a token.

The asking customer's own member is left out, so neither the case nor the
customer's own past counts: what the customer did is in the history.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import WINDOWS
from features.folds.tiles import find_first_bucket
from features.records.identity import N_MEMBERS


class IdentityFact(IntEnum):
    """The facts, by their place in the slice; others are members but the asking customer."""

    OTHER_CUSTOMER_COUNT = 0
    NEW_CUSTOMER_COUNT = 1
    """Others first seen in the window `NEW_WINDOW`."""
    OTHER_ORDER_COUNT = 2
    OTHER_RETURN_COUNT = 3
    OTHER_ABUSE_COUNT = 4
    IS_SATURATED = 5


N_IDENTITY_FACTS = len(IdentityFact)
NEW_WINDOW = WINDOWS[2]

_NEW_WINDOW = WINDOWS.index(NEW_WINDOW)
_NEW_HOP_US = NEW_WINDOW.hop_us
_OTHER_CUSTOMER_COUNT = int(IdentityFact.OTHER_CUSTOMER_COUNT)
_NEW_CUSTOMER_COUNT = int(IdentityFact.NEW_CUSTOMER_COUNT)
_OTHER_ORDER_COUNT = int(IdentityFact.OTHER_ORDER_COUNT)
_OTHER_RETURN_COUNT = int(IdentityFact.OTHER_RETURN_COUNT)
_OTHER_ABUSE_COUNT = int(IdentityFact.OTHER_ABUSE_COUNT)
_IS_SATURATED = int(IdentityFact.IS_SATURATED)


@welded
def fill_identity_facts(
    record: Any, member: np.uint64, request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Write the slice of an element of `IDENTITY_DTYPE`.

    Args:
        record: All zeros if nobody used the identity yet.
        member: The asking customer's member hash; 0: a guest, nobody is left out.
        request: An element of `REQUEST_ROW_DTYPE`.
        facts: Filled from `place` on, `N_IDENTITY_FACTS` places.
        place: Where the slice begins.
    """
    first_us = find_first_bucket(request["time_us"], _NEW_WINDOW) * _NEW_HOP_US
    customers = new = orders = returns = abuses = 0
    for i in range(N_MEMBERS):
        if record["member"][i] == np.uint64(0):
            break
        if record["member"][i] == member:
            continue
        customers += 1
        new += 1 if record["first_us"][i] >= first_us else 0
        orders += record["order_count"][i]
        returns += record["return_count"][i]
        abuses += record["abuse_count"][i]
    facts[place + _OTHER_CUSTOMER_COUNT] = float(customers)
    facts[place + _NEW_CUSTOMER_COUNT] = float(new)
    facts[place + _OTHER_ORDER_COUNT] = float(orders)
    facts[place + _OTHER_RETURN_COUNT] = float(returns)
    facts[place + _OTHER_ABUSE_COUNT] = float(abuses)
    facts[place + _IS_SATURATED] = float(record["is_saturated"])
