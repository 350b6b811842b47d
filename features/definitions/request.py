"""The features that need no history: what the case itself says."""

from __future__ import annotations

from features.definition import ALL_CALLS, FeatureDefinition
from features.facts.request import RequestFact
from features.request_rows import Call

_F = RequestFact
_CHECKOUT = (Call.ORDER, Call.ORDER_LINE)
_REASONED = (Call.CANCELLATION, Call.RETURN)
_RETURN = (Call.RETURN,)


def _request(
    name: str,
    fact: RequestFact,
    unit: str,
    description: str,
    description_zh: str,
    calls: tuple[Call, ...] = ALL_CALLS,
) -> FeatureDefinition:
    return FeatureDefinition(
        name, "request", (), fact.name.lower(), unit, description, description_zh, int(fact),
        calls=calls,
    )  # fmt: skip


REQUEST_FEATURES: tuple[FeatureDefinition, ...] = (
    _request("request_value_minor", _F.VALUE, "minor", "Value at stake", "涉及金额"),
    _request("request_quantity", _F.QUANTITY, "1", "Units", "件数"),
    _request("request_unit_price_minor", _F.UNIT_PRICE, "minor",
             "Price of one unit (order: the dearest line's)", "单价（订单取最高）"),
    _request("request_line_count", _F.LINE_COUNT, "1", "Lines of the order",
             "订单行数", _CHECKOUT),
    _request("request_multi_variant_share", _F.MULTI_VARIANT_SHARE, "ratio",
             "Share of lines whose style stands in another line, too (bracketing)",
             "同款多尺码/颜色行占比", _CHECKOUT),
    _request("request_order_value_share", _F.ORDER_SHARE, "ratio",
             "The line's share in its order's value", "该行占订单金额比", (Call.ORDER_LINE,)),
    _request("request_discount_share", _F.DISCOUNT_SHARE, "ratio",
             "Discount over value before discount", "折扣占比", _CHECKOUT),
    _request("request_gift_card_share", _F.GIFT_CARD_SHARE, "ratio",
             "Share paid by gift card", "礼品卡支付占比", _CHECKOUT),
    _request("request_promised_lead_days", _F.PROMISED_LEAD, "days",
             "Time until the promised delivery", "承诺送达所需天数", _CHECKOUT),
    _request("request_hour_of_day", _F.HOUR, "hours", "Hour of the day, UTC",
             "时段（UTC）"),
    _request("request_day_of_week", _F.WEEKDAY, "1", "Day of the week, UTC, Monday 0",
             "星期（UTC，周一为0）"),
    _request("request_channel", _F.CHANNEL, "code", "Channel of the call", "渠道"),
    _request("request_order_channel", _F.ORDER_CHANNEL, "code", "Channel of the order",
             "订单渠道", _REASONED),
    _request("request_is_cross_channel", _F.IS_CROSS_CHANNEL, "flag",
             "Another channel than the order's", "是否跨渠道", _REASONED),
    _request("request_tender", _F.TENDER, "code", "Paid by, or refund wanted as",
             "支付/退款方式", (*_CHECKOUT, Call.RETURN)),
    _request("request_reason_code", _F.REASON_CODE, "code", "Reason code", "原因代码",
             _REASONED),
    _request("request_has_reason_text", _F.HAS_REASON_TEXT, "flag",
             "The reason came with a text (of letters or digits)", "是否填写文字理由", _REASONED),
    _request("request_stage", _F.STAGE, "code", "Stage of the order", "订单阶段",
             (Call.CANCELLATION,)),
    _request("request_delay_hours", _F.DELAY, "hours", "Delay of the promise so far",
             "承诺延误小时数", (Call.CANCELLATION,)),
    _request("request_order_age_days", _F.ORDER_AGE, "days", "Time since the order",
             "距下单天数", _REASONED),
    _request("request_hold_days", _F.HOLD, "days",
             "Time since delivery (or order)", "距收货（或下单）天数", _RETURN),
    _request("request_window_used_share", _F.WINDOW_SHARE, "ratio",
             "That time over the return window", "退货期已用比例", _RETURN),
    _request("request_has_receipt", _F.HAS_RECEIPT, "flag",
             "A receipt or an order was shown", "是否有小票", _RETURN),
    _request("request_has_order", _F.HAS_ORDER, "flag", "An order was found",
             "是否找到订单", _RETURN),
    _request("request_is_tag_on", _F.IS_TAG_ON, "flag", "Tags are still on",
             "吊牌是否完好", _RETURN),
    _request("request_is_photo_checked", _F.IS_PHOTO_CHECKED, "flag",
             "Photos were checked", "是否已核验照片", _RETURN),
    _request("request_is_video_passed", _F.IS_VIDEO_PASSED, "flag",
             "A video inspection was passed", "是否通过视频验货", _RETURN),
    _request("request_is_gift_card", _F.IS_GIFT_CARD, "flag",
             "Paid in part by gift card, or refund wanted on one", "是否涉及礼品卡",
             (*_CHECKOUT, Call.RETURN)),
)  # fmt: skip
