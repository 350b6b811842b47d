"""Products, regions and stores against the events themselves, closed hours only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definition import HOUR_US, FeatureDefinition
from features.entities import Entity
from features.fold_rows import FoldFlag, FoldKind
from hemostat.v1 import common_pb2, event_pb2
from tests.features.layout_rows import (
    AHEAD_US,
    START_US,
    TALLIES,
    ask,
    draw_request,
    draw_rows,
    draw_time_after,
    fold,
    is_in_window,
    list_features,
)

every_tally = pytest.mark.parametrize("entity", TALLIES, ids=lambda entity: entity.name.lower())
SEEDS = st.integers(0, 2**32)
K, R = FoldKind, common_pb2

Count = Callable[[Any], int]


def count_kind(kind: FoldKind) -> Count:
    return lambda row: int(row["kind"] == kind)


def count_reasons(*codes: int) -> Count:
    return lambda row: int(row["kind"] == K.RETURN_REQUESTED and row["reason_code"] in codes)


def count_flag(kind: FoldKind, flag: FoldFlag) -> Count:
    return lambda row: int(row["kind"] == kind and bool(row["flags"] & flag))


def count_abuse(row: Any) -> int:
    sign = -1 if row["flags"] & FoldFlag.IS_REVERSAL else 1
    return sign * count_flag(K.LABEL_SET, FoldFlag.IS_ABUSE_CONFIRMED)(row)


def count_bad(row: Any) -> int:
    return int(row["kind"] == K.RETURN_INSPECTED and row["condition"] >= event_pb2.CONDITION_C)


COUNTED: dict[str, Count] = {
    "order_line_count": count_kind(K.ORDER_LINE),
    "order_count": count_kind(K.ORDER_PLACED),
    "return_count": count_kind(K.RETURN_REQUESTED),
    "cancel_count": count_flag(K.ORDER_CANCELLED, FoldFlag.IS_BY_CUSTOMER),
    "size_small_count": count_reasons(R.REASON_CODE_SIZE_TOO_SMALL),
    "size_large_count": count_reasons(R.REASON_CODE_SIZE_TOO_LARGE),
    "defect_count": count_reasons(R.REASON_CODE_QUALITY_DEFECT, R.REASON_CODE_DAMAGED_IN_TRANSIT),
    "mismatch_count": count_reasons(R.REASON_CODE_NOT_AS_DESCRIBED, R.REASON_CODE_WRONG_ITEM),
    "inspected_count": count_kind(K.RETURN_INSPECTED),
    "bad_condition_count": count_bad,
    "shipped_count": count_kind(K.ORDER_SHIPPED),
    "delayed_count": count_kind(K.DELIVERY_DELAYED),
    "lost_count": count_kind(K.PARCEL_LOST),
    "no_receipt_return_count": count_flag(K.RETURN_REQUESTED, FoldFlag.IS_NO_RECEIPT),
    "gift_card_refund_count": count_flag(K.RETURN_REQUESTED, FoldFlag.IS_GIFT_CARD),
    "abuse_count": count_abuse,
    "rating_sum": lambda row: int(row["amount"]) if row["kind"] == K.REVIEW_POSTED else 0,
    "rating_count": lambda row: int(row["kind"] == K.REVIEW_POSTED and row["amount"] > 0),
    "delay_sum_s": lambda row: int(row["amount"]) if row["kind"] == K.DELIVERY_DELAYED else 0,
    "delay_count": lambda row: int(row["kind"] == K.DELIVERY_DELAYED and row["amount"] > 0),
}


def keep_closed(rows: Any, now_us: int) -> Any:
    return rows[rows["event_time_us"] < now_us // HOUR_US * HOUR_US]


def expect(feature: FeatureDefinition, rows: Any, request: Any) -> float:
    """Return a feature from the rows of closed hours themselves."""
    now_us = int(request["time_us"])
    closed = keep_closed(rows, now_us)
    if feature.name.startswith("sku_") and feature.window is None:
        own = feature.name == "sku_price_change_ratio"
        return expect_price(closed, K.PRICE_CHANGED if own else K.COMPETITOR_PRICE_SEEN, request)
    assert feature.window is not None
    counted = [r for r in closed if is_in_window(feature.window, now_us, int(r["event_time_us"]))]
    sums = [sum(COUNTED[operand](row) for row in counted) for operand in feature.operands]
    if feature.aggregation == "sum":
        return float(sums[0])
    part: float = sums[0] - sums[1] if feature.name == "style_size_bias_365d" else sums[0]
    if feature.unit == "hours":
        part = part / 3_600
    return part / sums[-1] if sums[-1] > 0 else np.nan


def expect_price(closed: Any, kind: FoldKind, request: Any) -> float:
    prices = closed[closed["kind"] == kind]
    if not len(prices) or request["product_price_minor"] <= 0:
        return np.nan
    newest = max(prices, key=lambda row: (row["event_time_us"], row["event_key"]))
    return float(newest["value_minor"] / request["product_price_minor"] - 1)


@every_tally
@settings(max_examples=40)
@given(SEEDS, st.integers(0, 150))
def test_every_fact_is_what_the_events_of_closed_hours_say(
    entity: Entity, seed: int, n: int
) -> None:
    rows = draw_rows(seed, entity, n)
    request = draw_request(seed, draw_time_after(seed, rows))
    got = ask(entity, fold(entity, rows), request)
    for feature in list_features(entity):
        expected = expect(feature, rows, request)
        assert got[feature.name] == pytest.approx(expected, nan_ok=True), feature.name


@every_tally
@settings(max_examples=40)
@given(SEEDS, st.integers(0, 80), st.integers(1, 9), st.integers(0, HOUR_US - 1))
def test_the_case_and_all_of_its_hour_change_nothing(
    entity: Entity, seed: int, n: int, n_open: int, into_hour_us: int
) -> None:
    rows = draw_rows(seed, entity, n)
    now_us = draw_time_after(seed, rows) // HOUR_US * HOUR_US + HOUR_US + into_hour_us
    fresh = draw_rows(seed + 1, entity, n_open, first_key=10_000)
    rng = np.random.default_rng(seed)
    fresh["event_time_us"] = rng.integers(now_us // HOUR_US * HOUR_US, now_us + AHEAD_US, n_open)
    request = draw_request(seed, now_us)
    published = ask(entity, fold(entity, np.concatenate([rows, fresh])), request)
    assert list(map(repr, published.values())) == list(
        map(repr, ask(entity, fold(entity, rows), request).values())
    )


def test_a_price_of_a_closed_hour_stays_known_however_often_it_changes_since() -> None:
    prices = draw_rows(1, Entity.SKU, 40)
    now_us = START_US + HOUR_US - 1
    prices["kind"] = FoldKind.PRICE_CHANGED
    prices["event_time_us"] = START_US + np.linspace(0, HOUR_US + AHEAD_US - 2, 40).astype(int)
    prices[0]["event_time_us"], prices[0]["value_minor"] = START_US - 1, 2_000
    request = draw_request(1, now_us)
    request["product_price_minor"] = 1_000
    assert ask(Entity.SKU, fold(Entity.SKU, prices), request)["sku_price_change_ratio"] == 1.0


@every_tally
def test_nothing_happened_is_the_default_of_the_table(entity: Entity) -> None:
    got = ask(entity, fold(entity, draw_rows(1, entity, 0)), draw_request(1, START_US))
    for feature in list_features(entity):
        expected = 0.0 if feature.default == "0" else np.nan
        assert got[feature.name] == pytest.approx(expected, nan_ok=True), feature.name
