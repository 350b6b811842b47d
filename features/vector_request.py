"""The columns that need no history: what the case itself says."""

from __future__ import annotations

from typing import Any

import numpy as np

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

_TAG_KNOWN = int(RequestFlag.IS_TAG_KNOWN)
_TAG_ON = int(RequestFlag.IS_TAG_ON)

# Aggregations that are one bit of the flags: (aggregation, bit).
_FLAG_BITS = np.zeros(int(max(Aggregation)) + 1, np.int64)
_FLAG_BITS[int(Aggregation.REQUEST_HAS_REASON_TEXT)] = int(RequestFlag.HAS_EMBEDDING)
_FLAG_BITS[int(Aggregation.REQUEST_HAS_RECEIPT)] = int(RequestFlag.HAS_RECEIPT)
_FLAG_BITS[int(Aggregation.REQUEST_HAS_ORDER)] = int(RequestFlag.HAS_ORDER)
_FLAG_BITS[int(Aggregation.REQUEST_IS_PHOTO_CHECKED)] = int(RequestFlag.IS_PHOTO_CHECKED)
_FLAG_BITS[int(Aggregation.REQUEST_IS_VIDEO_PASSED)] = int(RequestFlag.IS_VIDEO_PASSED)
_FLAG_BITS[int(Aggregation.REQUEST_IS_GIFT_CARD)] = int(RequestFlag.IS_GIFT_CARD)

_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_DAY_S = 86_400.0


@inlined
def _divide(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else np.nan


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
def _compute_money(request: Any, aggregation: int) -> float:
    order_value = float(request["order_value_minor"])
    if aggregation == _VALUE:
        return float(request["value_minor"])
    if aggregation == _UNIT_PRICE:
        return float(request["unit_price_minor"])
    if aggregation == _ORDER_SHARE:
        return _divide(float(request["value_minor"]), order_value)
    if aggregation == _DISCOUNT_SHARE:
        discount = float(request["discount_minor"])
        return _divide(discount, order_value + discount)
    if aggregation == _GIFT_CARD_SHARE:
        return _divide(float(request["gift_card_minor"]), order_value)
    return np.nan


@inlined
def _compute_time(request: Any, aggregation: int) -> float:
    now_us = request["time_us"]
    if aggregation == _HOUR:
        return float(now_us % DAY_US // _HOUR_US)
    if aggregation == _WEEKDAY:
        return float((now_us // DAY_US + 3) % 7)  # 1970-01-01 was a Thursday.
    if aggregation == _HOLD:
        return _compute_hold_days(request)
    if aggregation == _WINDOW_SHARE:
        return _divide(_compute_hold_days(request), float(request["return_window_days"]))
    if aggregation == _DELAY:
        return float(request["delay_s"]) / 3600.0
    if aggregation == _ORDER_AGE and request["order_time_us"] != 0:
        return float(max(0, now_us - request["order_time_us"])) / DAY_US
    if aggregation == _PROMISED_LEAD and request["promised_delivery_us"] != 0:
        return float(request["promised_delivery_us"] - now_us) / DAY_US
    return np.nan


@inlined
def _compute_code(request: Any, aggregation: int) -> float:
    channel, order_channel = int(request["channel"]), int(request["order_channel"])
    if aggregation == _CHANNEL:
        return float(channel)
    if aggregation == _ORDER_CHANNEL:
        return _known_code(order_channel)
    if aggregation == _TENDER:
        return _known_code(int(request["tender"]))
    if aggregation == _REASON_CODE:
        return _known_code(int(request["reason_code"]))
    if aggregation == _STAGE:
        return _known_code(int(request["stage"]))
    if aggregation == _IS_CROSS_CHANNEL and channel != 0 and order_channel != 0:
        return 1.0 if channel != order_channel else 0.0
    return np.nan


@inlined
def compute_request(request: Any, aggregation: int) -> float:
    """Return one request column, in double precision; NaN is missing."""
    flags = int(request["flags"])
    bit = _FLAG_BITS[aggregation]
    if bit:
        return 1.0 if flags & bit else 0.0
    if aggregation == _IS_TAG_ON:
        if flags & _TAG_KNOWN == 0:
            return np.nan
        return 1.0 if flags & _TAG_ON else 0.0
    if aggregation == _QUANTITY:
        return float(request["quantity"])
    if aggregation == _LINE_COUNT:
        return float(request["line_count"])
    if aggregation == _MULTI_VARIANT_SHARE:
        return _divide(float(request["multi_variant_line_count"]), float(request["line_count"]))
    if _VALUE <= aggregation <= _GIFT_CARD_SHARE:
        return _compute_money(request, aggregation)
    if aggregation in (_PROMISED_LEAD, _HOUR, _WEEKDAY) or _DELAY <= aggregation <= _WINDOW_SHARE:
        return _compute_time(request, aggregation)
    return _compute_code(request, aggregation)
