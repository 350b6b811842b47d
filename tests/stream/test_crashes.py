"""Real signals to real processes: whenever a stream dies, the next one makes it whole.

`make soak` kills 200 times (`KILLS=2000`: the long form), at other moments each time.
"""

from __future__ import annotations

import itertools
import json
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
_RUNS_PER_STORE = 5
_SEED = random.randrange(1 << 30) if _N_KILLS > 12 else 7
_kills: dict[str, int] = {}
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


@pytest.fixture
def source(request: pytest.FixtureRequest, source_kind: str) -> str:
    return str(request.getfixturevalue("log" if source_kind == "files" else "topic"))


@pytest.fixture
def make_place(
    request: pytest.FixtureRequest, store_kind: str, tmp_path: Path
) -> Callable[[], str]:
    """Call for the place of a new store."""
    if store_kind == "lmdb":
        return lambda: str(tmp_path / f"store{next(_numbers)}")
    url = request.getfixturevalue("redis_server").url
    return lambda: f"{url}/?prefix=crash{next(_numbers)}"


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


@pytest.mark.parametrize("store_kind", ["lmdb", "redis"])
@pytest.mark.parametrize("source_kind", ["files", "kafka"])
def test_killed_at_random_moments_and_resumed_the_store_has_the_same_bytes(
    tmp_path: Path,
    source: str,
    source_kind: str,
    store_kind: str,
    make_place: Callable[[], str],
    dump_store: _Dump,
    dump_files: Callable[[Path], dict[str, bytes]],
    print_result: Callable[[str], None],
) -> None:
    rng = random.Random(f"{_SEED} {source_kind} {store_kind}")
    whole = make_place()
    _stream(source, whole, tmp_path / "state-whole", 400)
    expected = dump_store(whole)
    expected_letters = dump_files(tmp_path / "state-whole" / "dead_letters")
    n_killed = 0
    for number in itertools.count():
        # A new store again and again: a log that is through leaves nothing to be killed at.
        place, state = make_place(), tmp_path / f"state{number}"
        for _ in range(_RUNS_PER_STORE):
            if n_killed < _KILLS_PER_CASE:
                n_killed += _run_and_kill(source, place, state, rng.choice([20, 50]), rng)
        last = _stream(source, place, state, rng.choice([100, 400]))
        assert not last.rows_behind
        assert dump_store(place) == expected, f"seed {_SEED}"
        letters = dump_files(
            state / "dead_letters"
        )  # A draft may lie about; it counts for nothing.
        held = {name: content for name, content in letters.items() if name.endswith("jsonl")}
        assert held == expected_letters, f"seed {_SEED}"
        if n_killed >= _KILLS_PER_CASE:
            break
    where = f"{store_kind} x {source_kind}"
    _kills[f"{store_kind}_{source_kind}"] = n_killed
    print_result(f"stream: {where}: {n_killed} SIGKILLs at random moments: 0 byte differences")
    if len(_kills) == 4:
        figures = {"sigkills": sum(_kills.values()), **_kills, "byte_differences": 0, "seed": _SEED}
        print_result(json.dumps(figures))
