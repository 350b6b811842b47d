"""The facts of a customer's history, as of a request's time and without its own case."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import ALL_WINDOWS, DAY_US, WINDOWS
from features.facts.history_layout import LIFETIME_ROW, LIFETIME_SUMS, SUMS, HistoryFact
from features.facts.own_case import fill_sums, find_own_case, subtract_own_case
from features.facts.returns import fill_return_facts, find_end
from features.facts.similarities import fill_similarity_facts
from features.records.history import (
    N_CANCELS,
    N_CHANNELS,
    N_COUNTERS,
    N_LIFETIME_COUNTERS,
    HistoryCounter,
)

_SINCE_FIRST_ORDER = int(HistoryFact.DAYS_SINCE_FIRST_ORDER)
_SINCE_LAST_ORDER = int(HistoryFact.DAYS_SINCE_LAST_ORDER)
_SINCE_LAST_CANCEL = int(HistoryFact.DAYS_SINCE_LAST_CANCEL)
_SINCE_LAST_CANCEL_REQUEST = int(HistoryFact.DAYS_SINCE_LAST_CANCEL_REQUEST)
_NET_VALUE_365D = int(HistoryFact.NET_VALUE_365D)
_UNDISCOUNTED_VALUE = int(HistoryFact.UNDISCOUNTED_VALUE)
_HOLD_MEAN_LIFETIME = int(HistoryFact.HOLD_MEAN_LIFETIME)
_CANCEL_AFTER_SHIPMENT_SHARE = int(HistoryFact.CANCEL_AFTER_SHIPMENT_SHARE)
_CANCEL_REASON_TOP_SHARE = int(HistoryFact.CANCEL_REASON_TOP_SHARE)
_CANCEL_PRICE_SHARE = int(HistoryFact.CANCEL_PRICE_SHARE)
_CANCEL_REASON_REQUEST_SHARE = int(HistoryFact.CANCEL_REASON_REQUEST_SHARE)
_ORDER_CHANNEL_COUNT = int(HistoryFact.ORDER_CHANNEL_COUNT)
_RETURN_CHANNEL_COUNT = int(HistoryFact.RETURN_CHANNEL_COUNT)
_IS_CHANNEL_KNOWN = int(HistoryFact.IS_CHANNEL_KNOWN)
_VALUE_TO_ORDER_MEAN = int(HistoryFact.VALUE_TO_ORDER_MEAN)

_ORDER_COUNT = int(HistoryCounter.ORDER_COUNT)
_ORDER_VALUE = int(HistoryCounter.ORDER_VALUE)
_RETURN_VALUE = int(HistoryCounter.RETURN_VALUE)
_CANCEL_VALUE = int(HistoryCounter.CANCEL_VALUE)
_HOLD_COUNT = int(HistoryCounter.HOLD_COUNT)
_HOLD_SUM_S = int(HistoryCounter.HOLD_SUM_S)
_DISCOUNT_VALUE = int(HistoryCounter.DISCOUNT_VALUE)

_N_WINDOWS = len(WINDOWS)
_ROW_365D = [window.name for window in ALL_WINDOWS].index("365d")
_DAY_S = 86_400.0
_BETTER_PRICE = 10  # REASON_CODE_BETTER_PRICE
_SHIPPED = 4  # ORDER_STAGE_SHIPPED; DELIVERED comes after.


@welded
def _days_since(now_us: int, time_us: int) -> float:
    return float(max(0, now_us - time_us)) / DAY_US


@welded
def _days_since_newest(
    now_us: int, times: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64], own: int
) -> float:
    """Return the days since a ring's newest event but the one at `own`."""
    place = 1 if own == 0 else 0
    return _days_since(now_us, times[place]) if keys[place] != np.uint64(0) else np.nan


