"""The columns that need a customer's record: history, and the case against it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.definition import Aggregation
from features.embedding import DIM
from features.fold_rows import FoldFlag
from features.own_case import LIFETIME_ROW
from features.record import DAY_US, LIFETIME_COUNTERS, N_CHANNELS, N_ORDERS, N_RETURNS
from features.request_rows import RequestFlag

_SUM = int(Aggregation.SUM)
_RATIO = int(Aggregation.RATIO)
_NET_VALUE = int(Aggregation.NET_VALUE)
_SINCE_FIRST_ORDER = int(Aggregation.DAYS_SINCE_FIRST_ORDER)
_SINCE_LAST_ORDER = int(Aggregation.DAYS_SINCE_LAST_ORDER)
_SINCE_LAST_RETURN = int(Aggregation.DAYS_SINCE_LAST_RETURN)
_HOLD_LAST = int(Aggregation.HOLD_LAST)
_HOLD_MEAN = int(Aggregation.HOLD_MEAN)
_HOLD_STD = int(Aggregation.HOLD_STD)
_HOLD_LATE_SHARE = int(Aggregation.HOLD_LATE_SHARE)
_HOLD_MEAN_LIFETIME = int(Aggregation.HOLD_MEAN_LIFETIME)
_CROSS_CHANNEL_SHARE = int(Aggregation.CROSS_CHANNEL_SHARE)
_SIMILARITY_SELF = int(Aggregation.SIMILARITY_SELF)
_CODE_TOP_SHARE = int(Aggregation.REASON_CODE_TOP_SHARE)
_ORDER_CHANNEL_COUNT = int(Aggregation.ORDER_CHANNEL_COUNT)
_RETURN_CHANNEL_COUNT = int(Aggregation.RETURN_CHANNEL_COUNT)
_SIMILARITY_REQUEST_MEAN = int(Aggregation.SIMILARITY_REQUEST_MEAN)
_SIMILARITY_REQUEST_MAX = int(Aggregation.SIMILARITY_REQUEST_MAX)
_CODE_REQUEST_SHARE = int(Aggregation.REASON_CODE_REQUEST_SHARE)
_IS_CHANNEL_KNOWN = int(Aggregation.IS_CHANNEL_KNOWN)
_VALUE_TO_ORDER_MEAN = int(Aggregation.VALUE_TO_ORDER_MEAN)

_ORDER_COUNT = LIFETIME_COUNTERS.index("order_count")
_ORDER_VALUE = LIFETIME_COUNTERS.index("order_value")
_RETURN_VALUE = LIFETIME_COUNTERS.index("return_value")
_CANCEL_VALUE = LIFETIME_COUNTERS.index("cancel_value")
_HOLD_COUNT = LIFETIME_COUNTERS.index("hold_count")
_HOLD_SUM_S = LIFETIME_COUNTERS.index("hold_sum_s")

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_LATE = int(FoldFlag.IS_LATE_IN_WINDOW)
_IS_CROSS = int(FoldFlag.IS_CROSS_CHANNEL)
_HAS_EMBEDDING = int(FoldFlag.HAS_EMBEDDING)
_REQUEST_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)

_DAY_S = 86_400.0
_N_REASON_CODES = 256

# What `scan_returns` finds: one pass over the ring serves a dozen columns.
_N_SCANNED = 13
_S_COUNT = 0
_S_HOLD_LAST = 1
_S_HOLD_MEAN = 2
_S_HOLD_STD = 3
_S_LATE_SHARE = 4
_S_CROSS_SHARE = 5
_S_SIMILARITY_SELF = 6
_S_CODE_TOP_SHARE = 7
_S_SIMILARITY_MEAN = 8
_S_SIMILARITY_MAX = 9
_S_CODE_REQUEST_SHARE = 10
_S_LAST_US = 11

N_SCANNED = _N_SCANNED


@inlined
def _scan_holds(record: Any, own: int, found: npt.NDArray[np.float64]) -> None:
    """Find the statistics of time to return among the newest 16 returns but the case."""
    n = n_late = 0
    total = 0.0
    last = np.nan
    n_seen = 0
    for i in range(N_RETURNS):
        if record["return_key"][i] == np.uint64(0) or n_seen == N_RETURNS - 1:
            break
        if i == own:
            continue
        n_seen += 1
        flags = record["return_flags"][i]
        if flags & _HAS_HOLD == 0:
            continue
        hold_days = float(record["return_hold_s"][i]) / _DAY_S
        if n == 0:
            last = hold_days
        n += 1
        total += hold_days
        n_late += 1 if flags & _IS_LATE else 0
    found[_S_HOLD_LAST] = last
    mean = total / n if n else np.nan
    found[_S_HOLD_MEAN] = mean
    found[_S_LATE_SHARE] = n_late / n if n else np.nan
    found[_S_HOLD_STD] = _compute_hold_std(record, own, n, mean)


@inlined
def _compute_hold_std(record: Any, own: int, n: int, mean: float) -> float:
    """Return the population standard deviation in days; NaN below two holds."""
    if n < 2:
        return np.nan
    squares = 0.0
    n_seen = 0
    for i in range(N_RETURNS):
        if record["return_key"][i] == np.uint64(0) or n_seen == N_RETURNS - 1:
            break
        if i == own:
            continue
        n_seen += 1
        if record["return_flags"][i] & _HAS_HOLD:
            deviation = float(record["return_hold_s"][i]) / _DAY_S - mean
            squares += deviation * deviation
    return float(np.sqrt(squares / n))


@inlined
def _norm(embedding: npt.NDArray[np.int8]) -> float:
    total = 0
    for k in range(DIM):
        total += int(embedding[k]) * int(embedding[k])
    return float(np.sqrt(float(total)))


@inlined
def _scan_similarities(record: Any, own: int, request: Any, found: npt.NDArray[np.float64]) -> None:
    """Find the similarity of past reasons to each other and of the new one to them.

    The mean over pairs of unit vectors u is (|sum u|^2 - n) / (n (n - 1)).
    """
    unit_sum = np.zeros(DIM)
    has_text = int(request["flags"]) & _REQUEST_HAS_EMBEDDING
    request_norm = _norm(request["embedding"]) if has_text else 0.0
    n = n_seen = 0
    total, greatest = 0.0, -np.inf
    for i in range(N_RETURNS):
        if record["return_key"][i] == np.uint64(0) or n_seen == N_RETURNS - 1:
            break
        if i == own:
            continue
        n_seen += 1
        if record["return_flags"][i] & _HAS_EMBEDDING == 0:
            continue
        n += 1
        embedding = record["return_embedding"][i]
        norm = _norm(embedding)
        dot = 0
        for k in range(DIM):
            unit_sum[k] += float(embedding[k]) / norm
            dot += int(embedding[k]) * int(request["embedding"][k])
        if request_norm > 0.0:
            cosine = float(dot) / (norm * request_norm)
            total += cosine
            greatest = max(greatest, cosine)
    square = 0.0
    for k in range(DIM):
        square += unit_sum[k] * unit_sum[k]
    found[_S_SIMILARITY_SELF] = (square - n) / (n * (n - 1)) if n >= 2 else np.nan
    is_comparable = n > 0 and request_norm > 0.0
    found[_S_SIMILARITY_MEAN] = total / n if is_comparable else np.nan
    found[_S_SIMILARITY_MAX] = greatest if is_comparable else np.nan


@inlined
def _scan_codes(record: Any, own: int, request: Any, found: npt.NDArray[np.float64]) -> None:
    """Find shares of reason codes and channels, the count and the newest return's time."""
    counts = np.zeros(_N_REASON_CODES, np.int64)
    n = n_cross = n_coded = top = 0
    last_us = 0
    for i in range(N_RETURNS):
        if record["return_key"][i] == np.uint64(0) or n == N_RETURNS - 1:
            break
        if i == own:
            continue
        n += 1
        if n == 1:
            last_us = record["return_us"][i]
        n_cross += 1 if record["return_flags"][i] & _IS_CROSS else 0
        code = record["return_reason_code"][i] % _N_REASON_CODES
        counts[code] += 1
        if code != 0:
            n_coded += 1
            top = max(top, counts[code])
    asked = int(request["reason_code"])
    found[_S_COUNT] = n
    found[_S_LAST_US] = last_us
    found[_S_CROSS_SHARE] = n_cross / n if n else np.nan
    found[_S_CODE_TOP_SHARE] = top / n_coded if n_coded else np.nan
    found[_S_CODE_REQUEST_SHARE] = counts[asked] / n if n and asked else np.nan


