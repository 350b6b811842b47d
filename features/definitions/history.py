"""The features of a customer's history: orders, cancellations, returns and labels."""

from __future__ import annotations

from collections.abc import Iterator

from features.definition import (
    ALL_CALLS,
    ALL_WINDOWS,
    LIFETIME,
    WINDOWS,
    FeatureDefinition,
    Window,
)
from features.facts.history_layout import HistoryFact, find_sum_fact
from features.records.history import HistoryCounter
from features.request_rows import Call

_C = HistoryCounter
_F = HistoryFact
_WINDOWS = {window.name: window for window in ALL_WINDOWS}
_ORDERED = ("order_placed",)
_RETURNED = ("return_requested",)
_CANCELLED = ("order_cancelled",)
_INSPECTED = ("return_inspected",)
_RECEIVED = ("return_requested", "return_received")
_USED = ("return_requested", "return_inspected")
_REFUNDED = ("refund_issued",)
_LABELLED = ("label_set",)
_REASONED = (Call.CANCELLATION, Call.RETURN)


def _sum(
    what: str,
    counter: HistoryCounter,
    events: tuple[str, ...],
    text: str,
    text_zh: str,
    window: Window,
) -> FeatureDefinition:
    is_value = counter.name.endswith("_VALUE")
    return FeatureDefinition(
        name=f"{what}_{window.name}{'_minor' if is_value else ''}",
        entity="customer",
        events=events,
        aggregation="sum",
        unit="minor" if is_value else "1",
        description=f"{text}, {window.name}",
        description_zh=f"{text_zh}（{'累计' if window == LIFETIME else window.name}）",
        fact=find_sum_fact(counter, window),
        operands=(counter.name.lower(),),
        window=window,
        default="0",
    )


def _ratio(
    what: str,
    counters: tuple[HistoryCounter, HistoryCounter],
    events: tuple[str, ...],
    text: str,
    text_zh: str,
    window: Window,
) -> FeatureDefinition:
    return FeatureDefinition(
        name=f"{what}_{window.name}",
        entity="customer",
        events=events,
        aggregation="ratio",
        unit="ratio",
        description=f"{text}, {window.name}",
        description_zh=f"{text_zh}（{'累计' if window == LIFETIME else window.name}）",
        fact=find_sum_fact(counters[0], window),
        divisor=find_sum_fact(counters[1], window),
        operands=(counters[0].name.lower(), counters[1].name.lower()),
        window=window,
    )


def _define_windowed() -> Iterator[FeatureDefinition]:
    """Yield counts, values and rates over every window and for life."""
    sums = (
        ("order_count", _C.ORDER_COUNT, _ORDERED, "Orders placed", "下单数"),
        ("order_value", _C.ORDER_VALUE, _ORDERED, "Value ordered", "下单金额"),
        ("return_count", _C.RETURN_COUNT, _RETURNED, "Items returned", "退货件数"),
        ("return_value", _C.RETURN_VALUE, _RETURNED, "Value returned", "退货金额"),
        ("cancel_count", _C.CANCEL_COUNT, _CANCELLED, "Cancellations by the customer",
         "客户取消次数"),
    )  # fmt: skip
    ratios = (
        ("return_rate", (_C.RETURN_COUNT, _C.ORDER_LINE_COUNT), (*_ORDERED, *_RETURNED),
         "Items returned per line ordered", "退货率，退货件数/下单行数"),
        ("return_value_rate", (_C.RETURN_VALUE, _C.ORDER_VALUE), (*_ORDERED, *_RETURNED),
         "Value returned per value ordered", "退货金额占比"),
        ("cancel_rate", (_C.CANCEL_COUNT, _C.ORDER_COUNT), (*_ORDERED, *_CANCELLED),
         "Cancellations by the customer per order", "客户取消率"),
    )  # fmt: skip
    for window in ALL_WINDOWS:
        yield from (_sum(*row, window) for row in sums)
        if window.name not in {"1h", "24h"}:  # What is ordered in a day is not yet returned.
            yield from (_ratio(*row, window) for row in ratios)
    for name in ("30d", "365d", "lifetime"):
        window = _WINDOWS[name]
        yield _sum("no_receipt_return_count", _C.NO_RECEIPT_RETURN_COUNT, _RETURNED,
                   "Returns without receipt", "无小票退货次数", window)  # fmt: skip
        yield _sum("gift_card_refund_count", _C.GIFT_CARD_REFUND_COUNT, _RETURNED,
                   "Refunds wanted on a gift card", "要求退到礼品卡次数", window)  # fmt: skip
    for name in ("90d", "365d"):
        yield _ratio("multi_variant_line_share", (_C.MULTI_VARIANT_LINE_COUNT, _C.ORDER_LINE_COUNT),
                     _ORDERED, "Share of lines whose style stood in another line of the order, too",
                     "同款多尺码/颜色行占比", _WINDOWS[name])  # fmt: skip


