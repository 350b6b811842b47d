import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hemostat.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CancelInitiator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_INITIATOR_UNSPECIFIED: _ClassVar[CancelInitiator]
    CANCEL_INITIATOR_CUSTOMER: _ClassVar[CancelInitiator]
    CANCEL_INITIATOR_RETAILER: _ClassVar[CancelInitiator]
    CANCEL_INITIATOR_PAYMENT_LAPSE: _ClassVar[CancelInitiator]

class Condition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONDITION_UNSPECIFIED: _ClassVar[Condition]
    CONDITION_A: _ClassVar[Condition]
    CONDITION_B: _ClassVar[Condition]
    CONDITION_C: _ClassVar[Condition]
    CONDITION_D: _ClassVar[Condition]

class LabelKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_KIND_UNSPECIFIED: _ClassVar[LabelKind]
    LABEL_KIND_ABUSE_CONFIRMED: _ClassVar[LabelKind]
    LABEL_KIND_ABUSE_CLEARED: _ClassVar[LabelKind]
    LABEL_KIND_CHARGEBACK: _ClassVar[LabelKind]
    LABEL_KIND_APPEAL_UPHELD: _ClassVar[LabelKind]

class LabelOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_ORIGIN_UNSPECIFIED: _ClassVar[LabelOrigin]
    LABEL_ORIGIN_RANDOM_AUDIT: _ClassVar[LabelOrigin]
    LABEL_ORIGIN_VERIFY: _ClassVar[LabelOrigin]
    LABEL_ORIGIN_INSPECTION: _ClassVar[LabelOrigin]
    LABEL_ORIGIN_CHARGEBACK: _ClassVar[LabelOrigin]
    LABEL_ORIGIN_APPEAL: _ClassVar[LabelOrigin]

class OfferResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OFFER_RESULT_UNSPECIFIED: _ClassVar[OfferResult]
    OFFER_RESULT_ACCEPTED: _ClassVar[OfferResult]
    OFFER_RESULT_REFUSED: _ClassVar[OfferResult]
    OFFER_RESULT_EXPIRED: _ClassVar[OfferResult]
CANCEL_INITIATOR_UNSPECIFIED: CancelInitiator
CANCEL_INITIATOR_CUSTOMER: CancelInitiator
CANCEL_INITIATOR_RETAILER: CancelInitiator
CANCEL_INITIATOR_PAYMENT_LAPSE: CancelInitiator
CONDITION_UNSPECIFIED: Condition
CONDITION_A: Condition
CONDITION_B: Condition
CONDITION_C: Condition
CONDITION_D: Condition
LABEL_KIND_UNSPECIFIED: LabelKind
LABEL_KIND_ABUSE_CONFIRMED: LabelKind
LABEL_KIND_ABUSE_CLEARED: LabelKind
LABEL_KIND_CHARGEBACK: LabelKind
LABEL_KIND_APPEAL_UPHELD: LabelKind
LABEL_ORIGIN_UNSPECIFIED: LabelOrigin
LABEL_ORIGIN_RANDOM_AUDIT: LabelOrigin
LABEL_ORIGIN_VERIFY: LabelOrigin
LABEL_ORIGIN_INSPECTION: LabelOrigin
LABEL_ORIGIN_CHARGEBACK: LabelOrigin
LABEL_ORIGIN_APPEAL: LabelOrigin
OFFER_RESULT_UNSPECIFIED: OfferResult
OFFER_RESULT_ACCEPTED: OfferResult
OFFER_RESULT_REFUSED: OfferResult
OFFER_RESULT_EXPIRED: OfferResult

