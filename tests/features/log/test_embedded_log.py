"""The embedded log: what was acknowledged is there, once, and nothing is seen before."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.errors import ConfigError, LogFormatError, StoreUnavailableError
from features.log.embedded_appender import EmbeddedAppender, compute_partition
from features.log.embedded_files import events_folder, list_segments, segment_path
from features.log.embedded_log import EmbeddedLog
from features.log.embedded_maintenance import trim, verify
from hemostat.v1 import event_pb2

NOW_US = 1_795_000_000_000_000


class _Clock:
    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


def _message(name: str) -> bytes:
    return event_pb2.Event(event_id=name, tenant="t").SerializeToString()


def _open(path: Path, **options: int) -> EmbeddedAppender:
    return EmbeddedAppender.open(path, n_partitions=2, read_us=_Clock(), **options)


def _read_ids(path: Path, partition: int, start: int = 0, at_once: int = 3) -> list[str]:
    with EmbeddedLog(path) as log:
        cursor = log.follow(partition, start)
        ids: list[str] = []
        while (batch := cursor.read(at_once)) is not None:
            assert batch.first_offset == start + len(ids)
            ids += [event_pb2.Event.FromString(m).event_id for m in batch.to_messages()]
        cursor.close()
    return ids


def test_events_come_back_in_order_with_contiguous_offsets_and_their_ingest_time(
    tmp_path: Path,
) -> None:
    appender = _open(tmp_path / "log")
    first = appender.append([_message("a"), _message("b"), _message("c")], [0, 1, 0])
    second = appender.append([_message("d")], [0])
    appender.close()

    assert first.offsets == [0, 0, 1]
    assert second.offsets == [2]
    assert second.ingest_us == first.ingest_us + 1  # Strictly later, though the clock stood.
    assert _read_ids(tmp_path / "log", 0) == ["a", "c", "d"]
    with EmbeddedLog(tmp_path / "log") as log:
        batch = log.follow(0, 0).read(10)
    assert batch is not None
    event = event_pb2.Event.FromString(batch.to_messages()[0])
    assert event.ingest_time.ToMicroseconds() == batch.ingest_us[0] == first.ingest_us
    assert batch.passed_ingest_us == second.ingest_us


@pytest.mark.parametrize("at_once", [1, 2, 5, 1000])
@pytest.mark.parametrize("start", [0, 1, 7])
def test_a_reader_may_begin_anywhere_and_take_any_number_at_once(
    tmp_path: Path, at_once: int, start: int
) -> None:
    appender = _open(tmp_path / "log", segment_bytes=400)
    for group in range(5):
        names = [f"{group}-{n}" for n in range(3)]
        appender.append([_message(name) for name in names], [0] * 3)
    appender.close()

    assert len(list_segments(tmp_path / "log")) > 1
    expected = [f"{group}-{n}" for group in range(5) for n in range(3)][start:]
    assert _read_ids(tmp_path / "log", 0, start, at_once) == expected


def test_time_is_passed_only_when_all_events_of_an_append_were_read(tmp_path: Path) -> None:
    appender = _open(tmp_path / "log")
    ingest_us = appender.append([_message("a"), _message("b")], [0, 0]).ingest_us
    appender.close()
    with EmbeddedLog(tmp_path / "log") as log:
        cursor = log.follow(0, 0)
        half, rest = cursor.read(1), cursor.read(1)
    assert half is not None
    assert rest is not None
    assert half.passed_ingest_us < ingest_us == rest.passed_ingest_us


def test_a_reader_never_sees_what_is_not_durable_yet(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = _open(path)
    appender.append([_message("a")], [0])
    mark = (events_folder(path) / "durable").read_bytes()
    appender.append([_message("b")], [0])
    # As between the write and the sync: the bytes are there, the mark is not.
    (events_folder(path) / "durable").write_bytes(mark)

    assert _read_ids(path, 0) == ["a"]
    with EmbeddedLog(path) as log:
        assert log.read_horizon_us() == log.read_durable().last_ingest_us
    appender.append([_message("c")], [0])  # What a killed appender had written stays.
    assert _read_ids(path, 0) == ["a", "b", "c"]
    appender.close()


def test_half_a_block_of_a_killed_appender_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = _open(path)
    appender.append([_message("a")], [0])
    appender.close()
    with segment_path(path, 0).open("ab") as segment:
        segment.write(segment_path(path, 0).read_bytes()[-40:])

    appender = _open(path)
    assert appender.append([_message("b")], [0]).offsets == [1]
    appender.close()
    assert _read_ids(path, 0) == ["a", "b"]


def test_a_lost_mark_is_found_again_from_the_last_segment(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = _open(path, segment_bytes=200)
    for name in "abcdef":
        appender.append([_message(name)], [0])
    appender.close()
    (events_folder(path) / "durable").write_bytes(b"torn")

    with pytest.raises(LogFormatError, match="how far"), EmbeddedLog(path) as log:
        log.read_durable()
    _open(path).close()
    assert _read_ids(path, 0) == list("abcdef")


def test_the_horizon_passes_idle_time(tmp_path: Path) -> None:
    appender = _open(tmp_path / "log")
    ingest_us = appender.append([_message("a")], [0]).ingest_us
    with EmbeddedLog(tmp_path / "log", read_us=lambda: ingest_us + 5_000_000) as log:
        assert log.read_horizon_us() == ingest_us + 5_000_000 - 1
    appender.close()


def test_two_appenders_take_turns(tmp_path: Path) -> None:
    one, other = _open(tmp_path / "log", segment_bytes=300), _open(tmp_path / "log")
    offsets = []
    for n in range(10):
        offsets += (one, other)[n % 2].append([_message(str(n))], [0]).offsets
    one.close()
    other.close()
    assert offsets == list(range(10))
    assert _read_ids(tmp_path / "log", 0) == [str(n) for n in range(10)]


def test_damage_is_told_and_not_read_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = _open(path)
    appender.append([_message("a")], [0])
    appender.append([_message("b")], [0])
    appender.close()
    content = bytearray(segment_path(path, 0).read_bytes())
    content[-20] ^= 1
    segment_path(path, 0).write_bytes(content)
    with pytest.raises(LogFormatError, match="damaged"):
        verify(path)


def test_a_full_disk_loses_nothing_and_the_next_append_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = _open(path)
    appender.append([_message("a")], [0])
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        size = segment_path(path, 0).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(size + 20, 8192), limit[1]))
        with pytest.raises(StoreUnavailableError, match="cannot be used"):
            appender.append([os.urandom(20_000)], [0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, previous)
    assert appender.append([_message("b")], [0]).offsets == [1]
    appender.close()
    assert _read_ids(path, 0) == ["a", "b"]


def test_trimming_keeps_what_is_young_or_needed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = _open(path, segment_bytes=150)
    times = [appender.append([_message(str(n))], [0]).ingest_us for n in range(6)]
    appender.close()
    n_segments = len(list_segments(path))
    assert n_segments > 3

    assert trim(path, times[0], None).segments == 0
    kept = trim(path, times[-1] + 1, [2, 0])
    assert kept.first_offsets[0] <= 2
    gone = trim(path, times[-1] + 1, None)
    assert kept.segments + gone.segments == n_segments - 1  # Never the one that grows.
    first = gone.first_offsets[0]
    assert _read_ids(path, 0, first) == [str(n) for n in range(first, 6)]
    with EmbeddedLog(path) as log, pytest.raises(LogFormatError, match="does not hold"):
        log.follow(0, 0)


def test_a_written_log_is_never_appended_to(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be appended"):
        _open(tmp_path)


def test_a_customers_events_share_a_partition() -> None:
    key = bytes([200]) + os.urandom(15)
    assert {compute_partition(key, n, 7) for n in range(100)} == {200 % 7}


_APPEND_UNTIL_KILLED = """
import sys
from pathlib import Path
from features.log.embedded_appender import EmbeddedAppender
from hemostat.v1 import event_pb2
appender = EmbeddedAppender.open(Path(sys.argv[1]), n_partitions=3, segment_bytes=20_000)
for n in range(1_000_000):
    names = [f"{sys.argv[2]}-{n}-{m}" for m in range(1 + n % 7)]
    messages = [event_pb2.Event(event_id=name, tenant="t").SerializeToString() for name in names]
    appender.append(messages, [(n + m) % 3 for m in range(len(names))])
    print(" ".join(names), flush=True)
"""


@pytest.mark.parametrize("round_number", range(3))
def test_acknowledged_events_survive_kills_of_several_appenders(
    tmp_path: Path, round_number: int
) -> None:
    acknowledged: list[str] = []
    rng = np.random.default_rng(round_number)
    for generation in range(3):
        children = [
            subprocess.Popen(
                [sys.executable, "-c", _APPEND_UNTIL_KILLED, str(tmp_path / "log"),
                 f"{round_number}{generation}{child}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for child in range(2)
        ]  # fmt: skip
        for child in children:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(int(rng.integers(5, 60)))]
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.readlines()
            child.wait()
            acknowledged += [name for line in lines if line.endswith("\n") for name in line.split()]

    EmbeddedAppender.open(tmp_path / "log").close()
    found = [name for partition in range(3) for name in _read_ids(tmp_path / "log", partition)]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert sum(verify(tmp_path / "log")) == len(found)
