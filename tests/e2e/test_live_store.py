"""What is done to a store while a stream follows its log and a server answers from it."""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.serving.synthetic import write_bundle
from benchmarks.serving.world import SHOP, plan_shop
from features.entities import Entity
from features.errors import StoreUnavailableError
from features.keys import N_SHARDS, compute_entity_key
from features.log.embedded_appender import EmbeddedAppender, compute_partition, read_wall_us
from features.log.embedded_log import EmbeddedLog
from features.log.erasure_register import ErasureRegister
from features.store.opening import open_store, read_generations
from hemostat.client import CallError, Client
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from stream.runner import stream_to_disk
from tests.redis_servers import RedisServer

HEMOSTAT = [sys.executable, "-m", "hemostat.cli.main"]
WAIT_S = 60.0
GONE = "customer-3"
N_CUSTOMERS = 20

_numbers = itertools.count()


class Shop:
    """Customers who look, order and send back, all the time."""

    def __init__(self, log: Path) -> None:
        self._appender = EmbeddedAppender.open(log)
        self.absent = ""
        self._n_events = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait for the last append; once more does nothing."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._appender.close()

    def append(self, count: int, customer: str = "") -> None:
        """Let things happen to all customers in turn, or to one."""
        events = [self._make_event(customer) for _ in range(count)]
        keys = [compute_entity_key(SHOP, Entity.CUSTOMER, each.customer_id) for each in events]
        n_partitions = self._appender.n_partitions
        self._appender.append(
            [each.SerializeToString() for each in events],
            [compute_partition(key, 0, n_partitions) for key in keys],
        )

    def _make_event(self, customer: str) -> event_pb2.Event:
        self._n_events += 1
        number = self._n_events
        event = event_pb2.Event(tenant=SHOP, event_id=f"e{number}", channel="CHANNEL_WEB")
        event.customer_id = customer or f"customer-{number % N_CUSTOMERS}"
        if event.customer_id == self.absent:
            event.customer_id = "somebody-else"
        event.event_time.FromMicroseconds(read_wall_us() - 1_000_000)
        if number % 3 == 0:
            event.product_viewed.sku = f"s{number % 11}"
        elif number % 3 == 1:
            order = event.order_placed
            order.order_id, order.device_hash = f"o{number}", f"device-{number % 5}"
            order.lines.add(line_id="1", sku=f"s{number % 11}", quantity=1, unit_price_minor=900)
        else:
            case = event.return_requested
            case.return_id, case.order_id = f"r{number}", f"o{number - 1}"
            case.quantity, case.unit_price_minor = 1, 900
            case.device_hash = f"device-{number % 5}"
        return event

    def _run(self) -> None:
        while not self._is_over.wait(0.005):
            self.append(10)


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