class Event(_message.Message):
    __slots__ = ("event_id", "tenant", "event_time", "known_at", "ingest_time", "customer_id", "channel", "order_placed", "order_paid", "payment_failed", "payment_timed_out", "product_viewed", "size_chart_viewed", "cart_item_added", "cart_item_removed", "checkout_abandoned", "address_changed", "return_policy_asked", "service_message", "service_replied", "review_posted", "stock_short", "order_shipped", "delivery_delayed", "order_delivered", "parcel_lost", "price_changed", "competitor_price_seen", "cancel_requested", "order_cancelled", "order_kept", "return_requested", "return_received", "return_inspected", "refund_issued", "item_exchanged", "label_set", "offer_made", "offer_closed")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    INGEST_TIME_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ORDER_PLACED_FIELD_NUMBER: _ClassVar[int]
    ORDER_PAID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_FAILED_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_VIEWED_FIELD_NUMBER: _ClassVar[int]
    SIZE_CHART_VIEWED_FIELD_NUMBER: _ClassVar[int]
    CART_ITEM_ADDED_FIELD_NUMBER: _ClassVar[int]
    CART_ITEM_REMOVED_FIELD_NUMBER: _ClassVar[int]
    CHECKOUT_ABANDONED_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    RETURN_POLICY_ASKED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_REPLIED_FIELD_NUMBER: _ClassVar[int]
    REVIEW_POSTED_FIELD_NUMBER: _ClassVar[int]
    STOCK_SHORT_FIELD_NUMBER: _ClassVar[int]
    ORDER_SHIPPED_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_DELAYED_FIELD_NUMBER: _ClassVar[int]
    ORDER_DELIVERED_FIELD_NUMBER: _ClassVar[int]
    PARCEL_LOST_FIELD_NUMBER: _ClassVar[int]
    PRICE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    COMPETITOR_PRICE_SEEN_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ORDER_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    ORDER_KEPT_FIELD_NUMBER: _ClassVar[int]
    RETURN_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    RETURN_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    RETURN_INSPECTED_FIELD_NUMBER: _ClassVar[int]
    REFUND_ISSUED_FIELD_NUMBER: _ClassVar[int]
    ITEM_EXCHANGED_FIELD_NUMBER: _ClassVar[int]
    LABEL_SET_FIELD_NUMBER: _ClassVar[int]
    OFFER_MADE_FIELD_NUMBER: _ClassVar[int]
    OFFER_CLOSED_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    tenant: str
    event_time: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    ingest_time: _timestamp_pb2.Timestamp
    customer_id: str
    channel: _common_pb2.Channel
    order_placed: OrderPlaced
    order_paid: OrderPaid
    payment_failed: PaymentFailed
    payment_timed_out: PaymentTimedOut
    product_viewed: ProductViewed
    size_chart_viewed: SizeChartViewed
    cart_item_added: CartItemAdded
    cart_item_removed: CartItemRemoved
    checkout_abandoned: CheckoutAbandoned
    address_changed: AddressChanged
    return_policy_asked: ReturnPolicyAsked
    service_message: ServiceMessage
    service_replied: ServiceReplied
    review_posted: ReviewPosted
    stock_short: StockShort
    order_shipped: OrderShipped
    delivery_delayed: DeliveryDelayed
    order_delivered: OrderDelivered
    parcel_lost: ParcelLost
    price_changed: PriceChanged
    competitor_price_seen: CompetitorPriceSeen
    cancel_requested: CancelRequested
    order_cancelled: OrderCancelled
    order_kept: OrderKept
    return_requested: ReturnRequested
    return_received: ReturnReceived
    return_inspected: ReturnInspected
    refund_issued: RefundIssued
    item_exchanged: ItemExchanged
    label_set: LabelSet
    offer_made: OfferMade
    offer_closed: OfferClosed
    def __init__(self, event_id: _Optional[str] = ..., tenant: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ingest_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., customer_id: _Optional[str] = ..., channel: _Optional[_Union[_common_pb2.Channel, str]] = ..., order_placed: _Optional[_Union[OrderPlaced, _Mapping]] = ..., order_paid: _Optional[_Union[OrderPaid, _Mapping]] = ..., payment_failed: _Optional[_Union[PaymentFailed, _Mapping]] = ..., payment_timed_out: _Optional[_Union[PaymentTimedOut, _Mapping]] = ..., product_viewed: _Optional[_Union[ProductViewed, _Mapping]] = ..., size_chart_viewed: _Optional[_Union[SizeChartViewed, _Mapping]] = ..., cart_item_added: _Optional[_Union[CartItemAdded, _Mapping]] = ..., cart_item_removed: _Optional[_Union[CartItemRemoved, _Mapping]] = ..., checkout_abandoned: _Optional[_Union[CheckoutAbandoned, _Mapping]] = ..., address_changed: _Optional[_Union[AddressChanged, _Mapping]] = ..., return_policy_asked: _Optional[_Union[ReturnPolicyAsked, _Mapping]] = ..., service_message: _Optional[_Union[ServiceMessage, _Mapping]] = ..., service_replied: _Optional[_Union[ServiceReplied, _Mapping]] = ..., review_posted: _Optional[_Union[ReviewPosted, _Mapping]] = ..., stock_short: _Optional[_Union[StockShort, _Mapping]] = ..., order_shipped: _Optional[_Union[OrderShipped, _Mapping]] = ..., delivery_delayed: _Optional[_Union[DeliveryDelayed, _Mapping]] = ..., order_delivered: _Optional[_Union[OrderDelivered, _Mapping]] = ..., parcel_lost: _Optional[_Union[ParcelLost, _Mapping]] = ..., price_changed: _Optional[_Union[PriceChanged, _Mapping]] = ..., competitor_price_seen: _Optional[_Union[CompetitorPriceSeen, _Mapping]] = ..., cancel_requested: _Optional[_Union[CancelRequested, _Mapping]] = ..., order_cancelled: _Optional[_Union[OrderCancelled, _Mapping]] = ..., order_kept: _Optional[_Union[OrderKept, _Mapping]] = ..., return_requested: _Optional[_Union[ReturnRequested, _Mapping]] = ..., return_received: _Optional[_Union[ReturnReceived, _Mapping]] = ..., return_inspected: _Optional[_Union[ReturnInspected, _Mapping]] = ..., refund_issued: _Optional[_Union[RefundIssued, _Mapping]] = ..., item_exchanged: _Optional[_Union[ItemExchanged, _Mapping]] = ..., label_set: _Optional[_Union[LabelSet, _Mapping]] = ..., offer_made: _Optional[_Union[OfferMade, _Mapping]] = ..., offer_closed: _Optional[_Union[OfferClosed, _Mapping]] = ...) -> None: ...

