"""The features of products, regions, stores and shared identities.

Entities of one layout share their texts: a row says what is counted and for whom,
the name, the description in both languages and the facts follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from features.definition import ALL_WINDOWS, LIFETIME, FeatureDefinition, Window
from features.entities import Entity
from features.facts.identity import NEW_WINDOW, IdentityFact
from features.facts.tally import TILED_WINDOWS, TallyFact, find_extra_fact, find_sum_fact

_WINDOWS: dict[str, Window] = {window.name: window for window in ALL_WINDOWS}
_YEAR = TILED_WINDOWS[-1]

_NAMES: dict[Entity, tuple[str, str]] = {
    Entity.SKU: ("the SKU", "该SKU"),
    Entity.STYLE: ("the style", "该款式"),
    Entity.SUPPLIER: ("the supplier", "该供应商"),
    Entity.BATCH: ("the batch", "该批次"),
    Entity.REGION: ("the region", "该地区"),
    Entity.STORE: ("the store", "该门店"),
    Entity.DEVICE: ("the device", "该设备"),
    Entity.ADDRESS: ("the address", "该地址"),
    Entity.PAYMENT_TOKEN: ("the payment token", "该支付工具"),
}

_ORDERED = ("order_placed",)
_RETURNED = ("return_requested",)
_RETURNED_PER_LINE = ("order_placed", "return_requested")
_CANCELLED_PER_ORDER = ("order_placed", "order_cancelled")
_INSPECTED = ("return_inspected",)
_LABELLED = ("return_requested", "label_set")
_SHIPPED = ("order_shipped",)
_DELAYED = ("delivery_delayed",)
_LOST = ("parcel_lost",)

_Ratio = tuple[str, tuple[Entity, ...], tuple[str, ...], str, str, tuple[str, ...], str, str]

_RATIOS: tuple[_Ratio, ...] = (
    # What, for whom, windows, numerator, denominator, events, English, Chinese.
    ("return_rate", (Entity.SKU,), ("30d", "365d"), "return_count", "order_line_count",
     _RETURNED_PER_LINE, "Returns per line ordered of", "退货率"),
    ("cancel_rate", (Entity.SKU,), ("30d",), "cancel_count", "order_line_count",
     _CANCELLED_PER_ORDER, "Cancellations by customers per line ordered of", "客户取消率"),
    ("return_rate", (Entity.STYLE,), ("30d", "90d", "365d"), "return_count", "order_line_count",
     _RETURNED_PER_LINE, "Returns per line ordered of", "退货率"),
    ("cancel_rate", (Entity.STYLE,), ("90d",), "cancel_count", "order_line_count",
     _CANCELLED_PER_ORDER, "Cancellations by customers per line ordered of", "客户取消率"),
    ("size_small_share", (Entity.STYLE,), ("365d",), "size_small_count", "return_count",
     _RETURNED, "Share of returns as too small of", "退货中尺码偏小占比"),
    ("size_large_share", (Entity.STYLE,), ("365d",), "size_large_count", "return_count",
     _RETURNED, "Share of returns as too large of", "退货中尺码偏大占比"),
    ("return_rate", (Entity.SUPPLIER, Entity.BATCH), ("90d",), "return_count",
     "order_line_count", _RETURNED_PER_LINE, "Returns per line ordered of", "退货率"),
    ("defect_share", (Entity.STYLE, Entity.SUPPLIER, Entity.BATCH), ("90d",), "defect_count",
     "return_count", _RETURNED, "Share of returns as defective or damaged of",
     "退货中质量问题或破损占比"),
    ("mismatch_share", (Entity.STYLE,), ("90d",), "mismatch_count", "return_count", _RETURNED,
     "Share of returns as not as described or another item of", "退货中与描述不符或错发占比"),
    ("bad_condition_share", (Entity.STYLE, Entity.SUPPLIER), ("365d",), "bad_condition_count",
     "inspected_count", _INSPECTED, "Share of inspections graded C or D of",
     "验货中C级或D级占比"),
    ("delay_rate", (Entity.REGION,), ("7d", "30d"), "delayed_count", "shipped_count",
     (*_SHIPPED, *_DELAYED), "Delays per parcel shipped of", "延误率"),
    ("loss_rate", (Entity.REGION,), ("30d", "365d"), "lost_count", "shipped_count",
     (*_SHIPPED, *_LOST), "Parcels lost per parcel shipped of", "丢件率"),
    ("cancel_rate", (Entity.REGION,), ("30d",), "cancel_count", "order_count",
     _CANCELLED_PER_ORDER, "Cancellations by customers per order of", "客户取消率"),
    ("return_rate", (Entity.STORE,), ("30d",), "return_count", "order_count",
     _RETURNED_PER_LINE, "Returns per order of", "退货率"),
    ("no_receipt_share", (Entity.STORE,), ("30d",), "no_receipt_return_count", "return_count",
     _RETURNED, "Share of returns without receipt of", "无小票退货占比"),
    ("gift_card_share", (Entity.STORE,), ("30d",), "gift_card_refund_count", "return_count",
     _RETURNED, "Share of returns that want a gift card of", "要求退到礼品卡占比"),
    ("abuse_share", (Entity.STORE,), ("365d",), "abuse_count", "return_count", _LABELLED,
     "Confirmed abuse (less what was taken back) per return of", "每笔退货的已确认滥用数"),
)  # fmt: skip

_Count = tuple[str, Entity, str, str, tuple[str, ...], str, str]

_COUNTS: tuple[_Count, ...] = (
    # What, for whom, window, counter, events, English, Chinese.
    ("return_count", Entity.SKU, "24h", "return_count", _RETURNED, "Returns of", "退货数"),
    ("order_line_count", Entity.STYLE, "90d", "order_line_count", _ORDERED, "Lines ordered of",
     "下单行数"),
    ("order_line_count", Entity.BATCH, "lifetime", "order_line_count", _ORDERED,
     "Lines ordered of", "下单行数"),
    ("return_count", Entity.BATCH, "7d", "return_count", _RETURNED, "Returns of", "退货数"),
    ("shipped_count", Entity.REGION, "30d", "shipped_count", _SHIPPED, "Parcels shipped of",
     "发货数"),
    ("return_count", Entity.STORE, "24h", "return_count", _RETURNED, "Returns of", "退货数"),
)  # fmt: skip


def _define(
    entity: Entity,
    name: str,
    events: tuple[str, ...],
    aggregation: str,
    unit: str,
    text: str,
    text_zh: str,
    fact: int,
    *,
    divisor: int | None = None,
    operands: tuple[str, ...] = (),
    window: Window | None = None,
    default: str = "missing",
) -> FeatureDefinition:
    """Return an entity's feature: its name, its noun and its window complete the texts."""
    prefix = entity.name.lower()
    noun, noun_zh = _NAMES[entity]
    over, over_zh = (f", {window.name}", f"（{window.name}）") if window else ("", "")
    return FeatureDefinition(
        name=f"{prefix}_{name}",
        entity=prefix,
        events=events,
        aggregation=aggregation,
        unit=unit,
        description=f"{text} {noun}{over}",
        description_zh=f"{noun_zh}{text_zh}{over_zh}",
        fact=int(fact),
        divisor=divisor,
        operands=operands,
        window=window,
        default=default,
    )


