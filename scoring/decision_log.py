"""The decision log: what was answered, so that it can be explained, replayed and not repeated.

A decision's id follows from tenant and request id, so a retry finds it, from
whichever scorer it is sent to. No customer id, order id or text stands in a
record, only what the model saw and what was said (see `DecisionRecord`). Whose case it
was stands there as a hash keyed with a secret of this log: `erase` finds a customer's
decisions by it, and it joins with nothing outside.

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
from hemostat.v1 import scoring_pb2 as pb
from scoring.serving_store import ENVIRONMENTS, ServingStore

_DECISION = b"d"
_OUTCOME = b"o"
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

    Attributes:
        audit_key: Secret that draws audits, see `scoring.audit_draw`; 32 bytes.

    Raises:
        StoreUnavailableError: From any method: the log cannot be read or written.
    """

    def __init__(
        self,
        store: ServingStore,
        make_random_id: Callable[[], bytes] = lambda: secrets.token_bytes(_ID_SIZE),
    ) -> None:
        self._store = store
        self._make_random_id = make_random_id
        self.audit_key = _derive(store.secret, b"audits")

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
        self, records: Sequence[pb.DecisionRecord]
    ) -> list[pb.ScoreResponse | RequestConflictError]:
        """Write new decisions and return what is to be answered to each.

        That is the record's own response, or, if another scorer was faster with
        the same request id, the one it gave.
        """
        items = [
            (_to_key(record.tenant, record.decision_id), record.SerializeToString())
            for record in records
        ]
        answers: list[pb.ScoreResponse | RequestConflictError] = []
        for record, earlier in zip(records, self._store.put_new(items), strict=True):
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

        Raises:
            UnknownDecisionError: No such decision of this tenant (one of another
                tenant's looks the same).
            RequestConflictError: The same outcome id came with other content.
        """
        key = _to_key(outcome.tenant, outcome.decision_id)
        if self._store.get(key) is None:
            raise UnknownDecisionError(
                "no decision of this tenant has this id",
                field="decision_id",
                value=outcome.decision_id[:40],
                expectation="the decision_id of an answer",
                fix="send the id as it was answered, with the tenant that asked",
            )
        outcome_key = _OUTCOME + key[1:] + xxhash.xxh3_128_digest(outcome.outcome_id.encode())
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
        await self._store.sync()
        return earlier is not None

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
            n_outcomes = sum(store.delete_prefix(_OUTCOME + key[1:]) for key in keys)
            n_decisions = sum(store.delete_prefix(key) for key in keys)
        finally:
            await store.close()
        return ErasedDecisions(n_decisions, n_outcomes)

    erased = asyncio.run(erase())
    for environment in ENVIRONMENTS:
        scrub(folder / environment)
    return erased


def _derive(secret: bytes, use: bytes) -> bytes:
    """Return a secret of 32 bytes for one use."""
    return hashlib.blake2b(use, key=secret, digest_size=32).digest()


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