@inlined
def scan_returns(record: Any, own: int, request: Any, found: npt.NDArray[np.float64]) -> None:
    """Fill `found`, shape `(N_SCANNED,)`, from the newest 16 returns but the case at `own`."""
    _scan_holds(record, own, found)
    _scan_similarities(record, own, request, found)
    _scan_codes(record, own, request, found)


@inlined
def _days_since(now_us: int, time_us: int) -> float:
    return float(max(0, now_us - time_us)) / DAY_US


@inlined
def _compute_order_time(record: Any, own: int, now_us: int, aggregation: int) -> float:
    """Return days since the first or the last order but the case; NaN without one."""
    if aggregation == _SINCE_FIRST_ORDER:
        is_own_first = own >= 0 and record["first_order_key"][0] == record["order_key"][own]
        place = 1 if is_own_first else 0
        if record["first_order_key"][place] == np.uint64(0):
            return np.nan
        return _days_since(now_us, record["first_order_us"][place])
    for place in range(N_ORDERS):
        if record["order_key"][place] == np.uint64(0):
            break
        if place != own:
            return _days_since(now_us, record["order_us"][place])
    return np.nan


@inlined
def _compute_channels(
    record: Any, own_order: int, own_return: int, request: Any, aggregation: int
) -> float:
    """Return distinct channels, or whether orders on the request's channel are known."""
    own_channel = -1
    if aggregation == _RETURN_CHANNEL_COUNT:
        counts = record["return_channel_count"]
        if own_return >= 0:
            own_channel = record["return_channel"][own_return] % N_CHANNELS
    else:
        counts = record["order_channel_count"]
        if own_order >= 0:
            own_channel = record["order_channel"][own_order] % N_CHANNELS
    asked = int(request["channel"]) % N_CHANNELS
    n = n_asked = 0
    for channel in range(N_CHANNELS):
        count = counts[channel] - (1 if channel == own_channel else 0)
        n += 1 if count > 0 else 0
        if channel == asked:
            n_asked = count
    if aggregation == _IS_CHANNEL_KNOWN:
        if n == 0:
            return np.nan
        return 1.0 if n_asked > 0 else 0.0
    return float(n)


