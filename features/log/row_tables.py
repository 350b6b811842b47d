"""From where in an event's cells each field of a row comes: tables for the compiled passes.

Derived from the names of the protos' fields; `features.log.columns` states the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
import numpy.typing as npt

from features.entities import N_ENTITIES, Entity
from features.fold_rows import FAN_OUT, FOLDED_KINDS, FoldFlag, FoldKind
from features.log.cells import CELL, KIND_NUMBER, LINE_CELL, PRESENCE_BIT
from hemostat.v1 import common_pb2, event_pb2

NONE = -1
CUSTOMER_ID = -2
"""Stands for the envelope's customer where a cell is expected."""

_ID_FIELDS: dict[Entity, str] = {
    Entity.SKU: "sku",
    Entity.STYLE: "style",
    Entity.SUPPLIER: "supplier",
    Entity.BATCH: "batch",
    Entity.REGION: "region",
    Entity.STORE: "store_id",
    Entity.DEVICE: "device_hash",
    Entity.ADDRESS: "address_hash",
    Entity.PAYMENT_TOKEN: "payment_token_hash",
}
"""Field of a payload, or of an order line, that names an entity."""

_N_KINDS = len(KIND_NUMBER) + 1
_FOLD_KIND = {**dict.fromkeys(KIND_NUMBER, 0), **FOLDED_KINDS}


def _find_id(kind: str, entity: Entity) -> int:
    """Return the first cell of an entity's id; `NONE` if the kind has no such field."""
    if entity in (Entity.CUSTOMER, Entity.ACTIVITY):
        return CUSTOMER_ID
    return CELL.get((kind, _ID_FIELDS[entity]), NONE)


def _find_line_id(entity: Entity) -> int:
    if entity in (Entity.CUSTOMER, Entity.ACTIVITY):
        return CUSTOMER_ID
    return LINE_CELL.get(_ID_FIELDS.get(entity, ""), NONE)


FOLD_KIND = np.array([0, *(_FOLD_KIND[kind] for kind in KIND_NUMBER)], np.int64)
"""Kind of an event to `FoldKind`, 0: it folds nowhere."""

ID_CELL = np.full((_N_KINDS, N_ENTITIES), NONE, np.int64)
"""(kind, entity) to the first cell of the id that names it."""
for _kind, _number in KIND_NUMBER.items():
    ID_CELL[_number] = [_find_id(_kind, entity) for entity in Entity]

LINE_ID_CELL = np.array([_find_line_id(entity) for entity in Entity], np.int64)
"""Entity to the first cell, in an order line, of the id that names it."""


def _lay_out_fan() -> npt.NDArray[np.int64]:
    fan = np.full((len(FoldKind) + 1, N_ENTITIES), NONE, np.int64)
    for kind, entities in FAN_OUT.items():
        fan[kind, : len(entities)] = entities
    return fan


FAN = _lay_out_fan()
"""(fold kind, n) to its n-th entity, then `NONE`."""

N_FAN = np.count_nonzero(FAN != NONE, axis=1)
"""Fold kind to the number of its entities."""

NEEDS_CUSTOMER = np.array(
    [e in (Entity.CUSTOMER, Entity.ACTIVITY) or e >= Entity.DEVICE for e in Entity], np.bool_
)
"""Entity: only events of a customer reach it."""


class Source(IntEnum):
    """Column of `SOURCES`: which cell (or presence bit) a field comes from."""

    QUANTITY = 0
    UNIT_PRICE = auto()
    VALUE = auto()
    AMOUNT = auto()
    ORDER = auto()
    RETURN = auto()
    STYLE = auto()
    STORE = auto()
    WEIGHT = auto()
    REASON = auto()
    EMBEDDER = auto()
    SENTIMENT = auto()
    HAS_SENTIMENT = auto()
    """A bit, not a cell."""
    STAGE = auto()
    CONDITION = auto()


_REASONS = {
    "cancel_requested": "reason",
    "order_cancelled": "reason",
    "return_requested": "reason",
    "service_message": "message",
    "review_posted": "review",
}
_WITH_VALUE = ("cancel_requested", "order_cancelled", "return_requested")
_PATHS: dict[Source, dict[str, str]] = {
    Source.QUANTITY: dict.fromkeys(_WITH_VALUE, "quantity"),
    Source.UNIT_PRICE: dict.fromkeys(_WITH_VALUE, "unit_price_minor"),
    Source.VALUE: {
        "refund_issued": "amount_minor",
        "price_changed": "unit_price_minor",
        "competitor_price_seen": "unit_price_minor",
        "offer_made": "cost_minor",
        "offer_closed": "cost_minor",
    },
    Source.AMOUNT: {
        "service_replied": "waited_s",
        "delivery_delayed": "delay_s",
        "checkout_abandoned": "cart_age_s",
        "return_received": "weight_g",
        "review_posted": "rating",
    },
    Source.ORDER: {"return_requested": "order_id"},
    Source.RETURN: dict.fromkeys(
        ("return_requested", "return_received", "return_inspected"), "return_id"
    ),
    Source.STYLE: dict.fromkeys(("return_requested", "size_chart_viewed"), "style"),
    Source.STORE: {"return_requested": "store_id"},
    Source.WEIGHT: {"return_requested": "evidence.weight_g"},
    Source.REASON: {kind: f"{name}.code" for kind, name in _REASONS.items()},
    Source.EMBEDDER: {kind: f"{name}.embedder" for kind, name in _REASONS.items()},
    Source.SENTIMENT: {kind: f"{name}.sentiment" for kind, name in _REASONS.items()},
    Source.HAS_SENTIMENT: {kind: f"{name}.sentiment" for kind, name in _REASONS.items()},
    Source.STAGE: dict.fromkeys(("cancel_requested", "order_cancelled"), "stage"),
    Source.CONDITION: {"return_inspected": "condition"},
}

