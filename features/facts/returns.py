"""What the newest 16 returns but the case say: holds, shares, codes, styles, their fate."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import DAY_US
from features.facts.history_layout import HistoryFact
from features.fold_rows import FoldFlag
from features.records.history import (
    N_LINES,
    N_LINES_READ,
    N_PROCESSINGS,
    N_RETURNS_KEPT,
    N_RETURNS_READ,
)

_SINCE_LAST_RETURN = int(HistoryFact.DAYS_SINCE_LAST_RETURN)
_HOLD_LAST = int(HistoryFact.HOLD_LAST)
_HOLD_MEAN = int(HistoryFact.HOLD_MEAN)
_HOLD_STD = int(HistoryFact.HOLD_STD)
_HOLD_LATE_SHARE = int(HistoryFact.HOLD_LATE_SHARE)
_CROSS_CHANNEL_SHARE = int(HistoryFact.CROSS_CHANNEL_SHARE)
_OCCASION_SHARE = int(HistoryFact.OCCASION_SHARE)
_HIGH_RESALE_SHARE = int(HistoryFact.HIGH_RESALE_SHARE)
_NO_RECEIPT_SHARE = int(HistoryFact.NO_RECEIPT_SHARE)
_PHOTO_CHECKED_SHARE = int(HistoryFact.PHOTO_CHECKED_SHARE)
_VIDEO_PASSED_SHARE = int(HistoryFact.VIDEO_PASSED_SHARE)
_TAG_OFF_SHARE = int(HistoryFact.TAG_OFF_SHARE)
_CLAIM_SHARE = int(HistoryFact.CLAIM_AFTER_DELIVERY_SHARE)
_STORE_COUNT = int(HistoryFact.STORE_COUNT)
_WARDROBING_COUNT = int(HistoryFact.WARDROBING_COUNT)
_USED_CONDITION_RETURN_COUNT = int(HistoryFact.USED_CONDITION_RETURN_COUNT)
_WEIGHT_MISMATCH_COUNT = int(HistoryFact.WEIGHT_MISMATCH_COUNT)
_BRACKETING_SHARE = int(HistoryFact.BRACKETING_SHARE)
_REBUY_COUNT = int(HistoryFact.REBUY_COUNT)
_REQUEST_STYLE_RETURN_COUNT = int(HistoryFact.REQUEST_STYLE_RETURN_COUNT)
_REQUEST_STYLE_ORDER_COUNT = int(HistoryFact.REQUEST_STYLE_ORDER_COUNT)
_CONDITION_MEAN = int(HistoryFact.CONDITION_MEAN)
_USED_CONDITION_SHARE = int(HistoryFact.USED_CONDITION_SHARE)
_CODE_TOP_SHARE = int(HistoryFact.REASON_CODE_TOP_SHARE)
_CODE_REQUEST_SHARE = int(HistoryFact.REASON_CODE_REQUEST_SHARE)

_HAS_HOLD = int(FoldFlag.HAS_HOLD)
_IS_LATE = int(FoldFlag.IS_LATE_IN_WINDOW)
_IS_CROSS = int(FoldFlag.IS_CROSS_CHANNEL)
_IS_NO_RECEIPT = int(FoldFlag.IS_NO_RECEIPT)
_IS_OCCASION = int(FoldFlag.IS_OCCASION)
_IS_HIGH_RESALE = int(FoldFlag.IS_HIGH_RESALE)
_IS_PHOTO_CHECKED = int(FoldFlag.IS_PHOTO_CHECKED)
_IS_VIDEO_PASSED = int(FoldFlag.IS_VIDEO_PASSED)
_IS_TAG_KNOWN = int(FoldFlag.IS_TAG_KNOWN)
_IS_TAG_ON = int(FoldFlag.IS_TAG_ON)
_IS_CLAIM = int(FoldFlag.IS_CLAIM_AFTER_DELIVERY)

_DAY_S = 86_400.0
_USED_CONDITION = 3  # CONDITION_C; D is worse.
_REBUY_US = 60 * DAY_US


@welded
def find_end(record: Any, own: int) -> int:
    """Return where the newest 16 returns but the case at `own` (-1: none) end in the ring."""
    end = N_RETURNS_KEPT if 0 <= own < N_RETURNS_KEPT else N_RETURNS_READ
    keys = record["return_key"]
    for i in range(end):
        if keys[i] == np.uint64(0):
            return i
    return end


@welded
def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else np.nan


@welded
def _fill_holds(
    record: Any, own: int, end: int, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Find the statistics of time to return; the spread is the population's, from 2 holds on."""
    n = n_late = 0
    total, last = 0.0, np.nan
    for i in range(end):
        flags = record["return_flags"][i]
        if i == own or flags & _HAS_HOLD == 0:
            continue
        hold_days = float(record["return_hold_s"][i]) / _DAY_S
        if n == 0:
            last = hold_days
        n += 1
        total += hold_days
        n_late += 1 if flags & _IS_LATE else 0
    mean = total / n if n else np.nan
    squares = 0.0
    for i in range(end):
        if i != own and record["return_flags"][i] & _HAS_HOLD:
            deviation = float(record["return_hold_s"][i]) / _DAY_S - mean
            squares += deviation * deviation
    facts[place + _HOLD_LAST] = last
    facts[place + _HOLD_MEAN] = mean
    facts[place + _HOLD_LATE_SHARE] = _share(n_late, n)
    facts[place + _HOLD_STD] = np.sqrt(squares / n) if n >= 2 else np.nan