def _define_tallies(entity: Entity) -> Iterator[FeatureDefinition]:
    """Yield an entity's rates, shares and counts of closed hours."""
    for what, entities, windows, numerator, denominator, events, text, text_zh in _RATIOS:
        for window in (_WINDOWS[name] for name in windows if entity in entities):
            yield _define(
                entity, f"{what}_{window.name}", events, "ratio", "ratio", text, text_zh,
                find_sum_fact(entity, numerator, window),
                divisor=find_sum_fact(entity, denominator, window),
                operands=(numerator, denominator), window=window,
            )  # fmt: skip
    for what, counted, over, counter, events, text, text_zh in _COUNTS:
        if counted is entity:
            window = _WINDOWS[over]
            yield _define(
                entity, f"{what}_{over}", events, "sum", "1", text, text_zh,
                find_sum_fact(entity, counter, window),
                operands=(counter,), window=window, default="0",
            )  # fmt: skip


_PRICES = (
    _define(Entity.SKU, "price_change_ratio", ("price_changed",), "price_change", "ratio",
            "Newest own price over the request's price of one unit, minus 1, of",
            "最新自有价格相对本次单价的变动", TallyFact.PRICE_CHANGE),
    _define(Entity.SKU, "competitor_price_ratio", ("competitor_price_seen",), "competitor_price",
            "ratio", "Newest competitor's price over the request's price of one unit, minus 1, of",
            "最新竞品价格相对本次单价的差异", TallyFact.COMPETITOR_PRICE),
)  # fmt: skip