@welded
def _fill_sums(
    sums: npt.NDArray[np.int64], request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Write window sums, and what is made of them."""
    for window in range(_N_WINDOWS):
        for counter in range(N_COUNTERS):
            facts[place + SUMS + window * N_COUNTERS + counter] = float(sums[window, counter])
    life, year = sums[LIFETIME_ROW], sums[_ROW_365D]
    for counter in range(N_LIFETIME_COUNTERS):
        facts[place + LIFETIME_SUMS + counter] = float(life[counter])
    n_holds, n_orders, ordered = life[_HOLD_COUNT], life[_ORDER_COUNT], float(life[_ORDER_VALUE])
    facts[place + _NET_VALUE_365D] = float(
        year[_ORDER_VALUE] - year[_RETURN_VALUE] - year[_CANCEL_VALUE]
    )
    facts[place + _UNDISCOUNTED_VALUE] = ordered + float(life[_DISCOUNT_VALUE])
    facts[place + _HOLD_MEAN_LIFETIME] = np.nan
    if n_holds > 0:
        facts[place + _HOLD_MEAN_LIFETIME] = float(life[_HOLD_SUM_S]) / n_holds / _DAY_S
    facts[place + _VALUE_TO_ORDER_MEAN] = np.nan
    if n_orders > 0 and ordered > 0.0:
        facts[place + _VALUE_TO_ORDER_MEAN] = float(request["value_minor"]) * n_orders / ordered


@welded
def _fill_times(
    record: Any,
    own: tuple[int, int, int],
    now_us: int,
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    """Find the days since the first order and since the newest events but the case."""
    first_keys = record["first_order_key"]
    is_own_first = own[0] >= 0 and first_keys[0] == record["order_key"][own[0]]
    first = 1 if is_own_first else 0
    facts[place + _SINCE_FIRST_ORDER] = np.nan
    if first_keys[first] != np.uint64(0):
        first_us = record["first_order_us"][first]
        facts[place + _SINCE_FIRST_ORDER] = _days_since(now_us, first_us)
    facts[place + _SINCE_LAST_ORDER] = _days_since_newest(
        now_us, record["order_us"], record["order_key"], own[0]
    )
    facts[place + _SINCE_LAST_CANCEL_REQUEST] = _days_since_newest(
        now_us, record["cancel_request_us"], record["cancel_request_key"], own[2]
    )
    facts[place + _SINCE_LAST_CANCEL] = _days_since_newest(
        now_us, record["cancel_us"], record["cancel_key"], -1
    )


@welded
def _fill_cancels(record: Any, request: Any, facts: npt.NDArray[np.float64], place: int) -> None:
    """Find how the customer's newest cancellations came about."""
    asked, reasons = np.int64(request["reason_code"]), record["cancel_reason"]
    n = n_shipped = n_price = n_coded = n_asked = top = 0
    for i in range(N_CANCELS):
        if record["cancel_key"][i] == np.uint64(0):
            break
        n += 1
        n_shipped += 1 if record["cancel_stage"][i] >= _SHIPPED else 0
        n_price += 1 if reasons[i] == _BETTER_PRICE else 0
        n_asked += 1 if reasons[i] == asked else 0
        if reasons[i] != 0:
            n_coded += 1
            n_same = 0
            for k in range(i + 1):
                n_same += 1 if reasons[k] == reasons[i] else 0
            top = max(top, n_same)
    facts[place + _CANCEL_AFTER_SHIPMENT_SHARE] = n_shipped / n if n else np.nan
    facts[place + _CANCEL_PRICE_SHARE] = n_price / n if n else np.nan
    facts[place + _CANCEL_REASON_REQUEST_SHARE] = n_asked / n if n and asked else np.nan
    facts[place + _CANCEL_REASON_TOP_SHARE] = top / n_coded if n_coded else np.nan


@welded
def _count_channels(counts: npt.NDArray[np.int64], own_channel: int) -> int:
    """Return how many channels remain when one event on `own_channel` (-1: none) is taken out."""
    n = 0
    for channel in range(1, N_CHANNELS):  # 0: the event names no channel.
        if counts[channel] > (1 if channel == own_channel else 0):
            n += 1
    return n


@welded
def _fill_channels(
    record: Any,
    own: tuple[int, int, int],
    request: Any,
    facts: npt.NDArray[np.float64],
    place: int,
) -> None:
    """Find distinct channels, and whether orders on the request's channel are known."""
    own_order = record["order_channel"][own[0]] % N_CHANNELS if own[0] >= 0 else -1
    own_return = record["return_channel"][own[1]] % N_CHANNELS if own[1] >= 0 else -1
    ordered, returned = record["order_channel_count"], record["return_channel_count"]
    n_ordered = _count_channels(ordered, own_order)
    facts[place + _ORDER_CHANNEL_COUNT] = n_ordered
    facts[place + _RETURN_CHANNEL_COUNT] = _count_channels(returned, own_return)
    asked = np.int64(request["channel"]) % N_CHANNELS
    n_asked = ordered[asked] - (1 if own_order == asked else 0)
    n_unnamed = ordered[0] - (1 if own_order == 0 else 0)
    facts[place + _IS_CHANNEL_KNOWN] = np.nan
    if n_ordered + n_unnamed > 0:
        facts[place + _IS_CHANNEL_KNOWN] = 1.0 if n_asked > 0 else 0.0


@welded
def fill_history_facts(
    record: Any,
    request: Any,
    sums: npt.NDArray[np.int64],
    unit_sum: npt.NDArray[np.float64],
    facts: npt.NDArray[np.float64],
    place: int,
) -> bool:
    """Write all facts but `CUSTOMER_STATE`; return whether the customer is known.

    A record that holds nothing but the case itself knows nothing, and nothing is written.

    Args:
        record: Element of `HISTORY_DTYPE`.
        request: Element of `REQUEST_ROW_DTYPE`.
        sums: Scratch, shape `(len(ALL_WINDOWS), 40)`.
        unit_sum: Scratch, shape `(DIM,)`.
        facts: Float64, NaN is missing; the slice begins at `place`.
        place: See `facts`.
    """
    own, now_us = find_own_case(record, request["case_key"]), request["time_us"]
    n_own = np.int64(own[0] >= 0) + np.int64(own[1] >= 0) + np.int64(own[2] >= 0)
    if record["event_count"] - n_own <= 0:
        return False
    fill_sums(record, now_us, sums)
    subtract_own_case(record, own, now_us, sums)
    _fill_sums(sums, request, facts, place)
    _fill_times(record, own, now_us, facts, place)
    _fill_channels(record, own, request, facts, place)
    _fill_cancels(record, request, facts, place)
    fill_return_facts(record, own[1], request, facts, place)
    end = find_end(record, own[1])
    fill_similarity_facts(record, own[1], end, request, unit_sum, facts, place)
    return True