@welded
def _fill_flags(
    record: Any, own: int, end: int, facts: npt.NDArray[np.float64], place: int
) -> None:
    n = n_cross = n_occasion = n_resale = n_no_receipt = n_photo = n_video = n_claim = 0
    n_tag = n_tag_off = 0
    for i in range(end):
        if i == own:
            continue
        flags = record["return_flags"][i]
        n += 1
        n_cross += 1 if flags & _IS_CROSS else 0
        n_occasion += 1 if flags & _IS_OCCASION else 0
        n_resale += 1 if flags & _IS_HIGH_RESALE else 0
        n_no_receipt += 1 if flags & _IS_NO_RECEIPT else 0
        n_photo += 1 if flags & _IS_PHOTO_CHECKED else 0
        n_video += 1 if flags & _IS_VIDEO_PASSED else 0
        n_claim += 1 if flags & _IS_CLAIM else 0
        n_tag += 1 if flags & _IS_TAG_KNOWN else 0
        n_tag_off += 1 if flags & (_IS_TAG_KNOWN | _IS_TAG_ON) == _IS_TAG_KNOWN else 0
    facts[place + _CROSS_CHANNEL_SHARE] = _share(n_cross, n)
    facts[place + _OCCASION_SHARE] = _share(n_occasion, n)
    facts[place + _HIGH_RESALE_SHARE] = _share(n_resale, n)
    facts[place + _NO_RECEIPT_SHARE] = _share(n_no_receipt, n)
    facts[place + _PHOTO_CHECKED_SHARE] = _share(n_photo, n)
    facts[place + _VIDEO_PASSED_SHARE] = _share(n_video, n)
    facts[place + _CLAIM_SHARE] = _share(n_claim, n)
    facts[place + _TAG_OFF_SHARE] = _share(n_tag_off, n_tag)


