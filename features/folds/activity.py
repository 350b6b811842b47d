"""The fold of the activity record: one event brings a customer's activity up to date."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import welded
from features.definition import DAY_US, HOUR_US
from features.fold_rows import FoldFlag, FoldKind
from features.folds.rings import find_last, find_place, make_room
from features.folds.tiles import find_bucket, open_tile
from features.records.activity import (
    LIFETIME_COUNTERS,
    N_SENTIMENTS,
    N_SIZE_CHARTS,
    SENTIMENT_OFFSET,
)

SLOW_REPLY_S = 600
"""A reply after more than this is slow."""

_KIND_COUNTERS: dict[FoldKind, str] = {
    FoldKind.PAYMENT_FAILED: "payment_failed_count",
    FoldKind.PAYMENT_TIMED_OUT: "payment_failed_count",
    FoldKind.PRODUCT_VIEWED: "view_count",
    FoldKind.SIZE_CHART_VIEWED: "size_chart_view_count",
    FoldKind.CART_ITEM_ADDED: "cart_add_count",
    FoldKind.CART_ITEM_REMOVED: "cart_remove_count",
    FoldKind.CHECKOUT_ABANDONED: "checkout_abandoned_count",
    FoldKind.ADDRESS_CHANGED: "address_changed_count",
    FoldKind.RETURN_POLICY_ASKED: "policy_asked_count",
    FoldKind.SERVICE_MESSAGE: "service_message_count",
    FoldKind.STOCK_SHORT: "stock_short_count",
    FoldKind.DELIVERY_DELAYED: "delayed_count",
    FoldKind.PARCEL_LOST: "lost_count",
    FoldKind.OFFER_MADE: "offer_made_count",
}


def _compile_counters() -> npt.NDArray[np.int64]:
    """Return the counter that each kind always moves by one, -1: none."""
    counters = np.full(256, -1, np.int64)
    for kind, counter in _KIND_COUNTERS.items():
        counters[kind] = LIFETIME_COUNTERS.index(counter)
    return counters


_COUNTERS = _compile_counters()
_SLOW_REPLY_COUNT = LIFETIME_COUNTERS.index("slow_reply_count")
_OFFER_ACCEPTED_COUNT = LIFETIME_COUNTERS.index("offer_accepted_count")
_OFFER_REFUSED_COUNT = LIFETIME_COUNTERS.index("offer_refused_count")
_OFFER_EXPIRED_COUNT = LIFETIME_COUNTERS.index("offer_expired_count")
_OFFER_COST = LIFETIME_COUNTERS.index("offer_cost_minor")
_REPLY_COUNT = LIFETIME_COUNTERS.index("reply_count")
_WAITED_S = LIFETIME_COUNTERS.index("waited_s")
_RATING_COUNT = LIFETIME_COUNTERS.index("rating_count")
_RATING_SUM = LIFETIME_COUNTERS.index("rating_sum")
_SHIPPED_COUNT = LIFETIME_COUNTERS.index("shipped_count")
_DELIVERED_COUNT = LIFETIME_COUNTERS.index("delivered_count")

_SIZE_CHART_VIEWED = int(FoldKind.SIZE_CHART_VIEWED)
_CHECKOUT_ABANDONED = int(FoldKind.CHECKOUT_ABANDONED)
_SERVICE_REPLIED = int(FoldKind.SERVICE_REPLIED)
_REVIEW_POSTED = int(FoldKind.REVIEW_POSTED)
_ORDER_SHIPPED = int(FoldKind.ORDER_SHIPPED)
_ORDER_DELIVERED = int(FoldKind.ORDER_DELIVERED)
_OFFER_CLOSED = int(FoldKind.OFFER_CLOSED)

_HAS_SENTIMENT = int(FoldFlag.HAS_SENTIMENT)
_IS_OFFER_ACCEPTED = int(FoldFlag.IS_OFFER_ACCEPTED)
_IS_OFFER_REFUSED = int(FoldFlag.IS_OFFER_REFUSED)
_IS_OFFER_EXPIRED = int(FoldFlag.IS_OFFER_EXPIRED)


@welded
def _find_counter(row: Any) -> Any:
    """Return the windowed counter that a row moves by one, -1: none."""
    kind = int(row["kind"])
    if kind == _SERVICE_REPLIED:
        return _SLOW_REPLY_COUNT if row["amount"] > SLOW_REPLY_S else -1
    if kind == _OFFER_CLOSED:
        return _OFFER_ACCEPTED_COUNT if int(row["flags"]) & _IS_OFFER_ACCEPTED else -1
    return _COUNTERS[kind]


@welded
def _count(record: Any, time_us: int, counter: int) -> None:
    """Add one to a windowed counter: for life, and in the tiles that are still kept."""
    record["lifetime"][counter] += 1
    head, filled = record["hourly_head"], record["hourly_filled"]
    head, filled, tile = open_tile(record["hourly"], head, filled, find_bucket(time_us, HOUR_US))
    record["hourly_head"], record["hourly_filled"] = head, filled
    if tile >= 0:
        record["hourly"][tile, counter] += 1
    head, filled = record["daily_head"], record["daily_filled"]
    head, filled, tile = open_tile(record["daily"], head, filled, find_bucket(time_us, DAY_US))
    record["daily_head"], record["daily_filled"] = head, filled
    if tile >= 0:
        record["daily"][tile, counter] += 1


@welded
def _keep_size_chart(record: Any, row: Any) -> None:
    time_us, key = row["event_time_us"], row["event_key"]
    place = find_place(record["size_chart_us"], record["size_chart_key"], time_us, key)
    if place == N_SIZE_CHARTS:
        return
    last = find_last(record["size_chart_key"], place)
    make_room(record["size_chart_us"], place, last)
    make_room(record["size_chart_key"], place, last)
    make_room(record["size_chart_style"], place, last)
    record["size_chart_us"][place] = time_us
    record["size_chart_key"][place] = key
    record["size_chart_style"][place] = row["style_link"]


@welded
def _keep_sentiment(record: Any, row: Any) -> None:
    time_us, key = row["event_time_us"], row["event_key"]
    place = find_place(record["sentiment_us"], record["sentiment_key"], time_us, key)
    if place == N_SENTIMENTS:
        return
    last = find_last(record["sentiment_key"], place)
    make_room(record["sentiment_us"], place, last)
    make_room(record["sentiment_key"], place, last)
    make_room(record["sentiment"], place, last)
    record["sentiment_us"][place] = time_us
    record["sentiment_key"][place] = key
    record["sentiment"][place] = int(row["sentiment"]) + SENTIMENT_OFFSET


@welded
def _keep_abandoned(record: Any, row: Any) -> None:
    time_us, key = row["event_time_us"], row["event_key"]
    newest_us, newest_key = record["abandoned_us"], record["abandoned_key"]
    if newest_key == np.uint64(0) or (
        time_us > newest_us or (time_us == newest_us and key > newest_key)
    ):
        record["abandoned_us"] = time_us
        record["abandoned_key"] = key
        record["abandoned_cart_age_s"] = row["amount"]


@welded
def _fold_offer_closed(record: Any, row: Any) -> None:
    flags = int(row["flags"])
    if flags & _IS_OFFER_ACCEPTED:
        record["lifetime"][_OFFER_COST] += row["value_minor"]
    elif flags & _IS_OFFER_REFUSED:
        record["lifetime"][_OFFER_REFUSED_COUNT] += 1
    elif flags & _IS_OFFER_EXPIRED:
        record["lifetime"][_OFFER_EXPIRED_COUNT] += 1


@welded
def fold_activity(record: Any, row: Any) -> None:
    """Fold one row into an element of `ACTIVITY_DTYPE`; each event once, in any order."""
    kind = int(row["kind"])
    record["last_event_us"] = max(record["last_event_us"], row["event_time_us"])
    counter = _find_counter(row)
    if counter >= 0:
        _count(record, row["event_time_us"], counter)
    if kind == _SIZE_CHART_VIEWED:
        _keep_size_chart(record, row)
    elif kind == _CHECKOUT_ABANDONED:
        _keep_abandoned(record, row)
    elif kind == _SERVICE_REPLIED:
        record["lifetime"][_REPLY_COUNT] += 1
        record["lifetime"][_WAITED_S] += row["amount"]
    elif kind == _REVIEW_POSTED:
        if row["amount"] > 0:
            record["lifetime"][_RATING_COUNT] += 1
            record["lifetime"][_RATING_SUM] += row["amount"]
    elif kind == _ORDER_SHIPPED:
        record["lifetime"][_SHIPPED_COUNT] += 1
    elif kind == _ORDER_DELIVERED:
        record["lifetime"][_DELIVERED_COUNT] += 1
    elif kind == _OFFER_CLOSED:
        _fold_offer_closed(record, row)
    if int(row["flags"]) & _HAS_SENTIMENT:
        _keep_sentiment(record, row)
