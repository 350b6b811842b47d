"""Publishing: each event has its own result, and accepted ones are durable and readable."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from features.entities import Entity
from features.erasures import Erasures, compute_tombstone
from features.errors import InvalidRequestError, OverloadedError, StoreUnavailableError
from features.keys import compute_entity_key
from features.log.embedded_appender import Appended, EmbeddedAppender
from features.log.embedded_log import EmbeddedLog
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.event_checks import check_events
from scoring.known_erasures import KnownErasures
from scoring.metrics import ScoringMetrics
from scoring.publishing import Publisher
from stream.runner import stream_to_disk

NOW_US = 1_795_000_000_000_000
TEXT = "zu klein, passt nicht"


def _return(number: int, customer: str = "c1", text: str = "") -> event_pb2.Event:
    event = event_pb2.Event(
        event_id=f"e{number}", tenant="demo", customer_id=customer, channel="CHANNEL_WEB"
    )
    event.event_time.FromMicroseconds(NOW_US - 1_000_000)
    event.return_requested.return_id = f"r{number}"
    event.return_requested.quantity = 1
    event.return_requested.unit_price_minor = 4_900
    event.return_requested.reason.text = text
    return event


class _Register:
    """A register that says what it was given, or does not answer."""

    def __init__(self, erasures: Erasures) -> None:
        self.erasures = erasures
        self.is_away = False
        self.asked = 0

    def read(self) -> Erasures:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailableError("the server is away")
        return self.erasures


def _make_publisher(
    appender: object, erasures: Erasures | None = None, max_waiting_events: int = 10_000
) -> Publisher:
    register = _Register(erasures or Erasures.empty())
    return Publisher(
        appender=appender,  # type: ignore[arg-type]
        check=check_events,
        erasures=KnownErasures(register, is_remote=False),
        metrics=ScoringMetrics(),
        max_waiting_events=max_waiting_events,
        read_us=lambda: NOW_US,
    )


def _publish(publisher: Publisher, events: Sequence[event_pb2.Event]) -> pb.PublishEventsResponse:
    async def publish() -> pb.PublishEventsResponse:
        try:
            return await publisher.publish(events)
        finally:
            await publisher.close()

    return asyncio.run(publish())


def _open(path: Path) -> EmbeddedAppender:
    return EmbeddedAppender.open(path, read_us=lambda: NOW_US)


def _read_all(path: Path) -> list[event_pb2.Event]:
    events = []
    with EmbeddedLog(path) as log:
        for partition in log.partitions:
            cursor = log.follow(partition, 0)
            while (batch := cursor.read(100)) is not None:
                events += [event_pb2.Event.FromString(m) for m in batch.to_messages()]
            cursor.close()
    return events


def test_accepted_events_stand_where_the_answer_says(tmp_path: Path) -> None:
    events = [_return(n, f"c{n % 5}") for n in range(200)]
    response = _publish(_make_publisher(_open(tmp_path)), events)
    assert {result.status for result in response.results} == {pb.PUBLISH_STATUS_ACCEPTED}
    with EmbeddedLog(tmp_path) as log:
        for n in (0, 77, 199):
            result = response.results[n]
            batch = log.follow(result.partition, result.offset).read(1)
            assert batch is not None
            found = event_pb2.Event.FromString(batch.to_messages()[0])
            assert found.event_id == f"e{n}"
            assert found.ingest_time == response.ingest_time


def test_a_wrong_event_tells_field_value_expectation_and_fix_and_harms_no_other(
    tmp_path: Path,
) -> None:
    wrong, late, future = _return(1), _return(2), _return(3)
    wrong.return_requested.quantity = 0
    late.event_time.FromMicroseconds(NOW_US - 40 * 86_400_000_000)
    future.event_time.FromMicroseconds(NOW_US + 3_600_000_000)
    response = _publish(
        _make_publisher(_open(tmp_path)), [_return(0), wrong, late, future, event_pb2.Event()]
    )
    reasons = [result.error.reason for result in response.results]
    assert reasons == ["", "bad_value", "late", "future", "missing_field"]
    error = response.results[1].error
    assert error.field == "return_requested.quantity"
    assert error.value == "0"
    assert error.expectation
    assert error.fix
    assert [event.event_id for event in _read_all(tmp_path)] == ["e0"]


def test_own_fields_that_cannot_be_used_are_told_without_their_values(tmp_path: Path) -> None:
    good, bad = _return(1), _return(2)
    good.return_requested.attributes = '{"photos":3}'
    bad.return_requested.customer_attributes = '{"secret":{}}'
    results = _publish(_make_publisher(_open(tmp_path)), [good, bad]).results
    assert [result.status for result in results] == [
        pb.PUBLISH_STATUS_ACCEPTED, pb.PUBLISH_STATUS_REJECTED,
    ]  # fmt: skip
    error = results[1].error
    assert error.field == "return_requested.customer_attributes"
    assert "secret" not in str(error)
    assert error.expectation
    assert error.fix


def test_own_fields_are_appended_in_one_order_however_they_were_told(tmp_path: Path) -> None:
    first, second, nothing = _return(1), _return(2), _return(3)
    first.return_requested.attributes = '{"b":"é", "a":1.50}'
    second.return_requested.attributes = '{ "a" : 1.5 , "b" : "\\u00e9" }'
    nothing.return_requested.attributes = " { } "
    _publish(_make_publisher(_open(tmp_path)), [first, second, nothing])
    told = {event.event_id: event.return_requested.attributes for event in _read_all(tmp_path)}
    assert told == {"e1": '{"a":1.5,"b":"é"}', "e2": '{"a":1.5,"b":"é"}', "e3": ""}


def test_an_event_told_again_with_its_own_fields_in_another_order_is_a_repetition(
    tmp_path: Path,
) -> None:
    for text in ('{"b":2,"a":1}', '{"a":1, "b":2}'):
        event = _return(1)
        event.return_requested.attributes = text
        _publish(_make_publisher(_open(tmp_path)), [event])
    summary = stream_to_disk(tmp_path, tmp_path.with_name("store"))
    assert (summary.events_read, summary.duplicates, summary.dead_letters) == (2, 1, {})


def test_raw_text_becomes_its_embedding_and_enters_no_file(tmp_path: Path) -> None:
    _publish(_make_publisher(_open(tmp_path)), [_return(1, text=TEXT)])
    (event,) = _read_all(tmp_path)
    assert len(event.return_requested.reason.embedding) == 64
    assert event.return_requested.reason.embedder == "ngram64-v1"
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or TEXT.encode() not in file.read_bytes()


def test_the_append_alone_says_when_an_event_came_in(tmp_path: Path) -> None:
    event = _return(1)
    event.ingest_time.FromMicroseconds(5)
    response = _publish(_make_publisher(_open(tmp_path)), [event])
    assert response.ingest_time.ToMicroseconds() == NOW_US


def test_what_happened_before_an_erasure_is_not_taken_in_again(tmp_path: Path) -> None:
    key = compute_entity_key("demo", Entity.CUSTOMER, "gone")
    erasures = Erasures.of({compute_tombstone(key): NOW_US - 1_000_000})
    later = _return(3, "gone")
    later.event_time.FromMicroseconds(NOW_US - 999_999)
    response = _publish(
        _make_publisher(_open(tmp_path), erasures), [_return(1, "gone"), _return(2), later]
    )
    statuses = [result.status for result in response.results]
    accepted = pb.PUBLISH_STATUS_ACCEPTED
    assert statuses == [pb.PUBLISH_STATUS_ERASED, accepted, accepted]
    assert {event.event_id for event in _read_all(tmp_path)} == {"e2", "e3"}


def test_too_many_events_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="too many"):
        _publish(_make_publisher(_open(tmp_path)), [event_pb2.Event()] * 1_001)


class _StuckAppender:
    """A log whose disk does not answer until told to."""

    n_partitions = 1

    def __init__(self, fault: Exception | None = None) -> None:
        self.may_go_on = asyncio.Event()
        self.groups: list[int] = []
        self._fault = fault
        self._loop = asyncio.get_running_loop()

    def append(self, messages: Sequence[bytes], partitions: Sequence[int]) -> Appended:
        asyncio.run_coroutine_threadsafe(self.may_go_on.wait(), self._loop).result()
        self.groups.append(len(messages))
        if self._fault is not None:
            raise self._fault
        return Appended(list(range(len(messages))), NOW_US)

    def close(self) -> None:
        pass


def test_calls_that_wait_share_the_next_append() -> None:
    async def publish() -> list[int]:
        appender = _StuckAppender()
        publisher = _make_publisher(appender)
        calls = [asyncio.create_task(publisher.publish([_return(n)])) for n in range(20)]
        await asyncio.sleep(0)
        appender.may_go_on.set()
        answers = await asyncio.gather(*calls)
        await publisher.close()
        assert all(len(answer.results) == 1 for answer in answers)
        return appender.groups

    groups = asyncio.run(publish())
    assert sum(groups) == 20
    assert len(groups) <= 2


def test_more_than_can_wait_is_turned_away_before_anything_is_appended() -> None:
    async def publish() -> None:
        appender = _StuckAppender()
        publisher = _make_publisher(appender, max_waiting_events=3)
        waiting = asyncio.create_task(publisher.publish([_return(1), _return(2)]))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="more events wait"):
            await publisher.publish([_return(3), _return(4)])
        appender.may_go_on.set()
        assert len((await waiting).results) == 2
        await publisher.publish([_return(3), _return(4)])
        await publisher.close()

    asyncio.run(publish())


def test_a_log_that_cannot_be_written_fails_the_calls_and_not_the_publisher() -> None:
    async def publish() -> None:
        appender = _StuckAppender(StoreUnavailableError("the disk is full"))
        appender.may_go_on.set()
        publisher = _make_publisher(appender)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="full"):
                await publisher.publish([_return(1)])
        await publisher.close()

    asyncio.run(publish())
