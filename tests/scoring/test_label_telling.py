"""Labels on their way into the event log: told once, after an outage, and after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from features.entities import N_ENTITIES, Entity
from features.erasures import Erasures
from features.errors import ConfigError, RequestConflictError, StoreUnavailableError
from features.log.embedded_appender import Appended, EmbeddedAppender
from features.log.embedded_log import EmbeddedLog
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring import label_telling
from scoring.decision_log import DecisionLog
from scoring.event_checks import check_events
from scoring.known_erasures import KnownErasures
from scoring.label_export import export_labels
from scoring.label_telling import LabelTeller
from scoring.metrics import ScoringMetrics
from scoring.outcome_labels import pack_names
from scoring.publishing import Publisher, PublisherSource
from scoring.serving_store import ServingStore

SECRET_ID = "customer-5b1e"


class _NoErasures:
    def read(self) -> Erasures:
        return Erasures.empty()


class _Appender:
    """Appends to a log, or is away."""

    def __init__(self, path: Path) -> None:
        self._appender = EmbeddedAppender.open(path)
        self.n_partitions = self._appender.n_partitions
        self.n_fail = 0
        self.close = self._appender.close

    def append(self, messages: Sequence[bytes], partitions: Sequence[int]) -> Appended:
        if self.n_fail:
            self.n_fail -= 1
            raise StoreUnavailableError("the disk is full")
        return self._appender.append(messages, partitions)


class _Feedback:
    """A decision log with a teller, as a server has them."""

    def __init__(self, folder: Path, metrics: ScoringMetrics | None = None) -> None:
        self.metrics = metrics or ScoringMetrics()
        self.store = ServingStore.open(folder / "serving")
        self.log = DecisionLog(self.store)
        self.appender = _Appender(folder / "events")
        self.source = PublisherSource(self._open)
        self.teller = LabelTeller(self.log, self.source, self.metrics, first_pause_s=0.01)

    def _open(self) -> Publisher:
        return Publisher(
            appender=self.appender,
            check=check_events,
            erasures=KnownErasures(_NoErasures(), is_remote=False),
            metrics=self.metrics,
            max_waiting_events=10_000,
        )

    async def record(self, number: int, outcome: pb.Outcome, outcome_id: str = "o") -> bool:
        told = _outcome(self.log, number, outcome, outcome_id)
        is_duplicate = await self.log.record_outcome(told)
        self.teller.tell(self.log.make_label_key(told))
        return is_duplicate

    async def wait(self) -> None:
        for _ in range(1000):
            if not self.teller._waiting:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("labels still wait")

    async def close(self) -> None:
        await self.teller.close()
        await self.source.close()
        await self.store.close()


def _outcome(
    log: DecisionLog, number: int, outcome: pb.Outcome, outcome_id: str = "o"
) -> pb.RecordOutcomeRequest:
    return pb.RecordOutcomeRequest(
        tenant="shop",
        decision_id=log.make_decision_id("shop", f"r{number}"),
        outcome_id=outcome_id,
        outcome=outcome,
    )


def decide(log: DecisionLog, *numbers: int) -> None:
    """Log decisions to verify the published cases of a customer."""
    ids = [""] * N_ENTITIES
    ids[Entity.CUSTOMER] = SECRET_ID
    for number in numbers:
        record = pb.DecisionRecord(
            decision_id=log.make_decision_id("shop", f"r{number}"),
            tenant="shop",
            event_id=f"e{number}",
        )
        record.response.hint = pb.HINT_VERIFY
        log.append([record], [pack_names(ids, 1)])


def _read_labels(folder: Path) -> list[event_pb2.Event]:
    events = []
    with EmbeddedLog(folder / "events") as log:
        for partition in log.partitions:
            cursor = log.follow(partition, 0)
            while (batch := cursor.read(100)) is not None:
                events += [event_pb2.Event.FromString(m) for m in batch.to_messages()]
            cursor.close()
    return events


def _run(folder: Path, work: Callable[[_Feedback], object]) -> _Feedback:
    async def run() -> _Feedback:
        feedback = _Feedback(folder)
        try:
            await work(feedback)  # type: ignore[misc]
        finally:
            await feedback.close()
        return feedback

    return asyncio.run(run())


def test_a_label_is_told_once_and_outcomes_without_label_tell_nothing(tmp_path: Path) -> None:
    async def work(feedback: _Feedback) -> None:
        decide(feedback.log, 1, 2)
        assert not await feedback.record(1, pb.OUTCOME_VERIFIED_FAILED)
        await feedback.wait()
        assert await feedback.record(1, pb.OUTCOME_VERIFIED_FAILED)
        await feedback.record(2, pb.OUTCOME_APPROVED)
        await feedback.wait()
        assert feedback.log.list_untold() == []

    feedback = _run(tmp_path, work)
    (event,) = _read_labels(tmp_path)
    assert event.label_set.case_event_id == "e1"
    assert event.customer_id == SECRET_ID
    assert feedback.metrics.labels.labels("accepted")._value.get() == 1


def test_an_outage_of_the_event_log_delays_labels_and_loses_none(tmp_path: Path) -> None:
    async def work(feedback: _Feedback) -> None:
        decide(feedback.log, *range(10))
        feedback.appender.n_fail = 3
        for number in range(10):
            await feedback.record(number, pb.OUTCOME_VERIFIED_PASSED)
        await feedback.wait()

    feedback = _run(tmp_path, work)
    names = sorted(event.label_set.case_event_id for event in _read_labels(tmp_path))
    assert names == sorted(f"e{number}" for number in range(10))
    assert feedback.metrics.labels.labels("delayed")._value.get() == 3


def test_without_an_event_log_labels_stay_and_can_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    logger = SimpleNamespace(warning=lambda text, why, waiting: told.append((text, why)))
    monkeypatch.setattr(label_telling, "_logger", logger)

    async def work(feedback: _Feedback) -> None:
        def refuse() -> Publisher:
            raise ConfigError("something else stands there")

        feedback.source._open_publisher = refuse
        decide(feedback.log, 1)
        await feedback.record(1, pb.OUTCOME_VERIFIED_FAILED)
        await asyncio.sleep(0.1)
        assert len(feedback.log.list_untold()) == 1
        (waiting,) = feedback.metrics.labels_waiting.collect()
        assert waiting.samples[0].value == 1

    _run(tmp_path, work)
    ((text, why),) = told  # Once, however often it was tried.
    assert "hemostat outcomes export" in text
    assert why == "something else stands there"
    target = tmp_path / "labels.jsonl"
    exported = export_labels(tmp_path / "serving", target, is_untold_only=True)
    assert (exported.labels, exported.told) == (1, 0)
    assert '"case_event_id": "e1"' in target.read_text()

    async def come_back(feedback: _Feedback) -> None:
        feedback.teller.catch_up()
        await feedback.wait()

    _run(tmp_path, come_back)
    assert len(_read_labels(tmp_path)) == 1
    exported = export_labels(tmp_path / "serving", target, is_untold_only=True)
    assert (exported.labels, exported.told) == (0, 1)
    assert export_labels(tmp_path / "serving", target).labels == 1


def test_an_outcome_that_conflicts_labels_nothing(tmp_path: Path) -> None:
    async def work(feedback: _Feedback) -> None:
        decide(feedback.log, 1)
        await feedback.record(1, pb.OUTCOME_KEPT)
        with pytest.raises(RequestConflictError):
            await feedback.record(1, pb.OUTCOME_VERIFIED_FAILED)
        assert feedback.log.list_labels() == []

    _run(tmp_path, work)


def test_no_name_stands_in_the_decision_log_in_clear(tmp_path: Path) -> None:
    async def work(feedback: _Feedback) -> None:
        decide(feedback.log, 1)
        await feedback.log.record_outcome(_outcome(feedback.log, 1, pb.OUTCOME_VERIFIED_FAILED))

    _run(tmp_path, work)
    for file in (tmp_path / "serving").rglob("*"):
        assert not file.is_file() or SECRET_ID.encode() not in file.read_bytes()


_KILLED = """
import asyncio, sys
from pathlib import Path
from hemostat.v1 import scoring_pb2 as pb
from scoring.decision_log import DecisionLog
from scoring.outcome_labels import pack_names
from scoring.serving_store import ServingStore
from features.entities import N_ENTITIES

