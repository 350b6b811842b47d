"""Do honest look-alikes resemble their pattern in the columns they are named for?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.definitions import FEATURES
from training.simulation.patterns import LookAlike, Pattern
from training.simulation.realism.auc import compute_auc
from training.simulation.realism.true_cases import Flags, Floats, TrueCases

LOOK_ALIKE_BOUNDS: Final = (0.2, 0.8)
"""Where the AUC of pattern over look-alike must lie in a shared column."""

_MIN_CASES: Final = 20
"""Fewer cases of either kind say nothing."""

_SHARED_COLUMNS: Final[tuple[tuple[str, Pattern, LookAlike, tuple[str, ...]], ...]] = (
    ("order", Pattern.BRACKETING, LookAlike.SIZE_UNSURE,
     ("request_line_count", "request_multi_variant_share", "request_value_minor")),
    ("order", Pattern.SERIAL_RETURNER, LookAlike.HEAVY_BUYER,
     ("order_count_90d", "request_value_minor", "request_discount_share")),
    ("order", Pattern.RING, LookAlike.HOUSEHOLD,
     ("device_other_customer_count_lifetime", "request_value_minor")),
    ("cancellation", Pattern.OFFER_FISHING, LookAlike.PRICE_DROPPED,
     ("request_order_age_days", "request_value_minor", "request_reason_code")),
    ("return", Pattern.WARDROBING, LookAlike.LATE_RETURNER,
     ("request_hold_days", "request_window_used_share", "time_to_return_mean_last16_days")),
    ("return", Pattern.WARDROBING, LookAlike.OCCASION_CANCELLED,
     ("request_hold_days", "request_unit_price_minor", "request_has_reason_text")),
    ("return", Pattern.BRACKETING, LookAlike.SIZE_UNSURE,
     ("request_hold_days", "request_style_return_count_last16", "request_unit_price_minor")),
    ("return", Pattern.BRACKETING, LookAlike.SIZE_CHART,
     ("request_hold_days", "request_unit_price_minor")),
    ("return", Pattern.SERIAL_RETURNER, LookAlike.HEAVY_BUYER,
     ("request_hold_days", "order_count_365d", "request_reason_code_share_last16")),
    ("return", Pattern.SERIAL_RETURNER, LookAlike.BAD_BATCH,
     ("request_hold_days", "request_unit_price_minor")),
    ("return", Pattern.RECEIPTLESS_REFUND, LookAlike.NO_RECEIPT,
     ("request_has_receipt", "request_is_gift_card", "request_unit_price_minor")),
    ("return", Pattern.PRICE_ARBITRAGE, LookAlike.NO_RECEIPT,
     ("request_has_receipt", "request_unit_price_minor", "request_is_gift_card")),
    ("return", Pattern.EMPTY_BOX, LookAlike.PARCEL_STOLEN,
     ("request_hold_days", "request_reason_code")),
    ("return", Pattern.EMPTY_BOX, LookAlike.WAREHOUSE_MIXUP,
     ("request_hold_days", "request_has_reason_text")),
    ("return", Pattern.RING, LookAlike.HOUSEHOLD,
     ("device_other_customer_count_lifetime", "address_other_customer_count_lifetime",
      "request_hold_days")),
)  # fmt: skip
"""What each look-alike shares with its pattern, by column of the model's row."""

_PLACES: Final = {feature.name: place for place, feature in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True)
class SharedMarginal:
    """One column of a pattern against the same of a look-alike.

    Attributes:
        call: `order`, `cancellation` or `return`.
        pattern: The abuse.
        look_alike: The honest case.
        column: What both share.
        pattern_median: NaN: mostly missing.
        look_alike_median: As before.
        auc: Pattern over look-alike, missing below all; 0.5: alike.
        n_pattern: Cases of the pattern, of all worlds.
        n_look_alike: Cases of the look-alike.
    """

    call: str
    pattern: str
    look_alike: str
    column: str
    pattern_median: float
    look_alike_median: float
    auc: float
    n_pattern: int
    n_look_alike: int


def compare_look_alikes(worlds: Sequence[TrueCases]) -> list[SharedMarginal]:
    """Return each shared column of pattern and look-alike, the cases of all worlds together.

    Args:
        worlds: Cases of one call, one world each. Pairs with too few cases are left out.
    """
    call = worlds[0].call
    vectors = np.concatenate([cases.vectors for cases in worlds])
    kinds = np.concatenate([np.array(cases.patterns) for cases in worlds])
    found = []
    for pair_call, pattern, look_alike, columns in _SHARED_COLUMNS:
        is_pattern, is_look_alike = kinds == pattern.value, kinds == look_alike.value
        if pair_call != call or min(is_pattern.sum(), is_look_alike.sum()) < _MIN_CASES:
            continue
        for column in columns:
            value = vectors[:, _PLACES[column]].astype(np.float64)
            found.append(
                SharedMarginal(
                    call,
                    pattern.value,
                    look_alike.value,
                    column,
                    _find_median(value[is_pattern]),
                    _find_median(value[is_look_alike]),
                    _compare(value, is_pattern, is_look_alike),
                    int(is_pattern.sum()),
                    int(is_look_alike.sum()),
                )
            )
    return found


def _find_median(values: Floats) -> float:
    return float(np.median(np.where(np.isnan(values), -np.inf, values))) if len(values) else np.nan


def _compare(value: Floats, is_one: Flags, is_other: Flags) -> float:
    is_either = is_one | is_other
    filled = np.where(np.isnan(value), np.nanmin(value, initial=0.0) - 1.0, value)
    return compute_auc(is_one[is_either], filled[is_either])
