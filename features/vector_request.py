"""The columns that need no history: what the case itself says."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.definition import Aggregation
from features.record import DAY_US
from features.request_rows import RequestFlag

_VALUE = int(Aggregation.REQUEST_VALUE)
_QUANTITY = int(Aggregation.REQUEST_QUANTITY)
_UNIT_PRICE = int(Aggregation.REQUEST_UNIT_PRICE)
_LINE_COUNT = int(Aggregation.REQUEST_LINE_COUNT)
_MULTI_VARIANT_SHARE = int(Aggregation.REQUEST_MULTI_VARIANT_SHARE)
_ORDER_SHARE = int(Aggregation.REQUEST_ORDER_SHARE)
_DISCOUNT_SHARE = int(Aggregation.REQUEST_DISCOUNT_SHARE)
_GIFT_CARD_SHARE = int(Aggregation.REQUEST_GIFT_CARD_SHARE)
_PROMISED_LEAD = int(Aggregation.REQUEST_PROMISED_LEAD)
_HOUR = int(Aggregation.REQUEST_HOUR)
_WEEKDAY = int(Aggregation.REQUEST_WEEKDAY)
_CHANNEL = int(Aggregation.REQUEST_CHANNEL)
_ORDER_CHANNEL = int(Aggregation.REQUEST_ORDER_CHANNEL)
_IS_CROSS_CHANNEL = int(Aggregation.REQUEST_IS_CROSS_CHANNEL)
_TENDER = int(Aggregation.REQUEST_TENDER)
_REASON_CODE = int(Aggregation.REQUEST_REASON_CODE)
_STAGE = int(Aggregation.REQUEST_STAGE)
_DELAY = int(Aggregation.REQUEST_DELAY)
_ORDER_AGE = int(Aggregation.REQUEST_ORDER_AGE)
_HOLD = int(Aggregation.REQUEST_HOLD)
_WINDOW_SHARE = int(Aggregation.REQUEST_WINDOW_SHARE)
_IS_TAG_ON = int(Aggregation.REQUEST_IS_TAG_ON)
_HAS_REASON_TEXT = int(Aggregation.REQUEST_HAS_REASON_TEXT)
_HAS_RECEIPT = int(Aggregation.REQUEST_HAS_RECEIPT)
_HAS_ORDER = int(Aggregation.REQUEST_HAS_ORDER)
_IS_PHOTO_CHECKED = int(Aggregation.REQUEST_IS_PHOTO_CHECKED)
_IS_VIDEO_PASSED = int(Aggregation.REQUEST_IS_VIDEO_PASSED)
_IS_GIFT_CARD = int(Aggregation.REQUEST_IS_GIFT_CARD)

_TAG_KNOWN = int(RequestFlag.IS_TAG_KNOWN)
_TAG_ON = int(RequestFlag.IS_TAG_ON)

_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)
_RECEIPT = int(RequestFlag.HAS_RECEIPT)
_ORDER_FOUND = int(RequestFlag.HAS_ORDER)
_PHOTO_CHECKED = int(RequestFlag.IS_PHOTO_CHECKED)
_VIDEO_PASSED = int(RequestFlag.IS_VIDEO_PASSED)
_GIFT_CARD = int(RequestFlag.IS_GIFT_CARD)

_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_DAY_S = 86_400.0


@inlined
def _divide(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else np.nan


@inlined
def _flag(bit: int) -> float:
    return 1.0 if bit else 0.0


@inlined
def _known_code(code: int) -> float:
    return float(code) if code != 0 else np.nan


@inlined
def _compute_hold_days(request: Any) -> float:
    """Return days since delivery, else since the order, in whole seconds as the fold keeps it."""
    since_us = request["delivery_time_us"]
    if since_us == 0:
        since_us = request["order_time_us"]
    if since_us == 0:
        return np.nan
    return float(max(0, (request["time_us"] - since_us) // _SECOND_US)) / _DAY_S


@inlined
def _fill_money(request: Any, facts: npt.NDArray[np.float64]) -> None:
    order_value = float(request["order_value_minor"])
    value, discount = float(request["value_minor"]), float(request["discount_minor"])
    facts[_VALUE] = value
    facts[_QUANTITY] = float(request["quantity"])
    facts[_UNIT_PRICE] = float(request["unit_price_minor"])
    facts[_LINE_COUNT] = float(request["line_count"])
    facts[_MULTI_VARIANT_SHARE] = _divide(
        float(request["multi_variant_line_count"]), float(request["line_count"])
    )
    facts[_ORDER_SHARE] = _divide(value, order_value)
    facts[_DISCOUNT_SHARE] = _divide(discount, order_value + discount)
    facts[_GIFT_CARD_SHARE] = _divide(float(request["gift_card_minor"]), order_value)


@inlined
def _fill_times(request: Any, facts: npt.NDArray[np.float64]) -> None:
    now_us = request["time_us"]
    order_us, promised_us = request["order_time_us"], request["promised_delivery_us"]
    hold_days = _compute_hold_days(request)
    facts[_HOUR] = float(now_us % DAY_US // _HOUR_US)
    facts[_WEEKDAY] = float((now_us // DAY_US + 3) % 7)  # 1970-01-01 was a Thursday.
    facts[_DELAY] = float(request["delay_s"]) / 3600.0
    facts[_HOLD] = hold_days
    facts[_WINDOW_SHARE] = _divide(hold_days, float(request["return_window_days"]))
    facts[_ORDER_AGE] = float(max(0, now_us - order_us)) / DAY_US if order_us else np.nan
    facts[_PROMISED_LEAD] = float(promised_us - now_us) / DAY_US if promised_us else np.nan


@inlined
def _fill_codes(request: Any, facts: npt.NDArray[np.float64]) -> None:
    channel, order_channel = int(request["channel"]), int(request["order_channel"])
    facts[_CHANNEL] = float(channel)
    facts[_ORDER_CHANNEL] = _known_code(order_channel)
    facts[_TENDER] = _known_code(int(request["tender"]))
    facts[_REASON_CODE] = _known_code(int(request["reason_code"]))
    facts[_STAGE] = _known_code(int(request["stage"]))
    facts[_IS_CROSS_CHANNEL] = np.nan
    if channel != 0 and order_channel != 0:
        facts[_IS_CROSS_CHANNEL] = _flag(channel != order_channel)


@inlined
def fill_request_facts(request: Any, facts: npt.NDArray[np.float64]) -> None:
    """Write all request facts, in double precision, each at its aggregation's number.

    NaN is missing. Whether a fact applies to the call is the plan's business.
    """
    _fill_money(request, facts)
    _fill_times(request, facts)
    _fill_codes(request, facts)
    flags = int(request["flags"])
    facts[_HAS_REASON_TEXT] = _flag(flags & _HAS_EMBEDDING)
    facts[_HAS_RECEIPT] = _flag(flags & _RECEIPT)
    facts[_HAS_ORDER] = _flag(flags & _ORDER_FOUND)
    facts[_IS_PHOTO_CHECKED] = _flag(flags & _PHOTO_CHECKED)
    facts[_IS_VIDEO_PASSED] = _flag(flags & _VIDEO_PASSED)
    facts[_IS_GIFT_CARD] = _flag(flags & _GIFT_CARD)
    facts[_IS_TAG_ON] = _flag(flags & _TAG_ON) if flags & _TAG_KNOWN else np.nan
