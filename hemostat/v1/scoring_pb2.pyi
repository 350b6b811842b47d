import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hemostat.v1 import common_pb2 as _common_pb2
from hemostat.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Target(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TARGET_UNSPECIFIED: _ClassVar[Target]
    TARGET_ABUSE: _ClassVar[Target]
    TARGET_CANCEL: _ClassVar[Target]
    TARGET_RETURN: _ClassVar[Target]
    TARGET_RETURN_OR_CANCEL_30D: _ClassVar[Target]

class LabelSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_SOURCE_UNSPECIFIED: _ClassVar[LabelSource]
    LABEL_SOURCE_TENANT: _ClassVar[LabelSource]
    LABEL_SOURCE_SIMULATED: _ClassVar[LabelSource]

class Hint(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HINT_UNSPECIFIED: _ClassVar[Hint]
    HINT_APPROVE: _ClassVar[Hint]
    HINT_VERIFY: _ClassVar[Hint]

class BudgetLimit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_LIMIT_UNSPECIFIED: _ClassVar[BudgetLimit]
    BUDGET_LIMIT_MARGIN_CAP: _ClassVar[BudgetLimit]
    BUDGET_LIMIT_TIER_CAP: _ClassVar[BudgetLimit]
    BUDGET_LIMIT_FLAGGED_ABUSE: _ClassVar[BudgetLimit]
    BUDGET_LIMIT_WOULD_STAY: _ClassVar[BudgetLimit]

class MarginSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_SOURCE_UNSPECIFIED: _ClassVar[MarginSource]
    MARGIN_SOURCE_UNIT_COST: _ClassVar[MarginSource]
    MARGIN_SOURCE_POLICY_DEFAULT: _ClassVar[MarginSource]

class CustomerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CUSTOMER_STATE_UNSPECIFIED: _ClassVar[CustomerState]
    CUSTOMER_STATE_KNOWN: _ClassVar[CustomerState]
    CUSTOMER_STATE_NEW: _ClassVar[CustomerState]
    CUSTOMER_STATE_GUEST: _ClassVar[CustomerState]
    CUSTOMER_STATE_UNAVAILABLE: _ClassVar[CustomerState]

class Degradation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_UNSPECIFIED: _ClassVar[Degradation]
    DEGRADATION_STORE_UNAVAILABLE: _ClassVar[Degradation]
    DEGRADATION_STALE: _ClassVar[Degradation]
    DEGRADATION_MODEL_UNAVAILABLE: _ClassVar[Degradation]
    DEGRADATION_DECISION_LOG_UNAVAILABLE: _ClassVar[Degradation]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_APPROVED: _ClassVar[Outcome]
    OUTCOME_VERIFIED_PASSED: _ClassVar[Outcome]
    OUTCOME_VERIFIED_FAILED: _ClassVar[Outcome]
    OUTCOME_OVERRIDDEN: _ClassVar[Outcome]
    OUTCOME_KEPT: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]
    OUTCOME_APPEAL_UPHELD: _ClassVar[Outcome]

class PublishStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PUBLISH_STATUS_UNSPECIFIED: _ClassVar[PublishStatus]
    PUBLISH_STATUS_ACCEPTED: _ClassVar[PublishStatus]
    PUBLISH_STATUS_REJECTED: _ClassVar[PublishStatus]
    PUBLISH_STATUS_ERASED: _ClassVar[PublishStatus]
TARGET_UNSPECIFIED: Target
TARGET_ABUSE: Target
TARGET_CANCEL: Target
TARGET_RETURN: Target
TARGET_RETURN_OR_CANCEL_30D: Target
LABEL_SOURCE_UNSPECIFIED: LabelSource
LABEL_SOURCE_TENANT: LabelSource
LABEL_SOURCE_SIMULATED: LabelSource
HINT_UNSPECIFIED: Hint
HINT_APPROVE: Hint
HINT_VERIFY: Hint
BUDGET_LIMIT_UNSPECIFIED: BudgetLimit
BUDGET_LIMIT_MARGIN_CAP: BudgetLimit
BUDGET_LIMIT_TIER_CAP: BudgetLimit
BUDGET_LIMIT_FLAGGED_ABUSE: BudgetLimit
BUDGET_LIMIT_WOULD_STAY: BudgetLimit
MARGIN_SOURCE_UNSPECIFIED: MarginSource
MARGIN_SOURCE_UNIT_COST: MarginSource
MARGIN_SOURCE_POLICY_DEFAULT: MarginSource
CUSTOMER_STATE_UNSPECIFIED: CustomerState
CUSTOMER_STATE_KNOWN: CustomerState
CUSTOMER_STATE_NEW: CustomerState
CUSTOMER_STATE_GUEST: CustomerState
CUSTOMER_STATE_UNAVAILABLE: CustomerState
DEGRADATION_UNSPECIFIED: Degradation
DEGRADATION_STORE_UNAVAILABLE: Degradation
DEGRADATION_STALE: Degradation
DEGRADATION_MODEL_UNAVAILABLE: Degradation
DEGRADATION_DECISION_LOG_UNAVAILABLE: Degradation
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_APPROVED: Outcome
OUTCOME_VERIFIED_PASSED: Outcome
OUTCOME_VERIFIED_FAILED: Outcome
OUTCOME_OVERRIDDEN: Outcome
OUTCOME_KEPT: Outcome
OUTCOME_CANCELLED: Outcome
OUTCOME_APPEAL_UPHELD: Outcome
PUBLISH_STATUS_UNSPECIFIED: PublishStatus
PUBLISH_STATUS_ACCEPTED: PublishStatus
PUBLISH_STATUS_REJECTED: PublishStatus
PUBLISH_STATUS_ERASED: PublishStatus

class ScoreRequest(_message.Message):
    __slots__ = ("request_id", "tenant", "event_id", "customer_id", "channel", "order", "cancellation", "return_request")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    RETURN_REQUEST_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant: str
    event_id: str
    customer_id: str
    channel: _common_pb2.Channel
    order: _event_pb2.OrderPlaced
    cancellation: _event_pb2.CancelRequested
    return_request: _event_pb2.ReturnRequested
    def __init__(self, request_id: _Optional[str] = ..., tenant: _Optional[str] = ..., event_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., channel: _Optional[_Union[_common_pb2.Channel, str]] = ..., order: _Optional[_Union[_event_pb2.OrderPlaced, _Mapping]] = ..., cancellation: _Optional[_Union[_event_pb2.CancelRequested, _Mapping]] = ..., return_request: _Optional[_Union[_event_pb2.ReturnRequested, _Mapping]] = ...) -> None: ...

class HeadScore(_message.Message):
    __slots__ = ("target", "probability", "source", "line_id", "segment")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    target: Target
    probability: float
    source: LabelSource
    line_id: str
    segment: str
    def __init__(self, target: _Optional[_Union[Target, str]] = ..., probability: _Optional[float] = ..., source: _Optional[_Union[LabelSource, str]] = ..., line_id: _Optional[str] = ..., segment: _Optional[str] = ...) -> None: ...

class ReasonDetail(_message.Message):
    __slots__ = ("code", "text", "feature", "value", "contribution_log_odds", "target")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_LOG_ODDS_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    code: str
    text: _common_pb2.LocalizedText
    feature: str
    value: float
    contribution_log_odds: float
    target: Target
    def __init__(self, code: _Optional[str] = ..., text: _Optional[_Union[_common_pb2.LocalizedText, _Mapping]] = ..., feature: _Optional[str] = ..., value: _Optional[float] = ..., contribution_log_odds: _Optional[float] = ..., target: _Optional[_Union[Target, str]] = ...) -> None: ...

class CompensationBudget(_message.Message):
    __slots__ = ("amount_minor", "margin_minor", "margin_source", "limit", "tier", "rfm_score")
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MINOR_FIELD_NUMBER: _ClassVar[int]
    MARGIN_SOURCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    RFM_SCORE_FIELD_NUMBER: _ClassVar[int]
    amount_minor: int
    margin_minor: int
    margin_source: MarginSource
    limit: BudgetLimit
    tier: str
    rfm_score: float
    def __init__(self, amount_minor: _Optional[int] = ..., margin_minor: _Optional[int] = ..., margin_source: _Optional[_Union[MarginSource, str]] = ..., limit: _Optional[_Union[BudgetLimit, str]] = ..., tier: _Optional[str] = ..., rfm_score: _Optional[float] = ...) -> None: ...

class Freshness(_message.Message):
    __slots__ = ("customer_state", "shard_lag_s", "record_age_s")
    CUSTOMER_STATE_FIELD_NUMBER: _ClassVar[int]
    SHARD_LAG_S_FIELD_NUMBER: _ClassVar[int]
    RECORD_AGE_S_FIELD_NUMBER: _ClassVar[int]
    customer_state: CustomerState
    shard_lag_s: float
    record_age_s: float
    def __init__(self, customer_state: _Optional[_Union[CustomerState, str]] = ..., shard_lag_s: _Optional[float] = ..., record_age_s: _Optional[float] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("decision_id", "request_id", "p_abuse", "p_cancel", "heads", "hint", "shadow_hint", "abuse_source", "check", "reasons", "budget", "freshness", "degradations", "model_version", "policy_version", "evaluated_time", "server_latency_us", "is_replay_clock", "is_audit")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    P_ABUSE_FIELD_NUMBER: _ClassVar[int]
    P_CANCEL_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    SHADOW_HINT_FIELD_NUMBER: _ClassVar[int]
    ABUSE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_TIME_FIELD_NUMBER: _ClassVar[int]
    SERVER_LATENCY_US_FIELD_NUMBER: _ClassVar[int]
    IS_REPLAY_CLOCK_FIELD_NUMBER: _ClassVar[int]
    IS_AUDIT_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    request_id: str
    p_abuse: float
    p_cancel: float
    heads: _containers.RepeatedCompositeFieldContainer[HeadScore]
    hint: Hint
    shadow_hint: Hint
    abuse_source: LabelSource
    check: _common_pb2.LocalizedText
    reasons: _containers.RepeatedCompositeFieldContainer[ReasonDetail]
    budget: CompensationBudget
    freshness: Freshness
    degradations: _containers.RepeatedScalarFieldContainer[Degradation]
    model_version: str
    policy_version: str
    evaluated_time: _timestamp_pb2.Timestamp
    server_latency_us: int
    is_replay_clock: bool
    is_audit: bool
    def __init__(self, decision_id: _Optional[str] = ..., request_id: _Optional[str] = ..., p_abuse: _Optional[float] = ..., p_cancel: _Optional[float] = ..., heads: _Optional[_Iterable[_Union[HeadScore, _Mapping]]] = ..., hint: _Optional[_Union[Hint, str]] = ..., shadow_hint: _Optional[_Union[Hint, str]] = ..., abuse_source: _Optional[_Union[LabelSource, str]] = ..., check: _Optional[_Union[_common_pb2.LocalizedText, _Mapping]] = ..., reasons: _Optional[_Iterable[_Union[ReasonDetail, _Mapping]]] = ..., budget: _Optional[_Union[CompensationBudget, _Mapping]] = ..., freshness: _Optional[_Union[Freshness, _Mapping]] = ..., degradations: _Optional[_Iterable[_Union[Degradation, str]]] = ..., model_version: _Optional[str] = ..., policy_version: _Optional[str] = ..., evaluated_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., server_latency_us: _Optional[int] = ..., is_replay_clock: _Optional[bool] = ..., is_audit: _Optional[bool] = ...) -> None: ...

class ScoreBatchRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[ScoreRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[ScoreRequest, _Mapping]]] = ...) -> None: ...

class ScoreResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: ScoreResponse
    error: ScoreError
    def __init__(self, response: _Optional[_Union[ScoreResponse, _Mapping]] = ..., error: _Optional[_Union[ScoreError, _Mapping]] = ...) -> None: ...

class ScoreError(_message.Message):
    __slots__ = ("field", "message")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    field: str
    message: str
    def __init__(self, field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ScoreBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ScoreResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ScoreResult, _Mapping]]] = ...) -> None: ...

class RecordOutcomeRequest(_message.Message):
    __slots__ = ("decision_id", "outcome_id", "outcome", "outcome_time", "spent_minor", "tenant")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_TIME_FIELD_NUMBER: _ClassVar[int]
    SPENT_MINOR_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    outcome_id: str
    outcome: Outcome
    outcome_time: _timestamp_pb2.Timestamp
    spent_minor: int
    tenant: str
    def __init__(self, decision_id: _Optional[str] = ..., outcome_id: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., outcome_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., spent_minor: _Optional[int] = ..., tenant: _Optional[str] = ...) -> None: ...

class RecordOutcomeResponse(_message.Message):
    __slots__ = ("is_duplicate",)
    IS_DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    is_duplicate: bool
    def __init__(self, is_duplicate: _Optional[bool] = ...) -> None: ...

class PublishEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ...) -> None: ...

class EventError(_message.Message):
    __slots__ = ("reason", "field", "value", "expectation", "fix")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECTATION_FIELD_NUMBER: _ClassVar[int]
    FIX_FIELD_NUMBER: _ClassVar[int]
    reason: str
    field: str
    value: str
    expectation: str
    fix: str
    def __init__(self, reason: _Optional[str] = ..., field: _Optional[str] = ..., value: _Optional[str] = ..., expectation: _Optional[str] = ..., fix: _Optional[str] = ...) -> None: ...

class PublishResult(_message.Message):
    __slots__ = ("status", "error", "partition", "offset")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    status: PublishStatus
    error: EventError
    partition: int
    offset: int
    def __init__(self, status: _Optional[_Union[PublishStatus, str]] = ..., error: _Optional[_Union[EventError, _Mapping]] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class PublishEventsResponse(_message.Message):
    __slots__ = ("results", "ingest_time")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    INGEST_TIME_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[PublishResult]
    ingest_time: _timestamp_pb2.Timestamp
    def __init__(self, results: _Optional[_Iterable[_Union[PublishResult, _Mapping]]] = ..., ingest_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DecisionRecord(_message.Message):
    __slots__ = ("decision_id", "request_id", "tenant", "evaluated_time", "vectors", "schema_hash", "bundle_hash", "policy_version", "response", "outcomes", "request_hash", "call", "compressed_vectors", "subject", "event_id", "verify_propensity", "audit_propensity", "n_columns")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_TIME_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_HASH_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_HASH_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_HASH_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_VECTORS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERIFY_PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    AUDIT_PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    N_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    request_id: str
    tenant: str
    evaluated_time: _timestamp_pb2.Timestamp
    vectors: bytes
    schema_hash: str
    bundle_hash: str
    policy_version: str
    response: ScoreResponse
    outcomes: _containers.RepeatedCompositeFieldContainer[RecordOutcomeRequest]
    request_hash: bytes
    call: str
    compressed_vectors: bytes
    subject: bytes
    event_id: str
    verify_propensity: float
    audit_propensity: float
    n_columns: int
    def __init__(self, decision_id: _Optional[str] = ..., request_id: _Optional[str] = ..., tenant: _Optional[str] = ..., evaluated_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vectors: _Optional[bytes] = ..., schema_hash: _Optional[str] = ..., bundle_hash: _Optional[str] = ..., policy_version: _Optional[str] = ..., response: _Optional[_Union[ScoreResponse, _Mapping]] = ..., outcomes: _Optional[_Iterable[_Union[RecordOutcomeRequest, _Mapping]]] = ..., request_hash: _Optional[bytes] = ..., call: _Optional[str] = ..., compressed_vectors: _Optional[bytes] = ..., subject: _Optional[bytes] = ..., event_id: _Optional[str] = ..., verify_propensity: _Optional[float] = ..., audit_propensity: _Optional[float] = ..., n_columns: _Optional[int] = ...) -> None: ...
