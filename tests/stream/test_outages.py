"""Stores and brokers that go away and come back; logs that are not the one that was read."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigError, LogFormatError
from features.log.reader import EventLog
from features.store.memory_store import MemoryFeatureStore
from features.store.opening import StoreOptions, open_store
from stream.options import StreamOptions
from stream.runner import StreamRun, run_stream
from tests.kafka_broker import KafkaBroker, find_free_port
from tests.redis_servers import RedisServer
from tests.tcp_proxy import TcpProxy

_numbers = itertools.count()
_BROKER_WAIT_S = 60.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A broker of the test's own, to be broken."""
    running = KafkaBroker(tmp_path)
    yield running
    running.kill()


def _read_messages(log: Path) -> list[tuple[int, bytes, int]]:
    return [
        (partition, line, 1_600_000_000_000)
        for partition in EventLog(log).partitions
        for line in (log / "jsonl" / f"partition={partition:02d}" / "events.jsonl")
        .read_bytes()
        .splitlines()
    ]


def _follow(source: str, store: Any, state: Path, n_rows: int, meanwhile: Any) -> Any:
    """Follow a source until all rows are in; `meanwhile` is called after the first batch."""
    options = StreamOptions(state, batch_size=100, is_following=True, wait_s=None)
    run: list[StreamRun] = []
    is_called = threading.Event()

    def note(progress: Any) -> None:
        if not is_called.is_set():
            is_called.set()
            meanwhile()
        if progress.rows_done >= n_rows:
            run[0].ask_to_stop()

    run.append(StreamRun(source, store, options, note, log=lambda _: None))
    return run[0].run()


def test_redis_killed_and_restarted_mid_stream_loses_nothing(
    tmp_path: Path, troubled_log: Path, dump_opened: Callable[[Any], dict[str, Any]]
) -> None:
    whole = MemoryFeatureStore()
    run_stream(str(troubled_log), whole, StreamOptions(tmp_path / "whole"))
    server = RedisServer(tmp_path / "redis", is_durable=True)
    store = open_store(server.url, "write", StoreOptions(retry_for_s=0.2))
    try:
        breaks = itertools.count()

        def note(_: Any) -> None:
            if next(breaks) in (2, 5):
                server.kill()
                threading.Timer(0.7, server.start).start()

        options = StreamOptions(tmp_path / "state", batch_size=200, wait_s=60.0)
        summary = run_stream(str(troubled_log), store, options, note, log=lambda _: None)
        assert summary.restarts >= 1
        assert dump_opened(store)["records"] == dump_opened(whole)["records"]
        assert dump_opened(store)["seen"] == dump_opened(whole)["seen"]
    finally:
        store.close()
        server.kill()


def test_a_broker_that_stands_still_is_waited_for(
    tmp_path: Path, troubled_log: Path, broker: KafkaBroker,
    dump_opened: Callable[[Any], dict[str, Any]],
) -> None:  # fmt: skip
    broker.create_topic("events", 3)
    messages = _read_messages(troubled_log)
    broker.publish("events", messages[: len(messages) // 2])

    def meanwhile() -> None:
        broker.pause()
        threading.Timer(1.0, broker.resume).start()
        threading.Timer(
            1.2, lambda: broker.publish("events", messages[len(messages) // 2 :])
        ).start()

    store, whole = MemoryFeatureStore(), MemoryFeatureStore()
    _follow(broker.url("events"), store, tmp_path / "state", len(messages), meanwhile)
    run_stream(str(troubled_log), whole, StreamOptions(tmp_path / "whole"))
    assert dump_opened(store)["records"] == dump_opened(whole)["records"]


def test_connections_to_a_broker_that_are_cut_lose_nothing(
    tmp_path: Path, troubled_log: Path, dump_opened: Callable[[Any], dict[str, Any]]
) -> None:
    port = find_free_port()
    proxy = TcpProxy(port)
    broker = KafkaBroker(tmp_path, advertised_port=proxy.port, port=port)
    try:
        broker.create_topic("events", 3)
        messages = _read_messages(troubled_log)
        broker.publish("events", messages[: len(messages) // 2])

        def publish_rest() -> None:
            proxy.mend()
            broker.publish("events", messages[len(messages) // 2 :])

        def meanwhile() -> None:
            proxy.cut()
            threading.Timer(1.0, publish_rest).start()

        store, whole = MemoryFeatureStore(), MemoryFeatureStore()
        source = f"kafka://127.0.0.1:{proxy.port}/events"
        _follow(source, store, tmp_path / "state", len(messages), meanwhile)
        assert proxy.n_cut > 0
        run_stream(str(troubled_log), whole, StreamOptions(tmp_path / "whole"))
        assert dump_opened(store)["records"] == dump_opened(whole)["records"]
    finally:
        broker.kill()
        proxy.close()


def test_a_broker_that_lost_its_log_is_a_new_incarnation_and_refused(
    tmp_path: Path, troubled_log: Path, broker: KafkaBroker
) -> None:
    store, options = MemoryFeatureStore(), StreamOptions(tmp_path / "state")
    messages = _read_messages(troubled_log)
    broker.create_topic("events", 3)
    broker.publish("events", messages)
    assert run_stream(broker.url("events"), store, options).events_read == len(messages)
    broker.kill()
    broker.start()
    with pytest.raises(ConfigError, match="no such topic"):
        run_stream(broker.url("events"), store, options)
    broker.create_topic("events", 3)
    broker.publish("events", [*messages, *messages])
    with pytest.raises(ConfigError, match="another event log"):
        run_stream(broker.url("events"), store, options)


def test_a_broker_that_lost_its_log_while_it_is_followed_is_refused(
    tmp_path: Path, troubled_log: Path, broker: KafkaBroker
) -> None:
    messages = _read_messages(troubled_log)
    broker.create_topic("events", 3)
    broker.publish("events", messages)

    def meanwhile() -> None:
        broker.kill()
        broker.start()
        broker.create_topic("events", 3)

    with pytest.raises((ConfigError, LogFormatError)):
        _follow(broker.url("events"), MemoryFeatureStore(), tmp_path, 10 * len(messages), meanwhile)
