"""The table of all features; its order is the order of the vector's columns.

The stream, the trainer, the twin, the docs table and the law tests are derived
from `FEATURES`. To add a feature that an aggregation can already express, add a
row; a new aggregation also needs its branch in `features.vector`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from features.definition import (
    ALL_CALLS,
    LIFETIME,
    WINDOWS,
    Aggregation,
    FeatureDefinition,
    Window,
)
from features.embedding import EMBEDDER
from features.record import SCHEMA_VERSION
from features.request_rows import Call

_A = Aggregation
_ORDERED = ("order_placed",)
_RETURNED = ("return_requested",)
_CANCELLED = ("order_cancelled",)
_CHECKOUT = (Call.ORDER, Call.ORDER_LINE)
_REASONED = (Call.CANCELLATION, Call.RETURN)
_RETURN = (Call.RETURN,)


def _define_windowed() -> Iterator[FeatureDefinition]:
    """Yield counts, values and rates over every window and for life."""
    counters: tuple[tuple[str, str, str, tuple[str, ...], str, str], ...] = (
        ("order_count", "order_count", "1", _ORDERED, "Orders placed", "下单数"),
        ("order_value", "order_value", "minor", _ORDERED, "Value ordered", "下单金额"),
        ("return_count", "return_count", "1", _RETURNED, "Items returned", "退货件数"),
        ("return_value", "return_value", "minor", _RETURNED, "Value returned", "退货金额"),
        (
            "cancel_count",
            "cancel_count",
            "1",
            _CANCELLED,
            "Cancellations by the customer",
            "客户取消次数",
        ),
    )
    rates: tuple[tuple[str, str, str, tuple[str, ...], str, str], ...] = (
        ("return_rate", "return_count", "order_line_count", (*_ORDERED, *_RETURNED),
         "Items returned per line ordered", "退货率（退货件数/下单行数）"),
        ("return_value_rate", "return_value", "order_value", (*_ORDERED, *_RETURNED),
         "Value returned per value ordered", "退货金额占比"),
        ("cancel_rate", "cancel_count", "order_count", (*_ORDERED, *_CANCELLED),
         "Cancellations by the customer per order", "客户取消率"),
    )  # fmt: skip
    for window in (*WINDOWS, LIFETIME):
        for what, counter, unit, events, text, text_zh in counters:
            suffix = "_minor" if unit == "minor" else ""
            yield FeatureDefinition(
                name=f"{what}_{window.name}{suffix}",
                entity="customer",
                events=events,
                aggregation=_A.SUM,
                unit=unit,
                description=f"{text}, {window.name}",
                description_zh=f"{text_zh}（{window.name}）",
                operands=(counter,),
                window=window,
                default="0",
            )
        for what, numerator, denominator, events, text, text_zh in rates:
            yield FeatureDefinition(
                name=f"{what}_{window.name}",
                entity="customer",
                events=events,
                aggregation=_A.RATIO,
                unit="ratio",
                description=f"{text}, {window.name}",
                description_zh=f"{text_zh}（{window.name}）",
                operands=(numerator, denominator),
                window=window,
            )


def _define_lifetime() -> Iterator[FeatureDefinition]:
    """Yield the plain lifetime counters."""
    rows: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
        ("cancel_request_count", ("cancel_requested",), "Cancel clicks", "点击取消次数"),
        ("order_kept_count", ("order_kept",), "Cancel clicks that ended with the order kept",
         "挽留成功次数"),
        ("offer_taken_count", ("order_kept",), "Offers taken after a cancel click",
         "取消后接受补偿次数"),
        ("no_receipt_return_count", _RETURNED, "Returns without receipt", "无小票退货次数"),
        ("gift_card_refund_count", _RETURNED, "Refunds wanted on a gift card",
         "要求退到礼品卡次数"),
        ("abuse_confirmed_count", ("label_set",), "Confirmed abuse, less what was taken back",
         "已确认滥用次数（扣除撤销）"),
    )  # fmt: skip
    for counter, events, text, text_zh in rows:
        yield FeatureDefinition(
            name=f"{counter}_lifetime",
            entity="customer",
            events=events,
            aggregation=_A.SUM,
            unit="1",
            description=f"{text}, lifetime",
            description_zh=text_zh,
            operands=(counter,),
            window=LIFETIME,
            default="0",
        )


def _history(
    name: str,
    events: tuple[str, ...],
    aggregation: Aggregation,
    unit: str,
    description: str,
    description_zh: str,
    window: Window | None = None,
    calls: tuple[Call, ...] = ALL_CALLS,
    default: str = "missing",
) -> FeatureDefinition:
    return FeatureDefinition(
        name, "customer", events, aggregation, unit, description, description_zh,
        window=window, calls=calls, default=default,
    )  # fmt: skip


_HISTORY = (
    _history("net_value_365d_minor", (*_ORDERED, *_RETURNED, *_CANCELLED), _A.NET_VALUE, "minor",
             "Ordered minus returned minus cancelled value (by whomever), 365d (RFM monetary)",
             "净消费额（365天）", window=WINDOWS[3], default="0"),
    _history("tenure_lifetime_days", _ORDERED, _A.DAYS_SINCE_FIRST_ORDER, "days",
             "Time since the first order", "首单至今天数"),
    _history("order_recency_lifetime_days", _ORDERED, _A.DAYS_SINCE_LAST_ORDER, "days",
             "Time since the last order (RFM recency)", "最近下单至今天数"),
    _history("return_recency_lifetime_days", _RETURNED, _A.DAYS_SINCE_LAST_RETURN, "days",
             "Time since the last return", "最近退货至今天数"),
    _history("time_to_return_last_days", _RETURNED, _A.HOLD_LAST, "days",
             "Delivery (or order) to the newest return", "最近一次退货距收货（或下单）天数"),
    _history("time_to_return_mean_last16_days", _RETURNED, _A.HOLD_MEAN, "days",
             "Mean time from delivery (or order) to return", "平均退货时长（最近16次）"),
    _history("time_to_return_std_last16_days", _RETURNED, _A.HOLD_STD, "days",
             "Spread of that time; missing below two returns", "退货时长离散度（最近16次）"),
    _history("time_to_return_late_share_last16", _RETURNED, _A.HOLD_LATE_SHARE, "ratio",
             "Share of returns in the last fifth of the return window, or after it",
             "踩点退货占比（退货期最后五分之一）"),
    _history("time_to_return_mean_lifetime_days", _RETURNED, _A.HOLD_MEAN_LIFETIME, "days",
             "Mean time from delivery (or order) to return, lifetime", "平均退货时长（全部）"),
    _history("cross_channel_return_share_last16", _RETURNED, _A.CROSS_CHANNEL_SHARE, "ratio",
             "Share of returns on another channel than the order's", "跨渠道退货占比"),
    _history("reason_similarity_mean_last16", _RETURNED, _A.SIMILARITY_SELF, "cosine",
             "Mean pairwise similarity of the customer's own return reasons",
             "历次退货理由的相似度"),
    _history("reason_code_top_share_last16", _RETURNED, _A.REASON_CODE_TOP_SHARE, "ratio",
             "Share of the most frequent reason code among given ones", "最常用退货原因占比"),
    _history("order_channel_count_lifetime", _ORDERED, _A.ORDER_CHANNEL_COUNT, "1",
             "Distinct channels ordered on", "下单渠道数", default="0"),
    _history("return_channel_count_lifetime", _RETURNED, _A.RETURN_CHANNEL_COUNT, "1",
             "Distinct channels returned on", "退货渠道数", default="0"),
    _history("request_reason_similarity_mean_last16", _RETURNED, _A.SIMILARITY_REQUEST_MEAN,
             "cosine", "Mean similarity of this reason to the customer's past ones",
             "本次理由与历史理由的平均相似度", calls=_REASONED),
    _history("request_reason_similarity_max_last16", _RETURNED, _A.SIMILARITY_REQUEST_MAX,
             "cosine", "Greatest similarity of this reason to a past one",
             "本次理由与历史理由的最高相似度", calls=_REASONED),
    _history("request_reason_code_share_last16", _RETURNED, _A.REASON_CODE_REQUEST_SHARE, "ratio",
             "Share of past returns with this reason code", "历史退货中同原因占比",
             calls=_REASONED),
    _history("request_channel_known_lifetime", _ORDERED, _A.IS_CHANNEL_KNOWN, "flag",
             "The customer has ordered on this channel before", "是否曾在该渠道下单"),
    _history("request_value_to_order_mean_lifetime", _ORDERED, _A.VALUE_TO_ORDER_MEAN, "ratio",
             "Value at stake over the customer's mean order value", "本次金额与历史客单价之比"),
)  # fmt: skip


def _request(
    name: str,
    aggregation: Aggregation,
    unit: str,
    description: str,
    description_zh: str,
    calls: tuple[Call, ...] = ALL_CALLS,
) -> FeatureDefinition:
    return FeatureDefinition(
        name, "request", (), aggregation, unit, description, description_zh, calls=calls
    )


_REQUEST = (
    _request("request_value_minor", _A.REQUEST_VALUE, "minor", "Value at stake", "涉及金额"),
    _request("request_quantity", _A.REQUEST_QUANTITY, "1", "Units", "件数"),
    _request("request_unit_price_minor", _A.REQUEST_UNIT_PRICE, "minor",
             "Price of one unit (order: the dearest line's)", "单价（订单取最高）"),
    _request("request_line_count", _A.REQUEST_LINE_COUNT, "1", "Lines of the order",
             "订单行数", _CHECKOUT),
    _request("request_multi_variant_share", _A.REQUEST_MULTI_VARIANT_SHARE, "ratio",
             "Share of lines whose style stands in another line, too (bracketing)",
             "同款多尺码/颜色行占比", _CHECKOUT),
    _request("request_order_value_share", _A.REQUEST_ORDER_SHARE, "ratio",
             "The line's share in its order's value", "该行占订单金额比", (Call.ORDER_LINE,)),
    _request("request_discount_share", _A.REQUEST_DISCOUNT_SHARE, "ratio",
             "Discount over value before discount", "折扣占比", _CHECKOUT),
    _request("request_gift_card_share", _A.REQUEST_GIFT_CARD_SHARE, "ratio",
             "Share paid by gift card", "礼品卡支付占比", _CHECKOUT),
    _request("request_promised_lead_days", _A.REQUEST_PROMISED_LEAD, "days",
             "Time until the promised delivery", "承诺送达所需天数", _CHECKOUT),
    _request("request_hour_of_day", _A.REQUEST_HOUR, "hours", "Hour of the day, UTC",
             "时段（UTC）"),
    _request("request_day_of_week", _A.REQUEST_WEEKDAY, "1", "Day of the week, UTC, Monday 0",
             "星期（UTC，周一为0）"),
    _request("request_channel", _A.REQUEST_CHANNEL, "code", "Channel of the call", "渠道"),
    _request("request_order_channel", _A.REQUEST_ORDER_CHANNEL, "code", "Channel of the order",
             "订单渠道", _REASONED),
    _request("request_is_cross_channel", _A.REQUEST_IS_CROSS_CHANNEL, "flag",
             "Another channel than the order's", "是否跨渠道", _REASONED),
    _request("request_tender", _A.REQUEST_TENDER, "code", "Paid by, or refund wanted as",
             "支付/退款方式", (*_CHECKOUT, Call.RETURN)),
    _request("request_reason_code", _A.REQUEST_REASON_CODE, "code", "Reason code", "原因代码",
             _REASONED),
    _request("request_has_reason_text", _A.REQUEST_HAS_REASON_TEXT, "flag",
             "The reason came with a text (of letters or digits)", "是否填写文字理由", _REASONED),
    _request("request_stage", _A.REQUEST_STAGE, "code", "Stage of the order", "订单阶段",
             (Call.CANCELLATION,)),
    _request("request_delay_hours", _A.REQUEST_DELAY, "hours", "Delay of the promise so far",
             "承诺延误小时数", (Call.CANCELLATION,)),
    _request("request_order_age_days", _A.REQUEST_ORDER_AGE, "days", "Time since the order",
             "距下单天数", _REASONED),
    _request("request_hold_days", _A.REQUEST_HOLD, "days",
             "Time since delivery (or order)", "距收货（或下单）天数", _RETURN),
    _request("request_window_used_share", _A.REQUEST_WINDOW_SHARE, "ratio",
             "That time over the return window", "退货期已用比例", _RETURN),
    _request("request_has_receipt", _A.REQUEST_HAS_RECEIPT, "flag",
             "A receipt or an order was shown", "是否有小票", _RETURN),
    _request("request_has_order", _A.REQUEST_HAS_ORDER, "flag", "An order was found",
             "是否找到订单", _RETURN),
    _request("request_is_tag_on", _A.REQUEST_IS_TAG_ON, "flag", "Tags are still on",
             "吊牌是否完好", _RETURN),
    _request("request_is_photo_checked", _A.REQUEST_IS_PHOTO_CHECKED, "flag",
             "Photos were checked", "是否已核验照片", _RETURN),
    _request("request_is_video_passed", _A.REQUEST_IS_VIDEO_PASSED, "flag",
             "A video inspection was passed", "是否通过视频验货", _RETURN),
    _request("request_is_gift_card", _A.REQUEST_IS_GIFT_CARD, "flag",
             "Paid in part by gift card, or refund wanted on one", "是否涉及礼品卡",
             (*_CHECKOUT, Call.RETURN)),
)  # fmt: skip


FEATURES: tuple[FeatureDefinition, ...] = (
    _history("customer_state", (), _A.CUSTOMER_STATE, "code",
             "1 known, 0 new, -1 guest; missing when the store did not answer",
             "1 老客，0 新客，-1 游客；存储不可用时缺失"),
    *_define_windowed(),
    *_define_lifetime(),
    *_HISTORY,
    *_REQUEST,
)  # fmt: skip

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
N_FEATURES = len(FEATURES)


def compute_schema_hash() -> str:
    """Return the hash that a store, a bundle and a server must share.

    It covers all that changes a value: columns, their computation and order, the
    record's schema and the embedder; not owners and descriptions.
    """
    rows = [
        (f.name, f.entity, int(f.aggregation), f.operands, f.window, [int(c) for c in f.calls])
        for f in FEATURES
    ]
    text = repr((SCHEMA_VERSION, EMBEDDER, rows))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


SCHEMA_HASH = compute_schema_hash()