def _define_lifetime() -> Iterator[FeatureDefinition]:
    """Yield the counters that are kept for life only."""
    rows = (
        (_C.CANCEL_REQUEST_COUNT, ("cancel_requested",), "Cancel clicks", "点击取消次数"),
        (_C.ORDER_KEPT_COUNT, ("order_kept",), "Cancel clicks that ended with the order kept",
         "挽留成功次数"),
        (_C.OFFER_TAKEN_COUNT, ("order_kept",), "Offers taken after a cancel click",
         "取消后接受补偿次数"),
        (_C.ABUSE_CONFIRMED_COUNT, _LABELLED, "Confirmed abuse, less what was taken back",
         "已确认滥用次数，扣除撤销"),
        (_C.CHARGEBACK_COUNT, _LABELLED, "Chargebacks, less what was taken back",
         "拒付次数，扣除撤销"),
        (_C.ABUSE_CLEARED_COUNT, _LABELLED, "Cases cleared, less what was taken back",
         "已澄清次数，扣除撤销"),
        (_C.APPEAL_UPHELD_COUNT, _LABELLED, "Appeals upheld, less what was taken back",
         "申诉成立次数，扣除撤销"),
        (_C.REFUND_COUNT, _REFUNDED, "Refunds made", "退款次数"),
        (_C.REFUND_WITHOUT_RETURN_COUNT, _REFUNDED, "Refunds made without a return",
         "仅退款（无退货）次数"),
        (_C.EXCHANGE_COUNT, ("item_exchanged",), "Exchanges", "换货次数"),
        (_C.INSPECTED_COUNT, _INSPECTED, "Returned parcels inspected", "验货次数"),
        (_C.WRONG_ITEM_COUNT, _INSPECTED, "Returned parcels with another item inside",
         "退回商品不符次数"),
        (_C.EMPTY_BOX_COUNT, _INSPECTED, "Returned parcels with nothing inside", "退回空包次数"),
    )  # fmt: skip
    for counter, events, text, text_zh in rows:
        yield _sum(counter.name.lower(), counter, events, text, text_zh, LIFETIME)
    yield _ratio(
        "refund_gift_card_share", (_C.REFUND_GIFT_CARD_VALUE, _C.REFUND_VALUE), _REFUNDED,
        "Share of the refunded value that went to gift cards", "退款中礼品卡金额占比", LIFETIME,
    )  # fmt: skip
    yield FeatureDefinition(
        "discount_share_lifetime", "customer", _ORDERED, "ratio", "ratio",
        "Discounts over ordered value before discounts, lifetime", "折扣占比（累计）",
        find_sum_fact(_C.DISCOUNT_VALUE, LIFETIME), int(_F.UNDISCOUNTED_VALUE),
        operands=("discount_value", "undiscounted_value"), window=LIFETIME,
    )  # fmt: skip


def _single(
    name: str,
    events: tuple[str, ...],
    fact: HistoryFact,
    unit: str,
    description: str,
    description_zh: str,
    window: Window | None = None,
    calls: tuple[Call, ...] = ALL_CALLS,
    default: str = "missing",
) -> FeatureDefinition:
    return FeatureDefinition(
        name, "customer", events, fact.name.lower(), unit, description, description_zh, int(fact),
        window=window, calls=calls, default=default,
    )  # fmt: skip


