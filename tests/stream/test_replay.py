"""Refused rows that are acceptable later are applied once, whatever interrupts the replay."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from features.errors import StoreUnavailableError
from features.log.validation import AcceptanceRules
from features.store.memory_store import MemoryFeatureStore
from features.store.opening import open_store
from features.store.port import RecordCommit
from hemostat.cli.main import main
from stream.dead_letters import count_by_reason
from stream.options import StreamOptions
from stream.replay import replay_dead_letters
from stream.runner import run_stream, stream_to_disk

_LENIENT = AcceptanceRules(max_late_us=400 * 86_400_000_000)
_LINE = (
    '{"event_id": "%s", "tenant": "t", "event_time": "%s", "ingest_time": "2026-06-01T12:00:%02dZ",'
    ' "customer_id": "c%d", "channel": "CHANNEL_WEB", "order_placed": {"order_id": "o%s",'
    ' "lines": [{"line_id": "1", "quantity": 1, "unit_price_minor": "500"}]}}\n'
)
_DAY, _LONG_AGO = "2026-06-01T11:00:00Z", "2026-03-01T11:00:00Z"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twenty orders, every fourth of them three months late, and two lines that are no events."""
    path = tmp_path / "events.jsonl"
    lines = [_LINE % (f"e{n}", _LONG_AGO if n % 4 == 0 else _DAY, n, n % 3, n) for n in range(20)]
    path.write_text("".join([*lines[:10], "garbage\n", *lines[10:], "{\n", lines[0]]))
    return path


def test_rows_that_pass_now_are_applied_once_and_their_letters_go(
    tmp_path: Path, source: Path, dump_opened: Callable[[Any], dict[str, Any]]
) -> None:
    strict, lenient = MemoryFeatureStore(), MemoryFeatureStore()
    run_stream(str(source), strict, StreamOptions(tmp_path / "a", batch_size=7))
    run_stream(str(source), lenient, StreamOptions(tmp_path / "b", acceptance=_LENIENT))
    assert count_by_reason(tmp_path / "a" / "dead_letters") == {"late": 6, "malformed": 2}
    options = StreamOptions(tmp_path / "a", batch_size=4, acceptance=_LENIENT)
    first = replay_dead_letters(str(source), strict, options, "one")
    assert (first.read, first.applied, first.duplicates, first.refused) == (8, 5, 1, 2)
    again = replay_dead_letters(str(source), strict, options, "two")
    assert (again.read, again.applied, again.refused) == (2, 0, 2)
    assert count_by_reason(tmp_path / "a" / "dead_letters") == {"malformed": 2}
    replayed, direct = dump_opened(strict), dump_opened(lenient)
    assert replayed["records"] == direct["records"]
    offsets = [state.next_offsets for state in replayed["progress"]]
    assert offsets == [state.next_offsets for state in direct["progress"]]


class _FailingStore(MemoryFeatureStore):
    commits_left = -1

    def commit_records(self, commits: Any) -> list[int]:
        self.commits_left -= 1
        if self.commits_left == 0:
            raise StoreUnavailableError("the disk is full")
        held: list[RecordCommit] = list(commits)
        return super().commit_records(held)


@pytest.mark.parametrize("commits", [1, 2])
def test_an_interrupted_replay_goes_on_and_counts_nothing_twice(
    tmp_path: Path, source: Path, commits: int, dump_opened: Callable[[Any], dict[str, Any]]
) -> None:
    store, lenient = _FailingStore(), MemoryFeatureStore()
    run_stream(str(source), store, StreamOptions(tmp_path / "a"))
    run_stream(str(source), lenient, StreamOptions(tmp_path / "b", acceptance=_LENIENT))
    options = StreamOptions(tmp_path / "a", batch_size=5, acceptance=_LENIENT)
    store.commits_left = commits
    with pytest.raises(StoreUnavailableError):
        replay_dead_letters(str(source), store, options, "one")
    replay_dead_letters(str(source), store, options, "two")
    assert dump_opened(store)["records"] == dump_opened(lenient)["records"]


@pytest.mark.parametrize("kill_at", [(0, 3, 9), (1, 1, 20)])
def test_a_replay_killed_again_and_again_counts_nothing_twice(
    tmp_path: Path, kill_at: tuple[int, ...], dump_store: Callable[[Path], dict[str, Any]]
) -> None:
    """Real SIGKILLs, at the beginning and behind some commits."""
    source, place, state = tmp_path / "events.jsonl", tmp_path / "store", tmp_path / "state"
    times = [_LONG_AGO if n % 2 == 0 else _DAY for n in range(240)]
    source.write_text(
        "".join(_LINE % (f"e{n}", time, n % 60, n % 7, n) for n, time in enumerate(times))
    )
    for store, options in (
        (place, StreamOptions(state)),
        (tmp_path / "whole", StreamOptions(tmp_path / "b", acceptance=_LENIENT)),
    ):
        with open_store(store, "write") as opened:
            run_stream(str(source), opened, options)
    assert count_by_reason(state / "dead_letters") == {"late": 120}
    words = [str(source), str(place), str(state), "2", "400"]
    codes = [_replay_and_kill(words, commits) for commits in kill_at]
    assert codes == [-signal.SIGKILL] * len(kill_at)
    with open_store(place, "write") as opened:
        options = StreamOptions(state, acceptance=_LENIENT)
        replay_dead_letters(str(source), opened, options, "last")
    assert dump_store(place)["records"] == dump_store(tmp_path / "whole")["records"]
    assert count_by_reason(state / "dead_letters") == {}


def _replay_and_kill(words: Sequence[str], commits: int) -> int:
    """Replay in another process; kill it behind so many commits; return its exit code."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.stream.replay_child", *words], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(commits):
            assert process.stdout.readline()
        if not commits:  # Somewhere in the first of them, or before.
            select.select([process.stdout], [], [])
        process.kill()
    return process.returncode


def test_the_commands_list_show_and_replay(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    stream_to_disk(source, store)
    capsys.readouterr()
    assert main(["dlq", "list", "--store", store, "--json"]) == 0
    assert {each["reason"] for each in json.loads(capsys.readouterr().out)} == {"late", "malformed"}
    assert main(["dlq", "show", "--store", store, "--reason", "late", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [letter["offset"] for letter in shown][:2] == [0, 4]
    words = ["dlq", "replay", str(source), "--store", store, "--max-late-days", "400", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["applied"] == 5
