from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.embedding import EMBEDDER, embed_text
from features.log import kind_rules, structs
from features.log.assemble import build_batch
from features.log.jsonl import EventDecoder
from features.log.reader import EventLog
from features.log.schema import KIND_SPECS, MessageSpec
from features.log.validation import AcceptanceRules, RejectionReason, validate_batch
from hemostat.v1 import event_pb2
from tests.features.log.event_strategies import LAW, events, to_line

_T = 1_772_366_400_000_000
_S = 1_000_000
_DAY = 86_400 * _S


def _event(**changes: Any) -> Any:
    fields = {"event_id": "e1", "tenant": "demo", "event_time": _T, "ingest_time": _T,
              "customer_id": "c1", "channel": "CHANNEL_WEB", **changes}  # fmt: skip
    fields.setdefault("parcel_lost", structs.ParcelLost(order_id="o1"))
    return structs.Event(**{k: v for k, v in fields.items() if v is not None})


def _kind(**payload: Any) -> Any:
    return _event(parcel_lost=None, **payload)


def _order(**changes: Any) -> Any:
    line = structs.OrderLine(quantity=1, unit_price_minor=100)
    return _kind(order_placed=structs.OrderPlaced(**{"lines": [line], **changes}))


def _lines(*lines: dict[str, Any]) -> Any:
    good = {"quantity": 1, "unit_price_minor": 100}
    return _order(lines=[structs.OrderLine(**{**good, **line}) for line in lines])


def _return(**changes: Any) -> Any:
    good = {"quantity": 1, "unit_price_minor": 100}
    return _kind(return_requested=structs.ReturnRequested(**{**good, **changes}))


def _reason(**fields: Any) -> Any:
    return _return(reason=structs.Reason(**fields))


_VECTOR = embed_text("too small").tobytes()

_GOOD = {
    "plain": _event(),
    "guest": _event(customer_id=""),
    "no channel": _event(channel=0),
    "thirty days late": _event(ingest_time=_T + 30 * _DAY),
    "five minutes ahead": _event(event_time=_T + 300 * _S),
    "known in five minutes": _event(known_at=_T + 300 * _S),
    "order": _order(),
    "dear order": _lines({"quantity": 10, "unit_price_minor": 10**12}),
    "return without anything": _return(),
    "delivered at once": _return(order_time=_T, delivery_time=_T),
    "ordered in five minutes": _return(order_time=_T + 300 * _S),
    "delivery only": _return(delivery_time=_T - _DAY),
    "embedding": _reason(embedding=_VECTOR, embedder=EMBEDDER),
    "code only": _reason(code=4),
    "label": _kind(label_set=structs.LabelSet(case_event_id="e0", label=1)),
    "offer": _kind(offer_made=structs.OfferMade(propensity=1.0)),
    "weight unknown": _return(evidence=structs.ReturnEvidence(is_tag_on=True)),
}


@pytest.mark.parametrize("event", _GOOD.values(), ids=_GOOD.keys())
def test_good_events_are_accepted(event: Any) -> None:
    batch = build_batch([event])
    split = validate_batch(batch)
    assert split.rejected == ()
    assert split.valid.equals(batch)


_MISSING, _BAD = RejectionReason.MISSING_FIELD, RejectionReason.BAD_VALUE