async def run():
    store = ServingStore.open(Path(sys.argv[1])); log = DecisionLog(store)
    for n in range(100_000):
        id = log.make_decision_id("shop", f"r{n}")
        record = pb.DecisionRecord(decision_id=id, tenant="shop", event_id=f"e{n}")
        log.append([record], [pack_names(["c"] * N_ENTITIES, 1)])
        await log.record_outcome(pb.RecordOutcomeRequest(
            tenant="shop", decision_id=id, outcome_id="o", outcome=pb.OUTCOME_VERIFIED_FAILED))
        sys.stdout.write(f"{n}\\n"); sys.stdout.flush()

asyncio.run(run())
"""


def test_a_server_killed_before_it_told_leaves_the_labels_to_the_next(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _KILLED, str(tmp_path / "serving")]
    acknowledged = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged.append(int(line))
            if len(acknowledged) == 30:
                os.kill(writer.pid, signal.SIGKILL)
                break
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]

    async def come_back(feedback: _Feedback) -> None:
        feedback.teller.catch_up()
        await feedback.wait()

    _run(tmp_path, come_back)
    told = {event.label_set.case_event_id for event in _read_labels(tmp_path)}
    assert told >= {f"e{number}" for number in acknowledged}
    assert len(acknowledged) >= 30


def test_one_killed_between_telling_and_marking_tells_again_under_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(feedback: _Feedback) -> None:
        decide(feedback.log, 1)
        monkeypatch.setattr(feedback.log, "mark_told", lambda _keys: None)
        await feedback.record(1, pb.OUTCOME_VERIFIED_FAILED)
        await feedback.wait()

    async def come_back(feedback: _Feedback) -> None:
        feedback.teller.catch_up()
        await feedback.wait()

    _run(tmp_path, work)
    _run(tmp_path, come_back)
    first, again = _read_labels(tmp_path)
    for event in (first, again):
        event.ClearField("ingest_time")
    assert first == again
