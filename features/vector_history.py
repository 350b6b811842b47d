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
from features.record import DAY_US, LIFETIME_COUNTERS, N_CHANNELS, N_RETURNS_READ
from features.request_rows import RequestFlag

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
_HOLD_COUNT = LIFETIME_COUNTERS.index("hold_count")
_HOLD_SUM_S = LIFETIME_COUNTERS.index("hold_sum_s")

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_LATE = int(FoldFlag.IS_LATE_IN_WINDOW)
_IS_CROSS = int(FoldFlag.IS_CROSS_CHANNEL)
_HAS_EMBEDDING = int(FoldFlag.HAS_EMBEDDING)
_REQUEST_HAS_EMBEDDING = int(RequestFlag.HAS_EMBEDDING)

_DAY_S = 86_400.0
_N_REASON_CODES = 256


@inlined
def _days_since(now_us: int, time_us: int) -> float:
    return float(max(0, now_us - time_us)) / DAY_US


@inlined
def _scan_holds(record: Any, own: int, facts: npt.NDArray[np.float64]) -> None:
    """Find the statistics of time to return among the newest 16 returns but the case."""
    n = n_late = 0
    total = 0.0
    last = np.nan
    n_seen = 0
    for i in range(N_RETURNS_READ):
        if record["return_key"][i] == np.uint64(0) or n_seen == N_RETURNS_READ - 1:
            break
        if i == own:
            continue
        n_seen += 1
        flags = record["return_code"][i]
        if flags & _HAS_HOLD == 0:
            continue
        hold_days = float(record["return_hold_s"][i]) / _DAY_S
        if n == 0:
            last = hold_days
        n += 1
        total += hold_days
        n_late += 1 if flags & _IS_LATE else 0
    facts[_HOLD_LAST] = last
    mean = total / n if n else np.nan
    facts[_HOLD_MEAN] = mean
    facts[_HOLD_LATE_SHARE] = n_late / n if n else np.nan
    facts[_HOLD_STD] = _compute_hold_std(record, own, n, mean)


@inlined
def _compute_hold_std(record: Any, own: int, n: int, mean: float) -> float:
    """Return the population standard deviation in days; NaN below two holds."""
    if n < 2:
        return np.nan
    squares = 0.0
    n_seen = 0
    for i in range(N_RETURNS_READ):
        if record["return_key"][i] == np.uint64(0) or n_seen == N_RETURNS_READ - 1:
            break
        if i == own:
            continue
        n_seen += 1
        if record["return_code"][i] & _HAS_HOLD:
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
def _scan_similarities(record: Any, own: int, request: Any, facts: npt.NDArray[np.float64]) -> None:
    """Find the similarity of past reasons to each other and of the new one to them.

    The mean over pairs of unit vectors u is (|sum u|^2 - n) / (n (n - 1)).
    """
    unit_sum = np.zeros(DIM)
    has_text = int(request["flags"]) & _REQUEST_HAS_EMBEDDING
    request_norm = _norm(request["embedding"]) if has_text else 0.0
    n = n_seen = 0
    total, greatest = 0.0, -np.inf
    for i in range(N_RETURNS_READ):
        if record["return_key"][i] == np.uint64(0) or n_seen == N_RETURNS_READ - 1:
            break
        if i == own:
            continue
        n_seen += 1
        if record["return_code"][i] & _HAS_EMBEDDING == 0:
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
    facts[_SIMILARITY_SELF] = (square - n) / (n * (n - 1)) if n >= 2 else np.nan
    is_comparable = n > 0 and request_norm > 0.0
    facts[_SIMILARITY_REQUEST_MEAN] = total / n if is_comparable else np.nan
    facts[_SIMILARITY_REQUEST_MAX] = greatest if is_comparable else np.nan


@inlined
def _scan_codes(record: Any, own: int, request: Any, facts: npt.NDArray[np.float64]) -> None:
    """Find shares of reason codes and channels, the count and the newest return's time."""
    counts = np.zeros(_N_REASON_CODES, np.int64)
    n = n_cross = n_coded = top = 0
    last_us = 0
    for i in range(N_RETURNS_READ):
        if record["return_key"][i] == np.uint64(0) or n == N_RETURNS_READ - 1:
            break
        if i == own:
            continue
        n += 1
        if n == 1:
            last_us = record["return_us"][i]
        n_cross += 1 if record["return_code"][i] & _IS_CROSS else 0
        code = (record["return_code"][i] >> 16) % _N_REASON_CODES
        counts[code] += 1
        if code != 0:
            n_coded += 1
            top = max(top, counts[code])
    asked, now_us = int(request["reason_code"]), request["time_us"]
    facts[_SINCE_LAST_RETURN] = _days_since(now_us, last_us) if n else np.nan
    facts[_CROSS_CHANNEL_SHARE] = n_cross / n if n else np.nan
    facts[_CODE_TOP_SHARE] = top / n_coded if n_coded else np.nan
    facts[_CODE_REQUEST_SHARE] = counts[asked] / n if n and asked else np.nan


