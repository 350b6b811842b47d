"""The scoring server: everything it is made of, wired on one page.

    settings -> store, bundles, policy, decision log
             -> scorer -> admission -> servicer -> grpc.aio
             -> event log -> publisher -^
             -> health, reflection, /metrics

One process, one event loop, and no other thread works during a call. Start one
server per core with `reuse_port`; never fork after this module has run.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import grpc
import msgspec
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from features.errors import ConfigError, PortInUseError
from features.keys import N_SHARDS
from features.store.port import FeatureReader
from hemostat.v1 import scoring_pb2, scoring_pb2_grpc
from scoring.admission import Admission
from scoring.clock import make_clock
from scoring.current_store import CurrentStore
from scoring.decision_log import DecisionLog
from scoring.label_telling import LabelTeller
from scoring.metrics import ScoringMetrics
from scoring.models import Models, parse_bundles
from scoring.publisher_opening import open_publisher
from scoring.publishing import PublisherSource
from scoring.rules import Rules, load_rules
from scoring.scorer import VERSION_LENGTH, Scorer
from scoring.servicer import ScoringServicer
from scoring.serving_store import ServingStore
from scoring.settings import ServerSettings
from scoring.warming import warm_scorer
from scoring.watching import Watched

SERVICE = scoring_pb2.DESCRIPTOR.services_by_name["ScoringService"].full_name
_MAX_MESSAGE_BYTES = 16 << 20  # A full batch of large orders.

_logger = structlog.get_logger()


class ServerAddress(msgspec.Struct, frozen=True):
    """Where a server can be reached and what it answers with.

    Attributes:
        address: gRPC, `host:port`.
        metrics: URL of the metrics.
        tenants: Who is served.
        models: Bundle version by tenant.
        policy: Policy version.
        clock: The setting.
        pid: Process id.
    """

    address: str
    metrics: str
    tenants: list[str]
    models: dict[str, str]
    policy: str
    clock: str
    pid: int


class ScoringServer:
    """A server that has loaded everything and takes calls once started.

    Make it with `open`, inside a running event loop.
    """

    def __init__(self, settings: ServerSettings, exits: AsyncExitStack) -> None:
        self._settings = settings
        self._exits = exits
        self.metrics = ScoringMetrics()

    @classmethod
    async def open(cls, settings: ServerSettings) -> ScoringServer:
        """Load store, bundles and policy, warm up, bind the ports; calls wait for `start`.

        Raises:
            HemostatError: Anything that is missing, wrong or taken; nothing is left open.
        """
        async with AsyncExitStack() as exits:
            server = cls(settings, exits)
            server._load()
            if settings.events is not None:
                await server._publisher.get()  # What was asked for must work at once.
            server._bind()
            server._exits = exits.pop_all()
            return server

    def _load(self) -> None:
        """Load everything, dearest faults first: what a typing error breaks comes early."""
        settings = self._settings
        self._rules = _watch_rules(settings.policy, self.metrics)
        self.models = Models(parse_bundles(settings.bundle), self.metrics)
        self._store = CurrentStore(settings.store, self.metrics)
        self._exits.callback(self._store.close)
        self.clock = make_clock(settings.clock, _read_applied_us(self._store))
        serving = ServingStore.open(settings.decisions_folder, on_fault=self._note_log_fault)
        self._exits.push_async_callback(serving.close)
        self._log = DecisionLog(serving)
        self._publisher = PublisherSource(lambda: open_publisher(settings, self.metrics))
        self._exits.push_async_callback(self._publisher.close)
        self._labels = LabelTeller(self._log, self._publisher, self.metrics)
        self._exits.push_async_callback(self._labels.close)
        self.scorer = Scorer(
            store=self._store,
            get_models=lambda: self.models.in_force,
            get_rules=lambda: self._rules.value,
            log=self._log,
            clock=self.clock,
            metrics=self.metrics,
        )
        warm_scorer(self.models.in_force, self._rules.value)
        self.metrics.policy.info({"version": self._rules.value.policy.version})

    def _note_log_fault(self, fault: Exception) -> None:
        self.metrics.decision_log_errors.inc()
        _logger.warning("decisions are not on the disk yet", why=str(fault))

    def _bind(self) -> None:
        """Make the services and take the ports."""
        settings = self._settings
        _check_host(settings.host)
        servicer = ScoringServicer(
            admission=Admission(
                self.scorer.score,
                self.metrics,
                max_waiting_rows=settings.max_waiting_rows,
                max_batch_rows=settings.max_batch_rows,
            ),
            log=self._log,
            labels=self._labels,
            publisher=self._publisher,
            find_tenants=lambda: self.models.in_force,
            find_line_tenants=lambda: self.models.line_tenants,
            clock=self.clock,
            metrics=self.metrics,
            default_deadline_s=settings.deadline_ms / 1e3,
        )
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # Stubs lag.
        self._grpc = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", int(settings.reuse_port)),
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            )
        )
        scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc
        )
        metrics_port = self._serve_metrics()
        port = self._bind_grpc()
        models = self.models.in_force
        self.address = ServerAddress(
            address=_join(settings.host, port),
            metrics=f"http://{_join(settings.host, metrics_port)}/metrics",
            tenants=sorted(models),
            models={tenant: model.version[:VERSION_LENGTH] for tenant, model in models.items()},
            policy=self._rules.value.policy.version,
            clock=settings.clock,
            pid=os.getpid(),
        )

    def _bind_grpc(self) -> int:
        host, port = self._settings.host, self._settings.port
        try:
            return self._grpc.add_insecure_port(_join(host, port))
        except RuntimeError as error:
            raise _describe_taken_port("--port", host, port) from error

    def _serve_metrics(self) -> int:
        host, port = self._settings.host, self._settings.metrics_port
        try:
            httpd, thread = start_http_server(
                port, host.strip("[]"), registry=self.metrics.registry
            )
        except OSError as error:
            raise _describe_taken_port("--metrics-port", host, port) from error
        self._exits.callback(thread.join)
        self._exits.callback(httpd.server_close)
        self._exits.callback(httpd.shutdown)
        return int(httpd.server_port)

    async def start(self) -> None:
        """Take calls."""
        # What is loaded now stays: the collector need not look at it in every call.
        gc.collect()
        gc.freeze()
        await self._grpc.start()
        for service in ("", SERVICE):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        self._reloading = asyncio.create_task(self._reload_forever())
        self._labels.catch_up()

    async def refresh(self) -> None:
        """Take over a store, bundle or policy that has changed."""
        await self._store.refresh()
        await self.models.refresh()
        if await self._rules.refresh():
            self.metrics.policy.info({"version": self._rules.value.policy.version})

    async def _reload_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reload_interval_s)
            try:
                await self.refresh()
            except Exception:
                # A fault of one reload must not end all later ones.
                _logger.exception("a reload failed; what is in force stays")
                self.metrics.reloads.labels("all", "failed").inc()

    async def stop(self) -> None:
        """Refuse new calls, let those in progress end, close everything."""
        try:
            await self._health.enter_graceful_shutdown()
            await self._grpc.stop(self._settings.drain_s)
        finally:
            # Before the store is closed, so that no reload opens it again.
            self._reloading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reloading
            await self.close()  # Moves the last decisions, whatever failed before.

    async def close(self) -> None:
        """Release everything of a server that was never started, or has stopped."""
        await self._exits.aclose()


async def serve(
    settings: ServerSettings, on_ready: Callable[[ServerAddress], None] = lambda _: None
) -> None:
    """Run a server until SIGTERM or SIGINT.

    Args:
        settings: See there.
        on_ready: Called once, when calls are taken.

    Raises:
        HemostatError: It cannot start.
    """
    server = await ScoringServer.open(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start()
    if settings.ready_file is not None:
        _write_whole(settings.ready_file, msgspec.json.encode(server.address) + b"\n")
    on_ready(server.address)
    await stopping.wait()
    _logger.info("stopping")
    await server.stop()


def _watch_rules(path: Path, metrics: ScoringMetrics) -> Watched[Rules]:
    def read_stamp() -> object:
        status = path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size

    return Watched(
        "policy",
        read_stamp=read_stamp,
        load=lambda: load_rules(path),
        describe=lambda rules: rules.policy.version,
        metrics=metrics,
    )


def _read_applied_us(store: FeatureReader) -> int:
    """Return the latest ingest time that any shard has applied."""
    return max(store.read_shard_state(shard).applied_ingest_us for shard in range(N_SHARDS))


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


def _check_host(host: str) -> None:
    """Refuse a host that has no address, before it looks like a port that is taken."""
    try:
        socket.getaddrinfo(host.strip("[]"), None, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            "the host has no address",
            field="--host",
            value=host,
            expectation=f"an address or name of this machine ({error.strerror})",
            fix="for example 127.0.0.1, ::1 or 0.0.0.0",
        ) from error


def _join(host: str, port: int) -> str:
    """Return host and port as one word; an IPv6 address stands in brackets.

    >>> _join("::1", 80), _join("localhost", 80)
    ('[::1]:80', 'localhost:80')
    """
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _describe_taken_port(option: str, host: str, port: int) -> PortInUseError:
    return PortInUseError(
        "the port cannot be listened on",
        field=option,
        value=_join(host, port),
        expectation="a free port on an address of this machine",
        fix=f"stop what listens there, choose another {option}, or 0 for any free one",
    )
