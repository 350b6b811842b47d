"""Which outcome makes which label, and what the label tells of the look behind it."""

from __future__ import annotations

import pytest

from features.entities import N_ENTITIES, Entity
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.outcome_labels import make_label, pack_names

NOW_US = 1_795_000_000_000_000
AUDIT, VERIFY, INSPECTION, APPEAL = (
    event_pb2.LABEL_ORIGIN_RANDOM_AUDIT,
    event_pb2.LABEL_ORIGIN_VERIFY,
    event_pb2.LABEL_ORIGIN_INSPECTION,
    event_pb2.LABEL_ORIGIN_APPEAL,
)
CONFIRMED, CLEARED = (
    event_pb2.LABEL_KIND_ABUSE_CONFIRMED,
    event_pb2.LABEL_KIND_ABUSE_CLEARED,
)


def _names() -> bytes:
    ids = [""] * N_ENTITIES
    ids[Entity.CUSTOMER], ids[Entity.STORE] = "c1", "store-4"
    ids[Entity.ADDRESS], ids[Entity.DEVICE], ids[Entity.PAYMENT_TOKEN] = "a", "d", "p"
    return pack_names(ids, event_pb2.Event(channel="CHANNEL_STORE").channel)


def _decide(hint: pb.Hint = pb.HINT_APPROVE, *, is_audit: bool = False) -> pb.DecisionRecord:
    record = pb.DecisionRecord(decision_id="d1", tenant="shop", event_id="e1")
    record.response.hint, record.response.is_audit = hint, is_audit
    record.audit_propensity = 0.01 if hint == pb.HINT_APPROVE else 0.0
    return record


def _label(
    outcome: pb.Outcome, record: pb.DecisionRecord, now_us: int = NOW_US, **more: str
) -> event_pb2.Event | None:
    told = pb.RecordOutcomeRequest(
        tenant="shop", decision_id="d1", outcome_id=more.get("outcome_id", "o1"), outcome=outcome
    )
    return make_label(told, record, more.get("names", "").encode() or _names(), now_us)


@pytest.mark.parametrize(
    "outcome",
    [pb.OUTCOME_APPROVED, pb.OUTCOME_OVERRIDDEN, pb.OUTCOME_KEPT, pb.OUTCOME_CANCELLED],
)
@pytest.mark.parametrize("is_audit", [False, True])
def test_what_somebody_did_is_no_label(outcome: pb.Outcome, *, is_audit: bool) -> None:
    assert _label(outcome, _decide(is_audit=is_audit)) is None


@pytest.mark.parametrize(
    ("record", "origin", "propensity"),
    [
        (_decide(is_audit=True), AUDIT, 0.01),
        (_decide(pb.HINT_VERIFY), VERIFY, None),
        (_decide(), INSPECTION, None),
    ],
    ids=["audit", "verify", "inspection"],
)
def test_a_look_tells_what_led_to_it_and_its_chance(
    record: pb.DecisionRecord, origin: event_pb2.LabelOrigin, propensity: float | None
) -> None:
    for outcome, kind in (
        (pb.OUTCOME_VERIFIED_FAILED, CONFIRMED),
        (pb.OUTCOME_VERIFIED_PASSED, CLEARED),
    ):
        event = _label(outcome, record)
        assert event is not None
        label = event.label_set
        assert (label.label, label.origin, label.case_event_id) == (kind, origin, "e1")
        assert label.HasField("propensity") == (propensity is not None)
        assert label.propensity == (propensity or 0.0)
        assert not label.is_reversal


def test_a_check_by_lot_tells_the_chance_of_the_decision() -> None:
    record = _decide(pb.HINT_VERIFY)
    record.verify_propensity = 0.25
    event = _label(pb.OUTCOME_VERIFIED_PASSED, record)
    assert event is not None
    assert event.label_set.propensity == 0.25


def test_an_upheld_appeal_is_nobodys_look() -> None:
    event = _label(pb.OUTCOME_APPEAL_UPHELD, _decide(is_audit=True))
    assert event is not None
    assert event.label_set.label == event_pb2.LABEL_KIND_APPEAL_UPHELD
    assert event.label_set.origin == APPEAL
    assert not event.label_set.HasField("propensity")


def test_a_label_names_whom_its_case_named() -> None:
    event = _label(pb.OUTCOME_VERIFIED_FAILED, _decide())
    assert event is not None
    label = event.label_set
    assert (event.tenant, event.customer_id) == ("shop", "c1")
    assert event.channel == event_pb2.Event(channel="CHANNEL_STORE").channel
    assert (label.store_id, label.address_hash) == ("store-4", "a")
    assert (label.device_hash, label.payment_token_hash) == ("d", "p")
    assert event.event_time.ToMicroseconds() == NOW_US
    assert not event.HasField("ingest_time")


def test_a_label_holds_from_the_outcomes_own_time_on() -> None:
    told = pb.RecordOutcomeRequest(tenant="shop", decision_id="d1", outcome_id="o1")
    told.outcome = pb.OUTCOME_VERIFIED_FAILED
    told.outcome_time.FromMicroseconds(NOW_US - 90 * 86_400_000_000)
    event = make_label(told, _decide(), _names(), NOW_US)
    assert event is not None
    assert event.label_set.effective_time == told.outcome_time
    assert event.event_time.ToMicroseconds() == NOW_US  # A log takes nothing that old.


def test_the_id_follows_from_the_outcome_and_from_nothing_else() -> None:
    record = _decide()
    first, again = (_label(pb.OUTCOME_VERIFIED_FAILED, record, now) for now in (NOW_US, NOW_US + 9))
    other = _label(pb.OUTCOME_VERIFIED_FAILED, record, outcome_id="o2")
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.event_id == again.event_id != other.event_id


def test_a_case_that_was_not_published_has_no_label() -> None:
    record = _decide(pb.HINT_VERIFY)
    record.event_id = ""
    assert _label(pb.OUTCOME_VERIFIED_FAILED, record) is None