@welded
def _fill_codes(
    record: Any, own: int, end: int, request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Find shares of reason codes: of the given ones the most frequent, of all the request's."""
    asked = np.int64(request["reason_code"])
    codes = record["return_reason"]
    n = n_coded = n_asked = top = 0
    for i in range(end):
        if i == own:
            continue
        n += 1
        code = codes[i]
        n_asked += 1 if code == asked else 0
        if code == 0:
            continue
        n_coded += 1
        n_same = 0
        for k in range(i + 1):
            n_same += 1 if codes[k] == code and k != own else 0
        top = max(top, n_same)
    facts[place + _CODE_TOP_SHARE] = _share(top, n_coded)
    facts[place + _CODE_REQUEST_SHARE] = _share(n_asked, n) if asked != 0 else np.nan


@welded
def _count_stores(record: Any, own: int, end: int) -> int:
    stores = record["return_store"]
    n_stores = 0
    for i in range(end):
        if i == own or stores[i] == np.uint64(0):
            continue
        is_first = True
        for k in range(i):
            if k != own and stores[k] == stores[i]:
                is_first = False
        n_stores += 1 if is_first else 0
    return n_stores


@welded
def _fill_fates(
    record: Any, own: int, end: int, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Join returns with what the warehouse said of them: used, or of another weight."""
    keys, links = record["processing_key"], record["processing_return"]
    conditions, weights = record["processing_condition"], record["processing_weight_g"]
    n_used = n_wardrobing = n_mismatch = 0
    for i in range(end):
        link = record["return_link"][i]
        if i == own or link == np.uint64(0):
            continue
        is_used = is_mismatch = False
        declared_g = record["return_weight_g"][i]
        for k in range(N_PROCESSINGS):
            if keys[k] == np.uint64(0):
                break
            if links[k] != link:
                continue
            is_used = is_used or conditions[k] >= _USED_CONDITION
            if declared_g > 0 and weights[k] > 0:
                is_mismatch = is_mismatch or 5 * abs(weights[k] - declared_g) > declared_g
        flags = record["return_flags"][i]
        n_used += 1 if is_used else 0
        n_mismatch += 1 if is_mismatch else 0
        n_wardrobing += 1 if is_used and flags & _IS_OCCASION and flags & _IS_LATE else 0
    facts[place + _USED_CONDITION_RETURN_COUNT] = n_used
    facts[place + _WARDROBING_COUNT] = n_wardrobing
    facts[place + _WEIGHT_MISMATCH_COUNT] = n_mismatch


@welded
def _fill_conditions(record: Any, facts: npt.NDArray[np.float64], place: int) -> None:
    total = n = n_used = 0
    for k in range(N_PROCESSINGS):
        condition = record["processing_condition"][k]
        if condition > 0:
            n += 1
            total += condition
            n_used += 1 if condition >= _USED_CONDITION else 0
    facts[place + _CONDITION_MEAN] = _share(total, n)
    facts[place + _USED_CONDITION_SHARE] = _share(n_used, n)


@welded
def _find_line_end(record: Any, case_key: np.uint64) -> int:
    """Return where the newest 24 order lines but the case's end in the ring."""
    n = 0
    for i in range(N_LINES):
        if record["line_key"][i] == np.uint64(0) or n == N_LINES_READ:
            return i
        n += 1 if record["line_key"][i] != case_key else 0
    return N_LINES


@welded
def _fill_rebuys(
    record: Any, own: int, end: int, request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Join order lines with returns of the same style, and with the request's style."""
    case_key, asked = request["case_key"], request["style_link"]
    line_end = _find_line_end(record, case_key)
    n_rebuys = n_asked = 0
    for k in range(line_end):
        style = record["line_style"][k]
        if record["line_key"][k] == case_key or style == np.uint64(0):
            continue
        n_asked += 1 if style == asked else 0
        is_rebuy = False
        for i in range(end):
            if i != own and record["return_style"][i] == style:
                age_us = record["line_us"][k] - record["return_us"][i]
                is_rebuy = is_rebuy or 0 <= age_us <= _REBUY_US
        n_rebuys += 1 if is_rebuy else 0
    facts[place + _REBUY_COUNT] = n_rebuys
    facts[place + _REQUEST_STYLE_ORDER_COUNT] = n_asked if asked != np.uint64(0) else np.nan


@welded
def _fill_styles(
    record: Any, own: int, end: int, request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Join returns with the lines of their orders, and with the request's style."""
    case_key, asked = request["case_key"], request["style_link"]
    line_end = _find_line_end(record, case_key)
    n = n_bracketing = n_asked = 0
    for i in range(end):
        if i == own:
            continue
        n += 1
        order, style = record["return_order"][i], record["return_style"][i]
        if style == np.uint64(0):
            continue
        n_asked += 1 if style == asked else 0
        if order == np.uint64(0):
            continue
        is_bracketing = False
        for k in range(line_end):
            if record["line_order"][k] == order and record["line_style"][k] == style:
                is_counted = record["line_key"][k] != case_key
                is_multi_variant = record["line_is_multi_variant"][k] != 0
                is_bracketing = is_bracketing or (is_counted and is_multi_variant)
        n_bracketing += 1 if is_bracketing else 0
    facts[place + _BRACKETING_SHARE] = _share(n_bracketing, n)
    facts[place + _REQUEST_STYLE_RETURN_COUNT] = n_asked if asked != np.uint64(0) else np.nan


@welded
def fill_return_facts(
    record: Any, own: int, request: Any, facts: npt.NDArray[np.float64], place: int
) -> None:
    """Write what the newest 16 returns say; `own` is the case's place among them, or -1."""
    end = find_end(record, own)
    newest = 1 if own == 0 else 0
    facts[place + _SINCE_LAST_RETURN] = np.nan
    if newest < end:
        age_us = request["time_us"] - record["return_us"][newest]
        facts[place + _SINCE_LAST_RETURN] = float(max(0, age_us)) / DAY_US
    _fill_holds(record, own, end, facts, place)
    _fill_flags(record, own, end, facts, place)
    _fill_codes(record, own, end, request, facts, place)
    _fill_fates(record, own, end, facts, place)
    _fill_conditions(record, facts, place)
    _fill_rebuys(record, own, end, request, facts, place)
    _fill_styles(record, own, end, request, facts, place)
    facts[place + _STORE_COUNT] = _count_stores(record, own, end)
