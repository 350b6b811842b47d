"""Parts of the cases that are looked at on their own: new customers, channels, no receipt."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURES

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.float32]

_PLACES: Final = {feature.name: place for place, feature in enumerate(FEATURES)}
_NEW_DAYS: Final = 30.0
_OLD_DAYS: Final = 365.0
_LOYAL_ORDERS: Final = 10.0
MIN_CASES: Final = 100
"""Parts with fewer cases are left out: their figures say nothing."""


def cut_slices(rows: Rows) -> dict[str, Flags]:
    """Return which cases belong to which part, by columns of the model's rows.

    A part may overlap with others; what is not known belongs to none. Parts are those
    that people ask for: how long somebody has been a customer (first seen less than 30
    days ago, less than a year, more), loyalty (ten orders or more), where the case was
    asked, and returns without receipt.

    Args:
        rows: Shape `(n, F)`, as the model gets them; NaN is missing.
    """
    tenure = _column(rows, "tenure_lifetime_days")
    orders = _column(rows, "order_count_lifetime")
    receipt = _column(rows, "request_has_receipt")
    cross = _column(rows, "request_is_cross_channel")
    store = _column(rows, "store_return_count_24h")
    found = {
        "tenure: none known": np.isnan(tenure),
        "tenure: below 30 days": tenure < _NEW_DAYS,
        "tenure: 30 to 365 days": (tenure >= _NEW_DAYS) & (tenure < _OLD_DAYS),
        "tenure: above 365 days": tenure >= _OLD_DAYS,
        "loyalty: below 10 orders": orders < _LOYAL_ORDERS,
        "loyalty: 10 orders and more": orders >= _LOYAL_ORDERS,
        "place: in a store": ~np.isnan(store),
        "place: elsewhere": np.isnan(store),
        "channel: another than that of the order": cross == 1.0,
        "receipt: none": receipt == 0.0,
        "receipt: shown": receipt == 1.0,
    }
    return {name: flags for name, flags in found.items() if int(flags.sum()) >= MIN_CASES}


def _column(rows: Rows, name: str) -> npt.NDArray[np.float64]:
    return rows[:, _PLACES[name]].astype(np.float64)