SOURCES = np.full((_N_KINDS, len(Source)), NONE, np.int64)
"""(kind, `Source`) to a cell, or to a bit of `present`; `NONE`: the field is 0."""
for _source, _paths in _PATHS.items():
    _places = PRESENCE_BIT if _source is Source.HAS_SENTIMENT else CELL
    for _kind, _path in _paths.items():
        SOURCES[KIND_NUMBER[_kind], _source] = _places[_kind, _path]


@dataclass(frozen=True, slots=True)
class _FlagRule:
    """A flag that is set if a cell holds a value; None: if a string is not empty."""

    kind: str
    path: str
    value: int | None
    flag: int


_TRUE = 1
_FLAG_RULES = (
    _FlagRule(
        "order_cancelled",
        "initiator",
        event_pb2.CANCEL_INITIATOR_CUSTOMER,
        FoldFlag.IS_BY_CUSTOMER,
    ),
    _FlagRule("order_kept", "is_offer_taken", _TRUE, FoldFlag.IS_OFFER_TAKEN),
    _FlagRule(
        "return_requested", "refund_tender", common_pb2.TENDER_GIFT_CARD, FoldFlag.IS_GIFT_CARD
    ),
    _FlagRule("return_requested", "is_occasion_wear", _TRUE, FoldFlag.IS_OCCASION),
    _FlagRule("return_requested", "is_high_resale", _TRUE, FoldFlag.IS_HIGH_RESALE),
    _FlagRule("return_requested", "evidence.is_photo_checked", _TRUE, FoldFlag.IS_PHOTO_CHECKED),
    _FlagRule("return_requested", "evidence.is_video_passed", _TRUE, FoldFlag.IS_VIDEO_PASSED),
    _FlagRule("return_requested", "evidence.is_tag_on", _TRUE, FoldFlag.IS_TAG_ON),
    _FlagRule("return_inspected", "is_wrong_item", _TRUE, FoldFlag.IS_WRONG_ITEM),
    _FlagRule("return_inspected", "is_empty_box", _TRUE, FoldFlag.IS_EMPTY_BOX),
    _FlagRule("refund_issued", "tender", common_pb2.TENDER_GIFT_CARD, FoldFlag.IS_GIFT_CARD),
    _FlagRule("refund_issued", "return_id", None, FoldFlag.HAS_RETURN),
    _FlagRule(
        "label_set", "label", event_pb2.LABEL_KIND_ABUSE_CONFIRMED, FoldFlag.IS_ABUSE_CONFIRMED
    ),
    _FlagRule(
        "label_set",
        "label",
        event_pb2.LABEL_KIND_CHARGEBACK,
        FoldFlag.IS_ABUSE_CONFIRMED | FoldFlag.IS_CHARGEBACK,
    ),
    _FlagRule("label_set", "label", event_pb2.LABEL_KIND_ABUSE_CLEARED, FoldFlag.IS_ABUSE_CLEARED),
    _FlagRule("label_set", "label", event_pb2.LABEL_KIND_APPEAL_UPHELD, FoldFlag.IS_APPEAL_UPHELD),
    _FlagRule("label_set", "is_reversal", _TRUE, FoldFlag.IS_REVERSAL),
    _FlagRule(
        "offer_closed", "result", event_pb2.OFFER_RESULT_ACCEPTED, FoldFlag.IS_OFFER_ACCEPTED
    ),
    _FlagRule("offer_closed", "result", event_pb2.OFFER_RESULT_REFUSED, FoldFlag.IS_OFFER_REFUSED),
    _FlagRule("offer_closed", "result", event_pb2.OFFER_RESULT_EXPIRED, FoldFlag.IS_OFFER_EXPIRED),
)
"""Flags that follow from one cell; those that compare fields are in `fan_out`."""


def _lay_out_flags() -> npt.NDArray[np.int64]:
    by_kind = {kind: [r for r in _FLAG_RULES if r.kind == kind] for kind in KIND_NUMBER}
    table = np.full((_N_KINDS, max(map(len, by_kind.values())), 3), NONE, np.int64)
    for kind, rules in by_kind.items():
        for place, rule in enumerate(rules):
            value = NONE if rule.value is None else rule.value
            table[KIND_NUMBER[kind], place] = (CELL[kind, rule.path], value, rule.flag)
    return table


FLAGS = _lay_out_flags()
"""(kind, n) to the n-th flag rule: cell, value (`NONE`: not an empty string), flag."""