_TIMES = (
    _single("net_value_365d_minor", (*_ORDERED, *_RETURNED, *_CANCELLED), _F.NET_VALUE_365D,
            "minor", "Ordered minus returned minus cancelled value (by whomever), 365d (RFM "
            "monetary)", "净消费额（365天）", window=WINDOWS[-1], default="0"),
    _single("tenure_lifetime_days", _ORDERED, _F.DAYS_SINCE_FIRST_ORDER, "days",
            "Time since the first order", "首单至今天数"),
    _single("order_recency_lifetime_days", _ORDERED, _F.DAYS_SINCE_LAST_ORDER, "days",
            "Time since the last order (RFM recency)", "最近下单至今天数"),
    _single("return_recency_lifetime_days", _RETURNED, _F.DAYS_SINCE_LAST_RETURN, "days",
            "Time since the last return", "最近退货至今天数"),
    _single("cancel_recency_lifetime_days", _CANCELLED, _F.DAYS_SINCE_LAST_CANCEL, "days",
            "Time since the last cancellation by the customer", "最近客户取消至今天数"),
    _single("cancel_request_recency_lifetime_days", ("cancel_requested",),
            _F.DAYS_SINCE_LAST_CANCEL_REQUEST, "days", "Time since the last cancel click",
            "最近点击取消至今天数"),
    _single("time_to_return_last_days", _RETURNED, _F.HOLD_LAST, "days",
            "Delivery (or order) to the newest return", "最近一次退货距收货（或下单）天数"),
    _single("time_to_return_mean_last16_days", _RETURNED, _F.HOLD_MEAN, "days",
            "Mean time from delivery (or order) to return", "平均退货时长（最近16次）"),
    _single("time_to_return_std_last16_days", _RETURNED, _F.HOLD_STD, "days",
            "Spread of that time; missing below two returns", "退货时长离散度（最近16次）"),
    _single("time_to_return_late_share_last16", _RETURNED, _F.HOLD_LATE_SHARE, "ratio",
            "Share of returns in the last fifth of the return window, or after it",
            "踩点退货占比（退货期最后五分之一）"),
    _single("time_to_return_mean_lifetime_days", _RETURNED, _F.HOLD_MEAN_LIFETIME, "days",
            "Mean time from delivery (or order) to return, lifetime", "平均退货时长（全部）"),
)  # fmt: skip

_RETURN_SHARES = tuple(
    _single(f"{what}_share_last16", _RETURNED, fact, "ratio", f"Share of returns {text}", text_zh)
    for what, fact, text, text_zh in (
        ("cross_channel_return", _F.CROSS_CHANNEL_SHARE, "on another channel than the order's",
         "跨渠道退货占比"),
        ("occasion_return", _F.OCCASION_SHARE, "of occasion wear", "场合服装（如礼服）退货占比"),
        ("high_resale_return", _F.HIGH_RESALE_SHARE, "of goods that are easily sold on",
         "易转卖商品退货占比"),
        ("no_receipt_return", _F.NO_RECEIPT_SHARE, "without receipt", "无小票退货占比"),
        ("photo_checked", _F.PHOTO_CHECKED_SHARE, "with checked photos", "照片已核验退货占比"),
        ("video_passed", _F.VIDEO_PASSED_SHARE, "that passed a video inspection",
         "通过视频验货退货占比"),
        ("tag_off", _F.TAG_OFF_SHARE, "with the tags off, where that is known", "吊牌已拆退货占比"),
        ("claim_after_delivery", _F.CLAIM_AFTER_DELIVERY_SHARE,
         "that claim non-delivery of a delivered parcel", "签收后声称未收到的退货占比"),
    )
)  # fmt: skip

_RETURN_PATTERNS = (
    _single("wardrobing_return_count_last16", _USED, _F.WARDROBING_COUNT, "1",
            "Occasion wear returned late in its window and found used (C or D)",
            "疑似穿后退货次数（临期退回且验出使用痕迹的场合服装）", default="0"),
    _single("used_condition_return_count_last16", _USED, _F.USED_CONDITION_RETURN_COUNT, "1",
            "Returns found used (C or D)", "验出使用痕迹的退货次数", default="0"),
    _single("bracketing_return_share_last16", (*_ORDERED, *_RETURNED), _F.BRACKETING_SHARE,
            "ratio", "Share of returns whose style stood in several lines of their order",
            "同款多件试穿后退回占比"),
    _single("rebuy_after_return_count_last24", (*_ORDERED, *_RETURNED), _F.REBUY_COUNT, "1",
            "Lines ordered within 60 days after a return of the same style",
            "退货后60天内同款再购次数", default="0"),
    _single("return_store_count_last16", _RETURNED, _F.STORE_COUNT, "1",
            "Distinct stores returned to", "退货门店数", default="0"),
    _single("weight_mismatch_count_last16", _RECEIVED, _F.WEIGHT_MISMATCH_COUNT, "1",
            "Returns received with a weight that differs by more than a fifth",
            "退货重量与申报相差超过五分之一的次数", default="0"),
    _single("condition_mean_last24", _INSPECTED, _F.CONDITION_MEAN, "1",
            "Mean condition found at inspection (A 1, B 2, C 3, D 4)",
            "平均验货成色（A为1，D为4）"),
    _single("used_condition_share_last24", _INSPECTED, _F.USED_CONDITION_SHARE, "ratio",
            "Share of inspections that found C or D", "验货成色C或D占比"),
    _single("reason_similarity_mean_last16", _RETURNED, _F.SIMILARITY_SELF, "cosine",
            "Mean pairwise similarity of the customer's own return reasons",
            "历次退货理由的相似度"),
    _single("reason_code_top_share_last16", _RETURNED, _F.REASON_CODE_TOP_SHARE, "ratio",
            "Share of the most frequent reason code among given ones", "最常用退货原因占比"),
)  # fmt: skip