@inlined
def _compute_scanned(found: npt.NDArray[np.float64], now_us: int, aggregation: int) -> float:
    if _HOLD_LAST <= aggregation <= _HOLD_LATE_SHARE:
        return float(found[_S_HOLD_LAST + aggregation - _HOLD_LAST])
    if _CROSS_CHANNEL_SHARE <= aggregation <= _CODE_TOP_SHARE:
        return float(found[_S_CROSS_SHARE + aggregation - _CROSS_CHANNEL_SHARE])
    if _SIMILARITY_REQUEST_MEAN <= aggregation <= _CODE_REQUEST_SHARE:
        return float(found[_S_SIMILARITY_MEAN + aggregation - _SIMILARITY_REQUEST_MEAN])
    if aggregation == _SINCE_LAST_RETURN and found[_S_COUNT] > 0:
        return _days_since(now_us, int(found[_S_LAST_US]))
    return np.nan


@inlined
def _compute_value_to_mean(lifetime: npt.NDArray[np.int64], value_minor: int) -> float:
    ordered = float(lifetime[_ORDER_VALUE])
    if lifetime[_ORDER_COUNT] <= 0 or ordered <= 0.0:
        return np.nan
    return float(value_minor) * float(lifetime[_ORDER_COUNT]) / ordered


@inlined
def compute_history(
    record: Any,
    request: Any,
    step: Any,
    sums: npt.NDArray[np.int64],
    found: npt.NDArray[np.float64],
    own: tuple[int, int, int],
) -> float:
    """Return one history column of a known customer, in double precision; NaN is missing."""
    aggregation, window = step["aggregation"], step["window"]
    if aggregation == _SUM:
        return float(sums[window, step["first"]])
    if aggregation == _RATIO:
        denominator = sums[window, step["second"]]
        return float(sums[window, step["first"]]) / denominator if denominator > 0 else np.nan
    if aggregation == _NET_VALUE:
        row = sums[window]
        return float(row[_ORDER_VALUE] - row[_RETURN_VALUE] - row[_CANCEL_VALUE])
    if aggregation in (_SINCE_FIRST_ORDER, _SINCE_LAST_ORDER):
        return _compute_order_time(record, own[0], request["time_us"], aggregation)
    if aggregation == _HOLD_MEAN_LIFETIME:
        count = sums[LIFETIME_ROW, _HOLD_COUNT]
        return float(sums[LIFETIME_ROW, _HOLD_SUM_S]) / count / _DAY_S if count > 0 else np.nan
    if aggregation in (_ORDER_CHANNEL_COUNT, _RETURN_CHANNEL_COUNT, _IS_CHANNEL_KNOWN):
        return _compute_channels(record, own[0], own[1], request, aggregation)
    if aggregation == _VALUE_TO_ORDER_MEAN:
        return _compute_value_to_mean(sums[LIFETIME_ROW], request["value_minor"])
    return _compute_scanned(found, request["time_us"], aggregation)
