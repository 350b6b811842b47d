"""From what became of a decision to what training learns from it: a `label_set` event, or none.

Only a look at the case, or a right given to the customer, tells what the case was.
That it was approved, overridden, kept or cancelled tells what somebody did, and no
label: unchecked is not clean.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import xxhash

from features.entities import Entity
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb

_KINDS: dict[int, event_pb2.LabelKind] = {
    pb.OUTCOME_VERIFIED_PASSED: event_pb2.LABEL_KIND_ABUSE_CLEARED,
    pb.OUTCOME_VERIFIED_FAILED: event_pb2.LABEL_KIND_ABUSE_CONFIRMED,
    pb.OUTCOME_APPEAL_UPHELD: event_pb2.LABEL_KIND_APPEAL_UPHELD,
}


class CaseNames(msgspec.Struct, frozen=True, array_like=True):
    """Whom and what a case names, as its label has to name them, too.

    Attributes:
        customer_id: Empty: a guest.
        channel: Number of the call's channel.
        store_id: Store of the case.
        address_hash: Hash of its address.
        device_hash: Hash of its device.
        payment_token_hash: Hash of its means of payment.
    """

    customer_id: str
    channel: int
    store_id: str
    address_hash: str
    device_hash: str
    payment_token_hash: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CaseNames).decode


def pack_names(ids: Sequence[str], channel: int) -> bytes:
    """Return what a label of a case will have to name.

    Args:
        ids: The ids that the case names, one per `Entity`; empty: none.
        channel: Number of its channel.
    """
    return _encode(
        (
            ids[Entity.CUSTOMER],
            channel,
            ids[Entity.STORE],
            ids[Entity.ADDRESS],
            ids[Entity.DEVICE],
            ids[Entity.PAYMENT_TOKEN],
        )
    )


def make_label(
    outcome: pb.RecordOutcomeRequest, decision: pb.DecisionRecord, names: bytes, now_us: int
) -> event_pb2.Event | None:
    """Return the label that an outcome makes; None: it makes none.

    Args:
        outcome: What became of the decision.
        decision: As logged. If its case was not published, nothing can be labelled.
        names: From `pack_names`.
        now_us: When the outcome was recorded first, microseconds UTC: the event's time.
            What is labelled holds from `outcome_time` on, if that is told.

    Returns:
        The event, without ingest time. Its id follows from tenant, decision and outcome
        id, so that it counts once however often it is told.
    """
    kind = _KINDS.get(outcome.outcome)
    if kind is None or not decision.event_id or not names:
        return None
    case = _decode(names)
    origin, propensity = _find_origin(kind, decision)
    label = event_pb2.LabelSet(
        case_event_id=decision.event_id,
        label=kind,
        address_hash=case.address_hash,
        device_hash=case.device_hash,
        payment_token_hash=case.payment_token_hash,
        store_id=case.store_id,
        origin=origin,
        propensity=propensity,
    )
    if outcome.HasField("outcome_time"):
        label.effective_time.CopyFrom(outcome.outcome_time)
    event = event_pb2.Event(
        event_id=_make_event_id(outcome),
        tenant=decision.tenant,
        customer_id=case.customer_id,
        channel=case.channel,  # type: ignore[arg-type]  # A number of the enum.
        label_set=label,
    )
    event.event_time.FromMicroseconds(now_us)
    return event


def _find_origin(
    kind: event_pb2.LabelKind, decision: pb.DecisionRecord
) -> tuple[event_pb2.LabelOrigin, float | None]:
    """Return what led to the look, and the chance with which the decision chose it."""
    if kind == event_pb2.LABEL_KIND_APPEAL_UPHELD:
        return event_pb2.LABEL_ORIGIN_APPEAL, None
    if decision.response.is_audit:
        return event_pb2.LABEL_ORIGIN_RANDOM_AUDIT, decision.audit_propensity
    if decision.response.hint == pb.HINT_VERIFY:
        told = decision.HasField("verify_propensity")
        return event_pb2.LABEL_ORIGIN_VERIFY, decision.verify_propensity if told else None
    return event_pb2.LABEL_ORIGIN_INSPECTION, None


def _make_event_id(outcome: pb.RecordOutcomeRequest) -> str:
    name = f"{outcome.tenant}\x1f{outcome.decision_id}\x1f{outcome.outcome_id}"
    return f"outcome-{xxhash.xxh3_128_hexdigest(name.encode())}"