def _do(*words: str) -> dict[str, object]:
    done = subprocess.run(
        [*HEMOSTAT, *words, "--json"], capture_output=True, text=True, check=False, timeout=WAIT_S
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def _await(look: Callable[[], bool], what: str, process: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + WAIT_S
    while not look():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until_s, f"{what} did not happen"
        time.sleep(0.01)


def _has_all(place: str, log: Path) -> bool:
    """Return whether a store has applied all that a log holds."""
    with EmbeddedLog(log) as opened:
        mark, name = opened.read_durable(), opened.manifest.incarnation
    try:
        with open_store(place, "read") as store:
            states = [store.read_shard_state(shard) for shard in range(N_SHARDS)]
    except StoreUnavailableError:
        return False
    return all(
        state.next_offsets.get(f"{name}/{partition:02d}", 0) >= offset
        for partition, offset in enumerate(mark.next_offsets)
        for state in states
    )


def _read_records(place: str) -> dict[bytes, bytes]:
    with open_store(place, "read") as store:
        return {
            key.tobytes(): packed.get_blob(number)
            for shard in range(N_SHARDS)
            for keys, packed in store.scan(shard)
            for number, key in enumerate(keys)
        }


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events"


@pytest.fixture
def shop(log: Path) -> Iterator[Shop]:
    shop = Shop(log)
    shop.append(2_000)
    yield shop
    shop.close()


@pytest.fixture(params=["lmdb", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "lmdb":
        return str(tmp_path / "store")
    server: RedisServer = request.getfixturevalue("redis_server")
    return f"{server.url}/?prefix=live{next(_numbers)}"


class Caller:
    """Asks for answers without a pause and notes what goes wrong."""

    def __init__(self, address: str) -> None:
        self._client = Client(address, timeout_s=2.0)
        self.n_answers = 0
        self.faults: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._is_over.wait(0.002):
            request = pb.ScoreRequest(
                tenant=SHOP, customer_id=f"customer-{self.n_answers % 20}", channel="CHANNEL_WEB"
            )
            request.return_request.quantity, request.return_request.unit_price_minor = 1, 4_000
            try:
                response = self._client.score(request)
            except CallError as error:
                self.faults.append(str(error))
                continue
            self.n_answers += 1
            if response.degradations:
                self.faults.append(str(response.degradations))


@contextmanager
def _serve(folder: Path, place: str) -> Iterator[Caller]:
    write_bundle(folder / "bundle", SHOP, plan_shop())
    words = ["serve", "--json", "--store", place, "--bundle", str(folder / "bundle")]
    words += ["--decisions", str(folder / "decisions"), "--port", "0", "--metrics-port", "0"]
    with _run(*words, HEMOSTAT_RELOAD_INTERVAL_S="0.1") as process:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], WAIT_S)
        assert readable, "the server did not become ready"
        caller = Caller(json.loads(process.stdout.readline())["address"])
        try:
            yield caller
        finally:
            caller.close()


def test_a_rebuild_beside_a_stream_and_a_server_fails_no_call_and_leaves_the_same_bytes(
    tmp_path: Path, shop: Shop, log: Path, place: str, print_result: Callable[[str], None]
) -> None:
    state = str(tmp_path / "state")
    with _run("stream", str(log), "--store", place, "--follow", "--state", state) as stream:
        _await(lambda: _has_all(place, log), "the first catch-up", stream)
        with _serve(tmp_path, place) as caller:
            shop.open()
            first = read_generations(place).current
            told = _do("store", "rebuild", str(log), "--store", place)
            assert read_generations(place).numbers == (first + 1,)
            asked = caller.n_answers
            _await(lambda: caller.n_answers > asked + 200, "more answers", stream)
            shop.close()
            _await(lambda: _has_all(place, log), "the last catch-up", stream)
        assert caller.faults == []
    stream_to_disk(log, tmp_path / "plain")
    assert _read_records(place) == _read_records(str(tmp_path / "plain"))
    print_result(
        f"rebuilt {told['events']:,} events beside stream and server ({place[:5]}): "
        f"{caller.n_answers:,} calls, 0 failed"
    )


def _read_shared(place: str) -> list[bytes | None]:
    """Return the records of the customer who leaves, and of the devices that all share."""
    keys = [compute_entity_key(SHOP, entity, GONE) for entity in (Entity.CUSTOMER, Entity.ACTIVITY)]
    keys += [compute_entity_key(SHOP, Entity.DEVICE, f"device-{n}") for n in range(5)]
    with open_store(place, "read") as store:
        return store.read_records(keys)


def test_who_is_forgotten_while_a_stream_follows_is_not_brought_back_by_the_log(
    tmp_path: Path, shop: Shop, log: Path, place: str, print_result: Callable[[str], None]
) -> None:
    state, plain = str(tmp_path / "state"), tmp_path / "plain"
    with _run("stream", str(log), "--store", place, "--follow", "--state", state) as stream:
        _await(lambda: _has_all(place, log), "the first catch-up", stream)
        shop.open()
        # Between registration and removal nobody can say whose an event is: both go.
        shop.absent = GONE
        # Without --log: the log goes on holding what happened.
        told = _do("forget", GONE, "--tenant", SHOP, "--store", place)
        seconds, erased_us = float(str(told["seconds"])), int(str(told["erased_us"]))
        assert seconds < 30
        shop.absent = ""
        shop.append(100)
        shop.close()
        _await(lambda: _has_all(place, log), "the last catch-up", stream)
    # What the shop went on to tell of the same id belongs to a new customer.
    key = compute_entity_key(SHOP, Entity.CUSTOMER, GONE)
    ErasureRegister(plain).append(key, erased_us)
    stream_to_disk(log, plain)
    expected = _read_shared(str(plain))
    assert _read_shared(place) == expected
    _do("store", "rebuild", str(log), "--store", place)
    assert _read_shared(place) == expected
    print_result(f"forgotten beside a stream ({place[:5]}) in {seconds:.2f} s")