_FAULTS: dict[str, tuple[Any, RejectionReason, str]] = {
    "no id": (_event(event_id=""), _MISSING, "event_id"),
    "long customer id": (_event(customer_id="c" * 257), _BAD, "customer_id"),
    "long event id": (_event(event_id="e" * 257), _BAD, "event_id"),
    "no tenant": (_event(tenant=""), _MISSING, "tenant"),
    "no time": (_event(event_time=None), _MISSING, "event_time"),
    "no ingest time": (_event(ingest_time=None), _MISSING, "ingest_time"),
    "no kind": (_kind(), _MISSING, "kind"),
    "before 1970": (_event(event_time=-5, ingest_time=-5), _BAD, "event_time"),
    "separator in tenant": (_event(tenant="a\x1fb"), _BAD, "tenant"),
    "late": (_event(ingest_time=_T + 30 * _DAY + 1), RejectionReason.LATE, "event_time"),
    "future": (_event(event_time=_T + 300 * _S + 1), RejectionReason.FUTURE, "event_time"),
    "not known": (_event(known_at=_T + 300 * _S + 1), RejectionReason.NOT_YET_KNOWN, "known_at"),
    "no lines": (_order(lines=[]), _MISSING, "order_placed.lines"),
    "no units": (_lines({}, {"quantity": 0}), _BAD, "order_placed.lines[1].quantity"),
    "units": (_lines({"quantity": 1_000_001}), _BAD, "order_placed.lines[0].quantity"),
    "price": (_lines({"unit_price_minor": -1}), _BAD, "order_placed.lines[0].unit_price_minor"),
    "cost": (_lines({"unit_cost_minor": -1}), _BAD, "order_placed.lines[0].unit_cost_minor"),
    "value": (
        _lines({}, {}, {"quantity": 11, "unit_price_minor": 10**12}),
        _BAD,
        "order_placed.lines[2].quantity",
    ),
    "sum of lines": (
        _lines(*[{"quantity": 9, "unit_price_minor": 10**12}] * 2), _BAD, "order_placed.lines",
    ),
    "sum of discounts": (
        _lines({"quantity": 10**6, "unit_discount_minor": 10**12}), _BAD, "order_placed.lines",
    ),
    "discount": (_order(discount_minor=-1), _BAD, "order_placed.discount_minor"),
    "return units": (_return(quantity=0), _BAD, "return_requested.quantity"),
    "return price": (
        _return(unit_price_minor=10**12 + 1), _BAD, "return_requested.unit_price_minor",
    ),
    "window": (_return(return_window_days=-1), _BAD, "return_requested.return_window_days"),
    "ordered later": (_return(order_time=_T + 301 * _S), _BAD, "return_requested.order_time"),
    "ordered in 1969": (_return(order_time=-1), _BAD, "return_requested.order_time"),
    "delivered before": (
        _return(order_time=_T, delivery_time=_T - 1), _BAD, "return_requested.delivery_time",
    ),
    "short vector": (_reason(embedding=b"abc"), _BAD, "return_requested.reason.embedding"),
    "embedder": (
        _reason(embedding=_VECTOR, embedder="bert"), _BAD, "return_requested.reason.embedder",
    ),
    "weight": (
        _return(evidence=structs.ReturnEvidence(weight_g=-1)),
        _BAD,
        "return_requested.evidence.weight_g",
    ),
    "cancel units": (
        _kind(cancel_requested=structs.CancelRequested()), _BAD, "cancel_requested.quantity",
    ),
    "label": (_kind(label_set=structs.LabelSet(case_event_id="e0")), _BAD, "label_set.label"),
    "case": (_kind(label_set=structs.LabelSet(label=1)), _MISSING, "label_set.case_event_id"),
    "propensity": (
        _kind(offer_made=structs.OfferMade(propensity=0.0)), _BAD, "offer_made.propensity",
    ),
    "not a number": (
        _kind(offer_made=structs.OfferMade(propensity=float("nan"))), _BAD, "offer_made.propensity",
    ),
    "rating": (_kind(review_posted=structs.ReviewPosted(rating=6)), _BAD, "review_posted.rating"),
}  # fmt: skip


