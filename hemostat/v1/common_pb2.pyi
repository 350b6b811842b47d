from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Channel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_UNSPECIFIED: _ClassVar[Channel]
    CHANNEL_WEB: _ClassVar[Channel]
    CHANNEL_APP: _ClassVar[Channel]
    CHANNEL_STORE: _ClassVar[Channel]
    CHANNEL_PHONE: _ClassVar[Channel]
    CHANNEL_TAOBAO: _ClassVar[Channel]
    CHANNEL_TMALL: _ClassVar[Channel]
    CHANNEL_JD: _ClassVar[Channel]
    CHANNEL_DOUYIN: _ClassVar[Channel]
    CHANNEL_PDD: _ClassVar[Channel]
    CHANNEL_WECHAT: _ClassVar[Channel]
    CHANNEL_AMAZON: _ClassVar[Channel]
    CHANNEL_OTHER: _ClassVar[Channel]

class ReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_CODE_UNSPECIFIED: _ClassVar[ReasonCode]
    REASON_CODE_SIZE_TOO_SMALL: _ClassVar[ReasonCode]
    REASON_CODE_SIZE_TOO_LARGE: _ClassVar[ReasonCode]
    REASON_CODE_NOT_AS_DESCRIBED: _ClassVar[ReasonCode]
    REASON_CODE_QUALITY_DEFECT: _ClassVar[ReasonCode]
    REASON_CODE_DAMAGED_IN_TRANSIT: _ClassVar[ReasonCode]
    REASON_CODE_WRONG_ITEM: _ClassVar[ReasonCode]
    REASON_CODE_LATE_DELIVERY: _ClassVar[ReasonCode]
    REASON_CODE_NOT_DELIVERED: _ClassVar[ReasonCode]
    REASON_CODE_CHANGED_MIND: _ClassVar[ReasonCode]
    REASON_CODE_BETTER_PRICE: _ClassVar[ReasonCode]
    REASON_CODE_ORDERED_BY_MISTAKE: _ClassVar[ReasonCode]
    REASON_CODE_IMPULSE: _ClassVar[ReasonCode]
    REASON_CODE_GIFT: _ClassVar[ReasonCode]
    REASON_CODE_OTHER: _ClassVar[ReasonCode]

class Tender(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TENDER_UNSPECIFIED: _ClassVar[Tender]
    TENDER_CARD: _ClassVar[Tender]
    TENDER_CASH: _ClassVar[Tender]
    TENDER_GIFT_CARD: _ClassVar[Tender]
    TENDER_WALLET: _ClassVar[Tender]
    TENDER_CASH_ON_DELIVERY: _ClassVar[Tender]
    TENDER_PAY_LATER: _ClassVar[Tender]
    TENDER_INVOICE: _ClassVar[Tender]

class OrderStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STAGE_UNSPECIFIED: _ClassVar[OrderStage]
    ORDER_STAGE_UNPAID: _ClassVar[OrderStage]
    ORDER_STAGE_PAID: _ClassVar[OrderStage]
    ORDER_STAGE_FULFILMENT: _ClassVar[OrderStage]
    ORDER_STAGE_SHIPPED: _ClassVar[OrderStage]
    ORDER_STAGE_DELIVERED: _ClassVar[OrderStage]
CHANNEL_UNSPECIFIED: Channel
CHANNEL_WEB: Channel
CHANNEL_APP: Channel
CHANNEL_STORE: Channel
CHANNEL_PHONE: Channel
CHANNEL_TAOBAO: Channel
CHANNEL_TMALL: Channel
CHANNEL_JD: Channel
CHANNEL_DOUYIN: Channel
CHANNEL_PDD: Channel
CHANNEL_WECHAT: Channel
CHANNEL_AMAZON: Channel
CHANNEL_OTHER: Channel
REASON_CODE_UNSPECIFIED: ReasonCode
REASON_CODE_SIZE_TOO_SMALL: ReasonCode
REASON_CODE_SIZE_TOO_LARGE: ReasonCode
REASON_CODE_NOT_AS_DESCRIBED: ReasonCode
REASON_CODE_QUALITY_DEFECT: ReasonCode
REASON_CODE_DAMAGED_IN_TRANSIT: ReasonCode
REASON_CODE_WRONG_ITEM: ReasonCode
REASON_CODE_LATE_DELIVERY: ReasonCode
REASON_CODE_NOT_DELIVERED: ReasonCode
REASON_CODE_CHANGED_MIND: ReasonCode
REASON_CODE_BETTER_PRICE: ReasonCode
REASON_CODE_ORDERED_BY_MISTAKE: ReasonCode
REASON_CODE_IMPULSE: ReasonCode
REASON_CODE_GIFT: ReasonCode
REASON_CODE_OTHER: ReasonCode
TENDER_UNSPECIFIED: Tender
TENDER_CARD: Tender
TENDER_CASH: Tender
TENDER_GIFT_CARD: Tender
TENDER_WALLET: Tender
TENDER_CASH_ON_DELIVERY: Tender
TENDER_PAY_LATER: Tender
TENDER_INVOICE: Tender
ORDER_STAGE_UNSPECIFIED: OrderStage
ORDER_STAGE_UNPAID: OrderStage
ORDER_STAGE_PAID: OrderStage
ORDER_STAGE_FULFILMENT: OrderStage
ORDER_STAGE_SHIPPED: OrderStage
ORDER_STAGE_DELIVERED: OrderStage

class Reason(_message.Message):
    __slots__ = ("code", "text", "embedding", "embedder", "sentiment")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    SENTIMENT_FIELD_NUMBER: _ClassVar[int]
    code: ReasonCode
    text: str
    embedding: bytes
    embedder: str
    sentiment: int
    def __init__(self, code: _Optional[_Union[ReasonCode, str]] = ..., text: _Optional[str] = ..., embedding: _Optional[bytes] = ..., embedder: _Optional[str] = ..., sentiment: _Optional[int] = ...) -> None: ...

class LocalizedText(_message.Message):
    __slots__ = ("en", "zh_cn")
    EN_FIELD_NUMBER: _ClassVar[int]
    ZH_CN_FIELD_NUMBER: _ClassVar[int]
    en: str
    zh_cn: str
    def __init__(self, en: _Optional[str] = ..., zh_cn: _Optional[str] = ...) -> None: ...
