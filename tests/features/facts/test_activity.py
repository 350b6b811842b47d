"""The activity's facts against the events themselves, read again from the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definition import DAY_US, FeatureDefinition
from features.entities import Entity
from features.fold_rows import FoldFlag, FoldKind
from tests.features.layout_rows import (
    START_US,
    ask,
    draw_request,
    draw_rows,
    draw_time_after,
    fold,
    is_in_window,
    list_features,
)

Array = Any

K = FoldKind
COUNTED: dict[str, Callable[[Any], bool]] = {
    "view_count": lambda row: row["kind"] == K.PRODUCT_VIEWED,
    "size_chart_view_count": lambda row: row["kind"] == K.SIZE_CHART_VIEWED,
    "cart_add_count": lambda row: row["kind"] == K.CART_ITEM_ADDED,
    "cart_remove_count": lambda row: row["kind"] == K.CART_ITEM_REMOVED,
    "checkout_abandoned_count": lambda row: row["kind"] == K.CHECKOUT_ABANDONED,
    "address_changed_count": lambda row: row["kind"] == K.ADDRESS_CHANGED,
    "policy_asked_count": lambda row: row["kind"] == K.RETURN_POLICY_ASKED,
    "service_message_count": lambda row: row["kind"] == K.SERVICE_MESSAGE,
    "slow_reply_count": lambda row: row["kind"] == K.SERVICE_REPLIED and row["amount"] > 600,
    "payment_failed_count": lambda row: row["kind"] in (K.PAYMENT_FAILED, K.PAYMENT_TIMED_OUT),
    "delayed_count": lambda row: row["kind"] == K.DELIVERY_DELAYED,
    "lost_count": lambda row: row["kind"] == K.PARCEL_LOST,
    "stock_short_count": lambda row: row["kind"] == K.STOCK_SHORT,
    "offer_made_count": lambda row: row["kind"] == K.OFFER_MADE,
    "offer_accepted_count": lambda row: is_closed(row, FoldFlag.IS_OFFER_ACCEPTED),
    "offer_refused_count": lambda row: is_closed(row, FoldFlag.IS_OFFER_REFUSED),
}
RESULTS = (FoldFlag.IS_OFFER_ACCEPTED, FoldFlag.IS_OFFER_REFUSED, FoldFlag.IS_OFFER_EXPIRED)


def is_closed(row: Any, result: FoldFlag) -> bool:
    return bool(row["kind"] == K.OFFER_CLOSED and row["flags"] & result)


def draw(seed: int, n: int) -> Array:
    """Return rows whose offers ended in one way only, as the event says it."""
    rows = draw_rows(seed, Entity.ACTIVITY, n)
    rng = np.random.default_rng(seed)
    rows["flags"] &= ~np.uint32(sum(RESULTS))
    rows["flags"] |= rng.choice([0, *map(int, RESULTS)], n).astype(np.uint32)
    return rows


def compute_mean(values: list[Any]) -> float:
    return float(np.mean(np.array(values, np.float64))) if values else np.nan


def expect_count(feature: FeatureDefinition, rows: Array, now_us: int) -> float:
    is_counted = COUNTED[feature.operands[0]]
    assert feature.window is not None
    return float(
        sum(
            is_counted(row) and is_in_window(feature.window, now_us, row["event_time_us"])
            for row in rows
        )
    )


def expect_others(rows: Array, request: Any) -> dict[str, float]:
    """Return what is no plain count, from the rows themselves."""
    now_us = int(request["time_us"])
    newest = sorted(rows, key=lambda row: (row["event_time_us"], row["event_key"]), reverse=True)
    sentiments = [int(row["sentiment"]) for row in newest if row["flags"] & FoldFlag.HAS_SENTIMENT][
        :8
    ]
    charts = [row for row in newest if row["kind"] == K.SIZE_CHART_VIEWED][:8]
    carts = [int(row["amount"]) for row in newest if row["kind"] == K.CHECKOUT_ABANDONED]
    accepted = [row for row in rows if is_closed(row, FoldFlag.IS_OFFER_ACCEPTED)]
    closed = [row for row in rows if any(is_closed(row, result) for result in RESULTS)]
    views = sum(
        row["style_link"] == request["style_link"] and row["event_time_us"] >= now_us - 7 * DAY_US
        for row in charts
    )
    return {
        "offer_accept_rate_lifetime": len(accepted) / len(closed) if closed else np.nan,
        "offer_cost_lifetime_minor": float(sum(int(row["value_minor"]) for row in accepted)),
        "service_wait_mean_lifetime_s": compute_mean(
            [row["amount"] for row in rows if row["kind"] == K.SERVICE_REPLIED]
        ),
        "rating_mean_lifetime": compute_mean(
            [row["amount"] for row in rows if row["kind"] == K.REVIEW_POSTED and row["amount"]]
        ),
        "sentiment_last": sentiments[0] if sentiments else np.nan,
        "sentiment_mean_last8": compute_mean(sentiments),
        "request_size_chart_view_count_last8": float(views) if request["style_link"] else np.nan,
        "cart_age_last_hours": carts[0] / 3_600 if carts else np.nan,
        "activity_recency_lifetime_days": max(0, now_us - int(newest[0]["event_time_us"])) / DAY_US
        if newest
        else np.nan,
    }


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 120))
def test_every_fact_is_what_the_events_say(seed: int, n: int) -> None:
    rows = draw(seed, n)
    request = draw_request(seed, draw_time_after(seed, rows))
    got = ask(Entity.ACTIVITY, fold(Entity.ACTIVITY, rows), request)
    others = expect_others(rows, request)
    for feature in list_features(Entity.ACTIVITY):
        if feature.name in others:
            expected = others[feature.name]
        else:
            expected = expect_count(feature, rows, int(request["time_us"]))
        assert got[feature.name] == pytest.approx(expected, nan_ok=True), feature.name


def test_nothing_happened_is_the_default_of_the_table() -> None:
    request = draw_request(1, START_US)
    request["style_link"] = 0
    got = ask(Entity.ACTIVITY, fold(Entity.ACTIVITY, draw(1, 0)), request)
    for feature in list_features(Entity.ACTIVITY):
        expected = 0.0 if feature.default == "0" else np.nan
        assert got[feature.name] == pytest.approx(expected, nan_ok=True), feature.name