@pytest.mark.parametrize(("event", "reason", "field"), _FAULTS.values(), ids=_FAULTS.keys())
def test_a_fault_is_named_with_its_reason_field_and_fix(
    event: Any, reason: RejectionReason, field: str
) -> None:
    batch = build_batch([_event(), event, _order()])
    split = validate_batch(batch, offset=1_000)
    (rejection,) = split.rejected
    assert (rejection.offset, rejection.reason_code, rejection.field) == (1_001, reason, field)
    assert rejection.value_shown
    assert rejection.expectation
    assert rejection.fix
    assert split.valid_index.tolist() == [0, 2]
    assert split.valid.equals(batch.take(pa.array([0, 2])))


@LAW
@given(st.lists(events(), max_size=6))
def test_every_row_is_valid_or_rejected_exactly_once_unless_it_was_erased(
    messages: list[event_pb2.Event],
) -> None:
    batch = EventDecoder().decode_lines([to_line(message) for message in messages]).batch
    split = validate_batch(batch, offset=7)
    rejected = [rejection.offset - 7 for rejection in split.rejected]
    told = [place for place, message in enumerate(messages) if message.ByteSize()]
    assert sorted([*rejected, *split.valid_index.tolist()]) == told
    assert split.valid.equals(batch.take(pa.array(split.valid_index, pa.int64())))


def test_no_identifier_or_text_is_shown() -> None:
    secret = "c4711"
    fields = {"event_id": secret, "customer_id": secret, "tenant": "a\x1f" + secret}
    label = structs.LabelSet(case_event_id=secret)
    bad = [
        _event(**fields),
        _kind(event_id=secret, customer_id=secret, label_set=label),
        _reason(embedding=_VECTOR, embedder=secret),
        _return(return_id=secret, order_id=secret, sku=secret, quantity=0),
    ]
    rejected = validate_batch(build_batch(bad)).rejected
    assert len(rejected) == len(bad)
    assert secret not in str(rejected)


def test_acceptance_looks_at_the_log_only_so_history_of_any_age_is_accepted() -> None:
    old = _event(event_time=_S, ingest_time=_S)
    assert validate_batch(build_batch([old])).rejected == ()


def test_the_bounds_of_lateness_can_be_set() -> None:
    late = _event(ingest_time=_T + 2 * _DAY)
    rules = AcceptanceRules(max_late_us=_DAY)
    (rejection,) = validate_batch(build_batch([late]), rules=rules).rejected
    assert rejection.reason_code == RejectionReason.LATE
    assert rejection.value_shown == "172800 s before ingest_time"


def test_an_unknown_kind_in_a_log_of_another_version_is_named() -> None:
    batch = build_batch([_event()])
    position = batch.schema.get_field_index("kind")
    kinds = pa.array(["teleported"], pa.string()).dictionary_encode()
    foreign = batch.set_column(position, "kind", kinds)
    (rejection,) = validate_batch(foreign).rejected
    assert rejection.reason_code == RejectionReason.UNKNOWN_KIND
    assert rejection.value_shown == "teleported"


def test_a_kind_column_that_contradicts_its_structs_is_refused() -> None:
    batch = build_batch([_event()])
    position = batch.schema.get_field_index("kind")
    kinds = pa.array(["order_paid"], pa.string()).dictionary_encode()
    (rejection,) = validate_batch(batch.set_column(position, "kind", kinds)).rejected
    assert rejection.reason_code == RejectionReason.BAD_VALUE


def test_an_unknown_kind_of_a_json_line_has_its_own_reason(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"event_id": "e", "teleported": {}}) + "\n{\n")
    ((offset, batch),) = EventLog(path).read_batches(0)
    reasons = [rejection.reason_code for rejection in validate_batch(batch, offset).rejected]
    assert reasons == [RejectionReason.UNKNOWN_KIND, RejectionReason.MALFORMED]


def test_an_integer_field_without_a_stated_range_is_refused_at_import() -> None:
    (field,) = (f for f in KIND_SPECS["order_placed"].fields if f.name == "discount_minor")
    with pytest.raises(TypeError, match=r"Odd\.mystery"):
        kind_rules._require_ranges(MessageSpec("Odd", (replace(field, name="mystery"),)))