class OrderLine(_message.Message):
    __slots__ = ("line_id", "sku", "style", "category", "size", "colour", "quantity", "unit_price_minor", "unit_cost_minor", "unit_discount_minor", "supplier", "batch", "is_occasion_wear", "is_high_resale")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    COLOUR_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    UNIT_COST_MINOR_FIELD_NUMBER: _ClassVar[int]
    UNIT_DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    IS_OCCASION_WEAR_FIELD_NUMBER: _ClassVar[int]
    IS_HIGH_RESALE_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    sku: str
    style: str
    category: str
    size: str
    colour: str
    quantity: int
    unit_price_minor: int
    unit_cost_minor: int
    unit_discount_minor: int
    supplier: str
    batch: str
    is_occasion_wear: bool
    is_high_resale: bool
    def __init__(self, line_id: _Optional[str] = ..., sku: _Optional[str] = ..., style: _Optional[str] = ..., category: _Optional[str] = ..., size: _Optional[str] = ..., colour: _Optional[str] = ..., quantity: _Optional[int] = ..., unit_price_minor: _Optional[int] = ..., unit_cost_minor: _Optional[int] = ..., unit_discount_minor: _Optional[int] = ..., supplier: _Optional[str] = ..., batch: _Optional[str] = ..., is_occasion_wear: _Optional[bool] = ..., is_high_resale: _Optional[bool] = ...) -> None: ...

