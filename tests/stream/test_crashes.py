"""Real signals to real processes: whenever a stream dies, the next one makes it whole.

`HEMOSTAT_KILLS=200` (`make soak`) runs the long form.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from features.log.reader import EventLog
from features.store.opening import open_store
from stream.options import StreamOptions
from stream.runner import run_stream
from tests.kafka_broker import KafkaBroker

_MakeEvents = Callable[..., list[Any]]
_WriteLog = Callable[..., Path]
_Dump = Callable[..., dict[str, Any]]

_N_KILLS = int(os.environ.get("HEMOSTAT_KILLS", "12"))
_KILLS_PER_CASE = -(-_N_KILLS // 4)
_N_PARTITIONS = 3
_numbers = itertools.count()


@pytest.fixture(scope="module")
def log(
    tmp_path_factory: pytest.TempPathFactory,
    make_troubled_events: _MakeEvents,
    write_log: _WriteLog,
) -> Path:
    events = make_troubled_events(3_000, seed=9)
    return write_log(tmp_path_factory.mktemp("logs") / "log", events, n_partitions=_N_PARTITIONS)


def read_lines(log: Path) -> Iterator[tuple[int, bytes, int]]:
    """Yield each event of a log as a message for a broker."""
    for partition in EventLog(log).partitions:
        file = log / "jsonl" / f"partition={partition:02d}" / "events.jsonl"
        for line in file.read_bytes().splitlines():
            yield partition, line, 1_600_000_000_000


@pytest.fixture(scope="module")
def topic(log: Path, kafka_broker: KafkaBroker) -> str:
    name = f"crashes-{next(_numbers)}"
    kafka_broker.create_topic(name, _N_PARTITIONS)
    kafka_broker.publish(name, read_lines(log))
    return kafka_broker.url(name)


@pytest.fixture(params=["files", "kafka"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("log" if request.param == "files" else "topic"))


@pytest.fixture(params=["lmdb", "redis"])
def make_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Call with a name: the place of a new store."""
    if request.param == "lmdb":
        return lambda name: str(tmp_path / name)
    url = request.getfixturevalue("redis_server").url
    return lambda name: f"{url}/?prefix=crash{name}{next(_numbers)}"


def _stream(source: str, place: str, state: Path, batch_size: int) -> Any:
    store = open_store(place, "write")
    try:
        return run_stream(source, store, StreamOptions(state, batch_size=batch_size))
    finally:
        store.close()


def _run_and_kill(
    source: str, place: str, state: Path, batch_size: int, rng: random.Random
) -> bool:
    """Stream in another process; SIGKILL it at a random moment. Was it killed?"""
    words = [source, place, str(state), str(batch_size)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.stream.stream_child", *words], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(rng.randrange(1, 20)):
            if not process.stdout.readline():
                break
        try:  # A moment anywhere in the batch, not just behind one.
            process.wait(rng.random() * 0.02)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def test_killed_at_random_moments_and_resumed_the_store_has_the_same_bytes(
    tmp_path: Path,
    source: str,
    make_place: Callable[[str], str],
    dump_store: _Dump,
    dump_files: Callable[[Path], dict[str, bytes]],
    print_result: Callable[[str], None],
) -> None:
    seed = random.randrange(1 << 30) if _N_KILLS > 12 else 7
    rng = random.Random(seed)
    whole, place = make_place("whole"), make_place("killed")
    _stream(source, whole, tmp_path / "state-whole", 400)
    expected = dump_store(whole)
    n_killed = n_runs = 0
    while n_killed < _KILLS_PER_CASE:
        n_runs += 1
        n_killed += _run_and_kill(source, place, tmp_path / "state", rng.choice([20, 50]), rng)
        if n_runs % 5 == 0:  # The log may be through: a new store, the same comparison.
            _stream(source, place, tmp_path / "state", rng.choice([100, 400]))
            assert dump_store(place) == expected, f"seed {seed}"
            place = make_place("killed-again")
    last = _stream(source, place, tmp_path / "state", 400)
    assert not last.rows_behind
    assert dump_store(place) == expected, f"seed {seed}"
    letters = dump_files(tmp_path / "state" / "dead_letters")
    whole_letters = dump_files(tmp_path / "state-whole" / "dead_letters")
    assert {name: held for name, held in letters.items() if name.endswith("jsonl")} == whole_letters
    print_result(f"stream: {n_killed} SIGKILLs at random moments, resumed: 0 byte differences")