_STYLE_MEANS = (
    _define(Entity.STYLE, "size_bias_365d", _RETURNED, "ratio", "ratio",
            "Returns as too large minus as too small per return (runs small: below 0) of",
            "尺码偏差（退货中偏大占比减偏小占比，负数表示偏小）", TallyFact.SIZE_BIAS_COUNT,
            divisor=find_sum_fact(Entity.STYLE, "return_count", _YEAR),
            operands=("size_large_count", "size_small_count", "return_count"), window=_YEAR),
    _define(Entity.STYLE, "rating_mean_lifetime", ("review_posted",), "ratio", "stars",
            "Mean stars of", "平均评分", find_extra_fact(Entity.STYLE, "rating_sum"),
            divisor=find_extra_fact(Entity.STYLE, "rating_count"),
            operands=("rating_sum", "rating_count"), window=LIFETIME),
)  # fmt: skip

_REGION_MEANS = (
    _define(Entity.REGION, "delay_mean_lifetime_hours", _DELAYED, "mean_hours", "hours",
            "Mean delay (of those whose length is said) of", "平均延误小时数",
            TallyFact.EXTRA_SUM_HOURS,
            divisor=find_extra_fact(Entity.REGION, "delay_count"),
            operands=("delay_sum_s", "delay_count"), window=LIFETIME),
)  # fmt: skip

_SHARED: tuple[tuple[IdentityFact, str, str, tuple[str, ...], str, str, str], ...] = (
    # Fact, name's end, window, events, unit, English, Chinese.
    (IdentityFact.OTHER_CUSTOMER_COUNT, "other_customer_count_lifetime", "lifetime",
     ("order_placed", "return_requested", "label_set"), "1",
     "Other customers (at most 16 are told apart) who used", "其他客户数（最多区分16个）"),
    (IdentityFact.NEW_CUSTOMER_COUNT, f"new_customer_count_{NEW_WINDOW.name}", NEW_WINDOW.name,
     ("order_placed", "return_requested", "label_set"), "1",
     "Other customers who first used", "新出现的其他客户数"),
    (IdentityFact.OTHER_ORDER_COUNT, "other_order_count_lifetime", "lifetime", _ORDERED, "1",
     "Orders by other customers with", "其他客户的下单数"),
    (IdentityFact.OTHER_RETURN_COUNT, "other_return_count_lifetime", "lifetime", _RETURNED, "1",
     "Returns by other customers with", "其他客户的退货数"),
    (IdentityFact.OTHER_ABUSE_COUNT, "other_abuse_count_lifetime", "lifetime", ("label_set",), "1",
     "Confirmed abuse (less what was taken back) of other customers with",
     "其他客户的已确认滥用数"),
    (IdentityFact.IS_SATURATED, "is_saturated", "",
     ("order_placed", "return_requested", "label_set"), "flag",
     "More than 16 customers used", "使用客户是否超过16个"),
)  # fmt: skip


def _define_shared(entity: Entity) -> Iterator[FeatureDefinition]:
    """Yield who else stands behind a shared identity; the asking customer is left out."""
    for fact, name, over, events, unit, text, text_zh in _SHARED:
        yield _define(
            entity, name, events, fact.name.lower(), unit, text, text_zh, fact,
            window=_WINDOWS.get(over), default="0",
        )  # fmt: skip


ENTITY_FEATURES: tuple[FeatureDefinition, ...] = (
    *_define_tallies(Entity.SKU),
    *_PRICES,
    *_define_tallies(Entity.STYLE),
    *_STYLE_MEANS,
    *_define_tallies(Entity.SUPPLIER),
    *_define_tallies(Entity.BATCH),
    *_define_tallies(Entity.REGION),
    *_REGION_MEANS,
    *_define_tallies(Entity.STORE),
    *_define_shared(Entity.DEVICE),
    *_define_shared(Entity.ADDRESS),
    *_define_shared(Entity.PAYMENT_TOKEN),
)
"""In the order of `Entity`, so that an entity's columns stand together."""