class OrderPlaced(_message.Message):
    __slots__ = ("order_id", "lines", "discount_minor", "coupon_hash", "tender", "gift_card_minor", "address_hash", "device_hash", "ip_hash", "payment_token_hash", "promised_delivery_time", "promotion", "return_window_days", "store_id", "region", "attributes", "customer_attributes")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    COUPON_HASH_FIELD_NUMBER: _ClassVar[int]
    TENDER_FIELD_NUMBER: _ClassVar[int]
    GIFT_CARD_MINOR_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_HASH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_HASH_FIELD_NUMBER: _ClassVar[int]
    IP_HASH_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TOKEN_HASH_FIELD_NUMBER: _ClassVar[int]
    PROMISED_DELIVERY_TIME_FIELD_NUMBER: _ClassVar[int]
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    RETURN_WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    lines: _containers.RepeatedCompositeFieldContainer[OrderLine]
    discount_minor: int
    coupon_hash: str
    tender: _common_pb2.Tender
    gift_card_minor: int
    address_hash: str
    device_hash: str
    ip_hash: str
    payment_token_hash: str
    promised_delivery_time: _timestamp_pb2.Timestamp
    promotion: str
    return_window_days: int
    store_id: str
    region: str
    attributes: str
    customer_attributes: str
    def __init__(self, order_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[OrderLine, _Mapping]]] = ..., discount_minor: _Optional[int] = ..., coupon_hash: _Optional[str] = ..., tender: _Optional[_Union[_common_pb2.Tender, str]] = ..., gift_card_minor: _Optional[int] = ..., address_hash: _Optional[str] = ..., device_hash: _Optional[str] = ..., ip_hash: _Optional[str] = ..., payment_token_hash: _Optional[str] = ..., promised_delivery_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., promotion: _Optional[str] = ..., return_window_days: _Optional[int] = ..., store_id: _Optional[str] = ..., region: _Optional[str] = ..., attributes: _Optional[str] = ..., customer_attributes: _Optional[str] = ...) -> None: ...

class OrderPaid(_message.Message):
    __slots__ = ("order_id", "amount_minor", "tender")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    TENDER_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    amount_minor: int
    tender: _common_pb2.Tender
    def __init__(self, order_id: _Optional[str] = ..., amount_minor: _Optional[int] = ..., tender: _Optional[_Union[_common_pb2.Tender, str]] = ...) -> None: ...

class PaymentFailed(_message.Message):
    __slots__ = ("order_id", "tender")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TENDER_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    tender: _common_pb2.Tender
    def __init__(self, order_id: _Optional[str] = ..., tender: _Optional[_Union[_common_pb2.Tender, str]] = ...) -> None: ...