@inlined
def _fill_order_times(record: Any, own: int, now_us: int, facts: npt.NDArray[np.float64]) -> None:
    """Find the days since the first and since the last order but the case at `own`."""
    is_own_first = own >= 0 and record["first_order_key"][0] == record["order_key"][own]
    place = 1 if is_own_first else 0
    facts[_SINCE_FIRST_ORDER] = np.nan
    if record["first_order_key"][place] != np.uint64(0):
        facts[_SINCE_FIRST_ORDER] = _days_since(now_us, record["first_order_us"][place])
    place = 1 if own == 0 else 0
    facts[_SINCE_LAST_ORDER] = np.nan
    if record["order_key"][place] != np.uint64(0):
        facts[_SINCE_LAST_ORDER] = _days_since(now_us, record["order_us"][place])


@inlined
def _count_channels(counts: npt.NDArray[np.int64], own_channel: int) -> int:
    """Return how many channels remain when one event on `own_channel` (-1: none) is taken out."""
    n = 0
    for channel in range(1, N_CHANNELS):  # 0: the event names no channel.
        if counts[channel] > (1 if channel == own_channel else 0):
            n += 1
    return n


@inlined
def _fill_channels(
    record: Any, own: tuple[int, int, int], request: Any, facts: npt.NDArray[np.float64]
) -> None:
    """Find distinct channels, and whether orders on the request's channel are known."""
    own_order = record["order_channel"][own[0]] if own[0] >= 0 else -1
    own_return = (record["return_code"][own[1]] >> 24) if own[1] >= 0 else -1
    n_ordered = _count_channels(record["order_channel_count"], own_order)
    facts[_ORDER_CHANNEL_COUNT] = n_ordered
    facts[_RETURN_CHANNEL_COUNT] = _count_channels(record["return_channel_count"], own_return)
    asked = int(request["channel"]) % N_CHANNELS
    n_asked = record["order_channel_count"][asked] - (1 if own_order == asked else 0)
    n_unnamed = record["order_channel_count"][0] - (1 if own_order == 0 else 0)
    facts[_IS_CHANNEL_KNOWN] = np.nan
    if n_ordered + n_unnamed > 0:
        facts[_IS_CHANNEL_KNOWN] = 1.0 if n_asked > 0 else 0.0


@inlined
def _fill_lifetime_means(
    lifetime: npt.NDArray[np.int64], request: Any, facts: npt.NDArray[np.float64]
) -> None:
    n_holds, n_orders = lifetime[_HOLD_COUNT], lifetime[_ORDER_COUNT]
    ordered = float(lifetime[_ORDER_VALUE])
    facts[_HOLD_MEAN_LIFETIME] = np.nan
    if n_holds > 0:
        facts[_HOLD_MEAN_LIFETIME] = float(lifetime[_HOLD_SUM_S]) / n_holds / _DAY_S
    facts[_VALUE_TO_ORDER_MEAN] = np.nan
    if n_orders > 0 and ordered > 0.0:
        facts[_VALUE_TO_ORDER_MEAN] = float(request["value_minor"]) * n_orders / ordered


@inlined
def fill_history_facts(
    record: Any,
    request: Any,
    own: tuple[int, int, int],
    sums: npt.NDArray[np.int64],
    facts: npt.NDArray[np.float64],
) -> None:
    """Write all history facts of a known customer, each at its aggregation's number.

    Args:
        record: Element of `RECORD_DTYPE`.
        request: Element of `REQUEST_ROW_DTYPE`.
        own: The case's places in the rings of orders, returns and cancel
            requests, -1 where it is not; rings are looked at without them.
        sums: Window sums without the case (`own_case.compute_sums`).
        facts: Shape `(N_FACTS,)`, float64; NaN is missing.
    """
    _scan_holds(record, own[1], facts)
    _scan_similarities(record, own[1], request, facts)
    _scan_codes(record, own[1], request, facts)
    _fill_order_times(record, own[0], request["time_us"], facts)
    _fill_channels(record, own, request, facts)
    _fill_lifetime_means(sums[LIFETIME_ROW], request, facts)
