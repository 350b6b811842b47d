"""The features of a customer's activity: browsing, service, fulfilment, offers."""

from __future__ import annotations

from collections.abc import Iterator

from features.definition import ALL_WINDOWS, LIFETIME, FeatureDefinition, Window
from features.facts.activity import ActivityFact, find_sum_fact

_WINDOWS: dict[str, Window] = {window.name: window for window in ALL_WINDOWS}
_REPLIED = ("service_replied",)
_REVIEWED = ("review_posted",)
_CLOSED = ("offer_closed",)
_SENTIMENT = ("service_message", "review_posted")
_ALL = (
    "payment_failed", "payment_timed_out", "product_viewed", "size_chart_viewed",
    "cart_item_added", "cart_item_removed", "checkout_abandoned", "address_changed",
    "return_policy_asked", "service_message", "service_replied", "review_posted", "stock_short",
    "order_shipped", "delivery_delayed", "order_delivered", "parcel_lost", "offer_made",
    "offer_closed",
)  # fmt: skip


def _define_counts() -> Iterator[FeatureDefinition]:
    """Yield the plain counts over their windows."""
    rows: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str, str], ...] = (
        ("view_count", ("product_viewed",), ("1h", "24h", "7d", "30d"),
         "Product pages seen", "商品浏览次数"),
        ("size_chart_view_count", ("size_chart_viewed",), ("24h", "7d"),
         "Size charts opened", "查看尺码表次数"),
        ("cart_add_count", ("cart_item_added",), ("24h", "7d"),
         "Items put into the cart", "加购次数"),
        ("cart_remove_count", ("cart_item_removed",), ("24h", "7d"),
         "Items taken out of the cart", "移出购物车次数"),
        ("checkout_abandoned_count", ("checkout_abandoned",), ("24h", "30d"),
         "Checkout pages left without an order", "离开结算页次数"),
        ("address_changed_count", ("address_changed",), ("24h", "30d"),
         "Delivery addresses changed", "修改收货地址次数"),
        ("policy_asked_count", ("return_policy_asked",), ("24h", "30d"),
         "Questions about the return policy", "咨询退货政策次数"),
        ("service_message_count", ("service_message",), ("24h", "30d"),
         "Messages to customer service", "客服消息数"),
        ("slow_reply_count", _REPLIED, ("7d", "30d"),
         "Replies of customer service after more than 10 minutes", "客服回复超过10分钟次数"),
        ("payment_failed_count", ("payment_failed", "payment_timed_out"), ("1h", "24h", "30d"),
         "Payments failed or timed out", "支付失败或超时次数"),
        ("delayed_count", ("delivery_delayed",), ("30d", "lifetime"),
         "Delivery promises that slipped", "配送延误次数"),
        ("lost_count", ("parcel_lost",), ("lifetime",), "Parcels lost", "丢件次数"),
        ("stock_short_count", ("stock_short",), ("30d",),
         "Orders for which stock ran short", "订单缺货次数"),
        ("offer_made_count", ("offer_made",), ("30d", "lifetime"),
         "Offers made to the customer", "补偿方案提出次数"),
        ("offer_accepted_count", _CLOSED, ("30d", "lifetime"), "Offers accepted", "接受补偿次数"),
        ("offer_refused_count", _CLOSED, ("lifetime",), "Offers refused", "拒绝补偿次数"),
    )  # fmt: skip
    for counter, events, windows, text, text_zh in rows:
        for name in windows:
            yield FeatureDefinition(
                name=f"{counter}_{name}",
                entity="activity",
                events=events,
                aggregation="sum",
                unit="1",
                description=f"{text}, {name}",
                description_zh=f"{text_zh}（{name}）",
                fact=find_sum_fact(counter, _WINDOWS[name]),
                operands=(counter,),
                window=_WINDOWS[name],
                default="0",
            )


def _divide(
    name: str,
    events: tuple[str, ...],
    operands: tuple[str, str],
    divisor: int,
    unit: str,
    description: str,
    description_zh: str,
) -> FeatureDefinition:
    """Return a lifetime ratio or mean: the first operand over `divisor`."""
    return FeatureDefinition(
        name=name,
        entity="activity",
        events=events,
        aggregation="ratio",
        unit=unit,
        description=description,
        description_zh=description_zh,
        fact=find_sum_fact(operands[0], LIFETIME),
        divisor=divisor,
        operands=operands,
        window=LIFETIME,
    )


def _single(
    fact: ActivityFact,
    name: str,
    events: tuple[str, ...],
    unit: str,
    description: str,
    description_zh: str,
) -> FeatureDefinition:
    return FeatureDefinition(
        name, "activity", events, fact.name.lower(), unit, description, description_zh, int(fact)
    )


ACTIVITY_FEATURES: tuple[FeatureDefinition, ...] = (
    *_define_counts(),
    _divide("offer_accept_rate_lifetime", _CLOSED, ("offer_accepted_count", "offer_closed_count"),
            ActivityFact.OFFER_CLOSED_COUNT, "ratio",
            "Offers accepted per offer accepted, refused or expired", "补偿接受率"),
    FeatureDefinition(
        "offer_cost_lifetime_minor", "activity", _CLOSED, "sum", "minor",
        "Cost of the offers accepted, lifetime", "已接受补偿的成本（全部）",
        find_sum_fact("offer_cost_minor", LIFETIME), operands=("offer_cost_minor",),
        window=LIFETIME, default="0",
    ),
    _divide("service_wait_mean_lifetime_s", _REPLIED, ("waited_s", "reply_count"),
            find_sum_fact("reply_count", LIFETIME), "s",
            "Mean wait for a reply of customer service", "客服平均响应秒数"),
    _divide("rating_mean_lifetime", _REVIEWED, ("rating_sum", "rating_count"),
            find_sum_fact("rating_count", LIFETIME), "stars",
            "Mean stars that the customer gave", "客户平均评分"),
    _single(ActivityFact.SENTIMENT_LAST, "sentiment_last", _SENTIMENT, "points",
            "Sentiment of the newest message or review, -100 to 100",
            "最近一次消息或评价的情绪（-100至100）"),
    _single(ActivityFact.SENTIMENT_MEAN, "sentiment_mean_last8", _SENTIMENT, "points",
            "Mean sentiment of the 8 newest messages and reviews, -100 to 100",
            "最近8次消息或评价的平均情绪"),
    _single(ActivityFact.REQUEST_SIZE_CHART_VIEW_COUNT, "request_size_chart_view_count_last8",
            ("size_chart_viewed",), "1",
            "Of the 8 newest size charts opened those of this style in the last 7 days",
            "近7天查看该款尺码表次数（最近8次内）"),
    _single(ActivityFact.CART_AGE_LAST_HOURS, "cart_age_last_hours", ("checkout_abandoned",),
            "hours", "Age of the cart at the newest checkout left",
            "最近一次离开结算页时购物车存续小时数"),
    _single(ActivityFact.RECENCY_DAYS, "activity_recency_lifetime_days", _ALL, "days",
            "Time since the newest activity", "最近活动至今天数"),
)  # fmt: skip
