"""A feature's value as people read it, in English and Simplified Chinese."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from features.definitions import FEATURES
from hemostat.v1 import common_pb2

NOT_KNOWN = ("not known", "未知")

_STATES = {1: ("known", "老顾客"), 0: ("new", "新顾客"), -1: ("guest", "游客")}
_CHANNELS_ZH = {
    "WEB": "网店",
    "APP": "应用",
    "STORE": "门店",
    "PHONE": "电话",
    "TAOBAO": "淘宝",
    "TMALL": "天猫",
    "JD": "京东",
    "DOUYIN": "抖音",
    "PDD": "拼多多",
    "WECHAT": "微信",
    "AMAZON": "亚马逊",
    "OTHER": "其他",
}
_TENDERS_ZH = {
    "CARD": "银行卡",
    "CASH": "现金",
    "GIFT_CARD": "礼品卡",
    "WALLET": "电子钱包",
    "CASH_ON_DELIVERY": "货到付款",
    "PAY_LATER": "先用后付",
    "INVOICE": "发票或转账",
}
_REASONS_ZH = {
    "SIZE_TOO_SMALL": "尺码偏小",
    "SIZE_TOO_LARGE": "尺码偏大",
    "NOT_AS_DESCRIBED": "与描述不符",
    "QUALITY_DEFECT": "质量问题",
    "DAMAGED_IN_TRANSIT": "运输破损",
    "WRONG_ITEM": "发错货",
    "LATE_DELIVERY": "送达太晚",
    "NOT_DELIVERED": "未收到货",
    "CHANGED_MIND": "不想要了",
    "BETTER_PRICE": "价格更低",
    "ORDERED_BY_MISTAKE": "拍错",
    "IMPULSE": "冲动下单",
    "GIFT": "礼物不合适",
    "OTHER": "其他",
}
_STAGES_ZH = {
    "UNPAID": "未付款",
    "PAID": "已付款",
    "FULFILMENT": "备货中",
    "SHIPPED": "已发货",
    "DELIVERED": "已签收",
}


def _name_codes(
    members: Iterable[tuple[str, int]], prefix: str, names_zh: Mapping[str, str]
) -> dict[int, tuple[str, str]]:
    """Return the names of an enum's numbers but 0 in both languages."""
    names = {number: name.removeprefix(prefix) for name, number in members if number}
    return {
        number: (name.replace("_", " ").lower(), names_zh[name]) for number, name in names.items()
    }


_CHANNELS = _name_codes(common_pb2.Channel.items(), "CHANNEL_", _CHANNELS_ZH)
_CODES: dict[str, dict[int, tuple[str, str]]] = {
    "customer_state": _STATES,
    "request_channel": _CHANNELS,
    "request_order_channel": _CHANNELS,
    "request_tender": _name_codes(common_pb2.Tender.items(), "TENDER_", _TENDERS_ZH),
    "request_reason_code": _name_codes(common_pb2.ReasonCode.items(), "REASON_CODE_", _REASONS_ZH),
    "request_stage": _name_codes(common_pb2.OrderStage.items(), "ORDER_STAGE_", _STAGES_ZH),
}
_WEEKDAYS = (
    ("Monday", "周一"),
    ("Tuesday", "周二"),
    ("Wednesday", "周三"),
    ("Thursday", "周四"),
    ("Friday", "周五"),
    ("Saturday", "周六"),
    ("Sunday", "周日"),
)


def _both(text: str) -> tuple[str, str]:
    return text, text


_BY_UNIT: Mapping[str, Callable[[float], tuple[str, str]]] = {
    "ratio": lambda value: _both(f"{value:.0%}"),
    "minor": lambda value: _both(f"{value / 100:,.2f}"),
    "cosine": lambda value: _both(f"{value:.2f}"),
    "days": lambda value: (f"{value:.1f} days", f"{value:.1f} 天"),
    "hours": lambda value: (f"{value:.0f} h", f"{value:.0f} 小时"),
    "flag": lambda value: ("yes", "是") if value else ("no", "否"),
}


_WINDOW_ZH = re.compile("（(\\d+)(?:d|天)）$")


def describe_zh(description: str) -> str:
    """Return a feature's Chinese description as it stands inside brackets of its own.

    >>> describe_zh("退货率（退货件数/下单行数）（90d）")
    '近90天退货率，退货件数/下单行数'
    >>> describe_zh("下单数（lifetime）")
    '累计下单数'
    """
    if window := _WINDOW_ZH.search(description):
        description = f"近{window[1]}天{description[: window.start()]}"
    elif description.endswith("（lifetime）"):
        description = "累计" + description.removesuffix("（lifetime）")
    return description.replace("（", "，").replace("）", "")


def format_value(column: int, value: float) -> tuple[str, str]:
    """Return the value of a feature in English and Chinese, with its unit.

    Minor units are shown as hundredths of the currency.

    Args:
        column: The feature's place in `definitions.FEATURES`.
        value: NaN for missing.

    >>> format_value(0, 1.0)
    ('known', '老顾客')
    >>> format_value(0, math.nan)
    ('not known', '未知')
    """
    feature = FEATURES[column]
    if math.isnan(value):
        return NOT_KNOWN
    if feature.name == "request_hour_of_day":
        return _both(f"{value:.0f}:00 UTC")
    if feature.name == "request_day_of_week":
        return _WEEKDAYS[int(value) % 7]
    if codes := _CODES.get(feature.name):
        return codes.get(int(value), _both(f"{value:g}"))
    formatted = _BY_UNIT.get(feature.unit)
    return formatted(value) if formatted else _both(f"{value:,.6g}")
