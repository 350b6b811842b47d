"""Every word of the gallery in English and Chinese."""

from __future__ import annotations

from typing import Final, Literal

Language = Literal["en", "zh-CN"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh-CN")

_CHINESE: Final = {
    "month": "月份",
    "orders": "订单数",
    "orders with a return": "有退货的订单",
    "orders cancelled by customer": "客户取消的订单",
    "abuse among returns": "退货中的滥用",
    "honest": "诚实",
    "abuse": "滥用",
    "days from delivery to the return request": "签收到申请退货的天数",
    "% of cases": "占比（%）",
    "returns": "退货",
    "cancel clicks": "取消点击",
    "days held": "持有天数",
    "price": "价格",
    "abusive cases": "滥用案例数",
    "% of clicks that leave without an offer": "不给补偿就离开的点击占比（%）",
    "% of those who would leave kept by the offer": "会离开的客户中被该补偿留住的占比（%）",
    # Patterns and look-alikes.
    "wardrobing": "穿后退货",
    "bracketing": "多码试穿囤货",
    "serial_returner": "职业退货",
    "receiptless_refund": "无小票套现",
    "empty_box": "空包/调包",
    "ring": "团伙",
    "price_arbitrage": "差价套利",
    "offer_fishing": "钓取补偿",
    "late_returner": "拖到最后才退",
    "occasion_cancelled": "活动取消",
    "size_unsure": "尺码拿不准",
    "heavy_buyer": "大客户",
    "parcel_stolen": "包裹被盗",
    "warehouse_mixup": "仓库发错货",
    # Reason codes.
    "changed_mind": "不想要了",
    "size_too_small": "偏小",
    "size_too_large": "偏大",
    "quality_defect": "质量问题",
    "damaged_in_transit": "运输破损",
    "not_as_described": "与描述不符",
    "wrong_item": "发错货",
    "not_delivered": "没收到货",
    "late_delivery": "到货太晚",
    "better_price": "有更低价",
    "ordered_by_mistake": "误下单",
    "gift": "礼物",
    "other": "其他",
    "unspecified": "未注明",
    # Drivers and gestures.
    "impulse": "冲动",
    "payment": "支付失败",
    "slow_service": "客服太慢",
    "size_doubt": "尺码疑虑",
    "long_cart": "加购过久",
    "price_drop": "降价",
    "promise_slipped": "发货承诺延误",
    "no_tracking": "物流无更新",
    "checkout_left": "曾离开结算页",
    "address_flipped": "改了地址",
    "policy_worry": "担心退货",
    "stock_short": "缺货",
    "product_doubt": "对商品存疑",
    "return_experience": "退货体验差",
    "fishing": "钓取补偿",
    "coupon": "优惠券",
    "price_protection": "价格保护",
    "shipping_upgrade": "加急配送",
    "exchange": "换货",
    "freight_insurance": "运费险",
    "points": "积分",
    "preorder_discount": "预售折扣",
    "partial_refund": "部分退款",
}


def translate(word: str, language: Language) -> str:
    """Return a word as shown; names of the truth lose their underscores in English.

    >>> translate("late_returner", "en"), translate("late_returner", "zh-CN")
    ('late returner', '拖到最后才退')
    """
    return word.replace("_", " ") if language == "en" else _CHINESE.get(word, word)
