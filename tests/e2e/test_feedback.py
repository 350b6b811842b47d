"""Feedback: a case is scored, somebody looks, and the next training set knows what was seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.world import RETURNER, SHOP, World, build_world
from features.entities import Entity
from features.errors import HemostatError
from features.keys import compute_entity_key
from features.log.embedded_appender import read_wall_us
from features.log.reader import EventLog
from features.request_rows import Call
from hemostat.cli.forgetting import Places, forget_customer
from hemostat.client import CallError, Client
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.decision_log import DecisionLog
from scoring.serving_store import ServingStore
from tests.scoring.conftest import make_request, running
from training.cases import build_learning_set
from training.head_definitions import ABUSE_HEADS
from training.labelling.origins import Origin
from training.labels import Labels, label_cases
from training.log_reading import read_accepted_events

HEAD = next(head for head in ABUSE_HEADS if head.name == "abuse__return")
DAY_US = 86_400_000_000
HONEST = "customer-who-is-honest"
ALL_AUDITED = 10_000  # Basis points.
WAIT_S = 30.0


@contextmanager
def _serving(world: World, folder: Path) -> Iterator[Any]:
    places = {"decisions": folder / "decisions", "events": str(folder / "log")}
    with running(store=world.store, bundle=(str(world.shop_bundles),), **places) as server:
        yield server


def _publish_and_score(client: Client, event_id: str, customer: str) -> pb.ScoreResponse:
    """Tell a return to the event log and ask about it, as a shop does."""
    request = make_request(
        customer_id=customer, event_id=event_id, request_id=f"r-{event_id}", return_id=event_id
    )
    event = event_pb2.Event(
        tenant=SHOP, event_id=event_id, customer_id=customer, channel=request.channel
    )
    event.event_time.FromMicroseconds(read_wall_us())
    event.return_requested.CopyFrom(request.return_request)
    (result,) = client.publish_events([event])
    assert result.status == pb.PUBLISH_STATUS_ACCEPTED
    return client.score(request)


def _record(client: Client, answer: pb.ScoreResponse, outcome: pb.Outcome) -> None:
    told = pb.RecordOutcomeRequest(
        tenant=SHOP,
        decision_id=answer.decision_id,
        outcome_id=pb.Outcome.Name(outcome),
        outcome=outcome,
    )
    client.record_outcome(told)


def _learn(log: Path) -> dict[str, tuple[Labels, int]]:
    """Return what a training a year later would know of each return, by event id."""
    learned = build_learning_set(
        read_accepted_events(EventLog(log), SHOP), frozenset({Call.RETURN})
    )
    cases = learned.cases[Call.RETURN]
    labels = label_cases(HEAD, cases, learned.facts, read_wall_us() + 365 * DAY_US)
    return {name: (labels, place) for place, name in enumerate(cases.event_id.to_pylist())}


def _await_labels(log: Path, n: int) -> dict[str, tuple[Labels, int]]:
    until_s = time.monotonic() + WAIT_S
    while True:
        events = read_accepted_events(EventLog(log), SHOP)
        found = events.batch.column("label_set").is_valid().to_numpy(zero_copy_only=False).sum()
        if found >= n:
            return _learn(log)
        assert time.monotonic() < until_s, f"{found} of {n} labels came"
        time.sleep(0.05)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world of its own: the test forgets a customer in it."""
    return build_world(tmp_path / "world", read_wall_us())


def test_what_somebody_saw_is_in_the_next_training_set_until_it_is_taken_back(
    world: World, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with _serving(world, tmp_path) as server, Client(server.address) as client:
        rules = server.server._rules
        object.__setattr__(rules.value.policy, "audit_share_bp", ALL_AUDITED)
        verified = _publish_and_score(client, "e-verified", RETURNER)
        audited = _publish_and_score(client, "e-audited", HONEST)
        _publish_and_score(client, "e-unchecked", HONEST)
        assert (verified.hint, verified.is_audit) == (pb.HINT_VERIFY, False)
        assert (audited.hint, audited.is_audit) == (pb.HINT_APPROVE, True)
        _record(client, verified, pb.OUTCOME_VERIFIED_FAILED)
        _record(client, audited, pb.OUTCOME_APPROVED)
        _record(client, audited, pb.OUTCOME_VERIFIED_PASSED)
        known = _await_labels(log, 2)
        labels, place = known["e-verified"]
        assert (labels.value[place], labels.origin[place]) == (1.0, Origin.VERIFY)
        assert np.isnan(labels.propensity[place])
        labels, place = known["e-audited"]
        assert labels.is_observed[place]
        assert (labels.value[place], labels.origin[place]) == (0.0, Origin.RANDOM_AUDIT)
        assert labels.propensity[place] == 1.0
        labels, place = known["e-unchecked"]
        assert not labels.is_observed[place]

        _record(client, verified, pb.OUTCOME_APPEAL_UPHELD)
        labels, place = _await_labels(log, 3)["e-verified"]
        assert labels.is_observed[place]
        assert labels.value[place] == 0.0
        with pytest.raises(CallError):
            client.record_outcome(pb.RecordOutcomeRequest(tenant=SHOP, decision_id="none"))


def test_forgetting_a_customer_covers_labels(world: World, tmp_path: Path) -> None:
    log, decisions = tmp_path / "log", tmp_path / "decisions"
    with _serving(world, tmp_path) as server, Client(server.address) as client:
        answers = [
            _publish_and_score(client, f"e{n}", customer)
            for n, customer in enumerate((RETURNER, "who-stays"))
        ]
        for answer in answers:
            _record(client, answer, pb.OUTCOME_VERIFIED_FAILED)
        _await_labels(log, 2)
    places = Places((), (log,), (decisions,))
    forget_customer(SHOP, RETURNER, places, read_us=read_wall_us)
    known = _learn(log)
    assert list(known) == ["e1"]
    labels, place = known["e1"]
    assert labels.value[place] == 1.0
    for file in (*log.rglob("*"), *decisions.rglob("*")):
        assert not file.is_file() or RETURNER.encode() not in file.read_bytes(), file
    key = compute_entity_key(SHOP, Entity.CUSTOMER, RETURNER)
    assert all(key not in file.read_bytes() for file in log.rglob("*") if file.is_file())
    assert _count_labels(decisions) == 1


def _count_labels(decisions: Path) -> int:
    import asyncio

    async def count() -> int:
        store = ServingStore.open(decisions)
        try:
            return len(DecisionLog(store).list_labels())
        finally:
            await store.close()

    return asyncio.run(count())


def test_an_outcome_of_nobodys_decision_labels_nothing(world: World, tmp_path: Path) -> None:
    with _serving(world, tmp_path) as server, Client(server.address) as client:
        _publish_and_score(client, "e1", RETURNER)
        with pytest.raises((CallError, HemostatError)):
            _record(client, pb.ScoreResponse(decision_id="nobody"), pb.OUTCOME_VERIFIED_FAILED)
        time.sleep(0.1)
    assert _count_labels(tmp_path / "decisions") == 0
