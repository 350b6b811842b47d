"""Shared parts of the scorer's tests: a small world with known answers, requests, a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from benchmarks.serving.world import RETURNER, SHOP, World, build_world
from hemostat.v1 import scoring_pb2 as pb
from scoring.clock import read_wall_us
from scoring.logging_setup import configure_logging
from scoring.rules import Rules, load_rules
from scoring.server import ScoringServer
from scoring.settings import load_settings
from tests.scoring.scorer_bench import Bench

CASES: dict[str, dict[str, Any]] = {
    "order": {"lines": [{"line_id": "1", "quantity": 1, "unit_price_minor": 4000}]},
    "cancellation": {"quantity": 1, "unit_price_minor": 4000},
    "return_request": {"quantity": 1, "unit_price_minor": 4000, "has_receipt": True},
}


def make_request(case: str = "return_request", **more: Any) -> pb.ScoreRequest:
    """Return a sound request; fields of the envelope and of the case are told apart by name."""
    envelope = {"tenant": SHOP, "customer_id": RETURNER, "channel": "CHANNEL_WEB"}
    payload = dict(CASES[case])
    for name, value in more.items():
        (envelope if name in pb.ScoreRequest.DESCRIPTOR.fields_by_name else payload)[name] = value
    return json_format.ParseDict({**envelope, case: payload}, pb.ScoreRequest())


@pytest.fixture(scope="session", autouse=True)
def log_as_served() -> None:
    """Write log lines as the server does; the library's own format draws every variable."""
    configure_logging()


@pytest.fixture(scope="session")
def request_of() -> Callable[..., pb.ScoreRequest]:
    """Makes requests; see `make_request`."""
    return make_request


@pytest.fixture(scope="session")
def rules() -> Rules:
    """The default policy."""
    return load_rules()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world that tests only read."""
    return build_world(tmp_path_factory.mktemp("world"), read_wall_us())


@pytest.fixture
def bench(world: World, rules: Rules, tmp_path: Path) -> Iterator[Bench]:
    """A scorer without a server."""
    bench = Bench(world, rules, tmp_path / "serving")
    opened = bench.store
    yield bench
    opened.close()
    asyncio.run(bench.serving.close())


@pytest.fixture
def own_world(tmp_path: Path) -> World:
    """A world that the test may change."""
    return build_world(tmp_path / "world", read_wall_us())


class RunningServer:
    """A server on an event loop of its own thread."""

    def __init__(self, server: ScoringServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.address = server.address.address

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the server's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)


@contextmanager
def running(**settings: Any) -> Iterator[RunningServer]:
    """Run a server in this process; ports are free ones unless given."""
    given = {"port": 0, "metrics_port": 0, **settings}
    started: Future[RunningServer] = Future()
    stopping = asyncio.Event()

    async def live() -> None:
        try:
            server = await ScoringServer.open(load_settings(given, {}))
            await server.start()
        except BaseException as error:  # noqa: BLE001  # Handed to the test's own thread.
            started.set_exception(error)
            return
        started.set_result(RunningServer(server, asyncio.get_running_loop()))
        await stopping.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        server = started.result(60)
        try:
            yield server
        finally:  # Also of a test that failed: a server left running complains for ever.
            server.loop.call_soon_threadsafe(stopping.set)
    finally:
        thread.join(60)


@pytest.fixture(scope="session")
def run_server() -> Callable[..., Any]:
    """Runs a server with the given settings; see `running`."""
    return running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of both tenants that tests share; LMDB wants a store of its own for it."""
    world = build_world(tmp_path_factory.mktemp("served"), read_wall_us())
    bundles = (str(world.shop_bundles), str(world.bazaar_bundle))
    with running(store=world.store, bundle=bundles) as shared:
        yield shared
