"""Published events: from the client over the log into the store and the next answer."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any, TypeVar

import grpc
import pytest

from benchmarks.serving.synthetic import write_bundle
from benchmarks.serving.world import P_ABUSE, P_HONEST, RETURNER, SHOP, plan_shop
from features.entities import Entity
from features.errors import StoreUnavailableError
from features.keys import N_SHARDS, compute_entity_key
from features.log.embedded_appender import EmbeddedAppender, read_wall_us
from features.log.reader import EventLog
from features.store.opening import open_store
from hemostat.client import CallError, Client
from hemostat.v1 import event_pb2, scoring_pb2_grpc
from hemostat.v1 import scoring_pb2 as pb
from tests.kafka_broker import KafkaBroker
from tests.redis_servers import RedisServer

HEMOSTAT = [sys.executable, "-m", "hemostat.cli.main"]
DAY_US = 86_400_000_000
WAIT_S = 60.0

T = TypeVar("T")


def _make_history(n_orders: int = 8, n_returns: int = 6) -> Iterator[event_pb2.Event]:
    """Return orders of the last weeks and the returns of most of them."""
    now_us = read_wall_us()
    for number in range(n_orders):
        event = _make_event(f"order-{number}", now_us - (20 - number) * DAY_US)
        order = event.order_placed
        order.order_id = f"o{number}"
        order.lines.add(line_id="1", sku=f"s{number}", quantity=1, unit_price_minor=4_000)
        yield event
    for number in range(n_returns):
        event = _make_event(f"return-{number}", now_us - (8 - number) * DAY_US)
        case = event.return_requested
        case.return_id, case.order_id = f"r{number}", f"o{number}"
        case.quantity, case.unit_price_minor = 1, 4_000
        yield event


def _make_event(event_id: str, time_us: int, customer: str = RETURNER) -> event_pb2.Event:
    event = event_pb2.Event(
        tenant=SHOP, event_id=event_id, customer_id=customer, channel="CHANNEL_WEB"
    )
    event.event_time.FromMicroseconds(time_us)
    return event


def _make_request() -> pb.ScoreRequest:
    request = pb.ScoreRequest(tenant=SHOP, customer_id=RETURNER, channel="CHANNEL_WEB")
    request.return_request.quantity, request.return_request.unit_price_minor = 1, 4_000
    return request


def _await(look: Callable[[], T | None], what: str) -> T:
    """Return what `look` finds as soon as it finds something."""
    until_s = time.monotonic() + WAIT_S
    while (found := look()) is None:
        assert time.monotonic() < until_s, f"{what} did not happen"
        time.sleep(0.01)
    return found


@contextmanager
def _run(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*HEMOSTAT, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def _follow(source: str, store: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    with _run("stream", source, "--store", store, "--follow", *more) as process:
        yield process


@contextmanager
def _serve(folder: Path, store: str, *more: str, **environment: str) -> Iterator[dict[str, Any]]:
    words = ["serve", "--json", "--store", store, "--bundle", str(folder / "bundle")]
    words += ["--decisions", str(folder / "decisions"), "--port", "0", "--metrics-port", "0"]
    with _run(*words, *more, **environment) as process:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], 2 * WAIT_S)
        assert readable, "the server did not become ready"
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield {**json.loads(line), "pid": process.pid}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", SHOP, plan_shop())
    return tmp_path / "bundle"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """The folder of an embedded log without an event."""
    EmbeddedAppender.open(tmp_path / "events").close()
    return tmp_path / "events"


def _await_store(store: str, stream: subprocess.Popen[str]) -> None:
    """Return once the stream has made the store."""

    def look() -> bool | None:
        assert stream.poll() is None, stream.communicate()
        try:
            open_store(store, "read").close()
        except StoreUnavailableError:
            return None
        return True

    _await(look, "the store")


def _publish_and_score(
    folder: Path, source: str, store: str, print_result: Callable[[str], None]
) -> None:
    with _follow(source, store, "--state", str(folder / "state")) as stream:
        _await_store(store, stream)
        with (
            _serve(folder, store, "--events", source) as served,
            Client(served["address"]) as client,
        ):
            assert client.score(_make_request()).p_abuse == pytest.approx(P_HONEST, abs=0.01)
            told = client.publish_events(list(_make_history()))
            start_s = time.perf_counter()
            assert {each.status for each in told} == {pb.PUBLISH_STATUS_ACCEPTED}
            with open_store(store, "read") as reader:
                key = compute_entity_key(SHOP, Entity.CUSTOMER, RETURNER)
                _await(lambda: None if reader.read_records([key]) == [None] else True, "the record")
            score = _await(
                lambda: p if (p := client.score(_make_request()).p_abuse) > 0.5 else None,
                "the answer",
            )
            seconds = time.perf_counter() - start_s
            assert score == pytest.approx(P_ABUSE, abs=0.01)
    print_result(f"published, streamed and scored in {seconds * 1e3:.0f} ms ({source[:8]}...)")


def test_published_events_are_in_the_store_and_in_the_next_answer(
    tmp_path: Path, bundle: Path, events: Path, print_result: Callable[[str], None]
) -> None:
    _publish_and_score(tmp_path, str(events), str(tmp_path / "store"), print_result)


def test_published_to_kafka_and_streamed_into_redis_they_are_in_the_next_answer(
    tmp_path: Path,
    bundle: Path,
    kafka_broker: KafkaBroker,
    redis_server: RedisServer,
    print_result: Callable[[str], None],
) -> None:
    kafka_broker.create_topic("published", 3)
    store = f"{redis_server.url}/?prefix=published"
    _publish_and_score(tmp_path, kafka_broker.url("published"), store, print_result)


def _make_views(first: int, count: int) -> list[event_pb2.Event]:
    views = []
    for number in range(first, first + count):
        event = _make_event(f"view-{number}", read_wall_us(), f"customer-{number % 7}")
        event.product_viewed.sku = "s"
        views.append(event)
    return views


def test_a_stream_of_requests_is_answered_in_order(
    tmp_path: Path, bundle: Path, events: Path
) -> None:
    store = str(tmp_path / "store")
    open_store(store, "write").close()
    requests = [
        pb.PublishEventsRequest(events=_make_views(100 * number, 100)) for number in range(5)
    ]
    with (
        _serve(tmp_path, store, "--events", str(events)) as served,
        grpc.insecure_channel(served["address"]) as channel,
    ):
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        answers = list(stub.PublishEventStream(iter(requests), timeout=WAIT_S))
    assert [len(answer.results) for answer in answers] == [100] * 5
    table = EventLog(events).read_table()
    held = dict(zip(table["event_id"].to_pylist(), table["ingest_time"].to_pylist(), strict=True))
    assert len(held) == table.num_rows == 500
    for number, answer in enumerate(answers):
        for each in requests[number].events:
            assert held[each.event_id].timestamp() == pytest.approx(
                answer.ingest_time.ToMicroseconds() / 1e6, abs=1e-5
            )


def test_too_many_at_once_are_pushed_back_and_are_in_the_end_all_there(
    tmp_path: Path, bundle: Path, events: Path
) -> None:
    store = str(tmp_path / "store")
    open_store(store, "write").close()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds)

    def publish(address: str, first: int) -> None:
        with Client(address, timeout_s=WAIT_S, sleep=pause) as client:
            for start in range(first, first + 1_000, 200):
                assert _is_acknowledged(client, _make_views(start, 200))

    with _serve(tmp_path, store, "--events", str(events), HEMOSTAT_MAX_WAITING_EVENTS="300") as up:
        callers = [
            threading.Thread(target=publish, args=(up["address"], 1_000 * number))
            for number in range(6)
        ]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
    table = EventLog(events).read_table()
    assert sorted(set(table["event_id"].to_pylist())) == sorted(f"view-{n}" for n in range(6_000))
    assert table.num_rows == 6_000  # What was turned away was not begun.
    assert pauses


def test_killed_while_publishing_each_acknowledged_event_is_counted_once(
    tmp_path: Path, bundle: Path, events: Path, print_result: Callable[[str], None]
) -> None:
    store, rng = str(tmp_path / "store"), random.Random(7)
    acknowledged: set[str] = set()
    views = _make_views(0, 20)
    with _follow(str(events), store) as stream:
        _await_store(store, stream)
        for _ in range(3):
            with _serve(tmp_path, store, "--events", str(events)) as served:
                kill = threading.Timer(rng.uniform(0.1, 0.6), os.kill, (served["pid"], SIGKILL))
                kill.start()
                with Client(served["address"], timeout_s=0.5) as client:
                    while _is_acknowledged(client, views):
                        acknowledged |= {view.event_id for view in views}
                        views = _make_views(len(acknowledged), 20)
                kill.join()
        ids = set(EventLog(events).read_table()["event_id"].to_pylist())
        _await(lambda: True if _read_totals(store) >= len(ids) else None, "the stream's end")
    assert len(acknowledged) >= 60
    assert acknowledged <= ids
    assert _read_totals(store) == len(ids)
    with open_store(store, "read") as reader:
        assert sum(reader.read_seen_state(n).totals.conflicts for n in range(N_SHARDS)) == 0
    print_result(f"3 servers killed while publishing: {len(acknowledged):,} acknowledged, 0 lost")


def _is_acknowledged(client: Client, views: Sequence[event_pb2.Event]) -> bool:
    """Publish; False if the server has gone. What it took in before is told again, then."""
    try:
        told = client.publish_events(views)
    except CallError:
        return False
    assert {each.status for each in told} == {pb.PUBLISH_STATUS_ACCEPTED}
    return True


def _read_totals(store: str) -> int:
    """Return how many events a store has applied, each once."""
    with open_store(store, "read") as reader:
        states = [reader.read_seen_state(shard) for shard in range(N_SHARDS)]
    return sum(state.totals.folded + state.totals.not_folded for state in states)