class PaymentTimedOut(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    def __init__(self, order_id: _Optional[str] = ...) -> None: ...

class ProductViewed(_message.Message):
    __slots__ = ("sku", "style")
    SKU_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    sku: str
    style: str
    def __init__(self, sku: _Optional[str] = ..., style: _Optional[str] = ...) -> None: ...

class SizeChartViewed(_message.Message):
    __slots__ = ("style",)
    STYLE_FIELD_NUMBER: _ClassVar[int]
    style: str
    def __init__(self, style: _Optional[str] = ...) -> None: ...

class CartItemAdded(_message.Message):
    __slots__ = ("sku", "quantity", "unit_price_minor")
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    sku: str
    quantity: int
    unit_price_minor: int
    def __init__(self, sku: _Optional[str] = ..., quantity: _Optional[int] = ..., unit_price_minor: _Optional[int] = ...) -> None: ...

class CartItemRemoved(_message.Message):
    __slots__ = ("sku", "quantity")
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    sku: str
    quantity: int
    def __init__(self, sku: _Optional[str] = ..., quantity: _Optional[int] = ...) -> None: ...

class CheckoutAbandoned(_message.Message):
    __slots__ = ("cart_value_minor", "cart_age_s")
    CART_VALUE_MINOR_FIELD_NUMBER: _ClassVar[int]
    CART_AGE_S_FIELD_NUMBER: _ClassVar[int]
    cart_value_minor: int
    cart_age_s: int
    def __init__(self, cart_value_minor: _Optional[int] = ..., cart_age_s: _Optional[int] = ...) -> None: ...

class AddressChanged(_message.Message):
    __slots__ = ("order_id", "address_hash")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_HASH_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    address_hash: str
    def __init__(self, order_id: _Optional[str] = ..., address_hash: _Optional[str] = ...) -> None: ...

class ReturnPolicyAsked(_message.Message):
    __slots__ = ("sku",)
    SKU_FIELD_NUMBER: _ClassVar[int]
    sku: str
    def __init__(self, sku: _Optional[str] = ...) -> None: ...

class ServiceMessage(_message.Message):
    __slots__ = ("order_id", "message")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    message: _common_pb2.Reason
    def __init__(self, order_id: _Optional[str] = ..., message: _Optional[_Union[_common_pb2.Reason, _Mapping]] = ...) -> None: ...

class ServiceReplied(_message.Message):
    __slots__ = ("order_id", "waited_s")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    WAITED_S_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    waited_s: int
    def __init__(self, order_id: _Optional[str] = ..., waited_s: _Optional[int] = ...) -> None: ...

class ReviewPosted(_message.Message):
    __slots__ = ("sku", "rating", "review", "style")
    SKU_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    sku: str
    rating: int
    review: _common_pb2.Reason
    style: str
    def __init__(self, sku: _Optional[str] = ..., rating: _Optional[int] = ..., review: _Optional[_Union[_common_pb2.Reason, _Mapping]] = ..., style: _Optional[str] = ...) -> None: ...

class StockShort(_message.Message):
    __slots__ = ("order_id", "sku")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    sku: str
    def __init__(self, order_id: _Optional[str] = ..., sku: _Optional[str] = ...) -> None: ...

class OrderShipped(_message.Message):
    __slots__ = ("order_id", "carrier", "region")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    carrier: str
    region: str
    def __init__(self, order_id: _Optional[str] = ..., carrier: _Optional[str] = ..., region: _Optional[str] = ...) -> None: ...

class DeliveryDelayed(_message.Message):
    __slots__ = ("order_id", "promised_delivery_time", "region", "delay_s")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PROMISED_DELIVERY_TIME_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    DELAY_S_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    promised_delivery_time: _timestamp_pb2.Timestamp
    region: str
    delay_s: int
    def __init__(self, order_id: _Optional[str] = ..., promised_delivery_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., region: _Optional[str] = ..., delay_s: _Optional[int] = ...) -> None: ...

class OrderDelivered(_message.Message):
    __slots__ = ("order_id", "region")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    region: str
    def __init__(self, order_id: _Optional[str] = ..., region: _Optional[str] = ...) -> None: ...

class ParcelLost(_message.Message):
    __slots__ = ("order_id", "region")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    region: str
    def __init__(self, order_id: _Optional[str] = ..., region: _Optional[str] = ...) -> None: ...

class PriceChanged(_message.Message):
    __slots__ = ("sku", "unit_price_minor")
    SKU_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    sku: str
    unit_price_minor: int
    def __init__(self, sku: _Optional[str] = ..., unit_price_minor: _Optional[int] = ...) -> None: ...

class CompetitorPriceSeen(_message.Message):
    __slots__ = ("sku", "unit_price_minor")
    SKU_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    sku: str
    unit_price_minor: int
    def __init__(self, sku: _Optional[str] = ..., unit_price_minor: _Optional[int] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("cancel_id", "order_id", "line_id", "order_time", "delivery_time", "quantity", "unit_price_minor", "return_window_days", "stage", "delay_s", "reason", "order_channel", "unit_cost_minor", "sku", "style", "supplier", "batch", "region", "store_id", "address_hash", "device_hash", "payment_token_hash", "attributes", "customer_attributes")
    CANCEL_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    RETURN_WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DELAY_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ORDER_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_COST_MINOR_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_HASH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_HASH_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TOKEN_HASH_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    cancel_id: str
    order_id: str
    line_id: str
    order_time: _timestamp_pb2.Timestamp
    delivery_time: _timestamp_pb2.Timestamp
    quantity: int
    unit_price_minor: int
    return_window_days: int
    stage: _common_pb2.OrderStage
    delay_s: int
    reason: _common_pb2.Reason
    order_channel: _common_pb2.Channel
    unit_cost_minor: int
    sku: str
    style: str
    supplier: str
    batch: str
    region: str
    store_id: str
    address_hash: str
    device_hash: str
    payment_token_hash: str
    attributes: str
    customer_attributes: str
    def __init__(self, cancel_id: _Optional[str] = ..., order_id: _Optional[str] = ..., line_id: _Optional[str] = ..., order_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delivery_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity: _Optional[int] = ..., unit_price_minor: _Optional[int] = ..., return_window_days: _Optional[int] = ..., stage: _Optional[_Union[_common_pb2.OrderStage, str]] = ..., delay_s: _Optional[int] = ..., reason: _Optional[_Union[_common_pb2.Reason, _Mapping]] = ..., order_channel: _Optional[_Union[_common_pb2.Channel, str]] = ..., unit_cost_minor: _Optional[int] = ..., sku: _Optional[str] = ..., style: _Optional[str] = ..., supplier: _Optional[str] = ..., batch: _Optional[str] = ..., region: _Optional[str] = ..., store_id: _Optional[str] = ..., address_hash: _Optional[str] = ..., device_hash: _Optional[str] = ..., payment_token_hash: _Optional[str] = ..., attributes: _Optional[str] = ..., customer_attributes: _Optional[str] = ...) -> None: ...

class OrderCancelled(_message.Message):
    __slots__ = ("cancel_id", "order_id", "line_id", "sku", "order_time", "delivery_time", "quantity", "unit_price_minor", "return_window_days", "initiator", "stage", "reason", "offer_id", "order_channel", "style", "supplier", "batch", "region", "store_id")
    CANCEL_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    ORDER_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    RETURN_WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    INITIATOR_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    cancel_id: str
    order_id: str
    line_id: str
    sku: str
    order_time: _timestamp_pb2.Timestamp
    delivery_time: _timestamp_pb2.Timestamp
    quantity: int
    unit_price_minor: int
    return_window_days: int
    initiator: CancelInitiator
    stage: _common_pb2.OrderStage
    reason: _common_pb2.Reason
    offer_id: str
    order_channel: _common_pb2.Channel
    style: str
    supplier: str
    batch: str
    region: str
    store_id: str
    def __init__(self, cancel_id: _Optional[str] = ..., order_id: _Optional[str] = ..., line_id: _Optional[str] = ..., sku: _Optional[str] = ..., order_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delivery_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity: _Optional[int] = ..., unit_price_minor: _Optional[int] = ..., return_window_days: _Optional[int] = ..., initiator: _Optional[_Union[CancelInitiator, str]] = ..., stage: _Optional[_Union[_common_pb2.OrderStage, str]] = ..., reason: _Optional[_Union[_common_pb2.Reason, _Mapping]] = ..., offer_id: _Optional[str] = ..., order_channel: _Optional[_Union[_common_pb2.Channel, str]] = ..., style: _Optional[str] = ..., supplier: _Optional[str] = ..., batch: _Optional[str] = ..., region: _Optional[str] = ..., store_id: _Optional[str] = ...) -> None: ...

class OrderKept(_message.Message):
    __slots__ = ("cancel_id", "order_id", "offer_id", "is_offer_taken")
    CANCEL_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    IS_OFFER_TAKEN_FIELD_NUMBER: _ClassVar[int]
    cancel_id: str
    order_id: str
    offer_id: str
    is_offer_taken: bool
    def __init__(self, cancel_id: _Optional[str] = ..., order_id: _Optional[str] = ..., offer_id: _Optional[str] = ..., is_offer_taken: _Optional[bool] = ...) -> None: ...

class ReturnEvidence(_message.Message):
    __slots__ = ("is_photo_checked", "is_video_passed", "is_tag_on", "weight_g")
    IS_PHOTO_CHECKED_FIELD_NUMBER: _ClassVar[int]
    IS_VIDEO_PASSED_FIELD_NUMBER: _ClassVar[int]
    IS_TAG_ON_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_G_FIELD_NUMBER: _ClassVar[int]
    is_photo_checked: bool
    is_video_passed: bool
    is_tag_on: bool
    weight_g: int
    def __init__(self, is_photo_checked: _Optional[bool] = ..., is_video_passed: _Optional[bool] = ..., is_tag_on: _Optional[bool] = ..., weight_g: _Optional[int] = ...) -> None: ...

class ReturnRequested(_message.Message):
    __slots__ = ("return_id", "order_id", "line_id", "sku", "style", "category", "order_channel", "order_time", "delivery_time", "quantity", "unit_price_minor", "return_window_days", "has_receipt", "store_id", "refund_tender", "reason", "evidence", "unit_cost_minor", "supplier", "batch", "address_hash", "device_hash", "payment_token_hash", "is_occasion_wear", "is_high_resale", "attributes", "customer_attributes")
    RETURN_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ORDER_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ORDER_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_MINOR_FIELD_NUMBER: _ClassVar[int]
    RETURN_WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    HAS_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_TENDER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    UNIT_COST_MINOR_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_HASH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_HASH_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TOKEN_HASH_FIELD_NUMBER: _ClassVar[int]
    IS_OCCASION_WEAR_FIELD_NUMBER: _ClassVar[int]
    IS_HIGH_RESALE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    return_id: str
    order_id: str
    line_id: str
    sku: str
    style: str
    category: str
    order_channel: _common_pb2.Channel
    order_time: _timestamp_pb2.Timestamp
    delivery_time: _timestamp_pb2.Timestamp
    quantity: int
    unit_price_minor: int
    return_window_days: int
    has_receipt: bool
    store_id: str
    refund_tender: _common_pb2.Tender
    reason: _common_pb2.Reason
    evidence: ReturnEvidence
    unit_cost_minor: int
    supplier: str
    batch: str
    address_hash: str
    device_hash: str
    payment_token_hash: str
    is_occasion_wear: bool
    is_high_resale: bool
    attributes: str
    customer_attributes: str
    def __init__(self, return_id: _Optional[str] = ..., order_id: _Optional[str] = ..., line_id: _Optional[str] = ..., sku: _Optional[str] = ..., style: _Optional[str] = ..., category: _Optional[str] = ..., order_channel: _Optional[_Union[_common_pb2.Channel, str]] = ..., order_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delivery_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity: _Optional[int] = ..., unit_price_minor: _Optional[int] = ..., return_window_days: _Optional[int] = ..., has_receipt: _Optional[bool] = ..., store_id: _Optional[str] = ..., refund_tender: _Optional[_Union[_common_pb2.Tender, str]] = ..., reason: _Optional[_Union[_common_pb2.Reason, _Mapping]] = ..., evidence: _Optional[_Union[ReturnEvidence, _Mapping]] = ..., unit_cost_minor: _Optional[int] = ..., supplier: _Optional[str] = ..., batch: _Optional[str] = ..., address_hash: _Optional[str] = ..., device_hash: _Optional[str] = ..., payment_token_hash: _Optional[str] = ..., is_occasion_wear: _Optional[bool] = ..., is_high_resale: _Optional[bool] = ..., attributes: _Optional[str] = ..., customer_attributes: _Optional[str] = ...) -> None: ...

class ReturnReceived(_message.Message):
    __slots__ = ("return_id", "weight_g")
    RETURN_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_G_FIELD_NUMBER: _ClassVar[int]
    return_id: str
    weight_g: int
    def __init__(self, return_id: _Optional[str] = ..., weight_g: _Optional[int] = ...) -> None: ...

class ReturnInspected(_message.Message):
    __slots__ = ("return_id", "condition", "is_wrong_item", "is_empty_box", "sku", "style", "supplier", "batch")
    RETURN_ID_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    IS_WRONG_ITEM_FIELD_NUMBER: _ClassVar[int]
    IS_EMPTY_BOX_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    SUPPLIER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    return_id: str
    condition: Condition
    is_wrong_item: bool
    is_empty_box: bool
    sku: str
    style: str
    supplier: str
    batch: str
    def __init__(self, return_id: _Optional[str] = ..., condition: _Optional[_Union[Condition, str]] = ..., is_wrong_item: _Optional[bool] = ..., is_empty_box: _Optional[bool] = ..., sku: _Optional[str] = ..., style: _Optional[str] = ..., supplier: _Optional[str] = ..., batch: _Optional[str] = ...) -> None: ...

class RefundIssued(_message.Message):
    __slots__ = ("return_id", "order_id", "amount_minor", "tender")
    RETURN_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    TENDER_FIELD_NUMBER: _ClassVar[int]
    return_id: str
    order_id: str
    amount_minor: int
    tender: _common_pb2.Tender
    def __init__(self, return_id: _Optional[str] = ..., order_id: _Optional[str] = ..., amount_minor: _Optional[int] = ..., tender: _Optional[_Union[_common_pb2.Tender, str]] = ...) -> None: ...

class ItemExchanged(_message.Message):
    __slots__ = ("return_id", "sku")
    RETURN_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    return_id: str
    sku: str
    def __init__(self, return_id: _Optional[str] = ..., sku: _Optional[str] = ...) -> None: ...

class LabelSet(_message.Message):
    __slots__ = ("case_event_id", "label", "effective_time", "is_reversal", "address_hash", "device_hash", "payment_token_hash", "store_id", "origin", "propensity")
    CASE_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_REVERSAL_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_HASH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_HASH_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TOKEN_HASH_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    case_event_id: str
    label: LabelKind
    effective_time: _timestamp_pb2.Timestamp
    is_reversal: bool
    address_hash: str
    device_hash: str
    payment_token_hash: str
    store_id: str
    origin: LabelOrigin
    propensity: float
    def __init__(self, case_event_id: _Optional[str] = ..., label: _Optional[_Union[LabelKind, str]] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_reversal: _Optional[bool] = ..., address_hash: _Optional[str] = ..., device_hash: _Optional[str] = ..., payment_token_hash: _Optional[str] = ..., store_id: _Optional[str] = ..., origin: _Optional[_Union[LabelOrigin, str]] = ..., propensity: _Optional[float] = ...) -> None: ...

class OfferMade(_message.Message):
    __slots__ = ("offer_id", "case_event_id", "gesture", "cost_minor", "propensity")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    GESTURE_FIELD_NUMBER: _ClassVar[int]
    COST_MINOR_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    case_event_id: str
    gesture: str
    cost_minor: int
    propensity: float
    def __init__(self, offer_id: _Optional[str] = ..., case_event_id: _Optional[str] = ..., gesture: _Optional[str] = ..., cost_minor: _Optional[int] = ..., propensity: _Optional[float] = ...) -> None: ...

class OfferClosed(_message.Message):
    __slots__ = ("offer_id", "result", "cost_minor")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    COST_MINOR_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    result: OfferResult
    cost_minor: int
    def __init__(self, offer_id: _Optional[str] = ..., result: _Optional[_Union[OfferResult, str]] = ..., cost_minor: _Optional[int] = ...) -> None: ...
