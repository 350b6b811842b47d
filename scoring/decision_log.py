"""The decision log: what was answered, so that it can be explained, replayed and not repeated.

A decision's id follows from tenant and request id, so a retry finds it, from
whichever scorer it is sent to. No customer id, order id or text stands in a
record, only what the model saw and what was said (see `DecisionRecord`). Whose case it
was stands there as a hash keyed with a secret of this log: `erase` finds a customer's
decisions by it, and it joins with nothing outside. What a label of the case has to
name (customer, device and so on), and the label once there is one, are sealed with
that secret.

Durability: an answered decision survives a killed process at once and a power
cut after the next grouped sync, some tens of milliseconds later. A recorded
outcome is acknowledged only when it, and the decision it names, is synced.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash

from features.errors import RequestConflictError, UnknownDecisionError
from features.store.lmdb_scrub import scrub
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.clock import read_wall_us
from scoring.outcome_labels import make_label
from scoring.sealing import Seal, derive_key
from scoring.serving_store import ENVIRONMENTS, ServingStore

_DECISION = b"d"
_OUTCOME = b"o"
_NAMES = b"n"
_LABEL = b"l"
_TOLD = b"t"
_ID_SIZE = 16
_SUBJECT_SIZE = 16


@dataclass(frozen=True, slots=True)
class ErasedDecisions:
    """What was removed from a decision log."""

    decisions: int
    outcomes: int


class DecisionLog:
    """Reads and writes decisions and their outcomes.

    Args:
        store: Where they stand; closed by the caller.
        make_random_id: Source of ids for requests that bring none, 16 bytes.
        read_us: The wall clock, for labels.

    Attributes:
        audit_key: Secret that draws audits, see `scoring.audit_draw`; 32 bytes.

    Raises:
        StoreUnavailableError: From any method: the log cannot be read or written.
    """

    def __init__(
        self,
        store: ServingStore,
        make_random_id: Callable[[], bytes] = lambda: secrets.token_bytes(_ID_SIZE),
        read_us: Callable[[], int] = read_wall_us,
    ) -> None:
        self._store = store
        self._make_random_id = make_random_id
        self._read_us = read_us
        self._seal = Seal(derive_key(store.secret, b"labels"))
        self.audit_key = derive_key(store.secret, b"audits")

    def make_decision_id(self, tenant: str, request_id: str) -> str:
        """Return the id of the decision on a request; a random one if the request has no id."""
        if not request_id:
            return self._make_random_id().hex()
        return xxhash.xxh3_128_hexdigest(f"{tenant}\x1f{request_id}".encode())

    def compute_subject(self, customer_key: bytes | None) -> bytes:
        """Return what marks a customer's decisions in this log; empty for a guest.

        Args:
            customer_key: The CUSTOMER entity key.
        """
        if customer_key is None:
            return b""
        secret = self._store.secret
        return hashlib.blake2b(customer_key, key=secret, digest_size=_SUBJECT_SIZE).digest()

    def find(self, tenant: str, decision_id: str, request_hash: bytes) -> pb.ScoreResponse | None:
        """Return the answer given to this request before; None: there is none.

        Raises:
            RequestConflictError: The same request id came with another case.
        """
        stored = self._store.get(_to_key(tenant, decision_id))
        return None if stored is None else _check_same(stored, request_hash)

    def append(
        self, records: Sequence[pb.DecisionRecord], names: Sequence[bytes] = ()
    ) -> list[pb.ScoreResponse | RequestConflictError]:
        """Write new decisions and return what is to be answered to each.

        That is the record's own response, or, if another scorer was faster with
        the same request id, the one it gave.

        Args:
            records: The decisions.
            names: What a label of each case has to name, sealed here; empty: nothing.
        """
        keys = [_to_key(record.tenant, record.decision_id) for record in records]
        items = [(k, r.SerializeToString()) for k, r in zip(keys, records, strict=True)]
        for key, named in zip(keys, names, strict=False):
            if named:
                place = _NAMES + key[1:]
                items.append((place, self._seal.close(named, place)))
        answers: list[pb.ScoreResponse | RequestConflictError] = []
        for record, earlier in zip(records, self._store.put_new(items), strict=False):
            if earlier is None:
                answers.append(record.response)
                continue
            try:
                answers.append(_check_same(earlier, record.request_hash))
            except RequestConflictError as error:
                answers.append(error)
        self._store.move_soon()
        return answers

    async def record_outcome(self, outcome: pb.RecordOutcomeRequest) -> bool:
        """Record what became of a decision and return, once synced, whether it was known.

        If the outcome makes a label, that is synced with it.

        Raises:
            UnknownDecisionError: No such decision of this tenant (one of another
                tenant's looks the same).
            RequestConflictError: The same outcome id came with other content.
        """
        key = _to_key(outcome.tenant, outcome.decision_id)
        decision = self._store.get(key)
        if decision is None:
            raise UnknownDecisionError(
                "no decision of this tenant has this id",
                field="decision_id",
                value=outcome.decision_id[:40],
                expectation="the decision_id of an answer",
                fix="send the id as it was answered, with the tenant that asked",
            )
        place = self.make_label_key(outcome)
        outcome_key = _OUTCOME + place[1:]
        content = outcome.SerializeToString(deterministic=True)
        (earlier,) = self._store.put_new([(outcome_key, content)])
        if earlier is not None and earlier != content:
            raise RequestConflictError(
                "this outcome id was used for another outcome of the decision",
                field="outcome_id",
                value=outcome.outcome_id[:40],
                expectation="the same content on a retry",
                fix="use a new outcome_id for a new outcome",
            )
        # Behind the outcome, so that one that conflicts labels nothing; a retry fills it in.
        if (label := self._make_label(outcome, decision)) is not None:
            sealed = self._seal.close(label.SerializeToString(), place)
            self._store.put_new([(place, sealed)])
        await self._store.sync()
        return earlier is not None

    def make_label_key(self, outcome: pb.RecordOutcomeRequest) -> bytes:
        """Return where the label of an outcome stands, if it makes one."""
        key = _to_key(outcome.tenant, outcome.decision_id)
        return _LABEL + key[1:] + xxhash.xxh3_128_digest(outcome.outcome_id.encode())

    def read_label(self, key: bytes) -> event_pb2.Event | None:
        """Return a label as event; None: there is none, or it was erased."""
        sealed = self._store.get(key)
        return None if sealed is None else event_pb2.Event.FromString(self._seal.open(sealed, key))

    def is_told(self, key: bytes) -> bool:
        """Return whether a label is known to stand in the event log."""
        return self._store.get(_TOLD + key[1:]) is not None

    def list_labels(self) -> list[bytes]:
        """Return the keys of all labels."""
        return self._store.list_keys(_LABEL)

    def list_untold(self) -> list[bytes]:
        """Return the keys of labels that are not known to stand in the event log."""
        told = {key[1:] for key in self._store.list_keys(_TOLD)}
        return [key for key in self.list_labels() if key[1:] not in told]

    def mark_told(self, keys: Sequence[bytes]) -> None:
        """Remember that labels stand in the event log, or are refused there for good."""
        self._store.put_new([(_TOLD + key[1:], b"1") for key in keys])
        self._store.move_soon()

    def _make_label(
        self, outcome: pb.RecordOutcomeRequest, decision: bytes
    ) -> event_pb2.Event | None:
        place = _NAMES + _to_key(outcome.tenant, outcome.decision_id)[1:]
        sealed = self._store.get(place)
        if sealed is None:
            return None  # Not published, or decided by an earlier version.
        record = pb.DecisionRecord.FromString(decision)
        return make_label(outcome, record, self._seal.open(sealed, place), self._read_us())

    def read(self, tenant: str, decision_id: str) -> pb.DecisionRecord | None:
        """Return a decision with its outcomes; None: this tenant has none of this id."""
        key = _to_key(tenant, decision_id)
        stored = self._store.get(key)
        if stored is None:
            return None
        record = pb.DecisionRecord.FromString(stored)
        for outcome in self._store.list_values(_OUTCOME + key[1:]):
            record.outcomes.append(pb.RecordOutcomeRequest.FromString(outcome))
        return record


def erase_decisions(folder: Path, customer_key: bytes) -> ErasedDecisions:
    """Delete a customer's decisions with their outcomes; scorers go on meanwhile.

    Not to be called where an event loop runs.

    Args:
        folder: The decision log's.
        customer_key: The CUSTOMER entity key.

    Raises:
        StoreUnavailableError: The log cannot be written; run it again.
    """

    async def erase() -> ErasedDecisions:
        store = ServingStore.open(folder)  # Moves all decisions so far to one place.
        try:
            keys = store.find_keys(_DECISION, DecisionLog(store).compute_subject(customer_key))
            store.delete_prefixes([k + key[1:] for key in keys for k in (_NAMES, _LABEL, _TOLD)])
            n_outcomes = store.delete_prefixes([_OUTCOME + key[1:] for key in keys])
            n_decisions = store.delete_prefixes(keys)
        finally:
            await store.close()
        return ErasedDecisions(n_decisions, n_outcomes)

    erased = asyncio.run(erase())
    for environment in ENVIRONMENTS:
        scrub(folder / environment)
    return erased


def _to_key(tenant: str, decision_id: str) -> bytes:
    """Return the key of a decision; tenants cannot meet, whatever ids they send."""
    return (
        _DECISION
        + xxhash.xxh3_64_digest(tenant.encode())
        + xxhash.xxh3_128_digest(decision_id.encode())
    )


def _check_same(stored: bytes, request_hash: bytes) -> pb.ScoreResponse:
    record = pb.DecisionRecord.FromString(stored)
    if record.request_hash != request_hash:
        raise RequestConflictError(
            "this request id was used for another case",
            field="request_id",
            value=record.request_id[:40],
            expectation="the same case on a retry",
            fix="use a new request_id for a new case",
        )
    return record.response
