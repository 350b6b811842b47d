"""The columns that need no history: what the case itself says."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import DAY_US, HOUR_US
from features.request_rows import RequestFlag


class RequestFact(IntEnum):
    """The facts of a request, by their place in the slice."""

    VALUE = 0
    QUANTITY = 1
    UNIT_PRICE = 2
    LINE_COUNT = 3
    MULTI_VARIANT_SHARE = 4
    ORDER_SHARE = 5
    DISCOUNT_SHARE = 6
    GIFT_CARD_SHARE = 7
    PROMISED_LEAD = 8
    HOUR = 9
    WEEKDAY = 10
    CHANNEL = 11
    ORDER_CHANNEL = 12
    IS_CROSS_CHANNEL = 13
    TENDER = 14
    REASON_CODE = 15
    STAGE = 16
    DELAY = 17
    ORDER_AGE = 18
    HOLD = 19
    WINDOW_SHARE = 20
    IS_TAG_ON = 21
    HAS_REASON_TEXT = 22
    HAS_RECEIPT = 23
    HAS_ORDER = 24
    IS_PHOTO_CHECKED = 25
    IS_VIDEO_PASSED = 26
    IS_GIFT_CARD = 27


N_REQUEST_FACTS = len(RequestFact)

_VALUE = int(RequestFact.VALUE)
_QUANTITY = int(RequestFact.QUANTITY)
_UNIT_PRICE = int(RequestFact.UNIT_PRICE)
_LINE_COUNT = int(RequestFact.LINE_COUNT)
_MULTI_VARIANT_SHARE = int(RequestFact.MULTI_VARIANT_SHARE)
_ORDER_SHARE = int(RequestFact.ORDER_SHARE)
_DISCOUNT_SHARE = int(RequestFact.DISCOUNT_SHARE)
_GIFT_CARD_SHARE = int(RequestFact.GIFT_CARD_SHARE)
_PROMISED_LEAD = int(RequestFact.PROMISED_LEAD)
_HOUR = int(RequestFact.HOUR)
_WEEKDAY = int(RequestFact.WEEKDAY)
_CHANNEL = int(RequestFact.CHANNEL)
_ORDER_CHANNEL = int(RequestFact.ORDER_CHANNEL)
_IS_CROSS_CHANNEL = int(RequestFact.IS_CROSS_CHANNEL)
_TENDER = int(RequestFact.TENDER)
_REASON_CODE = int(RequestFact.REASON_CODE)
_STAGE = int(RequestFact.STAGE)
_DELAY = int(RequestFact.DELAY)
_ORDER_AGE = int(RequestFact.ORDER_AGE)
_HOLD = int(RequestFact.HOLD)
_WINDOW_SHARE = int(RequestFact.WINDOW_SHARE)
_IS_TAG_ON = int(RequestFact.IS_TAG_ON)
_HAS_REASON_TEXT = int(RequestFact.HAS_REASON_TEXT)
_HAS_RECEIPT = int(RequestFact.HAS_RECEIPT)
_HAS_ORDER = int(RequestFact.HAS_ORDER)
_IS_PHOTO_CHECKED = int(RequestFact.IS_PHOTO_CHECKED)
_IS_VIDEO_PASSED = int(RequestFact.IS_VIDEO_PASSED)
_IS_GIFT_CARD = int(RequestFact.IS_GIFT_CARD)

_TAG_KNOWN = int(RequestFlag.IS_TAG_KNOWN)
_TAG_ON = int(RequestFlag.IS_TAG_ON)

_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)
_RECEIPT = int(RequestFlag.HAS_RECEIPT)
_ORDER_FOUND = int(RequestFlag.HAS_ORDER)
_PHOTO_CHECKED = int(RequestFlag.IS_PHOTO_CHECKED)
_VIDEO_PASSED = int(RequestFlag.IS_VIDEO_PASSED)
_GIFT_CARD = int(RequestFlag.IS_GIFT_CARD)

_SECOND_US = 1_000_000
_DAY_S = 86_400.0


@welded
def _divide(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else np.nan


@welded
def _flag(bit: int | np.int64) -> float:
    return 1.0 if bit else 0.0


@welded
def _known_code(code: int | np.int64) -> float:
    return float(code) if code != 0 else np.nan


@welded
def _compute_hold_days(request: Any) -> float:
    """Return days since delivery, else since the order, in whole seconds as the fold keeps it."""
    since_us = request["delivery_time_us"]
    if since_us == 0:
        since_us = request["order_time_us"]
    if since_us == 0:
        return np.nan
    return float(max(0, (request["time_us"] - since_us) // _SECOND_US)) / _DAY_S


@welded
def _fill_money(request: Any, facts: npt.NDArray[np.float64], place: int) -> None:
    order_value = float(request["order_value_minor"])
    value, discount = float(request["value_minor"]), float(request["discount_minor"])
    facts[place + _VALUE] = value
    facts[place + _QUANTITY] = float(request["quantity"])
    facts[place + _UNIT_PRICE] = float(request["unit_price_minor"])
    facts[place + _LINE_COUNT] = float(request["line_count"])
    facts[place + _MULTI_VARIANT_SHARE] = _divide(
        float(request["multi_variant_line_count"]), float(request["line_count"])
    )
    facts[place + _ORDER_SHARE] = _divide(value, order_value)
    facts[place + _DISCOUNT_SHARE] = _divide(discount, order_value + discount)
    facts[place + _GIFT_CARD_SHARE] = _divide(float(request["gift_card_minor"]), order_value)


@welded
def _fill_times(request: Any, facts: npt.NDArray[np.float64], place: int) -> None:
    now_us = request["time_us"]
    order_us, promised_us = request["order_time_us"], request["promised_delivery_us"]
    hold_days = _compute_hold_days(request)
    facts[place + _HOUR] = float(now_us % DAY_US // HOUR_US)
    facts[place + _WEEKDAY] = float((now_us // DAY_US + 3) % 7)  # 1970-01-01 was a Thursday.
    facts[place + _DELAY] = float(request["delay_s"]) / 3600.0
    facts[place + _HOLD] = hold_days
    facts[place + _WINDOW_SHARE] = _divide(hold_days, float(request["return_window_days"]))
    facts[place + _ORDER_AGE] = float(max(0, now_us - order_us)) / DAY_US if order_us else np.nan
    facts[place + _PROMISED_LEAD] = float(promised_us - now_us) / DAY_US if promised_us else np.nan


@welded
def _fill_codes(request: Any, facts: npt.NDArray[np.float64], place: int) -> None:
    channel, order_channel = np.int64(request["channel"]), np.int64(request["order_channel"])
    facts[place + _CHANNEL] = float(channel)
    facts[place + _ORDER_CHANNEL] = _known_code(order_channel)
    facts[place + _TENDER] = _known_code(np.int64(request["tender"]))
    facts[place + _REASON_CODE] = _known_code(np.int64(request["reason_code"]))
    facts[place + _STAGE] = _known_code(np.int64(request["stage"]))
    facts[place + _IS_CROSS_CHANNEL] = np.nan
    if channel != 0 and order_channel != 0:
        facts[place + _IS_CROSS_CHANNEL] = _flag(channel != order_channel)


@welded
def fill_request_facts(request: Any, facts: npt.NDArray[np.float64], place: int) -> None:
    """Write all request facts, in double precision, each at its number from `place` on.

    NaN is missing. Whether a fact applies to the call is the plan's business.
    """
    _fill_money(request, facts, place)
    _fill_times(request, facts, place)
    _fill_codes(request, facts, place)
    flags = np.int64(request["flags"])
    facts[place + _HAS_REASON_TEXT] = _flag(flags & _HAS_EMBEDDING)
    facts[place + _HAS_RECEIPT] = _flag(flags & _RECEIPT)
    facts[place + _HAS_ORDER] = _flag(flags & _ORDER_FOUND)
    facts[place + _IS_PHOTO_CHECKED] = _flag(flags & _PHOTO_CHECKED)
    facts[place + _IS_VIDEO_PASSED] = _flag(flags & _VIDEO_PASSED)
    facts[place + _IS_GIFT_CARD] = _flag(flags & _GIFT_CARD)
    facts[place + _IS_TAG_ON] = _flag(flags & _TAG_ON) if flags & _TAG_KNOWN else np.nan