_CANCELS = (
    _single("cancel_after_shipment_share_last8", _CANCELLED, _F.CANCEL_AFTER_SHIPMENT_SHARE,
            "ratio", "Share of the customer's cancellations after shipment", "发货后取消占比"),
    _single("cancel_reason_top_share_last8", _CANCELLED, _F.CANCEL_REASON_TOP_SHARE, "ratio",
            "Share of the most frequent reason code among given ones", "最常用取消原因占比"),
    _single("cancel_price_share_last8", _CANCELLED, _F.CANCEL_PRICE_SHARE, "ratio",
            "Share of the customer's cancellations for a better price", "因价格取消占比"),
)  # fmt: skip

_CHANNELS = (
    _single("order_channel_count_lifetime", _ORDERED, _F.ORDER_CHANNEL_COUNT, "1",
            "Distinct channels ordered on", "下单渠道数", default="0"),
    _single("return_channel_count_lifetime", _RETURNED, _F.RETURN_CHANNEL_COUNT, "1",
            "Distinct channels returned on", "退货渠道数", default="0"),
)  # fmt: skip

_AGAINST_HISTORY = (
    _single("request_reason_similarity_mean_last16", _RETURNED, _F.SIMILARITY_REQUEST_MEAN,
            "cosine", "Mean similarity of this reason to the customer's past ones",
            "本次理由与历史理由的平均相似度", calls=_REASONED),
    _single("request_reason_similarity_max_last16", _RETURNED, _F.SIMILARITY_REQUEST_MAX,
            "cosine", "Greatest similarity of this reason to a past one",
            "本次理由与历史理由的最高相似度", calls=_REASONED),
    _single("request_reason_code_share_last16", _RETURNED, _F.REASON_CODE_REQUEST_SHARE, "ratio",
            "Share of past returns with this reason code", "历史退货中同原因占比",
            calls=_REASONED),
    _single("request_cancel_reason_share_last8", _CANCELLED, _F.CANCEL_REASON_REQUEST_SHARE,
            "ratio", "Share of past cancellations with this reason code", "历史取消中同原因占比",
            calls=(Call.CANCELLATION,)),
    _single("request_style_return_count_last16", _RETURNED, _F.REQUEST_STYLE_RETURN_COUNT, "1",
            "Past returns of this style; missing if the case names none", "历史退货中同款次数"),
    _single("request_style_order_count_last24", _ORDERED, _F.REQUEST_STYLE_ORDER_COUNT, "1",
            "Past order lines of this style; missing if the case names none",
            "历史订单行中同款次数"),
    _single("request_channel_known_lifetime", _ORDERED, _F.IS_CHANNEL_KNOWN, "flag",
            "The customer has ordered on this channel before", "是否曾在该渠道下单"),
    _single("request_value_to_order_mean_lifetime", _ORDERED, _F.VALUE_TO_ORDER_MEAN, "ratio",
            "Value at stake over the customer's mean order value", "本次金额与历史客单价之比"),
)  # fmt: skip

HISTORY_FEATURES: tuple[FeatureDefinition, ...] = (
    _single("customer_state", (), _F.CUSTOMER_STATE, "code",
            "1 known, 0 new, -1 guest; missing when the store did not answer",
            "1 老客，0 新客，-1 游客；存储不可用时缺失"),
    *_define_windowed(),
    *_define_lifetime(),
    *_TIMES,
    *_RETURN_SHARES,
    *_RETURN_PATTERNS,
    *_CANCELS,
    *_CHANNELS,
    *_AGAINST_HISTORY,
)  # fmt: skip
